"""The one connection that X allows an app: who holds it, and what to do when it is our own dead self.

After a crash or a broken network X may take the old connection for live, and refuse another for many minutes. But it
lists the connections. One that was made when we made one, at the same endpoint, while we have none and no other live
program has our name (the caller holds its lock), can only be that dead one, and is ended. Any other is somebody's,
and left alone.
"""

from __future__ import annotations

import logging
from datetime import datetime

from sfm_stream.capture import api
from sfm_stream.capture.client import Client
from sfm_stream.record.journal import Record

SAME_CONNECT = 3.0
"""X's and our time of one and the same connect differ by less than this many seconds."""
REMEMBERED = 10

log = logging.getLogger(__name__)


class Slot:
    """The slot of one endpoint.

    Args:
        endpoint: ``filtered_stream`` or ``sample_stream``.
        journal: Told what was done.
        connected_at: When the last run of the program connected, by X's clock.
    """

    def __init__(self, endpoint: str, journal: Record, connected_at: datetime | None) -> None:
        self.endpoint = endpoint
        self._journal = journal
        self._own = [connected_at] if connected_at else []

    def took(self, at: datetime) -> None:
        """We connected, by X's clock at `at`."""
        self._own = [*self._own, at][-REMEMBERED:]

    def release(self, client: Client) -> str | None:
        """Ends our own dead connection; returns None if there was one, and otherwise who holds the slot, in words.

        Raises:
            Refused, Dropped: X could not be asked.
        """
        live = api.live_connections(client, self.endpoint)
        for connection in live:
            if self._is_own(connection):
                api.end_connection(client, connection)
                self._tell(connection, "ended: it was ours, and is dead")
                return None
        for connection in live:
            self._tell(connection, "waiting: it is not ours")
        holders = [f"{each.client_ip or 'unknown address'} since {each.connected_at}" for each in live]
        return f"another program holds the slot: {', '.join(holders) or 'X does not say which'}"

    def _is_own(self, connection: api.LiveConnection) -> bool:
        at = connection.connected_at
        return at is not None and any(abs((at - own).total_seconds()) <= SAME_CONNECT for own in self._own)

    def _tell(self, connection: api.LiveConnection, action: str) -> None:
        log.warning("connection %s from %s: %s", connection.id, connection.client_ip, action)
        self._journal.write(
            "slot",
            connection=connection.id,
            client_ip=connection.client_ip,
            connected_at=connection.connected_at,
            action=action,
        )
