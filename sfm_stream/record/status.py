"""The live status of each program: a small file that it replaces about once a second when something changed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from datetime import date
from pathlib import Path

import msgspec

from sfm_stream import __version__, clock
from sfm_stream.durable import replace_file
from sfm_stream.errors import LockedError, StorageError
from sfm_stream.reading import is_at, read_record

_CAREFULLY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Status(msgspec.Struct, kw_only=True):
    """What a program is doing.

    Attributes:
        program: Its name.
        pid: Its process.
        version: Of this package.
        state: starting, connecting, connected, waiting (before another try), credential (the same, where X refuses one
            that has worked), credits, spend cap or usage cap (stopped until X gives some again), budget or disk
            (stopped until there is some again), stopped.
        since: Since when it has this state.
        detail: Why, in words.
        settings: sha256 of the settings file that it runs with.
        credential: The name of its credential.
        rules_wanted: Names what the rules of the settings match; empty for a stream
            without rules.
        rules_live: The same of the rules that X was last seen to hold.
        rules_checked: When they were seen.
        rules_missing: Wanted rules that X did not hold then.
        rules_fault: Why the two differ or could not be compared, in X's own words where it refused a rule.
        position: How far the stream has come in its source's sequence: all lines up to there are on the disk.
        position_time: When the source sent what is there.
        unmatched_today: Lines of the day `unmatched_on` that matched nothing, and were not kept.
        unmatched_on: The day (UTC).
        account: An account that has lost the name under which it is followed, as last seen in a post.
        connected_since: When the present connection was made.
        last_byte: When anything last arrived, keep-alives included.
        last_post: When a post last arrived.
        posts_today: Posts since midnight UTC.
        bytes_today: Their size as they arrived.
        messages_today: Lines since midnight UTC that are no posts, which the journal has.
        last_message: The kind of the last one, and what it was about.
        last_message_at: When it came.
        segment: The file being written.
        buffer: Bytes that wait to be written.
        buffer_high: The most that ever waited.
        unwritten: Since when posts arrived that a kill would take: they wait, or are not flushed yet. Carried on from a
            process that was killed until the journal tells of the gap.
        today: What the credential consumed today, of `per_day`.
        this_month: The same of the month, of `per_month`.
        dollars: The price of this month's posts.
        free: Free bytes where the data lies; `floor` of them are not to be used.
        notes: What was found damaged when it started, and what was made of that.
    """

    program: str
    pid: int
    version: str = __version__
    state: str = "starting"
    since: clock.Time
    detail: str = ""
    settings: str = ""
    credential: str = ""
    account: str = ""
    position: str = ""
    position_time: clock.Time | None = None
    unmatched_today: int = 0
    unmatched_on: date | None = None
    rules_wanted: str = ""
    rules_live: str = ""
    rules_checked: clock.Time | None = None
    rules_missing: int = 0
    rules_fault: str = ""
    connected_since: clock.Time | None = None
    last_byte: clock.Time | None = None
    last_post: clock.Time | None = None
    posts_today: int = 0
    bytes_today: int = 0
    messages_today: int = 0
    last_message: str = ""
    last_message_at: clock.Time | None = None
    segment: str | None = None
    buffer: int = 0
    buffer_high: int = 0
    unwritten: clock.Time | None = None
    today: int = 0
    per_day: int | None = None
    this_month: int = 0
    per_month: int | None = None
    dollars: float = 0.0
    free: int = 0
    floor: int = 0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        clock.check(
            *(self.since, self.rules_checked, self.connected_since, self.last_byte, self.last_post, self.unwritten)
        )


def status_path(state_dir: Path, program: str) -> Path:
    """Where the status of a program lies."""
    return state_dir / "status" / f"{program}.json"


def write(state_dir: Path, status: Status) -> None:
    """Replaces the status file; a power cut may bring back an older one.

    Raises:
        OSError: The disk is full, or fails.
    """
    path = status_path(state_dir, status.program)
    replace_file(path, msgspec.json.format(msgspec.json.encode(status)) + b"\n", durable=False)


def read(state_dir: Path, program: str) -> Status | None:
    """The last status of a program; None where it has left none.

    Raises:
        UnreadableError: It has left one that cannot be read.
    """
    return read_record(status_path(state_dir, program), Status)


class Lock:
    """Holds a program's name for the life of the process, so that no two write under it.

    Raises:
        LockedError: Another live process holds it.
        StorageError: The state directory cannot be written.
    """

    def __init__(self, state_dir: Path, program: str) -> None:
        self._path = _lock_path(state_dir, program)
        try:
            self._path.parent.mkdir(mode=0o750, exist_ok=True)
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | _CAREFULLY, 0o640)
            _take(self._descriptor)
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)
        except BlockingIOError as error:
            pid = os.pread(self._descriptor, 20, 0).decode("ascii", "replace") or "unknown"
            os.close(self._descriptor)
            raise LockedError(
                f"{program}: another process (pid {pid}) runs under this name; one at a time writes its files"
            ) from error
        except OSError as error:
            raise StorageError(f"{self._path}: cannot be written: {error.strerror}") from error

    def check(self) -> None:
        """Sees that the name is still held.

        Raises:
            LockedError: The file was removed or replaced: another process may hold the name by now.
        """
        if not is_at(self._path, self._descriptor):
            raise LockedError(
                f"{self._path} was removed or replaced: another process may run under this name, so this one ends"
            )


def _take(descriptor: int) -> None:
    """Tries for a moment: a process that asks whether the program is alive holds the lock just as long."""
    for _ in range(9):
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(0.05)
    return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_alive(state_dir: Path, program: str) -> bool:
    """Whether a process holds the program's name."""
    try:
        descriptor = os.open(_lock_path(state_dir, program), os.O_RDONLY | _CAREFULLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def _lock_path(state_dir: Path, program: str) -> Path:
    return state_dir / "lock" / f"{program}.lock"
