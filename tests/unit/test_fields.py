"""What X is asked to send with each post."""

from __future__ import annotations

import msgspec
import pytest

from sfm_stream.sources.x.checks import field_faults
from sfm_stream.sources.x.fields import PUBLIC, named, parameters, without
from sfm_stream.sources.x.settings import Fields

PRIVATE = {
    *("non_public_metrics", "organic_metrics", "promoted_metrics", "confirmed_email", "connection_status"),
    "receives_your_dm",
}


def test_everything_public_is_asked_for_by_default() -> None:
    """Each of X's six parameters, by the name that tweepy gives it, without blanks."""
    asked = parameters(Fields())
    assert set(asked) == {"tweet_fields", "user_fields", "media_fields", "poll_fields", "place_fields", "expansions"}
    assert asked["tweet_fields"].split(",") == list(PUBLIC["tweet"])
    assert not any(" " in value for value in asked.values())


def test_a_complete_record_holds_what_is_easily_forgotten() -> None:
    """The full text of long posts, edits, cards, communities, articles."""
    wanted = {"note_tweet", "edit_controls", "edit_history_tweet_ids", "card_uri", "community_id", "article"}
    assert wanted <= set(PUBLIC["tweet"])
    assert {"referenced_tweets.id", "referenced_tweets.id.author_id", "geo.place_id"} <= set(PUBLIC["expansions"])


@pytest.mark.parametrize("group", PUBLIC)
def test_nothing_private_and_nothing_twice_is_asked_for(group: str) -> None:
    """X refuses an app that asks for what only an account's owner may see."""
    assert not PRIVATE & set(PUBLIC[group])
    assert len(set(PUBLIC[group])) == len(PUBLIC[group])


def test_a_filter_narrows_what_it_names_and_nothing_else() -> None:
    """An empty list asks for nothing of the kind; what is not named stays complete."""
    asked = parameters(Fields(tweet=("id", "text"), media=(), expansions=()))
    assert asked["tweet_fields"] == "id,text"
    assert "media_fields" not in asked
    assert "expansions" not in asked
    assert asked["user_fields"] == ",".join(PUBLIC["user"])


def test_every_public_field_passes_the_checks_of_the_inventory() -> None:
    """What is asked for by default can be written out, too."""
    everything = msgspec.convert(dict(PUBLIC), Fields)
    assert list(field_faults(everything, "here")) == []
    (fault,) = field_faults(Fields(tweet=("non_public_metrics",)), "here")
    assert str(fault).startswith('here: tweet: unknown field "non_public_metrics"; did you mean')


ASKED = {"tweet_fields": "id,text,article", "expansions": "author_id", "backfill_minutes": 3}


@pytest.mark.parametrize(
    ("refused", "found"),
    [
        ({"tweet.fields": ("article",)}, {("tweet_fields", "article")}),
        ({"tweet.fields": ("article", "never asked")}, {("tweet_fields", "article")}),
        ({"tweet.fields": ("id", "text", "article")}, set()),
        ({"expansions": ("author_id",)}, {("expansions", "author_id")}),
        ({"backfill_minutes": ("3",)}, {("backfill_minutes", "3")}),
        ({"user.fields": ("id",), "other": ("x",)}, set()),
        ({}, set()),
    ],
)
def test_what_x_does_not_take_is_found_in_what_was_asked(
    refused: dict[str, tuple[str, ...]], found: set[tuple[str, str]]
) -> None:
    """Where it repeats the whole question, it has not said which."""
    assert named(ASKED, refused) == found


def test_what_is_left_out_is_not_asked_for() -> None:
    """A parameter of which nothing is left is not given at all."""
    left_out = {("tweet_fields", "article"), ("expansions", "author_id")}
    assert without(ASKED, left_out) == {"tweet_fields": "id,text", "backfill_minutes": 3}
    assert without(ASKED, {("backfill_minutes", "3")}) == {
        "tweet_fields": "id,text,article",
        "expansions": "author_id",
    }
