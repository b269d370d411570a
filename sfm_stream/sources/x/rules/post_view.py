"""A post as the rules of X see it: its words, tags, accounts, places and media, whatever fields it came with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from sfm_stream.matching.characters import AT_SIGNS, fold, hashtags
from sfm_stream.matching.tokens import SEAM, tokenize

Json = dict[str, Any]
Box = tuple[float, float, float, float]

_MENTIONS = re.compile(rf"(?<!\w)[{AT_SIGNS}](\w+)")
_CASHTAGS = re.compile(r"(?<!\w)\$(\w+)")


def either(source: Json, name: str) -> Any:  # noqa: ANN401 - whatever X put there
    """A value by its name on the wire, or by the name that X's OpenAPI description gives it."""
    return source.get(name) or source.get(name.replace("tweet", "post"))


def _references(post: Json) -> dict[str, str]:
    references = either(post, "referenced_tweets") or ()
    return {each["type"]: each["id"] for each in references if each and "type" in each and "id" in each}


class PostView:
    """What rules ask about a post, each found out once and only when asked.

    Args:
        envelope: ``{"data": {...}, "includes": {...}}``; keys that are missing are as good as empty.
    """

    def __init__(self, envelope: Json) -> None:
        self.data: Json = envelope.get("data") or {}
        self._includes: Json = envelope.get("includes") or {}

    @cached_property
    def users(self) -> dict[str, Json]:
        """The users delivered with the post, by id."""
        return {user["id"]: user for user in self._includes.get("users") or () if user and "id" in user}

    @cached_property
    def author(self) -> Json:
        """The post's author, {} if not delivered."""
        return self.users.get(self.data.get("author_id", ""), {})

    @cached_property
    def references(self) -> dict[str, str]:
        """The posts that this one answers, quotes or reposts: kind to id."""
        return _references(self.data)

    @cached_property
    def _posts(self) -> dict[str, Json]:
        return {post["id"]: post for post in either(self._includes, "tweets") or () if post and "id" in post}

    @cached_property
    def original(self) -> Json:
        """The reposted post, {} if there is none or it was not delivered."""
        return self._posts.get(self.references.get("retweeted", ""), {})

    @cached_property
    def quoted(self) -> Json:
        """The post that this one quotes, or that the one quotes which it reposts; {} if none was delivered."""
        return self._posts.get(self._quoted_id, {}) if self._quoted_id else {}

    @property
    def quotes_unseen(self) -> bool:
        """Whether it quotes a post that was not delivered with it."""
        return bool(self._quoted_id) and not self.quoted

    @cached_property
    def _quoted_id(self) -> str:
        found = self.references.get("quoted") or (_references(self.original).get("quoted") if self.original else None)
        return found or ""

    @cached_property
    def texts(self) -> list[Json]:
        """Everything with a text and entities: the post, its long form, and the same of what it reposts and quotes."""
        found = []
        for post in (self.data, self.original, self.quoted):
            if post:
                found.append(post)
            if note := either(post, "note_tweet"):
                found.append(note)
        return found

    def entities(self, kind: str) -> Iterator[Json]:
        """All hashtags, mentions, cashtags, urls or annotations."""
        for text in self.texts:
            yield from filter(None, (text.get("entities") or {}).get(kind) or ())

    @cached_property
    def words(self) -> list[str]:
        """The words of all texts; between two texts stands a seam that no phrase crosses."""
        found: list[str] = []
        for text in self.texts:
            found += tokenize(text.get("text") or "")
            found.append(SEAM)
        for url in self.entities("urls"):
            found += tokenize(url.get("unwound_url") or url.get("expanded_url") or "")
            found.append(SEAM)
        return found

    @cached_property
    def word_set(self) -> frozenset[str]:
        """The same without order."""
        return frozenset(self.words)

    @cached_property
    def running(self) -> str:
        """The same as one text, with a blank around each word."""
        return f" {' '.join(self.words)} "

    @cached_property
    def hashtags(self) -> frozenset[str]:
        """Hashtags without #, folded."""
        return self._tags("hashtags", "tag", hashtags)

    @cached_property
    def mentions(self) -> frozenset[str]:
        """Mentioned names without @, folded."""
        return self._tags("mentions", "username", _MENTIONS.findall)

    @cached_property
    def cashtags(self) -> frozenset[str]:
        """Cashtags without $, folded."""
        return self._tags("cashtags", "tag", _CASHTAGS.findall)

    def _tags(self, kind: str, key: str, in_text: Callable[[str], list[str]]) -> frozenset[str]:
        found = {fold(str(each[key])) for each in self.entities(kind) if each.get(key)}
        for text in self.texts:
            if "entities" not in text:
                found.update(map(fold, in_text(text.get("text") or "")))
        return frozenset(found)

    @cached_property
    def urls(self) -> list[str]:
        """Every form of every link."""
        forms = ("url", "expanded_url", "unwound_url", "display_url")
        return [url[form] for url in self.entities("urls") for form in forms if url.get(form)]

    @cached_property
    def by(self) -> frozenset[str]:
        """The author's id and name, folded."""
        return self._names(self.data.get("author_id"))

    @cached_property
    def to(self) -> frozenset[str]:
        """The id and name of the account that the post answers."""
        parent = self._posts.get(self.references.get("replied_to", ""), {})
        return self._names(self.data.get("in_reply_to_user_id") or parent.get("author_id"))

    @cached_property
    def reposted(self) -> frozenset[str]:
        """The id and name of the account whose post this one reposts."""
        if "retweeted" not in self.references:
            return frozenset()
        if self.original:
            return self._names(self.original.get("author_id"))
        start = re.match(r"RT @(\w+):", self.data.get("text") or "")
        return frozenset({start[1].casefold()}) if start else frozenset()

    def _names(self, user_id: str | None) -> frozenset[str]:
        if user_id is None:
            return frozenset()
        name = self.users.get(user_id, {}).get("username")
        if name is None:
            mentions = self.entities("mentions")
            name = next((each.get("username") for each in mentions if each.get("id") == user_id), None)
        return frozenset({user_id, name.casefold()} if name else {user_id})

    @cached_property
    def media(self) -> frozenset[str]:
        """The kinds of media: photo, video, animated_gif; and "" for any that was not delivered."""
        kinds = {each.get("media_key"): each.get("type") or "" for each in self._includes.get("media") or () if each}
        keys = (key for post in self.texts for key in (post.get("attachments") or {}).get("media_keys") or ())
        found = {kinds.get(key, "") for key in keys}
        for url in self.entities("urls"):
            shown = re.search(r"/status/\d+/(photo|video)/\d+$", url.get("expanded_url") or "")
            if shown:
                found.add(shown[1])
        return frozenset(found)

    @cached_property
    def place(self) -> Json:
        """The place the post is tagged with, {} if none was delivered."""
        wanted = (self.data.get("geo") or {}).get("place_id")
        return next((each for each in self._includes.get("places") or () if each and each.get("id") == wanted), {})

    @cached_property
    def box(self) -> Box | None:
        """Where the post comes from (west, south, east, north): its point, else its place."""
        point = ((self.data.get("geo") or {}).get("coordinates") or {}).get("coordinates")
        if point and len(point) == 2 and None not in point:
            return (point[0], point[1], point[0], point[1])
        corners = (self.place.get("geo") or {}).get("bbox")
        return tuple(corners) if corners and len(corners) == 4 and None not in corners else None

    @cached_property
    def contexts(self) -> frozenset[tuple[str, ...]]:
        """The (domain, entity) ids that X annotated."""
        return frozenset(
            tuple((each.get(part) or {}).get("id") or "" for part in ("domain", "entity"))
            for each in self.data.get("context_annotations") or ()
            if each
        )
