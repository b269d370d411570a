"""Every script of the world is written as its readers write it, and what nobody sees goes to nobody."""

# Signs that look like others are what this is about.
# ruff: noqa: RUF001

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfm_stream.matching.characters import hashtags, invisible, is_hashtag, is_word, visible
from sfm_stream.matching.expression import Term
from sfm_stream.sources.x.rules.compiler import compile_rule
from sfm_stream.sources.x.rules.match import matches
from sfm_stream.sources.x.rules.query import parse
from sfm_stream.sources.x.rules.trial import trial
from sfm_stream.sources.x.settings import Rule
from sfm_stream.sources.x.simulator.apps import App, AppLimits

WORDS = {
    "Devanagari": "चुनाव_हिन्दी",
    "Devanagari with a joiner": "क्\u200dष",
    "Tamil": "தேர்தல்",
    "Bengali": "নির্বাচন",
    "Thai": "เลือกตั้ง",
    "pointed Hebrew": "בְּחִירוֹת",
    "Persian": "می\u200cخواهم",
    "Malayalam, with a joiner at its end": "അവന്\u200d",
    "Arabic with vowel points": "اِنْتِخَاب",
    "Burmese": "ရွေးကောက်ပွဲ",
    "Korean": "선거",
    "Latin, decomposed": "e\u0301lection",
}
TAGS = WORDS | {
    "Catalan": "col·lecció",
    "Hebrew with gershayim": "צה״ל",
    "Hebrew with a maqaf": "בית־ספר",
    "Japanese with a middle dot": "ハリー・ポッター",
    "Japanese with a wave dash": "1〜2月",
    "Tibetan": "བོད་ཡིག",
}


def posts(text: str, tag: str = "") -> list[dict[str, object]]:
    """A post, as it comes with entities and as it comes without."""
    entities = {"entities": {"hashtags": [{"start": 0, "end": 1, "tag": tag}]}} if tag else {"entities": {}}
    return [{"data": {"id": "1", "text": text}}, {"data": {"id": "1", "text": text, **entities}}]


@pytest.mark.parametrize("tag", TAGS.values(), ids=TAGS)
def test_a_hashtag_of_any_script_is_a_hashtag(tag: str) -> None:
    """In a track entry, in a query and in a post; as it is typed, decomposed or with a full-width #."""
    for written in (f"#{tag}", f"＃{tag}", f"#{unicodedata.normalize('NFD', tag)}"):
        (query,) = compile_rule(Rule(name="r", track=(written,)), 1024)
        assert parse(query) == Term("#", written[1:])
        assert compile_rule(Rule(name="r", query=f"a -{written}"), 1024) == [f"a -#{written[1:]}"]
        for post in posts(f"look: #{tag}!", tag):
            assert matches(parse(query), post)
        for post in posts(f"look: {tag}! #{tag}x"):
            assert not matches(parse(query), post)


@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS)
def test_a_word_of_any_script_is_one_word(word: str) -> None:
    """It goes to X without quotes, and its vowel signs count."""
    (query,) = compile_rule(Rule(name="r", track=(word,)), 1024)
    assert parse(query) == Term("word", word)
    bare = "".join(sign for sign in unicodedata.normalize("NFD", word) if unicodedata.category(sign)[0] != "M")
    for post in posts(f"see {word}, there"):
        assert matches(parse(query), post)
        assert matches(parse(f'"{word} there"'), post)
    for post in posts(f"see {bare}, there"):
        assert matches(parse(query), post) == (unicodedata.normalize("NFC", bare) == word)


@pytest.mark.parametrize("tag", ["#2026", "#٢٠٢٦", "#a-b", "#", "##a", "#️⃣", "#·", "a#b"])
def test_what_x_takes_for_no_hashtag_is_none(tag: str) -> None:
    """A letter is needed, and no other sign may be in it."""
    assert not is_hashtag(tag)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("#a,#b #c", ["a", "b", "c"]),
        ("a#b &#39; x&#c", []),
        ("❤️#love", ["love"]),
        ("#2026 #20a", ["20a"]),
        ("#a://b", []),
        ("हि#दी", []),
    ],
)
def test_hashtags_of_a_text_are_those_that_x_links(text: str, found: list[str]) -> None:
    """Not within a word, nor in an address or a character reference."""
    assert hashtags(text) == found


@pytest.mark.parametrize(
    "emoji",
    [
        "❤️",
        "👍🏽",
        "👨‍👩‍👧",
        "🇩🇪",
        "1️⃣",
        "#️⃣",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "❤️‍🔥",
        "☎︎",
    ],
)
def test_an_emoji_of_several_signs_is_a_word_in_quotes(emoji: str) -> None:
    """X asks for quotes around variants; nothing of the sequence is lost, and it is found in a post."""
    (query,) = compile_rule(Rule(name="r", track=(emoji,)), 1024)
    assert query in {emoji, f'"{emoji}"'}
    assert (query == emoji) == (len(emoji) == 1 or emoji == "🇩🇪")
    assert visible(emoji) == emoji
    assert all(matches(parse(query), post) for post in posts(f"so {emoji}!"))
    assert not any(matches(parse(query), post) for post in posts("so 🌊 1!"))


def test_another_skin_tone_is_another_emoji() -> None:
    """And the plain one finds them all."""
    (dark,) = posts("so 👍🏿")[:1]
    assert not matches(parse('"👍🏽"'), dark)
    assert matches(parse('"👍🏿"'), dark)
    assert matches(parse("👍"), dark)


@pytest.mark.parametrize(
    ("written", "meant", "left_out"),
    [
        ("\ufeffvote", "vote", ["\ufeff"]),
        ("polling\u200b station\u200b", "polling station", ["\u200b"]),
        ("\u202bvote\u202c", "vote", ["\u202b", "\u202c"]),
        ("Donau\u00addampf", "Donaudampf", ["\u00ad"]),
        ("#vote\u200d", "#vote", ["\u200d"]),
        ("vo\u200cte", "vote", ["\u200c"]),
        ("می\u200cخواهم\u200c", "می\u200cخواهم", ["\u200c"]),
        ("👍\u200d", "👍", ["\u200d"]),
        ("vo\x00te\x1b", "vote", ["\x00", "\x1b"]),
        ("vote\ud800", "vote", ["\ud800"]),
        ("عام \u06dd", "عام \u06dd", []),
    ],
)
def test_what_nobody_sees_does_not_go_to_x(written: str, meant: str, left_out: list[str]) -> None:
    """It came with a copy, and X would look for it; a joiner stays where it is spelling."""
    assert visible(written) == meant
    assert invisible(written) == left_out
    assert compile_rule(Rule(name="r", track=(written,)), 1024) == compile_rule(Rule(name="r", track=(meant,)), 1024)
    assert compile_rule(Rule(name="r", query=f'"{written}"'), 1024) == [f'"{meant}"']


@given(st.text())
def test_what_is_left_is_left_again(text: str) -> None:
    """And nothing else is gone."""
    once = visible(text)
    assert visible(once) == once
    assert invisible(once) == []
    assert [sign for sign in text if sign.isalnum()] == [sign for sign in once if sign.isalnum()]


def test_what_is_a_word_holds_no_end_of_one() -> None:
    """Numbers and underscores are fine, points and variants are not."""
    assert [word for word in ("vote_2026", "a.b", "", "ि", "❤️", "1️⃣", "a–b") if is_word(word)] == ["vote_2026"]


def test_a_trial_and_the_simulator_read_the_scripts_alike() -> None:
    """What was tried beforehand is what is delivered."""
    app = App("a", AppLimits())
    values = [f"#{tag}" for tag in TAGS.values()]
    outcome = app.add_rules([(value, value) for value in values], commit=True)
    assert outcome is not None
    assert outcome[1] == []
    lines = [
        json.dumps({"data": {"id": str(n), "text": f"x #{tag}"}}).encode() + b"\n"
        for n, tag in enumerate(TAGS.values())
    ]
    assert trial([(value, value) for value in values], lines).matched == dict.fromkeys(values, 1)
