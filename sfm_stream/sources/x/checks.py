"""What is wrong with the settings of X's streams that have the right types, and what X may understand otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec

from sfm_stream.matching.expression import QueryError
from sfm_stream.settings.checks import common_faults, is_loopback, name_faults, repeated, secret_faults
from sfm_stream.settings.faults import Fault, nearest, show
from sfm_stream.settings.secrecy import is_hidden
from sfm_stream.sources.x import fields
from sfm_stream.sources.x.rules import accounts, advice
from sfm_stream.sources.x.rules.compiler import TooLongError, alternatives, compile_rule, is_account, readable
from sfm_stream.sources.x.rules.operators import over_the_date_line
from sfm_stream.sources.x.rules.query import parse
from sfm_stream.sources.x.settings import Degrees, Fields, Rule, XCredential, XStream


def stream_faults(stream: XStream, where: str, *, whole: bool = True) -> Iterator[Fault]:
    """All that would keep `stream` from running: names, rules and their limits, fields.

    With `whole` false, parts of it were at fault and left out: that it says nothing to match is no fault of its own.
    """
    yield from common_faults(stream, where)
    if not is_hidden(stream.credential):  # which no list of credentials has: that is the fault then
        yield from name_faults(stream.credential, f"{where}: credential")
    yield from field_faults(stream.fields, f"{where}: fields")
    for name, identity in stream.accounts.items():
        if not accounts.is_id(identity):
            yield Fault(
                where=f"{where}: accounts: {name}",
                problem=f"found {show(identity)}",
                fix="the numeric id of the account is needed: deploy again, which has X tell it",
            )
    yield from _url_faults(stream.api_url, f"{where}: api_url")
    if stream.kind == "filterstream" and (stream.rules or whole):
        yield from _rules_faults(stream, where, whole=whole)


def credential_faults(credential: XCredential, where: str) -> Iterator[Fault]:
    """Secrets that are missing, incomplete or wrong; see `secret_faults`."""
    token, pair = credential.bearer_token, (credential.consumer_key, credential.consumer_secret)
    secrets = {key: secret for key, secret in msgspec.structs.asdict(credential).items() if secret is not None}
    if (token is None) == (pair == (None, None)) or (token is None and None in pair):
        yield Fault(
            where=where,
            problem="found " + (" and ".join(sorted(secrets)) or "nothing"),
            fix="either bearer_token, or consumer_key and consumer_secret, must be given",
        )
    yield from secret_faults(secrets, where)


def _url_faults(url: str, where: str) -> Iterator[Fault]:
    """An address to which no secret may be sent."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or not re.fullmatch(r"https?://[^/\s]+(/\S*)?", url):
        yield Fault(where=where, problem=f"found {show(url)}", fix="a URL is needed, like https://api.x.com")
    elif "@" in parts.netloc:
        yield Fault(where=where, problem="found a URL with a login in it", fix="leave the login out; X knows none")
    elif parts.scheme == "http" and not is_loopback(host):
        yield Fault(
            where=where,
            problem=f"found {show(url)}, where anyone on the way could read the secret",
            fix="https:// is needed; http:// is for a simulator on the host itself, like http://127.0.0.1:8970",
        )


def field_faults(wanted: Fields, where: str) -> Iterator[Fault]:
    """Fields and expansions that X does not have, or not in public."""
    for group, names in msgspec.structs.asdict(wanted).items():
        for name in names or ():
            known = fields.PUBLIC[group]
            if name not in known:
                yield Fault(where=f"{where}: {group}", problem=f"unknown field {show(name)}", fix=nearest(name, known))


def _rules_faults(stream: XStream, where: str, *, whole: bool) -> Iterator[Fault]:
    if not stream.rules:
        yield Fault(
            where=where,
            problem="it says nothing to match",
            fix="give track, follow, locations, query or rules with these",
        )
    for name in repeated(rule.name for rule in stream.rules):
        yield Fault(where=where, problem=f"two rules are named {show(name)}", fix="rename one of them")
    values: dict[str, str] = {}
    total = 0
    for rule in stream.rules:
        place = rule_place(where, rule)
        faults = list(_rule_faults(rule, place, stream.rule_length, whole=whole))
        yield from faults
        if faults:
            continue
        for value in compile_rule(rule, stream.rule_length):
            total += 1
            if values.setdefault(value, rule.name) != rule.name:
                yield Fault(
                    where=place,
                    problem=f"it asks for the same as rule {values[value]!r}, which X refuses",
                    fix="leave one of them out",
                )
    if total > stream.rule_count:
        yield Fault(
            where=where,
            problem=f"it needs {total} rules of X (an entry too many makes one more)",
            fix=f"the app may hold {stream.rule_count}: ask for less, or raise sfm_rule_count if X has granted more",
        )


def rule_place(where: str, rule: Rule) -> str:
    """How a fault names a rule; the filter's own, unnamed one is the filter itself."""
    return where if rule.name == "main" else f"{where}: rule {rule.name!r}"


def _rule_faults(rule: Rule, where: str, length: int, *, whole: bool) -> Iterator[Fault]:
    yield from name_faults(rule.name, where)
    if rule.query is not None:
        if rule.track or rule.follow or rule.locations:
            yield Fault(
                where=where,
                problem="it has a query and track, follow or locations",
                fix="a query stands alone: make two rules of it",
            )
        yield from _query_faults(rule.query, f"{where}: query")
    else:
        yield from _term_faults(rule, where)
        if whole and not any(alternatives(rule)):
            yield Fault(where=where, problem="it says nothing to match", fix="give track, follow, locations or query")
    try:
        compile_rule(rule, length)
    except TooLongError as error:
        yield Fault(
            where=where,
            problem=f"{show(error.text)} has {len(error.text)} characters",
            fix=f"X takes at most {length} in one rule: split or shorten it",
        )


def _query_faults(query: str, where: str) -> Iterator[Fault]:
    try:
        parse(readable(query))
    except QueryError as error:
        yield Fault(where=where, problem=f"found {show(query)}", fix=str(error))


def _term_faults(rule: Rule, where: str) -> Iterator[Fault]:
    for index, entry in enumerate(rule.track):
        if not any(alternatives(Rule(name=rule.name, track=(entry,)))):
            yield Fault(
                where=f"{where}: track[{index}]",
                problem=f"found {show(entry)}",
                fix="a letter, digit or emoji is needed: X looks for words, not for punctuation",
            )
    for index, account in enumerate(rule.follow):
        if not is_account(account):
            yield Fault(
                where=f"{where}: follow[{index}]",
                problem=f"found {show(account)}",
                fix="an account's name (letters, digits and _) or its numeric id is needed",
            )
    for index, box in enumerate(rule.locations):
        yield from _box_faults(box, f"{where}: locations[{index}]")


def _box_faults(box: Degrees, where: str) -> Iterator[Fault]:
    # As X's rules have it: six digits after the point, a tenth of a metre.
    west, south, east, north = (round(degree, 6) for degree in box)
    found = show(list(box))
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= 90 and -90 <= north <= 90):
        yield Fault(
            where=where,
            problem=f"found {found}",
            fix="the order is west, south, east, north, with longitudes from -180 to 180 and latitudes from -90 to 90",
        )
    elif two := over_the_date_line(box):
        yield Fault(
            where=where,
            problem=f"found {found}, in which west is not west of east",
            fix="the order is west, south, east, north; over the date line make two boxes: "
            + " and ".join(show(list(each)) for each in two),
        )
    elif not (west < east and south < north):
        yield Fault(
            where=where,
            problem=f"found {found}, in which west is not west of east or south not south of north",
            fix="the order is west, south, east, north",
        )


def stream_warnings(stream: XStream, where: str) -> Iterator[Fault]:
    """What X may refuse, or take for something else than was meant; a person should know before it does."""
    for rule in stream.rules:
        place = rule_place(where, rule)
        if rule.query is not None:
            yield from advice.on_query(rule.query, f"{place}: query")
        for index, entry in enumerate(rule.track):
            yield from advice.on_entry(entry, f"{place}: track[{index}]")
        for index, box in enumerate(rule.locations):
            sound = not any(_box_faults(box, place))
            for problem, fix in advice.on_box(box) if sound else ():
                yield Fault(where=f"{place}: locations[{index}]", problem=problem, fix=fix)
