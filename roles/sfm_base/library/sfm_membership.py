#!/usr/bin/python
"""Ansible module: adds users to a group, and keeps others out of it, all in one run."""

from __future__ import annotations

import grp
import pwd

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
---
module: sfm_membership
short_description: Add users to a group
description:
  - Adds users to a group and takes nobody out but those of O(never).
  - Works with users of a directory service too, which are not in
    C(/etc/passwd).
  - Users that do not exist are named all at once, and then nobody is added.
author: The sfm-stream authors
options:
  group:
    description: The group; in check mode it may be one that is still to be made.
    type: str
    required: true
  users:
    description: Who should be in it.
    type: list
    elements: str
    required: true
  never:
    description: Who must not be in it, and is taken out.
    type: list
    elements: str
    default: []
  variable:
    description: Where O(users) come from, for messages.
    type: str
    default: sfm_group_members
attributes:
  check_mode:
    support: full
    description: Says what would change.
"""

EXAMPLES = """
- name: Let them see the data
  sfm_membership:
    group: sfm
    users: [dsmith, kchudnov]
"""

RETURN = """
added:
  description: Who was added.
  type: list
  elements: str
  returned: success
removed:
  description: Who was taken out.
  type: list
  elements: str
  returned: success
"""


def known(user: str) -> bool:
    """Whether there is such a user, here or in a directory service."""
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def missing(group: str, users: list[str]) -> list[str]:
    """Those that are not in the group, neither as members nor by their primary group."""
    try:
        entry = grp.getgrnam(group)
    except KeyError:
        return users
    return [user for user in users if user not in entry.gr_mem and pwd.getpwnam(user).pw_gid != entry.gr_gid]


def unwanted(group: str, users: list[str]) -> tuple[list[str], list[str]]:
    """Those that are in the group as members, and those whose primary group it is, which no removal helps."""
    try:
        entry = grp.getgrnam(group)
    except KeyError:
        return [], []
    here = [user for user in users if known(user)]
    return (
        [user for user in users if user in entry.gr_mem],
        [user for user in here if pwd.getpwnam(user).pw_gid == entry.gr_gid],
    )


def main() -> None:
    """Checks all, then adds and takes out."""
    module = AnsibleModule(
        argument_spec={
            "group": {"type": "str", "required": True},
            "users": {"type": "list", "elements": "str", "required": True},
            "never": {"type": "list", "elements": "str", "default": []},
            "variable": {"type": "str", "default": "sfm_group_members"},
        },
        supports_check_mode=True,
    )
    group, users = module.params["group"], list(dict.fromkeys(module.params["users"]))
    if unknown := [user for user in users if not known(user)]:
        module.fail_json(
            msg=f"{module.params['variable']}: no such user here: {', '.join(unknown)}. "
            f"Create them, or take them out of the list; nobody was added to group {group}."
        )
    removed, primary = unwanted(group, module.params["never"])
    if primary:
        module.fail_json(
            msg=f"{group} is the primary group of {', '.join(primary)}, who must not be in it. "
            "Choose another group, or give the user another one: usermod -g"
        )
    added = missing(group, users)
    if not module.check_mode:
        for user in added:
            module.run_command(["gpasswd", "--add", user, group], check_rc=True)
        for user in removed:
            module.run_command(["gpasswd", "--delete", user, group], check_rc=True)
    diff = {
        "before_header": group,
        "after_header": group,
        "before": "".join(f"- {user}\n" for user in removed),
        "after": "".join(f"+ {user}\n" for user in added),
    }
    module.exit_json(changed=bool(added or removed), added=added, removed=removed, diff=diff)


if __name__ == "__main__":
    main()
