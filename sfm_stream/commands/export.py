"""The command `export`: posts as tables."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from sfm_stream.export.chosen import place_options, span_options
from sfm_stream.table import duration, json_option, json_text, printable, progress, size

_FORMATS = ("csv", "xlsx", "jsonl", "ids", "parquet", "urls")
_WORDS = {
    "deleted": "deleted since",
    "edited": "edited since",
    "repeated": "repeated",
    "unmatched": "not matching",
    "unreadable": "no JSON",
    "delete": "deletions",
    "notice": "notices",
    "other": "of other kinds",
    "torn": "cut short",
}
"""What became of lines that are no rows, in words."""


@click.command(
    epilog="""\b
Examples:
  sfm-stream export elections --from 2026-11-01 --to 2026-11-15 -o fortnight.csv
  sfm-stream export elections --format xlsx --columns time,account,text,link -o lesson.xlsx --sample 500
  sfm-stream export elections --format ids -o elections-ids.txt
  sfm-stream export elections storms --format parquet -o posts.parquet
  sfm-stream export elections --twarc -o for-the-old-notebook.csv
  sfm-stream export elections --pseudonymise ~/key --unique -o for-others.csv"""
)
@click.argument("names", nargs=-1, required=True, metavar="NAME... | FILE...")
@span_options
@click.option(
    "--format", "form", type=click.Choice(_FORMATS), help="What to write; if not given, as PATH ends, or csv."
)
@click.option(
    "-o",
    "--output",
    "path",
    required=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The file; or a directory, in which it gets the stream's name.",
)
@click.option("--columns", metavar="NAMES", help="Which columns, with commas between; +raw adds one to the usual ones.")
@click.option("--match", metavar="QUERY", help="Only what matches, in the query language of the posts' source.")
@click.option("--with-deleted", is_flag=True, help="Leave in what was deleted or edited since; each line is a row.")
@click.option("--unique", is_flag=True, help="Each post once.")
@click.option(
    "--pseudonymise",
    "key_file",
    type=click.Path(path_type=Path),
    metavar="KEYFILE",
    help="Pseudonyms for accounts and posts, made with a secret key.",
)
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="N posts, the same each time.")
@click.option("--twarc", is_flag=True, help="The columns of twarc-csv, for posts of X.")
@click.option("--excel", is_flag=True, help="CSV that spreadsheets open right: a byte order mark, no formulas.")
@click.option("--source", help="Where the posts of FILEs come from that do not bear a program's name.")
@json_option
@place_options
def export(
    names: tuple[str, ...],
    start: datetime | None,
    end: datetime | None,
    form: str | None,
    path: Path,
    columns: str | None,
    match: str | None,
    with_deleted: bool,
    unique: bool,
    key_file: Path | None,
    sample: int | None,
    twarc: bool,
    excel: bool,
    source: str | None,
    as_json: bool,
    data_dir: Path | None,
    archive_dir: Path | None,
    state_dir: Path | None,
    config_dir: Path,
) -> None:
    """Export finished files of streams, or FILEs, as a table; with a datapackage.json and a README beside it.

    A row is a post. What was deleted or edited since, as far as the stream told of it, is left out and counted. Ids are
    text. Killed and run again it ends with the same bytes; nothing is half there under its name. Exit code 3: done, but
    something could not be read.
    """
    import time

    from sfm_stream.errors import FindingsError, UsageError
    from sfm_stream.export import chosen
    from sfm_stream.export.formats import FORMATS
    from sfm_stream.export.posts import Criteria
    from sfm_stream.export.pseudonyms import read_key
    from sfm_stream.export.run import Order, run

    begun = time.monotonic()
    suffix = next((each for each in ("csv", "xlsx", "jsonl", "parquet") if path.suffix == f".{each}"), None)
    chosen_form = FORMATS[form or suffix or "csv"]
    if excel and chosen_form.name != "csv":
        raise UsageError(f"--excel is for csv, not for {chosen_form.name}")
    span = chosen.span(start, end)
    key = read_key(key_file) if key_file else None
    chosen_form.require()
    faults: list[str] = []
    host = None
    if all(chosen.is_path(each) for each in names):
        streams = chosen.loose(names, source)
    else:
        host = chosen.host(data_dir, archive_dir, state_dir, config_dir)
        streams = chosen.streams(names, host.places, faults.append)
    target = _target(path, chosen_form.suffix, [each.program or "posts" for each in streams])
    order = Order(
        streams=streams,
        wanted=Criteria(span, match, with_deleted, unique, sample),
        form=chosen_form,
        path=target,
        columns=columns,
        excel=excel,
        key=key,
        twarc=twarc,
    )
    files = sum(len(each.files) for each in streams)
    with progress("Exporting", files * 1000) as advance:
        outcome = run(order, host, advance)
    faults += outcome.faults
    seconds = time.monotonic() - begun
    if as_json:
        report = {"path": str(target), "rows": outcome.rows, "counts": outcome.counts, "notes": outcome.notes}
        click.echo(json_text(report | {"faults": faults, "bytes": target.stat().st_size, "seconds": round(seconds, 3)}))
    else:
        parts = [f"{outcome.rows:,} rows ({size(target.stat().st_size)}) in {target} in {duration(seconds)}"]
        parts += [f"{outcome.counts[key]:,} {word}" for key, word in _WORDS.items() if outcome.counts[key]]
        click.echo(printable("; ".join(parts)))
        for note in outcome.notes:
            click.echo(f"note: {printable(note)}", err=True)
    if faults:
        raise FindingsError("" if as_json else "\n".join(faults))


def _target(path: Path, suffix: str, programs: list[str]) -> Path:
    """The file: `path` itself, or one of the stream's name in the directory `path`."""
    from sfm_stream.errors import StorageError

    if path.suffix == Path(f"name{suffix}").suffix and not path.is_dir():
        parent, target = path.parent, path
    else:
        parent, target = path, path / f"{programs[0] if len(programs) == 1 else 'posts'}{suffix}"
    if not parent.is_dir():
        if parent == path and path.parent.is_dir() and not path.exists():
            path.mkdir(mode=0o750)
        else:
            raise StorageError(f"{parent}: is no directory; make it first")
    return target
