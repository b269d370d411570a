"""A post of X, decoded as far as tables show it: with its author, its place, its media and what it refers to."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from sfm_stream.sources.lenient import fit, loads


class _Part(msgspec.Struct, frozen=True, gc=False):
    """A part of what X sends; keys that it lacks are None, and keys without an attribute are passed over."""


class Metrics(_Part, frozen=True, gc=False):
    """How often a post was taken up, when it was sent."""

    retweet_count: int | None = None
    repost_count: int | None = None
    reply_count: int | None = None
    like_count: int | None = None
    quote_count: int | None = None
    bookmark_count: int | None = None
    impression_count: int | None = None

    @property
    def reposts(self) -> int | None:
        """By either of the names that X has for it."""
        return self.repost_count if self.retweet_count is None else self.retweet_count


class UserMetrics(_Part, frozen=True, gc=False):
    """How large an account is."""

    followers_count: int | None = None
    following_count: int | None = None
    tweet_count: int | None = None
    post_count: int | None = None
    listed_count: int | None = None

    @property
    def posts(self) -> int | None:
        """By either of the names that X has for it."""
        return self.post_count if self.tweet_count is None else self.tweet_count


class User(_Part, frozen=True, gc=False):
    """An account."""

    id: str | None = None
    username: str | None = None
    name: str | None = None
    created_at: str | None = None
    description: str | None = None
    location: str | None = None
    url: str | None = None
    profile_image_url: str | None = None
    pinned_tweet_id: str | None = None
    protected: bool | None = None
    verified: bool | None = None
    verified_type: str | None = None
    public_metrics: UserMetrics = UserMetrics()


class Tag(_Part, frozen=True, gc=False):
    """A hashtag or cashtag."""

    tag: str | None = None


class Mention(_Part, frozen=True, gc=False):
    """A mention of an account."""

    username: str | None = None
    id: str | None = None


class Url(_Part, frozen=True, gc=False):
    """A link, in its forms."""

    url: str | None = None
    expanded_url: str | None = None
    unwound_url: str | None = None
    media_key: str | None = None

    @property
    def target(self) -> str | None:
        """Where it leads; None for a picture or video of the post's own."""
        found = self.unwound_url or self.expanded_url or self.url
        if self.media_key or (found and "/status/" in found and ("/photo/" in found or "/video/" in found)):
            return None
        return found


class Entities(_Part, frozen=True, gc=False):
    """What X found in a text."""

    hashtags: tuple[Tag, ...] | None = None
    cashtags: tuple[Tag, ...] | None = None
    mentions: tuple[Mention, ...] | None = None
    urls: tuple[Url, ...] | None = None
    annotations: msgspec.Raw = msgspec.Raw()


class Note(_Part, frozen=True, gc=False):
    """The whole of a long text."""

    text: str | None = None
    entities: Entities | None = None


class Reference(_Part, frozen=True, gc=False):
    """Another post, and how a post refers to it."""

    type: str | None = None
    id: str | None = None


class Attachments(_Part, frozen=True, gc=False):
    """The keys of what is attached."""

    media_keys: tuple[str, ...] | None = None
    poll_ids: tuple[str, ...] | None = None


class Coordinates(_Part, frozen=True, gc=False):
    """A point: longitude, latitude."""

    type: str | None = None
    coordinates: tuple[float, ...] | None = None


class Geo(_Part, frozen=True, gc=False):
    """Where a post says that it is from."""

    place_id: str | None = None
    coordinates: Coordinates | None = None


class EditControls(_Part, frozen=True, gc=False):
    """Whether, and until when, a post may be edited."""

    edits_remaining: int | None = None
    editable_until: str | None = None
    is_edit_eligible: bool | None = None


class Data(_Part, frozen=True, gc=False):
    """The post itself; where X has two names for a part, both."""

    id: str | None = None
    author_id: str | None = None
    created_at: str | None = None
    text: str | None = None
    lang: str | None = None
    source: str | None = None
    conversation_id: str | None = None
    in_reply_to_user_id: str | None = None
    possibly_sensitive: bool | None = None
    reply_settings: str | None = None
    community_id: str | None = None
    note_tweet: Note | None = None
    note_post: Note | None = None
    referenced_tweets: tuple[Reference, ...] | None = None
    referenced_posts: tuple[Reference, ...] | None = None
    edit_history_tweet_ids: tuple[str, ...] | None = None
    edit_history_post_ids: tuple[str, ...] | None = None
    edit_controls: EditControls = EditControls()
    public_metrics: Metrics = Metrics()
    entities: Entities | None = None
    attachments: Attachments | None = None
    geo: Geo | None = None
    context_annotations: msgspec.Raw = msgspec.Raw()
    withheld: msgspec.Raw = msgspec.Raw()
    article: msgspec.Raw = msgspec.Raw()
    card_uri: str | None = None
    display_text_range: msgspec.Raw = msgspec.Raw()
    media_metadata: msgspec.Raw = msgspec.Raw()
    paid_partnership: bool | None = None
    scopes: msgspec.Raw = msgspec.Raw()

    @property
    def whole_text(self) -> str | None:
        """All of the text."""
        note = self.note_tweet or self.note_post
        return note.text if note is not None and note.text else self.text


class Variant(_Part, frozen=True, gc=False):
    """A video in one quality."""

    url: str | None = None
    bit_rate: int | None = None


class Media(_Part, frozen=True, gc=False):
    """A picture or a video."""

    media_key: str | None = None
    type: str | None = None
    url: str | None = None
    preview_image_url: str | None = None
    alt_text: str | None = None
    variants: tuple[Variant, ...] | None = None

    @property
    def address(self) -> str | None:
        """Where it can be had in its best quality."""
        best = max(self.variants or (), key=lambda each: each.bit_rate or 0, default=None)
        return self.url or (best.url if best is not None else None) or self.preview_image_url


class Place(_Part, frozen=True, gc=False):
    """A place that posts are tagged with."""

    id: str | None = None
    full_name: str | None = None
    name: str | None = None
    country: str | None = None
    country_code: str | None = None
    place_type: str | None = None
    geo: msgspec.Raw = msgspec.Raw()


class Poll(_Part, frozen=True, gc=False):
    """A poll; shown as it came."""

    id: str | None = None
    options: msgspec.Raw = msgspec.Raw()
    voting_status: str | None = None
    end_datetime: str | None = None
    duration_minutes: int | None = None


class Includes(_Part, frozen=True, gc=False):
    """What was delivered with the post."""

    users: tuple[User, ...] | None = None
    tweets: tuple[Data, ...] | None = None
    posts: tuple[Data, ...] | None = None
    media: tuple[Media, ...] | None = None
    places: tuple[Place, ...] | None = None
    polls: tuple[Poll, ...] | None = None


class MatchedRule(_Part, frozen=True, gc=False):
    """A rule that the post matched."""

    id: str | None = None
    tag: str | None = None


class StreamLine(_Part, frozen=True, gc=False):
    """A line of the stream."""

    data: Data | None = None
    includes: Includes = Includes()
    matching_rules: tuple[MatchedRule, ...] | None = None
    errors: msgspec.Raw = msgspec.Raw()


_NOBODY, _NOWHERE, _NOTHING = User(), Place(), Entities()
_DECODE = msgspec.json.Decoder(StreamLine).decode


class DeliveredPost:
    """A line of the stream, with what belongs to it found.

    Attributes:
        line: All of it.
        data: The post itself; empty in a message.
        includes: What was delivered with it.
        author: Its author; empty where not delivered.
        replied_to: The id of the post that it answers.
        reposted: The id of the post that it repeats.
        quoted: The id of the post that it quotes.
        original: The post that it repeats, where that was delivered.
        shown: The post whose content a reader sees: of a repost the original, since X cuts the repost's own text.
        entities: What X found in the whole text of `shown`.
    """

    __slots__ = (
        *("author", "data", "entities", "includes", "line", "original"),
        *("quoted", "replied_to", "reposted", "shown"),
    )

    def __init__(self, line: StreamLine) -> None:
        self.line = line
        self.data = line.data or Data()
        self.includes = line.includes
        self.author = self.user(self.data.author_id)
        self.replied_to = self.reposted = self.quoted = None
        for each in self.data.referenced_tweets or self.data.referenced_posts or ():
            if each.type == "replied_to":
                self.replied_to = each.id
            elif each.type == "retweeted":
                self.reposted = each.id
            elif each.type == "quoted":
                self.quoted = each.id
        self.original = self.delivered(self.reposted) if self.reposted else None
        self.shown = shown = self.original or self.data
        note = shown.note_tweet or shown.note_post
        self.entities = (note.entities if note is not None and note.entities else shown.entities) or _NOTHING

    def user(self, identity: str | None) -> User:
        """An account that was delivered; an empty one where it was not."""
        for each in self.includes.users or ():
            if each.id == identity:
                return each
        return _NOBODY

    def delivered(self, identity: str) -> Data | None:
        """A post that was delivered with this one."""
        return next((each for each in self.includes.tweets or self.includes.posts or () if each.id == identity), None)

    @property
    def place(self) -> Place:
        """The place that it is tagged with; an empty one where there is none."""
        geo = self.data.geo
        if geo is None or geo.place_id is None:
            return _NOWHERE
        return next((each for each in self.includes.places or () if each.id == geo.place_id), _NOWHERE)

    @property
    def media(self) -> Iterator[Media]:
        """The pictures and videos of `shown`; where one was not delivered, with its key alone."""
        keys = self.shown.attachments and self.shown.attachments.media_keys
        for key in keys or ():
            found = next((each for each in self.includes.media or () if each.media_key == key), None)
            yield found or Media(media_key=key)


def read(raw: bytes) -> DeliveredPost | None:
    """The post or message of a line; None where it is no object."""
    try:
        return DeliveredPost(_DECODE(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return DeliveredPost(fit(StreamLine, loads(raw)))
    except (ValueError, RecursionError):
        return None
