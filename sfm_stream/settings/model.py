"""The words of the design as types: a stream, its rules, and the credential it uses."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Literal, Self

import msgspec

from sfm_stream.compression import formats
from sfm_stream.settings.faults import Secret

SAMPLE = "streamsample"
API_URL = "https://api.x.com"

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What names of filters, rules and credentials are made of: they become file names and supervisor programs."""

Positive = Annotated[int, msgspec.Meta(gt=0)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Level = Annotated[int, msgspec.Meta(ge=1, le=9)]
Degrees = tuple[float, float, float, float]


Kind = Literal["filterstream", "streamsample"]


def program_name(kind: Kind, name: str) -> str:
    """The supervisor program of a stream; the sample stream has no name of its own."""
    return SAMPLE if kind == SAMPLE else f"twitterfilter-{name}"


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One named query of a filter: either `query`, in X's own language, or any of the other three.

    Attributes:
        name: Unique within the filter; stands in the tag ``sfm:<filter>:<name>``.
        track: Any of these; the words of one entry all together, in any order.
        follow: Posts by, replies to and reposts of these accounts (names or numeric ids).
        locations: Boxes in degrees: west, south, east, north.
        query: An X rule, passed on as it is.
    """

    name: str
    track: tuple[str, ...] = ()
    follow: tuple[str, ...] = ()
    locations: tuple[Degrees, ...] = ()
    query: str | None = None


class Fields(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Narrows what is asked of X with each post; None means every public field.

    The attributes are X's parameters ``tweet.fields`` and so on.
    """

    tweet: tuple[str, ...] | None = None
    user: tuple[str, ...] | None = None
    media: tuple[str, ...] | None = None
    poll: tuple[str, ...] | None = None
    place: tuple[str, ...] | None = None
    expansions: tuple[str, ...] | None = None


class Budget(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one credential may consume; None sets no limit. Days and months are UTC's, as X's own.

    Attributes:
        per_day: Posts a day.
        per_month: Posts a month.
        per_minute: Posts in any 60 seconds; more of them stop the stream until the next full hour.
        price: Dollars a post, to show what was spent.
    """

    per_day: Positive | None = None
    per_month: Positive | None = None
    per_minute: Positive | None = None
    price: Annotated[float, msgspec.Meta(ge=0)] = 0.005


class StreamSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The settings that a stream of any source has.

    Attributes:
        source: Where its posts come from.
        name: The filter's name.
        credential: Names the file with the secret; "" for a source that needs none.
        active: Whether a program runs for it.
        data_dir: Where segments and capture files go.
        state_dir: Where journal, lock and live status go.
        save_interval: Seconds after which a segment is finished.
        save_bytes: Compressed size after which it is finished sooner; None for never.
        compression: The format of files.
        compression_level: From 1, which is fast, to 9, for the smallest files; None for the format's usual one.
        min_free: Free space that the data directory's filesystem must keep, like ``1G`` or ``5%``.
        budget: What the credential, or the stream where it has none, may consume.
        accounts: The ids of accounts followed by name, as the source resolved them: the name without @ and in small
            letters, and the id.
    """

    source: str
    name: str
    credential: str = ""
    active: bool = True
    data_dir: str = "/var/lib/sfm/data"
    state_dir: str = "/var/lib/sfm/state"
    save_interval: Seconds = 900.0
    save_bytes: Positive | None = None
    compression: formats.Name = "gzip"
    compression_level: Level | None = None
    min_free: str = "1G"
    budget: Budget = Budget()
    accounts: dict[str, str] = {}

    @property
    def budget_key(self) -> str:
        """Under which name what it consumes is counted: that of its credential, or its own."""
        return self.credential or self.program

    @property
    def format(self) -> formats.Format:
        """The format of its files, at the level that is wanted."""
        return formats.BY_NAME[self.compression].at(self.compression_level)

    @property
    def without_format(self) -> Self:
        """The settings without that, which a running program takes up with its next file."""
        return msgspec.structs.replace(self, compression="gzip", compression_level=None)

    @property
    def program(self) -> str:
        """The name of its supervisor program, and the first part of its files' names."""
        raise NotImplementedError

    @property
    def arguments(self) -> tuple[str, ...]:
        """With which arguments `sfm-stream` captures it."""
        return ("filterstream", self.name)


class Stream(StreamSettings, frozen=True, kw_only=True, omit_defaults=True):
    """The settings of one of X's streams: all that its program needs besides the secret.

    Attributes:
        kind: Which of X's two streams.
        credential: Names the file with the secret.
        rules: What to match (filterstream only).
        fields: What to ask for with each post.
        api_url: Where X answers.
        backfill_minutes: The most that X recovers after a gap for this account; 0 where it is not entitled to any.
        rule_length: The longest rule that X takes of this app, in characters.
        rule_count: The most rules that X takes of this app.
    """

    source: Literal["x"] = "x"
    kind: Kind
    credential: str
    rules: tuple[Rule, ...] = ()
    fields: Fields = Fields()
    api_url: str = API_URL
    backfill_minutes: Annotated[int, msgspec.Meta(ge=0, le=5)] = 0
    rule_length: Positive = 1024
    rule_count: Positive = 1000

    @property
    def program(self) -> str:
        """The name of its supervisor program, and the first part of its files' names."""
        return program_name(self.kind, self.name)

    @property
    def arguments(self) -> tuple[str, ...]:
        """The sample stream is a command of its own."""
        return (SAMPLE,) if self.kind == SAMPLE else super().arguments


class Credential(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One X app's secret: a bearer token, or the consumer key and secret to fetch one with."""

    bearer_token: Secret | None = None
    consumer_key: Secret | None = None
    consumer_secret: Secret | None = None

    @property
    def fingerprint(self) -> str:
        """Tells this secret from another, and nothing about it: secrets of X are too long to be guessed."""
        parts = (self.bearer_token, self.consumer_key, self.consumer_secret)
        return hashlib.sha256("\0".join(str.__str__(part or "") for part in parts).encode()).hexdigest()[:16]
