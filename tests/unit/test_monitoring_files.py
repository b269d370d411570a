"""What stands in `monitoring/`, for Prometheus and Grafana: it speaks of what `sfm-stream metrics` really prints."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from sfm_stream.report.metrics import text
from sfm_stream.report.view import (
    PASSING,
    DiskView,
    HostView,
    JobView,
    Overview,
    Severity,
    StreamView,
    Trouble,
    TroubleKind,
)

TOP = Path(__file__).parents[2]
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NAME = re.compile(r"\bsfm_\w+")


def exported() -> set[str]:
    """The names of all samples of a host that has one of everything."""
    trouble = Trouble(kind=TroubleKind.GAP, severity=Severity.CRITICAL, text="no connection")
    stream = StreamView(
        program="twitterfilter-storms",
        active=True,
        supervisor="RUNNING",
        state="connected",
        well=False,
        severity=Severity.CRITICAL,
        troubles=(trouble,),
        last_byte=NOW,
        last_post=NOW,
        per_minute=1.0,
        usual=1.0,
        gaps_today=1,
        connected=1.0,
        covered=1.0,
        per_day=1,
        per_month=1,
    )
    host = HostView(
        supervisor="answers",
        disks=(DiskView(path="/", use="data", free=1, size=2, floor=1, per_day=1.0, days=1.0),),
        jobs=(JobView(name="audit", time=NOW, exit_code=0, verdict="well"),),
        version="1",
        well=True,
        severity=Severity.OK,
    )
    lines = text(Overview(time=NOW, host=host, streams=(stream,))).decode().splitlines()
    return {re.split(r"[{ ]", line)[0] for line in lines if not line.startswith("#")}


def rules() -> list[dict[str, Any]]:
    """All alerts."""
    groups = yaml.safe_load((TOP / "monitoring" / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions(value: object) -> Iterator[str]:
    """What Grafana asks Prometheus, wherever it stands in a dashboard."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key in ("expr", "query", "definition") and isinstance(each, str):
                yield each
            else:
                yield from expressions(each)
    elif isinstance(value, list):
        for each in value:
            yield from expressions(each)


def test_rules_speak_of_metrics_that_there_are() -> None:
    """A name that nothing exports would never fire, and never say so."""
    used = {name for rule in rules() for name in NAME.findall(rule["expr"])}
    assert used
    assert used - exported() == set()


def test_the_dashboard_speaks_of_metrics_that_there_are() -> None:
    """An empty panel looks like a quiet host."""
    dashboard = json.loads((TOP / "monitoring" / "grafana-dashboard.json").read_text())
    used = {name for text in expressions(dashboard) for name in NAME.findall(text)}
    assert len(used) > 10
    assert used - exported() == set()


def test_panels_of_the_dashboard_neither_overlap_nor_share_a_number() -> None:
    """Grafana would push them about."""
    panels = json.loads((TOP / "monitoring" / "grafana-dashboard.json").read_text())["panels"]
    assert len({each["id"] for each in panels}) == len(panels)
    cells = [
        (column, row)
        for each in panels
        for column in range(each["gridPos"]["x"], each["gridPos"]["x"] + each["gridPos"]["w"])
        for row in range(each["gridPos"]["y"], each["gridPos"]["y"] + each["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(column for column, _ in cells) == 23


def test_every_metric_is_documented_and_no_other() -> None:
    """By its whole name, which is what a person searches for."""
    section = (TOP / "docs" / "monitoring.md").read_text().partition("## Prometheus")[2]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `sfm_")]
    assert {name for row in rows for name in NAME.findall(row)} == exported()


def test_every_trouble_has_an_alert_of_its_own() -> None:
    """But for those that end by themselves as a rule, for which nobody is called."""
    kinds = [kind for rule in rules() for kind in re.findall(r'kind="([\w-]+)"', rule["expr"])]
    assert sorted(kinds) == sorted(kind.value for kind in TroubleKind if kind not in PASSING)


def test_every_alert_is_tested() -> None:
    """It fires in a test of promtool's, and ends."""
    tests = yaml.safe_load((TOP / "monitoring" / "rules.test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test.get("alert_rule_test", [])]
    fired = {case["alertname"] for case in cases if case.get("exp_alerts")}
    ended = {case["alertname"] for case in cases if not case.get("exp_alerts")}
    assert fired == ended == {rule["alert"] for rule in rules()}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (of Debian's prometheus) is not installed")
def test_alerts_fire_and_end() -> None:
    """As Prometheus itself computes them; the scenario `monitoring` runs the same on a real host."""
    command = ["promtool", "test", "rules", str(TOP / "monitoring" / "rules.test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
