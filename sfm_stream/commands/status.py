"""The command `status`: what every stream of this host is doing."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from sfm_stream import clock, table
from sfm_stream.places import config_dir_option, reach_state, state_dir_option

if TYPE_CHECKING:
    from sfm_stream.record.status import Status
    from sfm_stream.settings.config import Unusable
    from sfm_stream.settings.model import StreamSettings

_COLUMNS = ("PROGRAM", "STATE", "SINCE (UTC)", "LAST POST (UTC)", "TODAY", "MONTH", "COST", "FREE", "NOTE")


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of this host.

    Attributes:
        program: Its name.
        active: Whether the settings declare a running program; true where they cannot be read.
        state: As in its live status; ``dead`` where no process lives, ``inactive`` where none should, ``unreadable``
            where its settings or its live status cannot be read.
        well: Whether that is as it should be.
        note: What a person should know.
        live: The last live status; None where it never ran, or where it cannot be read.
    """

    program: str
    active: bool
    state: str
    well: bool
    note: str
    live: Status | None


@click.command()
@table.json_option
@config_dir_option
@state_dir_option
def status(as_json: bool, config_dir: Path, state_dir: Path | None) -> None:
    """Show what every stream of this host is doing. Exits with 3 where one is not well."""
    from sfm_stream.errors import FindingsError
    from sfm_stream.record import status as _  # noqa: F401 - for `_report`, while it can be read
    from sfm_stream.settings.config import list_streams

    streams = list(list_streams(config_dir))  # before root becomes the state's owner, who may not read them
    state = reach_state(state_dir, config_dir) if streams else Path()
    reports = [_report(stream, state) for stream in streams]
    if as_json:
        click.echo(table.json_text(reports))
    elif not reports:
        click.echo(f"No streams in {config_dir}.")
    else:
        click.echo(table.render(_COLUMNS, map(_row, reports), right=("TODAY", "MONTH", "COST", "FREE")))
    failing = [each.program for each in reports if not each.well]
    if failing:
        raise FindingsError("" if as_json else f"not well: {', '.join(failing)}")


def _report(stream: StreamSettings | Unusable, state_dir: Path) -> Report:
    """Looks at one stream; whatever is wrong with its files is a row of its own."""
    from sfm_stream.reading import UnreadableError
    from sfm_stream.record.status import is_alive, read
    from sfm_stream.settings.config import Unusable

    alive = is_alive(state_dir, stream.program)
    fault, live = "", None
    try:
        live = read(state_dir, stream.program)
    except UnreadableError as error:
        fault = str(error)
    if isinstance(stream, Unusable):
        note = f"its settings cannot be used: {stream.fault.splitlines()[0]}"
        return Report(program=stream.program, active=True, state="unreadable", well=False, note=note, live=live)
    return report(stream, live, clock.now(), alive=alive, fault=fault)


def report(stream: StreamSettings, live: Status | None, now: datetime, *, alive: bool, fault: str = "") -> Report:
    """Judges one stream by its settings and its last live status; `fault` says why that could not be read."""
    state, note, well = _judged(stream, live, now, alive=alive, fault=fault)
    note = "; ".join(filter(None, (note, _said(live, now))))
    if live is not None and live.notes and stream.active:
        note, well = "; ".join(filter(None, (note, *live.notes))), False
    return Report(program=stream.program, active=stream.active, state=state, well=well, note=note, live=live)


def _judged(
    stream: StreamSettings, live: Status | None, now: datetime, *, alive: bool, fault: str
) -> tuple[str, str, bool]:
    from sfm_stream.sources.registry import source

    if not stream.active:
        return ("inactive", "", True) if not alive else ("running", "it should not run: deploy again", False)
    if fault:
        return "unreadable", f"{'it runs' if alive else 'it does not run'}; {fault}", False
    if live is None:
        return ("starting", "", False) if alive else ("dead", "it has never run", False)
    if not alive:
        if live.state == "stopped":
            return "stopped", live.detail, False
        return "dead", "its process was killed, or the machine went down", False
    if live.state == "connected":
        silence = (now - live.last_byte).total_seconds() if live.last_byte else 0.0
        if silence > source(stream.source).silence:
            return "silent", f"nothing has come for {table.duration(silence)}", False
        if fault := source(stream.source).in_force_fault(stream, live, now):
            return "connected", fault, False
        return "connected", live.detail or live.account, True
    return live.state, live.detail, False


def _said(live: Status | None, now: datetime) -> str:
    """What came today beside the posts; ``gaps`` shows all of it."""
    if live is None or live.last_message_at is None or live.last_message_at.date() != now.date():
        return ""
    return f"{live.messages_today} lines today that are no posts, the last: {live.last_message}"


def _row(each: Report) -> tuple[object, ...]:
    live = each.live
    if live is None:
        return (each.program, each.state, None, None, None, None, None, None, each.note)
    limit = f" of {live.per_month}" if live.per_month else ""
    return (
        each.program,
        each.state,
        table.moment(live.since),
        table.moment(live.last_post),
        live.posts_today if live.last_post and live.last_post.date() == clock.now().date() else 0,
        f"{live.this_month}{limit}",
        f"${live.dollars:,.2f}",
        table.size(live.free),
        each.note,
    )
