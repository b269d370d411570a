"""What happens in the simulated network: each event is computed from its number, so that no history must be kept.

Event n happened at the same moment and holds the same content whenever it is asked for, which makes any replay exact,
and lets a test compute what must have arrived.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from sfm_stream.simulator.vocabulary import FIRST_NAMES, LANGUAGES, LAST_NAMES, PLACES

_ACCOUNTS = 400
_MIX = (
    ("like", 55),
    ("post", 25),
    ("repost", 7),
    ("follow", 5),
    ("update", 2),
    ("delete", 3),
    ("identity", 2),
    ("account", 1),
)
"""Of a hundred events; a busier share of posts than the network's, so that a test need not wait."""
_BASE32 = "234567abcdefghijklmnopqrstuvwxyz"
_LOOK_BACK = 400
"""A deletion takes a post of the last so many events."""

Json = dict[str, Any]


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the network, before any wire wraps it.

    Attributes:
        number: Its place in the sequence, from 0.
        time: When the host sent it.
        kind: ``commit``, ``identity`` or ``account``.
        did: Whose it is.
        body: The keys of the commit, or of the identity or account event.
    """

    number: int
    time: datetime
    kind: str
    did: str
    body: Json


class Network:
    """The sequence of all that happens.

    Args:
        seed: The same seed makes the same sequence.
        rate: Events a second.
        start: When event 0 happened, in seconds since 1970.
    """

    def __init__(self, seed: int, rate: float, start: float) -> None:
        self._seed = seed
        self._rate = rate
        self._start = datetime.fromtimestamp(round(start, 3), UTC)
        self._languages = [language for language in LANGUAGES for _ in range(language.share)]
        self._kinds = [kind for kind, share in _MIX for _ in range(share)]

    def time(self, number: int) -> datetime:
        """When event `number` happens."""
        return self._start + timedelta(microseconds=round(number * 1e6 / self._rate))

    def next_after(self, time: datetime) -> int:
        """The number of the first event at or after `time`; 0 for a time before all."""
        number = max(0, int((time - self._start).total_seconds() * self._rate) - 1)
        while self.time(number) < time:
            number += 1
        return number

    def event(self, number: int) -> Happening:
        """Event `number`."""
        dice = self._dice(number)
        kind = self._kind(number)
        did = _did(dice.randrange(_ACCOUNTS))
        if kind == "delete" and (taken := self._deleted(number, dice)) is not None:
            did, key = taken
            return self._commit(number, did, "delete", "app.bsky.feed.post", key, None)
        if kind == "post":
            return self._commit(number, did, "create", "app.bsky.feed.post", _rkey(number), self._post(number, dice))
        if kind == "update":
            record = {"$type": "app.bsky.actor.profile", "displayName": _name(dice)}
            return self._commit(number, did, "update", "app.bsky.actor.profile", "self", record)
        if kind in ("identity", "account"):
            body: Json = {"did": did, "seq": 30_000_000_000 + number, "time": _stamp(self.time(number))}
            body |= {"handle": f"{did[-6:]}.example"} if kind == "identity" else self._standing(dice)
            return Happening(number=number, time=self.time(number), kind=kind, did=did, body=body)
        if kind == "follow":
            record = {"$type": "app.bsky.graph.follow", "subject": _did(dice.randrange(_ACCOUNTS))}
            return self._commit(number, did, "create", "app.bsky.graph.follow", _rkey(number), record)
        name = "app.bsky.feed.repost" if kind == "repost" else "app.bsky.feed.like"
        subject = {"cid": _cid(number // 2), "uri": f"at://{_did(number % _ACCOUNTS)}/app.bsky.feed.post/{_rkey(0)}"}
        return self._commit(number, did, "create", name, _rkey(number), {"$type": name, "subject": subject})

    def _dice(self, number: int) -> random.Random:
        return random.Random(self._seed * 1_000_003 + number)  # noqa: S311 - it keeps no secret

    def _kind(self, number: int) -> str:
        return self._kinds[self._dice(~number).randrange(len(self._kinds))]

    def _deleted(self, number: int, dice: random.Random) -> tuple[str, str] | None:
        """The author and the key of a post that was made not long before."""
        start = number - dice.randrange(1, _LOOK_BACK)
        for each in range(start, max(start - 50, -1), -1):
            if each >= 0 and self._kind(each) == "post":
                return _did(self._dice(each).randrange(_ACCOUNTS)), _rkey(each)
        return None

    def _commit(
        self, number: int, did: str, operation: str, collection: str, rkey: str, record: Json | None
    ) -> Happening:
        body: Json = {"rev": _rkey(number), "operation": operation, "collection": collection, "rkey": rkey}
        if record is not None:
            body |= {"record": {**record, "createdAt": _stamp(self.time(number))}, "cid": _cid(number)}
        return Happening(number=number, time=self.time(number), kind="commit", did=did, body=body)

    def _post(self, number: int, dice: random.Random) -> Json:
        language = dice.choice(self._languages)
        topic = dice.choice(language.topics)
        text = dice.choice(language.sentences).format(topic=topic, place=dice.choice(PLACES)[1], name=_name(dice))
        record: Json = {"$type": "app.bsky.feed.post", "langs": [language.code]}
        facets: list[Json] = []
        if dice.random() < 0.3 and " " not in topic:
            text = _append(text, f"#{topic}", {"$type": "app.bsky.richtext.facet#tag", "tag": topic}, facets)
        if dice.random() < 0.2:
            link = f"https://news.example/{number}"
            text = _append(text, link, {"$type": "app.bsky.richtext.facet#link", "uri": link}, facets)
        if dice.random() < 0.15:
            did = _did(dice.randrange(_ACCOUNTS))
            mention = {"$type": "app.bsky.richtext.facet#mention", "did": did}
            text = _append(text, f"@{did[-6:]}.example", mention, facets)
        if dice.random() < 0.25:
            parent = {"cid": _cid(number - 1), "uri": f"at://{_did(dice.randrange(_ACCOUNTS))}/app.bsky.feed.post/3k"}
            record["reply"] = {"root": parent, "parent": parent}
        if facets:
            record["facets"] = facets
        return {**record, "text": text}

    def _standing(self, dice: random.Random) -> Json:
        status = dice.choice(["active", "deactivated", "deleted", "takendown"])
        return {"active": True} if status == "active" else {"active": False, "status": status}


def _append(text: str, words: str, feature: Json, facets: list[Json]) -> str:
    """The text with words at its end that are marked as a tag, link or mention; positions count UTF-8 bytes."""
    start = len(text.encode()) + 1
    facets.append({"index": {"byteStart": start, "byteEnd": start + len(words.encode())}, "features": [feature]})
    return f"{text} {words}"


def _name(dice: random.Random) -> str:
    return f"{dice.choice(FIRST_NAMES)} {dice.choice(LAST_NAMES)}"


def _did(number: int) -> str:
    return f"did:plc:{_base32(number * 7919 + 1, 24)}"


def _rkey(number: int) -> str:
    return f"3m{_base32(number, 11)}"


def _cid(number: int) -> str:
    return f"bafyrei{_base32(number * 104_729 + 7, 52)}"


def _base32(number: int, length: int) -> str:
    signs = []
    for _ in range(length):
        number, sign = divmod(number, 32)
        signs.append(_BASE32[sign])
    return "".join(reversed(signs))


def _stamp(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
