"""The operators of X's rule language that stand before a colon, and the values that each takes.

Source: X's table of operators for the filtered stream, and its changelog. X adds operators now and then, so one that is
not listed here is read all the same: whether it exists is for X to say.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from sfm_stream.matching.expression import QueryError, Term, cut

HAS = ("cashtags", "geo", "hashtags", "images", "links", "media", "mentions", "video_link", "videos")
IS = ("nullcast", "quote", "reply", "retweet", "verified")
LANGUAGES = (
    *(
        "am",
        "ar",
        "bg",
        "bn",
        "bo",
        "bs",
        "ca",
        "ckb",
        "cs",
        "cy",
        "da",
        "de",
        "dv",
        "el",
        "en",
        "es",
        "et",
        "eu",
        "fa",
    ),
    *("fi", "fr", "gu", "hi", "hi-Latn", "hr", "ht", "hu", "hy", "in", "is", "it", "iw", "ja", "ka", "km", "kn", "ko"),
    *("lo", "lt", "lv", "ml", "mr", "my", "ne", "nl", "no", "or", "pa", "pl", "ps", "pt", "ro", "ru", "sd", "si", "sk"),
    *("sl", "sr", "sv", "ta", "te", "th", "tl", "tr", "ug", "uk", "und", "ur", "vi", "zh-CN", "zh-TW"),
)
"""The codes that X's pages list for lang:. Some are not those of today: Hebrew is iw, Indonesian is in."""
ENTERPRISE = frozenset({"embedding", "embedding_threshold"})
"""Operators that X sells to Enterprise only."""
SEARCH_ONLY = frozenset({"min_likes", "min_replies", "min_reposts"})
"""Operators that X's table has for search only, and its changelog for the stream, too."""
_KILOMETRES_PER_MILE = 1.609344
_MILES_PER_DEGREE = 69.0
_NUMBER = r"[-+]?\d{1,3}(?:\.\d{1,15})?"


Box = tuple[float, float, float, float]
"""West, south, east, north, in degrees."""


def _any(name: str, value: str) -> Term:
    return Term(name, value)


def _pattern(pattern: str, allowed: str) -> Callable[[str, str], Term]:
    compiled = re.compile(pattern, re.ASCII)

    def read(name: str, value: str) -> Term:
        if not compiled.fullmatch(value):
            raise QueryError(f"{name}:{cut(value)}: {allowed}")
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


def _at_least(name: str, value: str) -> Term:
    if not re.fullmatch(r"\d{1,12}", value, re.ASCII):
        raise QueryError(f"{name}:{cut(value)}: a number like 1000 is needed")
    return Term(name, value, (float(value), float("inf")))


def _threshold(name: str, value: str) -> Term:
    if not re.fullmatch(r"0?\.[3-6]\d{0,3}", value, re.ASCII) or float(value) > 0.6:
        raise QueryError(f"{name}:{cut(value)}: a number from 0.30 to 0.60 is needed")
    return Term(name, value)


def _bounding_box(name: str, value: str) -> Term:
    match = re.fullmatch(rf"\s*({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s*", value, re.ASCII)
    if match is None:
        raise QueryError(f"{name}:[west south east north] in degrees is needed, found [{cut(value)}]")
    west, south, east, north = (float(each) for each in match.groups())
    if two := over_the_date_line((west, south, east, north)):
        both = " OR ".join(f"{name}:[{degrees(box)}]" for box in two)
        raise QueryError(f"{name}: the order is west south east north; over the date line make two boxes: ({both})")
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


def degrees(box: tuple[float, ...]) -> str:
    """A box as X's rules have it, without its brackets."""
    return " ".join(f"{degree:.6f}".rstrip("0").rstrip(".") for degree in box)


def over_the_date_line(box: Box) -> tuple[Box, Box] | None:
    """The two boxes that together are this one, whose west is east of its east; None if that is not so."""
    west, south, east, north = box
    if not (-180 <= east < west <= 180 and -90 <= south < north <= 90):
        return None
    return (west, south, 180.0, north), (-180.0, south, east, north)


def longest_side(box: Box) -> float:
    """The longest side of a box (west, south, east, north), in miles."""
    west, south, east, north = box
    nearest_to_equator = 0.0 if south <= 0 <= north else min(abs(south), abs(north))
    width = (east - west) * math.cos(math.radians(nearest_to_equator))
    return max(width, north - south) * _MILES_PER_DEGREE


_account = _pattern(r"\w{1,20}", "an account's name, without @, or its numeric id is needed")
_name = _pattern(r"\w{1,30}", "a name like images or retweet is needed")
_id = _pattern(r"\d{1,19}", "the numeric id of a post is needed")

VALUES: dict[str, Callable[[str, str], Term]] = {
    "bio": _any,
    "bio_location": _any,
    "bio_name": _any,
    "bounding_box": _bounding_box,
    "context": _pattern(r"(\d+|\*)\.(\d+|\*)", "domain.entity is needed, two ids, like context:10.799022225751871488"),
    "conversation_id": _id,
    "embedding": _any,
    "embedding_threshold": _threshold,
    "entity": _any,
    "followers_count": _count,
    "following_count": _count,
    "from": _account,
    "from_affiliate_of": _account,
    "has": _name,
    "in_reply_to_tweet_id": _id,
    "is": _name,
    "lang": _pattern(r"[a-z]{2,3}(-[A-Za-z]{2,4})?", "a language code like en or pt is needed"),
    "listed_count": _count,
    "min_followers": _at_least,
    "min_likes": _at_least,
    "min_replies": _at_least,
    "min_reposts": _at_least,
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
"""The names that stand before a colon, and who reads what comes after it."""


def read_value(name: str, value: str) -> Term:
    """The term that an operator's name and value make.

    Raises:
        QueryError: X would not take the value.
    """
    return VALUES.get(name, _any)(name, value)
