"""Examines a whole inventory before any host is touched, and resolves it to streams.

The deployment calls `examine` on the controller with every host's ``sfm_*`` variables.
What a filter leaves out comes from the host's own variables, then from the defaults of its
source's settings; what results is what the programs read, checked by the code that they use.
What a filter may say, and what becomes of it, its source tells: see `sfm_stream.sources.base.Inventory`.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from sfm_stream import __version__
from sfm_stream.export.declared import ScheduledExport, resolve
from sfm_stream.settings.alerts import monitor_faults
from sfm_stream.settings.checks import name_faults, repeated
from sfm_stream.settings.collection import Collection, Description
from sfm_stream.settings.declared import (
    DeclaredCredential,
    DeclaredFilter,
    DeclaredStream,
    HostDefaults,
    HostVars,
)
from sfm_stream.settings.directories import directory_faults, directory_warnings
from sfm_stream.settings.environment import convert_environment
from sfm_stream.settings.faults import Fault, Secret, convert, nearest, show, without_none
from sfm_stream.settings.model import Credential, StreamSettings
from sfm_stream.settings.reports import report_faults
from sfm_stream.settings.secrecy import is_hidden, shown_name
from sfm_stream.settings.simulators import simulator_faults
from sfm_stream.settings.users import user_faults, user_warnings
from sfm_stream.settings.variables import Option, kind_faults
from sfm_stream.sources import registry
from sfm_stream.sources.base import Inventory

T = TypeVar("T", bound=msgspec.Struct)
_LISTS = ("sfm_credentials", "sfm_environment", "sfm_exports", "sfm_filters")
"""Variables that are converted item by item, so that one bad entry does not hide the others."""


class ResolvedStream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of the plan.

    Attributes:
        stream: What its program reads.
        digest: Changes when the program must restart to take up a change: with all settings that a running program
            does not take up, with the credential's secret, the host's ``sfm_environment`` and the version of this
            package. It discloses none of them.
        secret: The credential's, for asking its service on the stream's behalf. It must not be shown.
    """

    stream: StreamSettings
    digest: str
    secret: Credential = Credential()


class ResolvedInventory(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of an examination.

    Attributes:
        faults: What keeps the inventory from being deployed.
        warnings: What a person should know all the same.
        hosts: The streams of each host, in the order declared; of no use while there are faults.
        collections: What each host collects, in the words of those who collect; likewise.
        exports: The scheduled exports of each host; likewise.
    """

    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    hosts: Mapping[str, tuple[ResolvedStream, ...]]
    collections: Mapping[str, Collection] = {}
    exports: Mapping[str, tuple[ScheduledExport, ...]] = {}


def examine(hosts: Mapping[str, Mapping[str, Any]], options: Mapping[str, Option]) -> ResolvedInventory:
    """All faults of an inventory, and the streams it declares.

    Args:
        hosts: The ``sfm_*`` variables of each host, as `sfm_stream.settings.variables.typed` returns them.
        options: All variables that the roles understand, with what is declared of each.
    """
    faults: list[Fault] = []
    examined = [_Host(name, variables, options, faults) for name, variables in hosts.items()]
    faults.extend(_shared_credentials(examined))
    plan = {host.name: tuple(host.declared()) for host in examined}
    warnings = [
        warning
        for host in examined
        for where, stream in host.streams
        for warning in _inventories()[stream.source].warnings(stream, where)
    ]
    for host in examined:
        warnings += [*directory_warnings(host.settled), *user_warnings(host.settled)]
    # A variable that holds for every host is wrong once, not once a host.
    return ResolvedInventory(
        faults=tuple(dict.fromkeys(faults)),
        warnings=tuple(dict.fromkeys(warnings)),
        hosts=plan,
        collections={host.name: host.collection for host in examined},
        exports={host.name: tuple(host.exports) for host in examined},
    )


class _Host:
    """One host's variables, converted as far as they are right; `faults` receives the rest.

    Attributes:
        streams: Each stream with how faults name it: as it stands in the inventory.
        exports: Its scheduled exports.
    """

    def __init__(
        self, name: str, variables: Mapping[str, Any], options: Mapping[str, Option], faults: list[Fault]
    ) -> None:
        self.name = name
        self.settled = {key: each["default"] for key, each in options.items() if "default" in each} | dict(variables)
        faults.extend(_variable_faults(variables, self.settled, options))
        self.environment = convert_environment(variables.get("sfm_environment") or {}, "sfm_environment", faults)
        self.credentials = dict(_credentials(variables.get("sfm_credentials"), faults))
        self._common = _variables(HostVars, variables, faults)
        self._defaults = _defaults(self._common, variables, self.credentials, faults)
        self._described: dict[str, Description] = {}
        self.streams = list(self._streams(variables.get("sfm_filters"), faults))
        filters = {stream.name: (stream.source, stream.program) for _, stream in self.streams}
        exports, directory = (self.settled.get(f"sfm_{name}") for name in ("exports", "export_dir"))
        self.exports = resolve(exports or [], directory, filters, faults)

    def _streams(self, filters: object, faults: list[Fault]) -> Iterator[tuple[str, StreamSettings]]:
        """All streams; `faults` receives what is wrong with each as a whole."""
        for where, stream, whole in [*self._filters(filters, faults), *self._others()]:
            faults.extend(registry.source(stream.source).faults(stream, where, whole=whole))
            faults.extend(self._credential_faults(stream, where))
            yield where, stream

    @property
    def collection(self) -> Collection:
        """What reports say of all that the host collects, and of single streams."""
        return Collection(**msgspec.structs.asdict(self._common.collection), filters=self._described)

    def declared(self) -> Iterator[ResolvedStream]:
        """The streams of the plan."""
        for _, stream in self.streams:
            yield ResolvedStream(stream=stream, digest=self.digest(stream), secret=self._secret(stream))

    def digest(self, stream: StreamSettings) -> str:
        """See `ResolvedStream.digest`."""
        settings = msgspec.json.encode(registry.source(stream.source).without_live_settings(stream.without_format))
        secret = msgspec.json.encode(self._secret(stream), enc_hook=str)
        environment = [msgspec.json.encode(self.environment)] if self.environment else []
        return hashlib.sha256(b"\n".join((__version__.encode(), settings, secret, *environment))).hexdigest()[:16]

    def _secret(self, stream: StreamSettings) -> Credential:
        declared = self.credentials.get(stream.credential)
        return declared.secret if declared is not None else Credential()

    def _filters(self, raw: object, faults: list[Fault]) -> Iterator[tuple[str, StreamSettings, bool]]:
        """The stream of each filter, as far as it is right, and whether all of it is."""
        if raw is not None and not isinstance(raw, list | tuple):
            faults.append(Fault(where="sfm_filters", problem=f"found {show(raw)}", fix="a list of filters is needed"))
            return
        names = []
        for index, value in enumerate(raw or ()):
            name = value.get("name") if isinstance(value, Mapping) else None
            where = f"filter {name!r}" if name else f"sfm_filters[{index}]"
            before = len(faults)
            source = _source(value, where, faults)
            if source is None:
                continue
            inventory = _inventories()[source]
            declared: DeclaredFilter | None = convert(
                inventory.filter, _without_credential(value, source, where, faults), where, faults
            )
            if declared is not None:
                whole = len(faults) == before
                faults.extend(inventory.faults(declared, where))
                names.append(declared.name)
                stream = inventory.stream(declared, self._defaults[source])
                self._describe(stream, declared)
                yield f"filter {declared.name!r}", stream, whole
        faults.extend(
            Fault(where="sfm_filters", problem=f"two filters are named {show(twice)}", fix="rename one of them")
            for twice in repeated(names)
        )

    def _others(self) -> Iterator[tuple[str, StreamSettings, bool]]:
        for name, inventory in _inventories().items():
            for where, declared, stream in inventory.other_streams(self._defaults[name]):
                self._describe(stream, declared)
                yield where, stream, True

    def _describe(self, stream: StreamSettings, declared: DeclaredStream) -> None:
        if declared.collection is not None and declared.collection != Description():
            self._described[stream.program] = declared.collection

    def _credential_faults(self, stream: StreamSettings, where: str) -> Iterator[Fault]:
        if _inventories()[stream.source].credential is None:
            return
        if stream.credential not in self.credentials:
            problem = f"unknown credential {shown_name(stream.credential)}"
            fix = nearest(stream.credential, self.credentials) if self.credentials else "sfm_credentials has none"
            yield Fault(where=where, problem=problem, fix=fix)
            return
        declared = self.credentials[stream.credential]
        if declared is not None and declared.source != stream.source:
            problem = f"credential {shown_name(stream.credential)} is one of {registry.source(declared.source).title}"
            fix = f"one of {registry.source(stream.source).title} is needed"
            yield Fault(where=where, problem=problem, fix=fix)


def _variable_faults(
    variables: Mapping[str, Any], settled: Mapping[str, Any], options: Mapping[str, Option]
) -> Iterator[Fault]:
    """What is wrong with a host's variables one by one; `settled` has the defaults of those that it leaves out."""
    for key in variables:
        if key.startswith("sfm_") and key not in options:
            yield Fault(where=key, problem="unknown variable", fix=nearest(key, options))
    yield from kind_faults(variables, options, _judged())
    yield from simulator_faults(variables.get("sfm_simulator"))
    yield from directory_faults(settled)
    yield from user_faults(settled)
    yield from monitor_faults(settled)
    yield from report_faults(settled)


def _defaults(
    common: HostVars,
    variables: Mapping[str, Any],
    credentials: Mapping[str, DeclaredCredential | None],
    faults: list[Fault],
) -> dict[str, HostDefaults]:
    """What the streams of each source take from their host."""
    return {
        name: HostDefaults(common, _variables(each.variables, variables, faults), credentials)
        for name, each in _inventories().items()
    }


def _inventories() -> dict[str, Inventory]:
    return {name: registry.source(name).inventory() for name in registry.names()}


def _judged() -> set[str]:
    """Variables whose types are declared more narrowly than in the specifications of the roles."""
    kinds: list[type[msgspec.Struct]] = [HostVars, *(each.variables for each in _inventories().values())]
    return {*_LISTS, *(f"sfm_{field.name}" for kind in kinds for field in msgspec.structs.fields(kind))}


def _variables(kind: type[T], variables: Mapping[str, Any], faults: list[Fault]) -> T:
    """Those variables of a host that are attributes of `kind`, each with ``sfm_`` before its name."""
    values = {}
    for field in msgspec.structs.fields(kind):
        raw = variables.get(f"sfm_{field.name}")
        declared, optional = without_none(field.type)
        nothing = raw is None or (optional and isinstance(declared, type(msgspec.Struct)) and not raw)
        if f"sfm_{field.name}" in variables and not nothing:
            values[field.name] = convert(field.type, raw, f"sfm_{field.name}", faults)
    return kind(**{name: value for name, value in values.items() if value is not None})


def _source(value: object, where: str, faults: list[Fault]) -> str | None:
    """The source of an entry of ``sfm_filters``; None where there is no such source."""
    name = value.get("source", registry.DEFAULT) if isinstance(value, Mapping) else registry.DEFAULT
    if name in registry.names():
        return str(name)
    faults.append(
        Fault(where=f"{where}: source", problem=f"found {show(name)}", fix=nearest(str(name), registry.names()))
    )
    return None


def _without_credential(value: object, source: str, where: str, faults: list[Fault]) -> object:
    """The entry; of a source that needs none without its credential, which is a fault."""
    if _inventories()[source].credential is not None or not isinstance(value, Mapping) or "credential" not in value:
        return value
    problem = "it names a credential"
    fix = f"{registry.source(source).title} needs none: take the line away"
    faults.append(Fault(where=where, problem=problem, fix=fix))
    return {key: each for key, each in value.items() if key != "credential"}


def _credentials(raw: object, faults: list[Fault]) -> Iterator[tuple[str, DeclaredCredential | None]]:
    """Each by its name; None for one that is at fault."""
    for number, (name, value) in enumerate(_items(raw, "sfm_credentials", faults).items(), start=1):
        where = f"credential {name!r}"
        if is_hidden(name):
            where = f"sfm_credentials: entry {number}"
            problem = f"found the name {shown_name(name)}"
            fix = "a short name of your own is needed, and the secret below it: {library: {bearer_token: ...}}"
            faults.append(Fault(where=where, problem=problem, fix=fix))
        else:
            faults.extend(name_faults(name, where))
        source = _source(value, where, faults)
        yield name, _credential(value, source, where, faults) if source is not None else None


def _credential(value: object, source: str, where: str, faults: list[Fault]) -> DeclaredCredential | None:
    kind, before = _inventories()[source].credential, len(faults)
    if kind is None:
        title = registry.source(source).title
        faults.append(Fault(where=where, problem=f"it is one of {title}", fix=f"{title} needs none: take it away"))
        return None
    credential: DeclaredCredential | None = convert(kind, _secret(value), where, faults)
    if credential is not None and len(faults) == before:
        faults.extend(registry.source(source).credential_faults(credential.secret, where))
    return credential


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


def _shared_credentials(hosts: list[_Host]) -> Iterator[Fault]:
    """Two active streams that use one credential, here or on another host, where their source allows it to one."""
    users: dict[tuple[str, object], list[tuple[str, StreamSettings]]] = defaultdict(list)
    for host in hosts:
        for where, stream in host.streams:
            if stream.active and _inventories()[stream.source].exclusive:
                user = (f"{where} on {host.name}", stream)
                users[stream.source, stream.credential].append(user)
                declared = host.credentials.get(stream.credential)
                if declared is not None and any(msgspec.structs.astuple(declared.secret)):
                    users[stream.source, declared.secret].append(user)
    for (source, key), pairs in users.items():
        names = {stream.credential for _, stream in pairs}
        if len(pairs) < 2 or (isinstance(key, Credential) and len(names) == 1):
            continue
        what = (
            f"credential {shown_name(key)}"
            if isinstance(key, str)
            else f"credentials {' and '.join(map(shown_name, sorted(names)))}, which hold the same secret,"
        )
        yield Fault(
            where=" and ".join(who for who, _ in pairs),
            problem=f"{len(pairs)} active streams use {what}",
            fix=_inventories()[source].exclusive,
        )
