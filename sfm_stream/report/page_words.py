"""What a page says in words: titles, sentences, citations, and figures as people read them. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from sfm_stream.archive.job import count
from sfm_stream.record.gaps import Coverage
from sfm_stream.record.history import Change
from sfm_stream.report.page_figures import AskedVersion, Report, StreamFigures, Top, total_seconds
from sfm_stream.report.summary import time_of
from sfm_stream.settings.collection import Description
from sfm_stream.table import duration, moment, size

NOT_KNOWN = "not known"
_SHOWN_LINK = 90
_PART = re.compile(r"\w+\[(?P<name>.+?)\]\.(?P<key>.+)")


class Citation(NamedTuple):
    """How to cite, as a sentence and for BibTeX."""

    text: str
    bibtex: str


def percent(share: float | None, *, down: bool = False) -> str:
    """``12.3 %``; with `down`, never rounded up to a whole that it is not."""
    if share is None:
        return NOT_KNOWN
    if down:
        return f"{math.floor(share * 10000) / 100:.2f} %" if share < 1 else "100 %"
    return "< 0.1 %" if 0 < share < 0.001 else f"{share:.1%}".replace("%", " %")


def money(dollars: float | None) -> str:
    """``$12.34``."""
    return NOT_KNOWN if dollars is None else f"${dollars:,.2f}"


def number(value: float | None) -> str:
    """``12,345``; a dash for what is not known."""
    return "-" if value is None else f"{value:,}"


def day(when: date) -> str:
    """``24 November 2026``."""
    return f"{when.day} {when:%B %Y}"


def span(start: date, end: date) -> str:
    """``1 to 30 November 2026``."""
    if start == end:
        return day(start)
    if (start.year, start.month) == (end.year, end.month):
        return f"{start.day} to {day(end)}"
    return f"{start.day} {start:%B} to {day(end)}" if start.year == end.year else f"{day(start)} to {day(end)}"


def title_of(report: Report) -> str:
    """What the collection is called."""
    return report.description.title or f"Posts collected on {report.host}"


def stream_title(stream: StreamFigures) -> str:
    """What a stream is called."""
    return stream.description.title or stream.name


def asked(steps: Sequence[AskedVersion]) -> list[list[tuple[str, list[tuple[str, str]]]]]:
    """What is asked for in each step, key by key: each value with ``new``, ``gone``, or "" where nothing was before."""
    parts = {found["name"] for step in steps for each in step.asked if (found := _PART.fullmatch(each.key))}
    return [
        [(_key(each.key, alone=len(parts) < 2), _items(each, first=step is steps[0])) for each in step.asked]
        for step in steps
    ]


def _key(path: str, *, alone: bool) -> str:
    """``rules[storms].track`` as ``storms: track``, or, where that is the only rule, as ``track``."""
    found = _PART.fullmatch(path)
    if found is None:
        return path.replace(".", ": ")
    return found["key"] if alone else f"{found['name']}: {found['key']}"


def _items(change: Change, *, first: bool) -> list[tuple[str, str]]:
    before, after = _listed(change.before), _listed(change.after)
    if first:
        return [("", _shown(each)) for each in after]
    gone = [("gone", _shown(each)) for each in before if each not in after]
    return gone + [("new", _shown(each)) for each in after if each not in before]


def _listed(value: object) -> list[object]:
    if isinstance(value, list):
        return value
    return [] if value is None or type(value).__name__ == "UnsetType" else [value]


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def coverage(stream: StreamFigures) -> str:
    """A sentence on when a stream was connected."""
    found = stream.coverage
    if found is None:
        return "No journal tells when this stream was connected: its gaps are not known."
    if found.fault:
        return f"The journal of this stream cannot be read, so its gaps are not known: {found.fault}"
    if found.start is None:
        return "In this time the stream was never connected."
    times = f"{moment(found.start)} to {moment(found.end)} UTC"
    afterwards = f"with what {stream.source} sent afterwards, {percent(found.covered, down=True)} is covered"
    parts = [f"Connected for {percent(found.connected, down=True)} of the time from {times}; {afterwards}."]
    lengths = {kind: total_seconds(found, kind) for kind in ("lost", "recovered", "planned")}
    gaps = [f"{duration(seconds)} {kind}" for kind, seconds in lengths.items() if seconds]
    parts.append(f"Gaps: {', '.join(gaps)}." if gaps else "There are no gaps.")
    if posts := sum(loss.posts or 0 for loss in found.losses):
        parts.append(f"Besides, {count(posts, 'post')} arrived and could not be kept.")
    return " ".join(parts)


def covered(found: Coverage | None) -> str:
    """The share of the time that is covered."""
    return NOT_KNOWN if found is None or found.fault or found.covered is None else percent(found.covered, down=True)


def by_day(per_day: Mapping[date, int], what: str) -> str:
    """What a chart of days shows, in a line."""
    if not any(per_day.values()):
        return f"{what}: none"
    most = max(per_day, key=lambda each: per_day[each])
    return f"{what}: most on {day(most)}, with {per_day[most]:,}"


def by_hour(per_hour: Mapping[int, int]) -> str:
    """What a chart of hours shows, in a line."""
    if not any(per_hour.values()):
        return "Posts by hour: none"
    most = max(per_hour, key=lambda each: per_hour[each])
    when = time_of(most)
    return f"Posts by hour: most from {when:%H:00} UTC on {day(when.date())}, with {per_hour[most]:,}"


def lost(found: Coverage | None) -> str:
    """How long the gaps are that nobody asked for and that were not made good."""
    seconds = total_seconds(found, "lost")
    return NOT_KNOWN if seconds is None else duration(seconds) if seconds else "nothing"


def partial(stream: StreamFigures) -> str:
    """What the lists do not cover."""
    number_of = stream.partial
    if not number_of:
        return ""
    what = count(number_of, "post is", "posts are")
    return f"{what} in none of these lists, and in all other figures: parts were not as {stream.source} describes them."


def floor(top: Top) -> str:
    """By how much counts may be too low."""
    rarest = "Of days with more than a thousand different ones, the rarest were not kept"
    return f"{rarest}: a number may be up to {top.floor:,} too low." if top.floor else ""


def link(address: str) -> str:
    """An address as it is shown: without its scheme, and cut."""
    shown = re.sub(r"^https?://(www\.)?", "", address)
    return shown if len(shown) <= _SHOWN_LINK else f"{shown[: _SHOWN_LINK - 1]}…"


def volume(stream: StreamFigures) -> str:
    """Sentences on size, and on what is odd in the files."""
    parts = [f"{count(len(stream.files), 'file')} of {size(stream.bytes)}, {size(stream.text)} uncompressed."]
    twice = count(stream.duplicates or 0, "post came twice and is", "posts came twice and are")
    source = stream.source
    for number_of, said in (
        (stream.duplicates, f"{twice} in the files twice."),
        (stream.deletes, f"{count(stream.deletes, 'line says', 'lines say')} that something was deleted."),
        (stream.notices, f"In {count(stream.notices, 'line')} {source} speaks of the stream itself."),
        (stream.others, f"{count(stream.others, 'line is', 'lines are')} nothing that this version knows."),
        (stream.undated, f"{count(stream.undated, 'post has', 'posts have')} no time, and no place in a chart."),
        (stream.writing, f"{count(stream.writing, 'file is', 'files are')} still being written and not counted."),
    ):
        if number_of:
            parts.append(said)
    return " ".join(parts)


def cite(
    report: Report, title: str, description: Description, sources: str, posts: int, digest: str, key: str
) -> Citation:
    """How to cite a collection, or a stream of one.

    Args:
        report: It.
        title: What is cited.
        description: With creator and contact.
        sources: Where its posts come from.
        posts: How many.
        digest: The sha256 of the list of its files.
        key: For BibTeX.
    """
    who = description.creator or description.contact or report.host
    period = f"{report.start} to {report.end}"
    how = f"{count(posts, 'post')} collected from {sources} with sfm-stream {report.version}, {period}"
    text = (
        f"{who.removesuffix('.')}. ({report.end.year}). {title} [Data set]. {how}. Report of {report.made:%Y-%m-%d}; "
        f"sha256 of the list of files: {digest}."
    )
    fields = {
        "author": f"{{{who}}}",
        "title": f"{{{title}}}",
        "year": str(report.end.year),
        "note": f"{how}; sha256 of the list of files: {digest}",
    }
    inner = ",\n".join(f"  {name} = {{{_bibtex(value)}}}" for name, value in fields.items())
    return Citation(text, f"@misc{{{key},\n{inner}\n}}")


def _bibtex(value: str) -> str:
    return re.sub(r"([&%$#_])", r"\\\1", value)
