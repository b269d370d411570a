#!/usr/bin/python
"""Ansible module: makes supervisor's live programs those that the program files declare."""

from __future__ import annotations

import contextlib
import re
import time
import xmlrpc.client
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.sfm_program_changes import Pending, Plan, plan_changes
from ansible.module_utils.sfm_program_health import Health, Program
from ansible.module_utils.sfm_program_waits import FailedError, Waits
from ansible.module_utils.sfm_supervisord import (
    AbsentError,
    Process,
    UnreachableError,
    commands,
    connect,
    deployed,
    named,
    runs_ours,
)

DOCUMENTATION = r"""
---
module: sfm_programs
short_description: Make supervisor's live programs those that the program files declare
description:
  - Compares the program files, and what the programs read, with the live processes on every run.
    So a run that broke off heals at the next one.
  - Does what C(supervisorctl update) does, for our programs alone, one after the other. Changes that other people have
    pending stay pending.
  - Starts programs that ended or failed; the cause may have been cured since.
  - A program that somebody stopped by hand stays stopped and is listed in RV(respected), until its program file changes
    or O(start_stopped) asks for it.
  - Sends SIGHUP to programs that run with older settings than their settings file has, or whose rules their source does
    not hold.
  - Waits until all are up for good, and fails with the state and the last log lines of those that are not.
  - Waits until X holds the rules of each of its filters, and fails with X's own words where it does not. A program that
    waits for money, or for room on the disk, is only named. Streams without rules at their source are not waited for.
  - Programs of other people are never touched, whatever their names. Ours are those that run the command that our
    program files give them; any other that has a name like ours is listed in RV(foreign).
options:
  declared:
    description:
      - The programs that should run, in the order of their start, each with the digest of what it reads.
      - If there are none, all of ours are stopped and forgotten.
    type: dict
    required: true
  release:
    description:
      - The installed release. Together, C(<digest>-<release>), they are the variable C(SFM_DIGEST) in the environment
        of a program's process.
    type: str
    required: true
  pattern:
    description: A regular expression that matches the names that programs of ours can have, declared or not.
    type: str
    required: true
  config:
    description: supervisord's configuration file.
    type: path
    default: /etc/supervisor/supervisord.conf
  settings_dir:
    description: Where the settings of the programs lie, C(<program>.json). A program without any writes no status file.
    type: path
    required: true
  status_dir:
    description: Where the programs write their status files.
    type: path
    required: true
  log_dir:
    description: Where their logs lie, named after the program, with C(.err.log) and C(.out.log).
    type: path
    required: true
  changed_programs:
    description: Programs whose files this deployment has written; check mode goes by it, having written none.
    type: list
    elements: str
    default: []
  removed_programs:
    description: Programs whose files this deployment has removed.
    type: list
    elements: str
    default: []
  upstream:
    description:
      - The simulator of this host that a program connects to, by the program's name. Where a simulator restarts, these
        programs are stopped before and started after it, so that none of them takes it for a failure of its source.
    type: dict
    default: {}
  changed_settings:
    description: The same for settings files.
    type: list
    elements: str
    default: []
  start_stopped:
    description: Whether programs that were stopped by hand are started too.
    type: bool
    default: false
  timeout:
    description: Seconds to wait until all programs are up; one more for each program that starts.
    type: int
    default: 30
author: The sfm-stream authors
attributes:
  check_mode:
    support: full
"""

EXAMPLES = r"""
- name: Apply the program files
  sfm_programs:
    declared: {twitterfilter-storms: 0f3a}
    release: 3b1c
    pattern: twitterfilter-.+|streamsample
    settings_dir: /etc/sfm/streams
    status_dir: /var/lib/sfm/state/status
    log_dir: /var/log/sfm
"""

RETURN = r"""
# What was done, also where the module fails half way; in check mode what would be.
added:
  description: Programs that supervisor did not have.
  returned: always
  type: list
  elements: str
restarted:
  description: Programs whose files had changed, and those that connect to one of them.
  returned: always
  type: list
  elements: str
removed:
  description: Programs that have no file any more; they were stopped.
  returned: always
  type: list
  elements: str
started:
  description: Programs that had ended or failed, and were started again.
  returned: always
  type: list
  elements: str
reloaded:
  description: Programs that got SIGHUP, to read their settings again.
  returned: always
  type: list
  elements: str
respected:
  description: Programs that were stopped by hand and stay so.
  returned: always
  type: list
  elements: str
foreign:
  description: Programs of other people that have names like ours.
  returned: always
  type: list
  elements: str
shared_logs:
  description: Whether programs of other people, whatever their names, log into O(log_dir).
  returned: always
  type: bool
applied:
  description: Whether supervisor has taken up all program files, so that nothing runs any more that is not declared.
  returned: always
  type: bool
"""


def main() -> None:
    """Runs the module."""
    module = AnsibleModule(
        argument_spec={
            "declared": {"type": "dict", "required": True},
            "release": {"type": "str", "required": True},
            "pattern": {"type": "str", "required": True},
            "config": {"type": "path", "default": "/etc/supervisor/supervisord.conf"},
            "settings_dir": {"type": "path", "required": True},
            "status_dir": {"type": "path", "required": True},
            "log_dir": {"type": "path", "required": True},
            "changed_programs": {"type": "list", "elements": "str", "default": []},
            "removed_programs": {"type": "list", "elements": "str", "default": []},
            "upstream": {"type": "dict", "default": {}},
            "changed_settings": {"type": "list", "elements": "str", "default": []},
            "start_stopped": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    deployment = Deployment(module.params, check_mode=module.check_mode)
    try:
        if module.check_mode:
            deployment.predict()
        else:
            deployment.apply()
            deployment.verify()
    except (FailedError, UnreachableError, OSError, xmlrpc.client.Fault) as error:
        module.fail_json(msg=str(error), **deployment.result())
    for name, why in deployment.held.items():
        module.warn(f"{name}: waits ({why}), and has X take its rules when it goes on")
    for name in deployment.foreign:
        module.warn(
            f"{name}: supervisor has a program of this name that no program file of this deployment declares; it is "
            "someone else's, an older SFM's perhaps, and was left alone"
        )
    for name in deployment.plan.respected:
        module.warn(f"{name}: was stopped by hand and stays so; to start it: supervisorctl start {name}")
    module.exit_json(**deployment.result())


class Deployment:
    """Brings the live programs of one host to what was declared."""

    def __init__(self, params: dict[str, Any], *, check_mode: bool) -> None:
        self.params = params
        self.check_mode = check_mode
        release, settings_dir = params["release"], Path(params["settings_dir"])
        self.settings_dir = settings_dir
        self.declared = {
            name: Program(f"{digest}-{release}", settings_dir / f"{name}.json")
            for name, digest in params["declared"].items()
        }
        self.health = Health(self.declared, Path(params["status_dir"]), Path(params["log_dir"]))
        self.plan = Plan([], [], [], [], [], [])
        self.done = Plan([], [], [], [], [], self.plan.respected)
        self.foreign: list[str] = []
        self.shared_logs = False
        self.applied = False
        self.held: dict[str, str] = {}
        self.supervisor: Any = None

    def named_like_ours(self, name: str) -> bool:
        """Whether a program of this name may be of this deployment, declared or not."""
        return re.fullmatch(self.params["pattern"], name) is not None or name in self.params["removed_programs"]

    def result(self) -> dict[str, Any]:
        """What was done, as the module returns it; in check mode what would be."""
        actions = (self.plan if self.check_mode else self.done)._asdict()
        actions["respected"] = self.plan.respected
        changed = any(names for action, names in actions.items() if action != "respected")
        others = {"foreign": self.foreign, "shared_logs": self.shared_logs}
        return {"changed": changed, "applied": self.applied, **others, **actions}

    def predict(self) -> None:
        """Check mode: the program files of this deployment may not be there yet, nor may supervisor."""
        try:
            self.supervisor = connect(Path(self.params["config"]), seconds=0)
            live = self._ours(self.supervisor.getAllProcessInfo(), commands(self.supervisor))
        except AbsentError:
            # A dry run on a bare host: all programs would be new.
            live = {}
        written = {name for name in self.params["changed_programs"] if name in self.declared}
        stale = {name for name in live.keys() & self.declared.keys() if not self.health.runs_as_declared(live[name])}
        pending = Pending(
            added=[name for name in self.declared if name not in live],
            changed=[name for name in self.declared if name in live and name in written | stale],
        )
        self.plan = self._plan(live, pending)
        self.applied = True

    def apply(self) -> None:
        """Makes the live programs what the files say."""
        try:
            self.supervisor = connect(Path(self.params["config"]))
        except AbsentError as error:
            cure = "the part `supervisor` of a deployment installs and starts it: run playbooks/deploy.yml whole"
            raise FailedError(f"{error}; {cure}") from error
        files = commands(self.supervisor)
        live = self._ours(self._settled_processes(), files)
        # By supervisor's own comparison of what it has with what the files say: a file that was edited and put back
        # restarts nothing.
        self.plan = self._plan(live, self._pending(files))
        # Removals first: a renamed filter needs the connection that its old program holds, of which X grants one.
        for name in self.plan.removed:
            self._remove(name)
            self.done.removed.append(name)
        self._restart()
        for name in self.plan.added:
            self.supervisor.addProcessGroup(name)
            self.done.added.append(name)
        self.applied = True
        # supervisor waits ever longer between its tries; a new start does not.
        self._each(self.plan.started, self.supervisor.stopProcess)
        self.done.started.extend(self._each(self.plan.started, lambda name: self.supervisor.startProcess(name, False)))
        self.done.reloaded.extend(
            # Last: a program that was just restarted has read its settings, and needs no signal.
            self._each(self.plan.reloaded, lambda name: self.supervisor.signalProcess(name, "HUP"))
        )

    def verify(self) -> None:
        """Waits until exactly the declared programs run, with the declared rules in force.

        Raises:
            FailedError: It does not come to that.
        """
        begun = len(self.done.added) + len(self.done.restarted) + len(self.done.started)
        live = self._waits().until_up(self.plan.respected, begun)
        self.held = self._waits().for_rules(live)

    def _waits(self) -> Waits:
        return Waits(self.supervisor, self.health, self.params["timeout"])

    def _ours(self, everything: list[Process], files: dict[str, str]) -> dict[str, Process]:
        """Those of all live processes that are of this deployment; what others have names like ours is kept.

        Raises:
            FailedError: One of the others has a declared name.
        """
        live = named(everything, self.named_like_ours)
        ours = {name: each for name, each in live.items() if self._is_ours(each, files.get(name))}
        others = [name for name in live if name not in ours]
        self._refuse_taken([name for name in others if name in self.declared])
        self.foreign = sorted(others)
        logs = Path(self.params["log_dir"])
        self.shared_logs = any(
            logs in Path(each[kind]).parents
            for each in everything
            for kind in ("stdout_logfile", "stderr_logfile")
            if each["name"] not in ours
        )
        return ours

    def _is_ours(self, process: Process, command: str | None) -> bool:
        name = process["name"]
        if re.fullmatch(self.params["pattern"], name) is None:
            return True  # a program file of another name that lay in our own directory
        known = name in self.params["removed_programs"] or (self.settings_dir / f"{name}.json").exists()
        ours: bool = deployed(process, command, known)
        return ours

    @staticmethod
    def _refuse_taken(names: list[str]) -> None:
        if names:
            raise FailedError(
                f"another program file than ours defines {', '.join(names)}, so no program was touched. Give the "
                "filters of those names others, or remove the other program files"
            )

    def _plan(self, live: dict[str, Process], pending: Pending) -> Plan:
        return plan_changes(
            self.declared,
            live,
            pending,
            upstream=self.params["upstream"],
            start_stopped=self.params["start_stopped"],
            must_reload=lambda process: self.health.must_reload(process, self.params["changed_settings"]),
        )

    def _pending(self, files: dict[str, str]) -> Pending:
        """Lets supervisor read its files again, which by itself starts and stops nothing.

        Args:
            files: The command lines of those that it had read before.
        """
        try:
            ((added, changed, removed),) = self.supervisor.reloadConfig()
        except xmlrpc.client.Fault as fault:
            if not self.declared:  # nothing is to be read, and what is to go can go without
                return Pending([], [])
            raise FailedError(
                f"supervisor cannot read its configuration, so no program was touched: {fault.faultString}"
            ) from fault
        files = commands(self.supervisor) if added or changed or removed else files
        self._refuse_taken([name for name in self.declared if name in files and not runs_ours(files[name])])
        return Pending(*([name for name in self.declared if name in names] for names in (added, changed)))

    def _restart(self) -> None:
        """Restarts one program after the other; what others connect to comes first, while they stand still."""
        first = [name for name in self.plan.restarted if name in self.params["upstream"].values()]
        others = [name for name in self.plan.restarted if name not in first]
        waiting = [name for name in others if self.params["upstream"].get(name) in first]
        self._each(waiting, self.supervisor.stopProcess)
        try:
            self._restart_in_turn([*first, *others])
        except (FailedError, OSError, xmlrpc.client.Fault):
            # Those that were not reached go on as what they were; the others run already.
            self._each(waiting, lambda name: self.supervisor.startProcess(name, False))
            raise

    @staticmethod
    def _each(names: list[str], action: Callable[[str], object]) -> list[str]:
        """Does something to each program, and tells those to which supervisor could do it."""
        done = []
        for name in names:
            with contextlib.suppress(xmlrpc.client.Fault):
                action(name)
                done.append(name)
        return done

    def _restart_in_turn(self, names: list[str]) -> None:
        for name in names:
            self._remove(name)
            self.supervisor.addProcessGroup(name)
            self.done.restarted.append(name)
            if name == names[0] and len(names) > 1:
                self._waits().for_first(name)

    def _settled_processes(self) -> list[Process]:
        """All live programs, once none with a name like ours is in the middle of stopping."""
        deadline = time.monotonic() + 20
        while True:
            everything: list[Process] = self.supervisor.getAllProcessInfo()
            live = named(everything, self.named_like_ours).values()
            if time.monotonic() > deadline or all(each["statename"] != "STOPPING" for each in live):
                return everything
            time.sleep(0.25)

    def _remove(self, name: str) -> None:
        self.supervisor.stopProcessGroup(name)
        self.supervisor.removeProcessGroup(name)


if __name__ == "__main__":
    main()
