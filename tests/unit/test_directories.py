"""The set of directories of a host, judged by name: none is the system's, and none lies within another."""

from __future__ import annotations

from typing import Any

import pytest

from sfm_stream.settings.directories import EXAMPLES, directory_faults, directory_warnings

DEFAULTS = {
    "sfm_archive_dir": "",
    "sfm_config_dir": "/etc/sfm",
    "sfm_data_dir": "/var/lib/sfm/data",
    "sfm_log_dir": "/var/log/sfm",
    "sfm_state_dir": "/var/lib/sfm/state",
    "sfm_venv_dir": "/opt/sfm",
}


def faults(**changes: Any) -> list[str]:
    """The faults of the defaults with these changes."""
    return [str(each) for each in directory_faults({**DEFAULTS, **{f"sfm_{name}": v for name, v in changes.items()}})]


def test_the_defaults_and_what_faults_propose_are_well() -> None:
    """Nobody is sent from one fault into the next."""
    assert faults() == []
    assert list(directory_faults(EXAMPLES)) == []


@pytest.mark.parametrize(
    "path",
    [
        "/srv/posts",
        "/mnt/disk/posts",
        "/data",
        "/var/lib/posts/data",
        "/opt/posts/data",
        "/media/usb/x",
        "/usr/local/sfm",
    ],
)
def test_a_directory_of_its_own_is_taken(path: str) -> None:
    """Wherever sites keep data."""
    assert faults(data_dir=path) == []
    assert faults(archive_dir=path) == []


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/etc/cron.d",
            "/etc/supervisor/conf.d",
            "/var/lib/dpkg",
            "/home/alice",
            "/etc/sfm",
            "/etc/other",
            "/",
            "/srv",
        ),
        *(
            "/usr/bin",
            "/usr/local/bin",
            "/usr/local/lib/x",
            "/usr",
            "/bin/x",
            "/boot/x",
            "/proc/1",
            "/sys/x",
            "/dev/shm/x",
        ),
        *(
            "/run/x",
            "/root/data",
            "/root",
            "/var",
            "/var/lib",
            "/var/spool/cron",
            "/var/lib/systemd/x",
            "/home",
            "//etc/x",
        ),
        *(
            "/var/log/supervisor",
            "/tmp",
            "/var/cache/x",
            "/mnt",
            "/var/lib/sfm/../dpkg",
            "data",
            "./data",
            "~/data",
            "",
        ),
        *(
            "/srv/a b",
            "/srv/a\nb",
            "/srv/a\tb",
            "/srv/a\x07b",
            "/srv/$HOME",
            "/srv/a;b",
            "/srv/*",
            "/srv/a'b",
            "/srv/{a,b}",
        ),
    ],
)
def test_a_directory_of_the_systems_or_an_odd_name_is_refused(path: str) -> None:
    """Once, with the variable, the value and what would be right."""
    found = [each for each in faults(data_dir=path) if each.startswith("sfm_data_dir: ")]
    assert found
    assert all("\n" not in each and "; " in each for each in found)


def test_only_the_configuration_may_be_in_etc() -> None:
    """And there only in a directory that no other program reads."""
    assert faults(config_dir="/etc/streams") == []
    assert faults(config_dir="/etc/cron.d") != []
    assert faults(config_dir="/etc/supervisor") != []
    assert faults(config_dir="/etc/systemd/system") != []
    assert faults(log_dir="/etc/logs") != []


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        *(("log_dir", "data_dir"), ("venv_dir", "data_dir"), ("config_dir", "state_dir"), ("log_dir", "archive_dir")),
        *(("state_dir", "data_dir"), ("archive_dir", "data_dir"), ("data_dir", "venv_dir"), ("data_dir", "log_dir")),
    ],
)
def test_no_directory_lies_within_another(inner: str, outer: str) -> None:
    """Who writes in the outer one puts what they like in the place of the inner one; and a removal of it takes both."""
    (found,) = faults(**{outer: "/srv/outer", inner: "/srv/outer//deep/inner"})
    assert found.startswith(f'sfm_{inner}: "/srv/outer/deep/inner" lies within sfm_{outer}, "/srv/outer"; ')
    assert faults(**{outer: "/srv/outer", inner: "/srv/outer-inner"}) == []


def test_two_directories_are_not_one_but_for_an_archive_that_is_the_data() -> None:
    """The date tree is in the data directory by default, which may be said as well."""
    assert faults(state_dir="/srv/x", data_dir="/srv/x/") == [
        'sfm_data_dir: "/srv/x" is sfm_state_dir too; give each a directory of its own'
    ]
    assert faults(archive_dir="/srv/x", data_dir="/srv/x") == []


def test_all_faults_come_at_once() -> None:
    """A line for each variable."""
    found = faults(data_dir="/etc/cron.d", log_dir="logs", venv_dir="/usr/lib/x")
    assert [each.partition(":")[0] for each in found] == ["sfm_data_dir", "sfm_log_dir", "sfm_venv_dir"]


def test_a_value_of_another_type_is_left_to_the_check_of_types() -> None:
    """One fault, not two."""
    assert faults(data_dir=5, log_dir=None) == []


def test_a_place_that_is_swept_is_warned_of() -> None:
    """It works, until the system removes what is old."""
    (warning,) = directory_warnings({**DEFAULTS, "sfm_data_dir": "/tmp/sfm/data"})
    assert str(warning).startswith('sfm_data_dir: "/tmp/sfm/data" lies where the system removes what is old; ')
    assert not list(directory_warnings(DEFAULTS))
