"""The command `check`: for Icinga, Nagios, Checkmk and whatever else calls monitoring plugins."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sfm_stream.places import config_dir_option, state_dir_option
from sfm_stream.usage import examples


@click.command(
    epilog=examples(
        "sfm-stream check",
        "sfm-stream check storms --gap 600",
        "sfm-stream check --disk-days 14 --budget 90",
    )
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--gap", type=click.FloatRange(min=0, min_open=True), help="Seconds without a connection: CRITICAL.")
@click.option("--disk-days", type=click.FloatRange(min=0), help="Days until a disk is full: WARNING.")
@click.option("--budget", type=click.FloatRange(0, 100, min_open=True), help="Percent of a budget: WARNING.")
@config_dir_option
@state_dir_option
def check(
    names: tuple[str, ...],
    gap: float | None,
    disk_days: float | None,
    budget: float | None,
    config_dir: Path,
    state_dir: Path | None,
) -> None:
    """Answer as a monitoring plugin: one line, with 0 OK, 1 WARNING, 2 CRITICAL or 3 UNKNOWN as exit code.

    NAME is a filter or a program; without one, all streams are checked, and the host. Thresholds that are not given are
    those of the inventory. Run it as root, who alone may ask supervisord on every host.
    """
    from msgspec.structs import replace

    from sfm_stream.errors import SfmError
    from sfm_stream.report.choice import chosen
    from sfm_stream.report.judge import judge
    from sfm_stream.report.look import look
    from sfm_stream.report.plugin import CODES, line
    from sfm_stream.report.view import Severity

    try:
        facts, limits = look(config_dir, state_dir)
        limits = replace(
            limits,
            gap=gap or limits.gap,
            disk_days=limits.disk_days if disk_days is None else disk_days,
            budget=budget / 100 if budget else limits.budget,
        )
        view = judge(facts, limits)
        code, text = line(view.host, chosen(view, names), whole=not names)
    except (SfmError, OSError) as error:
        code, text = CODES[Severity.UNKNOWN], f"SFM UNKNOWN: {' '.join(str(error).split())}".replace("|", "/")
    click.echo(text)
    sys.exit(code)
