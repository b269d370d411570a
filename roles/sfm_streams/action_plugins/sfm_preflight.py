"""Examines the whole inventory on the controller, and resolves it to what each host should run.

It looks at every host that the playbooks work on, whatever ``--limit`` says: a credential that two
streams share is a fault even where only one of their hosts is deployed now. It connects
to none of them.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from ansible import context
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.inventory.helpers import sort_groups
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars
from ansible.vars.plugins import get_vars_from_inventory_sources, get_vars_from_path

if TYPE_CHECKING:
    from sfm_stream.settings.preflight import ResolvedInventory, ResolvedStream

DOCUMENTATION = r"""
---
name: sfm_preflight
short_description: Find all faults of the inventory before any host is touched
description:
  - Gives the C(sfm_*) variables of all hosts to the code that the programs themselves use.
  - Fails with all faults at once.
  - Returns what each host should run. Nothing in it is secret.
options:
  hosts:
    description: The hosts that the playbooks work on; all of the inventory if left out.
    type: list
    elements: str
  estimate_days:
    description: For how many days the services are asked what the filters will bring and cost; 0 asks for nothing.
    type: float
    default: 0
author: The sfm-stream authors
"""

RETURN = r"""
hosts:
  description: For each of the hosts the files that it should have, see the function C(_host).
  returned: success
  type: dict
stop_codes:
  description: Exit codes after which supervisor must not start a program again.
  returned: success
  type: list
  elements: int
msg:
  description: What is wrong, a line each.
  returned: failure
  type: str
"""

FACTS = ("sfm_bin",)
"""What the roles set themselves; a fact cache may hold it from an earlier run."""
PATTERN = "sfm_hosts"
"""Which hosts the playbooks work on. They read it before the variables of any host."""
LATER = ("compression", "compression_level")
"""Settings that release 0.1.0 does not know, and refuses. They are written only where they are not at their default."""
UNREADABLE = "sfm-unreadable-value-"


class ActionModule(ActionBase):  # type: ignore[misc]
    """See DOCUMENTATION."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Runs the task."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        roles = Path(__file__).resolve().parents[2]
        _refuse_other_versions(roles.parent)
        examine = _examination(roles.parent)
        from sfm_stream.settings import simulators

        options = {
            **dict(_options(roles)),
            **{name: {} for name in (*FACTS, PATTERN)},
            simulators.VARIABLE: simulators.simulator_option(),
        }
        hostvars = variables["hostvars"]
        asked = self._task.args.get("hosts") or list(hostvars)
        chosen = [name for name in hostvars if name in asked]
        reader = _Reader(self._templar)
        from sfm_stream.settings.inventory import hidden_filters, repeated_keys, summary
        from sfm_stream.settings.variables import typed

        hosts = {name: typed(each, options) for name, each in reader.variables(hostvars, chosen).items()}
        sources = _Sources(hostvars, variables["playbook_dir"])
        plan = examine(hosts, options)
        # What stands for a value that cannot be read may look wrong in turn; that is no fault of its own.
        found = [each for each in map(str, plan.faults) if UNREADABLE not in each]
        repeated = [str(fault) for path, text in sources.texts() for fault in repeated_keys(text, path)]
        hidden = dict.fromkeys(fault for levels in sources.levels() for fault in hidden_filters(levels))
        display = Display()
        for warning in [*hidden, *plan.warnings]:
            display.warning(str(warning))
        wrong = [*repeated, *self._misplaced(hosts), *reader.faults(), *found] or list(_refused(plan, hosts))
        if wrong:
            faults = list(dict.fromkeys(wrong))
            many = f"{len(faults)} faults" if len(faults) > 1 else "1 fault"
            message = "\n".join([f"{many} in the inventory; no host was touched:", *faults])
            result.update(failed=True, msg=message)
            return result
        from sfm_stream.errors import STOP_CODES

        result["stop_codes"] = list(STOP_CODES)
        result["hosts"] = {
            name: {
                **_host(streams, hosts[name]),
                "collection": _collection(plan, name),
                "exports": _exports(plan, name),
            }
            for name, streams in plan.hosts.items()
        }
        declared = {name: [each.stream.active for each in streams] for name, streams in plan.hosts.items()}
        display.display(f"The inventory declares: {summary(declared)}.")
        if days := float(self._task.args.get("estimate_days") or 0):
            for estimate in _estimates(plan, days):
                display.display(f"\n{estimate}")
        return result

    def _misplaced(self, hosts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
        if PATTERN not in load_extra_vars(self._loader) and any(PATTERN in each for each in hosts.values()):
            where = "the inventory, which is read later; give it on the command line"
            yield f"{PATTERN}: has no effect in {where}: -e {PATTERN}=..."


def _refused(plan: ResolvedInventory, hosts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What the services have against streams, of hosts where ``sfm_check_rules`` asks for their judgement."""
    from sfm_stream.sources.registry import source

    for name, each in _active(plan):
        if hosts[name].get("sfm_check_rules") is True:
            for refusal in source(each.stream.source).inventory().service_refusals(each.stream, each.secret):
                yield f"filter {each.stream.name!r} on {name}: {refusal}"


def _estimates(plan: ResolvedInventory, days: float) -> Iterator[str]:
    """What the services say that the active streams will bring and cost; one that says nothing keeps none from it."""
    from sfm_stream.errors import SfmError
    from sfm_stream.sources.registry import source

    for name, each in _active(plan):
        try:
            said = source(each.stream.source).estimate(each.stream, each.secret, days)
        except SfmError as error:
            said = str(error)
        yield f"Filter {each.stream.name!r} on {name}:\n{said}"


def _active(plan: ResolvedInventory) -> Iterator[tuple[str, ResolvedStream]]:
    """The streams that are to run, each with its host."""
    for name, streams in plan.hosts.items():
        yield from ((name, each) for each in streams if each.stream.active)


def _refuse_other_versions(checkout: Path) -> None:
    """Ansible of a version that this was never tried with may do anything to a host."""
    from packaging.requirements import Requirement

    project = checkout / "pyproject.toml"
    if not project.is_file():
        return
    extras = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    needed = next(each for each in map(Requirement, extras["deploy"]) if each.name == "ansible-core")
    if not needed.specifier.contains(ansible_version, prereleases=True):
        raise AnsibleActionFail(
            f"ansible-core {ansible_version} runs here ({sys.executable}); needed is {needed}, which is what this was "
            f"tested with. No host was touched. Install it by script/bootstrap, or: {sys.executable} -m pip install "
            f"'{needed}'"
        )


def _examination(checkout: Path) -> Any:  # noqa: ANN401 - a function of a package that may be missing
    """The examination of this very checkout, so that what judges is as new as what deploys."""
    if (checkout / "sfm_stream" / "__init__.py").is_file():
        sys.path.insert(0, str(checkout))
        # Another copy may have been imported in this process, by a callback plugin of the site for instance.
        for name in [each for each in sys.modules if each.partition(".")[0] == "sfm_stream"]:
            del sys.modules[name]
    try:
        from sfm_stream.settings.preflight import examine
    except ImportError as error:
        raise AnsibleActionFail(
            f"Ansible's Python ({sys.executable}) cannot examine the inventory: {error}. Install this checkout where "
            f"Ansible runs, and start ansible-playbook from there: {sys.executable} -m pip install '{checkout}[deploy]'"
        ) from error
    return examine


def _options(roles: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """All variables that the roles document, with their specifications."""
    for path in sorted(roles.glob("*/meta/argument_specs.yml")):
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            yield from (entry.get("options") or {}).items()


class _Sources:
    """Where the variables of an inventory come from: its files, and the levels that hold for a host."""

    def __init__(self, hostvars: Any, playbook_dir: str) -> None:  # noqa: ANN401 - Ansible is not typed
        self._inventory = hostvars._inventory
        self._loader = hostvars._loader
        self._playbook_dir = playbook_dir
        self._sources = [each for each in self._inventory._sources if each and Path(each).exists()]

    def texts(self) -> Iterator[tuple[str, bytes]]:
        """The files that may be YAML, decrypted, each with its path as it is best shown."""
        extra = [each[1:] for each in context.CLIARGS["extra_vars"] if str(each).startswith("@")]
        bases = [
            Path(self._playbook_dir),
            *(path if path.is_dir() else path.parent for path in map(Path, self._sources)),
        ]
        folders = [base / name for base in bases for name in ("group_vars", "host_vars")]
        for path in dict.fromkeys(file for place in [*self._sources, *folders, *extra] for file in _files(Path(place))):
            try:
                # Encoded, since the parser takes no string of Ansible's own type.
                text = self._loader.get_text_file_contents(str(path)).encode()
            except (AnsibleError, UnicodeDecodeError):
                continue  # Ansible itself says what is wrong with it
            yield os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path), text

    def levels(self) -> Iterator[list[tuple[str, dict[str, Any]]]]:
        """For each host what its groups and itself say, the nearest last."""
        for host in self._inventory.hosts.values():
            groups = [(f"group {group.name!r}", group) for group in sort_groups(host.get_groups())]
            yield [(whose, self._variables(entity)) for whose, entity in [*groups, (f"host {host.name!r}", host)]]

    def _variables(self, entity: Any) -> dict[str, Any]:  # noqa: ANN401
        beside = get_vars_from_inventory_sources(self._loader, self._sources, [entity], "task")
        return {**entity.vars, **beside, **get_vars_from_path(self._loader, self._playbook_dir, [entity], "task")}


def _files(place: Path) -> Iterator[Path]:
    """The file, or the files in the directory, but for those that Ansible passes over or runs."""
    for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
        passed_over = path.name.startswith(".") or path.name.endswith("~") or os.access(path, os.X_OK)
        if path.is_file() and not passed_over:
            yield path.absolute()


class _Reader:
    """Fills in the templates of variables, value by value, so that one that cannot be read does not hide the rest."""

    def __init__(self, templar: Any) -> None:  # noqa: ANN401 - Ansible is not typed
        self._templar = templar
        self._host = ""
        self._failed: dict[tuple[str, str], list[str]] = {}

    def variables(self, hostvars: Any, chosen: Iterable[str]) -> dict[str, dict[str, Any]]:  # noqa: ANN401
        """The ``sfm_*`` variables of each chosen host, as plain data."""
        hosts = {}
        for self._host in chosen:
            raw = hostvars.raw_get(self._host)
            templar = self._templar.copy_with_new_env(available_variables=raw)
            own = [name for name in raw if name.startswith("sfm_")]
            hosts[self._host] = {name: self._read(raw[name], name, templar) for name in own}
        return hosts

    def faults(self) -> Iterator[str]:
        """The values that could not be read, each with the hosts that have it."""
        from sfm_stream.settings.faults import Fault

        for (where, reason), hosts in self._failed.items():
            who = ", ".join(hosts) if len(hosts) < 4 else f"{len(hosts)} hosts"
            problem = f"cannot be read (on {who}): {reason}"
            yield str(Fault(where=where, problem=problem, fix="define or correct what it refers to"))

    def _read(self, value: object, where: str, templar: Any) -> Any:  # noqa: ANN401
        if isinstance(value, Mapping):
            return {str(key): self._read(each, f"{where}: {key}", templar) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._read(each, f"{where}[{index}]", templar) for index, each in enumerate(value)]
        if isinstance(value, str) and "{" not in value:  # no template; of thousands of words, that would take a second
            return str(value)
        try:
            return _plain(templar.template(value))
        except AnsibleError as error:
            self._failed.setdefault((where, " ".join(str(error).split())), []).append(self._host)
            return f"{UNREADABLE}{len(self._failed)}"


def _plain(value: object) -> Any:  # noqa: ANN401 - any plain data
    """Data without Ansible's own types, which know their origin and may be encrypted."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, bool) or value is None:
        return value
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    # An encrypted string is no str; its text is what it decrypts to.
    return str(value) if isinstance(value, str) or type(value).__name__ == "EncryptedString" else value


def _host(streams: tuple[ResolvedStream, ...], variables: Mapping[str, Any]) -> dict[str, Any]:
    """What the tasks need to know of a host, as plain data: lists of files, each with its ``name``.

    ``settings`` has one of every stream, active or not; ``programs`` one of every simulator and of every active stream,
    each with the simulator that it connects to as its ``upstream``; ``credentials`` one of every credential that active
    streams use; ``environment`` its only file, if there is one. ``free_lookups`` says whether ids of accounts are to be
    asked for that cost nothing, ``empty`` that the host may lose all of its streams: its inventory speaks of them, so
    none is what was meant.
    """
    from sfm_stream.settings.simulators import simulators
    from sfm_stream.sources.registry import source

    active = [each for each in streams if each.stream.active]
    simulated = simulators(variables.get("sfm_simulator") or {})
    upstream = {each.source: each.program for each in simulated}
    return {
        "settings": [{"name": f"{each.stream.program}.json", "settings": _settings(each)} for each in streams],
        # The simulators first: they are what the streams connect to.
        "programs": [
            *(_program(each.program, each.arguments, "simulator", simulator=True) for each in simulated),
            *(
                _program(each.stream.program, each.stream.arguments, each.digest, upstream.get(each.stream.source, ""))
                for each in active
            ),
        ],
        "credentials": [
            {"name": f"{name}.json", "credential": name, "secrets": list(secret.__struct_fields__)}
            for name, secret in sorted({each.stream.credential: each.secret for each in active}.items())
            if name
        ],
        "environment": [{"name": "environment.json"}] if variables.get("sfm_environment") else [],
        "free_lookups": any(
            source(each.stream.source).account_names(each.stream) and not source(each.stream.source).charges_lookups
            for each in active
        ),
        "empty": bool(streams) or "sfm_filters" in variables or "sfm_streamsample" in variables,
    }


def _collection(plan: ResolvedInventory, host: str) -> list[dict[str, Any]]:
    """The file that describes what the host collects, for reports; none where nothing is said."""
    import msgspec

    said = msgspec.to_builtins(plan.collections[host])
    return [{"name": "collection.json", "collection": said}] if said else []


def _exports(plan: ResolvedInventory, host: str) -> list[dict[str, Any]]:
    """What `sfm-stream exports` reads of each scheduled export."""
    import msgspec

    exports: list[dict[str, Any]] = msgspec.to_builtins(plan.exports[host])
    return exports


def _program(
    program: str, arguments: Iterable[str], digest: str, upstream: str = "", *, simulator: bool = False
) -> dict[str, Any]:
    return {
        "name": f"{program}.conf",
        "program": program,
        "arguments": list(arguments),
        "digest": digest,
        "upstream": upstream,
        "simulator": simulator,
    }


def _settings(declared: ResolvedStream) -> dict[str, Any]:
    """Every setting of a stream, most of those with their default value too: the file is to be complete.

    But for its accounts: where there are any, the host knows them, and the template adds them.
    """
    import msgspec

    from sfm_stream.sources.registry import DEFAULT

    stream = declared.stream
    defaults = {field.name: field.default for field in msgspec.structs.fields(stream)}
    left_out = {"accounts", *(name for name in LATER if getattr(stream, name) == defaults[name])}
    if stream.source == DEFAULT:
        left_out.add("source")  # as it was before there were others
    names = [name for name in stream.__struct_fields__ if name not in left_out]
    return {name: msgspec.to_builtins(getattr(stream, name)) for name in names}
