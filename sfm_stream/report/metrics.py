"""The view as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from sfm_stream.report.view import DiskView, JobView, Overview, StreamView

T = TypeVar("T")
Value = float | None
OfStream = tuple[str, str, Callable[[StreamView], Value]]

GAUGES: tuple[OfStream, ...] = (
    ("active", "Whether the settings declare a running program.", lambda s: s.active),
    ("well", "Whether the stream is in no trouble.", lambda s: s.well),
    (
        "connected",
        "Whether a connection stands.",
        lambda s: s.state in ("connected", "quiet", "starving", "silent"),
    ),
    ("running", "Whether supervisor has the program as RUNNING.", lambda s: s.supervisor == "RUNNING"),
    ("last_byte_timestamp_seconds", "When anything last arrived.", lambda s: _seconds(s.last_byte)),
    ("last_post_timestamp_seconds", "When a post last arrived.", lambda s: _seconds(s.last_post)),
    ("posts_per_minute", "Posts a minute over the last ten minutes.", lambda s: s.per_minute),
    ("usual_posts_per_minute", "The same as it is usual at this hour.", lambda s: s.usual),
    ("gaps_today", "Times without a connection since midnight UTC that were not made good.", lambda s: s.gaps_today),
    ("gap_today_seconds", "How long these lasted together.", lambda s: s.gap_seconds_today),
    ("connected_ratio", "The share of the last 24 hours with a connection.", lambda s: s.connected),
    ("covered_ratio", "The share of the last 24 hours of which the source has sent what passed.", lambda s: s.covered),
    ("rules_missing", "Rules of the settings that the source does not hold.", lambda s: s.rules_missing),
    ("budget_month_posts", "Posts that the credential may consume in this month.", lambda s: s.per_month),
    ("budget_day_posts", "Posts that the credential may consume in this day.", lambda s: s.per_day),
    ("consumed_month_posts", "Posts that the credential consumed in this month (UTC).", lambda s: s.this_month),
    ("consumed_day_posts", "Posts that the credential consumed in this day (UTC).", lambda s: s.today),
    ("cost_month_dollars", "The price of this month's posts.", lambda s: s.dollars),
)
COUNTERS: tuple[OfStream, ...] = (
    ("posts", "Posts; the count begins anew at midnight UTC.", lambda s: s.posts_today),
    (
        "received_bytes",
        "Their size in bytes as they arrived; the count begins anew at midnight UTC.",
        lambda s: s.bytes_today,
    ),
)
DISKS: tuple[tuple[str, str, Callable[[DiskView], Value]], ...] = (
    ("free_bytes", "Bytes free for the programs.", lambda d: d.free),
    ("size_bytes", "Bytes that the filesystem has.", lambda d: d.size if d.free is not None else None),
    ("floor_bytes", "Bytes that must stay free.", lambda d: d.floor if d.free is not None else None),
    ("full_seconds", "Seconds until the floor at the pace of the last 24 hours.", lambda d: _of_days(d.days)),
)
JOBS: tuple[tuple[str, str, Callable[[JobView], Value]], ...] = (
    ("last_run_timestamp_seconds", "When the job last ran.", lambda j: _seconds(j.time)),
    ("last_exit_code", "With which exit code it ended.", lambda j: j.exit_code),
)


class _View:
    """A collector, as the client library calls what it reads from."""

    def __init__(self, view: Overview) -> None:
        self._view = view

    def collect(self) -> Iterator[Metric]:
        view = self._view
        yield _one("sfm_look_timestamp_seconds", "When all of this was looked at.", view.time.timestamp())
        yield _one("sfm_supervisord_up", "Whether supervisord answers.", view.host.supervisor == "answers")
        yield _one("sfm_planned_work", "Whether a deployment is under way.", view.host.planned is not None)
        info = GaugeMetricFamily("sfm_build_info", "The release.", labels=["version"])
        info.add_metric([view.host.version], 1)
        yield info
        yield self._troubles()
        streams = {each.program: each for each in view.streams}
        info = GaugeMetricFamily(
            "sfm_stream_info", "What a stream is, and its state.", labels=["program", "source", "state", "version"]
        )
        for each in view.streams:
            info.add_metric([each.program, each.source, each.state, each.version], 1)
        yield info
        for name, text, value in GAUGES:
            yield _family(GaugeMetricFamily, f"sfm_stream_{name}", text, "program", streams.items(), value)
        for name, text, value in COUNTERS:
            yield _family(CounterMetricFamily, f"sfm_stream_{name}", text, "program", streams.items(), value)
        disks = [(each.path, each) for each in view.host.disks]
        for name, text, of_disk in DISKS:
            yield _family(GaugeMetricFamily, f"sfm_disk_{name}", text, "path", disks, of_disk)
        jobs = [(each.name, each) for each in view.host.jobs]
        for name, text, of_job in JOBS:
            yield _family(GaugeMetricFamily, f"sfm_job_{name}", text, "name", jobs, of_job)

    def _troubles(self) -> Metric:
        family = GaugeMetricFamily(
            "sfm_trouble",
            "What is not as it should be; the host's own troubles have no program.",
            labels=["program", "kind", "severity"],
        )
        for program, kind, severity in dict.fromkeys(
            (program, each.kind.value, each.severity.value) for program, each in self._view.troubles()
        ):
            family.add_metric([program, kind, severity], 1)
        return family


def text(view: Overview) -> bytes:
    """The metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_View(view))
    return generate_latest(registry)


def _family(
    kind: type[GaugeMetricFamily | CounterMetricFamily],
    name: str,
    text: str,
    label: str,
    items: Iterable[tuple[str, T]],
    value: Callable[[T], Value],
) -> Metric:
    family = kind(name, text, labels=[label])
    for key, item in items:
        if (number := value(item)) is not None:
            family.add_metric([key], number)
    return family


def _one(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _seconds(time: datetime | None) -> Value:
    return time.timestamp() if time else None


def _of_days(days: Value) -> Value:
    return None if days is None else days * 86400
