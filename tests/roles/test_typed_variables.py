"""A variable means the same however it is given: as YAML, on the command line, or in an INI inventory."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from jinja2 import nodes

from sfm_stream.settings.variables import kind_faults, typed
from tests.roles.streams_host import BIN, ROOT, TOKEN, Host, run_playbook, running_host

ROLES = ROOT / "roles"
CONDITIONS = {"when", "that", "until", "changed_when", "failed_when"}
SAFE = {"bool": {"bool"}, "int": {"int", "float", "string"}, "float": {"float", "string", "to_json"}}
"""Filters after which it does not matter whether the variable was text."""


def options() -> dict[str, dict[str, Any]]:
    """All variables that the roles declare."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(ROLES.glob("*/meta/argument_specs.yml")):
        for entry in yaml.safe_load(path.read_text())["argument_specs"].values():
            found |= entry.get("options") or {}
    return found


SCALARS = {name: option["type"] for name, option in options().items() if option["type"] in SAFE}
CHOSEN = {name: options()[name]["choices"][0] for name in SCALARS if "choices" in options()[name]}
"""One of the values, of those that allow but some."""
EXAMPLES: dict[str, dict[str, object]] = {
    "bool": {"true": True, "True": True, "yes": True, "on": True, "1": True}
    | {"false": False, "FALSE": False, "no": False, "off": False, "0": False},
    "int": {"30": 30, "1": 1, "0": 0, "-1": -1},
    "float": {"30": 30.0, "0.5": 0.5},
}


@pytest.mark.parametrize("name", SCALARS)
def test_text_becomes_what_the_variable_is_declared_to_be(name: str) -> None:
    """Every boolean and number, in every way of writing it; anything else stays as it was, and is a fault."""
    kind = SCALARS[name]
    allowed = options()[name].get("choices")
    for text, value in EXAMPLES[kind].items():
        if allowed and value not in allowed:
            continue
        (found,) = typed({name: text}, options()).values()
        assert (found, type(found)) == (value, type(value))
        assert list(kind_faults({name: found}, options(), judged=())) == []
    for text in ("maybe", "1e3", "0x10", "1_000", "12:30", "[]"):
        assert typed({name: text}, options()) == {name: text}
        assert len(list(kind_faults({name: text}, options(), judged=()))) == 1


def expressions() -> Iterator[tuple[str, str]]:
    """Everything in the roles that Jinja evaluates, with where it stands."""
    for path in sorted(ROLES.glob("*/templates/*")):
        yield f"{path.relative_to(ROOT)}", path.read_text()
    paths = [*ROLES.glob("*/tasks/*.yml"), *ROLES.glob("*/vars/*.yml"), *(ROOT / "playbooks").glob("*.yml")]
    for path in sorted(paths):
        yield from _strings(yaml.safe_load(path.read_text()), f"{path.relative_to(ROOT)}", bare=False)


def _strings(data: object, where: str, *, bare: bool) -> Iterator[tuple[str, str]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _strings(value, f"{where}: {key}", bare=key in CONDITIONS)
    elif isinstance(data, list):
        for each in data:
            yield from _strings(each, where, bare=bare)
    elif isinstance(data, str):
        yield where, "{{ " + data + " }}" if bare else data


def readings(tree: nodes.Node, parent: nodes.Node | None = None) -> Iterator[tuple[str, nodes.Node | None]]:
    """Each name in an expression, with what encloses it."""
    if isinstance(tree, nodes.Name):
        yield tree.name, parent
    for child in tree.iter_child_nodes():
        yield from readings(child, tree)


def test_the_roles_convert_every_boolean_and_number_where_they_read_it() -> None:
    """A role that took the text "false" for true would give rights that nobody meant to give."""
    seen, wrong = set(), []
    environment = jinja2.Environment(autoescape=False)  # it only parses
    for where, text in expressions():
        for name, parent in readings(environment.parse(text)):
            if name not in SCALARS:
                continue
            seen.add(name)
            filtered = isinstance(parent, nodes.Filter) and parent.name in SAFE[SCALARS[name]]
            # A number that is written out is the same as text and as a number.
            written = isinstance(parent, nodes.Output) and SCALARS[name] != "bool"
            if not (filtered or written):
                wrong.append(f"{where}: {name}")
    assert wrong == []
    # What the plan resolves is read by the examination alone, which converts it.
    judged = {"sfm_save_interval", "sfm_save_bytes", "sfm_rule_length", "sfm_rule_count", "sfm_check_rules"}
    judged |= {"sfm_bluesky_wire", "sfm_compression_level"}
    assert SCALARS.keys() - seen == judged


VARIABLES: dict[str, Any] = {
    "sfm_credentials": {"library": {"bearer_token": TOKEN}},
    "sfm_streamsample": {"credential": "library"},
}


def plan(directory: Path, *more: str) -> str:
    """What the examination resolves, as Ansible prints it."""
    inventory = {"all": {"hosts": {"first": {}}, "vars": VARIABLES}}
    run = run_playbook(ROOT / "playbooks/preflight.yml", inventory, directory, "-v", *more).ok()
    return run.output[run.output.index("hosts:") : run.output.index("PLAY RECAP")]


def test_all_of_them_give_one_plan_as_text_and_as_what_they_are(tmp_path: Path) -> None:
    """On the command line, where each is text in the one form and typed in the other."""
    values = {name: {"bool": False, "int": 7, "float": 78}[kind] for name, kind in SCALARS.items()} | CHOSEN
    text = " ".join(f"{name}={str(value).lower()}" for name, value in values.items())
    assert plan(tmp_path, "-e", text) == plan(tmp_path, "-e", json.dumps(values)) != plan(tmp_path)


def test_an_ini_inventory_may_hold_them(tmp_path: Path) -> None:
    """Whether beside the host, where Ansible reads Python's literals, or below it, where all is text."""
    lines = {name: {"bool": "no", "int": "7", "float": "78"}[kind] for name, kind in SCALARS.items()} | CHOSEN
    beside = " ".join(f"{name}={value}" for name, value in lines.items())
    below = "\n".join(f"{name}={value}" for name, value in lines.items())
    for number, text in enumerate((f"first {beside}\n", f"first\n[all:vars]\n{below}\n", "first sfm_start_stopped=0")):
        inventory = tmp_path / f"inventory{number}"
        inventory.write_text(text)
        command = [BIN / "ansible-playbook", "-i", inventory, "playbooks/preflight.yml"]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout


def test_a_list_or_mapping_as_text_is_refused_with_the_way_to_give_it(tmp_path: Path) -> None:
    """Its text would be taken for a word; the cure that the message names works."""
    inventory = {"all": {"hosts": {"first": {}}, "vars": {}}}
    play = ROOT / "playbooks/preflight.yml"
    refused = run_playbook(play, inventory, tmp_path, "-e", "sfm_simulator={}")
    cure = re.search(r"sfm_simulator: found \"\{\}\".*as JSON: -e '(.*)'", refused.output)
    assert cure is not None
    assert json.loads(cure[1]).keys() == {"sfm_simulator"}
    run_playbook(play, inventory, tmp_path, "-e", '{"sfm_simulator": {"port": 8970}}').ok()


@pytest.fixture
def host() -> Iterator[Host]:
    with running_host() as running:
        yield running


def test_a_stopped_program_stays_stopped_where_the_command_line_says_no(host: Host) -> None:
    """The live processes follow what was meant."""
    host.deploy().ok()
    for text, state in (("no", "STOPPED"), ("off", "STOPPED"), ("yes", "RUNNING")):
        host.ctl("stop", "twitterfilter-storms")
        host.deploy("-e", f"sfm_start_stopped={text} sfm_start_timeout=20").ok()
        assert host.programs()["twitterfilter-storms"] == state


def test_the_socket_stays_root_s_where_the_command_line_says_no(host: Host) -> None:
    """Supervisord's own configuration is written, and read back."""
    play = host.here / "socket.yml"
    play.write_text(
        "- {hosts: all, gather_facts: false, tasks: "
        "[ansible.builtin.import_role: {name: sfm_supervisor, tasks_from: configure}]}\n"
    )
    facts = '{"ansible_facts": {"service_mgr": "sysvinit"}}'  # it shall write no unit of systemd here
    host.deploy("-e", facts, "-e", "sfm_supervisor_socket=false", play="socket.yml").ok()
    assert "chmod" not in host.config.read_text()
    host.deploy("-e", facts, "-e", "sfm_supervisor_socket=true", play="socket.yml").ok()
    assert "chmod" in host.config.read_text()
