"""Every role knows the programs of every source, from the registry alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sfm_stream.sources import registry
from tests.roles.streams_host import ROOT, run_playbook

PLAY = """
- hosts: all
  gather_facts: false
  vars_files: [{root}/roles/sfm_base/vars/main.yml, {root}/roles/sfm_streams/vars/main.yml]
  tasks:
    - ansible.builtin.copy:
        dest: "{here}/told"
        content: |
          {{{{ _sfm_base_directories | selectattr('ours', 'defined') | map(attribute='ours') | join(' ') }}}}
          {{{{ _sfm_stream_names }}}}
          {{{{ _sfm_program_names }}}}
"""
ROLES_VARIABLES = (
    "venv_dir",
    "config_dir",
    "log_dir",
    "data_dir",
    "state_dir",
    "archive_dir",
    "process_owner",
    "group",
)


def test_the_roles_take_the_programs_of_all_sources_for_ours(tmp_path: Path) -> None:
    """What a handover gives to a new owner, and what a deployment may remove; no name of other people's."""
    (tmp_path / "play.yml").write_text(PLAY.format(root=ROOT, here=tmp_path))
    variables = {f"sfm_{name}": "/nowhere" for name in ROLES_VARIABLES} | {"sfm_group_may_write_programs": False}
    variables["ansible_connection"] = "local"
    run_playbook(tmp_path / "play.yml", {"all": {"hosts": {"here": {}}, "vars": variables}}, tmp_path).ok()
    ours, streams, programs = (tmp_path / "told").read_text().splitlines()
    data, state, archive = ours.split(" ")
    captured = [registry.program(name, "harvest-2") for name in registry.names()] + ["streamsample"]
    for pattern in (data, archive, streams, programs):
        assert all(re.fullmatch(pattern, name) for name in captured), pattern
        assert not re.fullmatch(pattern, "other-web")
    assert all(re.fullmatch(data, f"{name}-2026-11-24T20-15-00Z.jsonl.gz.part") for name in captured)
    simulators = [registry.simulator_program(name) for name in registry.names()]
    assert all(re.fullmatch(programs, name) for name in simulators)
    assert not any(re.fullmatch(streams, name) for name in simulators)
    assert re.fullmatch(state, "held")


@pytest.mark.parametrize("name", registry.names())
def test_a_program_is_named_by_its_settings_as_the_registry_names_it(name: str) -> None:
    """The settings of a stream and the registry agree."""
    settings = registry.source(name).settings
    needed = {"kind": "filterstream", "credential": "library"} if name == registry.DEFAULT else {}
    assert settings(name="harvest", **needed).program == registry.program(name, "harvest")
