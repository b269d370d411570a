"""That a dry run tells the truth of a host on which nothing is left to do."""

from __future__ import annotations

from deployment import Deployment


def test_a_dry_run_after_a_deployment_finds_nothing_to_change(deployment: Deployment) -> None:
    """`deploy --check --diff` says changed=0 on every host."""
    run = deployment.deploy("--check", "--diff")
    assert set(run.recap) >= set(deployment.hosts), run.text
    assert run.changed == 0, run.text
