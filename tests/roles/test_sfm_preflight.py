"""The inventory is examined on the controller, all of it and at once, before any host is touched."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from sfm_stream.settings.declared import HostVars
from sfm_stream.settings.faults import QUOTE
from sfm_stream.sources import registry
from tests.roles.streams_host import BIN, ROOT, TOKEN, Deployed, run_playbook
from tests.support.simulator import Simulator

PREFLIGHT = ROOT / "playbooks" / "preflight.yml"
# Addresses that lead nowhere: what tries to connect waits in vain.
HOSTS: dict[str, Any] = {"first": {"ansible_host": "192.0.2.1"}, "second": {"ansible_host": "192.0.2.2"}}
GOOD: dict[str, Any] = {
    "sfm_credentials": {"library": {"bearer_token": TOKEN}, "weather": {"bearer_token": TOKEN + "w"}},
    "sfm_filters": [{"name": "storms", "credential": "weather", "track": ["storm"]}],
}


def examine(directory: Path, variables: dict[str, Any], *options: str, **hosts: Any) -> Deployed:
    """Runs what a deployment begins with."""
    inventory = {"all": {"hosts": {**copy.deepcopy(HOSTS), **hosts}, "vars": variables}}
    return run_playbook(PREFLIGHT, inventory, directory, *options)


def faults(run: Deployed) -> list[str]:
    """The lines between the number of faults and where the task stands."""
    assert run.code != 0, run.output
    _, _, rest = run.output.partition(" in the inventory; no host was touched:\n")
    block = rest.split("\n\n")[0].splitlines()
    return [line.strip() for line in block]


def test_all_faults_of_all_hosts_come_at_once_a_line_each(tmp_path: Path) -> None:
    """Unknown variables, wrong types, placeholders and secrets that cannot be read stand beside what filters lack."""
    bad = {
        "sfm_filtrs": [],
        "sfm_group_members": "joe",
        "sfm_simulator": {"prt": 1, "port": "x"},
        "sfm_start_stopped": "maybe",
        "sfm_credentials": {"library": {"bearer_token": "{{ vault_token }}"}, "weather": {"bearer_token": "changeme"}},
        "sfm_filters": [
            {"name": "elections", "credential": "library", "track": ["vote", 5]},
            {"name": "storms", "credential": "weather", "trak": ["storm"]},
        ],
    }
    found = faults(examine(tmp_path, bad, "--limit", "first"))
    undefined = "'vault_token' is undefined; define or correct what it refers to"
    expected = [
        f"sfm_credentials: library: bearer_token: cannot be read (on first, second): {undefined}",
        "sfm_filtrs: unknown variable; did you mean 'sfm_filters'?",
        "credential 'weather': bearer_token: found a placeholder; put the real secret there",
        f"filter 'elections': track[1]: found 5 (a number); {QUOTE}",
        "filter 'storms': unknown key 'trak'; did you mean 'track'?",
        (
            'sfm_group_members: found "joe"; a list ([...], even for one entry) is needed, '
            """which the command line takes as JSON: -e '{"sfm_group_members": ["..."]}'"""
        ),
        "sfm_simulator: unknown key 'prt'; did you mean 'port'?",
        'sfm_simulator: port: found "x"; a whole number is needed',
        'sfm_start_stopped: found "maybe"; true or false is needed',
    ]
    assert [line for line in expected if line not in found] == []
    assert not any("sfm-unreadable" in line for line in found)


def test_a_limit_does_not_hide_what_two_hosts_share(tmp_path: Path) -> None:
    """One app on two hosts is a fault even where only one of them is deployed now; neither is asked."""
    found = faults(examine(tmp_path, GOOD, "--limit", "first"))
    assert found[0].startswith(
        "filter 'storms' on first and filter 'storms' on second: 2 active streams use credential 'weather'; "
    )


def test_a_sound_inventory_passes_without_a_host_in_reach(tmp_path: Path) -> None:
    """Also in check mode, with values given on the command line and with an encrypted secret."""
    (tmp_path / "password").write_text("open sesame\n")
    command = [BIN / "ansible-vault", "encrypt_string", "--vault-password-file", tmp_path / "password", TOKEN + "v"]
    secret = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    sample = '{"credential": "library"}'
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(
        f"all:\n  hosts:\n    first:\n  vars:\n    sfm_streamsample: {sample}\n"
        f"    sfm_credentials:\n      library:\n        bearer_token: {secret}\n"
    )
    run = subprocess.run(
        [
            *(BIN / "ansible-playbook", "-i", inventory, PREFLIGHT, "--check", "-vvv"),
            *("--vault-password-file", tmp_path / "password", "-e", "sfm_start_stopped=true sfm_start_timeout=60"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    assert TOKEN not in run.stdout + run.stderr
    assert "program: streamsample" in run.stdout


def test_an_encrypted_secret_without_its_password_is_a_fault_of_its_own(tmp_path: Path) -> None:
    """The message names the place, and the other faults are not hidden."""
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(
        "all:\n  hosts:\n    first:\n  vars:\n    sfm_credentials:\n      library: {bearer_token: !vault 'nonsense'}\n"
        "    sfm_filters: [{name: a, credential: library, track: [a], actve: no}]\n"
    )
    run = subprocess.run(
        [BIN / "ansible-playbook", "-i", inventory, PREFLIGHT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "sfm_credentials: library: bearer_token: cannot be read (on first): " in run.stdout
    assert "filter 'a': unknown key 'actve'; did you mean 'active'?" in run.stdout


@pytest.mark.parametrize(
    "value",
    [
        "{{{{ '{0}' ",
        "{{{{ {0} }}}}",
        "{{{{ '{0}' | no_such_filter }}}}",
        "{{% {0} %}}",
        "{{{{ lookup('file', '{0}') }}}}",
    ],
)
def test_what_ansible_says_of_a_broken_secret_does_not_show_it(tmp_path: Path, value: str) -> None:
    """Not in the fault, not around it, and not at the highest verbosity."""
    secret = "q7RmZ2xKc9VtYb4WnL0sHdJp5"
    variables = {**GOOD, "sfm_credentials": {"weather": {"bearer_token": value.format(secret)}}}
    run = examine(tmp_path, variables, "-vvv")
    assert "sfm_credentials: weather: bearer_token: cannot be read (on first, second): " in run.output
    assert secret not in run.output


def test_warnings_are_shown_and_stop_nothing(tmp_path: Path) -> None:
    """A box that X may refuse is a person's to judge."""
    variables = copy.deepcopy(GOOD)
    variables["sfm_filters"][0]["locations"] = [[-80.0, 30.0, -70.0, 40.0]]
    inventory = {"all": {"hosts": {"first": {}}, "vars": variables}}
    run = run_playbook(PREFLIGHT, inventory, tmp_path).ok()
    assert "a side is longer than 25 miles" in " ".join(run.output.split())


def test_a_controller_without_the_package_says_how_to_get_it(tmp_path: Path) -> None:
    """Ansible of another environment finds neither the package nor what it needs."""
    hidden = tmp_path / "hidden" / "msgspec"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError(\"No module named 'msgspec'\")")
    inventory = {"all": {"hosts": {"first": {}}, "vars": GOOD}}
    run = run_playbook(PREFLIGHT, inventory, tmp_path, PYTHONPATH=str(hidden.parent))
    assert run.code != 0
    assert "No module named 'msgspec'. Install this checkout where Ansible runs" in run.output
    assert f"-m pip install '{ROOT}[deploy]'" in run.output


TWICE = """
all:
  hosts:
    first:
      sfm_filters: [{name: lost, credential: weather, track: [x]}]
      # something between
      sfm_filters: [{name: kept, credential: weather, track: [x]}]
  vars: &vars
    sfm_credentials: {weather: {bearer_token: aaaa, bearer_token: bbbb}}
  children: {east: {vars: *vars}}
"""


def test_a_key_that_stands_twice_is_a_fault_with_its_file_and_lines(tmp_path: Path) -> None:
    """In the inventory, beside it, in an encrypted file, and in a file of the command line."""
    (tmp_path / "hosts.yml").write_text(TWICE)
    (tmp_path / "group_vars/all").mkdir(parents=True)
    (tmp_path / "group_vars/all/more.yml").write_text("sfm_log_days: 1\nsfm_log_days: 2\n")
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars/first.yml").write_text("---\nsfm_start_timeout: 1\nsfm_start_timeout: 2\n")
    (tmp_path / "password").write_text("open sesame\n")
    password = ("--vault-password-file", tmp_path / "password")
    subprocess.run([BIN / "ansible-vault", "encrypt", *password, tmp_path / "host_vars/first.yml"], check=True)
    (tmp_path / "extra.yml").write_text("sfm_min_free: 1G\nsfm_min_free: 2G\n")
    run = subprocess.run(
        [
            *(BIN / "ansible-playbook", "-i", tmp_path / "hosts.yml", PREFLIGHT, *password),
            *("-e", f"@{tmp_path / 'extra.yml'}"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    cure = "YAML forgets what the first one says: make one of both"
    for where, key, earlier in (
        ("hosts.yml, line 7", "sfm_filters", 5),
        ("group_vars/all/more.yml, line 2", "sfm_log_days", 1),
        ("host_vars/first.yml, line 3", "sfm_start_timeout", 2),
        ("extra.yml, line 2", "sfm_min_free", 1),
    ):
        assert f"{tmp_path}/{where}: the key {key!r} stands in line {earlier} already; {cure}" in run.stdout
    assert f"{tmp_path}/hosts.yml, line 9: the key 'bearer_token' stands in line 9 already" in run.stdout


def test_filters_that_a_nearer_list_hides_are_named(tmp_path: Path) -> None:
    """Of a group in the inventory and of one beside it; a list that says the same, or says none, hides nothing."""
    (tmp_path / "group_vars").mkdir()
    filters = [{"name": name, "credential": name, "track": ["x"]} for name in ("one", "two", "three", "four")]
    (tmp_path / "group_vars/all.yml").write_text(yaml.safe_dump({"sfm_filters": filters[:2]}))
    hosts = {"host": {"sfm_filters": [filters[3]]}, "none": {"sfm_filters": []}, "more": {"sfm_filters": filters[:4]}}
    east = {"hosts": hosts, "vars": {"sfm_filters": filters[1:3]}}
    run = run_playbook(PREFLIGHT, {"all": {"children": {"east": east}}}, tmp_path)
    shown = " ".join(run.output.split())
    assert "[WARNING]: sfm_filters of host 'host': they hide those of group 'all': one, two; Ansible does not" in shown
    assert (
        "[WARNING]: sfm_filters of host 'host': they hide those of group 'east': two, three; Ansible does not" in shown
    )
    assert shown.count("they hide those of") == 3
    assert "sfm_filters of group 'east': they hide those of group 'all': one;" in shown


def test_the_examination_ends_with_what_the_inventory_declares(tmp_path: Path) -> None:
    """A person sees at once that half of it is missing."""
    variables = {"sfm_credentials": GOOD["sfm_credentials"]}
    asleep = {"name": "asleep", "credential": "library", "track": ["x"], "active": False}
    hosts = {"first": {"sfm_filters": [*GOOD["sfm_filters"], asleep]}, "second": {}}
    run = run_playbook(PREFLIGHT, {"all": {"hosts": hosts, "vars": variables}}, tmp_path).ok()
    assert "The inventory declares: 2 hosts, 2 streams, 1 of them active; no active stream on second." in run.output


@pytest.mark.parametrize("version", ["2.18.9", "2.20.0", "2.21.0b1"])
def test_a_version_of_ansible_that_was_never_tried_is_refused_first(tmp_path: Path, version: str) -> None:
    """Before the inventory is judged, and before a host is touched."""
    (tmp_path / "sitecustomize.py").write_text(f"import ansible.release\nansible.release.__version__ = {version!r}\n")
    run = run_playbook(
        ROOT / "playbooks/deploy.yml", {"all": {"hosts": HOSTS, "vars": GOOD}}, tmp_path, PYTHONPATH=str(tmp_path)
    )
    assert run.code != 0
    assert f"ansible-core {version} runs here" in run.output
    assert "needed is ansible-core<2.20,>=2.19" in run.output
    assert run.output.count("TASK [") == 2, "that there are hosts, and the examination"


NEWER = """
from typing import Any, NamedTuple
from sfm_stream.settings.faults import Fault

class Plan(NamedTuple):
    faults: Any
    warnings: Any
    hosts: Any

def examine(hosts, options):
    return Plan([Fault(where="all of it", problem="the newer code has judged", fix="upgrade")], [], {})
"""
EARLY_IMPORT = """
import sfm_stream.settings.preflight, sfm_stream.table
from ansible.plugins.callback import CallbackBase
class CallbackModule(CallbackBase):
    CALLBACK_NAME = "early"
"""


@pytest.mark.parametrize("imported_before", [False, True])
def test_what_judges_is_the_checkout_that_is_deployed(tmp_path: Path, imported_before: bool) -> None:
    """Though another copy is installed, or was imported in this process already: as it is before an upgrade."""
    checkout = tmp_path / "newer"
    for name in ("playbooks", "roles", "sfm_stream"):
        shutil.copytree(ROOT / name, checkout / name)
    shutil.copy(ROOT / "ansible.cfg", checkout)
    (checkout / "sfm_stream/settings/preflight.py").write_text(NEWER)
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    if imported_before:
        (plugins / "early.py").write_text(EARLY_IMPORT)
    inventory = tmp_path / "inventory.yml"
    inventory.write_text("all: {hosts: {first: {sfm_streamsample: {credential: library}}}}")
    run = subprocess.run(
        [BIN / "ansible-playbook", "-i", inventory, "playbooks/preflight.yml"],
        cwd=checkout,
        env={**os.environ, "ANSIBLE_CALLBACK_PLUGINS": str(plugins), "ANSIBLE_CALLBACKS_ENABLED": "early"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "the newer code has judged" in run.stdout, run.stdout + run.stderr


def test_what_the_examination_assumes_is_what_the_role_does() -> None:
    """The examination does not see a role's defaults, so it has the same ones."""
    defaults = defaults_of("sfm_streams") | defaults_of("sfm_defaults")
    for kind in [HostVars, *(registry.source(name).inventory().variables for name in registry.names())]:
        for name in kind.__struct_fields__:
            value = json.loads(msgspec.json.encode(getattr(kind(), name)))
            assert (defaults[f"sfm_{name}"] or None) == (value or None), name


def defaults_of(role: str) -> dict[str, Any]:
    """A role's own defaults."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "roles" / role / "defaults/main.yml").read_text())
    return found


ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())


@pytest.mark.parametrize("role", [role for role in ROLES if role != "sfm_defaults"])
def test_defaults_and_specification_of_a_role_list_the_same(role: str) -> None:
    """A variable has a default, here or among those that roles share, and a specification that agrees with it."""
    path = ROOT / "roles" / role / "meta/argument_specs.yml"
    options = yaml.safe_load(path.read_text())["argument_specs"]["main"]["options"]
    own, shared = defaults_of(role), defaults_of("sfm_defaults")
    assert own.keys() <= options.keys() <= own.keys() | shared.keys()
    for name, option in options.items():
        if "default" in option:
            assert option["default"] == {**shared, **own}[name], name


def test_a_default_stands_once() -> None:
    """One that several roles read stands in the role that they depend on."""
    seen = [name for role in ROLES for name in defaults_of(role)]
    assert sorted(seen) == sorted(set(seen))


def test_x_judges_the_rules_on_request_before_a_host_is_touched(tmp_path: Path) -> None:
    """Its own words stand among the faults; unasked it is not asked, and where it cannot be, that is a fault."""
    variables = copy.deepcopy(GOOD) | {"sfm_filters": [], "sfm_rule_length": 2048}
    long = " OR ".join(f"word{number}" for number in range(20))
    first = {"sfm_filters": [{"name": "long", "credential": "library", "query": long}]}
    with Simulator(tmp_path, "--rule-length", "40") as x:
        variables["sfm_api_url"] = x.url
        examine(tmp_path, variables, first=first).ok()
        assert x.ledger("answer") == []
        found = faults(examine(tmp_path, variables, "-e", "sfm_check_rules=true", first=first))[0]
        assert found.startswith("filter 'long' on first: X refused the rule 'word0 OR word1")
        assert "no longer than 40 characters" in found
        first["sfm_filters"][0]["query"] = "storm"
        examine(tmp_path, variables, "-e", "sfm_check_rules=true", first=first).ok()
        assert x.ask("/2/tweets/search/stream/rules", token=TOKEN).get("data", []) == []
    found = faults(examine(tmp_path, variables, "-e", "sfm_check_rules=true", first=first))[0]
    assert found.startswith("filter 'long' on first: X did not judge the rules: network error")


def test_what_filters_will_bring_and_cost_is_asked_before_anything_is_paid(tmp_path: Path) -> None:
    """One filter after the other, also where a source counts nothing; a deployment asks nobody unless told to."""
    variables = copy.deepcopy(GOOD)
    variables["sfm_filters"].append({"name": "votes", "source": "bluesky", "track": ["vote"]})
    inventory = {"all": {"hosts": {"first": HOSTS["first"]}, "vars": variables}}
    with Simulator(tmp_path, "--rate", "10") as x:
        variables["sfm_api_url"] = x.url
        run_playbook(PREFLIGHT, inventory, tmp_path).ok()
        assert x.ledger("answer") == []
        estimated = run_playbook(ROOT / "playbooks" / "estimate.yml", inventory, tmp_path, "-e", "sfm_estimate_days=14")
        estimated.ok()
        assert [each["path"] for each in x.ledger("answer")] == ["/2/tweets/counts/recent"]
    assert "Filter 'storms' on first:" in estimated.output
    assert "posts in 14 days, at $0.005 each: $" in estimated.output
    assert "Filter 'votes' on first:\nBluesky counts no posts, and charges for none" in estimated.output
    unreachable = run_playbook(ROOT / "playbooks" / "estimate.yml", inventory, tmp_path)
    unreachable.ok()
    assert "X could not be asked: network error" in unreachable.output
