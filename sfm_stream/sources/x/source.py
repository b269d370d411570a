"""X as the core sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from sfm_stream.errors import CredentialError, SfmError, UsageError
from sfm_stream.record.status import Status
from sfm_stream.settings.faults import Fault
from sfm_stream.sources.base import Inventory, Traits
from sfm_stream.sources.feed import Context, Dropped, Feed
from sfm_stream.sources.lines import Classified, Features
from sfm_stream.sources.x.checks import credential_faults, stream_faults
from sfm_stream.sources.x.envelope import classify
from sfm_stream.sources.x.rules import accounts
from sfm_stream.sources.x.rules.accounts import by_id
from sfm_stream.sources.x.rules.compiler import compile_rules
from sfm_stream.sources.x.rules.packing import digest
from sfm_stream.sources.x.settings import SAMPLE, XCredential, XStream
from sfm_stream.table import duration

if TYPE_CHECKING:
    from sfm_stream.sources.rows import Rows

SILENT = 30.0
"""X sends something every 20 seconds: a connection from which nothing came for longer is in trouble."""
RULES_SEEN = 900.0
"""The rules at X are looked at every five minutes: not once in so many seconds is a finding."""


class _X:
    name = "x"
    title = "X"
    silence = SILENT

    settings = XStream
    credential = XCredential
    traits = Traits(
        needs="an app's bearer token for each stream",
        gaps="lost; up to 5 minutes are recovered where the account is entitled to backfill",
        deletions="not told",
        costs="$0.005 a post",
    )

    def inventory(self) -> Inventory:
        """See `sfm_stream.sources.base.Source`."""
        from sfm_stream.sources.x.inventory import INVENTORY

        return INVENTORY

    def faults(self, stream: XStream, where: str, *, whole: bool = True) -> Iterator[Fault]:
        """See `sfm_stream.sources.base.Source`."""
        return stream_faults(by_id(stream), where, whole=whole)

    def credential_faults(self, credential: XCredential, where: str) -> Iterator[Fault]:
        """See `sfm_stream.sources.base.Source`."""
        return credential_faults(credential, where)

    def rules(self, stream: XStream) -> list[tuple[str, str]]:
        """See `sfm_stream.sources.base.Source`: the rules that X is to hold."""
        return [(rule.tag, rule.value) for rule in compile_rules(stream)] if stream.kind != SAMPLE else []

    charges_lookups = True

    def account_names(self, stream: XStream) -> list[str]:
        """See `sfm_stream.sources.base.Source`."""
        return accounts.names(stream.rules)

    def look_up_accounts(
        self, stream: XStream, credential: XCredential, names: Sequence[str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """See `sfm_stream.sources.base.Source`."""
        from sfm_stream.sources.x.accounts import find_ids
        from sfm_stream.sources.x.api import bearer_token
        from sfm_stream.sources.x.client import Client

        return find_ids(Client(bearer_token(credential, stream.api_url), stream.api_url), names)

    def check_rules(self, stream: XStream, credential: XCredential) -> str:
        """See `sfm_stream.sources.base.Source`: X's ``dry_run``."""
        from sfm_stream.sources.x.rule_check import check_rules

        with _asking("X did not judge the rules"):
            return str(check_rules(stream, credential))

    def estimate(self, stream: XStream, credential: XCredential, days: float) -> str:
        """See `sfm_stream.sources.base.Source`: by X's counts of the last days."""
        from sfm_stream.sources.x.counts import count_rules, report

        if stream.kind == SAMPLE:
            raise UsageError("X counts no posts of the sample stream: give recorded ones with --posts")
        with _asking("X does not count for this account (go by recorded posts, with --posts)"):
            return report(count_rules(stream, credential), days, stream.budget.price)

    def in_force_fault(self, stream: XStream, live: Status, now: datetime) -> str:
        """See `sfm_stream.sources.base.Source`: the rules at X."""
        if stream.kind == SAMPLE:
            return ""
        why = f": {'; '.join(live.rules_fault.splitlines())}" if live.rules_fault else ""
        if live.rules_checked is None:
            return f"its rules at X have not been seen yet{why}"
        wanted = digest(compile_rules(stream))
        if wanted != live.rules_wanted:
            return "it does not run with the rules of its settings yet: if that lasts, deploy again"
        if wanted != live.rules_live:
            missing = f"{live.rules_missing} missing" if live.rules_missing else "more than are wanted"
            return f"X does not hold its rules ({missing}){why}"
        age = (now - live.rules_checked).total_seconds()
        return f"its rules at X were last seen {duration(age)} ago{why}" if age > RULES_SEEN else ""

    def test_rules(self, stream: XStream, posts: Iterable[bytes]) -> str:
        """See `sfm_stream.sources.base.Source`."""
        from sfm_stream.sources.x.rules.trial import report, trial

        return report(trial(self.rules(stream), posts))

    def without_live_settings(self, stream: XStream) -> XStream:
        """See `sfm_stream.sources.base.Source`: all but the rules."""
        return msgspec.structs.replace(stream, rules=(), accounts={})

    def with_account_ids(self, stream: XStream) -> XStream:
        """See `sfm_stream.sources.base.Source`."""
        return by_id(stream)

    def classify(self, line: bytes) -> Classified:
        """See `sfm_stream.sources.base.Source`."""
        return classify(line)

    def matcher(self, query: str) -> Callable[[bytes], bool]:
        """See `sfm_stream.sources.base.Source`: as X's rules do."""
        from sfm_stream.matching.expression import QueryError
        from sfm_stream.sources.x.rules.trial import matcher

        try:
            return matcher(query)
        except QueryError as error:
            raise UsageError(f"no query of {self.title}'s: {error}") from error

    def rows(self) -> Rows:
        """See `sfm_stream.sources.base.Source`."""
        from sfm_stream.sources.x.table import ROWS

        return ROWS

    def twarc_rows(self) -> Rows:
        """See `sfm_stream.sources.base.Source`."""
        from sfm_stream.sources.x.twarc_table import TWARC_ROWS

        return TWARC_ROWS

    def features(self, line: bytes) -> Features:
        """See `sfm_stream.sources.base.Source`."""
        from sfm_stream.sources.x.features import features

        return features(line)

    def feed(self, stream: XStream, credential: XCredential, context: Context) -> Feed:
        """See `sfm_stream.sources.base.Source`."""
        from sfm_stream.sources.x.feed import XFeed

        return XFeed(stream, credential, journal=context.journal, last_run=context.last_run, fail=context.fail)


@contextmanager
def _asking(failed: str) -> Iterator[None]:
    """What X refuses, or the network, as errors of the program; `failed` is what a refusal comes to."""
    from sfm_stream.sources.x.client import XRefused
    from sfm_stream.sources.x.refusals import RefusalKind

    try:
        yield
    except XRefused as error:
        kind = CredentialError if error.refusal.kind is RefusalKind.CREDENTIAL else SfmError
        raise kind(f"{failed}: {error}") from error
    except Dropped as error:
        raise SfmError(f"X could not be asked: {error}") from error


SOURCE = _X()
