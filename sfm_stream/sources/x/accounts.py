"""Asks X for the ids of accounts by their names, and looks whether the names stay with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from sfm_stream.sources.x.client import Client, Dropped, End
from sfm_stream.sources.x.rules.accounts import key

USERS = "/2/users/by"
MOST = 100
"""Sightings told by one process: more is no account that changed its name, but a server that invents them."""
_BATCH = 100
"""Names in one request: X's limit."""
_NAME = re.compile(r"\w{1,15}", re.ASCII)
"""What X takes for a name here; a request with another one would be refused as a whole."""


class _User(msgspec.Struct):
    id: str = ""
    username: str = ""


class _Problem(msgspec.Struct):
    value: str = ""
    detail: str = ""
    title: str = ""


class _Found(msgspec.Struct):
    data: list[_User] = []
    errors: list[_Problem] = []


def find_ids(client: Client, names: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The ids of accounts, by their names, and of the others why they have none. X charges for each one found.

    Raises:
        Refused, Dropped: As for `Client.request`.
    """
    found: dict[str, str] = {}
    missing = {name: "X has no such names" for name in names if not _NAME.fullmatch(name)}
    asked = [name for name in names if name not in missing]
    for start in range(0, len(asked), _BATCH):
        part = asked[start : start + _BATCH]
        answer = client.request("GET", USERS, params={"usernames": ",".join(part)})
        try:
            users = msgspec.json.decode(answer.content, type=_Found)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Dropped(End.UNUSABLE, f"{USERS}: not X's answer: {error}") from error
        ids = {key(user.username): user.id for user in users.data if re.fullmatch(r"\d{1,19}", user.id, re.ASCII)}
        reasons = {key(each.value): each.detail or each.title for each in users.errors}
        for name in part:
            if name in ids:
                found[name] = ids[name]
            else:
                missing[name] = reasons.get(name, "X did not answer for it")
    return found, missing


class Sighting(msgspec.Struct, frozen=True):
    """A post whose author does not have the name and the id that belong together.

    Attributes:
        name: The author's name.
        id: The author's id.
        followed: The name that is followed: of the id, where the account has another name now; otherwise the author's.
        followed_id: The id that is followed under this name.
    """

    name: str
    id: str
    followed: str
    followed_id: str

    def __str__(self) -> str:
        if self.id == self.followed_id:
            return (
                f"account {self.id}, followed as {self.followed}, is named {self.name} now; it is followed all the same"
            )
        return f"the name {self.name} belongs to account {self.id} now; followed is {self.followed_id}, which had it"


class _Includes(msgspec.Struct):
    users: list[_User] = []


class _Data(msgspec.Struct):
    author_id: str = ""


class _Post(msgspec.Struct):
    data: _Data = msgspec.field(default_factory=_Data)
    includes: _Includes = msgspec.field(default_factory=_Includes)


class AccountWatch:
    """Checks in posts whether the accounts followed still have their names.

    Args:
        accounts: See `Stream.accounts`.
    """

    def __init__(self, accounts: Mapping[str, str]) -> None:
        self._ids = dict(accounts)
        self._names = {identity: name for name, identity in accounts.items()}
        self._told: set[Sighting] = set()
        self._decoder = msgspec.json.Decoder(_Post)

    def look(self, line: bytes) -> Iterator[Sighting]:
        """What a post shows that was not seen before."""
        if not self._ids or len(self._told) >= MOST:
            return
        try:
            post = self._decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        for user in post.includes.users:
            if (
                user.id
                and user.id == post.data.author_id
                and (sighting := self._compare(user)) not in {None, *self._told}
            ):
                assert sighting is not None  # noqa: S101 - just compared
                self._told.add(sighting)
                yield sighting

    def _compare(self, user: _User) -> Sighting | None:
        name = key(user.username)
        if self._ids.get(name, user.id) != user.id:
            return Sighting(user.username, user.id, name, self._ids[name])
        if user.id in self._names and name and name not in self._ids:
            return Sighting(user.username, user.id, self._names[user.id], user.id)
        return None
