"""What it means that was seen of a host: the one judgement behind status, check, metrics, alerts and the page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from sfm_stream.record.gaps import Coverage, Gap
from sfm_stream.record.rates import Rates
from sfm_stream.record.status import Status
from sfm_stream.report.facts import (
    Alerting,
    Disk,
    Facts,
    HostFacts,
    Job,
    JobOutcome,
    Process,
    StreamFacts,
    Supervisor,
)
from sfm_stream.report.judge import judge
from sfm_stream.report.view import HostView, Severity, StreamView, TroubleKind
from sfm_stream.settings.host import Limits
from sfm_stream.sources.registry import source
from sfm_stream.sources.x.rules.compiler import compile_rules
from sfm_stream.sources.x.rules.packing import digest
from sfm_stream.sources.x.settings import Rule, XStream
from sfm_stream.sources.x.source import RULES_SEEN, SILENT

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
STREAM = XStream(kind="filterstream", name="storms", credential="lab", rules=(Rule(name="main", track=("hail",)),))
RULES = digest(compile_rules(STREAM))
RUNNING = Process("RUNNING")
LIMITS = Limits()


def live(state: str, **changes: object) -> Status:
    held = {"rules_wanted": RULES, "rules_live": RULES, "rules_checked": changes.get("since", NOON)}
    status = Status(program=STREAM.program, pid=7, since=NOON, state=state, last_byte=NOON, **held)  # type: ignore[arg-type]
    return msgspec.structs.replace(status, **changes)


def judged(
    status: Status | None,
    *,
    alive: bool = True,
    active: bool = True,
    later: float = 0,
    stream: XStream = STREAM,
    process: Process | None = None,
    supervisor: Supervisor | None = None,
    limits: Limits = LIMITS,
    **seen: Any,
) -> StreamView:
    stream = msgspec.structs.replace(stream, active=active)
    now = NOON + timedelta(seconds=later)
    x = source("x")
    facts = StreamFacts(
        program=stream.program,
        settings=stream,
        alive=alive,
        live=status,
        silence=x.silence,
        standing=x.in_force_fault(stream, status, now) if status else "",
        **seen,
    )
    if supervisor is None:
        supervisor = Supervisor("answers", processes={stream.program: process}) if process else Supervisor("not asked")
    host = HostFacts(supervisor=supervisor, version="1")
    return judge(Facts(time=now, host=host, streams=(facts,)), limits).streams[0]


def kinds(found: StreamView | HostView) -> list[tuple[str, str]]:
    return [(each.kind, each.severity) for each in found.troubles]


def test_a_connected_stream_is_well() -> None:
    """As long as something comes every now and then."""
    found = judged(live("connected", detail="d"), later=SILENT)
    assert (found.state, found.note, found.well) == ("connected", "d", True)


def test_a_connection_from_which_nothing_comes_is_not_well() -> None:
    """X sends something every 20 seconds."""
    found = judged(live("connected"), later=SILENT + 1)
    assert (found.state, found.well) == ("silent", False)
    assert found.note == "nothing has come for 31 s"


@pytest.mark.parametrize(
    ("rules", "note"),
    [
        (
            {
                "rules_live": "other",
                "rules_missing": 2,
                "rules_fault": "X refused the rule 'a b'\nX refused the rule 'c'",
            },
            "X does not hold its rules (2 missing): X refused the rule 'a b'; X refused the rule 'c'",
        ),
        ({"rules_live": "other"}, "X does not hold its rules (more than are wanted)"),
        ({"rules_checked": None}, "its rules at X have not been seen yet"),
        ({"rules_checked": None, "rules_fault": "HTTP 503"}, "its rules at X have not been seen yet: HTTP 503"),
        (
            {"rules_checked": NOON - timedelta(seconds=RULES_SEEN + 1), "rules_fault": "HTTP 429"},
            "its rules at X were last seen 15 min 1 s ago: HTTP 429",
        ),
        (
            {"rules_wanted": "older", "rules_live": "older"},
            "it does not run with the rules of its settings yet: if that lasts, deploy again",
        ),
    ],
)
def test_a_connected_stream_whose_rules_x_does_not_hold_is_not_well(rules: dict[str, object], note: str) -> None:
    """Nor one whose rules at X were not seen lately: both come with X's own words."""
    found = judged(live("connected", **rules))
    assert (found.state, found.note, kinds(found)) == ("connected", note, [("rules", "warning")])
    assert found.rules != "in force"


def test_the_sample_stream_needs_no_rules() -> None:
    """It has none."""
    stream = XStream(kind="streamsample", name="streamsample", credential="lab")
    status = Status(program=stream.program, pid=7, since=NOON, state="connected", last_byte=NOON)
    found = judged(status, stream=stream)
    assert (found.well, found.rules) == (True, "")


@pytest.mark.parametrize("state", ["starting", "connecting", "waiting"])
def test_a_stream_without_a_connection_is_reconnecting_and_then_has_a_gap(state: str) -> None:
    """Its own words say why; from when on nobody believes any more that it ends by itself, the inventory says."""
    found = judged(live(state, detail="why"), later=300)
    assert (found.state, found.note, kinds(found)) == (state, "why", [("reconnecting", "warning")])
    found = judged(live(state, detail="why"), later=301)
    assert kinds(found) == [("gap", "critical")]
    assert found.note == "no connection for 5 min 1 s: why"
    assert kinds(judged(live(state), later=301, limits=Limits(gap=600))) == [("reconnecting", "warning")]


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("credential", "credential"),
        ("credits", "credits"),
        ("spend cap", "credits"),
        ("usage cap", "credits"),
        ("budget", "budget-spent"),
        ("disk", "disk"),
    ],
)
def test_what_does_not_end_by_itself_is_critical_at_once(state: str, kind: str) -> None:
    """Each by a name of its own."""
    found = judged(live(state, detail="why"))
    assert (found.state, kinds(found)) == (state, [(kind, "critical")])


@pytest.mark.parametrize("state", ["starting", "connecting", "connected", "waiting", "budget", "disk"])
def test_a_process_that_is_gone_without_a_word_is_dead(state: str) -> None:
    """Whatever it said last; what supervisor makes of it is said, too."""
    found = judged(live(state), alive=False, process=Process("FATAL", said="Exited too quickly"))
    assert (found.state, kinds(found)) == ("dead", [("program", "critical")])
    assert "killed" in found.note
    assert "(supervisor: FATAL: Exited too quickly)" in found.note


@pytest.mark.parametrize(
    ("code", "kind"), [(0, "program"), (64, "program"), (65, "credential"), (66, "rules"), (73, "program")]
)
def test_a_stopped_stream_says_why(code: int, kind: str) -> None:
    """It should run; by the exit code, that supervisor knows, the reason has a name."""
    process = Process("EXITED", exit_code=code)
    found = judged(live("stopped", detail="X refused it"), alive=False, process=process)
    assert (found.state, kinds(found)) == ("stopped", [(kind, "critical")])
    assert f"stopped: X refused it (supervisor: EXITED, exit code {code})" in found.note


def test_a_stream_that_never_ran_is_not_a_dead_one() -> None:
    """Nobody started it."""
    found = judged(None, alive=False)
    assert (found.state, found.note, found.well) == ("never ran", "it has never run", False)


def test_a_stream_that_has_only_just_been_started_is_starting() -> None:
    """It lives, and has not yet said anything."""
    assert (judged(None).state, judged(None).well) == ("starting", False)
    found = judged(live("stopped"), alive=False, process=Process("STARTING"))
    assert (found.state, kinds(found)) == ("starting", [("reconnecting", "warning")])


def test_an_inactive_stream_is_well_as_long_as_it_does_not_run() -> None:
    """A process that the settings no longer want is left over."""
    assert judged(live("stopped"), alive=False, active=False).well
    assert judged(None, alive=False, active=False).state == "inactive"
    assert judged(live("connected"), active=False).state == "running"
    assert not judged(live("stopped"), alive=False, active=False, process=RUNNING).well


def test_a_live_status_that_cannot_be_read_is_unknown_and_never_well() -> None:
    """Whether it runs is known all the same."""
    found = judged(None, live_fault="p.json: is damaged")
    assert (found.state, kinds(found), found.note) == ("unreadable", [("unreadable", "unknown")], "p.json: is damaged")
    found = judged(None, alive=False, live_fault="p.json: is damaged", process=Process("FATAL"))
    assert kinds(found) == [("program", "critical"), ("unreadable", "unknown")]


def test_damage_that_a_start_found_is_not_well() -> None:
    """Though the stream be connected."""
    found = judged(live("connected", notes=("the counters were rebuilt",)))
    assert (found.state, kinds(found), found.note) == ("connected", [("note", "warning")], "the counters were rebuilt")


def test_a_program_that_supervisor_does_not_have_is_named() -> None:
    """One that runs by hand as well as one that does not run; a supervisor that was not seen says nothing of it."""
    answers = Supervisor("answers")
    assert kinds(judged(live("connected"), supervisor=answers)) == [("program", "warning")]
    assert ("program", "critical") in kinds(judged(None, alive=False, supervisor=answers))
    assert judged(live("connected"), supervisor=Supervisor("not seen", "no")).well
    assert not judged(live("connected"), process=Process("FATAL")).well


def test_a_budget_that_is_nearly_spent_is_a_warning() -> None:
    """From 80 percent, or where the inventory says; of the month before the day's."""
    found = judged(live("connected", today=80, per_day=100))
    assert kinds(found) == [("budget", "warning")]
    assert found.note == "80% of the day's budget is spent (80 of 100)"
    assert judged(live("connected", today=79, per_day=100)).well
    assert judged(live("connected", today=80, per_day=100), limits=Limits(budget=0.9)).well
    both = judged(live("connected", today=90, per_day=100, this_month=100, per_month=100))
    assert both.note == "100% of the month's budget is spent (100 of 100)"


def weeks(posts: int, now: datetime = NOON) -> Rates:
    """So many posts in each hour of four weeks, all connected; none in the last hour."""
    hours = [now - timedelta(hours=back) for back in range(1, 24 * 28 + 2)]
    return Rates(hours={f"{hour:%Y-%m-%dT%H}": (posts, 3600.0) for hour in hours})


LONG_CONNECTED = {"since": NOON - timedelta(hours=3), "connected_since": NOON - timedelta(hours=3), "last_byte": NOON}


def connected(last_post: datetime | None) -> Status:
    return live("connected", last_post=last_post, **{**LONG_CONNECTED, "rules_checked": NOON})


def test_a_stream_that_gets_nothing_though_much_is_usual_is_starving() -> None:
    """A sign of life comes, and no post: only by what is usual at this hour can it be told."""
    found = judged(connected(NOON - timedelta(hours=1)), rates=weeks(6000))
    assert (found.state, kinds(found)) == ("starving", [("starving", "warning")])
    assert found.note == "0 posts came in 60 minutes; 6000 are usual at this hour of the week"
    assert (found.per_minute, found.usual, found.usual_basis) == (0, 100, "hour of the week")


@pytest.mark.parametrize("rates", [weeks(0), weeks(20), None, Rates()])
def test_a_stream_for_which_no_post_is_usual_is_quiet_and_well(rates: Rates | None) -> None:
    """Nor is one called starving of which nobody knows what is usual."""
    found = judged(connected(NOON - timedelta(hours=1)), rates=rates)
    assert (found.state, found.well) == ("quiet", True)


def test_a_stream_is_compared_with_its_own_weak_hours() -> None:
    """One that is often silent for an hour is not starving when it is, whatever it gets in its good hours."""
    rates = weeks(6000)
    rates.hours |= {hour: (0, seconds) for hour, (_, seconds) in rates.hours.items() if hour[:10] <= "2026-11-05"}
    assert judged(connected(NOON - timedelta(hours=1)), rates=rates).state == "quiet"


def test_a_stream_is_not_starving_right_after_it_connected() -> None:
    """It must have had ten minutes."""
    status = live("connected", connected_since=NOON, last_post=NOON - timedelta(hours=5))
    assert judged(status, rates=weeks(6000, NOON), later=20).state == "connected"


def test_posts_a_minute_are_those_of_the_last_ten_whole_minutes() -> None:
    """A tenth of what is usual is enough not to starve."""
    minutes = {f"{NOON - timedelta(minutes=back):%Y-%m-%dT%H:%M}": 20 for back in range(61)}
    rates = msgspec.structs.replace(weeks(6000), minutes=minutes)
    found = judged(connected(NOON), rates=rates)
    assert (found.state, found.per_minute, found.usual) == ("connected", 20, 100)


def test_gaps_and_coverage_come_from_the_journal() -> None:
    """What was made good is no gap; of a journal that cannot be read nothing is known."""
    gap = Gap(start=NOON, end=NOON, seconds=36, cause="c", planned=False)
    made_good = msgspec.structs.replace(gap, recovered=True)
    midnight = NOON - timedelta(hours=12)
    today = Coverage(
        program="p", start=midnight, end=NOON, connected=0.9, covered=0.99, gaps=(gap, made_good), losses=()
    )
    found = judged(live("connected"), today=today, coverage=today)
    assert (found.gaps_today, found.gap_seconds_today, found.covered) == (1, 432, 0.99)
    fault = Coverage(program="p", start=None, end=NOON, connected=None, gaps=(), losses=(), fault="cannot be read")
    found = judged(live("connected"), coverage=fault)
    assert (found.gaps_today, found.covered, kinds(found)) == (None, None, [("unreadable", "unknown")])


def test_counters_of_yesterday_are_not_those_of_today() -> None:
    """After midnight there are none, until a post comes."""
    found = judged(live("connected", last_post=NOON - timedelta(days=1), posts_today=5, bytes_today=7))
    assert (found.posts_today, found.bytes_today) == (0, 0)


def host(**seen: Any) -> HostView:
    facts = HostFacts(supervisor=seen.pop("supervisor", Supervisor("answers")), version="1", **seen)
    return judge(Facts(time=NOON, host=facts, streams=()), Limits()).host


def test_a_supervisord_that_is_dead_is_not_one_that_was_not_seen() -> None:
    """Neither is well."""
    assert kinds(host(supervisor=Supervisor("dead", "why"))) == [("supervisor", "critical")]
    assert kinds(host(supervisor=Supervisor("not seen", "why"))) == [("supervisor", "unknown")]
    assert host().well


DISK = Disk("/data", "data", free=100, size=1000, floor=10, device=1)


def test_a_disk_below_its_floor_or_out_of_reach_is_a_trouble() -> None:
    """Each by its own words."""
    assert host(disks=(DISK,)).well
    assert kinds(host(disks=(msgspec.structs.replace(DISK, free=9),))) == [("disk", "critical")]
    found = host(disks=(msgspec.structs.replace(DISK, fault="Permission denied"),))
    assert kinds(found) == [("unreadable", "unknown")]
    assert found.disks[0].free is None


@pytest.mark.parametrize(("size", "days", "found"), [(30, 3.0, [("disk-soon", "warning")]), (10, 9.0, [])])
def test_days_until_a_disk_is_full_follow_from_the_files_of_a_day(
    size: int, days: float, found: list[tuple[str, str]]
) -> None:
    """Under a week it is a warning."""
    stream = StreamFacts(
        program=STREAM.program,
        settings=STREAM,
        alive=True,
        live=live("connected"),
        silence=30,
        written=(size, NOON - timedelta(days=1)),
    )
    facts = HostFacts(supervisor=Supervisor("not asked"), version="1", disks=(DISK,))
    view = judge(Facts(time=NOON, host=facts, streams=(stream,)), Limits())
    assert view.host.disks[0].days == days
    assert kinds(view.host) == found
    other = msgspec.structs.replace(DISK, path="/archive", use="archive", device=2)
    facts = msgspec.structs.replace(facts, disks=(DISK, other))
    view = judge(Facts(time=NOON, host=facts, streams=(stream,)), Limits())
    assert [disk.days for disk in view.host.disks] == [None, days], "what is moved away fills nothing"


OUTCOME = JobOutcome(time=NOON - timedelta(hours=1))


@pytest.mark.parametrize(
    ("job", "verdict", "found"),
    [
        (Job(name="organize", outcome=OUTCOME, every=3600), "well", []),
        (Job(name="organize", outcome=OUTCOME), "well", []),
        (Job(name="audit"), "not scheduled", []),
        (Job(name="audit", every=3600, scheduled_since=NOON - timedelta(hours=1)), "never ran", []),
        (
            Job(name="audit", every=3600, scheduled_since=NOON - timedelta(hours=3)),
            "overdue",
            [("audit", "warning")],
        ),
        (
            Job(name="organize", outcome=JobOutcome(time=NOON - timedelta(hours=3)), every=3600),
            "overdue",
            [("organize", "warning")],
        ),
        (Job(name="audit", outcome=JobOutcome(time=NOON, exit_code=3)), "look at it", [("audit", "warning")]),
        (
            Job(name="organize", outcome=JobOutcome(time=NOON, exit_code=73, error="the disk is full")),
            "failed",
            [("organize", "critical")],
        ),
        (Job(name="organize", fault="is damaged"), "unreadable", [("organize", "unknown")]),
        (Job(name="report", outcome=JobOutcome(time=NOON, exit_code=3)), "look at it", [("report", "warning")]),
        (Job(name="export", outcome=JobOutcome(time=NOON, exit_code=3)), "look at it", [("export", "warning")]),
        (Job(name="dataset", every=86400, fault="is damaged"), "unreadable", [("dataset", "unknown")]),
        (
            Job(name="report", outcome=JobOutcome(time=NOON - timedelta(hours=26)), every=86400),
            "overdue",
            [("report", "warning")],
        ),
    ],
)
def test_a_scheduled_job_that_failed_or_did_not_run_is_a_trouble(
    job: Job, verdict: str, found: list[tuple[str, str]]
) -> None:
    """One that nobody scheduled is none."""
    view = host(jobs=(job,))
    assert (view.jobs[0].verdict, kinds(view)) == (verdict, found)


@pytest.mark.parametrize(
    ("alerting", "found"),
    [
        (Alerting(), []),
        (Alerting(ways="mail", evaluated=NOON), []),
        (Alerting(ways="mail", since=NOON - timedelta(minutes=4)), []),
        (Alerting(ways="mail", since=NOON - timedelta(minutes=6)), [("alerting", "warning")]),
        (Alerting(ways="mail", evaluated=NOON - timedelta(minutes=6)), [("alerting", "warning")]),
        (Alerting(ways="mail", evaluated=NOON, fault="sendmail: code 75"), [("alerting", "warning")]),
    ],
)
def test_a_fault_of_the_alerting_itself_is_a_trouble(alerting: Alerting, found: list[tuple[str, str]]) -> None:
    """Nobody would hear of the others."""
    assert kinds(host(alerting=alerting)) == found


def test_a_program_that_no_settings_declare_is_a_row_of_its_own() -> None:
    """If it captures; other programs of ours are only named."""
    processes = {"twitterfilter-old": RUNNING, "sfm-simulator": Process("RUNNING", captures=False)}
    facts = HostFacts(supervisor=Supervisor("answers", processes=processes), version="1")
    view = judge(Facts(time=NOON, host=facts, streams=()), Limits())
    assert [(each.program, each.state, kinds(each)) for each in view.streams] == [
        ("twitterfilter-old", "orphan", [("orphan", "warning")])
    ]
    assert view.host.others == {"sfm-simulator": "RUNNING"}
    assert view.severity is Severity.WARNING


def test_the_worst_trouble_comes_first() -> None:
    """Wherever it was found."""
    found = judged(None, alive=False, live_fault="is damaged", supervisor=Supervisor("answers"))
    assert [each.kind for each in found.troubles] == [TroubleKind.PROGRAM, TroubleKind.PROGRAM, TroubleKind.UNREADABLE]
