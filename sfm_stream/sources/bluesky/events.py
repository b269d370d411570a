"""An event of Jetstream on either of its wires, decoded as far as the capture needs to know it.

The older wire (v1) sends the event itself; the newer (v2) wraps it::

    {"did":"did:plc:...","time_us":1779719009157119,"kind":"commit","commit":{"operation":"create",...}}
    {"$type":"message","payload":{"$type":"network.bsky.jetstream.subscribeEvents#commit","seq":1,"did":"did:plc:...",...}}

Sources: the lexicon ``network.bsky.jetstream.subscribeEvents`` and the README of bluesky-social/jetstream.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from sfm_stream.sources.lines import Classified, LineKind

POSTS = "app.bsky.feed.post"
TIME_CURSOR = 10**15
"""A cursor from here on is a time in microseconds since 1970; below, it is a sequence number of one host."""
GONE = frozenset({"deleted", "takendown", "suspended"})
"""The states of an account in which its posts must not be shown."""
_NAMESPACE = "network.bsky.jetstream.subscribeEvents"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Change(msgspec.Struct, frozen=True):
    """What a commit says of a record; the newer wire has these keys in the payload, the older in ``commit``."""

    rev: str = ""
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    cid: str = ""
    record: msgspec.Raw = msgspec.Raw()


class Event(_Change, frozen=True, kw_only=True):
    """One event, whichever wire brought it.

    Attributes:
        kind: ``commit``, ``identity``, ``account``, ``sync``, ``info``, ``error``, or what a later version sends.
        did: Whose event it is.
        seq: Its number in the sequence of the host that sent it (v2); 0 on v1.
        time: When the host sent it.
        rev: The revision of the author's repository.
        operation: ``create``, ``update`` or ``delete`` (commit).
        collection: The kind of record (commit).
        rkey: The record's key within its collection (commit).
        cid: The record's content hash (commit).
        record: The record itself, undecoded (commit).
        active: Whether the account is active (account).
        status: Why it is not (account).
        upstream: The number of an account event in the network's own sequence, the same on every host; 0 elsewhere.
        message: What the host says of the stream (info, error).
    """

    kind: str
    did: str = ""
    seq: int = 0
    time: datetime | None = None
    active: bool = True
    status: str = ""
    upstream: int = 0
    message: str = ""

    @property
    def uri(self) -> str:
        """The identity of the record: ``at://<did>/<collection>/<rkey>``; of an account event, of the account."""
        return f"at://{self.did}/{self.collection}/{self.rkey}" if self.collection else f"at://{self.did}"

    @property
    def removes(self) -> bool:
        """Whether something that may have been kept must go."""
        if self.kind == "account":
            return not self.active and self.status in GONE
        return self.kind == "commit" and self.operation == "delete"


class _Account(msgspec.Struct, frozen=True):
    active: bool = True
    status: str = ""
    seq: int = 0


class _Payload(_Change, frozen=True):
    type: str = msgspec.field(name="$type", default="")
    seq: int = 0
    did: str = ""
    time: datetime | None = None
    account: _Account = _Account()
    name: str = ""
    message: str = ""


class _Wire(msgspec.Struct, frozen=True):
    """Both wires at once: no key means one thing on one and another on the other."""

    type: str = msgspec.field(name="$type", default="")
    payload: _Payload = _Payload()
    error: str = ""
    message: str = ""
    did: str = ""
    time_us: int = 0
    kind: str = ""
    commit: _Change = _Change()
    account: _Account = _Account()


_DECODER = msgspec.json.Decoder(_Wire)


def read(line: bytes) -> Event | None:
    """The event of a line; None where it is none that can be read."""
    try:
        wire: _Wire | None = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        wire = _tolerant(line)
    if wire is None:
        return None
    if wire.type == "message":
        return _newer(wire.payload)
    if wire.type == "error":
        return Event(kind="error", status=wire.error, message=wire.message)
    return _older(wire) if wire.kind else None


def classify(line: bytes) -> Classified:
    """What a line is; a line that cannot be read is `LineKind.OTHER`."""
    event = read(line)
    return Classified(LineKind.OTHER) if event is None else classified(event)


def classified(event: Event) -> Classified:
    """The same of an event that has been read."""
    return Classified(kind_of(event), event.uri if event.did else "", position(event), event.time, _key(event))


def kind_of(event: Event) -> LineKind:
    """What it is to the core."""
    if event.removes:
        return LineKind.DELETE
    if event.kind == "commit" and event.operation in ("create", "update"):
        return LineKind.POST
    return LineKind.NOTICE if event.kind in ("info", "error") else LineKind.OTHER


def _key(event: Event) -> str:
    """What is the same of an event on every host and either wire; "" where nothing is."""
    if event.rev:
        return f"{event.did} {event.rev} {event.collection} {event.rkey} {event.operation}"
    return f"{event.did} {event.kind} {event.upstream}" if event.upstream else ""


def position(event: Event) -> str:
    """The cursor with which the stream goes on after this event; "" where the event has none."""
    if event.seq:
        return str(event.seq)
    return str(microseconds(event.time)) if event.time and event.kind not in ("info", "error") else ""


def microseconds(time: datetime) -> int:
    """`time` as a cursor: microseconds since 1970."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def _newer(payload: _Payload) -> Event:
    return Event(
        kind=payload.type.removeprefix(f"{_NAMESPACE}#"),
        did=payload.did,
        seq=payload.seq,
        time=_utc(payload.time),
        rev=payload.rev,
        operation=payload.operation,
        collection=payload.collection,
        rkey=payload.rkey,
        cid=payload.cid,
        record=payload.record,
        active=payload.account.active,
        status=payload.account.status or payload.name,
        upstream=payload.account.seq,
        message=payload.message,
    )


def _utc(time: datetime | None) -> datetime | None:
    try:
        return time and (time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC))
    except OverflowError:
        return None


def _older(wire: _Wire) -> Event:
    commit = wire.commit
    try:
        time = _EPOCH + timedelta(microseconds=wire.time_us) if wire.time_us else None
    except OverflowError:
        time = None
    return Event(
        kind=wire.kind,
        did=wire.did,
        time=time,
        rev=commit.rev,
        operation=commit.operation,
        collection=commit.collection,
        rkey=commit.rkey,
        cid=commit.cid,
        record=commit.record,
        active=wire.account.active,
        status=wire.account.status,
        upstream=wire.account.seq,
    )


def _tolerant(line: bytes) -> _Wire | None:
    """An event with parts that are not as described is an event all the same; Python's reader takes more JSON."""
    try:
        raw: Any = json.loads(line.decode("utf-8", "replace"), strict=False, parse_constant=lambda _: None)
        record = json.dumps(_record(raw), ensure_ascii=False).encode("utf-8", "replace")
    except (ValueError, RecursionError):
        return None
    wire = _fitting(_Wire, raw)
    if wire is None or not isinstance(wire, _Wire):
        return None
    if wire.type == "message":
        return msgspec.structs.replace(wire, payload=msgspec.structs.replace(wire.payload, record=msgspec.Raw(record)))
    return msgspec.structs.replace(wire, commit=msgspec.structs.replace(wire.commit, record=msgspec.Raw(record)))


def _record(raw: Any) -> Any:  # noqa: ANN401 - whatever the line holds
    for key in ("payload", "commit"):
        inner = raw.get(key) if isinstance(raw, dict) else None
        if isinstance(inner, dict) and "record" in inner:
            return inner["record"]
    return None


def _fitting(kind: type, raw: object) -> Any:  # noqa: ANN401 - a struct of the given kind, or a value
    """A struct of those keys that have the right type; the others are as if they were not there."""
    if not isinstance(raw, dict):
        return None
    values = {}
    for field in msgspec.structs.fields(kind):
        if field.encode_name not in raw or field.type is msgspec.Raw:
            continue
        value = raw[field.encode_name]
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            value = _fitting(field.type, value)
            if value is not None:
                values[field.name] = value
            continue
        try:
            values[field.name] = msgspec.convert(value, field.type)
        except msgspec.ValidationError:
            continue
    return kind(**values)
