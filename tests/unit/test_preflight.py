"""Every fault of an inventory is found at once, named, and cured by what its message says."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from sfm_stream.settings.collection import Collection, Description
from sfm_stream.settings.faults import QUOTE
from sfm_stream.settings.preflight import ResolvedInventory, examine
from sfm_stream.settings.secrecy import looks_like_secret

KNOWN: dict[str, dict[str, Any]] = {
    name: {}
    for name in (
        *("sfm_api_url", "sfm_credentials", "sfm_data_dir", "sfm_environment", "sfm_filters", "sfm_save_interval"),
        *("sfm_report_dir", "sfm_collection", "sfm_compression", "sfm_compression_level", "sfm_streamsample"),
    )
}
TOKEN = "AAAAAAAAAAAAAAAAAAAAAsecretsecretsecret"
GOOD: dict[str, Any] = {
    "sfm_credentials": {
        "library": {"bearer_token": TOKEN},
        "weather": {"consumer_key": "k" * 25, "consumer_secret": "s" * 50},
    },
    "sfm_filters": [
        {
            "name": "elections",
            "credential": "library",
            "track": ["election", "polling station", "#vote"],
            "follow": ["gwlibraries", "12345"],
            "locations": [[-77.12, 38.79, -76.91, 38.99]],
        },
        {
            "name": "storms",
            "credential": "weather",
            "rules": [
                {"name": "agencies", "follow": ["NWS", "NHC_Atlantic"]},
                {"name": "reports", "query": "(tornado OR hail) has:images -is:retweet lang:en"},
            ],
        },
    ],
}


def with_changes(*changes: tuple[str, object]) -> dict[str, Any]:
    """The good variables, with values set at dotted paths; a value of `...` takes the key away."""
    variables = copy.deepcopy(GOOD)
    for path, value in changes:
        *parents, last = path.split(".")
        place: Any = variables
        for parent in parents:
            place = place[int(parent) if isinstance(place, list) else parent]
        if value is ...:
            del place[last]
        elif isinstance(place, list):
            place.insert(int(last), value) if int(last) == len(place) else place.__setitem__(int(last), value)
        else:
            place[last] = value
    return variables


def faults(*changes: tuple[str, object]) -> list[str]:
    return [str(fault) for fault in examine({"host": with_changes(*changes)}, KNOWN).faults]


def test_a_good_inventory_has_no_fault_and_resolves_to_what_the_programs_read() -> None:
    """The plan holds each stream with the host's own settings in place of the defaults."""
    plan = examine({"host": {**GOOD, "sfm_save_interval": 60, "sfm_data_dir": "/srv/sfm"}}, KNOWN)
    assert plan.faults == ()
    streams = [declared.stream for declared in plan.hosts["host"]]
    assert [stream.program for stream in streams] == ["twitterfilter-elections", "twitterfilter-storms"]
    assert {(stream.save_interval, stream.data_dir) for stream in streams} == {(60.0, "/srv/sfm")}
    assert [rule.name for rule in streams[0].rules] == ["main"]


FAULTS: list[tuple[str, list[tuple[str, object]], list[str]]] = [
    (
        "an unknown credential",
        [("sfm_filters.0.credential", "libary")],
        ["filter 'elections': unknown credential 'libary'; did you mean 'library'?"],
    ),
    (
        "an unknown key of what is said of the collection",
        [("sfm_collection", {"titel": "Weather"}), ("sfm_filters.0.collection", {"right": "CC0"})],
        [
            "sfm_collection: unknown key 'titel'; did you mean 'title'?",
            "filter 'elections': collection: unknown key 'right'; did you mean 'rights'?",
        ],
    ),
    (
        "another type in what is said of the collection",
        [("sfm_collection", {"title": 2026}), ("sfm_filters.0.collection", "Ballots")],
        [
            f"sfm_collection: title: found 2026 (a number); {QUOTE}",
            "filter 'elections': collection: found \"Ballots\"; a mapping of keys to values is needed",
        ],
    ),
    (
        "a report among the data",
        [("sfm_report_dir", "/srv/sfm/data/report"), ("sfm_data_dir", "/srv/sfm/data")],
        ['sfm_report_dir: "/srv/sfm/data/report" lies within sfm_data_dir, "/srv/sfm/data"; '],
    ),
    (
        "text in the place of all that is said of the collection",
        [("sfm_collection", "Weather")],
        ['sfm_collection: found "Weather"; a mapping of keys to values is needed'],
    ),
    (
        "an unused credential that is malformed",
        [("sfm_credentials.spare", {"consumer_key": "k"})],
        [
            (
                "credential 'spare': found consumer_key; either bearer_token, or consumer_key and consumer_secret, "
                "must be given"
            )
        ],
    ),
    (
        "an empty secret",
        [("sfm_credentials.library.bearer_token", "")],
        ["credential 'library': bearer_token: found an empty secret; put the real one there"],
    ),
    (
        "a placeholder",
        [("sfm_credentials.library.bearer_token", "CHANGE_ME")],
        ["credential 'library': bearer_token: found a placeholder; put the real secret there"],
    ),
    (
        "a credential of a source that needs none",
        [("sfm_credentials.library.source", "bluesky")],
        ["credential 'library': it is one of Bluesky; Bluesky needs none: take it away"],
    ),
    (
        "a credential of no source",
        [("sfm_credentials.library.source", "blusky")],
        ["credential 'library': source: found \"blusky\"; did you mean 'bluesky'?"],
    ),
    (
        "an unsafe name",
        [("sfm_filters.0.name", "../storms x")],
        [
            (
                "filter '../storms x': found the name \"../storms x\"; up to 64 letters, digits, - and _ are allowed, "
                "the first a letter or digit"
            )
        ],
    ),
    (
        "a name twice",
        [("sfm_filters.1.name", "elections")],
        ['sfm_filters: two filters are named "elections"; rename one of them'],
    ),
    (
        "an unknown key",
        [("sfm_filters.0.trak", ["x"])],
        ["filter 'elections': unknown key 'trak'; did you mean 'track'?"],
    ),
    (
        "an unknown variable",
        [("sfm_filter", [])],
        ["sfm_filter: unknown variable; did you mean 'sfm_filters'?"],
    ),
    (
        "nothing to match",
        [("sfm_filters.1.rules", [])],
        ["filter 'storms': it says nothing to match; give track, follow, locations, query or rules with these"],
    ),
    (
        "a rule over the limit",
        [("sfm_filters.1.rules.1.query", "hail OR " * 200 + "hail")],
        [
            (
                "filter 'storms': rule 'reports': "
                '"hail OR hail OR hail OR hail OR hail OR hail OR hail OR ha… '
                "has 1604 characters; X takes at most 1024 in one rule: split or shorten it"
            )
        ],
    ),
    (
        "over 1,000 rules",
        [("sfm_filters.1.rules", [{"name": f"r{n}", "query": f"word{n}"} for n in range(1001)])],
        [
            (
                "filter 'storms': it needs 1001 rules of X (an entry too many makes one more); "
                "the app may hold 1000: ask for less, or raise sfm_rule_count if X has granted more"
            )
        ],
    ),
    (
        "coordinates in the wrong order",
        [("sfm_filters.0.locations", [[38.79, -77.12, 38.99, -176.91]])],
        [
            (
                "filter 'elections': locations[0]: found [38.79, -77.12, 38.99, -176.91]; the order is west, south, "
                "east, north, with longitudes from -180 to 180 and latitudes from -90 to 90"
            )
        ],
    ),
    (
        "a number where text is needed",
        [("sfm_filters.0.follow", [12345])],
        [f"filter 'elections': follow[0]: found 12345 (a number); {QUOTE}"],
    ),
    (
        "a word that YAML reads as true",
        [("sfm_filters.0.track", [True])],
        [(f"filter 'elections': track[0]: found true (true or false; YAML reads yes, no, on and off so); {QUOTE}")],
    ),
    (
        "text where a list is needed",
        [("sfm_filters.0.track", "election")],
        ["filter 'elections': track: found \"election\"; a list is needed, even for one entry: [...]"],
    ),
    (
        "an interval that is not positive",
        [("sfm_save_interval", 0)],
        ["sfm_save_interval: found 0 (a number); a number > 0 is needed"],
    ),
    (
        "a query that X cannot read",
        [("sfm_filters.1.rules.1.query", "(tornado OR hail")],
        ["filter 'storms': rule 'reports': query: found \"(tornado OR hail\"; "],
    ),
]


@pytest.mark.parametrize(("changes", "messages"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS])
def test_a_fault_is_named_with_its_value_and_its_cure(changes: list[tuple[str, object]], messages: list[str]) -> None:
    """One fault makes one line, whatever else the inventory holds."""
    found = faults(*changes)
    assert len(found) == len(messages), found
    for line, message in zip(found, messages, strict=True):
        assert line == message or (message.endswith("; ") and line.startswith(message)), line


@pytest.mark.parametrize(
    ("written", "read"),
    [("0123", "83"), ("007", "7"), ("12:30:45", "45045"), ("1_000", "1000"), ("0x1F", "31"), ("2026-11-03", "2026")],
)
def test_advice_on_what_yaml_has_read_never_invents_what_was_written(written: str, read: str) -> None:
    """YAML keeps only the value, and in quotes that would be another word than the one that was meant."""
    (found,) = faults(("sfm_filters.0.track", yaml.safe_load(f"[{written}]")))
    assert found.startswith(f"filter 'elections': track[0]: found {read}")
    assert found.endswith(f"; {QUOTE}")


def test_all_faults_are_found_at_once() -> None:
    """A person corrects an inventory in one go."""
    found = faults(
        ("sfm_filters.0.trak", ["x"]),
        ("sfm_filters.0.follow", [1, 2]),
        ("sfm_filters.1.credential", "wether"),
        ("sfm_save_interval", -1),
        ("sfm_credentials.library.bearer_token", "CHANGE_ME"),
    )
    assert len(found) == 6, found


def test_one_fault_of_a_filter_does_not_hide_its_others() -> None:
    """Wrong types and unknown keys beside a wrong credential, box and rule; and nothing that follows from them."""
    assert faults(
        ("sfm_filters.0.track", ...),
        ("sfm_filters.0.trakc", ["x"]),
        ("sfm_filters.0.credential", "libary"),
        ("sfm_filters.0.save_interval", -1),
        ("sfm_filters.0.locations", [[77.12, 138.79, -76.91, 38.99]]),
        ("sfm_filters.1.rules.0.follow", ["no name"]),
        ("sfm_filters.1.rules.0.folow", ["NWS"]),
        ("sfm_filters.1.rules.1", {"name": "reports", "qery": "x"}),
    ) == [
        "filter 'elections': unknown key 'trakc'; did you mean 'track'?",
        "filter 'elections': save_interval: found -1 (a number); a number > 0 is needed",
        "filter 'storms': rules[0]: unknown key 'folow'; did you mean 'follow'?",
        "filter 'storms': rules[1]: unknown key 'qery'; did you mean 'query'?",
        (
            "filter 'elections': locations[0]: found [77.12, 138.79, -76.91, 38.99]; the order is west, south, east, "
            "north, with longitudes from -180 to 180 and latitudes from -90 to 90"
        ),
        "filter 'elections': unknown credential 'libary'; did you mean 'library'?",
        (
            "filter 'storms': rule 'agencies': follow[0]: found \"no name\"; an account's name (letters, digits and _) "
            "or its numeric id is needed"
        ),
    ]


SECRETS = (
    TOKEN,
    # Made up, of the lengths and signs that X gives: a bearer token, a consumer key and a consumer secret.
    "AAAAAAAAAAAAAAAAAAAAAMnUBAEAAAAA8wUoYQnZ%2Bk7cX4tJ0rTgBqVh1sE%3DpL9zRfK2mXu7vDdWbN5aYcQ0jHsT3gPi6kOe8lCyU4",
    "q7RmZ2xKc9VtYb4WnL0sHdJp5",
    "Ew3kTz8qLm1XvBn6RcYp0HsJd9GfUa2QoWi7MxK4tVbNe5ZrCu",
    "quzeofghrtplmakwuvbdsyncxiequzeofghrtplmakwuvbdsyncxiequzeofghrtplmakwuvbdsyncxie",
)


@pytest.mark.parametrize("secret", SECRETS)
def test_no_fault_shows_a_secret(secret: str) -> None:
    """Not even where a secret stands in the wrong place: all of it, a part of it, or as a name."""
    for changes in (
        [("sfm_credentials", secret)],
        [("sfm_credentials", [secret])],
        [("sfm_credentials", {secret: {"bearer_token": "x"}})],
        [("sfm_credentials", {secret: None})],
        [("sfm_credentials.library", secret)],
        [("sfm_credentials.library", [secret])],
        [("sfm_credentials.library", {secret: ""})],
        [("sfm_credentials.library.bearer_token", [secret])],
        [("sfm_credentials.library.bearer_token", {"x": secret})],
        [("sfm_credentials.library.bearer_token", f"Bearer {secret}")],
        [("sfm_credentials.library.token", secret)],
        [("sfm_credentials.library.budget", secret)],
        [("sfm_credentials.library.budget", [secret])],
        [("sfm_credentials.library.budget", {"per_day": secret})],
        [("sfm_credentials.library.budget", {secret: 1})],
        [("sfm_credentials.library.backfill_minutes", secret)],
        [("sfm_filters.0.credential", secret)],
        [("sfm_filters.0.credential", [secret])],
        [("sfm_filters.0.credential", {"bearer_token": secret})],
        [("sfm_filters.0.track", {"bearer_token": secret})],
        [("sfm_streamsample", secret)],
        [("sfm_streamsample", {"credential": secret})],
        [("sfm_streamsample", {"credential": {"bearer_token": secret}})],
        [("sfm_streamsample", {"bearer_token": secret})],
        [("sfm_api_url", f"https://me:{secret}@api.x.com")],
        [("sfm_environment", secret)],
        [("sfm_environment", {"HTTPS_PROXY": f"socks5://sfm:{secret}@proxy"})],
        [("sfm_environment", {"HTTPS_PROXY": [secret]})],
        [("sfm_environment", {"SSL_CERT_FILE": secret})],
    ):
        found = "\n".join(faults(*changes))
        assert found
        shown = [secret[at : at + 10] for at in range(len(secret) - 9) if secret[at : at + 10] in found]
        assert shown == [], (changes, found)


@pytest.mark.parametrize("secret", SECRETS[:4])
def test_no_fault_shows_what_looks_like_a_secret(secret: str) -> None:
    """Wherever it was pasted."""
    for changes in (
        [("sfm_filters.0.name", f"{secret} ")],
        [("sfm_filters.0.trak", secret), (f"sfm_filters.1.{secret}", "x")],
        [("sfm_filters.0.track", secret)],
        [("sfm_filters.0.follow", [f"token {secret}"])],
        [("sfm_filters.0.fields", {"tweet": [secret]})],
        [("sfm_filters", [secret])],
        [("sfm_save_interval", secret)],
        [("sfm_data_dir", secret)],
        [("sfm_api_url", secret)],
    ):
        found = "\n".join(faults(*changes))
        assert "***" in found or "<hidden: " in found, changes
        assert secret[-20:] not in found, (changes, found)


def test_two_streams_on_a_secret_that_stands_as_a_name_do_not_show_it() -> None:
    """The fault that names both streams names the credential as well."""
    secret = SECRETS[2]
    found = faults(
        ("sfm_credentials", {secret: {"bearer_token": TOKEN}}),
        ("sfm_filters.0.credential", secret),
        ("sfm_filters.1.credential", secret),
    )
    assert any("2 active streams use credential <hidden: 25 characters" in each for each in found)
    assert found[0].startswith(
        "sfm_credentials: entry 1: found the name <hidden: 25 characters that look like a secret>; "
    )
    assert not any(secret in each for each in found)


@pytest.mark.parametrize(
    "name",
    [
        *("library_of_congress_elections_2026", "USGovernmentAccountabilityOffice", "covid19vaccine2021us"),
        *("550e8400-e29b-41d4-a716-446655440000", "Bundestagswahl2025_Kandidatinnen_und_Kandidaten", "x" * 64),
    ],
)
def test_a_name_that_a_person_would_give_is_taken_for_a_name(name: str) -> None:
    """A long one, one with years, one that a machine made of an identifier."""
    assert not looks_like_secret(name)
    changes = ("sfm_credentials.weather", ...), (f"sfm_credentials.{name}", {"bearer_token": "k" * 25})
    assert faults(*changes, ("sfm_filters.1.credential", name)) == []


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8970", "http://[::1]:8970", "http://localhost:1/x", "https://x.test"]
)
def test_a_secret_may_go_to_a_simulator_on_the_host_and_anywhere_over_tls(url: str) -> None:
    """These are what the example uses, and X itself."""
    assert faults(("sfm_api_url", url)) == []


@pytest.mark.parametrize(
    "url", ["http://api.x.com", "http://192.0.2.1:8970", "http://localhost.example.org", "HTTP://x.com", "http://[::2]"]
)
def test_a_secret_goes_to_no_other_host_in_the_clear(url: str) -> None:
    """Anyone on the way could read it."""
    found = faults(("sfm_api_url", url))
    assert len(found) == 2  # one for each stream
    assert all(": api_url: found " in each for each in found)


def two_hosts(first: dict[str, Any], second: dict[str, Any]) -> ResolvedInventory:
    return examine({"one": first, "two": second}, KNOWN)


def test_two_active_streams_on_one_credential_are_refused_on_one_host() -> None:
    """X would let only one of them connect."""
    (found,) = faults(("sfm_streamsample", {"credential": "library"}))
    assert found.startswith(
        "filter 'elections' on host and sfm_streamsample on host: 2 active streams use credential 'library'; "
        "X allows an app one connection"
    )


def test_two_active_streams_on_one_credential_are_refused_on_two_hosts() -> None:
    """A host cannot see what another one does; the inventory can."""
    (found,) = two_hosts(with_changes(), with_changes(("sfm_filters", [GOOD["sfm_filters"][0]]))).faults
    assert found.where == "filter 'elections' on one and filter 'elections' on two"


def test_the_same_secret_under_two_names_is_the_same_app() -> None:
    """A copied token is found out, and not shown."""
    (found,) = faults(("sfm_credentials.weather", {"bearer_token": TOKEN}))
    assert "credentials 'library' and 'weather', which hold the same secret" in found
    assert TOKEN not in found


def test_an_inactive_filter_does_not_use_its_credential() -> None:
    """It is examined all the same."""
    assert faults(("sfm_filters.1.credential", "library"), ("sfm_filters.1.active", False)) == []
    assert len(faults(("sfm_filters.1.credential", "nobody"), ("sfm_filters.1.active", False))) == 1


def digest(*changes: tuple[str, object]) -> str:
    return examine({"host": with_changes(*changes)}, KNOWN).hosts["host"][0].digest


def test_a_filter_has_the_compression_of_its_host_or_its_own() -> None:
    """A level of the host's is that of the host's format: another format's levels mean something else."""
    plan = examine(
        {
            "host": with_changes(
                ("sfm_compression", "zstd"),
                ("sfm_compression_level", 9),
                ("sfm_filters.1.compression", "gzip"),
            )
        },
        KNOWN,
    )
    assert plan.faults == ()
    formats = [each.stream.format for each in plan.hosts["host"]]
    assert [(kind.name, kind.level) for kind in formats[:2]] == [("zstd", 9), ("gzip", 6)]


@pytest.mark.parametrize(
    ("name", "value", "cure"),
    [
        ("compression", "zip", "allowed are gzip, zstd"),
        ("compression_level", 10, "<= 9"),
        ("compression_level", 0, ">= 1"),
    ],
)
@pytest.mark.parametrize("where", ["sfm_", "sfm_filters.0."])
def test_a_compression_that_there_is_not_is_a_fault(where: str, name: str, value: object, cure: str) -> None:
    """With what is allowed."""
    (found,) = faults((where + name, value))
    assert f"{name}: found" in found
    assert cure in found


def test_the_digest_changes_with_all_that_needs_a_restart_and_with_nothing_else() -> None:
    """Rules and formats are taken up by a running program; another secret or interval is not."""
    assert digest() == digest(("sfm_filters.0.track", ["other"])) == digest(("sfm_filters.1.name", "other"))
    assert len({digest(), digest(("sfm_filters.0.save_interval", 5)), digest(("sfm_api_url", "http://x"))}) == 3
    assert digest() != digest(("sfm_credentials.library.bearer_token", TOKEN + "2"))
    assert digest() == digest(("sfm_compression", "zstd"), ("sfm_compression_level", 5))
    assert digest() == digest(("sfm_environment", {}))
    assert digest() != digest(("sfm_environment", {"NO_PROXY": "example.org"}))


def test_what_is_said_of_a_collection_is_told_by_program_and_restarts_nothing() -> None:
    """Of all that the host collects, of filters, and of the sample; a filter that says nothing is not there."""
    credentials = {**GOOD["sfm_credentials"], "sample": {"bearer_token": TOKEN + "s"}}
    said: list[tuple[str, object]] = [
        ("sfm_collection", {"title": "Weather", "rights": "CC0"}),
        ("sfm_filters.0.collection", {}),
        ("sfm_filters.1.collection", {"title": "Storms"}),
    ]
    sample = {"credential": "sample", "collection": {"purpose": "a base"}}
    variables = with_changes(("sfm_credentials", credentials), ("sfm_streamsample", sample), *said)
    plan = examine({"host": variables, "other": GOOD}, KNOWN)
    assert plan.collections["host"] == Collection(
        title="Weather",
        rights="CC0",
        filters={
            "twitterfilter-storms": Description(title="Storms"),
            "streamsample": Description(purpose="a base"),
        },
    )
    assert plan.collections["other"] == Collection()
    assert digest(*said) == digest()


def test_a_report_leaves_out_only_lists_that_there_are() -> None:
    """Each that there is not is named, with those that are allowed."""
    known = KNOWN | {"sfm_report_without": {"type": "list", "elements": "str"}}
    variables = {**GOOD, "sfm_report_without": ["accounts", "account"]}
    (found,) = examine({"host": variables}, known).faults
    assert str(found) == 'sfm_report_without[1]: found "account"; allowed are accounts, links, tags'


def test_every_fault_of_the_environment_is_named_without_a_value() -> None:
    """A name that nothing reads, an address that is none, a path that leads nowhere certain, a number."""
    values = {"https_proxy": "x", "HTTP_PROXY": "proxy:3128", "SSL_CERT_DIR": "certs", "NO_PROXY": 5, "PATH": "/bin"}
    assert [line.partition(";")[0] for line in faults(("sfm_environment", values))] == [
        "sfm_environment: unknown variable 'https_proxy'",
        "sfm_environment: HTTP_PROXY: found no address of a proxy",
        "sfm_environment: SSL_CERT_DIR: found no absolute path",
        "sfm_environment: NO_PROXY: found no text",
        "sfm_environment: unknown variable 'PATH'",
    ]


def test_directories_and_people_are_judged_with_the_defaults_of_what_is_left_out() -> None:
    """What one host sets may not go together with what it leaves as it is."""
    options = {
        **KNOWN,
        "sfm_data_dir": {"type": "path", "default": "/var/lib/sfm/data"},
        "sfm_log_dir": {"type": "path", "default": "/var/log/sfm"},
        "sfm_process_owner": {"default": "sfm"},
        "sfm_operators": {"type": "list", "default": []},
    }
    plan = examine({"host": {**GOOD, "sfm_log_dir": "/var/lib/sfm/data/log", "sfm_operators": ["sfm"]}}, options)
    assert [each.where for each in plan.faults] == ["sfm_log_dir", "sfm_operators"]
    assert examine({"host": GOOD}, options).faults == ()
