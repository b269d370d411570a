"""What holds in every scenario, right after its deployment."""

from __future__ import annotations

from deployment import Deployment
from hosts import OTHERS, Host, expected_programs, expected_streams


def test_the_programs_that_run_are_those_declared(deployment: Deployment, hosts: dict[str, Host]) -> None:
    """supervisor knows the declared programs and no others of ours, and all of them are RUNNING."""
    for name, host in hosts.items():
        ours = {p: each.state for p, each in host.programs().items() if not OTHERS.fullmatch(p)}
        assert ours == dict.fromkeys(expected_programs(deployment.variables(name)), "RUNNING")


def test_every_stream_receives_posts(deployment: Deployment, hosts: dict[str, Host]) -> None:
    """Each stream's last post is of after this question."""
    for name, host in hosts.items():
        host.growing(expected_streams(deployment.variables(name)))
