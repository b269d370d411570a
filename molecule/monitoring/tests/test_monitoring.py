"""A host that Debian's Prometheus watches, and that makes the pages of a report each night."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any
from urllib.parse import quote

from deployment import Deployment
from hosts import Host, wait

TEXTFILE = "/var/lib/prometheus/node-exporter"
REPORT = "/srv/sfm/report"


def ask(host: Host, port: int, path: str) -> Any:  # noqa: ANN401 - as the service answers
    """What a service on loopback answers."""
    script = "import sys,urllib.request as u;print(u.urlopen(sys.argv[1],timeout=10).read().decode())"
    return json.loads(host.run(shlex.join(["python3", "-c", script, f"http://127.0.0.1:{port}{path}"])))


def query(host: Host, expression: str) -> list[dict[str, Any]]:
    """What Prometheus has of an expression now."""
    answer = ask(host, 9090, f"/api/v1/query?query={quote(expression)}")
    return list(answer["data"]["result"])


def alerts(host: Host) -> set[tuple[str, str, str]]:
    """Name, program and severity of the alerts that Alertmanager holds; the host is looked at before."""
    host.run(f"sfm-stream metrics --textfile {TEXTFILE}")
    found = [each["labels"] for each in ask(host, 9093, "/api/v2/alerts?active=true")]
    return {(each["alertname"], each.get("program", ""), each["severity"]) for each in found}


def reaches(host: Host, alert: tuple[str, str, str]) -> None:
    """Waits until an alert is with Alertmanager."""
    wait(lambda: alert in alerts(host), f"{alert} does not reach Alertmanager", 60, lambda: alerts(host))


def quiet(host: Host) -> None:
    """Waits until Alertmanager holds no alert."""
    wait(lambda: not alerts(host), "alerts do not end", 90, lambda: alerts(host))


def test_promtool_finds_nothing_wrong_with_rules_and_configuration(one: Host) -> None:
    """Debian's own; the rules are those of the project, but for how long they wait."""
    assert re.search(r"SUCCESS: [1-9]\d* rules found", one.run("promtool check rules /etc/prometheus/rules.yml"))
    assert "SUCCESS" in one.run("promtool check config /etc/prometheus/prometheus.yml")


def test_prometheus_has_what_the_timer_wrote(one: Host) -> None:
    """By the exporter's own directory, which the deployment has found by itself."""
    assert one.run("systemctl is-active sfm-metrics.timer").strip() == "active"
    one.growing(["twitterfilter-elections", "bluesky-harbour"], 60)

    def connected() -> dict[str, str]:
        return {each["metric"]["program"]: each["value"][1] for each in query(one, "sfm_stream_connected")}

    both = {"twitterfilter-elections": "1", "bluesky-harbour": "1"}
    wait(lambda: connected() == both, "Prometheus has other metrics", 90, connected)
    assert query(one, "node_textfile_scrape_error")[0]["value"][1] == "0"
    quiet(one)


def test_a_program_that_is_stopped_is_an_alert_until_it_runs_again(one: Host) -> None:
    """With its name and its severity; of the other program nobody hears."""
    one.run("supervisorctl stop twitterfilter-elections")
    reaches(one, ("SfmProgramDown", "twitterfilter-elections", "critical"))
    assert {program for _, program, _ in alerts(one)} == {"twitterfilter-elections"}
    one.run("supervisorctl start twitterfilter-elections")
    quiet(one)


def test_a_service_that_is_gone_is_an_alert_of_its_stream_alone(one: Host) -> None:
    """The program runs on, and has no connection."""
    one.run("supervisorctl stop sfm-simulator-bluesky")
    reaches(one, ("SfmGap", "bluesky-harbour", "critical"))
    assert not {program for _, program, _ in alerts(one)} & {"twitterfilter-elections"}
    one.run("supervisorctl start sfm-simulator-bluesky")
    quiet(one)


def test_a_dead_supervisor_is_an_alert(one: Host) -> None:
    """The timer is none of its programs."""
    one.run("systemctl kill -s KILL --kill-who=main supervisor; systemctl stop supervisor")
    reaches(one, ("SfmSupervisorDown", "", "critical"))
    one.run("systemctl start supervisor")
    quiet(one)


def test_the_pages_of_the_night_are_made_by_a_user_who_can_write_nothing_else(one: Host) -> None:
    """As the timer would; a web server's group may read them, and only root and the user what they are made from."""
    assert one.run("systemctl is-enabled sfm-report.timer").strip() == "enabled"
    assert "never ran" in one.output("sfm-stream status | grep '^report'")
    one.run("sfm-stream organizedata >/dev/null; systemctl start sfm-report")
    assert "well" in one.output("sfm-stream status | grep '^report'")
    found = one.json(f"{REPORT}/report.json")
    assert {each["program"]: each["description"].get("title") for each in found["streams"]} == {
        "twitterfilter-elections": "Elections",
        "bluesky-harbour": None,
    }
    assert found["description"]["title"] == "What was said"
    assert sum(day["posts"] for each in found["streams"] for day in each["days"]) > 0
    assert one.run(f"stat -c '%U:%G %a' {REPORT} {REPORT}/index.html").split("\n")[:2] == [
        "sfm-report:www-data 2751",
        "sfm-report:www-data 640",
    ]
    assert not one.infra.file(f"{REPORT}/accounts.csv").exists
    assert "What was said" in one.run(f"runuser -u www-data -- cat {REPORT}/index.html")
    for forbidden in (f"ls {REPORT}/.kept/summaries", "touch /var/lib/sfm/data/x", "cat /etc/sfm/collection.json"):
        assert one.infra.run(f"runuser -u www-data -- {forbidden}").rc != 0, forbidden
    assert one.infra.run("runuser -u sfm-report -- touch /var/lib/sfm/data/x").rc != 0
    assert alerts(one) == set()
    wait(lambda: bool(query(one, 'sfm_job_last_exit_code{name="report"} == 0')), "Prometheus has no report", 20)


def test_a_removal_takes_schedules_and_metrics_away_and_leaves_the_pages(one: Host, deployment: Deployment) -> None:
    """Nobody renews the metrics any more; who has read the pages finds them where they were."""
    manual = "/usr/local/share/man/man1/sfm-stream-report.1"
    assert one.run(f"readlink {manual}").strip() == "/opt/sfm/current/share/man/man1/sfm-stream-report.1"
    assert deployment.play("remove", "-e", "sfm_remove_confirmed=true").code == 0
    assert one.run("systemctl list-timers --all --no-legend 'sfm-*'") == ""
    assert one.run("find /etc/systemd/system /etc/cron.d /usr/local/share -name '*sfm*'") == ""
    assert not one.infra.file(f"{TEXTFILE}/sfm.prom").exists
    assert "What was said" in one.run(f"runuser -u www-data -- cat {REPORT}/index.html")
