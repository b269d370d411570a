"""Prints one table of what all hosts told; a host that could not be asked is a row too."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

Row = tuple[object, ...]


class ActionModule(ActionBase):  # type: ignore[misc]
    """Takes `answers`, the name of the variable in which each host has registered what it told."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Runs the task."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        checkout = Path(__file__).resolve().parents[3]
        if (checkout / "sfm_stream" / "__init__.py").is_file():
            sys.path.insert(0, str(checkout))
            for name in [each for each in sys.modules if each.partition(".")[0] == "sfm_stream"]:
                del sys.modules[name]  # another copy, see sfm_preflight
        try:
            from sfm_stream.report import lines
            from sfm_stream.table import render
        except ImportError as error:
            raise AnsibleActionFail(f"Ansible's Python ({sys.executable}) cannot show the table: {error}") from error
        hostvars = variables["hostvars"]
        hosts = variables["ansible_play_hosts_all"]
        name = self._task.args["answers"]
        rows = [row for host in hosts for row in host_rows(host, hostvars[host].get(name, {}))]
        Display().display(render(("HOST", *lines.COLUMNS), rows, right=lines.RIGHT))
        result["rows"] = len(rows)
        return result


def host_rows(host: str, answer: Any) -> list[Row]:  # noqa: ANN401 - whatever the host has registered
    """The rows of one host: its streams, and what is to be said of the host itself.

    What cannot be shown costs its own host's rows, and no other host its own.
    """
    import msgspec

    try:
        return list(_rows(host, answer))
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, msgspec.MsgspecError) as error:
        return [_note(host, "failed", f"what it told cannot be shown: {error}")]


def _rows(host: str, answer: Any) -> Iterator[Row]:  # noqa: ANN401
    import msgspec

    from sfm_stream.report import lines
    from sfm_stream.report.view import Overview

    if answer.get("unreachable") or "view" not in answer:
        said = str(answer.get("msg") or "it did not answer").removeprefix("Task failed: ").strip() or "failed"
        yield _note(host, "unreachable" if answer.get("unreachable") else "failed", said.splitlines()[0])
        return
    if answer["problem"]:
        yield _note(host, "unknown", answer["problem"])
        return
    view = msgspec.convert(answer["view"], Overview)
    for stream in view.streams:
        yield (host, *lines.row(stream, view))
    for name, said in lines.host(view.host, view.time):
        yield _note(host, "", said, program=name)


def _note(host: str, state: str, note: str, *, program: str | None = None) -> Row:
    from sfm_stream.report import lines

    cells: dict[str, object] = dict.fromkeys(lines.COLUMNS)
    cells |= {"PROGRAM": program, "STATE": state or None, "NOTE": note}
    return (host, *cells.values())
