#!/usr/bin/python
"""Ansible module: makes supervisor's live programs those that the program files declare."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import time
import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.sfm_supervisord import Process, UnreachableError, connect, processes

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
  - Sends SIGHUP to programs that run with older settings than their settings file has, or whose rules X does not hold.
  - Waits until all are up for good, and fails with the state and the last log lines of those that are not.
  - Waits until X holds the rules of each, and fails with X's own words where it does not. A program that waits for its
    budget or for room on the disk is only named.
options:
  declared:
    description: The programs that shall run, in the order of their start, each with the digest of what it reads.
    type: dict
    required: true
  release:
    description:
      - The installed release. Together, C(<digest>-<release>), they are the variable C(SFM_DIGEST) in the environment
        of a program's process.
    type: str
    required: true
  pattern:
    description: A regular expression that matches the names of all programs of ours, declared or not.
    type: str
    required: true
  config:
    description: supervisord's configuration file.
    type: path
    default: /etc/supervisor/supervisord.conf
  settings_dir:
    description: Where the settings of the programs lie, C(<program>.json). Who has none writes no status file either.
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
added:
  description: Programs that supervisor did not have.
  returned: always
  type: list
  elements: str
restarted:
  description: Programs whose files had changed.
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
applied:
  description: Whether supervisor has taken up all program files, so that nothing runs any more that is not declared.
  returned: always
  type: bool
"""

LASTING = ("connected", "waiting", "budget", "disk")
"""States of a stream in which X has accepted it, or does not have to yet."""
SETTLED_SECONDS = 6
"""A program that must stop for good (a refused credential, say) does so when it is 3 s old: see sfm_stream.errors."""
TRYING_SECONDS = 15
"""A program that supervisor starts again and again for so long does not come up by itself."""
HELD = ("budget", "disk")
"""States in which a stream asks nothing of X."""
LOG_LINES = 8
LOG_BYTES = 8192


class Program(NamedTuple):
    """A program that shall run."""

    digest: str
    settings: Path


class Pending(NamedTuple):
    """How the program files differ from what supervisor has: names of our programs."""

    added: list[str]
    changed: list[str]
    removed: list[str]


class Plan(NamedTuple):
    """What is to be done; names, in this order. `respected` is left alone."""

    removed: list[str]
    restarted: list[str]
    added: list[str]
    started: list[str]
    reloaded: list[str]
    respected: list[str]


class FailedError(Exception):
    """The programs are not, or cannot be made, what was declared."""


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
            "changed_settings": {"type": "list", "elements": "str", "default": []},
            "start_stopped": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    deployment = Deployment(module.params)
    try:
        if module.check_mode:
            deployment.predict()
        else:
            deployment.apply()
            deployment.verify()
            deployment.await_rules()
    except (FailedError, UnreachableError, OSError, xmlrpc.client.Fault) as error:
        module.fail_json(msg=str(error), **deployment.result())
    for name in deployment.held:
        module.warn(f"{name}: waits, and has X take its rules when it goes on; see sfm-stream status")
    for name in deployment.plan.respected:
        module.warn(f"{name}: was stopped by hand and stays so; to start it: supervisorctl start {name}")
    module.exit_json(**deployment.result())


class Deployment:
    """Brings the live programs of one host to what was declared."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.params = params
        release, settings_dir = params["release"], Path(params["settings_dir"])
        self.declared = {
            name: Program(f"{digest}-{release}", settings_dir / f"{name}.json")
            for name, digest in params["declared"].items()
        }
        self.status_dir = Path(params["status_dir"])
        self.plan = Plan([], [], [], [], [], [])
        self.applied = False
        self.held: list[str] = []
        self.supervisor: Any = None

    def ours(self, name: str) -> bool:
        """Whether a program belongs to this deployment, declared or not."""
        return re.fullmatch(self.params["pattern"], name) is not None

    def result(self) -> dict[str, Any]:
        """What was done, as the module returns it."""
        plan = self.plan._asdict()
        changed = any(names for action, names in plan.items() if action != "respected")
        return {"changed": changed, "applied": self.applied, **plan}

    def predict(self) -> None:
        """Check mode: the program files of this deployment may not be there yet, nor may supervisor."""
        try:
            live = processes(connect(Path(self.params["config"]), seconds=0), self.ours)
        except UnreachableError:
            live = {}
        written = {name for name in self.params["changed_programs"] if name in self.declared}
        stale = {name for name in live.keys() & self.declared.keys() if not self._runs_as_declared(live[name])}
        pending = Pending(
            added=[name for name in self.declared if name not in live],
            changed=[name for name in self.declared if name in live and name in written | stale],
            removed=[name for name in live if name not in self.declared],
        )
        self.plan = self._plan(live, pending)
        self.applied = True

    def apply(self) -> None:
        """Makes the live programs what the files say."""
        self.supervisor = connect(Path(self.params["config"]))
        live = self._settled_processes()
        self.plan = self._plan(live, self._pending())
        for name in self.plan.removed:
            self._remove(name)
        for name in self.plan.restarted:
            self._remove(name)
            self._add(name)
            if name == self.plan.restarted[0] and len(self.plan.restarted) > 1:
                self._try_out(name)
        for name in self.plan.added:
            self._add(name)
        self.applied = True
        for name in self.plan.started:
            # supervisor waits ever longer between its tries; a new start does not.
            with contextlib.suppress(xmlrpc.client.Fault):
                self.supervisor.stopProcess(name)
            with contextlib.suppress(xmlrpc.client.Fault):
                self.supervisor.startProcess(name, False)
        for name in self.plan.reloaded:
            with contextlib.suppress(xmlrpc.client.Fault):
                self.supervisor.signalProcess(name, "HUP")

    def verify(self) -> None:
        """Waits until exactly the declared programs run.

        Raises:
            FailedError: Some do not, or others do; the message has a paragraph for each.
        """
        begun = len(self.plan.added) + len(self.plan.restarted) + len(self.plan.started)
        start = time.monotonic()
        deadline = start + self.params["timeout"] + begun
        while True:
            live = processes(self.supervisor, self.ours)
            verdicts = {name: self._verdict(name, live.get(name)) for name in self.declared}
            waiting = [name for name, verdict in verdicts.items() if verdict is None]
            backing_off = all(live[name]["statename"] == "BACKOFF" for name in waiting if name in live)
            patience = min(deadline, start + TRYING_SECONDS + begun) if backing_off else deadline
            if not waiting or time.monotonic() > patience:
                break
            time.sleep(0.5)
        bad = [self._report(name, live.get(name), verdicts[name]) for name in self.declared if verdicts[name] != ""]
        bad += [
            f"{name}: is {live[name]['statename']}, but nothing declares it; is it in a program file of somebody else?"
            for name in live
            if name not in self.declared
        ]
        if bad:
            many = f"{len(bad)} programs are" if len(bad) > 1 else "1 program is"
            raise FailedError(f"{many} not as declared:\n" + "\n".join(bad))

    def await_rules(self) -> None:
        """Waits until the programs run with their settings, and X holds the rules of these.

        Raises:
            FailedError: It does not; the message has X's own words.
        """
        deadline = time.monotonic() + self.params["timeout"]
        while True:
            live = processes(self.supervisor, self.ours)
            running = [name for name in self.declared if name in live and live[name]["statename"] == "RUNNING"]
            faults = {name: fault for name in running if (fault := self._rules_fault(live[name]))}
            if not faults or time.monotonic() > deadline:
                break
            time.sleep(0.25)
        self.held = [name for name in faults if self._status(live[name]).get("state") in HELD]
        bad = [f"{name}: {fault}" for name, fault in faults.items() if name not in self.held]
        if bad:
            many = f"{len(bad)} programs are" if len(bad) > 1 else "1 program is"
            raise FailedError(f"{many} running, but not with the declared rules in force:\n" + "\n".join(bad))

    def _rules_fault(self, process: Process) -> str:
        """What is wrong with the rules of a running program, by what it says itself; empty where nothing is."""
        try:
            settings = json.loads(self.declared[process["name"]].settings.read_bytes())
        except (OSError, ValueError):
            return ""
        status = self._status(process)
        if self._has_old_settings(process):
            return "it does not say that it runs with its new settings; see its log"
        if settings.get("kind") != "filterstream":
            return ""
        wanted, live = status.get("rules_wanted"), status.get("rules_live")
        if wanted and wanted == live:
            return ""
        missing = status.get("rules_missing")
        what = f"X does not hold its rules ({missing} missing)" if live else "its rules at X have not been seen"
        why = status.get("rules_fault") or status.get("detail") or ""
        return "\n  ".join([f"{what}:", *str(why).splitlines()]) if why else what

    def _plan(self, live: dict[str, Process], pending: Pending) -> Plan:
        touched = {*pending.added, *pending.changed, *pending.removed}
        others = [live[name] for name in self.declared if name in live and name not in touched]
        respected = [] if self.params["start_stopped"] else [p["name"] for p in others if stopped_by_hand(p)]
        started = [
            p["name"]
            for p in others
            if p["name"] not in respected and p["statename"] in ("STOPPED", "EXITED", "FATAL", "BACKOFF", "UNKNOWN")
        ]
        reloaded = [p["name"] for p in others if p["statename"] == "RUNNING" and self._must_reload(p)]
        return Plan(pending.removed, pending.changed, pending.added, started, reloaded, respected)

    def _pending(self) -> Pending:
        """Lets supervisor read its files again, which by itself starts and stops nothing."""
        try:
            ((added, changed, removed),) = self.supervisor.reloadConfig()
        except xmlrpc.client.Fault as fault:
            raise FailedError(
                f"supervisor cannot read its configuration, so no program was touched: {fault.faultString}"
            ) from fault
        ours = [[name for name in names if self.ours(name)] for names in (added, changed, removed)]
        order = {name: place for place, name in enumerate(self.declared)}
        return Pending(*(sorted(names, key=lambda name: order.get(name, -1)) for names in ours))

    def _settled_processes(self) -> dict[str, Process]:
        """The live programs of ours, once none of them is in the middle of stopping."""
        deadline = time.monotonic() + 20
        while True:
            live: dict[str, Process] = processes(self.supervisor, self.ours)
            if time.monotonic() > deadline or all(each["statename"] != "STOPPING" for each in live.values()):
                return live
            time.sleep(0.25)

    def _remove(self, name: str) -> None:
        self.supervisor.stopProcessGroup(name)
        self.supervisor.removeProcessGroup(name)

    def _add(self, name: str) -> None:
        self.supervisor.addProcessGroup(name)

    def _try_out(self, name: str) -> None:
        """The first of several that restart goes ahead: if it cannot even start, the others run on as they are.

        Raises:
            FailedError: It failed at once, by nothing that its own settings would explain.
        """
        deadline = time.monotonic() + self.params["timeout"]
        while time.monotonic() < deadline:
            process = processes(self.supervisor, self.ours).get(name)
            state = process["statename"] if process else "absent"
            if state in ("RUNNING", "EXITED"):
                return
            if state in ("BACKOFF", "FATAL"):
                raise FailedError(
                    "the first program to restart does not come up, so the others were left running as they are:\n"
                    + self._report(name, process, None)
                )
            time.sleep(0.25)

    def _verdict(self, name: str, process: Process | None) -> str | None:
        """Empty if a program is as it shall be, a word on what is wrong, or None while it may still change."""
        if process is None:
            return "supervisor does not have it"
        if name in self.plan.respected:
            return ""
        state: str = process["statename"]
        if state in ("STARTING", "BACKOFF", "STOPPING") or (state == "STOPPED" and not process["start"]):
            return None
        if state != "RUNNING":
            return state
        program = self.declared[name]
        age = process["now"] - process["start"]
        if age < SETTLED_SECONDS and program.settings.exists():
            status = self._status(process)
            if status.get("state") not in LASTING:
                return None
        if not self._runs_as_declared(process):
            return "it runs from another program file than ours; does one of the same name lie elsewhere?"
        return ""

    def _runs_as_declared(self, process: Process) -> bool:
        """Whether a live process got the digest that was declared; True where that cannot be told."""
        digest = self.declared[process["name"]].digest
        try:
            environment = Path(f"/proc/{process['pid']}/environ").read_bytes().split(b"\0")
        except OSError:
            return True
        return process["pid"] == 0 or f"SFM_DIGEST={digest}".encode() in environment

    def _must_reload(self, process: Process) -> bool:
        """Whether it is to read its settings: others than it runs with, or such that X has not taken yet."""
        if process["name"] in self.params["changed_settings"] or self._has_old_settings(process):
            return True
        status = self._status(process)
        return bool(status) and status.get("state") not in HELD and self._rules_fault(process) != ""

    def _has_old_settings(self, process: Process) -> bool:
        """Whether the live process says that it runs with other settings than its file has."""
        settings = self.declared[process["name"]].settings
        status = self._status(process)
        try:
            wanted = hashlib.sha256(settings.read_bytes()).hexdigest()
        except OSError:
            return False
        return bool(status.get("settings")) and status["settings"] != wanted

    def _status(self, process: Process) -> dict[str, Any]:
        """The status file of a live process; empty if there is none, or one of an earlier process."""
        try:
            status = json.loads((self.status_dir / f"{process['name']}.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return status if isinstance(status, dict) and status.get("pid") == process["pid"] else {}

    def _report(self, name: str, process: Process | None, verdict: str | None) -> str:
        if process is None:
            return f"{name}: {verdict}"
        what = verdict or f"still {process['statename']}"
        if process["statename"] in ("EXITED", "FATAL", "BACKOFF"):
            what += f", exit code {process['exitstatus']}" if process["exitstatus"] else ""
            what += f", {process['spawnerr']}" if process["spawnerr"] else ""
        return "\n".join([f"{name}: {what}", *self._log_tail(name)])

    def _log_tail(self, name: str) -> Iterator[str]:
        for kind in ("err", "out"):
            path = Path(self.params["log_dir"]) / f"{name}.{kind}.log"
            try:
                with path.open("rb") as file:
                    file.seek(max(0, path.stat().st_size - LOG_BYTES))
                    lines = file.read().decode(errors="replace").splitlines()
            except OSError:
                continue
            if lines:
                yield f"  the end of {path}:"
                yield from (f"    {line}" for line in lines[-LOG_LINES:])


def stopped_by_hand(process: Process) -> bool:
    """Whether someone stopped it: one that supervisor has not started yet is STOPPED as well, but never ran."""
    return bool(process["statename"] == "STOPPED" and process["start"])


if __name__ == "__main__":
    main()
