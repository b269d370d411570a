"""Capturing X: CPU, memory and disk of one post, by program.

Each competitor reads the same posts over TLS, as fast as it can. What it uses for a single post is taken off: the start
of Python and of its libraries, the connection, the end. The floor is tweepy reading lines and dropping them; the
compressor alone reads a file of the same posts and writes it compressed. While it does, the server rests, which makes
either core faster on most machines: so tweepy with nothing but a compressor is measured as well, which no program
can undercut by much.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, cast

import msgspec

from benchmarks.lib import per_post, process, rounds
from benchmarks.lib.process import CompetitorError, Used, fresh
from benchmarks.lib.programs import Program
from benchmarks.lib.result import Plan, Result, Table
from benchmarks.lib.x_server import serving, token
from sfm_stream.settings.model import StreamSettings

POSTS, BOUNDED_POSTS = 60_000, 12_000
FLOOR_FACTOR = 5
RATE = 5_000
"""Posts a second that must be taken without loss on one core."""

_PEERS = Path(__file__).parents[1] / "peers"
FLOOR, GZIP, ZSTD = "tweepy, reading and dropping", "zlib-ng level 6 alone", "zstd level 3 alone"
GNU_GZIP = "zlib level 6 alone, gzip's own"
BARE_GZIP, BARE_ZSTD = "tweepy and zlib-ng, no more", "tweepy and zstd, no more"
OURS_GZIP, OURS_ZSTD = "sfm-stream, gzip", "sfm-stream, zstd"
SFM, TWARC = "tweepy and gzip.open, SFM's way", "twarc2 sample, uncompressed"


class Figure(NamedTuple):
    """Of one run.

    Attributes:
        used: CPU seconds and megabytes.
        size: Bytes on disk; None where nothing is kept.
        posts: Lines on disk; None where they are not counted.
    """

    used: Used
    size: int | None = None
    posts: int | None = None


class Captures:
    """Runs the competitors against one server.

    Args:
        plan: Where to work, and with what.
        port: The server's.
    """

    def __init__(self, plan: Plan, port: int) -> None:
        self._plan, self._port = plan, port
        self._trust = {"REQUESTS_CA_BUNDLE": str(plan.folder / "authority.pem")}

    def competitors(self) -> dict[str, Callable[[int], Figure]]:
        """Each takes the number of posts to read."""
        chosen: dict[str, Callable[[int], Figure]] = {
            FLOOR: lambda posts: self._peer(_PEERS / "tweepy_reader.py", token(posts), posts),
            GZIP: lambda posts: self._alone("zlib-ng", 6, posts),
            ZSTD: lambda posts: self._alone("zstd", 3, posts),
            GNU_GZIP: lambda posts: self._alone("gzip", 6, posts),
            BARE_GZIP: lambda posts: self._bare("zlib-ng", 6, posts),
            BARE_ZSTD: lambda posts: self._bare("zstd", 3, posts),
            OURS_GZIP: lambda posts: self.ours(posts, {}),
        }
        if "compression" in {field.name for field in msgspec.structs.fields(StreamSettings)}:
            chosen[OURS_ZSTD] = lambda posts: self.ours(posts, {"compression": "zstd"})
        chosen[SFM] = lambda posts: self._peer(_PEERS / "tweepy_reader.py", token(posts), posts, "posts.gz")
        chosen[TWARC] = lambda posts: self._peer(
            "twarc", "--bearer-token", token(posts), "sample", "--limit", posts, "posts.jsonl"
        )
        return chosen

    def _peer(self, target: Path | str, *arguments: object) -> Figure:
        place = fresh(self._plan.folder / "peer")
        command: list[str | Path] = [
            self._plan.peers,
            _PEERS / "at_port.py",
            str(self._port),
            target,
            *map(str, arguments),
        ]
        used = process.run(command, env={**self._trust, "HOME": str(place)}, cwd=place)
        kept = [file.stat().st_size for file in place.glob("posts.*")]
        return Figure(used, sum(kept) if kept else None)

    def _bare(self, kind: str, level: int, posts: int) -> Figure:
        return self._peer(_PEERS / "tweepy_reader.py", token(posts), posts, "posts.out", kind, level)

    def _alone(self, kind: str, level: int, posts: int) -> Figure:
        place = fresh(self._plan.folder / "alone")
        with (self._plan.folder / "posts.jsonl").open("rb") as lines:
            size = sum(len(next(lines)) for _ in range(posts))
        arguments: list[str | Path] = [kind, str(level), str(size), self._plan.folder / "posts.jsonl", place / "out"]
        used = process.run([self._plan.peers, _PEERS / "compressor.py", *arguments], cwd=place)
        return Figure(used, (place / "out").stat().st_size)

    def ours(self, posts: int, settings: dict[str, object], rate: int = 0) -> Figure:
        """A program as hosts run it, stopped as supervisor does when it has them all."""
        stream = {
            "kind": "filterstream",
            "name": "b",
            "credential": "c",
            "api_url": f"https://localhost:{self._port}",
            "rules": [{"name": "main", "track": ["storm"]}],
            **settings,
        }
        program = Program(self._plan.folder / "ours", stream, environment=self._trust, token=token(posts, rate))
        used = program.run_until(lambda status: cast(int, status["posts_today"]) >= posts)
        return Figure(used, program.size, program.kept)


def run_paced(captures: Captures, settings: dict[str, object], seconds: int, start: float) -> tuple[float, int]:
    """The share of a core at `RATE`, and how many posts were lost."""
    posts = RATE * seconds
    figure = captures.ours(posts, settings, RATE)
    return (figure.used.cpu - start) / seconds, posts - (figure.posts or 0)


def run(plan: Plan) -> Result:
    """Measures."""
    posts = BOUNDED_POSTS if plan.bounded else POSTS
    seconds = 3 if plan.bounded else 30
    with serving(plan.folder, posts) as port:
        captures = Captures(plan, port)
        competitors = captures.competitors()
        # The floor is a small thing beside its start: it reads more of them, the same again.
        counts = {name: posts * FLOOR_FACTOR if name == FLOOR else posts for name in competitors}
        found = per_post.measure(plan.rounds, competitors, counts)
        paced = {
            name: run_paced(captures, {"compression": "zstd"} if name == OURS_ZSTD else {}, seconds, found.starts[name])
            for name in competitors
            if name in (OURS_GZIP, OURS_ZSTD)
        }
        with (plan.folder / "posts.jsonl").open("rb") as lines:
            mean = sum(map(len, lines)) / posts
    for name, figures in found.figures.items():
        if lost := sum(posts - figure.posts for figure in figures if figure.posts is not None):
            raise CompetitorError(f"{name} lost {lost} posts")
    rows = [
        (
            name,
            f"{found.usual(name):.1f}",
            f"{found.memory(name):.0f}",
            figures[0].size and f"{figures[0].size / posts:.0f}",
            f"{found.starts[name]:.2f}",
        )
        for name, figures in found.figures.items()
    ]
    title = f"{posts} posts of {mean:.0f} bytes over TLS"
    flood = [(name, f"{share:.0%}", lost) for name, (share, lost) in paced.items()]
    return Result(
        [
            Table(title, ("PROGRAM", "CPU µs/POST", "PEAK MB", "BYTES/POST ON DISK", "START, CPU s"), rows),
            Table(f"{RATE} posts a second for {seconds} s", ("PROGRAM", "SHARE OF A CORE", "POSTS LOST"), flood),
        ],
        _ratios(found.cost, {name: figures[0].size or 0 for name, figures in found.figures.items()}, paced),
    )


def _ratios(
    cost: dict[str, list[float]], size: dict[str, int], paced: dict[str, tuple[float, int]]
) -> dict[str, float]:
    found: dict[str, float] = {}
    for ours, alone, bare in ((OURS_GZIP, GZIP, BARE_GZIP), (OURS_ZSTD, ZSTD, BARE_ZSTD)):
        if ours not in cost:
            continue
        kind = ours.split()[-1]
        least = [floor + compressor for floor, compressor in zip(cost[FLOOR], cost[alone], strict=True)]
        found[f"{kind} / (floor + compressor)"] = rounds.ratio(cost[ours], least)
        found[f"{kind} / bare"] = rounds.ratio(cost[ours], cost[bare])
        found[f"twarc2 / {kind}"] = rounds.ratio(cost[TWARC], cost[ours])
        found[f"SFM's way / {kind}"] = rounds.ratio(cost[SFM], cost[ours])
        found[f"posts lost, {kind}"] = paced[ours][1]
    if OURS_ZSTD in size:
        found["size of zstd / gzip -6"] = size[OURS_ZSTD] / size[GNU_GZIP]
    return found
