"""`sfm-stream history`: what a stream had been asked for, and when that changed."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path, PurePath

import click

from sfm_stream.places import config_dir_option, program_named, reach_state, state_dir_option
from sfm_stream.table import json_option, json_text, moment, render
from sfm_stream.usage import examples


@click.command(
    epilog=examples(
        "sfm-stream history storms",
        "sfm-stream history --file twitterfilter-storms-2026-11-24T20-15-00Z.jsonl.gz",
    )
)
@click.argument("name", required=False)
@click.option("--file", "capture_file", help="Only the settings that held while this capture file was made.")
@config_dir_option
@state_dir_option
@json_option
def history(
    name: str | None, capture_file: str | None, config_dir: Path, state_dir: Path | None, as_json: bool
) -> None:
    """Show each version of the settings of NAME (a filter or a program), and what changed from one to the next.

    SINCE is when it was asked for, IN FORCE when X was first seen to hold its rules. With --file in place of NAME:
    the settings that held, or were asked for, while that file was made.
    """
    from sfm_stream.errors import FindingsError, UsageError
    from sfm_stream.record.history import Change, Version, changes, during, versions

    if (name is None) == (capture_file is None):
        raise click.UsageError("Give the NAME of a filter or program, or a capture file with --file.")
    state = reach_state(state_dir, config_dir)
    if capture_file is not None:
        program, start, end = _span(state, capture_file)
        known = versions(state, program)
        shown = during(known, start, end)
        if not shown:
            raise UsageError(f"no settings of {program} are recorded for {start:%Y-%m-%d %H:%M:%S} or before")
    else:
        assert name is not None  # noqa: S101 - for the type checker
        program = program_named(name, state / "history")
        shown = known = versions(state, program)
    skipped = f"{program}: {known.skipped} unreadable versions skipped" if known.skipped else ""

    steps: list[tuple[Version, list[Change]]] = []
    before: dict[str, object] = {}
    for version in shown:
        steps.append((version, changes(before, version.settings)))
        before = version.settings
    if as_json:
        click.echo(
            json_text(
                [
                    {
                        "program": program,
                        "time": version.time,
                        "in_force": version.in_force,
                        "sha256": version.sha256,
                        "settings": version.settings,
                        "changes": differences,
                    }
                    for version, differences in steps
                ]
            )
        )
        if skipped:
            raise FindingsError("")
        return
    click.echo(f"{program}: {len(shown)} version{'s' * (len(shown) != 1)}")
    rows: list[tuple[str, ...]] = []
    for version, differences in steps:
        head = (moment(version.time), moment(version.in_force), version.sha256[:12])
        cells = [(change.key, str(change)) for change in differences] or [("-", "the same, written differently")]
        rows.extend((*(head if not index else ("", "", "")), *cell) for index, cell in enumerate(cells))
    click.echo(render(("SINCE (UTC)", "IN FORCE (UTC)", "SETTINGS", "KEY", "CHANGE"), rows))
    if skipped:
        raise FindingsError(skipped)


def _span(state_dir: Path, capture_file: str) -> tuple[str, datetime, datetime]:
    """The program of a file, and from when to when it was written."""
    from sfm_stream import names
    from sfm_stream.archive.recorded import look_up
    from sfm_stream.errors import UsageError
    from sfm_stream.record.history import during, versions

    file = PurePath(capture_file).name.removesuffix(names.PART)
    capture = names.parse(file)
    if capture is None:
        raise UsageError(
            f"{capture_file}: not the name of a capture file, such as streamsample-2026-11-24T20-15-00Z{names.SUFFIX}"
        )
    if known := look_up(state_dir, capture.program, {file}).get(file):
        return capture.program, capture.time, known.time
    held = during(versions(state_dir, capture.program), capture.time, capture.time)
    interval = held[0].settings.get("save_interval") if held else None
    seconds = interval if isinstance(interval, int | float) and 0 < interval < 1e7 else 900
    return capture.program, capture.time, capture.time + timedelta(seconds=seconds)
