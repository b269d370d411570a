"""What the roles write for a host of the release before (0.1.0) is what it wrote: nothing restarts for its looks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.roles.streams_host import Host, running_host

LEFT = Path(__file__).resolve().parents[1] / "data" / "release-0.1.0" / "host"


@pytest.fixture
def host() -> Iterator[Host]:
    with running_host() as host:
        text = (LEFT / "variables.json").read_text().replace("@HERE@", str(host.here))
        left = json.loads(text)
        # It ran as root, for the test's sake; the play says so now, for no inventory may.
        host.variables = {key: left[key] for key in left if key not in ("sfm_process_owner", "sfm_group")}
        yield host


@pytest.mark.parametrize("directory", ["supervisor.d", "streams"])
def test_the_files_of_its_streams_stay_as_they_were(host: Host, directory: str) -> None:
    host.deploy().ok()
    for path in sorted((LEFT / directory).iterdir()):
        now = (host.here / "etc" / directory / path.name).read_text().replace(str(host.here), "@HERE@")
        assert without_digest(now) == without_digest(path.read_text()), path.name


def without_digest(text: str) -> str:
    """Another version or directory makes another digest, which is as it should be."""
    return re.sub(r'SFM_DIGEST="[0-9a-f]{16}-', 'SFM_DIGEST="-', text)
