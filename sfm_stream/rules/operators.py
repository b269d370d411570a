"""The operators of X's rule language that stand before a colon, and the values that each takes.

Source: X's table of operators for the filtered stream.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from sfm_stream.settings.faults import nearest

HAS = ("cashtags", "geo", "hashtags", "images", "links", "media", "mentions", "video_link", "videos")
IS = ("nullcast", "quote", "reply", "retweet", "verified")
_KILOMETRES_PER_MILE = 1.609344
_NUMBER = r"[-+]?\d{1,3}(?:\.\d{1,15})?"


class QueryError(ValueError):
    """A text that X would not take; the message says what to do about it."""


class Term(msgspec.Struct, frozen=True):
    """One operator and its value.

    Attributes:
        operator: ``word``, ``phrase``, ``near``, ``#``, ``@``, ``$``, or an operator's name without its colon.
        value: What stands after it, without quotes and brackets.
        numbers: Of ``near``: (distance in words,); of ``sample``: (percent,); of ``point_radius``: (longitude,
            latitude, miles); of ``bounding_box``: (west, south, east, north) in degrees; of the ``_count``
            operators: (least, most).
    """

    operator: str
    value: str
    numbers: tuple[float, ...] = ()


def cut(text: str) -> str:
    """A text as a message shows it."""
    return text if len(text) <= 40 else f"{text[:39]}…"


def _any(name: str, value: str) -> Term:
    return Term(name, value)


def _pattern(pattern: str, allowed: str) -> Callable[[str, str], Term]:
    compiled = re.compile(pattern, re.ASCII)

    def read(name: str, value: str) -> Term:
        if not compiled.fullmatch(value):
            raise QueryError(f"{name}:{cut(value)}: {allowed}")
        return Term(name, value)

    return read


def _one_of(known: tuple[str, ...]) -> Callable[[str, str], Term]:
    def read(name: str, value: str) -> Term:
        if value not in known:
            raise QueryError(f"{name}:{cut(value)} does not exist; {nearest(cut(value), known)}")
        return Term(name, value)

    return read


def _sample(name: str, value: str) -> Term:
    if not re.fullmatch(r"0*[1-9]\d?|100", value, re.ASCII):
        raise QueryError(f"{name}:{cut(value)}: a whole percentage from 1 to 100 is needed")
    return Term(name, value, (float(value),))


def _count(name: str, value: str) -> Term:
    match = re.fullmatch(r"(\d{1,12})(?:\.\.(\d{1,12}))?", value, re.ASCII)
    if match is None:
        raise QueryError(f"{name}:{cut(value)}: a number or a range like 1000..5000 is needed")
    least, most = float(match[1]), float(match[2]) if match[2] else float("inf")
    if least > most:
        raise QueryError(f"{name}:{cut(value)}: the smaller number must come first")
    return Term(name, value, (least, most))


def _bounding_box(name: str, value: str) -> Term:
    match = re.fullmatch(rf"\s*({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s*", value, re.ASCII)
    if match is None:
        raise QueryError(f"{name}:[west south east north] in degrees is needed, found [{cut(value)}]")
    west, south, east, north = (float(each) for each in match.groups())
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise QueryError(f"{name}: the order is west south east north, longitudes -180 to 180, latitudes -90 to 90")
    return Term(name, value, (west, south, east, north))


def _point_radius(name: str, value: str) -> Term:
    match = re.fullmatch(rf"\s*({_NUMBER})\s+({_NUMBER})\s+(\d{{1,5}}(?:\.\d{{1,6}})?)(mi|km)\s*", value, re.ASCII)
    if match is None:
        raise QueryError(f"{name}:[longitude latitude 10mi] is needed (mi or km), found [{cut(value)}]")
    longitude, latitude, radius = float(match[1]), float(match[2]), float(match[3])
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90 and radius > 0):
        raise QueryError(f"{name}: longitude -180 to 180 comes first, then latitude -90 to 90, then a radius above 0")
    miles = radius if match[4] == "mi" else radius / _KILOMETRES_PER_MILE
    return Term(name, value, (longitude, latitude, miles))


_account = _pattern(r"\w{1,20}", "an account's name, without @, or its numeric id is needed")
_id = _pattern(r"\d{1,19}", "the numeric id of a post is needed")

VALUES: dict[str, Callable[[str, str], Term]] = {
    "bio": _any,
    "bio_location": _any,
    "bio_name": _any,
    "bounding_box": _bounding_box,
    "context": _pattern(r"(\d+|\*)\.(\d+|\*)", "domain.entity is needed, two ids, like context:10.799022225751871488"),
    "conversation_id": _id,
    "entity": _any,
    "followers_count": _count,
    "following_count": _count,
    "from": _account,
    "from_affiliate_of": _account,
    "has": _one_of(HAS),
    "in_reply_to_tweet_id": _id,
    "is": _one_of(IS),
    "lang": _pattern(r"[a-z]{2,3}(-[A-Za-z]{2,4})?", "a language code like en or pt is needed"),
    "listed_count": _count,
    "place": _any,
    "place_country": _pattern(r"[A-Za-z]{2}", "a country code of two letters, like US, is needed"),
    "point_radius": _point_radius,
    "quotes_of_tweet_id": _id,
    "retweets_of": _account,
    "retweets_of_tweet_id": _id,
    "sample": _sample,
    "source": _any,
    "to": _account,
    "to_affiliate_of": _account,
    "tweets_count": _count,
    "url": _any,
    "url_contains": _any,
    "url_description": _any,
    "url_title": _any,
}
"""The names that may stand before a colon, and who reads what comes after it."""
