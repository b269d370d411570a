"""The users and groups of a host, judged by name: nobody becomes root by what we do for them."""

from __future__ import annotations

from typing import Any

import pytest

from sfm_stream.settings.users import user_faults, user_warnings

DEFAULTS = {"sfm_process_owner": "sfm", "sfm_group": "sfm", "sfm_operator_group": "sfm-operators"}


def faults(**changes: Any) -> list[str]:
    """The faults of the defaults with these changes."""
    return [str(each) for each in user_faults({**DEFAULTS, **{f"sfm_{name}": v for name, v in changes.items()}})]


def test_names_of_hosts_and_directory_services_are_taken() -> None:
    """Those with a dot, a capital, a domain."""
    assert faults() == []
    assert (
        faults(process_owner="_capture", group="Sfm.Data", group_members=["j.doe@example.org", "EX\\jdoe", "host$"])
        == []
    )


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "sfm\n", "a:b", "a/b", "-x", "1000", "a\tb", "\x1b[1m", "ä"])
@pytest.mark.parametrize("variable", ["process_owner", "group", "operator_group"])
def test_an_odd_name_is_refused(variable: str, name: str) -> None:
    """A line end in a name would be a second line in a file of root's; a number would be taken for an id."""
    (found,) = faults(**{variable: name})
    assert found.startswith(f"sfm_{variable}: found ")
    assert "\n" not in found
    assert "\x1b" not in found


def test_the_process_owner_is_not_root_and_gets_no_powerful_group() -> None:
    """It joins sfm_group."""
    assert faults(process_owner="root") == [
        'sfm_process_owner: found "root"; the programs must run as a user without power'
    ]
    assert "can become root" in faults(group="docker")[0]
    assert "can become root" in faults(group="sudo")[0]


def test_the_process_owner_is_no_operator() -> None:
    """Neither by name nor by the group that it is in."""
    assert faults(operators=["alice", "sfm"])[0].startswith('sfm_operators: "sfm" is the process owner; take it out')
    assert faults(operator_group="sfm")[0].startswith('sfm_operator_group: "sfm" is sfm_group too')


def test_who_makes_the_pages_of_a_report_can_write_no_data() -> None:
    """Nor control programs."""
    assert faults(report_user="sfm-report", report_group="www-data") == []
    assert faults(report_user="sfm")[0].startswith('sfm_report_user: "sfm" is sfm_process_owner, who writes the data; ')
    assert faults(report_user="root")[0].startswith('sfm_report_user: found "root"; ')
    assert faults(report_user="maria", operators=["maria"])[0].startswith('sfm_report_user: "maria" is one of')
    assert faults(report_group="a b")[0].startswith('sfm_report_group: found "a b"; ')


def test_all_faults_come_at_once() -> None:
    """Those within lists too."""
    found = faults(process_owner="root", operators=["a b", "fine"], group_members=["c:d"])
    assert [each.partition(": ")[0] for each in found] == [
        "sfm_group_members[0]",
        "sfm_operators[0]",
        "sfm_process_owner",
    ]


def test_program_files_that_the_group_may_write_are_warned_of() -> None:
    """The members are root by it, and so are the programs."""
    (warning,) = user_warnings({**DEFAULTS, "sfm_group_may_write_programs": True})
    assert 'every member of "sfm" can become root, and so can each capture program' in str(warning)
    assert not list(user_warnings({**DEFAULTS, "sfm_group_may_write_programs": False}))
