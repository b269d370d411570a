"""A host without a way to any index, deployed from the controller's wheelhouse."""

from __future__ import annotations

from deployment import Deployment
from hosts import Host


def test_the_host_reaches_no_index(one: Host) -> None:
    """Otherwise this scenario would prove nothing: no route leads out, and pip alone fails."""
    assert "default" not in one.run("ip route")
    done = one.infra.run(
        "timeout 20 python3 -m venv /tmp/v && timeout 30 /tmp/v/bin/pip install --no-cache-dir --retries 0 click"
    )
    assert done.rc != 0


def test_the_package_is_installed_with_what_it_needs(one: Host) -> None:
    """The virtual environment is whole."""
    assert one.run("/opt/sfm/current/bin/python -m pip check").strip() == "No broken requirements found."
    assert one.run("/opt/sfm/current/bin/sfm-stream --version").strip()


def test_the_wheelhouse_leaves_nothing_behind(one: Host, deployment: Deployment) -> None:
    """No copy of the wheels stays on the host for every deployment."""
    wheels = one.run(
        "find / -xdev -name '*.whl' -not -path '/usr/*' -not -path '/root/.cache/*' 2>/dev/null || true"
    ).split()
    assert len(wheels) <= 60, wheels
    assert deployment.deploy().changed == 0
