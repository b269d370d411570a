"""How a live program does, by supervisor, by its own status file and by its log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible.module_utils.sfm_owned import read_owned
from ansible.module_utils.sfm_supervisord import Process

LASTING = ("connected", "waiting", "credential", "credits", "spend cap", "usage cap", "budget", "disk")
"""States of a stream in which X has accepted it, or does not have to yet."""
SETTLED_SECONDS = 6
"""A program that must stop for good (a refused credential, say) does so when it is 3 s old: see sfm_stream.errors."""
HELD = ("budget", "disk", "credits", "spend cap", "usage cap")
"""States in which a stream asks nothing of X, or X grants nothing until somebody has paid: no fault of the rules."""
LOG_LINES = 8
LOG_BYTES = 8192


class Program(NamedTuple):
    """A program that should run.

    Attributes:
        digest: The variable ``SFM_DIGEST`` in its environment.
        settings: Its settings file.
    """

    digest: str
    settings: Path


class Health:
    """What is known of the programs that should run.

    Args:
        declared: These, by name.
        status_dir: Where they write their status files.
        log_dir: Where their logs lie.
    """

    def __init__(self, declared: Mapping[str, Program], status_dir: Path, log_dir: Path) -> None:
        self.declared = declared
        self.status_dir = status_dir
        self.log_dir = log_dir

    def rules_fault(self, process: Process) -> str:
        """What is wrong with the rules of a running program, by what it says itself; empty where nothing is."""
        try:
            settings = json.loads(self.declared[process["name"]].settings.read_bytes())
        except (OSError, ValueError):
            return ""
        status = self.status(process)
        if self.has_old_settings(process):
            return "it does not say that it runs with its new settings; see its log"
        if settings.get("kind") != "filterstream":
            return ""  # X's filters alone have rules at their source
        wanted, live = status.get("rules_wanted"), status.get("rules_live")
        if wanted and wanted == live:
            return ""
        missing = status.get("rules_missing")
        what = f"X does not hold its rules ({missing} missing)" if live else "its rules at X have not been seen"
        why = status.get("rules_fault") or status.get("detail") or ""
        return "\n  ".join([f"{what}:", *str(why).splitlines()]) if why else what

    def verdict(self, name: str, process: Process | None) -> str | None:
        """Empty if a program is as it should be, a word on what is wrong, or None while it may still change."""
        if process is None:
            return "supervisor does not have it"
        state: str = process["statename"]
        if state in ("STARTING", "BACKOFF", "STOPPING") or (state == "STOPPED" and not process["start"]):
            return None
        if state != "RUNNING":
            return state
        program = self.declared[name]
        age = process["now"] - process["start"]
        if age < SETTLED_SECONDS and program.settings.exists():
            status = self.status(process)
            if status.get("state") not in LASTING:
                return None
        if not self.runs_as_declared(process):
            return "it runs from another program file than ours; does one of the same name lie elsewhere?"
        return ""

    def runs_as_declared(self, process: Process) -> bool:
        """Whether a live process got the digest that was declared; True where that cannot be told."""
        digest = self.declared[process["name"]].digest
        try:
            environment = Path(f"/proc/{process['pid']}/environ").read_bytes().split(b"\0")
        except OSError:
            return True
        return process["pid"] == 0 or f"SFM_DIGEST={digest}".encode() in environment

    def must_reload(self, process: Process, changed: Collection[str]) -> bool:
        """Whether it is to read its settings: others than it runs with, or such that X has not taken yet.

        Args:
            process: The live process.
            changed: Programs whose settings files have changed; in check mode they have not yet been written.
        """
        if process["name"] in changed or self.has_old_settings(process):
            return True
        status = self.status(process)
        return bool(status) and status.get("state") not in HELD and self.rules_fault(process) != ""

    def has_old_settings(self, process: Process) -> bool:
        """Whether the live process says that it runs with other settings than its file has."""
        settings = self.declared[process["name"]].settings
        status = self.status(process)
        try:
            wanted = hashlib.sha256(settings.read_bytes()).hexdigest()
        except OSError:
            return False
        return bool(status.get("settings")) and status["settings"] != wanted

    def status(self, process: Process) -> dict[str, Any]:
        """The status file of a live process; empty if there is none, or one of an earlier process."""
        try:
            status = read_owned(self.status_dir.parent, self.status_dir.name, f"{process['name']}.json")
        except (OSError, ValueError):
            return {}
        return status if status.get("pid") == process["pid"] else {}

    def report(self, name: str, process: Process | None, verdict: str | None) -> str:
        """What a person needs to know of a program that is not as it should be, with the end of its logs."""
        if process is None:
            return f"{name}: {verdict}"
        what = verdict or f"still {process['statename']}"
        if process["statename"] in ("EXITED", "FATAL", "BACKOFF"):
            what += f", exit code {process['exitstatus']}" if process["exitstatus"] else ""
            what += f", {process['spawnerr']}" if process["spawnerr"] else ""
        return "\n".join([f"{name}: {what}", *self._log_tail(name)])

    def _log_tail(self, name: str) -> Iterator[str]:
        for kind in ("err", "out"):
            path = self.log_dir / f"{name}.{kind}.log"
            try:
                with path.open("rb") as file:
                    file.seek(max(0, path.stat().st_size - LOG_BYTES))
                    lines = file.read().decode(errors="replace").splitlines()
            except OSError:
                continue
            if lines:
                yield f"  the end of {path}:"
                yield from (f"    {line}" for line in lines[-LOG_LINES:])
