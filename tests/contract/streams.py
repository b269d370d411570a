"""A stream of Bluesky at simulated hosts: the real program, and what must be in its files."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sfm_stream.sources.bluesky.events import read
from sfm_stream.sources.bluesky.selection import Selection
from sfm_stream.sources.bluesky.settings import BlueskyStream
from tests.contract.host import Jetstream, is_post, number_of
from tests.fault.compare import files_are_whole, lines_of
from tests.fault.world import Entry, World
from tests.support.waiting import until

WORDS = ("vote", "election", "the")


class BlueskyWorld(World):
    """One filter at one host or several, with everything that belongs to it in one folder."""

    def __init__(self, folder: Path, *hosts: Jetstream, **settings: object) -> None:
        self.hosts = hosts
        self.folder = folder
        self.arguments, self.program = ["filterstream", "votes"], "bluesky-votes"
        self.data, self.state = folder / "data", folder / "state"
        self.settings = {
            "source": "bluesky",
            "name": "votes",
            "track": WORDS,
            "data_dir": str(self.data),
            "state_dir": str(self.state),
            "save_interval": 3.0,
            "min_free": "0",
            "hosts": [each.url for each in hosts],
            **settings,
        }
        if self.settings.get("everything"):
            del self.settings["track"]
        self.processes = []
        for directory in (self.data, self.state):
            directory.mkdir(parents=True, exist_ok=True)
        self.write_settings()

    @property
    def wire(self) -> int:
        """Which wire it speaks."""
        return int(str(self.settings.get("wire", 2)))

    def order(self, *steps: Entry) -> None:
        """Orders faults of the first host."""
        self.hosts[0].order(*steps)

    def kept(self) -> list[int]:
        """The numbers of the events in the files, in the order of the files; each line as the host sent it."""
        numbers = []
        for line in lines_of(self):
            number = number_of(line)
            assert line in [host.line(number, self.wire) for host in self.hosts], f"altered: {line!r} {self}"
            numbers.append(number)
        return numbers

    def kept_more(self, lines: int = 1) -> None:
        """Waits until so many more lines have come."""
        before = self.status().get("posts_today", 0)
        until(lambda: self.status().get("posts_today", 0) >= before + lines, lines, "more lines in", self)

    def caught_up(self) -> None:
        """Waits until what happens now has been sent."""
        now = time.time()

        def sent() -> bool:
            latest = [host.ledger("post")[-1:] for host in self.hosts if host.process.poll() is None]
            times = [self.hosts[0].network.time(int(each[0]["id"])).timestamp() for each in latest if each]
            return max(times, default=0.0) > now

        until(sent, "the present sent to", self)

    def wanted(self, first: int, last: int) -> Iterator[int]:
        """The numbers of the events from `first` to `last` that the filter keeps, if it holds nothing before them."""
        stream = msgspec.convert(self.settings, BlueskyStream)
        selection, posts, accounts = Selection(stream), set(), set()
        for number in range(first, last + 1):
            event = self.hosts[0].network.event(number)
            if event.kind == "account":
                if stream.everything or event.did in accounts:
                    yield number
                continue
            if not is_post(event):
                continue
            key = (event.did, event.body["rkey"])
            if event.body["operation"] == "delete":
                if stream.everything or key in posts:
                    yield number
            elif stream.everything or self._matches(selection, number):
                posts.add(key)
                accounts.add(event.did)
                yield number

    def _matches(self, selection: Selection, number: int) -> bool:
        event = read(self.hosts[0].line(number, self.wire))
        return event is not None and selection.matches(event)


def nothing_missing_and_nothing_twice(world: BlueskyWorld) -> int:
    """Asserts that the files hold what the network made from the first to the last line kept; returns how many.

    To be called when the program has ended. An account's events may be kept that came shortly before its first post:
    a replay brings them again when it is held.
    """
    files_are_whole(world)
    kept = world.kept()
    twice = [number for number, times in Counter(kept).items() if times > 1]
    assert not twice, f"{len(twice)} twice: {twice[:5]} {world}"
    assert kept, str(world)
    first = min(kept)
    wanted = set(world.wanted(first, max(kept)))
    missing = sorted(wanted - set(kept))
    assert not missing, f"{len(missing)} of {len(wanted)} missing: {missing[:5]} of {first}..{max(kept)} {world}"
    more = [number for number in set(kept) - wanted if world.hosts[0].network.event(number).kind != "account"]
    assert not more, f"kept and not wanted: {more[:5]} {world}"
    return len(kept)
