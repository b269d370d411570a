"""Exporting posts: CSV, CSV with twarc-csv's columns, Parquet and plain reading, beside twarc-csv and gzip alone.

Posts of X of real size, with the fields that twarc asks for: where one has any other, twarc-csv leaves out the whole
batch. The start is taken off: an export of ten posts.
"""

from __future__ import annotations

import gzip
import itertools
import json
import statistics
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from benchmarks.lib import process, rounds, scaling
from benchmarks.lib.posts import Posts
from benchmarks.lib.process import Used
from benchmarks.lib.result import Plan, Result

SIZES, BOUNDED_SIZES = (1_000, 10_000, 100_000), (500, 3_000)
START = 10
READ, CSV, TWARC, PARQUET = "read", "export, CSV", "export, CSV of twarc's columns", "export, Parquet"
PEER, FLOOR = "twarc-csv", "gzip -dc"
_PEER = Path(__file__).parents[1] / "peers" / "twarc_csv.py"
_POST_FIELDS = frozenset(
    """attachments author_id context_annotations conversation_id created_at edit_controls edit_history_tweet_ids
    entities geo id in_reply_to_user_id lang possibly_sensitive public_metrics referenced_tweets reply_settings source
    text withheld""".split()  # noqa: SIM905 - shorter
)
_USER_FIELDS = frozenset(
    """created_at description entities id location name pinned_tweet_id profile_image_url protected public_metrics url
    username verified verified_type withheld""".split()  # noqa: SIM905 - shorter
)


def run(plan: Plan) -> Result:
    """Measures."""
    made: set[int] = set()

    def posts(number: int) -> Path:
        path = plan.folder / f"{number}.jsonl"
        if number not in made:
            made.add(number)
            write(path, number)
        return path

    def ours(number: int, command: str, *options: str) -> Used:
        source = posts(number).with_suffix(".jsonl.gz")
        arguments = [sys.executable, "-m", "sfm_stream", command, "--source", "x", source, *options]
        return process.run(["sh", "-c", '"$@" >/dev/null', "sh", *map(str, arguments)], cwd=plan.folder)

    def export(number: int, name: str, *options: str) -> Used:
        return ours(number, "export", *options, "-o", str(plan.folder / name))

    def peer(number: int) -> Used:
        return process.run([plan.peers, _PEER, posts(number), plan.folder / "theirs.csv"], cwd=plan.folder)

    def floor(number: int) -> Used:
        source = posts(number).with_suffix(".jsonl.gz")
        return process.run(["sh", "-c", f"gzip -dc {source} | wc -l"], cwd=plan.folder)

    competitors: dict[str, Callable[[int], Used]] = {
        FLOOR: floor,
        READ: lambda number: ours(number, "read"),
        CSV: lambda number: export(number, "ours.csv"),
        TWARC: lambda number: export(number, "like-theirs.csv", "--twarc"),
        PARQUET: lambda number: export(number, "ours.parquet"),
        PEER: peer,
    }
    starts = {name: statistics.median(one(START).cpu for _ in range(3)) for name, one in competitors.items()}
    sizes = BOUNDED_SIZES if plan.bounded else SIZES
    figures = scaling.measure(plan.rounds, sizes, competitors)
    cpu = {name: [max(1e-6, one.cpu - starts[name]) for one in by_size[sizes[-1]]] for name, by_size in figures.items()}
    return Result(
        [scaling.table("Posts, start taken off", "post", figures, starts)],
        {
            "twarc-csv / CSV of twarc's columns": rounds.ratio(cpu[PEER], cpu[TWARC]),
            "twarc-csv / CSV": rounds.ratio(cpu[PEER], cpu[CSV]),
            "exponent of CSV": scaling.growth(figures[CSV], starts[CSV]),
            "peak MB, CSV": max(one.memory for used in figures[CSV].values() for one in used),
            "peak MB, Parquet": max(one.memory for used in figures[PARQUET].values() for one in used),
        },
    )


def write(path: Path, number: int) -> None:
    """Posts with the fields that twarc asks for, as JSON lines and packed beside them."""
    with path.open("wb") as plain, gzip.open(path.with_suffix(".jsonl.gz"), "wb", 6) as packed:
        for line in itertools.islice(Posts().lines(), number):
            found = json.loads(line)
            _limit(found["data"], _POST_FIELDS)
            for each in found.get("includes", {}).get("tweets", ()):
                _limit(each, _POST_FIELDS)
            for each in found.get("includes", {}).get("users", ()):
                _limit(each, _USER_FIELDS)
            kept = json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            plain.write(kept)
            packed.write(kept)


def _limit(part: dict[str, Any], names: Collection[str]) -> None:
    for name in part.keys() - names:
        del part[name]
