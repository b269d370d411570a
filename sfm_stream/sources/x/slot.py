"""The one connection that X allows an app: who holds it, and what to do when it is our own dead self.

After a crash or a broken network X may take the old connection for live, and refuse another for many minutes. But it
lists the connections. A connection is ours if it has the id that X gave to ours when it stood; or, where a crash came
before X could be asked for that id, if it came from the address from which X has seen us before, and began when we
connected. Ours can only be dead: we have none, and no other live program has our name (the caller holds its lock).
Any other is somebody's, though it began in the same second, and left alone.
"""

from __future__ import annotations

import logging
from datetime import datetime

from sfm_stream.record.entries import OURS
from sfm_stream.record.journal import Record
from sfm_stream.record.last_run import LastRun
from sfm_stream.sources.x import api
from sfm_stream.sources.x.client import Client

SAME_CONNECT = 3.0
"""X's and our time of one and the same connect differ by less than this many seconds."""
REMEMBERED = 10

log = logging.getLogger(__name__)


class Slot:
    """The slot of one endpoint.

    Args:
        endpoint: ``filtered_stream`` or ``sample_stream``.
        journal: Told what was done, and how X knows our connection.
        past: Of the program's last run.
    """

    def __init__(self, endpoint: str, journal: Record, past: LastRun) -> None:
        self.endpoint = endpoint
        self._journal = journal
        self._nameless = [past.connected_at] if past.connected_at and not past.connection else []
        """When we connected, those times of which X has not said which connection it was."""
        self._ids = [past.connection] if past.connection else []
        self._address = past.address or None

    def took(self, at: datetime) -> None:
        """We connected, by X's clock at `at`."""
        self._nameless = [*self._nameless, at][-REMEMBERED:]

    def identify(self, client: Client) -> bool:
        """Asks X which connection is ours: the one that began when we last connected, if it is the only one.

        Raises:
            Refused, Dropped: X could not be asked.
        """
        at = self._nameless[-1]
        found = [each for each in api.live_connections(client, self.endpoint) if _began(each, at)]
        if len(found) != 1:
            return False  # another client of the app connected in the same moment: either could be ours
        ours = found[0]
        self._ids = [*self._ids, ours.id][-REMEMBERED:]
        self._nameless = self._nameless[:-1]
        self._address = ours.client_ip or self._address
        self._tell(ours, OURS)
        return True

    def release(self, client: Client) -> str | None:
        """Ends our own dead connection; returns None if there was one, and otherwise who holds the slot.

        Raises:
            Refused, Dropped: X could not be asked.
        """
        live = api.live_connections(client, self.endpoint)
        for connection in live:
            # One at most can be: X grants an app one connection of a kind, and the others are of other programs.
            if self._is_own(connection):
                api.end_connection(client, connection)
                log.warning("connection %s from %s was ours, and is dead: ended", connection.id, connection.client_ip)
                self._tell(connection, "ended: it was ours, and is dead")
                return None
        for connection in live:
            log.warning("connection %s from %s is not ours: waiting", connection.id, connection.client_ip)
            self._tell(connection, "waiting: it is not ours")
        holders = [f"{each.client_ip or 'unknown address'} since {each.connected_at}" for each in live]
        return f"another program holds the slot: {', '.join(holders) or 'X does not say which'}"

    def _is_own(self, connection: api.LiveConnection) -> bool:
        if connection.id in self._ids:
            return True
        # Without an id there is only circumstance: both the address and the time must fit, since ending somebody else's
        # connection would be worse than waiting for X to notice that ours is dead.
        known = self._address is not None and connection.client_ip == self._address
        return known and any(_began(connection, at) for at in self._nameless)

    def _tell(self, connection: api.LiveConnection, action: str) -> None:
        self._journal.write(
            "slot",
            connection=connection.id,
            client_ip=connection.client_ip,
            connected_at=connection.connected_at,
            action=action,
        )


def _began(connection: api.LiveConnection, at: datetime) -> bool:
    found = connection.connected_at
    return found is not None and abs((found - at).total_seconds()) <= SAME_CONNECT
