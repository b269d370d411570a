"""A query matches the posts that its reader would expect, in every script; a query that is none says what to do."""

from __future__ import annotations

import pytest

from sfm_stream.matching.expression import QueryError
from sfm_stream.matching.match import TokenizedPost, accounts, by_id, compile_query, languages, parse, tag, track
from sfm_stream.matching.view import View


def matches(query: str, *texts: str, **parts: object) -> bool:
    return compile_query(parse(query))(TokenizedPost(View(texts=texts, **parts)))  # type: ignore[arg-type]


SCRIPTS = [
    # what is looked for, a text that holds it, a text that only looks like it
    ("storm", "Storm, they say", "brainstorming"),
    ("élan", "E\u0301LAN!", "elan"),
    ("straße", "STRASSE gesperrt", "Straßen"),
    ("чай", "Чай?", "чайка"),
    ("चुनाव", "आज चुनाव है", "चुनावी"),
    ("कि", "उसने कहा कि वह आएगा", "किताब"),
    ("தேர்தல்", "இன்று தேர்தல்!", "தேர்தலில்"),
    ("انتخابات", "غدا انتخابات!", "الانتخابات"),
    ("مدرسة", "مدرسة جديدة", "مدرستي"),
    ("שלום", "שלום עולם", "שלומית"),
    ("เลือกตั้ง", "วันนี้เลือกตั้งใหญ่", "เลือกซื้อ"),
    ("投票", "今日投票に行く", "投手"),
    ("東京", "東京都の天気", "京東"),
    ("台風", "台風10号", "台湾の風"),
    ("선거", "선거 결과", "선거일"),
    ("🌊", "a 🌊!", "a 🔥!"),
    ("👍🏽", "well 👍🏽", "well 👍"),
]


@pytest.mark.parametrize(("word", "found", "other"), SCRIPTS, ids=[word for word, _, _ in SCRIPTS])
def test_a_word_is_one_as_its_reader_sees_it(word: str, found: str, other: str) -> None:
    """By itself, in `track`, in a query and as a phrase; its letters within another word are not it."""
    for test in (compile_query(parse(word)), compile_query(parse(f'"{word}"')), track(word)):
        assert test(TokenizedPost(View(texts=("before", found))))
        assert not test(TokenizedPost(View(texts=(other,))))


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("storm flood", "a flood after the storm", True),
        ("storm flood", "a flood", False),
        ("storm OR flood", "a flood", True),
        ("storm OR flood surge", "a surge", False),
        ("storm OR flood surge", "storm", True),
        ("(storm OR flood) surge", "storm", False),
        ("storm -flood", "storm and flood", False),
        ("storm -flood", "storm", True),
        ("-flood", "calm", True),
        ('"storm surge"', "Storm surge ahead", True),
        ('"storm surge"', "storm: surge", True),
        ('"storm surge"', "surge storm", False),
        ('-"storm surge" storm', "a storm surge", False),
        ("don't", "I don't know", True),
        ("don't", "don ate", False),
        ('"and"', "salt and pepper", True),
        ("C++", "c is a letter", True),
        ("((((storm))))", "storm", True),
    ],
)
def test_expressions_mean_what_they_say(query: str, text: str, expected: bool) -> None:
    assert matches(query, text) is expected


def test_no_phrase_crosses_from_one_text_to_the_next() -> None:
    assert not matches('"storm surge"', "the storm", "surge of joy")
    assert matches("storm surge", "the storm", "surge of joy")


@pytest.mark.parametrize(
    ("entry", "text", "expected"),
    [
        ("storm surge", "surge of a storm", True),
        ("storm surge", "storm", False),
        ("storm,flood surge", "storm", True),
        ("storm,flood surge", "flood", False),
        ("storm,,flood", "flood", True),
        ("#vote", "vote", False),
        ("#vote storm", "storm", False),
    ],
)
def test_commas_of_track_are_alternatives_and_blanks_ask_for_all(entry: str, text: str, expected: bool) -> None:
    assert track(entry)(TokenizedPost(View(texts=(text,)))) is expected


@pytest.mark.parametrize("written", ["#Élection", "#e\u0301lection", "\uff03élection"])
def test_a_tag_is_compared_without_case_and_composition(written: str) -> None:
    post = TokenizedPost(View(texts=("nothing of it",), tags=frozenset({"élection"})))
    assert compile_query(parse(written))(post)
    assert track(written)(post)
    assert tag(written.lstrip("#\uff03"))(post)
    assert not compile_query(parse("#elections"))(post)


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ("from:ada", {"author": frozenset({"ada"})}),
        ("from:@Ada", {"author": frozenset({"ada"})}),
        ("to:ada", {"to": frozenset({"ada"})}),
        ("@ada", {"mentions": frozenset({"ada"})}),
        ("lang:pt", {"langs": frozenset({"pt-br"})}),
        ("lang:pt-BR", {"langs": frozenset({"pt-br"})}),
        ("url:news.example", {"links": ("https://News.example/1",)}),
        ("has:links", {"links": ("https://news.example/1",)}),
        ("has:hashtags", {"tags": frozenset({"vote"})}),
        ("has:mentions", {"mentions": frozenset({"ada"})}),
        ("has:images", {"media": frozenset({"image"})}),
        ("has:videos", {"media": frozenset({"video"})}),
        ("has:media", {"media": frozenset({"video"})}),
        ("is:reply", {"reply": True}),
        ("is:quote", {"quote": True}),
        ("is:repost", {"repost": True}),
    ],
)
def test_an_operator_asks_for_one_part_of_the_post(query: str, parts: dict[str, object]) -> None:
    assert matches(query, "ada news.example vote", **parts)
    assert not matches(f"-{query}", "ada", **parts)
    assert not matches(query, "ada news.example vote pt")


def test_a_language_does_not_stand_for_one_that_begins_like_it() -> None:
    post = TokenizedPost(View(langs=frozenset({"fil"})))
    assert not languages(["fi"])(post)
    assert languages(["fi", "FIL"])(post)


def test_the_accounts_of_a_query_can_be_told_and_exchanged_for_ids() -> None:
    query = parse("from:@Ada (to:ben OR -@cleo) word has:links")
    assert accounts(query) == ["Ada", "ben", "cleo"]
    ids = {"Ada": "1", "ben": "2"}
    assert accounts(by_id(query, lambda name: ids.get(name, name))) == ["1", "2", "cleo"]
    exchanged = compile_query(by_id(parse("from:ada -to:ben"), lambda name: {"ada": "1", "ben": "2"}[name]))
    assert exchanged(TokenizedPost(View(author=frozenset({"1"}))))
    assert not exchanged(TokenizedPost(View(author=frozenset({"1"}), to=frozenset({"2"}))))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "it is empty: give a word, a phrase or an operator"),
        ("   ", "it is empty"),
        ("storm OR", "OR needs something before it and after it"),
        ("OR storm", "OR needs something before it and after it"),
        ("()", "a group () must hold something"),
        ("(storm", "a closing ) is missing"),
        ("storm)", "an opening ( is missing"),
        ('"storm', 'a closing " is missing'),
        ("“storm surge”", "quotes of another kind"),
        ("storm and flood", "a blank is AND, OR is OR"),
        ("storm or flood", "a blank is AND, OR is OR"),
        ("NOT storm", "- is NOT"),
        ("- storm", "a - must stand right before the one thing that it negates"),
        ("-(storm flood)", "no negated groups: write -a -b"),
        ("form:ada", "did you mean 'from:'?"),
        ("https://news.example", 'put "https://news.example" in quotes if it is text'),
        ("from:", "from: needs a value right after it"),
        ("has:image", "did you mean 'images'?"),
        ("is:retweet", "known are: quote, reply, repost"),
        ("...", "is nothing to look for: a letter, digit or emoji is needed"),
        ('"..."', "is nothing to look for"),
        ("(" * 200 + "storm" + ")" * 200, "groups stand more than 100 deep"),
    ],
)
def test_a_query_that_is_none_says_what_to_do(query: str, said: str) -> None:
    with pytest.raises(QueryError) as error:
        parse(query)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
