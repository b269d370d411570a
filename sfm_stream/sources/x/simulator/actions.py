"""The kinds of things that go wrong; what each does stands in `sfm_stream.sources.x.simulator.plan`."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that goes wrong, once `after` posts were sent on a connection."""

    after: int = 0


class Pass(Action, frozen=True, kw_only=True, tag="pass"):
    """Nothing goes wrong."""


class Refuse(Action, frozen=True, kw_only=True, tag="refuse"):
    """An answer other than 200."""

    status: int | None = None
    problem: str | None = None
    reset: float | None = None
    headers: dict[str, str] = {}
    body: Any = None


class Redirect(Action, frozen=True, kw_only=True, tag="redirect"):
    """Go elsewhere."""

    location: str
    status: int = 302


class SlowHeaders(Action, frozen=True, kw_only=True, tag="slow_headers"):
    """A late answer."""

    seconds: float


class Drop(Action, frozen=True, kw_only=True, tag="drop"):
    """No answer."""


class ContentType(Action, frozen=True, kw_only=True, tag="content_type"):
    """An answer that is no stream."""

    value: str = "text/html"
    body: str = "<!doctype html><title>Sign in to this network</title>\n"


class Gzip(Action, frozen=True, kw_only=True, tag="gzip"):
    """A compressed stream."""


class Close(Action, frozen=True, kw_only=True, tag="close"):
    """The end."""

    finish: bool = True


class CloseMidLine(Action, frozen=True, kw_only=True, tag="close_mid_line"):
    """The end, at a bad moment."""


class Reset(Action, frozen=True, kw_only=True, tag="reset"):
    """The end, by force."""


class Stall(Action, frozen=True, kw_only=True, tag="stall"):
    """Silence."""

    seconds: float | None = None


class KeepAlivesOnly(Action, frozen=True, kw_only=True, tag="keep_alives_only"):
    """Life, but no posts."""

    seconds: float | None = None


class Dribble(Action, frozen=True, kw_only=True, tag="dribble"):
    """A post, byte by byte."""

    every: float = 1.0
    bytes: int | None = None


class DisconnectMessage(Action, frozen=True, kw_only=True, tag="disconnect_message"):
    """X says why it ends the stream."""

    kind: str = "OperationalDisconnect"
    close: bool = True


class Inject(Action, frozen=True, kw_only=True, tag="inject"):
    """A line that is no ordinary post."""

    what: Literal["invalid-utf8", "long", "unknown", "errors", "errors-beside-data", "not-json", "blank", "raw"]
    size: int = 10_000_000
    text: str = ""


class Duplicate(Action, frozen=True, kw_only=True, tag="duplicate"):
    """Posts twice."""

    posts: int = 1


class Shuffle(Action, frozen=True, kw_only=True, tag="shuffle"):
    """Posts in the wrong order."""

    posts: int = 10


class DeleteRules(Action, frozen=True, kw_only=True, tag="delete_rules"):
    """Rules vanish."""


class ForeignRule(Action, frozen=True, kw_only=True, tag="foreign_rule"):
    """A rule appears."""

    value: str
    tag: str = ""


class Linger(Action, frozen=True, kw_only=True, tag="linger"):
    """A connection outlives its client."""

    seconds: float = 60.0


ACTIONS: dict[str, type[Action]] = {
    str(each.__struct_config__.tag): each
    for each in (
        *(Pass, Refuse, Redirect, SlowHeaders, Drop, ContentType, Gzip, Close, CloseMidLine, Reset, Stall),
        *(KeepAlivesOnly, Dribble, DisconnectMessage, Inject, Duplicate, Shuffle, DeleteRules, ForeignRule, Linger),
    )
}
"""Each kind by the name that a plan gives it."""
