"""What it means that was seen: the one place where a stream or a host is called well. Pure: no clock, no files."""

from __future__ import annotations

from datetime import datetime

from sfm_stream import table
from sfm_stream.errors import ConfigError, CredentialError, RulesRefusedError
from sfm_stream.record import rates
from sfm_stream.record.status import Status
from sfm_stream.report.facts import Facts, Process, StreamFacts
from sfm_stream.report.judge_host import judge_host
from sfm_stream.report.view import (
    Overview,
    Severity,
    StreamView,
    Trouble,
    TroubleKind,
    is_today,
    sorted_by_severity,
    worst,
)
from sfm_stream.settings.host import Limits

NOW = 10
"""Minutes over which the present rate is taken."""
LONG = 60
"""Minutes over which a stream is compared with what is usual for it."""
EXPECTED = 30
"""So many posts must have been due, even in a weak hour, before a stream is called starving."""
STARVING = 0.1
"""The share of these below which it is."""
NO_MONEY = ("credits", "spend cap", "usage cap")
DOWN = ("FATAL", "EXITED", "STOPPED", "BACKOFF", "UNKNOWN")

Found = tuple[str, list[Trouble]]
"""A state, and what is wrong with it."""


def judge(facts: Facts, limits: Limits) -> Overview:
    """Judges a host by what was seen of it."""
    streams = [_stream(each, facts, limits) for each in facts.streams]
    known = {each.program for each in streams}
    processes = facts.host.supervisor.processes
    others = {name: each for name, each in processes.items() if name not in known}
    streams += [_orphan(name, each) for name, each in others.items() if each.captures]
    return Overview(
        time=facts.time,
        host=judge_host(
            facts,
            limits,
            per_day=sum(filter(None, (each.bytes_per_day for each in streams))),
            known=any(each.bytes_per_day is not None for each in streams),
            others={name: each.state for name, each in others.items() if not each.captures},
        ),
        streams=tuple(sorted(streams, key=lambda each: each.program)),
    )


def _stream(facts: StreamFacts, host: Facts, limits: Limits) -> StreamView:
    now, live, settings = host.time, facts.live, facts.settings
    supervisor = host.host.supervisor
    process = supervisor.processes.get(facts.program)
    state, troubles = _state(facts, process, now, limits)
    if settings is None or settings.active:
        if supervisor.state == "answers" and process is None and settings is not None:
            severity = Severity.WARNING if facts.alive else Severity.CRITICAL
            troubles.append(_trouble(TroubleKind.PROGRAM, severity, "supervisor does not have it: deploy again"))
        elif process is not None and facts.alive and process.state in DOWN:
            text = f"it runs outside of supervisor, which has it as {process.state}"
            troubles.append(_trouble(TroubleKind.PROGRAM, Severity.WARNING, text))
        if live is not None and facts.alive:
            troubles += _spending(live, limits)
            troubles += [_trouble(TroubleKind.NOTE, Severity.WARNING, each) for each in live.notes]
        if facts.coverage is not None and facts.coverage.fault:
            troubles.append(_trouble(TroubleKind.UNREADABLE, Severity.UNKNOWN, facts.coverage.fault))
    usual = rates.usual(facts.rates, now) if facts.rates else None
    today = live is not None and is_today(live.last_post, now)
    gaps = [each for each in facts.today.gaps if not each.recovered] if _is_known(facts) and facts.today else None
    return StreamView(
        program=facts.program,
        source=settings.source if settings else "",
        active=settings.active if settings else True,
        supervisor=process.state if process else None,
        state=state,
        well=not troubles,
        severity=worst(troubles),
        troubles=sorted_by_severity(troubles),
        remark=_remark(facts, now, state),
        since=live.since if live else None,
        connected_since=live.connected_since if live and facts.alive else None,
        last_byte=live.last_byte if live else None,
        last_post=live.last_post if live else None,
        per_minute=rates.recent(facts.rates, now, NOW) / NOW if facts.rates and facts.alive else None,
        usual=usual.rate if usual else None,
        usual_basis=usual.basis if usual else "",
        posts_today=live.posts_today if live and today else 0,
        bytes_today=live.bytes_today if live and today else 0,
        gaps_today=len(gaps) if gaps is not None else None,
        gap_seconds_today=_gap_seconds(facts, now),
        connected=facts.coverage.connected if facts.coverage else None,
        covered=facts.coverage.covered if facts.coverage else None,
        today=live.today if live else 0,
        per_day=live.per_day if live else None,
        this_month=live.this_month if live else 0,
        per_month=live.per_month if live else None,
        dollars=live.dollars if live else 0.0,
        rules=_rules(facts),
        rules_missing=live.rules_missing if live else 0,
        version=live.version if live and facts.alive else "",
        bytes_per_day=_pace(facts, now),
    )


def _state(facts: StreamFacts, process: Process | None, now: datetime, limits: Limits) -> Found:
    live = facts.live
    if facts.settings is None:
        text = f"its settings cannot be used: {(facts.settings_fault.splitlines() or ['?'])[0]}"
        return "unreadable", [_trouble(TroubleKind.UNREADABLE, Severity.UNKNOWN, text)]
    if not facts.settings.active:
        if not facts.alive and (process is None or process.state in ("STOPPED", "EXITED", "FATAL")):
            return "inactive", []
        return "running", [_trouble(TroubleKind.ORPHAN, Severity.WARNING, "it should not run: deploy again")]
    if facts.live_fault:
        troubles = [_trouble(TroubleKind.UNREADABLE, Severity.UNKNOWN, facts.live_fault)]
        if not facts.alive:
            troubles.append(_trouble(TroubleKind.PROGRAM, Severity.CRITICAL, f"it does not run{_said(process)}"))
        return "unreadable", troubles
    if not facts.alive:
        return _not_running(live, process)
    if live is None:
        return "starting", [_trouble(TroubleKind.RECONNECTING, Severity.WARNING, "it has only just been started")]
    if live.state == "connected":
        return _connected(facts, live, now)
    return live.state, [_disconnected(facts, live, now, limits)]


def _not_running(live: Status | None, process: Process | None) -> Found:
    if process is not None and process.state == "STARTING":
        return "starting", [_trouble(TroubleKind.RECONNECTING, Severity.WARNING, "supervisor is starting it")]
    if live is None:
        text = f"it has never run{_said(process)}"
        return "never ran", [_trouble(TroubleKind.PROGRAM, Severity.CRITICAL, text)]
    if live.state != "stopped":
        text = f"its process was killed, or the machine went down{_said(process)}"
        return "dead", [_trouble(TroubleKind.PROGRAM, Severity.CRITICAL, text)]
    code = process.exit_code if process is not None and process.state == "EXITED" else 0
    kind = {CredentialError.exit_code: TroubleKind.CREDENTIAL, RulesRefusedError.exit_code: TroubleKind.RULES}.get(
        code, TroubleKind.PROGRAM
    )
    why = f"stopped: {live.detail}" if live.detail else "stopped"
    cure = "; put its settings right, and deploy again" if code == ConfigError.exit_code else ""
    return "stopped", [_trouble(kind, Severity.CRITICAL, f"{why}{_said(process)}{cure}")]


def _connected(facts: StreamFacts, live: Status, now: datetime) -> Found:
    silent = (now - live.last_byte).total_seconds() if live.last_byte else 0.0
    if silent > facts.silence:
        text = f"nothing has come for {table.duration(silent)}"
        return "silent", [_trouble(TroubleKind.SILENCE, Severity.CRITICAL, text)]
    troubles = [_trouble(TroubleKind.RULES, Severity.WARNING, facts.standing)] if facts.standing else []
    if starving := _starving(facts, live, now):
        return "starving", [*troubles, starving]
    last = max(filter(None, (live.last_post, live.connected_since or live.since)))
    return "quiet" if (now - last).total_seconds() > NOW * 60 else "connected", troubles


def _starving(facts: StreamFacts, live: Status, now: datetime) -> Trouble | None:
    """Whether far fewer posts come than even in a weak hour; a stream that is always quiet never does."""
    held = (now - (live.connected_since or live.since)).total_seconds()
    minutes = min(LONG, int(held // 60))
    usual = rates.usual(facts.rates, now) if facts.rates else None
    if usual is None or facts.rates is None or minutes < NOW:
        return None
    came = rates.recent(facts.rates, now, minutes)
    # Of few posts chance decides how many come: a stream of three an hour is not starving when there are none.
    if usual.low * minutes < EXPECTED or came >= STARVING * usual.low * minutes:
        return None
    text = f"{came} posts came in {minutes} minutes; {usual.rate * minutes:.0f} are usual at this {usual.basis}"
    return _trouble(TroubleKind.STARVING, Severity.WARNING, text)


def _disconnected(facts: StreamFacts, live: Status, now: datetime, limits: Limits) -> Trouble:
    why = live.detail or live.state
    # What waiting does not cure is told at once, however short the gap is.
    if live.state in NO_MONEY:
        return _trouble(TroubleKind.CREDITS, Severity.CRITICAL, why)
    if live.state == "credential":
        return _trouble(TroubleKind.CREDENTIAL, Severity.CRITICAL, why)
    if live.state == "budget":
        return _trouble(TroubleKind.BUDGET_SPENT, Severity.CRITICAL, why)
    if live.state == "disk":
        return _trouble(TroubleKind.DISK, Severity.CRITICAL, why)
    # The journal's gap goes on over restarts; the status only knows the present process.
    since = facts.gap_since or live.last_byte or live.since
    seconds = (now - since).total_seconds()
    if seconds <= limits.gap:
        return _trouble(TroubleKind.RECONNECTING, Severity.WARNING, why)
    return _trouble(TroubleKind.GAP, Severity.CRITICAL, f"no connection for {table.duration(seconds)}: {why}")


def _spending(live: Status, limits: Limits) -> list[Trouble]:
    """A budget that is nearly spent; one that is spent is a state of its own."""
    if live.state == "budget":
        return []
    for spent, allowed, period in (
        (live.this_month, live.per_month, "month's"),
        (live.today, live.per_day, "day's"),
    ):
        if allowed and spent >= limits.budget * allowed:
            text = f"{spent / allowed:.0%} of the {period} budget is spent ({spent} of {allowed})"
            return [_trouble(TroubleKind.BUDGET, Severity.WARNING, text)]
    return []


def _orphan(name: str, process: Process) -> StreamView:
    text = "supervisor has it, and no settings declare it: deploy again, which takes it away"
    trouble = _trouble(TroubleKind.ORPHAN, Severity.WARNING, text)
    return StreamView(
        program=name,
        active=False,
        supervisor=process.state,
        state="orphan",
        well=False,
        severity=Severity.WARNING,
        troubles=(trouble,),
    )


def _said(process: Process | None) -> str:
    """What supervisor has it as, where that says more than that it does not run."""
    if process is None:
        return ""
    code = f", exit code {process.exit_code}" if process.state == "EXITED" else ""
    said = f": {process.said}" if process.said and process.state in ("FATAL", "BACKOFF") else ""
    return f" (supervisor: {process.state}{code}{said})"


def _remark(facts: StreamFacts, now: datetime, state: str) -> str:
    """What a person should know beside the troubles: of the connection, and of what came that are no posts."""
    live = facts.live
    if live is None:
        return ""
    remarks = []
    if state in ("connected", "quiet", "starving") and not facts.standing:
        remarks.append(live.detail or live.account)
    if is_today(live.last_message_at, now):
        remarks.append(f"{live.messages_today} lines today that are no posts, the last: {live.last_message}")
    return "; ".join(filter(None, remarks))


def _rules(facts: StreamFacts) -> str:
    live = facts.live
    if live is None or not live.rules_wanted or not facts.alive:
        return ""
    if live.rules_checked is None:
        return "not seen"
    return "in force" if live.rules_live == live.rules_wanted and not facts.standing else "differ"


def _is_known(facts: StreamFacts) -> bool:
    return facts.today is not None and not facts.today.fault


def _gap_seconds(facts: StreamFacts, now: datetime) -> float:
    """How long the present day was without a connection, as far as that was not made good."""
    today = facts.today
    if today is None or today.covered is None or today.start is None:
        return 0.0
    return round((1 - today.covered) * (now - today.start).total_seconds(), 3)


def _pace(facts: StreamFacts, now: datetime) -> float | None:
    """Bytes a day, by what was finished in the last 24 hours; of less than an hour nothing follows."""
    if facts.written is None:
        return None
    size, since = facts.written
    seconds = (now - since).total_seconds()
    return size * 86400 / seconds if seconds >= 3600 else None


def _trouble(kind: TroubleKind, severity: Severity, text: str) -> Trouble:
    return Trouble(kind=kind, severity=severity, text=text)
