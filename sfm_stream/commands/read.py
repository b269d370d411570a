"""The command `read`: posts as lines."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfm_stream.export.chosen import place_options, span_options
from sfm_stream.table import printable

if TYPE_CHECKING:
    from sfm_stream.export.chosen import ChosenStream
    from sfm_stream.export.files import Places, Span
    from sfm_stream.export.reader import Reader

_LAST = 10
"""Lines that are shown before those that come; as tail does."""

Filter = Callable[[bytes], bool]


@click.command(
    epilog="""\b
Examples:
  sfm-stream read elections | jq .data.text
  sfm-stream read elections --from 2026-11-01 --to 2026-11-15 --match '#vote lang:en'
  sfm-stream read elections --follow
  sfm-stream read --sample 500 elections > sample.jsonl
  sfm-stream read twitterfilter-1-2014-04-11T04-34-28Z.gz"""
)
@click.argument("names", nargs=-1, metavar="[NAME... | FILE...]")
@span_options
@click.option("--match", metavar="QUERY", help="Only what matches, in the query language of the posts' source.")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="N of them, the same each time, in order.")
@click.option("--follow", is_flag=True, help="Go on with what comes, until interrupted.")
@click.option(
    "--strict/--raw", "as_strict", default=True, help="JSON that every reader takes (default), or as it came."
)
@click.option("--source", help="Where the posts of FILEs come from that do not bear a program's name.")
@place_options
def read(
    names: tuple[str, ...],
    start: datetime | None,
    end: datetime | None,
    match: str | None,
    sample: int | None,
    follow: bool,
    as_strict: bool,
    source: str | None,
    data_dir: Path | None,
    archive_dir: Path | None,
    state_dir: Path | None,
    config_dir: Path,
) -> None:
    """Print what was collected as JSON lines, in order of arrival.

    NAME is a filter or a program; all of this host without one. FILEs may be gzip, zstd or plain text; - is standard
    input. Lines that are no JSON, and files that are damaged, cost themselves: they are counted on standard error, and
    the exit code is 3.
    """
    from sfm_stream.errors import FindingsError, UsageError
    from sfm_stream.export import chosen
    from sfm_stream.sources import registry

    if source is not None and source not in registry.names():
        raise UsageError(f"--source {source}: the sources are {', '.join(registry.names())}")
    span, notes = chosen.span(start, end), list[str]()
    places: Places | None = None
    if names and all(each == "-" or chosen.is_path(each) for each in names):
        if follow:
            raise UsageError("--follow follows streams by NAME, not files")
        if sample and "-" in names:
            raise UsageError("--sample reads twice, which standard input does not allow")
        streams = chosen.loose(names, source)
    else:
        places = chosen.host(data_dir, archive_dir, state_dir, config_dir).places
        streams = chosen.streams(names, places, notes.append)
    if follow and (len(streams) != 1 or sample):
        raise UsageError("--follow takes the NAME of one stream, and no --sample")

    def report(line: str) -> None:
        click.echo(f"sfm-stream: {printable(line)}", err=True)

    for note in notes:
        report(note)
    work = _Work(span, match, places, report, as_strict=as_strict)
    try:
        limit = work.limit(streams, sample) if sample else None
        for stream in streams:
            (work.follow if follow else work.print)(stream, limit)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read this has enough, as `head` has. What Python would still flush has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    except KeyboardInterrupt:
        sys.exit(130)
    if faults := [*notes, *work.faults()]:
        raise FindingsError("; ".join(faults[len(notes) :]) or "not everything could be looked at")


class _Work:
    """Reading with the options of one command line."""

    def __init__(
        self, span: Span, match: str | None, places: Places | None, report: Callable[[str], None], *, as_strict: bool
    ) -> None:
        self._span, self._match, self._places = span, match, places
        self._report, self._strict = report, as_strict
        self._readers: list[Reader] = []
        self._odd = 0

    def print(self, stream: ChosenStream, limit: int | None) -> None:
        """Prints what is wanted of a stream."""
        reader = self._reader(stream)
        write = sys.stdout.buffer.write
        for lines in self._wanted(stream, reader, limit):
            if shown := self._shown(lines):
                write(b"\n".join(shown) + b"\n")

    def follow(self, stream: ChosenStream, _limit: int | None) -> None:
        """Prints the last lines of a stream, or all since ``--from``, and then what comes."""
        from sfm_stream.export import files

        last: deque[bytes] | None = deque(maxlen=_LAST) if self._span.start is None else None
        output = sys.stdout.buffer

        def idle() -> None:
            nonlocal last
            if last:
                output.write(b"\n".join(last) + b"\n")
            last = None
            output.flush()

        done = set[str]()
        waiting = stream.files[-2:] if last is not None else stream.files
        while True:
            for each in waiting:
                reader = self._reader(stream._replace(files=[each]))
                reader.idle = idle
                for lines in self._wanted(stream, reader, None):
                    shown = self._shown(lines)
                    if last is not None:
                        last += shown
                    elif shown:
                        output.write(b"\n".join(shown) + b"\n")
                done.add(each.name)
            idle()
            _pause()
            assert self._places  # noqa: S101 - only streams by name are followed
            found = files.of_program(self._places, stream.program, self._report)
            waiting = [each for each in found if each.name not in done and each.name > stream.files[-1].name]

    def limit(self, streams: Iterable[ChosenStream], size: int) -> int:
        """The largest number of a sample of this size; see `sfm_stream.export.sample`."""
        from sfm_stream.export.sample import PostSample

        drawn = PostSample(size)
        for stream in streams:
            for lines in self._wanted(stream, self._reader(stream, quiet=True), None):
                for line in lines:
                    drawn.show(line)
        self._readers.clear()
        return drawn.limit

    def faults(self) -> Iterator[str]:
        """What could not be read."""
        from sfm_stream.archive.job import count

        counts = {key: sum(each.counts[key] for each in self._readers) for key in ("damaged", "unfinished", "torn")}
        if self._odd:
            yield f"{count(self._odd, 'line')} left out that {'is' if self._odd == 1 else 'are'} no JSON"
        if number := counts["damaged"] + counts["unfinished"]:
            yield f"{count(number, 'file')} could not be read, or not to {'its' if number == 1 else 'their'} end"
        if counts["torn"]:
            yield f"{count(counts['torn'], 'line')} cut short"

    def _reader(self, stream: ChosenStream, *, quiet: bool = False) -> Reader:
        from sfm_stream.export import files
        from sfm_stream.export.reader import Reader
        from sfm_stream.sources.registry import source

        found = stream.files
        if (self._span.start or self._span.end) and stream.program:
            found = files.within(found, self._span, source(stream.source).rows().late)
        reader = Reader(found, self._places, (lambda _line: None) if quiet else self._report)
        self._readers.append(reader)
        return reader

    def _wanted(self, stream: ChosenStream, reader: Reader, limit: int | None) -> Iterator[list[bytes]]:
        tests = list(self._tests(stream))
        if limit is not None:
            from sfm_stream.export.sample import number

            tests.append(lambda line: number(line) <= limit)
        for batch in reader.batches():
            lines = batch.lines
            for test in tests:
                lines = [line for line in lines if test(line)]
            if lines:
                yield lines

    def _tests(self, stream: ChosenStream) -> Iterator[Filter]:
        from sfm_stream.export.spans import sent_within
        from sfm_stream.sources.registry import source

        if self._span.start or self._span.end:
            yield sent_within(self._span, source(stream.source).rows())
        if self._match is not None:
            yield source(stream.source).matcher(self._match)

    def _shown(self, lines: list[bytes]) -> list[bytes]:
        if not self._strict:
            return lines
        from sfm_stream.export.reader import strict

        shown = [each for line in lines if (each := strict(line)) is not None]
        self._odd += len(lines) - len(shown)
        return shown


def _pause() -> None:
    import time

    time.sleep(1)
