"""Keeps the rules that X holds equal to those that the filter asks for: at start, on SIGHUP, and every five minutes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import msgspec

from sfm_stream.capture import api
from sfm_stream.capture.client import Client, Dropped, Refused
from sfm_stream.errors import RulesRefusedError
from sfm_stream.record.journal import Record
from sfm_stream.rules.compiler import XRule, compile_rules
from sfm_stream.rules.reconcile import Add, Changes, Delete, LiveRule, plan
from sfm_stream.settings.model import Stream

CHECK = 300.0
"""Seconds between two looks at the rules: someone may delete them behind our back."""
RETRY = 15.0
"""Seconds after a look that failed."""

log = logging.getLogger(__name__)


class RuleKeeper:
    """The rules of one filter.

    Args:
        stream: The filter's settings; assign others to change them.
        client: Makes a client for requests.
        journal: Told of every change, and of rules that are not this filter's.
    """

    def __init__(self, stream: Stream, client: Callable[[], Client], journal: Record) -> None:
        self.stream = stream
        self.settled = False
        """Whether the rules were last seen to be as they should."""
        self._client = client
        self._journal = journal
        self._foreign: frozenset[LiveRule] = frozenset()
        self._lock = threading.Lock()
        self._wake = threading.Event()

    def reconcile(self, by: str) -> None:
        """Makes the live rules equal to the wanted ones; `by` says in the journal what led to it.

        Raises:
            RulesRefusedError: X does not take a rule, or not so many.
            Refused, Dropped: X could not be asked.
        """
        with self._lock:
            client = self._client()
            live = api.live_rules(client)
            changes = plan(self.stream.name, compile_rules(self.stream), live, self.stream.rule_count)
            done: list[Add | Delete] = []
            try:
                for step in changes.steps:
                    api.change_rules(client, step)
                    done.append(step)
            finally:
                self._report(msgspec.structs.replace(changes, steps=tuple(done)), by)
            self.settled = True

    def check_soon(self) -> None:
        """Has the watch look at the rules now."""
        self._wake.set()

    def watch(self) -> None:
        """Looks at the rules again and again, for ever; what fails is logged, and tried again."""
        by, wait = "check", CHECK
        while True:
            if self._wake.wait(wait):
                by = "change of settings"
            self._wake.clear()
            try:
                self.reconcile(by)
                by, wait = "check", CHECK
            except (Refused, Dropped) as error:
                log.warning("rules not checked: %s; trying again in %.0f s", error, RETRY)
                wait = RETRY
            except RulesRefusedError as error:
                for line in str(error).splitlines():
                    log.error("%s; the rules before it stay in force", line)
                self._journal.write("settings", fault=str(error))
                by, wait = "check", CHECK

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


def _plain(rule: LiveRule | XRule) -> dict[str, str]:
    return {"value": rule.value, "tag": rule.tag}
