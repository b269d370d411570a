"""What X may be asked to send with each post: every public field and expansion.

Source: X's OpenAPI description 2.167, the parameters of ``GET /2/tweets/search/stream``. Left out
is what only the account's owner may see (``non_public_metrics``, ``organic_metrics``,
``promoted_metrics``, a user's ``confirmed_email``, ``connection_status``, ``receives_your_dm``) and
what X shows only to the writers and raters of community notes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from sfm_stream.sources.x.settings import Fields

PUBLIC: Mapping[str, tuple[str, ...]] = {
    "tweet": (
        *("article", "attachments", "author_id", "card_uri", "community_id", "context_annotations"),
        *("conversation_id", "created_at", "display_text_range", "edit_controls", "edit_history_tweet_ids"),
        *("entities", "geo", "id", "in_reply_to_user_id", "lang", "media_metadata", "note_tweet"),
        *("paid_partnership", "possibly_sensitive", "public_metrics", "referenced_tweets", "reply_settings"),
        *("scopes", "source", "text", "withheld"),
    ),
    "user": (
        *("affiliation", "created_at", "description", "entities", "id", "is_identity_verified", "location"),
        *("most_recent_tweet_id", "name", "parody", "pinned_tweet_id", "profile_banner_url", "profile_image_url"),
        *("protected", "public_metrics", "subscription_type", "url", "username", "verified"),
        *("verified_followers_count", "verified_type", "withheld"),
    ),
    "media": (
        *("alt_text", "duration_ms", "height", "media_key", "preview_image_url", "public_metrics", "type", "url"),
        *("variants", "width"),
    ),
    "poll": ("duration_minutes", "end_datetime", "id", "options", "voting_status"),
    "place": ("contained_within", "country", "country_code", "full_name", "geo", "id", "name", "place_type"),
    "expansions": (
        *("article.cover_media", "article.media_entities", "attachments.media_keys"),
        *("attachments.media_source_tweet", "attachments.poll_ids", "author_id", "edit_history_tweet_ids"),
        *("entities.mentions.username", "entities.note.mentions.username", "geo.place_id", "in_reply_to_user_id"),
        *("referenced_tweets.id", "referenced_tweets.id.attachments.media_keys", "referenced_tweets.id.author_id"),
    ),
}
"""The attributes of `Fields` and what each may hold."""


def parameters(wanted: Fields) -> dict[str, str]:
    """What to hand to tweepy's `filter` or `sample`: ``{"tweet_fields": "id,text", "expansions": "author_id"}``.

    What `wanted` leaves open is asked for in full; an empty list asks for nothing of that kind.
    """
    asked = {}
    for group, names in msgspec.structs.asdict(wanted).items():
        if chosen := PUBLIC[group] if names is None else names:
            asked["expansions" if group == "expansions" else f"{group}_fields"] = ",".join(chosen)
    return asked


def named(asked: Mapping[str, object], refused: Mapping[str, Collection[str]]) -> set[tuple[str, str]]:
    """Of what was asked, the parameters and values that X does not take.

    Where it takes none of several values of a parameter, it has repeated the question and not said which: then none.
    """
    found: set[tuple[str, str]] = set()
    for name, values in refused.items():
        parameter = name.replace(".", "_")
        given = str(asked.get(parameter, "")).split(",")
        wrong = {value for value in given if value in values}
        if len(wrong) < len(given) or len(given) == 1:
            found |= {(parameter, value) for value in wrong}
    return found


def without(asked: Mapping[str, object], left_out: Collection[tuple[str, str]]) -> dict[str, object]:
    """What is asked, but for these parameters and values."""
    kept: dict[str, object] = {}
    for parameter, given in asked.items():
        values = [value for value in str(given).split(",") if (parameter, value) not in left_out]
        if values:
            kept[parameter] = given if isinstance(given, int) else ",".join(values)
    return kept
