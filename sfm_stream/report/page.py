"""The pages of a report: its figures, put into templates. Needs the extra ``report`` (Jinja2)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sfm_stream.archive.job import count
from sfm_stream.report import chart
from sfm_stream.report import page_words as words
from sfm_stream.report.page_figures import Report, StreamFigures, total_seconds
from sfm_stream.report.page_stream import MOST_DAYS, Context, context, digest_of, drawn, marked, page_of
from sfm_stream.report.page_tables import tables
from sfm_stream.table import duration, moment, size

_FINE = 15
"""Days up to which the small charts of the overview show hours; of more, they show days."""
_ABOUT = (
    """Posts are counted by hour by the time that the source gives them; volume, cost and files go by the day in the
    files' names, so that the two may differ by the minutes about midnight. A post counts once for each of its
    languages, hashtags and links; of a repost, what it repeats counts.""",
    """Gaps are times without a live connection, from the last thing that arrived before to the first after, as each
    stream's journal has them. Time is lost where nobody asked for the gap and the source did not send afterwards what
    passed. Being connected does not mean that the source sent all that it had.""",
    """Checksums are those of the manifests, written as each file was captured or sorted. This report computes none; an
    audit does.""",
)


def pages(report: Report) -> Iterator[tuple[str, str]]:
    """The name and the text of each page."""
    templates = _templates()
    span = _span(report)
    yield "index.html", templates.get_template("index.html.j2").render(report=report, **_index(report, span))
    page = templates.get_template("stream.html.j2")
    for stream in report.streams:
        yield page_of(stream), page.render(report=report, **context(report, stream, span))


def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("sfm_stream.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"count": words.number, "linked": _linked, "moment": moment, "percent": words.percent}
    return made


def _span(report: Report) -> chart.TimeAxis:
    """From the first midnight to the last, or to now."""
    start = datetime.combine(report.start, time(), UTC)
    end = datetime.combine(report.end + timedelta(days=1), time(), UTC)
    return chart.TimeAxis(start, max(min(end, report.made), start + timedelta(hours=1)))


def _index(report: Report, span: chart.TimeAxis) -> Context:
    title = words.title_of(report)
    sources = ", ".join(dict.fromkeys(each.source for each in report.streams))
    priced = any(each.dollars for each in report.streams)
    by_day = words.by_day(report.per_day, "Posts by day")
    cells = [
        ("Posts", f"{report.posts:,}", f"in {count(len(report.streams), 'stream')}"),
        ("Files", f"{report.files:,}", size(report.bytes)),
        ("Lost", *_lost(report)),
    ]
    if priced:
        cells.append(("Cost", words.money(report.dollars), "of posts, by the settings' prices"))
    digest = digest_of(report.streams)
    key = f"collection{report.end.year}"
    return {
        "title": title,
        "span": words.span(report.start, report.end),
        "sources": sources,
        "cells": cells,
        "priced": priced,
        "rows": [_row(report, each, span) for each in report.streams],
        "day_words": by_day,
        "day_chart": marked(chart.days(report.per_day, report.start, report.end, by_day)),
        "day_header": ["Day", "All", *(words.stream_title(each) for each in report.streams)],
        "day_rows": list(_days(report)),
        "day_cut": len(report.days) > MOST_DAYS,
        "citation": words.cite(report, title, report.description, sources, report.posts, digest, key),
        "about": _ABOUT,
        "csv": [each.name for each in tables(report)],
    }


def _days(report: Report) -> Iterator[list[object]]:
    all_streams, streams = report.per_day, [each.per_day for each in report.streams]
    for day in report.days[-MOST_DAYS:]:
        yield [day, *(words.number(each.get(day, 0)) for each in (all_streams, *streams))]


def _lost(report: Report) -> tuple[str, str]:
    """How long all streams together lost something, and of how many that is not known."""
    lengths = [total_seconds(each.coverage, "lost") for each in report.streams]
    known = [each for each in lengths if each is not None]
    unknown = len(lengths) - len(known)
    note = f"of {count(unknown, 'stream')} not known" if unknown else "stream time; not asked for, not made good"
    if not known:
        return words.NOT_KNOWN, note
    return duration(sum(known)) if sum(known) else "nothing", note


def _row(report: Report, stream: StreamFigures, span: chart.TimeAxis) -> Context:
    title, found = words.stream_title(stream), stream.coverage
    if len(report.days) > _FINE:
        per_day = stream.per_day
        values = [per_day.get(day, 0) for day in report.days]
    else:
        first = int(span.start.timestamp()) // 3600
        hours = -((span.start - span.end) // timedelta(hours=1))
        values = [stream.hours.get(first + each, 0) for each in range(hours)]
    return {
        "page": page_of(stream),
        "title": title,
        "what": f"{stream.source} · {stream.program}",
        "spark": drawn(chart.spark(values, f"Posts of {title} over time")),
        "strip": drawn(chart.strip(found, span, words.coverage(stream), 10, dated=False)) if found else "",
        "posts": words.number(stream.posts),
        "covered": words.covered(found),
        "lost": words.lost(found),
        "volume": size(stream.bytes),
        "cost": words.money(stream.dollars),
    }


def _linked(contact: str) -> Markup | str:
    if contact.startswith(("https://", "http://")):
        return Markup('<a href="{0}">{0}</a>').format(contact)
    if "@" in contact and " " not in contact:
        return Markup('<a href="mailto:{0}">{0}</a>').format(contact)
    return contact
