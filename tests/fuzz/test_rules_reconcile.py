"""Whatever rules are old and new, and wherever a change is interrupted: X ends with the new ones or with the old."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.errors import RulesRefusedError
from sfm_stream.sources.x.client import Dropped, XRefused
from sfm_stream.sources.x.rule_keeper import RuleKeeper
from sfm_stream.sources.x.rules.compiler import XRule, compile_rules
from sfm_stream.sources.x.rules.packing import digest, terms
from sfm_stream.sources.x.rules.reconcile import LiveRule, lost, own_and_foreign
from sfm_stream.sources.x.settings import Rule, XStream
from tests.support.rules_in_memory import Entries, RulesInMemory

WORDS = [f"w{number}" for number in range(12)]
FAULTS = st.sampled_from(["429", "503", "unheard", "unanswered"])


def wanting(wanted: dict[str, list[str]], count: int = 1000) -> XStream:
    rules = tuple(Rule(name=name, track=tuple(words)) for name, words in wanted.items())
    return XStream(kind="filterstream", name="storms", credential="lab", rules=rules, rule_length=10, rule_count=count)


filters = st.dictionaries(
    st.sampled_from(["a", "b"]), st.lists(st.sampled_from(WORDS), min_size=1, unique=True), min_size=1
).filter(lambda wanted: len({each for words in wanted.values() for each in words}) == sum(map(len, wanted.values())))


def live(stream: XStream) -> list[LiveRule]:
    return [LiveRule(str(n), rule.value, rule.tag) for n, rule in enumerate(compile_rules(stream))]


def matched(x: RulesInMemory) -> set[tuple[str, str]]:
    own, _ = own_and_foreign("storms", x.held.values())
    return {(rule.tag, term) for rule in own for term in terms(rule.value)}


@given(
    old=st.just({}) | filters,
    new=filters,
    spare=st.integers(0, 4),
    foreign=st.integers(0, 2),
    told=st.booleans(),
    faults=st.dictionaries(st.integers(1, 25), FAULTS, max_size=4),
    invalid=st.frozensets(st.sampled_from(WORDS), max_size=2),
)
def test_x_ends_with_the_new_rules_or_with_the_old(
    old: dict[str, list[str]],
    new: dict[str, list[str]],
    spare: int,
    foreign: int,
    told: bool,
    faults: dict[int, str],
    invalid: frozenset[str],
) -> None:
    """And the journal's shortages cover every moment in which a rule was missing that held before and is wanted."""
    before = live(wanting(old))
    others = [LiveRule(f"f{n}", f"theirs{n}", "theirs") for n in range(foreign)]
    cap = max(len(before), len(compile_rules(wanting(new)))) + foreign + spare
    stream = wanting(new, cap if told else 1000)
    x = RulesInMemory([*before, *others], cap, frozenset(w for w in invalid if not any(w in o for o in old.values())))
    journal = Entries()
    keeper = RuleKeeper(stream, lambda: x, journal)
    at_first = matched(x)
    had = [XRule(rule.value, rule.tag) for rule in before]

    def look() -> None:
        missing = lost(had, compile_rules(stream), x.held.values())
        shortages = journal.events("shortage")
        said = shortages[-1]["missing"] if shortages else 0
        assert missing <= said, f"{missing} rules are missing, and the journal says {said}"

    x.look, x.faults = look, faults
    for _ in range(10):
        refused = None
        try:
            keeper.reconcile("test")
        except (XRefused, Dropped):
            continue
        except RulesRefusedError as error:
            refused = error
        break
    else:
        raise AssertionError("it never came to an end")
    assert [rule for rule in x.held.values() if rule.tag == "theirs"] == others
    if refused is None:
        assert keeper.state.in_force
        assert digest(own_and_foreign("storms", x.held.values())[0]) == keeper.state.wanted
        assert keeper.settled
    else:
        assert matched(x) == at_first, f"neither the new rules nor the old: {refused}"
        assert keeper.state.fault
    shortages = journal.events("shortage")
    assert not shortages or shortages[-1]["missing"] == 0
