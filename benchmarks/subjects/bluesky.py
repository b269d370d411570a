"""Capturing Bluesky: CPU and memory of one post of the whole stream, and of one that a filter passes over.

The floor is websockets' own blocking client reading the same frames and dropping them. All read a simulated Jetstream
that sends faster than the whole of Bluesky writes; what each uses for a single post is taken off.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

from benchmarks.lib import per_post, process, rounds
from benchmarks.lib.process import Used
from benchmarks.lib.programs import Program
from benchmarks.lib.result import Plan, Result, Table
from sfm_stream.sources.bluesky.session import Request
from tests.support.simulator import Simulator

POSTS, BOUNDED_POSTS = 60_000, 6_000
EVENTS_PER_POST = 4
RATE = 2_000
"""Posts a second; the whole of Bluesky writes some 50, and sends 350 events."""
POST = "app.bsky.feed.post"
FLOOR, WHOLE, ZSTD = "websockets, reading and dropping", "sfm-stream, everything", "sfm-stream, everything, zstd"
FILTER = "sfm-stream, a word that few posts have"
_READER = Path(__file__).parents[1] / "peers" / "websocket_reader.py"


class _Figure(NamedTuple):
    used: Used
    lost: int = 0


def run(plan: Plan) -> Result:
    """Measures."""
    posts = BOUNDED_POSTS if plan.bounded else POSTS
    with Simulator(plan.folder / "bluesky", "--rate", str(RATE * EVENTS_PER_POST), source="bluesky") as simulator:
        host = simulator.url.replace("http:", "ws:")

        def floor(count: int) -> _Figure:
            url = Request(host=host, wire=2, collections=(POST,)).url
            return _Figure(process.run([plan.peers, _READER, url, str(count)], cwd=process.fresh(plan.folder / "peer")))

        def ours(count: int, **settings: object) -> _Figure:
            program = Program(plan.folder / "ours", {"source": "bluesky", "name": "b", "hosts": [host], **settings})
            return _Figure(program.run_until(lambda status: _seen(status) >= count), program.overflowed)

        competitors: dict[str, Callable[[int], _Figure]] = {
            FLOOR: floor,
            WHOLE: partial(ours, everything=True),
            ZSTD: partial(ours, everything=True, compression="zstd"),
            FILTER: partial(ours, track=["xylophone"]),
        }
        found = per_post.measure(plan.rounds, competitors, dict.fromkeys(competitors, posts))
    rows = [
        (
            name,
            f"{found.usual(name):.1f}",
            f"{found.memory(name):.0f}",
            f"{found.usual(name) * 350 / 1e4:.1f} %",
            sum(figure.lost for figure in figures),
        )
        for name, figures in found.figures.items()
    ]
    ratios = {f"{name} / floor": rounds.ratio(found.cost[name], found.cost[FLOOR]) for name in (WHOLE, ZSTD, FILTER)}
    ratios["posts lost"] = sum(figure.lost for figures in found.figures.values() for figure in figures)
    header = ("PROGRAM", "CPU µs/POST", "PEAK MB", "OF A CORE AT 350/s", "POSTS LOST")
    return Result([Table(f"{posts} posts at {RATE} a second", header, rows)], ratios)


def _seen(status: dict[str, object]) -> int:
    return cast(int, status["posts_today"]) + cast(int, status["unmatched_today"])
