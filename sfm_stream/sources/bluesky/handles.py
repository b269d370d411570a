"""Asks for the DIDs of handles, which change hands while a DID stays.

Source: the lexicon ``com.atproto.identity.resolveHandle``, which needs no token.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import requests

from sfm_stream import __version__
from sfm_stream.sources.bluesky.settings import is_did
from sfm_stream.sources.feed import Dropped

ENDPOINT = "/xrpc/com.atproto.identity.resolveHandle"
TIMEOUT = (10.0, 21.0)
LIMIT = 65536


class _Answer(msgspec.Struct):
    did: str = ""
    error: str = ""
    message: str = ""


def find_dids(resolver: str, handles: Sequence[str], contact: str = "") -> tuple[dict[str, str], dict[str, str]]:
    """The DIDs of handles, and of the others why they have none.

    Raises:
        Dropped: The resolver cannot be reached, or is none.
    """
    found: dict[str, str] = {}
    missing: dict[str, str] = {}
    with requests.Session() as session:
        session.headers["User-Agent"] = f"sfm-stream/{__version__}" + (f" ({contact})" if contact else "")
        for handle in handles:
            answer = _ask(session, resolver, handle)
            if is_did(answer.did):
                found[handle] = answer.did
            else:
                missing[handle] = (answer.message or answer.error or "the resolver names no DID")[:300]
    return found, missing


def _ask(session: requests.Session, resolver: str, handle: str) -> _Answer:
    try:
        address = resolver.rstrip("/") + ENDPOINT
        with session.get(
            address, params={"handle": handle}, timeout=TIMEOUT, allow_redirects=False, stream=True
        ) as answer:
            body = answer.raw.read(LIMIT, decode_content=True)
    except (requests.RequestException, OSError) as error:
        raise Dropped("network error", str(error)) from error
    try:
        return msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Dropped("not a resolver of handles", f"HTTP {answer.status_code}: {error}") from error
