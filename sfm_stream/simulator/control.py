"""What tests ask of a simulator, beside what its service answers: plans, the ledger, the state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from aiohttp import web

from sfm_stream.errors import ConfigError
from sfm_stream.simulator.ledger import Ledger

PREFIX = "/_simulator"
S = TypeVar("S")


class HasSteps(Protocol[S]):
    """Steps that are used up from the front."""

    steps: list[S]


class Control(Generic[S]):
    """The endpoints under `PREFIX`; nobody needs a token for them.

    Args:
        current: The plan in force.
        read_plan: Reads another one, given with a name for messages; raises `ConfigError` for what is none.
        ledger: What to show.
        state: Says how things are, as JSON.
    """

    def __init__(
        self,
        current: HasSteps[S],
        read_plan: Callable[[bytes, str], list[S]],
        ledger: Ledger,
        state: Callable[[], dict[str, Any]],
    ) -> None:
        self._plan, self._read_plan, self._ledger, self._state = current, read_plan, ledger, state

    def add_to(self, application: web.Application) -> None:
        """Adds the endpoints."""
        add = application.router.add_route
        add("POST", f"{PREFIX}/plan", self._set_plan)
        add("GET", f"{PREFIX}/plan", self._get_plan)
        add("GET", f"{PREFIX}/ledger", self._get_ledger)
        add("GET", f"{PREFIX}/state", self._get_state)

    async def _set_plan(self, request: web.Request) -> web.Response:
        """Puts a new plan in place of the old one, or with ``?append=true`` after it."""
        try:
            steps = self._read_plan(await request.read(), "plan")
        except ConfigError as error:
            return web.json_response({"error": str(error)}, status=400)
        kept = self._plan.steps if request.query.get("append", "").lower() == "true" else []
        self._plan.steps = [*kept, *steps]
        return web.json_response({"steps": len(self._plan.steps)})

    async def _get_plan(self, _: web.Request) -> web.Response:
        """How many steps are left."""
        return web.json_response({"steps": len(self._plan.steps)})

    async def _get_ledger(self, _: web.Request) -> web.Response:
        return web.Response(body=self._ledger.read(), content_type="application/x-ndjson")

    async def _get_state(self, _: web.Request) -> web.Response:
        return web.json_response(self._state())
