"""The HTTP application: who asks, what is counted, what a plan makes go wrong, which handler answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import cached_property

import msgspec
from aiohttp import web

from sfm_stream.simulator import serve
from sfm_stream.simulator.control import Control
from sfm_stream.simulator.ledger import Ledger
from sfm_stream.sources.x.rules.post_view import PostView
from sfm_stream.sources.x.simulator import actions, plan, rest
from sfm_stream.sources.x.simulator.access import Access, AppSecret
from sfm_stream.sources.x.simulator.apps import App, AppLimits
from sfm_stream.sources.x.simulator.faulty import FaultyConnection
from sfm_stream.sources.x.simulator.firehose import Delivery, Firehose, Item, RecordedPosts
from sfm_stream.sources.x.simulator.generator import Generator
from sfm_stream.sources.x.simulator.problems import Json, invalid_request, refusal
from sfm_stream.sources.x.simulator.stream import FILTERED, SAMPLE, ConnectionOptions
from sfm_stream.sources.x.simulator.wire import read_wanted

_LARGE = 64 * 1024 * 1024
_COUNTED_BY = 2000
"""Generated posts whose share of matches is that of all."""

Handler = Callable[[App, web.Request], Awaitable[tuple[int, Json]]]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line chose.

    Attributes:
        rate: Posts a second.
        seed: Of the generator.
        secrets: The only apps there are; none for any token, each its own app.
        recorded: Posts to replay in place of the generator's.
        loop: Whether they are replayed for ever.
        rule_delay: Seconds until changed rules take effect.
        limits: Of each app.
        settings: Of each connection.
    """

    rate: float = 20.0
    seed: int = 1
    secrets: tuple[AppSecret, ...] = ()
    recorded: list[Item] | None = None
    loop: bool = False
    rule_delay: float = 0.0
    limits: AppLimits = AppLimits()
    settings: ConnectionOptions = ConnectionOptions()


class Simulator:
    """The simulated X."""

    def __init__(self, options: Options, ledger: Ledger, steps: list[plan.Step]) -> None:
        self._options = options
        self._ledger = ledger
        self._plan = plan.RequestPlan(steps)
        self._access = Access(options.secrets, options.limits)
        self._firehose = Firehose(options.rate, options.seed, remember=options.limits.backfill)
        self._replays: dict[tuple[str, str], RecordedPosts] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def application(self) -> web.Application:
        """Everything under its address."""
        application = web.Application(client_max_size=_LARGE)
        add = application.router.add_route
        add("GET", "/2/tweets/search/stream", self._stream(FILTERED))
        add("GET", "/2/tweets/sample/stream", self._stream(SAMPLE))
        limits = self._options.limits
        for method, path, endpoint, limit, handler in (
            ("GET", "/2/tweets/search/stream/rules", "rules", 450, self._list_rules),
            ("POST", "/2/tweets/search/stream/rules", "rules", 100, self._change_rules),
            ("GET", "/2/tweets/search/stream/rules/counts", "counts", 450, self._count_rules),
            ("GET", "/2/connections", "connections", 450, self._list_connections),
            ("DELETE", "/2/connections", "connections", 25, self._end_listed),
            ("DELETE", "/2/connections/{endpoint}", "connections", 25, self._end_endpoint),
            ("GET", "/2/usage/tweets", "usage", 50, self._usage),
            ("GET", "/2/tweets/counts/recent", "post_counts", 300, self._count_posts),
            ("GET", "/2/users/by", "users", 300, self._find_users),
        ):
            # A simulator told to allow many connects is for a test that asks often.
            often = max(limit, limits.connects) if limits.connects > AppLimits().connects else limit
            add(method, path, self._rest(endpoint, often, handler))
        add("POST", "/oauth2/token", self._token)
        Control(self._plan, plan.read_plan, self._ledger, self._state).add_to(application)
        add("*", "/{rest:.*}", self._not_found)
        application.on_startup.append(self._start)
        application.on_shutdown.append(self._stop)
        return application

    async def _start(self, _: web.Application) -> None:
        if self._options.recorded is None:
            self._tasks.add(asyncio.create_task(self._firehose.run()))

    async def _stop(self, _: web.Application) -> None:
        for task in self._tasks:
            task.cancel()
        for app in self._access.apps():
            for link in list(app.links.values()):
                if link.end is not None:
                    link.end("server shutdown")

    # --- Answers -------------------------------------------------------------------------------------------------

    def _answer(
        self,
        request: web.Request,
        app: str,
        status: int,
        body: object,
        headers: dict[str, str] | None = None,
        fault: str | None = None,
    ) -> web.Response:
        """An answer in JSON, noted in the ledger."""
        facts = {"fault": fault} if fault else {}
        self._ledger.note("answer", app=app, method=request.method, path=request.path, status=status, **facts)
        text = b"" if body is None else msgspec.json.encode(body)
        kind = "application/problem+json" if status >= 400 else "application/json"
        return web.Response(body=text, status=status, content_type=kind, charset="utf-8", headers=headers)

    def _refuse(self, request: web.Request, app: App, name: str, headers: dict[str, str]) -> web.Response:
        status, body = refusal(name, None)
        return self._answer(request, app.name, status, body, headers)

    async def _fault(
        self, request: web.Request, app: str, action: actions.Action, headers: dict[str, str]
    ) -> web.StreamResponse | None:
        """Does what a plan has for before an answer; the answer, if that is it."""
        match action:
            case actions.SlowHeaders(seconds=seconds):
                await asyncio.sleep(seconds)
            case actions.Refuse(status=wanted, problem=problem, reset=reset, headers=more, body=body):
                status, usual = refusal(problem, wanted)
                extra = {**headers, **more}
                if reset is not None:
                    extra |= {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(time.time() + reset))}
                return self._answer(request, app, status, usual if body is None else body, extra, "refuse")
            case actions.Redirect(location=location, status=status):
                return self._answer(request, app, status, None, {"location": location}, "redirect")
            case actions.Drop():
                self._ledger.note("answer", app=app, method=request.method, path=request.path, status=0, fault="drop")
                serve.reset(request)
                return web.Response()
            case _:
                pass
        return None

    # --- Streams -------------------------------------------------------------------------------------------------

    def _stream(self, endpoint: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            app = self._access.app(request.headers.get("Authorization", ""))
            if app is None:
                return self._answer(request, "", *refusal("unauthorized", None))
            allowed, headers = app.count(endpoint, app.limits.connects)
            due = list(self._plan.take(endpoint, request.method, app.name))
            for action in due:
                if answer := await self._fault(request, app.name, action, headers):
                    return answer
            if not allowed:
                return self._refuse(request, app, "rate-limit", headers)
            wanted, errors = read_wanted(request.query)
            minutes, complaint = self._backfill_minutes(request)
            errors += complaint
            if errors:
                return self._answer(request, app.name, 400, invalid_request(errors), headers)
            if app.month_usage() >= app.limits.month:
                return self._refuse(request, app, "usage-capped", headers)
            live = app.live(endpoint)
            if len(live) >= app.limits.connections and not app.limits.replace:
                return self._refuse(request, app, "too-many-connections", headers)
            if endpoint == FILTERED and not app.rules:
                return self._refuse(request, app, "no-rules", headers)
            if len(live) >= app.limits.connections:
                rest.end_connections(app, [live[0].id])
            connection = FaultyConnection(request, app, endpoint, wanted, self._options.settings, self._ledger, due)
            self._ledger.note("answer", app=app.name, method="GET", path=request.path, status=200)
            link = connection.link.id
            self._ledger.note("open", connection=link, app=app.name, endpoint=endpoint, backfill=minutes)
            if minutes:
                connection.backfill(self._firehose.recent(minutes * 60))
            with self._feeding(app, endpoint, connection):
                await connection.run(headers)
            return web.Response()

        return handle

    def _backfill_minutes(self, request: web.Request) -> tuple[int, list[Json]]:
        text = request.query.get("backfill_minutes", "0")
        minutes = int(text) if text in {"0", "1", "2", "3", "4", "5"} else -1
        message = ""
        if minutes < 0:
            message = f"The `backfill_minutes` query parameter value [{text}] is not between 0 and 5"
        elif minutes and not self._options.limits.backfill:
            message = "The `backfill_minutes` query parameter is not available to this account"
        return minutes, [{"parameters": {"backfill_minutes": [text]}, "message": message}] if message else []

    def _feeding(self, app: App, endpoint: str, connection: FaultyConnection) -> Delivery:
        if self._options.recorded is None:
            return Delivery(self._firehose, connection, None)
        replay = self._replays.setdefault(
            (app.name, endpoint), RecordedPosts(self._options.recorded, self._options.rate, loop=self._options.loop)
        )
        return Delivery(self._firehose, connection, replay)

    # --- Other endpoints -----------------------------------------------------------------------------------------

    def _rest(
        self, endpoint: str, limit: int, handler: Handler
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            app = self._access.app(request.headers.get("Authorization", ""))
            if app is None:
                return self._answer(request, "", *refusal("unauthorized", None))
            allowed, headers = app.count(f"{request.method} {endpoint}", limit)
            for action in self._plan.take(endpoint, request.method, app.name):
                if answer := await self._fault(request, app.name, action, headers):
                    return answer
            if not allowed:
                return self._refuse(request, app, "rate-limit", headers)
            try:
                status, body = await handler(app, request)
            except rest.BadRequest as error:
                status, body = 400, error.body
            return self._answer(request, app.name, status, body, headers)

        return handle

    async def _list_rules(self, app: App, request: web.Request) -> tuple[int, Json]:
        return rest.list_rules(app, request.query)

    async def _change_rules(self, app: App, request: web.Request) -> tuple[int, Json]:
        status, body, added, deleted = rest.change_rules(app, request.query, await request.read())
        if added or deleted:
            self._ledger.note("rules", app=app.name, added=added, deleted=deleted, by="client")
            if self._options.rule_delay:
                asyncio.get_running_loop().call_later(self._options.rule_delay, app.apply_rules)
            else:
                app.apply_rules()
        return status, body

    async def _count_rules(self, app: App, _: web.Request) -> tuple[int, Json]:
        return rest.count_rules(app, [app])

    async def _list_connections(self, app: App, request: web.Request) -> tuple[int, Json]:
        return rest.list_connections(app, request.query)

    async def _end_listed(self, app: App, request: web.Request) -> tuple[int, Json]:
        return rest.end_listed(app, await request.read())

    async def _end_endpoint(self, app: App, request: web.Request) -> tuple[int, Json]:
        return rest.end_endpoint(app, request.match_info["endpoint"])

    async def _usage(self, app: App, request: web.Request) -> tuple[int, Json]:
        return rest.show_usage(app, request.query)

    async def _count_posts(self, _: App, request: web.Request) -> tuple[int, Json]:
        return rest.count_posts(self._typical, self._options.rate, request.query)

    @cached_property
    def _typical(self) -> list[PostView]:
        """Posts by which those are counted that match a query: the recorded ones, or as the firehose makes them."""
        if self._options.recorded is not None:
            return [item.draft.post for item in self._options.recorded]
        generator = Generator(self._options.seed)
        return [generator.next().post for _ in range(_COUNTED_BY)]

    async def _find_users(self, _: App, request: web.Request) -> tuple[int, Json]:
        return rest.find_users(self._users, request.query)

    @cached_property
    def _users(self) -> dict[str, Json]:
        """Those who post, by their names in lower case; in recorded posts, who had a name first."""
        recorded = self._options.recorded
        users = self._firehose.users
        if recorded is not None:
            users = [user for item in recorded for user in item.draft.post.users.values()]
        named: dict[str, Json] = {}
        for user in users:
            if "username" in user:
                named.setdefault(user["username"].lower(), {"name": user["username"], **user})
        return named

    async def _token(self, request: web.Request) -> web.StreamResponse:
        """A bearer token for a consumer key and secret."""
        for action in self._plan.take("token", request.method, ""):
            if answer := await self._fault(request, "", action, {}):
                return answer
        token = self._access.token(request.headers.get("Authorization", ""))
        form = await request.post()
        if form.get("grant_type") != "client_credentials":
            error = {"code": 170, "label": "forbidden_missing_parameter", "message": "Missing required parameter: grant_type"}  # fmt: skip  # noqa: E501
            return self._answer(request, "", 403, {"errors": [error]})
        if token is None:
            error = {"code": 99, "label": "authenticity_token_error", "message": "Unable to verify your credentials"}
            return self._answer(request, "", 403, {"errors": [error]})
        return self._answer(request, "", 200, {"token_type": "bearer", "access_token": token})

    async def _not_found(self, request: web.Request) -> web.StreamResponse:
        return self._answer(request, "", *refusal("not-found", None))

    def _state(self) -> Json:
        """How things are, for tests."""
        apps = {
            app.name: {
                "rules": [rule.shown() for rule in app.rules.values()],
                "connections": [link.shown() for link in app.links.values()],
                "usage": app.month_usage(),
            }
            for app in self._access.apps()
        }
        return {"apps": apps, "made": self._firehose.made, "steps": len(self._plan.steps)}
