"""Keeps the rules that X holds equal to those that the filter asks for: at start, on SIGHUP, and every five minutes.

What is asked for and what X holds are two things. A change is tried out first (X's ``dry_run``), made in slices that
fit the app's cap, and undone where X refuses a part of it; whatever stops it half way, the next look goes on from the
rules that X holds by then. `RuleKeeper.state` tells both, and the journal how long rules were missing.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from sfm_stream import clock
from sfm_stream.errors import RulesRefusedError, StorageError
from sfm_stream.record.journal import Record
from sfm_stream.sources.reconnect import STABLE
from sfm_stream.sources.x import api
from sfm_stream.sources.x.backoff import Backoff
from sfm_stream.sources.x.client import Client, Dropped, End, XRefused
from sfm_stream.sources.x.refusals import Refusal, RefusalKind, seconds_until
from sfm_stream.sources.x.rules.compiler import XRule, compile_rules
from sfm_stream.sources.x.rules.packing import digest, wanted_rules
from sfm_stream.sources.x.rules.reconcile import BATCH, Add, Changes, Delete, LiveRule, lost, own_and_foreign, plan
from sfm_stream.sources.x.settings import XStream

CHECK = 300.0
"""Seconds between two looks at the rules: someone may delete them without our doing."""
ROUNDS = 4
"""After so many changes X must hold what was asked for: its list may lag a little, or its cap be lower than thought."""

log = logging.getLogger(__name__)


class RuleState(msgspec.Struct, frozen=True, kw_only=True):
    """The rules that are wanted, and those that X holds.

    Attributes:
        wanted: Names the rules that the settings ask for: `sfm_stream.sources.x.rules.packing.digest`.
        live: The same of the filter's rules at X, as last seen; empty before they were.
        checked: When they were seen.
        missing: Wanted rules that X did not hold then.
        fault: Why the two differ, or could not be compared: X's own words where it has refused a rule.
    """

    wanted: str
    live: str = ""
    checked: datetime | None = None
    missing: int = 0
    fault: str = ""

    @property
    def in_force(self) -> bool:
        """Whether X was last seen to hold exactly what is wanted."""
        return self.live == self.wanted


class RuleKeeper:
    """The rules of one filter.

    Args:
        stream: The filter's settings; see `ask_for`.
        client: Makes a client for requests.
        journal: Told of every change, of rules that were missing, and of rules that are not this filter's.
        missing: How many rules the journal's last entry of the kind has as missing.
    """

    def __init__(self, stream: XStream, client: Callable[[], Client], journal: Record, missing: int = 0) -> None:
        self.settled = False
        """Whether X was last seen to hold what is wanted."""
        self._stream = stream
        self.state = RuleState(wanted=digest(compile_rules(stream)))
        self._client = client
        self._journal = journal
        self._missing = missing
        self._accepted: tuple[XRule, ...] | None = () if not missing else None
        """What X held before the change under way, to be put back where X refuses it; None after a killed process."""
        self._torn = missing > 0
        """Whether a change is under way or was broken off, so that what X holds is nothing whole."""
        self._held = 0
        self._cap = stream.rule_count
        self._foreign: frozenset[LiveRule] = frozenset()
        self._told = ""
        self._backoff = Backoff()
        self._due = 0.0
        self._lock = threading.Lock()
        self._state_lock = threading.Lock()
        self._wake = threading.Event()

    def ask_for(self, stream: XStream) -> None:
        """Wants other rules from now on, and has the watch see to it."""
        self._stream, self._cap, self.settled, self._due = stream, stream.rule_count, False, 0.0
        self._now(wanted=digest(compile_rules(stream)))
        self.check_soon()

    def _now(self, **changes: Any) -> None:  # noqa: ANN401 - attributes of RuleState
        """Changes the state; `ask_for` comes from another thread than the rest, and neither may undo the other."""
        with self._state_lock:
            self.state = msgspec.structs.replace(self.state, **changes)

    def doubt(self) -> None:
        """Takes the rules at X for unknown: X has said that it holds none."""
        self.settled, self._held, self._due = False, 0, 0.0

    def check_soon(self) -> None:
        """Has the watch look at the rules now."""
        self._wake.set()

    def prepare(self, by: str) -> None:
        """Brings the rules about before a connection is made, as far as that must be before it.

        Where X holds rules of this filter, a change that it refuses or cannot make just now is no reason to miss what
        they match: the watch goes on with it.

        Raises:
            RulesRefusedError, XRefused, Dropped: As for `reconcile`, where X holds no rule of this filter.
        """
        # Each look costs a request of a limited number; a reconnect after a blip need not wait for one.
        if self.settled or (self._held and time.monotonic() < self._due):
            return
        try:
            self.reconcile(by)
        except (RulesRefusedError, XRefused, Dropped) as error:
            # Without a rule X refuses the stream, and with a wrong credential all of it: waiting would help neither.
            wrong = isinstance(error, XRefused) and error.refusal.kind is RefusalKind.CREDENTIAL
            if wrong or not self._held:
                raise
            self._after_failure(error)

    def watch(self) -> None:
        """Looks at the rules again and again, for ever; what fails is logged, and tried again.

        Raises:
            StorageError: The journal cannot be written.
        """
        by = "check"
        while True:
            if self._wake.wait(max(0.0, self._due - time.monotonic())):
                by = "change of settings"
            self._wake.clear()
            try:
                self.reconcile(by)
            except StorageError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, rules are looked at again
                self._after_failure(error)
            if self.settled:
                by = "check"

    def reconcile(self, by: str) -> None:
        """Makes the live rules equal to the wanted ones; `by` says in the journal what led to it.

        Raises:
            RulesRefusedError: X does not take a rule, or not so many. What it held before is as it was, unless the
                state says that rules are missing.
            XRefused, Dropped: X could not be asked.
        """
        with self._lock:
            stream = self._stream
            # Set before the attempt: one that fails must not be made again at once, and again.
            self._due = time.monotonic() + CHECK
            try:
                self._bring_about(stream, by)
            except Exception as error:
                self._now(fault=str(error) or repr(error))
                raise
            self._told = ""
            self._backoff.held(STABLE)
            self._now(fault="")
            self.settled = stream is self._stream  # it may have been asked for other rules meanwhile

    def _bring_about(self, stream: XStream, by: str) -> None:
        client = self._client()
        changes = self._look(client, stream)
        try:
            # More than once: X's list may lag behind what it has just taken, and its cap be lower than was thought.
            for _ in range(ROUNDS):
                if not changes.steps:
                    return
                try:
                    self._carry_out(client, changes, by, self._try_out(client, changes))
                except api.RuleCapError:
                    if not self._learn_cap(client, changes):
                        raise
                changes = self._look(client, stream)
        except RulesRefusedError:
            self._put_back(client, stream)
            raise
        except (XRefused, Dropped):
            with contextlib.suppress(XRefused, Dropped):
                self._look(client, stream)  # what was broken off has left something else than was there before
            raise
        if changes.steps:
            # Tried again later like any failure of the network: most likely its list still lags.
            raise Dropped(End.UNUSABLE, "X took the rules, but does not list them")

    def _look(self, client: Client, stream: XStream) -> Changes:
        """Reads what X holds, and plans what is to be done."""
        live = api.live_rules(client)
        own, foreign = own_and_foreign(stream.name, live)
        wanted = wanted_rules(stream, own, self._cap - len(foreign))
        changes = plan(stream.name, wanted, live, self._cap)
        self._report_foreign(changes)
        self._held = len(own)
        if not changes.steps:
            self._accepted, self._torn = _values(own), False
            self._tell_missing(0)
        elif self._accepted is not None:
            # Without `_accepted`, a killed process left a change half done: what is missing then is not told from what
            # was never there, and the journal has it as missing already.
            gone = lost(self._accepted, wanted, live)
            self._tell_missing(gone, "gone at X: not deleted by this program", self.state.checked)
            if not self._torn:
                self._accepted = tuple({rule.value: rule for rule in (*self._accepted, *_values(own))}.values())
        self._now(live=digest([*own, *changes.covered]), checked=clock.now(), missing=len(changes.added))
        return changes

    def _try_out(self, client: Client, changes: Changes) -> api.Allowance:
        """Has X judge all new rules, before any old one goes."""
        if not changes.added:
            return api.Allowance()
        try:
            return api.try_rules(client, changes.added)
        except api.RuleCapError as error:
            if changes.held + len(changes.added) <= self._cap:
                raise
            return error.granted  # old ones go first: X cannot judge the new ones beside them

    def _carry_out(self, client: Client, changes: Changes, by: str, granted: api.Allowance) -> None:
        missing = self._missing + changes.exposed
        done: list[Add | Delete] = []
        # Until the change is complete, what X holds is neither the old rules nor the new ones, and must not be taken
        # for what to go back to.
        self._torn = True
        try:
            for number, step in enumerate(changes.steps):
                if isinstance(step, Delete) and number + 1 < len(changes.steps):
                    _see_that_it_can_be_followed(step, granted)
                    self._tell_missing(missing, "X does not take the new rules beside the old, which went before")
                granted = api.change_rules(client, step)
                done.append(step)
        finally:
            self._report(msgspec.structs.replace(changes, steps=tuple(done)), by)

    def _learn_cap(self, client: Client, changes: Changes) -> bool:
        """Asks how many rules the app may hold; whether that is fewer than thought, and yet enough for the change.

        Raises:
            XRefused, Dropped: X does not say just now.
        """
        try:
            cap = api.rule_cap(client)
        except XRefused as refused:
            if refused.refusal.kind in (RefusalKind.RATE_LIMIT, RefusalKind.SERVER) and refused.refusal.status != 404:
                raise
            return False
        after = changes.held - len(changes.deleted) + len(changes.added)
        # Only a smaller number than was thought explains the refusal, and only one that leaves room helps.
        if cap is None or not max(changes.held, after) <= cap < self._cap:
            return False
        self._cap = cap
        return True

    def _put_back(self, client: Client, stream: XStream) -> None:
        """Makes the rules what X last held of this filter as a whole.

        Raises:
            RulesRefusedError, XRefused, Dropped: They are not put back yet.
        """
        if self._accepted is None:
            return
        back = plan(stream.name, self._accepted, api.live_rules(client), self._cap)
        if back.steps:
            try:
                self._carry_out(client, back, "refusal", api.Allowance())
            except api.RuleCapError:
                if not self._learn_cap(client, back):
                    raise
                self._put_back(client, stream)
        self._torn = False
        self._look(client, stream)

    def _after_failure(self, error: Exception) -> None:
        """Logs it, and says when to look again."""
        now = time.monotonic()
        if isinstance(error, RulesRefusedError):
            self._due = now + CHECK
            self._tell_refusal(str(error))
            return
        if isinstance(error, XRefused):
            wait = self._backoff.after_refusal(now, error.refusal, seconds_until(error.refusal.reset))
        else:
            wait = self._backoff.after_drop(now, established=False)
        self._due = now + wait
        what = str(error) if isinstance(error, XRefused | Dropped) else f"a fault of the program: {error!r}"
        log.warning("rules not checked: %s; trying again in %.0f s", what, wait)
        log.debug("rules not checked", exc_info=error)

    def _tell_refusal(self, fault: str) -> None:
        held = (
            f"{self._missing} of the rules before it are missing"
            if self._missing
            else "the rules before it stay in force"
        )
        for line in fault.splitlines():
            log.error("%s; %s", line, held)
        if fault != self._told:
            self._told = fault
            self._journal.write("settings", fault=fault)

    def _tell_missing(self, missing: int, cause: str = "", since: datetime | None = None) -> None:
        """Journals that rules are missing which X held and which are still wanted, and that none is any more."""
        if missing == self._missing:
            return
        if not missing:
            log.info("rules missing at X: none any more")
            self._journal.write("shortage", missing=0)
        elif self._missing:
            self._journal.write("shortage", missing=missing)
        else:
            log.warning("rules missing at X: %d: %s", missing, cause)
            self._journal.write("shortage", missing=missing, cause=cause, since=since)
        self._missing = missing

    def _report(self, changes: Changes, by: str) -> None:
        if changes.steps:
            log.info("rules: %d added, %d deleted, by %s", len(changes.added), len(changes.deleted), by)
            self._journal.write(
                "rules",
                by=by,
                added=[_plain(rule) for rule in changes.added],
                removed=[_plain(rule) for rule in changes.deleted],
                kept=len(changes.kept),
            )

    def _report_foreign(self, changes: Changes) -> None:
        foreign = frozenset(changes.foreign)
        if foreign != self._foreign:
            self._foreign = foreign
            for rule in foreign:
                log.warning(
                    "not a rule of this filter, and left: %r (tag %r); its posts arrive, too", rule.value, rule.tag
                )
            self._journal.write("foreign", rules=[_plain(rule) for rule in changes.foreign])
        for wanted in changes.covered:
            log.warning("rule %r is held under another tag: its posts arrive with that one", wanted.value)


def _see_that_it_can_be_followed(step: Delete, granted: api.Allowance) -> None:
    """Deletes nothing where X would not grant the adding after it, and the putting back, before its limit ends.

    Raises:
        XRefused: As X would.
    """
    requests = -(-len(step.rules) // BATCH) * 2 + 1
    if granted.remaining is not None and granted.remaining < requests and seconds_until(granted.reset):
        detail = f"{granted.remaining} more changes of rules granted; the change needs {requests}"
        raise XRefused(Refusal(kind=RefusalKind.RATE_LIMIT, status=429, detail=detail, reset=granted.reset))


def _values(rules: tuple[LiveRule, ...]) -> tuple[XRule, ...]:
    return tuple(XRule(value=rule.value, tag=rule.tag) for rule in rules)


def _plain(rule: LiveRule | XRule) -> dict[str, str]:
    return {"value": rule.value, "tag": rule.tag}
