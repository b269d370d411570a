"""``script/bench``: runs subjects, prints their tables, and holds their ratios against the bands."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from benchmarks import subjects
from benchmarks.lib import bands, machine
from benchmarks.lib.process import CompetitorError
from benchmarks.lib.result import Plan, Result, Table

ROUNDS, BOUNDED_ROUNDS = 5, 3


def _list(context: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        for name in subjects.names():
            click.echo(f"{name:12} {(subjects.load(name).__doc__ or '').splitlines()[0]}")
        context.exit()


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--bounded", is_flag=True, help="A short form of each; a ratio that leaves its band is an error.")
@click.option("--rounds", type=click.IntRange(1), help=f"How often each competitor runs.  [default: {ROUNDS}]")
@click.option("--folder", type=click.Path(path_type=Path, exists=True), help="Where to work, in place of /tmp.")
@click.option("--peers", type=click.Path(path_type=Path, exists=True), required=True, hidden=True)
@click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="The subjects.")
def main(names: tuple[str, ...], bounded: bool, rounds: int | None, folder: Path | None, peers: Path) -> None:
    """Measure what sfm-stream costs, beside others in one run."""
    for name in names:
        if name not in subjects.names():
            raise click.UsageError(f"unknown subject '{name}'; there are {', '.join(subjects.names())}")
    chosen = names or tuple(subjects.names())
    if len(chosen) > 1:
        # Each in a process of its own: a child's peak of memory begins with what its parent has, so what one subject
        # has loaded would be counted as the next one's.
        options = [each for each in sys.argv[1:] if each not in names]
        sys.exit(max(subprocess.call([sys.executable, "-m", "benchmarks", *options, name]) for name in chosen))
    click.echo(machine.described())
    accepted = bands.read()
    faults: list[str] = []
    for name in chosen:
        expected = accepted.get(name, {})
        number = rounds or (BOUNDED_ROUNDS if bounded else ROUNDS)
        result = _run(name, bounded, number, folder, peers.absolute())
        _show(name, result, expected)
        wrong = bands.outside(result.ratios, expected) if bounded else []
        if wrong:
            # Others use the machine too: what is wrong must be wrong again in a longer look.
            click.echo(f"\n{name}: outside its bands; again, with more rounds\n" + "\n".join(wrong))
            result = _run(name, bounded, number * 2 + 1, folder, peers.absolute())
            _show(name, result, expected)
            faults += [f"{name}: {fault}" for fault in bands.outside(result.ratios, expected)]
    if faults:
        click.echo("\n" + "\n".join(f"error: {fault}" for fault in faults), err=True)
        click.echo(f"where that is meant, change {bands.FILE.parent.name}/{bands.FILE.name}", err=True)
        sys.exit(1)


def _run(name: str, bounded: bool, rounds: int, folder: Path | None, peers: Path) -> Result:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sfm-bench-", dir=folder) as place:
        try:
            result = subjects.load(name).run(Plan(bounded=bounded, rounds=rounds, folder=Path(place), peers=peers))
        except CompetitorError as error:
            raise click.ClickException(f"{name}: {error}") from error
    click.echo(f"\n== {name}: {rounds} rounds, {time.monotonic() - began:.0f} s")
    return result


def _show(name: str, result: Result, expected: dict[str, bands.Band]) -> None:
    for table in result.tables:
        click.echo(f"\n{table}")
    for note in result.notes:
        click.echo(f"\n{note}")
    rows = []
    for ratio, value in result.ratios.items():
        band = expected.get(ratio)
        goal = f"{band.goal:g}" if band and band.goal is not None else None
        rows.append((ratio, f"{value:.3g}", goal, f"{band.low:g} to {band.high:g}" if band else None))
    if rows:
        click.echo(f"\n{Table(f'{name}, ratios', ('RATIO', 'MEASURED', 'GOAL', 'BAND'), rows)}")


if __name__ == "__main__":
    main()
