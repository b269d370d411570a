"""What the page of one stream shows, section by section: words, charts and rows for its template. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from markupsafe import Markup, escape

from sfm_stream.archive.job import count
from sfm_stream.report import chart
from sfm_stream.report import page_words as words
from sfm_stream.report.page_figures import Report, StreamFigures, TopEntry, causes, gap_kind, within
from sfm_stream.report.page_tables import files_of
from sfm_stream.table import duration, moment, size

Context = dict[str, Any]
"""What a template is given."""

MOST_GAPS = 200
"""Rows of the table of gaps on a page."""
MOST_DAYS = 62
"""Days whose hours a page shows; a chart of more would show nothing."""
_FIRST_DAY = date(1970, 1, 1)


def context(report: Report, stream: StreamFigures, span: chart.TimeAxis) -> Context:
    """All that the page shows."""
    return {
        **_head(report, stream),
        **_asked(stream),
        **_over_time(report, stream, span),
        **_coverage(stream),
        "lists": list(_lists(stream)),
        "partial": words.partial(stream),
        **_volume(stream),
        **_files(report, stream),
    }


def page_of(stream: StreamFigures) -> str:
    """The name of its page."""
    return f"stream-{stream.program}.html"


def _head(report: Report, stream: StreamFigures) -> Context:
    a_day = f"{round(stream.posts / len(stream.days)):,} a day" if stream.days else ""
    cells = [
        ("Posts", f"{stream.posts:,}", a_day),
        ("Covered", words.covered(stream.coverage), "of the time"),
        ("Lost", words.lost(stream.coverage), "not asked for, not made good"),
        ("Volume", size(stream.bytes), count(len(stream.files), "file")),
    ]
    if stream.dollars:
        cells.append(("Cost", words.money(stream.dollars), "by the settings' prices"))
    return {
        "stream": stream,
        "title": words.stream_title(stream),
        "collection": words.title_of(report),
        "description": stream.description.over(report.description),
        "span": words.span(report.start, report.end),
        "cells": cells,
    }


def _asked(stream: StreamFigures) -> Context:
    steps = [
        {
            "time": step.time,
            "in_force": step.in_force,
            "sha256": step.sha256,
            "other": step.other,
            "asked": asked,
        }
        for step, asked in zip(stream.steps, words.asked(stream.steps), strict=True)
    ]
    return {"steps": steps}


def _over_time(report: Report, stream: StreamFigures, span: chart.TimeAxis) -> Context:
    days = report.days
    long = len(days) > MOST_DAYS
    day_words, hour_words = words.by_day(stream.per_day, "Posts by day"), words.by_hour(stream.hours)
    found = stream.coverage
    return {
        "day_words": day_words,
        "day_chart": marked(chart.days(stream.per_day, report.start, report.end, day_words)),
        "hour_words": "Gaps over time" if long else f"{hour_words}; gaps below",
        "hour_chart": None if long else marked(chart.hours(stream.hours, span, hour_words)),
        "strip": drawn(chart.strip(found, span, words.coverage(stream), dated=long)) if found else "",
        "matrix_header": ["Day", *(f"{hour:02d}" for hour in range(24))],
        "matrix": [[day, *_hours(stream.hours, day)] for day in days[-MOST_DAYS:]],
        "matrix_cut": long,
    }


def _hours(per_hour: Mapping[int, int], day: date) -> list[str]:
    first = (day - _FIRST_DAY) // timedelta(hours=1)
    return [words.number(per_hour.get(first + hour, 0)) for hour in range(24)]


def _coverage(stream: StreamFigures) -> Context:
    found = stream.coverage
    if found is None:
        return {"coverage_words": words.coverage(stream), "causes": [], "losses": [], "gaps": [], "gaps_cut": 0}
    longest = sorted(found.gaps, key=lambda gap: -within(gap, found))
    return {
        "coverage_words": words.coverage(stream),
        "causes": [
            [each.cause, _kind(each.kind), words.number(each.gaps), duration(each.seconds)] for each in causes(found)
        ],
        "losses": [
            [moment(loss.time), moment(loss.end) if loss.end else "", words.number(loss.posts), loss.what]
            for loss in found.losses[:MOST_GAPS]
        ],
        "gaps": [
            [
                *(moment(gap.start), moment(gap.end) if gap.end else "lasts", duration(within(gap, found))),
                *(_kind(gap_kind(gap)), gap.cause),
            ]
            for gap in longest[:MOST_GAPS]
        ],
        "gaps_cut": len(longest) if len(longest) > MOST_GAPS else 0,
    }


def _kind(kind: str) -> Markup:
    return Markup('<span class="kind k-{0}">{0}</span>').format(kind)


def _lists(stream: StreamFigures) -> Iterator[Context]:
    lists: tuple[tuple[str, str, Callable[[TopEntry], str], bool], ...] = (
        ("Languages", "Language", lambda each: each.what or "none stated", True),
        ("Hashtags", "Hashtag", lambda each: f"#{each.what}", False),
        ("Accounts", "Account", lambda each: each.name or each.what, False),
        ("Links", "Address", lambda each: address(each.what), True),
    )
    for title, column, show, wide in lists:
        top = getattr(stream, title.lower() if title != "Hashtags" else "tags")
        if top is not None and top.entries:
            entries = [(show(each), each.posts) for each in top.entries]
            yield {"title": title, "column": column, "entries": entries, "more": words.floor(top), "wide": wide}


def address(link: str) -> Markup | str:
    """A link to follow; other texts, such as scripts, are shown alone."""
    if link.startswith(("https://", "http://")):
        return Markup('<a href="{}" rel="nofollow noreferrer">{}</a>').format(link, words.link(link))
    return escape(words.link(link))


def _volume(stream: StreamFigures) -> Context:
    priced = bool(stream.dollars)
    header = ["Day", "Files", "Posts", "Deletes seen", "Duplicates", "Volume", *(["Cost"] if priced else [])]
    return {
        "priced": priced,
        "volume_words": words.volume(stream),
        "volume_header": header,
        "volume": [
            [
                *(each.day, words.number(each.files), words.number(each.posts), words.number(each.deletes)),
                *(words.number(each.duplicates), size(each.bytes)),
                *([words.money(each.dollars)] if priced else []),
            ]
            for each in stream.days
        ],
    }


def _files(report: Report, stream: StreamFigures) -> Context:
    digest = digest_of([stream])
    title = f"{words.stream_title(stream)}, in: {words.title_of(report)}"
    described = stream.description.over(report.description)
    return {
        "digest": digest,
        "files": f"files-{stream.program}.csv",
        "manifests": [
            [each.day, Markup('<span class="hash">{}</span>').format(each.manifest)]
            for each in stream.days
            if each.manifest
        ],
        "citation": words.cite(report, title, described, stream.source, stream.posts, digest, stream.program),
    }


def digest_of(streams: Sequence[StreamFigures]) -> str:
    """The sha256 of the lists of all files: the same as long as these are the same."""
    return hashlib.sha256("".join(map(files_of, streams)).encode()).hexdigest()


def marked(made: chart.Chart) -> dict[str, Markup]:
    """A chart, for a template."""
    return {"axis": drawn(made.axis), "plot": drawn(made.plot)}


def drawn(svg: str) -> Markup:
    """A drawing, for a template."""
    return Markup(svg)  # noqa: S704 - `chart` escapes all text in it
