"""A stream of Wikimedia at a simulated service: the real program, and what must be in its files."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from sfm_stream.sources.wikimedia.events import read
from sfm_stream.sources.wikimedia.simulator.events import Wikis
from tests.fault.compare import files_are_whole, lines_of
from tests.fault.world import Entry, World
from tests.support.simulator import Simulator
from tests.support.waiting import until

RATE = 200.0
WIKIS = ("enwiki", "eswiki", "dewiki", "jawiki")


class WikimediaWorld(World):
    """One filter, with everything that belongs to it in one folder."""

    def __init__(self, folder: Path, service: Simulator, **settings: object) -> None:
        super().__init__(
            folder,
            service,
            source="wikimedia",
            name="news",
            wikis=WIKIS,
            contact="archive@example.org",
            save_interval=3.0,
            **{"url": service.url, **settings},
        )
        self.arguments, self.program = ["filterstream", "news"], "wikimedia-news"
        for key in ("kind", "credential", "rules", "api_url"):
            del self.settings[key]
        self.write_settings()
        self.wikis = Wikis(1, RATE, service.ask("/_simulator/state")["start"])

    def order(self, *steps: Entry) -> None:
        """Orders faults."""
        self.simulated.plan(*steps)

    def kept_more(self, lines: int) -> None:
        """Waits until so many more lines have come."""
        before = self.status().get("posts_today", 0)
        until(lambda: self.status().get("posts_today", 0) >= before + lines, lines, "more lines in", self)


def nothing_missing_and_nothing_twice(world: WikimediaWorld) -> int:
    """Asserts that the files hold what happened from the first to the last line kept; returns how many."""
    files_are_whole(world)
    numbers = []
    for line in lines_of(world):
        number = json.loads(line)["meta"]["offset"]
        assert line == world.wikis.event(number), f"altered: {line!r} {world}"
        numbers.append(number)
    twice = [number for number, times in Counter(numbers).items() if times > 1]
    assert not twice, f"{len(twice)} twice: {twice[:5]} {world}"
    wanted = set()
    for number in range(min(numbers), max(numbers) + 1):
        event = read(world.wikis.event(number))
        if event is not None and not event.is_canary and event.wiki in WIKIS:
            wanted.add(number)
    assert set(numbers) == wanted, f"missing: {sorted(wanted - set(numbers))[:5]} {world}"
    return len(numbers)
