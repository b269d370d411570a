#!/usr/bin/python
"""Ansible module: whether the host's supervisord answers, and whose programs it holds under our names."""

from __future__ import annotations

import xmlrpc.client
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.sfm_supervisord import AbsentError, UnreachableError, commands, connect, deployed, processes

DOCUMENTATION = """
---
module: sfm_ask_supervisord
short_description: Ask whether the host's supervisord answers, and changes nothing
description:
  - Reads the configuration as supervisorctl does, login included, and tells one that does not answer from one that
    refuses the login and from something else that answers in its place. Only the first may be restarted; the others
    are a failure, with what to do.
  - Fails as well where supervisor has someone else's program under a name in O(declared), since the two would
    become one.
author: The sfm-stream authors
options:
  config:
    description: supervisord's configuration file.
    type: path
    default: /etc/supervisor/supervisord.conf
  seconds:
    description: How long to wait for an answer.
    type: float
    default: 0
  declared:
    description: The programs that are to be deployed.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: It changes nothing anyway.
"""

EXAMPLES = """
- name: Look at supervisord before anything is changed
  sfm_ask_supervisord:
    declared: [twitterfilter-storms]
  register: _sfm_supervisor_answer
"""

RETURN = """
answers:
  description: Whether supervisord answers.
  type: bool
  returned: success
reason:
  description: Why not, or an empty text.
  type: str
  returned: success
"""


def main() -> None:
    """Asks."""
    module = AnsibleModule(
        argument_spec={
            "config": {"type": "path", "default": "/etc/supervisor/supervisord.conf"},
            "seconds": {"type": "float", "default": 0},
            "declared": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    declared = module.params["declared"]
    try:
        supervisor = connect(Path(module.params["config"]), module.params["seconds"])
        files = commands(supervisor)
        live = processes(supervisor, declared.__contains__)
    except AbsentError as error:
        module.exit_json(changed=False, answers=False, reason=str(error))
    except UnreachableError as error:
        module.fail_json(msg=str(error))
    except (OSError, xmlrpc.client.Error) as error:
        module.fail_json(msg=f"supervisord answers, and then does not: {error}")
    if taken := [name for name, each in live.items() if not deployed(each, files.get(name), known=True)]:
        module.fail_json(
            msg=f"supervisor already has someone else's programs under names of this deployment: {', '.join(taken)}. "
            "Give the filters of those names others, or remove the other programs; nothing was changed."
        )
    module.exit_json(changed=False, answers=True, reason="")


if __name__ == "__main__":
    main()
