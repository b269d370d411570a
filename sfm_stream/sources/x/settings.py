"""The settings of X's streams, and the secret that they need."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import msgspec

from sfm_stream.settings.faults import Secret
from sfm_stream.settings.model import Credential, Positive, StreamSettings

SAMPLE = "streamsample"
API_URL = "https://api.x.com"

RULE_LENGTH, RULE_COUNT = 1024, 1000
"""What X takes of an app that it grants nothing more: characters of a rule, and rules."""
BackfillMinutes = Annotated[int, msgspec.Meta(ge=0, le=5)]
Degrees = tuple[float, float, float, float]
"""A box: west, south, east, north."""
StreamKind = Literal["filterstream", "streamsample"]


def program_name(kind: StreamKind, name: str) -> str:
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


class XStream(StreamSettings, frozen=True, kw_only=True, omit_defaults=True):
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
    kind: StreamKind
    credential: str
    rules: tuple[Rule, ...] = ()
    fields: Fields = Fields()
    api_url: str = API_URL
    backfill_minutes: BackfillMinutes = 0
    rule_length: Positive = RULE_LENGTH
    rule_count: Positive = RULE_COUNT

    @property
    def program(self) -> str:
        """The name of its supervisor program, and the first part of its files' names."""
        return program_name(self.kind, self.name)

    @property
    def arguments(self) -> tuple[str, ...]:
        """The sample stream is a command of its own."""
        return (SAMPLE,) if self.kind == SAMPLE else super().arguments


class XCredential(Credential, frozen=True, kw_only=True, omit_defaults=True):
    """One X app's secret: a bearer token, or the consumer key and secret to fetch one with."""

    bearer_token: Secret | None = None
    consumer_key: Secret | None = None
    consumer_secret: Secret | None = None

    @property
    def fingerprint(self) -> str:
        """Tells this secret from another, and nothing about it: secrets of X are too long to be guessed."""
        parts = (self.bearer_token, self.consumer_key, self.consumer_secret)
        return hashlib.sha256("\0".join(str.__str__(part or "") for part in parts).encode()).hexdigest()[:16]
