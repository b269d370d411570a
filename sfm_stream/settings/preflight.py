"""Examines a whole inventory before any host is touched, and resolves it to streams.

The deployment calls `examine` on the controller with every host's ``sfm_*`` variables.
What a filter leaves out comes from the host's own variables, then from the defaults of
`Stream`; what results is what the programs read, checked by the code that they use.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec

from sfm_stream import __version__
from sfm_stream.settings.checks import credential_faults, name_faults, repeated, stream_faults, stream_warnings
from sfm_stream.settings.directories import directory_faults, directory_warnings
from sfm_stream.settings.environment import convert_environment
from sfm_stream.settings.faults import Fault, Secret, convert, nearest, show
from sfm_stream.settings.model import (
    API_URL,
    SAMPLE,
    Budget,
    Credential,
    Degrees,
    Fields,
    Positive,
    Rule,
    Seconds,
    Stream,
)
from sfm_stream.settings.people import people_faults, people_warnings
from sfm_stream.settings.secrecy import is_hidden, shown_name
from sfm_stream.settings.variables import Option, kind_faults

MAIN_RULE = "main"
"""The name of the rule that a filter's own track, follow, locations or query make."""


class DeclaredCredential(Credential, frozen=True, kw_only=True):
    """A value of ``sfm_credentials``: the secret, and what X and its owner allow the app.

    Attributes:
        budget: See `Stream.budget`.
        backfill_minutes: See `Stream.backfill_minutes`.
    """

    budget: Budget = Budget()
    backfill_minutes: Annotated[int, msgspec.Meta(ge=0, le=5)] = 0

    @property
    def secret(self) -> Credential:
        """What the program's credential file holds."""
        return Credential(
            bearer_token=self.bearer_token, consumer_key=self.consumer_key, consumer_secret=self.consumer_secret
        )


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of ``sfm_filters``. Keys left out come from the host's variables of the same name."""

    name: str
    credential: str
    active: bool = True
    track: tuple[str, ...] = ()
    follow: tuple[str, ...] = ()
    locations: tuple[Degrees, ...] = ()
    query: str | None = None
    rules: tuple[Rule, ...] = ()
    fields: Fields | None = None
    save_interval: Seconds | None = None
    save_bytes: Positive | None = None


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The value of ``sfm_streamsample``."""

    credential: str
    active: bool = True
    fields: Fields | None = None
    save_interval: Seconds | None = None
    save_bytes: Positive | None = None


class HostVars(msgspec.Struct, frozen=True, kw_only=True):
    """The variables of one host that say what it captures; each key is ``sfm_`` and the attribute's name.

    The lists of filters and the mapping of credentials are converted item by item, so that one
    bad entry does not hide the others.
    """

    api_url: str = API_URL
    data_dir: str = "/var/lib/sfm/data"
    state_dir: str = "/var/lib/sfm/state"
    save_interval: Seconds = 900.0
    save_bytes: Positive | None = None
    min_free: str = "1G"
    fields: Fields = Fields()
    rule_length: Positive = 1024
    rule_count: Positive = 1000
    streamsample: Sample | None = None


_JUDGED = frozenset(
    {"sfm_credentials", "sfm_environment", "sfm_filters", *(f"sfm_{name}" for name in HostVars.__struct_fields__)}
)
"""Variables whose types stand here, and more narrowly than in the specifications."""


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of the plan.

    Attributes:
        stream: What its program reads.
        digest: Changes when the program must restart to take up a change: with all of the settings but the rules,
            with the credential's secret, the host's ``sfm_environment`` and the version of this package. It discloses
            none of them.
        secret: The credential's, for who asks X on the stream's behalf. It must not be shown.
    """

    stream: Stream
    digest: str
    secret: Credential = Credential()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of an examination.

    Attributes:
        faults: What keeps the inventory from being deployed.
        warnings: What a person should know all the same.
        hosts: The streams of each host, in the order declared; of no use while there are faults.
    """

    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    hosts: Mapping[str, tuple[Declared, ...]]


def examine(hosts: Mapping[str, Mapping[str, Any]], options: Mapping[str, Option]) -> Plan:
    """All faults of an inventory, and the streams it declares.

    Args:
        hosts: The ``sfm_*`` variables of each host, as `sfm_stream.settings.variables.typed` returns them.
        options: All variables that the roles understand, with what is declared of each.
    """
    faults: list[Fault] = []
    examined = [_Host(name, variables, options, faults) for name, variables in hosts.items()]
    faults.extend(_shared_credentials(examined))
    plan = {host.name: tuple(host.declared()) for host in examined}
    warnings = [w for host in examined for s in host.streams for w in stream_warnings(s, host.place(s))]
    for host in examined:
        warnings += [*directory_warnings(host.settled), *people_warnings(host.settled)]
    # A variable that holds for every host is wrong once, not once a host.
    return Plan(faults=tuple(dict.fromkeys(faults)), warnings=tuple(dict.fromkeys(warnings)), hosts=plan)


class _Host:
    """One host's variables, converted as far as they are right; `faults` receives the rest."""

    def __init__(
        self, name: str, variables: Mapping[str, Any], options: Mapping[str, Option], faults: list[Fault]
    ) -> None:
        self.name = name
        faults.extend(
            Fault(where=key, problem="unknown variable", fix=nearest(key, options))
            for key in variables
            if key.startswith("sfm_") and key not in options
        )
        faults.extend(kind_faults(variables, options, _JUDGED))
        self.settled = {key: each["default"] for key, each in options.items() if "default" in each} | dict(variables)
        faults.extend(directory_faults(self.settled))
        faults.extend(people_faults(self.settled))
        self.environment = convert_environment(variables.get("sfm_environment") or {}, "sfm_environment", faults)
        self.credentials = dict(self._credentials(variables.get("sfm_credentials"), faults))
        names = {field.name for field in msgspec.structs.fields(HostVars)}
        own = {name: variables[f"sfm_{name}"] for name in names if f"sfm_{name}" in variables}
        if not own.get("streamsample"):
            own.pop("streamsample", None)
        hints = {field.name: field.type for field in msgspec.structs.fields(HostVars)}
        values = {key: convert(hints[key], raw, f"sfm_{key}", faults) for key, raw in own.items()}
        self.defaults = HostVars(**{key: value for key, value in values.items() if value is not None})
        declared = list(self._filters(variables.get("sfm_filters"), faults))
        filters = [each for each, _ in declared]
        faults.extend(
            Fault(where="sfm_filters", problem=f"two filters are named {show(twice)}", fix="rename one of them")
            for twice in repeated(each.name for each in filters)
        )
        examined = [(self._filterstream(each), whole) for each, whole in declared]
        if self.defaults.streamsample is not None:
            examined.append((self._sample(self.defaults.streamsample), True))
        self.streams: list[Stream] = [stream for stream, _ in examined]
        for stream, whole in examined:
            faults.extend(stream_faults(stream, self.place(stream), whole=whole))
            if stream.credential not in self.credentials:
                problem = f"unknown credential {shown_name(stream.credential)}"
                fix = nearest(stream.credential, self.credentials) if self.credentials else "sfm_credentials has none"
                faults.append(Fault(where=self.place(stream), problem=problem, fix=fix))

    @staticmethod
    def place(stream: Stream) -> str:
        """How faults name a stream: as it stands in the inventory."""
        return "sfm_streamsample" if stream.kind == SAMPLE else f"filter {stream.name!r}"

    def declared(self) -> Iterator[Declared]:
        """The streams of the plan."""
        for stream in self.streams:
            yield Declared(stream=stream, digest=self.digest(stream), secret=self._allowed(stream).secret)

    def digest(self, stream: Stream) -> str:
        """See `Declared.digest`."""
        settings = msgspec.json.encode(msgspec.structs.replace(stream, rules=()))
        secret = msgspec.json.encode(self._allowed(stream).secret, enc_hook=str)
        environment = [msgspec.json.encode(self.environment)] if self.environment else []
        return hashlib.sha256(b"\n".join((__version__.encode(), settings, secret, *environment))).hexdigest()[:16]

    def _allowed(self, stream: Stream | Filter | Sample) -> DeclaredCredential:
        return self.credentials.get(stream.credential) or DeclaredCredential()

    @staticmethod
    def _credentials(raw: object, faults: list[Fault]) -> Iterator[tuple[str, DeclaredCredential]]:
        for number, (name, value) in enumerate(_items(raw, "sfm_credentials", faults).items(), start=1):
            where = f"credential {name!r}"
            if is_hidden(name):
                where = f"sfm_credentials: entry {number}"
                problem = f"found the name {shown_name(name)}"
                fix = "a short name of your own is needed, and the secret below it: {library: {bearer_token: ...}}"
                faults.append(Fault(where=where, problem=problem, fix=fix))
            else:
                faults.extend(name_faults(name, where))
            before = len(faults)
            credential: DeclaredCredential | None = convert(DeclaredCredential, _secret(value), where, faults)
            if credential is not None and len(faults) == before:
                faults.extend(credential_faults(credential.secret, where))
            yield name, credential or DeclaredCredential()

    @staticmethod
    def _filters(raw: object, faults: list[Fault]) -> Iterator[tuple[Filter, bool]]:
        """Each filter, as far as it is right, and whether all of it is."""
        if raw is not None and not isinstance(raw, list | tuple):
            faults.append(Fault(where="sfm_filters", problem=f"found {show(raw)}", fix="a list of filters is needed"))
            return
        for index, value in enumerate(raw or ()):
            name = value.get("name") if isinstance(value, Mapping) else None
            where = f"filter {name!r}" if name else f"sfm_filters[{index}]"
            before = len(faults)
            declared: Filter | None = convert(Filter, value, where, faults)
            if declared is not None:
                whole = len(faults) == before
                faults.extend(_own_and_named(declared, where))
                yield declared, whole

    def _filterstream(self, declared: Filter) -> Stream:
        rules = declared.rules
        if declared.track or declared.follow or declared.locations or declared.query is not None:
            main = Rule(
                name=MAIN_RULE,
                track=declared.track,
                follow=declared.follow,
                locations=declared.locations,
                query=declared.query,
            )
            rules = (main, *rules)
        return self._stream(declared, kind="filterstream", name=declared.name, rules=rules)

    def _sample(self, declared: Sample) -> Stream:
        return self._stream(declared, kind=SAMPLE, name=SAMPLE)

    def _stream(self, declared: Filter | Sample, **own: Any) -> Stream:  # noqa: ANN401 - keys of Stream
        defaults = self.defaults
        return Stream(
            **own,
            credential=declared.credential,
            active=declared.active,
            fields=declared.fields or defaults.fields,
            api_url=defaults.api_url,
            data_dir=defaults.data_dir,
            state_dir=defaults.state_dir,
            save_interval=declared.save_interval or defaults.save_interval,
            save_bytes=declared.save_bytes or defaults.save_bytes,
            min_free=defaults.min_free,
            budget=self._allowed(declared).budget,
            backfill_minutes=self._allowed(declared).backfill_minutes,
            rule_length=defaults.rule_length,
            rule_count=defaults.rule_count,
        )


def _items(raw: object, where: str, faults: list[Fault]) -> Mapping[str, Any]:
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        # The value is not shown: it may hold secrets.
        faults.append(
            Fault(
                where=where,
                problem="it is not a mapping",
                fix="names to secrets are needed: {library: {bearer_token: ...}}",
            )
        )
        return {}
    return {str(name): value for name, value in raw.items()}


def _secret(value: object) -> Any:  # noqa: ANN401 - plain data
    """Plain data in which no text can be shown."""
    if isinstance(value, Mapping):
        return {key: _secret(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_secret(each) for each in value]
    return Secret(value) if isinstance(value, str) else value


def _own_and_named(declared: Filter, where: str) -> Iterator[Fault]:
    own = declared.track or declared.follow or declared.locations or declared.query is not None
    if own and declared.rules:
        yield Fault(
            where=where,
            problem="it has rules, and track, follow, locations or query beside them",
            fix="move these into a rule with a name of its own",
        )


def _shared_credentials(hosts: list[_Host]) -> Iterator[Fault]:
    """X allows one connection for an app: no two active streams may use the same one, here or on another host."""
    users: dict[object, list[tuple[_Host, Stream]]] = defaultdict(list)
    for host in hosts:
        for stream in host.streams:
            if stream.active:
                users[stream.credential].append((host, stream))
                secret = host.credentials.get(stream.credential, DeclaredCredential()).secret
                if secret != Credential():
                    users[secret].append((host, stream))
    for key, pairs in users.items():
        names = {stream.credential for _, stream in pairs}
        if len(pairs) < 2 or (isinstance(key, Credential) and len(names) == 1):
            continue
        who = " and ".join(f"{host.place(stream)} on {host.name}" for host, stream in pairs)
        what = (
            f"credential {shown_name(key)}"
            if isinstance(key, str)
            else f"credentials {' and '.join(map(shown_name, sorted(names)))}, which hold the same secret,"
        )
        yield Fault(
            where=who,
            problem=f"{len(pairs)} active streams use {what}",
            fix="X allows an app one connection: merge them into one filter with several rules, give each a "
            "credential of its own, or set active: false",
        )
