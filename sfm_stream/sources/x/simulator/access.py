"""Who may ask: apps by their tokens, and tokens for consumer keys and secrets."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import unquote

import msgspec

from sfm_stream.sources.x.simulator.apps import App, AppLimits


class AppSecret(msgspec.Struct, frozen=True):
    """An app that may connect: its token, and the pair that gives the token."""

    name: str
    token: str
    pair: tuple[str, str] | None = None


class Access:
    """The apps there are.

    Args:
        secrets: The only ones; none, and any token is an app of its own.
        limits: Of each app.
    """

    def __init__(self, secrets: Iterable[AppSecret], limits: AppLimits) -> None:
        self._secrets = tuple(secrets)
        self._limits = limits
        self._apps = {each.token: App(each.name, limits) for each in self._secrets}

    def apps(self) -> list[App]:
        """All that exist so far."""
        return list(self._apps.values())

    def app(self, authorization: str) -> App | None:
        """The app that a request's authorization names; None if X would not know it."""
        kind, _, token = authorization.partition(" ")
        token = token.strip()
        if kind.lower() != "bearer" or not token:
            return None
        if token not in self._apps and not self._secrets:
            name = f"app-{hashlib.sha256(token.encode()).hexdigest()[:8]}"
            self._apps[token] = App(name, self._limits)
        return self._apps.get(token)

    def token(self, authorization: str) -> str | None:
        """The bearer token for a consumer key and secret; the same each time."""
        pair = _basic(authorization)
        if pair and not self._secrets:
            return f"AAAAAAAAAAAAAAAAAAAAA{hashlib.sha256(':'.join(pair).encode()).hexdigest()}"
        return next((each.token for each in self._secrets if pair and each.pair == pair), None)


def _basic(header: str) -> tuple[str, str] | None:
    """The consumer key and secret of a Basic authorization."""
    kind, _, coded = header.partition(" ")
    with suppress(binascii.Error, UnicodeDecodeError):
        key, colon, secret = base64.b64decode(coded).decode().partition(":")
        if kind.lower() == "basic" and colon and key and secret:
            return unquote(key), unquote(secret)
    return None
