"""What an inventory says of every stream, whatever its source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from sfm_stream.compression import formats
from sfm_stream.settings.collection import Description
from sfm_stream.settings.model import (
    COMPRESSION,
    DATA_DIR,
    MIN_FREE,
    SAVE_INTERVAL,
    STATE_DIR,
    Budget,
    Credential,
    Level,
    Positive,
    Seconds,
)


class DeclaredCredential(msgspec.Struct, frozen=True, kw_only=True):
    """A value of ``sfm_credentials``; each source that needs one adds the secret, and what it is entitled to.

    Attributes:
        source: Whose account or app it is.
        budget: See `StreamSettings.budget`.
    """

    source: str
    budget: Budget = Budget()

    @property
    def secret(self) -> Credential:
        """What the program's credential file holds."""
        raise NotImplementedError


class DeclaredStream(msgspec.Struct, frozen=True, kw_only=True):
    """What may be said of a stream of any source. Keys left out come from the host's variables of the same name.

    Attributes:
        collection: What reports say of it; no program reads that, so a change of it restarts none.
    """

    active: bool = True
    save_interval: Seconds | None = None
    save_bytes: Positive | None = None
    compression: formats.Name | None = None
    compression_level: Level | None = None
    collection: Description | None = None


class DeclaredFilter(DeclaredStream, frozen=True, kw_only=True):
    """An entry of ``sfm_filters``; each source adds what it can match."""

    name: str
    source: str


class HostVars(msgspec.Struct, frozen=True, kw_only=True):
    """The variables of one host that hold for streams of all sources; each key is ``sfm_`` and the attribute's name."""

    data_dir: str = DATA_DIR
    state_dir: str = STATE_DIR
    save_interval: Seconds = SAVE_INTERVAL
    save_bytes: Positive | None = None
    compression: formats.Name = COMPRESSION
    compression_level: Level | None = None
    min_free: str = MIN_FREE
    contact: str = ""
    collection: Description = Description()


class HostDefaults(NamedTuple):
    """What a declared stream takes from its host.

    Attributes:
        host: What holds for every stream.
        own: The variables of the stream's source; a `sfm_stream.sources.base.Inventory.variables`.
        credentials: Those of the host, by name; None for one that is at fault.
    """

    host: HostVars
    own: Any
    credentials: Mapping[str, DeclaredCredential | None]

    def common(self, declared: DeclaredStream) -> dict[str, Any]:
        """The settings that streams of all sources have, but for their names, credentials and budgets."""
        host = self.host
        compression, level = declared.compression or host.compression, declared.compression_level
        if level is None and compression == host.compression:  # the levels of another format mean something else
            level = host.compression_level
        return {
            "active": declared.active,
            "data_dir": host.data_dir,
            "state_dir": host.state_dir,
            "save_interval": declared.save_interval or host.save_interval,
            "save_bytes": declared.save_bytes or host.save_bytes,
            "compression": compression,
            "compression_level": level,
            "min_free": host.min_free,
        }
