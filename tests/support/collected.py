"""A host on which collecting went on for a while, made of simulated posts: for reports, pictures and benchmarks.

The same arguments make the same files. Posts come as the simulators make them, more by day than at night; journals,
histories and manifests are as the programs and the sorting leave them.
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import math
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from sfm_stream import clock, names
from sfm_stream.archive import manifest
from sfm_stream.sources import registry
from sfm_stream.sources.bluesky.simulator import events as bluesky
from sfm_stream.sources.bluesky.simulator.wires import encode
from sfm_stream.sources.wikimedia.simulator.events import Wikis
from sfm_stream.sources.x.simulator import generator as x
from sfm_stream.sources.x.simulator.ids import EPOCH_MS

_POSTS = "app.bsky.feed.post"
Line = Callable[[random.Random, datetime, int], bytes]


class Collecting(NamedTuple):
    """One stream.

    Attributes:
        source: Its source.
        name: Its filter.
        per_day: Posts a day, about.
        settings: What is asked for, by the days after the start on which it was.
        gaps: Hours after the start, minutes, cause, planned, recovered.
        burst: Days after the start at which more is posted than usual, for some hours.
    """

    source: str
    name: str
    per_day: int
    settings: Mapping[float, Mapping[str, Any]] = {0.0: {}}
    gaps: Sequence[tuple[float, float, str, bool, bool | None]] = ()
    burst: float | None = None

    @property
    def program(self) -> str:
        """Its program."""
        return registry.program(self.source, self.name)


class Host:
    """The directories of a host.

    Args:
        top: Where they are made.
        start: The first day.
        days: How many.
        minutes: How long a file is written.
    """

    def __init__(self, top: Path, start: date, days: int, minutes: int = 15) -> None:
        self.config, self.state, self.data = top / "etc", top / "state", top / "data"
        self.start = datetime.combine(start, time(), UTC)
        self.end = self.start + timedelta(days=days)
        self._step = timedelta(minutes=minutes)
        for folder in ("journal", "history", "status", "lock"):
            (self.state / folder).mkdir(parents=True, exist_ok=True)
        (self.config / "streams").mkdir(parents=True, exist_ok=True)
        self.data.mkdir(exist_ok=True)

    @property
    def options(self) -> list[str]:
        """With which `sfm-stream report` finds them."""
        places = ("--config-dir", self.config, "--state-dir", self.state, "--dir", self.data)
        return [str(each) for each in places]

    def describe(self, **said: object) -> None:
        """Writes what is said of the collection."""
        (self.config / "collection.json").write_text(json.dumps(said))

    def collect(self, stream: Collecting, seed: int = 1) -> int:
        """Makes all that a stream leaves; returns how many posts it wrote."""
        dice = random.Random(seed)
        self._history(stream)
        entries = [*self._gaps(stream), (self.start, "start", {"pid": 1}), (self.start, "connect", {})]
        entries.append((self.end, "stop", {"reason": "SIGTERM", "planned": True}))
        line, posts, number = _LINES[stream.source](seed), 0, 0
        away = [(self.start + timedelta(hours=hour), timedelta(minutes=long)) for hour, long, *_ in stream.gaps]
        begin = self.start
        while begin < self.end:
            end = begin + self._step
            wanted = (
                stream.per_day * self._step.total_seconds() / 86400 * _by_day(begin) * _burst(stream, self.start, begin)
            )
            times = sorted(
                begin + self._step * dice.random() for _ in range(_whole(wanted * dice.uniform(0.8, 1.2), dice))
            )
            lines = [
                line(dice, when, (number := number + 1))
                for when in times
                if not any(gone <= when < gone + long for gone, long in away)
            ]
            if lines:
                entries.append(self._file(stream.program, begin, end, lines, dice))
                posts += len(lines)
            begin = end
        with (self.state / "journal" / f"{stream.program}.jsonl").open("wb") as journal:
            for when, event, fields in sorted(entries, key=lambda each: each[0]):
                journal.write(msgspec.json.encode({"time": clock.text(when), "event": event, **fields}) + b"\n")
        return posts

    def _file(self, program: str, begin: datetime, end: datetime, lines: list[bytes], dice: random.Random) -> Any:
        raw = gzip.compress(b"\n".join([*lines, b""]), 1, mtime=0)
        name = str(names.CaptureName(program=program, time=begin))
        day = self.data / program / f"{begin:%Y/%m/%d}"
        (day / f"{begin:%H}").mkdir(parents=True, exist_ok=True)
        (day / f"{begin:%H}" / name).write_bytes(raw)
        digest = hashlib.sha256(raw).hexdigest()
        with (day / manifest.NAME).open("a") as file:
            file.write(manifest.entry(digest, f"{begin:%H}/{name}"))
        fields = {"file": name, "posts": len(lines), "bytes": len(raw), "sha256": digest}
        return end, "rotate", fields | ({"duplicates": 1} if dice.random() < 0.01 else {})

    def _history(self, stream: Collecting) -> None:
        with (self.state / "history" / f"{stream.program}.jsonl").open("wb") as file:
            for day, settings in stream.settings.items():
                whole = {"name": stream.name, "source": stream.source, **settings}
                digest = hashlib.sha256(msgspec.json.encode(whole)).hexdigest()
                when = self.start + timedelta(days=day)
                asked = {"time": clock.text(when), "sha256": digest, "settings": whole}
                held = {"time": clock.text(when + timedelta(seconds=2)), "sha256": digest, "in_force": True}
                file.write(msgspec.json.encode(asked) + b"\n" + msgspec.json.encode(held) + b"\n")

    def _gaps(self, stream: Collecting) -> Iterator[Any]:
        for hour, minutes, cause, planned, recovered in stream.gaps:
            start = self.start + timedelta(hours=hour)
            end = start + timedelta(minutes=minutes)
            fields = {"start": clock.text(start), "end": clock.text(end), "seconds": minutes * 60, "cause": cause}
            more = {} if recovered is None else {"recovered": recovered}
            yield end, "gap", {**fields, "planned": planned, **more}
            yield end + timedelta(milliseconds=1), "connect", {}


def _by_day(when: datetime) -> float:
    """How much is posted at an hour, beside the mean: little at night."""
    return 1 + 0.7 * math.sin((when.hour + when.minute / 60 - 9) / 24 * 2 * math.pi)


def _burst(stream: Collecting, start: datetime, when: datetime) -> float:
    if stream.burst is None:
        return 1.0
    hours = (when - start) / timedelta(hours=1) - stream.burst * 24
    return 1 + (6 * math.exp(-hours / 6) if hours >= 0 else 0.0)


def _whole(number: float, dice: random.Random) -> int:
    return int(number) + (dice.random() < number % 1)


def _x(seed: int) -> Line:
    made = x.Generator(seed)
    drafts = [json.dumps(made.next().envelope, ensure_ascii=False, separators=(",", ":")) for _ in range(1500)]

    def line(dice: random.Random, when: datetime, number: int) -> bytes:
        stamp = clock.text(when)
        post = str((int(when.timestamp() * 1000) - EPOCH_MS) << 22 | number & 0xFFF)
        draft = drafts[min(dice.randrange(1500), dice.randrange(1500), dice.randrange(1500))]
        return draft.replace(x.ID, post).replace(x.CREATED, stamp).replace(x.UNTIL, stamp).encode()

    return line


def _bluesky(seed: int) -> Line:
    network = bluesky.Network(seed, 50, 1.7e9)
    happenings = (network.event(number) for number in itertools.count())
    posts = itertools.islice((each for each in happenings if each.body.get("collection") == _POSTS), 2000)
    events = list(posts)

    def line(dice: random.Random, when: datetime, number: int) -> bytes:
        event = events[min(dice.randrange(2000), dice.randrange(2000))]
        return encode(msgspec.structs.replace(event, time=when, number=number), 2, number)

    return line


def _wikimedia(seed: int) -> Line:
    wikis = Wikis(seed, 50, 1.7e9)
    edits = [wikis.event(number) for number in range(1500) if number % 100 != 99]

    def line(dice: random.Random, when: datetime, number: int) -> bytes:
        edit = edits[min(dice.randrange(len(edits)), dice.randrange(len(edits)))]
        return re.sub(rb'"dt":"[^"]*"', b'"dt":"%s"' % clock.text(when).encode(), edit, count=1)

    return line


_LINES: dict[str, Callable[[int], Line]] = {"x": _x, "bluesky": _bluesky, "wikimedia": _wikimedia}


def three_streams(top: Path, start: date, days: int, per_day: int = 3000) -> Host:
    """A host with a stream of each source: described, changed on the way, with gaps of each kind."""
    host = Host(top, start, days)
    host.describe(
        title="Autumn storms 2026",
        creator="Weather and Society Lab, Example University",
        purpose="How storms and floods of autumn 2026 were talked about, and how warnings of agencies spread. "
        "Collected from two networks and from the edits of five wikis.",
        rights="For research at Example University; ids may be shared, texts may not.",
        contact="storms@example.edu",
        filters={
            "twitterfilter-storms": {"title": "Storms on X", "purpose": "Reports of storms, and what agencies post."},
            "bluesky-storms": {"title": "Storms on Bluesky"},
        },
    )
    rules = [{"name": "agencies", "follow": ["NWS", "NHC_Atlantic"]}, {"name": "reports", "track": ["storm", "hail"]}]
    wider = [rules[0], {"name": "reports", "track": ["storm", "hail", "flash flood", "tornado"]}]
    common = {"kind": "filterstream", "credential": "weather", "save_interval": 900}
    middle, span = days / 3, days * 24
    collecting = (
        Collecting(
            "x",
            "storms",
            per_day,
            {0.0: {**common, "rules": rules}, round(middle, 1): {**common, "rules": wider}},
            [
                (span * 0.11, 4, "closed by X, announced", False, True),
                (span * 0.29, 95, "no answer: Connection timed out", False, None),
                (span * 0.42, 2, "stopped: SIGTERM", True, None),
                (span * 0.58, 240, "budget: 20000 of 20000 posts a day", True, None),
                (span * 0.81, 12, "silent for 30 s", False, None),
            ],
            burst=middle,
        ),
        Collecting(
            "bluesky",
            "storms",
            per_day // 2,
            {0.0: {"track": ["storm", "hail"], "langs": ["en", "es"]}},
            [(span * 0.3, 130, "no answer: Connection timed out", False, True)],
            burst=middle,
        ),
        Collecting("wikimedia", "weather", per_day // 3, {0.0: {"wikis": ["enwiki", "eswiki"], "track": ["storm"]}}),
    )
    for number, stream in enumerate(collecting, start=1):
        host.collect(stream, number)
    return host
