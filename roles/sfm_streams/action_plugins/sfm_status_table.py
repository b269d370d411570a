"""Prints one table of what all hosts told; a host that could not be asked is a row too."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

COLUMNS = (
    *("HOST", "PROGRAM", "SUPERVISOR", "STREAM", "CONNECTED (UTC)", "LAST POST (UTC)", "TODAY", "24 H", "MONTH"),
    *("COST", "FREE", "NOTE"),
)
_RIGHT = ("TODAY", "24 H", "MONTH", "COST", "FREE")
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
            from sfm_stream.table import render
        except ImportError as error:
            raise AnsibleActionFail(f"Ansible's Python ({sys.executable}) cannot show the table: {error}") from error
        hostvars = variables["hostvars"]
        hosts = variables["ansible_play_hosts_all"]
        name = self._task.args["answers"]
        rows = [row for host in hosts for row in _host(host, hostvars[host].get(name, {}))]
        Display().display(render(COLUMNS, rows, right=_RIGHT))
        result["rows"] = len(rows)
        return result


def _host(host: str, answer: Any) -> list[Row]:  # noqa: ANN401 - whatever the host has registered
    try:
        return list(_rows(host, answer))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        return [_row(host, note=f"failed: what it told cannot be shown: {error!r}")]


def _rows(host: str, answer: Mapping[str, Any]) -> Iterator[Row]:
    """The rows of one host: its streams, what supervisor has besides, the scheduled jobs, what could not be asked.

    What cannot be shown costs its own row, and no other host its table.
    """
    if answer.get("unreachable") or "streams" not in answer:
        said = str(answer.get("msg") or "it did not answer").removeprefix("Task failed: ").strip() or "failed"
        kind = "unreachable" if answer.get("unreachable") else "failed"
        yield _row(host, note=f"{kind}: {said.splitlines()[0]}")
        return
    programs = dict(answer["programs"])
    for each in answer["streams"]:
        name = _name(each)
        covered = answer["coverage"].get(name)
        yield _shown(host, name, partial(_stream, host, each, programs.pop(name, None), covered))
    for name, state in programs.items():
        yield _row(host, program=name, supervisor=state)
    for name, outcome in answer["jobs"].items():
        yield _shown(host, name, partial(_job, host, name, outcome))
    for problem in answer["problems"]:
        yield _row(host, note=problem)


def _name(report: object) -> str:
    return str(report.get("program")) if isinstance(report, Mapping) else "unknown"


def _shown(host: str, name: str, make: Callable[[], Row]) -> Row:
    try:
        return make()
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        return _row(host, program=name, stream="unreadable", note=f"what it told cannot be shown: {error!r}")


def _job(host: str, name: str, outcome: Mapping[str, Any]) -> Row:
    from sfm_stream.table import moment

    verdict = {0: "well", 3: "look at it"}.get(outcome["exit_code"], f"failed ({outcome['exit_code']})")
    note = f"last run {moment(_time(outcome['time']))}"
    return _row(host, program=name, stream=verdict, note=f"{note}: {outcome['error']}" if outcome["error"] else note)


def _stream(host: str, report: Mapping[str, Any], supervisor: str | None, covered: float | None) -> Row:
    from sfm_stream.table import moment, size

    live = report["live"] or {}
    last = _time(live.get("last_post"))
    today = last is not None and last.date() == datetime.now(UTC).date()
    limit = f" of {live['per_month']}" if live.get("per_month") else ""
    return _row(
        host,
        program=report["program"],
        supervisor=supervisor,
        stream=report["state"],
        connected=moment(_time(live.get("connected_since"))),
        last=moment(last),
        today=(live["posts_today"] if today else 0) if live else None,
        covered=f"{covered:.2%}" if covered is not None else None,
        month=f"{live.get('this_month', 0)}{limit}" if live else None,
        cost=f"${live.get('dollars', 0):,.2f}" if live else None,
        free=size(live["free"]) if live.get("free") else None,
        note=report["note"],
    )


def _row(
    host: str,
    *,
    program: str | None = None,
    supervisor: str | None = None,
    stream: str | None = None,
    connected: str | None = None,
    last: str | None = None,
    today: int | None = None,
    covered: str | None = None,
    month: str | None = None,
    cost: str | None = None,
    free: str | None = None,
    note: str = "",
) -> Row:
    return (host, program, supervisor, stream, connected, last, today, covered, month, cost, free, note)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
