"""Of which troubles people are told, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sfm_stream.report.alerts import AlertEvent, What, body, digest_due, evaluate, is_quiet, subject, untold
from sfm_stream.report.memory import Memory
from sfm_stream.report.view import HostView, Overview, Severity, StreamView, Trouble, TroubleKind

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
GAP = Trouble(kind=TroubleKind.GAP, severity=Severity.CRITICAL, text="no connection for 6 min")
UNSEEN = Trouble(kind=TroubleKind.UNREADABLE, severity=Severity.UNKNOWN, text="is damaged")


def view(*troubles: Trouble, now: datetime = NOON, host: tuple[Trouble, ...] = ()) -> Overview:
    stream = StreamView(
        program="twitterfilter-storms",
        state="s",
        well=not troubles,
        severity=Severity.OK,
        troubles=troubles,
    )
    whole = HostView(supervisor="answers", version="1", well=not host, severity=Severity.OK, troubles=host)
    return Overview(time=now, host=whole, streams=(stream,))


def told(*views: Overview, memory: Memory | None = None, quiet: bool = False) -> tuple[Memory, list[list[str]]]:
    memory, said = memory or Memory(), []
    for each in views:
        memory, events = evaluate(memory, each, quiet=quiet)
        said.append([event.what.name for event in events])
    return memory, said


def flat(said: list[list[str]]) -> list[str]:
    return [each for events in said for each in events]


def test_a_trouble_that_two_looks_see_is_told_once() -> None:
    """However often it is seen after that."""
    _, said = told(*(view(GAP, now=NOON + MINUTE * n) for n in range(10)))
    assert said == [[], ["BEGUN"], *[[]] * 8]


def test_a_trouble_that_one_look_alone_sees_is_not_told() -> None:
    """As while a program restarts."""
    _, said = told(view(GAP), view(now=NOON + MINUTE), view(now=NOON + MINUTE * 2), view(GAP, now=NOON + MINUTE * 3))
    assert said == [[], [], [], []]


def test_its_end_is_told_when_two_looks_see_it_no_more() -> None:
    """And then its next beginning again."""
    there = [view(GAP, now=NOON + MINUTE * n) for n in (0, 1)]
    gone = [view(now=NOON + MINUTE * n) for n in (2, 3, 4)]
    again = [view(GAP, now=NOON + MINUTE * n) for n in (5, 6)]
    memory, said = told(*there, *gone, *again)
    assert said == [[], ["BEGUN"], [], ["OVER"], [], [], ["BEGUN"]]
    assert memory.troubles.keys() == {"twitterfilter-storms:gap"}


def test_a_trouble_that_comes_and_goes_by_the_minute_is_told_once() -> None:
    """Not each time."""
    flapping = [view(*([GAP] if n % 2 else []), now=NOON + MINUTE * n) for n in range(2, 12)]
    _, said = told(view(GAP), view(GAP, now=NOON + MINUTE), *flapping)
    assert flat(said) == ["BEGUN"]


def test_a_trouble_that_lasts_is_told_again_each_day() -> None:
    """And at once where it becomes worse."""
    warning = Trouble(kind=TroubleKind.GAP, severity=Severity.WARNING, text="w")
    memory, _ = told(view(warning), view(warning, now=NOON + MINUTE))
    _, said = told(
        view(GAP, now=NOON + MINUTE * 2),
        view(GAP, now=NOON + timedelta(hours=23)),
        view(GAP, now=NOON + timedelta(hours=25)),
        view(GAP, now=NOON + timedelta(hours=26)),
        memory=memory,
    )
    assert said == [["WORSE"], [], ["LASTS"], []]


def test_what_could_not_be_looked_at_is_not_over() -> None:
    """Of the stream, or of supervisord, who knows what runs."""
    memory, _ = told(view(GAP), view(GAP, now=NOON + MINUTE))
    _, said = told(*(view(UNSEEN, now=NOON + MINUTE * n) for n in range(2, 6)), memory=memory)
    assert said == [[], ["BEGUN"], [], []], "the record that cannot be read is a trouble of its own"
    program = Trouble(kind=TroubleKind.PROGRAM, severity=Severity.CRITICAL, text="p")
    memory, _ = told(view(program), view(program, now=NOON + MINUTE))
    supervisor = Trouble(kind=TroubleKind.SUPERVISOR, severity=Severity.UNKNOWN, text="u")
    memory, said = told(*(view(now=NOON + MINUTE * n, host=(supervisor,)) for n in range(2, 6)), memory=memory)
    assert "OVER" not in flat(said)
    _, said = told(*(view(now=NOON + MINUTE * n) for n in range(6, 9)), memory=memory)
    assert flat(said).count("OVER") == 2


def test_nobody_is_called_while_work_is_under_way_or_the_machine_comes_up() -> None:
    """What lasts after it counts from then on."""
    memory, said = told(*(view(GAP, now=NOON + MINUTE * n) for n in range(5)), quiet=True)
    assert flat(said) == []
    _, said = told(*(view(GAP, now=NOON + MINUTE * n) for n in range(5, 8)), memory=memory)
    assert said == [[], ["BEGUN"], []]
    assert is_quiet(view(), uptime=299)
    assert not is_quiet(view(), uptime=300)


@pytest.mark.parametrize("kind", [TroubleKind.RECONNECTING, TroubleKind.ALERTING])
def test_what_passes_and_what_nobody_would_hear_is_not_told(kind: TroubleKind) -> None:
    """A short reconnect; and a fault of the alerting itself, which status shows."""
    trouble = Trouble(kind=kind, severity=Severity.WARNING, text="t")
    _, said = told(*(view(trouble, now=NOON + MINUTE * n) for n in range(5)))
    assert flat(said) == []


def test_what_reached_nobody_is_told_again() -> None:
    """The next minute, with when it began."""
    memory, _ = told(view(GAP))
    after, events = evaluate(memory, view(GAP, now=NOON + MINUTE), quiet=False)
    after = untold(after, memory, events)
    _, events = evaluate(after, view(GAP, now=NOON + MINUTE * 2), quiet=False)
    assert [(event.what, event.since) for event in events] == [(What.BEGUN, NOON)]


def test_a_message_says_where_what_how_bad_and_for_how_long() -> None:
    """The worst first, a line each, with nothing in it that speaks to a terminal."""
    events = (
        AlertEvent(what=What.OVER, where="", kind="disk", severity="critical", text="full", since=NOON - MINUTE * 60),
        AlertEvent(what=What.BEGUN, where="p", kind="budget", severity="warning", text="80%\n\x1b[2J", since=NOON),
        AlertEvent(
            what=What.BEGUN, where="p", kind="gap", severity="critical", text="no connection", since=NOON - MINUTE
        ),
    )
    assert subject("box", events) == "sfm on box: 2 trouble, 1 over"
    assert body(events, NOON).splitlines() == [
        "TROUBLE (critical) p: no connection [gap, for 1 min]",
        "TROUBLE (warning) p: 80% \\x1b[2J [budget, for 1.0 s]",
        "OVER (critical) this host: full [disk, it lasted 1 h]",
    ]


def test_a_digest_is_due_once_a_day() -> None:
    """From its hour on."""
    assert not digest_due(Memory(), "", NOON)
    assert not digest_due(Memory(), "12:01", NOON)
    assert digest_due(Memory(), "12:00", NOON)
    assert not digest_due(Memory(digest=NOON.date()), "12:00", NOON + timedelta(hours=2))
    assert digest_due(Memory(digest=NOON.date()), "12:00", NOON + timedelta(days=1))
