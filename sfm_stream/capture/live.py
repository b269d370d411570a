"""What the live status of a program counts, over days and over restarts."""

from __future__ import annotations

import logging
import os
from datetime import datetime

from sfm_stream import clock
from sfm_stream.record.status import Status
from sfm_stream.settings.model import StreamSettings
from sfm_stream.sources.feed import Position

log = logging.getLogger(__name__)


def begun(stream: StreamSettings) -> Status:
    """The status of a program that has just started."""
    return Status(
        program=stream.program,
        pid=os.getpid(),
        since=clock.now(),
        credential=stream.credential,
        per_day=stream.budget.per_day,
        per_month=stream.budget.per_month,
    )


def carry_on(live: Status, last: Status) -> Position | None:
    """Takes over from the last process's status what the next ones must know; returns how far it had come."""
    live.last_post = last.last_post
    live.last_byte = last.last_byte
    live.posts_today, live.bytes_today = last.posts_today, last.bytes_today
    live.messages_today, live.last_message = last.messages_today, last.last_message
    live.last_message_at = last.last_message_at
    live.unmatched_on, live.unmatched_today = last.unmatched_on, last.unmatched_today
    return Position(last.position, last.position_time) if last.position else None


def note(live: Status, what: str) -> None:
    """Tells of damage where a person looks."""
    log.warning("%s", what)
    live.notes += (what,)


def count_posts(live: Status, posts: int, size: int, now: datetime) -> None:
    """Counts posts that are in the files, and their bytes."""
    if live.last_post is None or live.last_post.date() != now.date():
        live.posts_today = live.bytes_today = 0
    live.last_post = now
    live.posts_today += posts
    live.bytes_today += size


def count_messages(live: Status, new: int, last: str, now: datetime) -> None:
    """Counts lines that are no posts; `last` says what the last of them was."""
    if live.last_message_at is None or live.last_message_at.date() != now.date():
        live.messages_today = 0
    live.messages_today += new
    live.last_message, live.last_message_at = last, now


def count_unmatched(live: Status, new: int, now: datetime) -> None:
    """Counts posts that came and were not asked for."""
    if live.unmatched_on != now.date():
        live.unmatched_on, live.unmatched_today = now.date(), 0
    live.unmatched_today += new
