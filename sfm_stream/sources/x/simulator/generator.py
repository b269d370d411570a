"""Posts without end: plausible, in several languages, the same again for the same seed.

A `Draft` is a post but for what only the moment of sending gives: its own id and time stand in it as marks. Drafts
are made once and sent many times under new ids, because composing one costs far more than sending one.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import ClassVar

from sfm_stream.simulator import vocabulary
from sfm_stream.sources.x.rules.post_view import PostView
from sfm_stream.sources.x.simulator.ids import Ids, stamp
from sfm_stream.sources.x.simulator.texts import Json, Text, merged, prepend, shifted

ID, CREATED, UNTIL = "\ue000id", "\ue000created", "\ue000until"
"""Marks, made of a private sign that no text of ours holds."""

_FRESH = 512
_POOL = 1024
_FRESH_SHARE = 8
_USERS = 600
_KINDS = {"post": 42, "reply": 20, "repost": 30, "quote": 8}


class Draft:
    """A post to be sent, any number of times.

    Attributes:
        envelope: ``{"data": {...}, "includes": {...}}`` with every field, and marks.
        post: The same as rules see it.
        formats: Its bytes as a connection asked for them; filled and read by `sfm_stream.sources.x.simulator.wire`.
    """

    __slots__ = ("__weakref__", "envelope", "formats", "post")

    def __init__(self, envelope: Json) -> None:
        self.envelope = envelope
        self.post = PostView(envelope)
        self.formats: dict[object, bytes] = {}


class Generator:
    """Makes drafts.

    The first ones are all fresh; later one in eight is, and the others are taken again from those before, so that
    thousands a second cost little.
    """

    kinds: ClassVar[Mapping[str, int]] = _KINDS
    """How often each kind of post occurs, relative to the others."""

    def __init__(self, seed: int) -> None:
        # The sequence must be the same for a seed; it keeps no secret.
        self._random = random.Random(seed)  # noqa: S311
        self._ids = Ids()
        self._users = [self._user(number) for number in range(_USERS)]
        self._pool: list[Draft] = []
        self._count = 0

    @property
    def users(self) -> list[Json]:
        """Everybody who posts."""
        return self._users

    def next(self) -> Draft:
        """The next draft, without end."""
        self._count += 1
        if self._count > _FRESH and self._count % _FRESH_SHARE:
            return self._random.choice(self._pool)
        draft = Draft(self._envelope())
        if len(self._pool) < _POOL:
            self._pool.append(draft)
        else:
            self._pool[self._random.randrange(_POOL)] = draft
        return draft

    def _chance(self, percent: float) -> bool:
        return self._random.random() * 100 < percent

    def _past(self, days: int) -> tuple[str, str]:
        """The id and time of something in the past."""
        moment = 1790000000 - self._random.randrange(days * 86400)
        return str(Ids().next(moment) + self._random.randrange(1 << 12)), stamp(moment)

    def _user(self, number: int) -> Json:
        pick = self._random.choice
        if number < len(vocabulary.INSTITUTIONS):
            username, name = vocabulary.INSTITUTIONS[number]
        else:
            first, last = pick(vocabulary.FIRST_NAMES), pick(vocabulary.LAST_NAMES)
            name = f"{first} {last}"
            ascii_name = (first + last).encode("ascii", "ignore").decode()
            username = f"{ascii_name}{number}"[-15:]
        verified = number < len(vocabulary.INSTITUTIONS) or self._chance(10)
        place = pick(vocabulary.PLACES)
        followers, posts = self._random.randrange(20_000), self._random.randrange(90_000)
        _, created = self._past(4000)
        topic = pick(vocabulary.LANGUAGES[0].topics)
        user = {
            "id": str(10_000_000 + number * 7919),
            "name": name,
            "username": username,
            "created_at": created,
            "description": f"{topic.capitalize()}, books and coffee. {pick(vocabulary.EMOJI)}",
            "location": place[2],
            "protected": False,
            "verified": verified,
            "verified_type": "blue" if verified else "none",
            "subscription_type": "None",
            "is_identity_verified": False,
            "parody": False,
            "profile_image_url": f"https://pbs.twimg.com/profile_images/{number}/face_normal.jpg",
            "url": "",
            "public_metrics": {
                "followers_count": followers,
                "following_count": self._random.randrange(3000),
                "tweet_count": posts,
                "post_count": posts,
                "listed_count": followers // 100,
                "like_count": self._random.randrange(50_000),
                "media_count": self._random.randrange(2000),
            },
        }
        if self._chance(30):
            user["pinned_tweet_id"] = self._past(900)[0]
        return user

    def _envelope(self) -> Json:
        author = self._random.choice(self._users)
        kind = self._random.choices([*self.kinds], [*self.kinds.values()])[0]
        if kind == "repost":
            return self._repost(author)
        data, includes = self._composed(author, ID)
        if kind == "post":
            data["conversation_id"] = ID
        else:
            other = self._random.choice(self._users)
            parent, more = self._composed(other, self._past(20)[0])
            parent["conversation_id"] = parent["id"]
            data["referenced_tweets"] = [{"type": "replied_to" if kind == "reply" else "quoted", "id": parent["id"]}]
            data["conversation_id"] = parent["id"] if kind == "reply" else ID
            if kind == "reply":
                data["in_reply_to_user_id"] = other["id"]
                prepend(data, f"@{other['username']} ", other)
            includes = merged(includes, {**more, "tweets": [parent]})
        return {"data": data, "includes": includes}

    def _repost(self, author: Json) -> Json:
        other, original, includes = self._reposted()
        data, _ = self._frame(author, ID, original["lang"])
        start = f"RT @{other['username']}: "
        data["text"] = start + original["text"]
        if len(data["text"]) > 140:
            data["text"] = data["text"][:139] + "…"
        data["entities"] = shifted(original.get("entities", {}), len(start), len(data["text"]))
        mention = {"start": 3, "end": len(start) - 2, "username": other["username"], "id": other["id"]}
        data["entities"].setdefault("mentions", []).insert(0, mention)
        data["conversation_id"] = ID
        data["referenced_tweets"] = [{"type": "retweeted", "id": original["id"]}]
        return {"data": data, "includes": merged(includes, {"users": [author], "tweets": [original]})}

    def _reposted(self) -> tuple[Json, Json, Json]:
        """Whose post is reposted, that post, and what it brings to the includes."""
        other = self._random.choice(self._users)
        original, includes = self._composed(other, self._past(20)[0])
        original["conversation_id"] = original["id"]
        return other, original, includes

    def _frame(self, author: Json, post_id: str, lang: str) -> tuple[Json, Json]:
        """What every post has."""
        pick = self._random.randrange
        reposts = pick(50)
        data: Json = {
            "id": post_id,
            "text": "",
            "edit_history_tweet_ids": [post_id],
            "author_id": author["id"],
            "created_at": CREATED if post_id == ID else self._past(20)[1],
            "lang": lang,
            "possibly_sensitive": self._chance(1),
            "reply_settings": "everyone",
            "source": self._random.choice(vocabulary.SOURCES),
            "edit_controls": {"edits_remaining": 5, "is_edit_eligible": True, "editable_until": UNTIL},
            "public_metrics": {
                "retweet_count": reposts,
                "repost_count": reposts,
                "reply_count": pick(20),
                "like_count": pick(300),
                "quote_count": pick(10),
                "bookmark_count": pick(10),
                "impression_count": pick(5000),
            },
        }
        if post_id != ID:
            data["edit_controls"]["editable_until"] = data["created_at"]
        return data, {"users": [author]}

    def _composed(self, author: Json, post_id: str) -> tuple[Json, Json]:
        """A post's own content, without what it refers to, and what that brings to the includes."""
        language = self._random.choices(vocabulary.LANGUAGES, [each.share for each in vocabulary.LANGUAGES])[0]
        data, includes = self._frame(author, post_id, language.code)
        text = Text(self._random.choice(language.sentences).format_map(self._slots(language)))
        if self._chance(6):
            self._lengthen(data, text, language)
        if self._chance(30):
            text.add("hashtags", "#", self._random.choice(language.topics).replace(" ", ""), "tag")
        if self._chance(12):
            mentioned = self._random.choice(self._users)
            text.add("mentions", "@", mentioned["username"], "username", id=mentioned["id"])
            includes["users"].append(mentioned)
        if self._chance(2):
            text.add("cashtags", "$", self._random.choice(vocabulary.CASHTAGS), "tag")
        if self._chance(18):
            text.add_url(self._link())
        if self._chance(14):
            self._illustrate(data, text, includes, author)
        elif self._chance(1.5):
            self._poll(data, includes)
        if self._chance(6):
            self._locate(data, includes)
        if self._chance(25):
            domain, domain_name, entity, entity_name = self._random.choice(vocabulary.CONTEXTS)
            data["context_annotations"] = [
                {"domain": {"id": domain, "name": domain_name}, "entity": {"id": entity, "name": entity_name}}
            ]
        data["text"] = text.text
        data["display_text_range"] = [0, len(text.text)]
        if text.entities:
            data["entities"] = text.entities
        return data, includes

    def _slots(self, language: vocabulary.Language) -> dict[str, str]:
        pick = self._random.choice
        return {
            "topic": pick(language.topics),
            "place": pick(vocabulary.PLACES)[1],
            "name": f"{pick(vocabulary.FIRST_NAMES)} {pick(vocabulary.LAST_NAMES)}",
        }

    def _lengthen(self, data: Json, text: Text, language: vocabulary.Language) -> None:
        """A long post: the text is cut, the whole stands in note_tweet."""
        more = [self._random.choice(language.sentences).format_map(self._slots(language)) for _ in range(12)]
        data["note_tweet"] = {"text": " ".join([text.text, *more])}
        text.text = f"{data['note_tweet']['text'][:270]}…"

    def _link(self) -> Json:
        slug = self._random.choice(vocabulary.LANGUAGES[0].topics).replace(" ", "-")
        host, number = self._random.choice(vocabulary.HOSTS), self._random.randrange(10_000)
        return {
            "expanded_url": f"https://{host}/{slug}/{number}",
            "unwound_url": f"https://{host}/{slug}/{number}",
            "display_url": f"{host}/{slug}/{number}",
            "title": f"{slug.replace('-', ' ').capitalize()}: the report",
            "description": "What we know so far",
            "status": 200,
        }

    def _illustrate(self, data: Json, text: Text, includes: Json, author: Json) -> None:
        kind, prefix = self._random.choice(
            (("photo", 3), ("photo", 3), ("photo", 3), ("video", 7), ("animated_gif", 16))
        )
        key = f"{prefix}_{self._past(20)[0]}"
        data["attachments"] = {"media_keys": [key]}
        picture = f"https://pbs.twimg.com/media/{key}.jpg"
        media: Json = {"media_key": key, "type": kind, "width": 1200, "height": 800}
        if kind == "photo":
            media |= {"url": picture, "alt_text": "A street seen from a window"}
        else:
            variant = {"bit_rate": 832000, "content_type": "video/mp4", "url": f"https://video.twimg.com/{key}.mp4"}
            media |= {"preview_image_url": picture, "variants": [variant]}
        if kind == "video":
            media |= {"duration_ms": self._random.randrange(2000, 90_000), "public_metrics": {"view_count": 17}}
        includes["media"] = [media]
        word = "photo" if kind == "photo" else "video"
        text.add_url(
            {
                "expanded_url": f"https://twitter.com/{author['username']}/status/{data['id']}/{word}/1",
                "display_url": "pic.twitter.com/x",
                "media_key": key,
            }
        )

    def _poll(self, data: Json, includes: Json) -> None:
        poll_id = self._past(20)[0]
        data["attachments"] = {"poll_ids": [poll_id]}
        options = [{"position": number, "label": label, "votes": 0} for number, label in enumerate(("Yes", "No"), 1)]
        includes["polls"] = [
            {
                "id": poll_id,
                "options": options,
                "voting_status": "open",
                "duration_minutes": 1440,
                "end_datetime": UNTIL if data["id"] == ID else data["created_at"],
            }
        ]

    def _locate(self, data: Json, includes: Json) -> None:
        place_id, name, full_name, country, code, box = self._random.choice(vocabulary.PLACES)
        data["geo"] = {"place_id": place_id}
        if self._chance(20):
            point = [round(self._random.uniform(*pair), 6) for pair in (box[::2], box[1::2])]
            data["geo"]["coordinates"] = {"type": "Point", "coordinates": point}
        includes["places"] = [
            {
                "id": place_id,
                "name": name,
                "full_name": full_name,
                "place_type": "city",
                "country": country,
                "country_code": code,
                "contained_within": [],
                "geo": {"type": "Feature", "bbox": list(box), "properties": {}},
            }
        ]
