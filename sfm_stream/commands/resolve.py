"""Resolves the names of accounts for a deployment: those that the host's settings know already, and the others by X."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from sfm_stream.errors import ConfigError
from sfm_stream.settings.config import credential_path, read_credential
from sfm_stream.settings.model import Stream
from sfm_stream.sources.x.rules import accounts


class Resolved(msgspec.Struct):
    """What is known of the accounts that streams follow by name.

    Attributes:
        accounts: By the name of each stream's settings file: see `Stream.accounts`.
        asked: How many names X was asked for; it charges for each that it found.
        unresolved: A line for each account, or each stream, of which X told no id.
    """

    accounts: dict[str, dict[str, str]] = {}
    asked: int = 0
    unresolved: list[str] = []


def resolve(declared: bytes, config_dir: Path, *, ask: bool) -> Resolved:
    """The ids of all accounts followed by name.

    An id that the settings of the host hold stays: it costs once, and a name that somebody else has taken since then
    does not lead to them. What X does not tell is no failure: such an account is followed by its name.

    Args:
        declared: The settings of streams as they are to be, a JSON list.
        config_dir: Where streams/ and credentials/ lie.
        ask: Whether X is asked for names that are not known; it is for active streams alone.

    Raises:
        ConfigError: `declared` is not what it should be.
    """
    try:
        settings = msgspec.json.decode(declared, type=list[dict[str, Any]])
        streams = [msgspec.convert(each, Stream) for each in settings if each.get("rules")]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the settings on standard input are no list of streams: {error}") from error
    resolved = Resolved()
    for stream in streams:
        wanted = accounts.names(stream.rules)
        file = f"{stream.program}.json"
        held = _held(config_dir / "streams" / file)
        known = {name: held[name] for name in wanted if name in held}
        unknown = [name for name in wanted if name not in known]
        if unknown and ask and stream.active:
            resolved.asked += len(unknown)
            known |= _ask(stream, unknown, config_dir, resolved.unresolved)
        if known:
            resolved.accounts[file] = dict(sorted(known.items()))
    return resolved


def _held(path: Path) -> Mapping[str, str]:
    """The ids that are in a host's settings; none where there are no settings that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any]).get("accounts") or {}
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _ask(stream: Stream, names: list[str], config_dir: Path, unresolved: list[str]) -> dict[str, str]:
    from sfm_stream.sources.x.accounts import find_ids
    from sfm_stream.sources.x.api import bearer_token
    from sfm_stream.sources.x.client import Client, Dropped, Refused

    try:
        credential = read_credential(credential_path(config_dir, stream.credential))
        client = Client(bearer_token(credential, stream.api_url), stream.api_url)
        found, missing = find_ids(client, names)
    except (ConfigError, Refused, Dropped) as error:
        many = f"{len(names)} accounts" if len(names) > 1 else f"@{names[0]}"
        unresolved.append(f"filter {stream.name!r}: {many}: X was not asked, or did not answer: {error}")
        return {}
    unresolved.extend(f"filter {stream.name!r}: @{name}: {reason}" for name, reason in missing.items())
    return found
