"""An export: what was chosen goes into one file, which is whole or not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sfm_stream.archive.job import count
from sfm_stream.durable import sync_directory
from sfm_stream.errors import StorageError, UsageError
from sfm_stream.export import columns, package
from sfm_stream.export.chosen import ChosenStream, HostDirectories
from sfm_stream.export.columns import RAW, Field
from sfm_stream.export.formats import ExportFormat
from sfm_stream.export.keys import Keys
from sfm_stream.export.posts import Criteria, Posts
from sfm_stream.export.pseudonyms import Pseudonyms
from sfm_stream.export.rows import Change, row_maker, written
from sfm_stream.export.sample import PostSample
from sfm_stream.sources.registry import source
from sfm_stream.sources.rows import Rows


class Order(NamedTuple):
    """What is to be exported, and how.

    Attributes:
        streams: Whose posts.
        wanted: Which of them.
        form: Into which format.
        path: Into which file.
        columns: As ``--columns`` has them; None for the usual ones.
        excel: Whether CSV is for a spreadsheet.
        key: What pseudonyms are made with; None for none.
        twarc: Whether the columns are those of twarc-csv.
    """

    streams: Sequence[ChosenStream]
    wanted: Criteria
    form: ExportFormat
    path: Path
    columns: str | None = None
    excel: bool = False
    key: bytes | None = None
    twarc: bool = False

    @property
    def options(self) -> dict[str, object]:
        """What was asked, by the names of the options, for the descriptor; without what was left out."""
        wanted = self.wanted
        options = {
            "format": self.form.name,
            "columns": self.columns,
            "match": wanted.match,
            "with-deleted": wanted.with_deleted,
            "unique": wanted.unique,
            "pseudonymise": "with a key" if self.key else None,
            "sample": wanted.sample,
            "twarc": self.twarc,
            "excel": self.excel,
        }
        return {name: value for name, value in options.items() if value not in (None, False)}


class ExportOutcome(NamedTuple):
    """What came of it.

    Attributes:
        rows: Rows written.
        counts: Lines, by what became of them.
        notes: What a person should know.
        faults: Files that could not be read to their end, a line each.
    """

    rows: int
    counts: Counter[str]
    notes: list[str]
    faults: list[str]


def run(
    order: Order, host: HostDirectories | None, advance: Callable[[int], None] = lambda _rows: None
) -> ExportOutcome:
    """Exports; a run that was ended leaves a hidden ``.part`` file alone, which the next one begins anew.

    Args:
        order: What.
        host: Where a file is looked for that was moved meanwhile, and where records are.
        advance: Called with each number of rows done.

    Raises:
        UsageError: What is asked does not go together.
        StorageError: It cannot be written.
    """
    order.form.require()
    tables = {each.source: table_of(each.source, twarc=order.twarc) for each in order.streams}
    fields = fields_of(order.form, tables, order.columns, pseudonyms=order.key is not None, twarc=order.twarc)
    faults: list[str] = []
    part = order.path.with_name(f".{order.path.name}.part")
    try:
        with Keys() as keys:
            posts = _posts(order, host, tables, keys, faults.append)
            for each in posts:
                each.learn()
            limit = _draw(posts, order.wanted.sample)
            writer = order.form.writer(part, fields, excel=order.excel)
            rows = 0
            for each in posts:
                make = row_maker(fields, each, _changes(order, tables[each.stream.source]))
                rows += written(each, writer, make, limit, advance)
            writer.finish()
        notes = [*writer.notes, *_notes(posts)]
        part.replace(order.path)
        sync_directory(order.path.parent)
        resource = package.describe(
            order.path,
            order.form,
            fields,
            [_origin(each) for each in posts],
            rows=rows,
            span=order.wanted.span,
            options=order.options,
            notes=notes,
            state=host.state if host else None,
        )
        notes += package.keep(order.path.parent, resource)
    except OSError as error:
        raise StorageError(f"{order.path}: cannot be written: {error.strerror or error}") from error
    return ExportOutcome(rows, sum((each.counts for each in posts), Counter()), notes, faults)


def table_of(name: str, *, twarc: bool) -> Rows:
    """The table of a source's posts.

    Raises:
        UsageError: twarc-csv knows no such posts.
    """
    of_source = source(name)
    if not twarc:
        return of_source.rows()
    if (table := of_source.twarc_rows()) is None:
        raise UsageError(f"--twarc: twarc-csv has no columns for posts of {of_source.title}; leave it out")
    return table


def fields_of(
    form: ExportFormat, tables: Mapping[str, Rows], asked: str | None, *, pseudonyms: bool, twarc: bool
) -> list[Field]:
    """The columns that an export has.

    Args:
        form: Its format.
        tables: Of each source that it has posts of.
        asked: As ``--columns`` has them; nothing for the usual ones.
        pseudonyms: Whether it is under pseudonyms.
        twarc: Whether the tables are those of twarc-csv.

    Raises:
        UsageError: What is asked does not go together.
    """
    if twarc and pseudonyms:
        raise UsageError("--twarc: its columns hold what pseudonyms replace; leave --twarc or --pseudonymise")
    if form.columns:
        if twarc:
            raise UsageError(f"--format {form.name} has one column, and takes no --twarc")
        if asked:
            raise UsageError(f"--format {form.name} has one column, and takes no --columns")
        if form.name == "ids" and pseudonyms:
            raise UsageError("--format ids is of ids, which pseudonyms would replace; leave one of the two")
        asked = form.columns
    fields = columns.choose(tables, asked, raw=form.name == "parquet" and not pseudonyms)
    if pseudonyms and any(each.name == RAW for each in fields):
        raise UsageError("raw holds what pseudonyms replace; leave it out of --columns, or leave --pseudonymise")
    if form.name == "xlsx" and any(each.name == RAW for each in fields):
        raise UsageError("raw does not fit into cells of XLSX; take csv, jsonl or parquet for it")
    return fields


def _posts(
    order: Order, host: HostDirectories | None, tables: Mapping[str, Rows], keys: Keys, report: Callable[[str], None]
) -> list[Posts]:
    found, first = [], 0
    for each in order.streams:
        places = host.places if host else None
        found.append(Posts(each, places, order.wanted, keys, report, tables[each.source], first))
        first += len(each.files)
    return found


def _draw(posts: Sequence[Posts], size: int | None) -> int | None:
    if size is None:
        return None
    sample = PostSample(size)
    for each in posts:
        each.draw(sample)
    return sample.limit


def _changes(order: Order, table: Rows) -> list[Change]:
    """What becomes of values on the way, for one source's posts."""
    changes: list[Change] = []
    if order.key is not None:
        changes.append(Pseudonyms(order.key, table).change)
    if order.form.name == "csv":
        changes.append(columns.for_spreadsheet if order.excel else columns.for_text)
    return changes


def _origin(posts: Posts) -> package.Origin:
    title, stream = source(posts.stream.source).title, posts.stream
    terms = posts.rows.terms
    return package.Origin(stream.program, title, len(posts.files), posts.first, posts.last, posts.counts, terms)


def _notes(posts: Sequence[Posts]) -> list[str]:
    """What a person should know of the posts."""
    unnamed = sorted({each for of_one in posts for each in of_one.unnamed})
    live = sum(each.live for of_one in posts for each in of_one.stream.files)
    notes = []
    if unnamed:
        notes.append(f"parts that no column shows, but raw: {', '.join(unnamed[:10])}{' ...' * (len(unnamed) > 10)}")
    if live:
        notes.append(f"{count(live, 'file')} still being written {'is' if live == 1 else 'are'} not in it")
    return notes
