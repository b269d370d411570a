"""The one look of all commands: tables, JSON, sizes, times and progress.

Results go to standard output, progress to standard error. Times are UTC.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import click

PLAIN_PROGRESS = 30.0
"""Seconds between two lines of progress where no terminal shows a bar."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
"""Decorates a command with ``--json``; it gets the argument `as_json`."""

format_option = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="How to print.",
)
"""Decorates a command with ``--format``; it gets the argument `form`."""


def render(header: Sequence[str], rows: Iterable[Sequence[object]], right: Collection[str] = ()) -> str:
    """A table as text, without a newline at its end.

    Args:
        header: The columns' names, in capitals.
        rows: One cell a column; None shows as ``-``.
        right: The columns whose cells stand to the right: numbers.
    """
    cells = [[printable(name) for name in header]]
    cells += [["-" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        padded = []
        for name, cell, width in zip(header, row, widths, strict=True):
            blank = " " * (width - _width(cell))
            padded.append(blank + cell if name in right else cell + blank)
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def pairs(items: Mapping[str, object]) -> str:
    """Names and their values, one a line, the values below each other."""
    width = max((len(name) for name in items), default=0)
    return "\n".join(
        f"{name.ljust(width)}  {'-' if value is None else printable(str(value))}" for name, value in items.items()
    )


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The same rows as CSV, without a newline at the end; None is an empty cell."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([["" if cell is None else cell for cell in row] for row in rows])
    return text.getvalue().removesuffix("\n")


def json_text(value: object) -> str:
    """Plain data or structs as indented JSON."""
    import msgspec

    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def printable(text: str) -> str:
    """Text that any terminal takes: control characters, and bytes of a file name that are no UTF-8, as escapes."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")


def size(count: float) -> str:
    """Bytes for a person: ``512 B``, ``1.5 KB``, ``20 GB`` (powers of 1000, as disks are sold)."""
    if count < 1000:
        return f"{count:.0f} B"
    units = ("KB", "MB", "GB", "TB", "PB")
    step = 0
    count /= 1000
    while count >= 999.5 and step < len(units) - 1:
        count /= 1000
        step += 1
    return f"{count:.1f} {units[step]}" if count < 9.95 else f"{count:.0f} {units[step]}"


def duration(seconds: float) -> str:
    """A time span for a person, by its two largest units: ``0.4 s``, ``42 s``, ``3 min 5 s``, ``2 h``, ``5 d 4 h``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s" if seconds else "0 s"
    rest = round(seconds)
    parts = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, length)
        parts.append((count, unit))
    first = next(index for index, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)


def moment(when: datetime | float | None) -> str:
    """A time for a person: ``2026-11-24 20:13:00``; in UTC, which the column's name says. Seconds are cut."""
    if when is None:
        return "-"
    if not isinstance(when, datetime):
        when = datetime.fromtimestamp(when, UTC)
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


@contextmanager
def progress(label: str, length: int | Callable[[], int]) -> Iterator[Callable[[int], None]]:
    """Shows how far a long piece of work is; yields what to call with each number of steps done.

    Args:
        label: What is being done.
        length: The steps in all, or what counts them (called only where a bar is shown).
    """
    if sys.stderr.isatty():
        steps = length() if callable(length) else length
        with click.progressbar(
            length=steps, label=label, file=sys.stderr, update_min_steps=max(1, steps // 500)
        ) as bar:
            yield bar.update
        return
    done, last = 0, time.monotonic()

    def advance(steps: int) -> None:
        nonlocal done, last
        done += steps
        if time.monotonic() - last >= PLAIN_PROGRESS:
            last = time.monotonic()
            click.echo(f"{label}: {done} so far", err=True)

    yield advance


def _width(text: str) -> int:
    """The columns that a terminal gives to `text`."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
