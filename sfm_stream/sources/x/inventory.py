"""What an inventory says of X's streams, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from sfm_stream.settings.declared import DeclaredCredential, DeclaredFilter, DeclaredStream, HostDefaults
from sfm_stream.settings.faults import Fault, Secret
from sfm_stream.settings.model import Positive
from sfm_stream.sources.x.checks import stream_warnings
from sfm_stream.sources.x.settings import (
    API_URL,
    RULE_COUNT,
    RULE_LENGTH,
    SAMPLE,
    BackfillMinutes,
    Degrees,
    Fields,
    Rule,
    XCredential,
    XStream,
)

MAIN_RULE = "main"
"""The name of the rule that a filter's own track, follow, locations or query make."""


class Filter(DeclaredFilter, frozen=True, kw_only=True):
    """An entry of ``sfm_filters``."""

    source: Literal["x"] = "x"
    credential: str
    track: tuple[str, ...] = ()
    follow: tuple[str, ...] = ()
    locations: tuple[Degrees, ...] = ()
    query: str | None = None
    rules: tuple[Rule, ...] = ()
    fields: Fields | None = None


class DeclaredXCredential(DeclaredCredential, frozen=True, kw_only=True):
    """A value of ``sfm_credentials``: the secret of an app, and what X entitles it to.

    Attributes:
        bearer_token: See `XCredential`; likewise the two others.
        consumer_key: The same.
        consumer_secret: The same.
        backfill_minutes: How far back X delivers after a gap, where the account is entitled to it.
    """

    source: Literal["x"] = "x"
    bearer_token: Secret | None = None
    consumer_key: Secret | None = None
    consumer_secret: Secret | None = None
    backfill_minutes: BackfillMinutes = 0

    @property
    def secret(self) -> XCredential:
        """See `DeclaredCredential.secret`."""
        return XCredential(
            bearer_token=self.bearer_token, consumer_key=self.consumer_key, consumer_secret=self.consumer_secret
        )


class Sample(DeclaredStream, frozen=True, kw_only=True):
    """The value of ``sfm_streamsample``."""

    credential: str
    fields: Fields | None = None


class Variables(msgspec.Struct, frozen=True, kw_only=True):
    """The variables of a host that concern X alone; each key is ``sfm_`` and the attribute's name."""

    api_url: str = API_URL
    fields: Fields = Fields()
    rule_length: Positive = RULE_LENGTH
    rule_count: Positive = RULE_COUNT
    streamsample: Sample | None = None


class _Inventory:
    filter = Filter
    variables = Variables
    credential = DeclaredXCredential
    exclusive = (
        "X allows an app one connection: merge them into one filter with several rules, give each a "
        "credential of its own, or set active: false"
    )

    def faults(self, declared: Filter, where: str) -> Iterator[Fault]:
        """See `sfm_stream.sources.base.Inventory`."""
        if _has_own_rule(declared) and declared.rules:
            yield Fault(
                where=where,
                problem="it has rules, and track, follow, locations or query beside them",
                fix="move these into a rule with a name of its own",
            )

    def stream(self, declared: Filter, defaults: HostDefaults) -> XStream:
        """See `sfm_stream.sources.base.Inventory`."""
        rules = declared.rules
        if _has_own_rule(declared):
            main = Rule(
                name=MAIN_RULE,
                track=declared.track,
                follow=declared.follow,
                locations=declared.locations,
                query=declared.query,
            )
            rules = (main, *rules)
        return _stream(declared, defaults, kind="filterstream", name=declared.name, rules=rules)

    def other_streams(self, defaults: HostDefaults) -> Iterator[tuple[str, Sample, XStream]]:
        """See `sfm_stream.sources.base.Inventory`: the sample stream."""
        if (declared := defaults.own.streamsample) is not None:
            yield "sfm_streamsample", declared, _stream(declared, defaults, kind=SAMPLE, name=SAMPLE)

    def warnings(self, stream: XStream, where: str) -> Iterator[Fault]:
        """See `sfm_stream.sources.base.Inventory`."""
        return stream_warnings(stream, where)

    def service_refusals(self, stream: XStream, secret: XCredential) -> list[str]:
        """See `sfm_stream.sources.base.Inventory`."""
        from sfm_stream.sources.x.rule_check import refusals

        return list(refusals(stream, secret)) if stream.rules else []


def _has_own_rule(declared: Filter) -> bool:
    return bool(declared.track or declared.follow or declared.locations) or declared.query is not None


def _stream(declared: Filter | Sample, defaults: HostDefaults, **own: Any) -> XStream:  # noqa: ANN401 - keys of Stream
    allowed = defaults.credentials.get(declared.credential)
    if not isinstance(allowed, DeclaredXCredential):
        allowed = DeclaredXCredential()  # none, or one at fault: that is a fault of its own
    return XStream(
        **own,
        **defaults.common(declared),
        credential=declared.credential,
        fields=declared.fields or defaults.own.fields,
        api_url=defaults.own.api_url,
        budget=allowed.budget,
        backfill_minutes=allowed.backfill_minutes,
        rule_length=defaults.own.rule_length,
        rule_count=defaults.own.rule_count,
    )


INVENTORY = _Inventory()
