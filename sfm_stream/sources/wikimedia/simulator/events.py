"""What happens in the simulated wikis: each event is computed from its number, so that any replay is exact."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from sfm_stream.simulator.vocabulary import FIRST_NAMES, LANGUAGES, PLACES

TOPIC = "eqiad.mediawiki.recentchange"
CANARY_EVERY = 100
"""Events from one canary to the next; the service sends several an hour."""
_KINDS = ("edit",) * 70 + ("new",) * 8 + ("log",) * 7 + ("categorize",) * 15
_NAMESPACES = (0,) * 60 + (1,) * 10 + (2,) * 5 + (3,) * 10 + (6,) * 5 + (14,) * 10

Json = dict[str, Any]


class Wikis:
    """The sequence of all that happens.

    Args:
        seed: The same seed makes the same sequence.
        rate: Events a second.
        start: When event 0 happened, in seconds since 1970.
    """

    def __init__(self, seed: int, rate: float, start: float) -> None:
        self._seed = seed
        self._rate = rate
        self.start = round(start, 3)
        self._start = datetime.fromtimestamp(self.start, UTC)

    def time(self, number: int) -> datetime:
        """When event `number` happens, to the millisecond: events of one share its position."""
        exact = self._start + timedelta(seconds=number / self._rate)
        return exact.replace(microsecond=exact.microsecond // 1000 * 1000)

    def next_at(self, time: datetime) -> int:
        """The number of the first event at or after `time`; 0 for a time before all."""
        number = max(0, int((time - self._start).total_seconds() * self._rate) - 1)
        while self.time(number) < time:
            number += 1
        while number and self.time(number - 1) >= time:
            number -= 1
        return number

    def position(self, number: int) -> str:
        """The `id` of the event, which names the position in all topics."""
        at = round(self.time(number).timestamp() * 1000)
        return json.dumps(
            [
                {"topic": TOPIC, "partition": 0, "timestamp": at},
                {"topic": TOPIC.replace("eqiad", "codfw"), "partition": 0, "offset": -1},
            ],
            separators=(",", ":"),
        )

    def event(self, number: int) -> bytes:
        """The event's data, one line of JSON."""
        dice = random.Random(self._seed * 1_000_003 + number)  # noqa: S311 - it keeps no secret
        language = dice.choice([each for each in LANGUAGES for _ in range(each.share)])
        topic = dice.choice(language.topics)
        kind, bot = dice.choice(_KINDS), dice.random() < 0.2
        domain = f"{language.code}.wikipedia.org"
        canary = number % CANARY_EVERY == CANARY_EVERY - 1
        name = dice.choice(FIRST_NAMES)
        here, there = (dice.choice(PLACES)[1] for _ in range(2))
        body: Json = {
            "$schema": "/mediawiki/recentchange/1.0.0",
            "meta": {
                "uri": f"https://{domain}/wiki/{number}",
                "id": f"{self._seed:08x}-{number:012x}",
                "dt": self.time(number).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "domain": "canary" if canary else domain,
                "stream": "mediawiki.recentchange",
                "topic": TOPIC,
                "partition": 0,
                "offset": number,
            },
            "id": 10_000_000 + number,
            "type": kind,
            "namespace": dice.choice(_NAMESPACES),
            "title": f"{topic.title()} in {here}",
            "comment": dice.choice(language.sentences).format(topic=topic, place=there, name=name),
            "timestamp": int(self.time(number).timestamp()),
            "user": f"{name}Bot" if bot else name,
            "bot": bot,
            "wiki": f"{language.code}wiki",
            "server_name": domain,
        }
        if kind in ("edit", "new"):
            length = dice.randrange(100, 90_000)
            body["length"] = {"old": length if kind == "edit" else None, "new": length + dice.randrange(-90, 900)}
        return msgspec.json.encode(body)
