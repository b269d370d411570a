"""What is found wrong with the variables of monitoring before any host is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfm_stream.errors import ConfigError
from sfm_stream.settings.alerts import monitor_faults
from sfm_stream.settings.config import read_alerts


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({"sfm_alert_mail": ["nobody at example"]}, 'sfm_alert_mail[0]: found "nobody at example"'),
        ({"sfm_alert_command": "page-me"}, 'sfm_alert_command: found "page-me"; the absolute path'),
        ({"sfm_alert_command": "/bin/tell 'me"}, "close its quotes"),
        ({"sfm_alert_urls": ["token-of-mine"]}, "sfm_alert_urls[0]: found a value that is no address"),
        ({"sfm_alert_digest": "7:30"}, 'sfm_alert_digest: found "7:30"'),
        ({"sfm_alert_digest": "24:00"}, 'an hour of the day (UTC) is needed, in quotes: "07:30"'),
        ({"sfm_metrics_dir": "metrics"}, 'sfm_metrics_dir: found "metrics"'),
        ({"sfm_alert_gap": 0}, "sfm_alert_gap: found 0 (a number); at least 1 is needed"),
        ({"sfm_alert_disk_days": -1}, "sfm_alert_disk_days"),
    ],
)
def test_a_fault_names_the_variable_the_value_and_the_cure(variables: dict[str, object], fault: str) -> None:
    """A secret is not shown."""
    [found] = map(str, monitor_faults(variables))
    assert fault in found
    assert "token-of-mine" not in found


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"sfm_alert_mail": ["me@example.org", "root"], "sfm_alert_digest": "23:59", "sfm_metrics_dir": ""},
        {"sfm_alert_urls": ["ntfys://topic", "mailto:me@example.org"], "sfm_metrics_dir": "/srv/metrics"},
        {"sfm_alert_command": "/usr/bin/logger -t sfm", "sfm_metrics_dir": "auto", "sfm_alert_gap": 1},
        {"sfm_alert_mail": "me", "sfm_alert_gap": "soon", "sfm_alert_urls": 5},
    ],
)
def test_what_can_be_is_no_fault(variables: dict[str, object]) -> None:
    """Values of another type are left to the check of types."""
    assert list(monitor_faults(variables)) == []


def test_a_file_with_secrets_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    """As a credential is."""
    path = tmp_path / "alert.json"
    assert read_alerts(path) is None
    path.write_text('{"urls": ["ntfys://topic"]}')
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="mode 0644"):
        read_alerts(path)
    path.chmod(0o640)
    path.write_text('{"digest": "soon"}')
    with pytest.raises(ConfigError, match=r"alert\.json: digest: found"):
        read_alerts(path)
