"""Resolves the names of accounts for a deployment: by the host's settings, and those that it lacks by their source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from sfm_stream.errors import ConfigError, SfmError
from sfm_stream.settings.config import credential_of
from sfm_stream.settings.model import StreamSettings
from sfm_stream.sources import registry
from sfm_stream.sources.base import Source
from sfm_stream.sources.feed import Dropped, Refused


class Resolved(msgspec.Struct):
    """What is known of the accounts that streams follow by name.

    Attributes:
        accounts: By the name of each stream's settings file: see `StreamSettings.accounts`.
        asked: How many names sources were asked for; some charge for each that they find.
        unresolved: A line for each account, or each stream, of which its source told no id.
    """

    accounts: dict[str, dict[str, str]] = {}
    asked: int = 0
    unresolved: list[str] = []


def resolve(declared: bytes, config_dir: Path, *, ask: bool, paid: bool = True) -> Resolved:
    """The ids of all accounts followed by name.

    An id that the settings of the host hold stays: it may cost, and a name that somebody else has taken since then
    does not lead to them. What a source does not tell is no failure here.

    Args:
        declared: The settings of streams as they are to be, a JSON list.
        config_dir: Where streams/ and credentials/ lie.
        ask: Whether sources are asked for names that are not known; they are for active streams alone.
        paid: Whether those are asked, too, that charge for it.

    Raises:
        ConfigError: `declared` is not what it should be.
    """
    resolved = Resolved()
    for source, stream in _streams(declared):
        wanted = source.account_names(stream)
        file = f"{stream.program}.json"
        held = _held(config_dir / "streams" / file)
        known = {name: held[name] for name in wanted if name in held}
        unknown = [name for name in wanted if name not in known]
        if unknown and ask and stream.active and (paid or not source.charges_lookups):
            resolved.asked += len(unknown)
            known |= _ask(source, stream, unknown, config_dir, resolved.unresolved)
        if known:
            resolved.accounts[file] = dict(sorted(known.items()))
    return resolved


def _streams(declared: bytes) -> list[tuple[Source, StreamSettings]]:
    found = []
    try:
        for raw in msgspec.json.decode(declared, type=list[dict[str, Any]]):
            source = registry.source(raw.get("source", registry.DEFAULT))
            found.append((source, msgspec.convert(raw, source.settings)))
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, KeyError) as error:
        raise ConfigError(f"the settings on standard input are no list of streams: {error}") from error
    return found


def _held(path: Path) -> Mapping[str, str]:
    """The ids that are in a host's settings; none where there are no settings that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any]).get("accounts") or {}
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _ask(
    source: Source, stream: StreamSettings, names: list[str], config_dir: Path, unresolved: list[str]
) -> dict[str, str]:
    try:
        credential = credential_of(config_dir, stream)
        found, missing = source.look_up_accounts(stream, credential, names)
    except (SfmError, Refused, Dropped) as error:
        many = f"{len(names)} accounts" if len(names) > 1 else f"@{names[0]}"
        unresolved.append(f"filter {stream.name!r}: {many}: {source.title} was not asked, or did not answer: {error}")
        return {}
    unresolved.extend(f"filter {stream.name!r}: @{name}: {reason}" for name, reason in missing.items())
    return found
