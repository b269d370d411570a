"""Posts of X of real size and compressibility, without end; the simulator's, with what it spares itself.

The simulator's posts are half as large as real ones, which is enough to try programs and cheap to send by the
thousand. Here each gets what makes real posts large (annotations, their descriptions, accounts that describe
themselves, addresses that nobody can guess) and texts of words as uneven as a language's. None is sent twice.

    python -m benchmarks.lib.posts FILE      compares 202 of them with as many real ones in FILE
"""

from __future__ import annotations

import itertools
import string
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from sfm_stream.sources.x.fields import PUBLIC
from sfm_stream.sources.x.simulator.generator import Draft, Generator
from sfm_stream.sources.x.simulator.ids import Ids
from sfm_stream.sources.x.simulator.wire import Wanted, encode_rules, line

Json = dict[str, Any]

START = 1_790_000_000
"""When the first is posted, in seconds since 1970; one a second follows."""

_POPULAR_SHARE = 50
"""Of a hundred reposts, how many are of a post that others have just reposted."""

_POPULAR_POSTS = 12
_EVERYTHING = Wanted(**{group: tuple(sorted(names)) for group, names in PUBLIC.items()})
_RULES = encode_rules([("1790000000000000001", "sfm:bench:main")])
_SIGNS = string.ascii_letters + string.digits
_SYLLABLES = [a + b for a in "bcdfghjklmnprstvw" for b in ("a", "e", "i", "o", "u", "ai", "er", "on", "st")]
_DOMAINS = (
    ("10", "Person", "Named people in the world, like those in the news"),
    ("35", "Politician", "Politicians in the world, in office and out of it"),
    ("46", "Business Taxonomy", "Categories within brand verticals that narrow the scope of brands"),
    ("65", "Interests and Hobbies Vertical", "Top level interests and hobbies groupings, like food or travel"),
    ("66", "Interests and Hobbies Category", "A grouping of interests and hobbies, like novelty food or destinations"),
    ("131", "Unified X Taxonomy", "A taxonomy of user interests"),
)


class Posts(Generator):
    """Makes posts as X sends them; the same again for the same seed."""

    kinds: ClassVar[Mapping[str, int]] = {"post": 17, "reply": 6, "repost": 72, "quote": 5}

    def __init__(self, seed: int = 1) -> None:
        self._popular: list[tuple[Json, Json, Json]] = []
        random = Random(seed)
        self._vocabulary = ["".join(random.choices(_SYLLABLES, k=random.choice((1, 2, 2, 3)))) for _ in range(4000)]
        # As in a language: the n-th word occurs an n-th as often as the first.
        self._frequencies = list(itertools.accumulate(1 / (rank + 3) for rank in range(len(self._vocabulary))))
        super().__init__(seed)
        self._topics = [self._annotation() for _ in range(120)]
        self._weights = list(itertools.accumulate(1 / (rank + 2) for rank in range(len(self._topics))))

    def lines(self) -> Iterator[bytes]:
        """Complete lines, without line ends."""
        ids = Ids()
        for second in itertools.count(START):
            yield line(Draft(self._envelope()), _EVERYTHING, ids.next(second), _RULES)

    def _envelope(self) -> Json:
        envelope = super()._envelope()
        envelope["includes"]["users"] = [self._full_user(user) for user in envelope["includes"]["users"]]
        if "display_text_range" in envelope["data"]:
            # Not a repost, which brings what its original has.
            self._fill(envelope["data"])
            for original in envelope["includes"].get("tweets", ()):
                self._fill(original)
        return envelope

    def _repost(self, author: Json) -> Json:
        envelope = super()._repost(author)
        annotations = envelope["includes"]["tweets"][0].get("context_annotations")
        if annotations:
            envelope["data"]["context_annotations"] = annotations
        return envelope

    def _reposted(self) -> tuple[Json, Json, Json]:
        """Half of all reposts are of a few posts that many repost."""
        if self._popular and self._chance(_POPULAR_SHARE):
            return self._random.choices(self._popular, range(1, len(self._popular) + 1))[0]
        other, original, includes = super()._reposted()
        self._fill(original)
        self._popular = [*self._popular[-_POPULAR_POSTS:], (other, original, includes)]
        return other, original, includes

    def _fill(self, data: Json) -> None:
        """Gives a post the length and the annotations of a real one."""
        text = f"{data['text']} {self._words(self._random.randrange(3, 30))}"
        entities = data.setdefault("entities", {})
        entities["annotations"] = [self._named(text) for _ in range(self._random.randrange(5))]
        if self._chance(45):
            token, image = self._token(10), self._token(13)
            entities.setdefault("urls", []).append(self._address(len(text) + 1, token, image))
            text += f" https://t.co/{token}"
        if self._chance(80):
            chosen = self._random.choices(self._topics, cum_weights=self._weights, k=self._random.randrange(1, 8))
            data["context_annotations"] = chosen
        data["text"] = text

    def _full_user(self, user: Json) -> Json:
        number = user["profile_image_url"].split("/")[4]
        picture = f"https://pbs.twimg.com/profile_images/{self._past(900)[0]}/{self._token(8)}_normal.jpg"
        described = Random(int(number)) if number.isdigit() else self._random
        token = self._token(10)
        address = {
            "start": 0,
            "end": 23,
            "url": f"https://t.co/{token}",
            "expanded_url": f"http://www.{user['username'].lower()}.example.org",
            "display_url": f"{user['username'].lower()}.example.org",
        }
        full = {**user, "profile_image_url": picture, "description": self._words(described.randrange(2, 22))}
        if self._chance(35):
            full |= {"url": address["url"], "entities": {"url": {"urls": [address]}}}
        return full

    def _annotation(self) -> Json:
        domain, name, description = self._random.choice(_DOMAINS)
        entity = {"id": self._past(4000)[0], "name": self._words(2).title()}
        if self._chance(60):
            entity["description"] = self._words(self._random.randrange(2, 9)).capitalize()
        return {"domain": {"id": domain, "name": name, "description": description}, "entity": entity}

    def _named(self, text: str) -> Json:
        start = self._random.randrange(len(text))
        word = text[start : start + 12].strip()
        kind = self._random.choice(("Person", "Place", "Organization", "Product", "Other"))
        probability = round(self._random.uniform(0.3, 1), 4)
        return {
            "start": start,
            "end": start + len(word),
            "probability": probability,
            "type": kind,
            "normalized_text": word,
        }

    def _address(self, start: int, token: str, image: str) -> Json:
        slug = self._words(6).replace(" ", "-")
        shown = f"news.example.org/{slug}"
        pictures = [
            {"url": f"https://pbs.twimg.com/news_img/{self._past(9)[0]}/{image}?format=jpg&name={name}", **size}
            for name, size in (
                ("orig", {"width": 1200, "height": 630}),
                ("150x150", {"width": 150, "height": 150}),
            )
        ]
        return {
            "start": start,
            "end": start + 23,
            "url": f"https://t.co/{token}",
            "expanded_url": f"https://{shown}",
            "display_url": f"{shown[:26]}…",
            "images": pictures,
            "status": 200,
            "title": self._words(8).capitalize(),
            "description": self._words(18).capitalize(),
            "unwound_url": f"https://{shown}",
        }

    def _words(self, count: int) -> str:
        return " ".join(self._random.choices(self._vocabulary, cum_weights=self._frequencies, k=count))

    def _token(self, length: int) -> str:
        return "".join(self._random.choices(_SIGNS, k=length))


def sizes(lines: list[bytes]) -> tuple[float, float]:
    """The mean length of lines in bytes, and their size in one gzip file (level 6) by that."""
    import zlib

    whole = b"".join(each + b"\n" for each in lines)
    return len(whole) / len(lines), len(zlib.compress(whole, 6)) / len(whole)


def main() -> None:
    """Compares generated posts with real ones."""
    real = Path(sys.argv[1]).read_bytes().splitlines()
    for name, lines in (("real", real), ("generated", list(itertools.islice(Posts().lines(), len(real))))):
        mean, ratio = sizes(lines)
        print(f"{name:10} {len(lines)} posts, {mean:5.0f} bytes each, gzip -6 makes {ratio:.4f} of them")


if __name__ == "__main__":
    main()
