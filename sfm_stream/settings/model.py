"""The settings that streams of every source have; each source adds its own, see `sources/<name>/settings.py`."""

from __future__ import annotations

import re
from typing import Annotated, Self

import msgspec

from sfm_stream.compression import formats

SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What names of filters, rules and credentials are made of: they become file names and supervisor programs."""

DATA_DIR = "/var/lib/sfm/data"
STATE_DIR = "/var/lib/sfm/state"
SAVE_INTERVAL = 900.0
COMPRESSION: formats.Name = "gzip"
MIN_FREE = "1G"
"""Defaults of the settings below, for the variables of a host that set them."""

Positive = Annotated[int, msgspec.Meta(gt=0)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Level = Annotated[int, msgspec.Meta(ge=1, le=9)]


class Budget(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one credential may consume; None sets no limit. Days and months are UTC's, as X's own.

    Attributes:
        per_day: Posts a day.
        per_month: Posts a month.
        per_minute: Posts in any 60 seconds; more of them stop the stream until the next full hour.
        price: Dollars a post, to show what was spent.
    """

    per_day: Positive | None = None
    per_month: Positive | None = None
    per_minute: Positive | None = None
    price: Annotated[float, msgspec.Meta(ge=0)] = 0.005


class StreamSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The settings that a stream of any source has.

    Attributes:
        source: Where its posts come from.
        name: The filter's name.
        credential: Names the file with the secret; "" for a source that needs none.
        active: Whether a program runs for it.
        data_dir: Where segments and capture files go.
        state_dir: Where journal, lock and live status go.
        save_interval: Seconds after which a segment is finished.
        save_bytes: Compressed size after which it is finished sooner; None for never.
        compression: The format of files.
        compression_level: From 1, which is fast, to 9, for the smallest files; None for the format's usual one.
        min_free: Free space that the data directory's filesystem must keep, like ``1G`` or ``5%``.
        budget: What the credential, or the stream where it has none, may consume.
        accounts: The ids of accounts followed by name, as the source resolved them: the name without @ and in small
            letters, and the id.
    """

    source: str
    name: str
    credential: str = ""
    active: bool = True
    data_dir: str = DATA_DIR
    state_dir: str = STATE_DIR
    save_interval: Seconds = SAVE_INTERVAL
    save_bytes: Positive | None = None
    compression: formats.Name = COMPRESSION
    compression_level: Level | None = None
    min_free: str = MIN_FREE
    budget: Budget = Budget()
    accounts: dict[str, str] = {}

    @property
    def budget_key(self) -> str:
        """Under which name what it consumes is counted: that of its credential, or its own."""
        return self.credential or self.program

    @property
    def format(self) -> formats.Format:
        """The format of its files, at the level that is wanted."""
        return formats.BY_NAME[self.compression].at(self.compression_level)

    @property
    def without_format(self) -> Self:
        """The settings without that, which a running program takes up with its next file."""
        return msgspec.structs.replace(self, compression=COMPRESSION, compression_level=None)

    @property
    def program(self) -> str:
        """The name of its supervisor program, and the first part of its files' names."""
        raise NotImplementedError

    @property
    def arguments(self) -> tuple[str, ...]:
        """With which arguments `sfm-stream` captures it."""
        return ("filterstream", self.name)


class Credential(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A secret of an account or app. Each source that needs one declares what it consists of."""
