"""The client for asyncio, over aiohttp: the same calls, awaited.

Nothing that may change anything is ever sent twice: aiohttp itself asks again only where nothing can
be changed. aiohttp and asyncio are imported when the first call is made, so that importing this is light.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from fairlead.client import calls, shapes
from fairlead.client.address import Address, words
from fairlead.client.answer import Answer, OnAnswer, answer_of
from fairlead.client.errors import ClientError, Unreachable
from fairlead.client.events import Event
from fairlead.client.following import Following
from fairlead.client.paging import PAGE_ORDERS, TIME_FIRST, TIME_LAST, HistoryPages
from fairlead.client.settings import Settings
from fairlead.client.streaming import OnMessage, streamed
from fairlead.client.waiting import (
    Ask,
    Conversation,
    Heard,
    Pause,
    place_and_wait,
    wait_until_final,
)
from fairlead.core.model import AccountMode

if TYPE_CHECKING:
    import ssl

    import aiohttp

Result = TypeVar("Result")


class AsyncClient:
    """One running system, for one event loop; `close` it, or use `async with`.

    Raises what `Client` raises. A call that is cancelled may have been done: for an order, ask for its
    status.
    """

    def __init__(
        self, url: str, settings: Settings | None = None, on_answer: OnAnswer | None = None
    ) -> None:
        """`on_answer` hears every answer as it came.

        Raises ValueError if `url` is neither `http://HOST:PORT` nor `https://HOST:PORT`, and what
        `Settings.tls` raises.
        """
        self.address = Address.of(url)
        self._on_answer = on_answer
        self.settings = settings or Settings()
        self._tls = self.settings.tls(is_secure=self.address.is_secure)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    # ── one call ─────────────────────────────────────────────────────────────────────────────────

    async def run(self, call: calls.Call[Result], timeout_s: float | None = None) -> Result:
        """Make any call of `fairlead.client.calls` and return what was answered. Raises ClientError."""
        return calls.result(call, await self.ask(call, timeout_s))

    async def ask(self, call: calls.Call[Any], timeout_s: float | None = None) -> Answer:
        """Send `call` once and return the answer as it came, also a refusal.

        `timeout_s` is how long the system may be silent. Raises Unreachable, OutcomeUnknown.
        """
        import aiohttp
        from yarl import URL

        settings = self.settings
        if self._session is None:
            self._session = _session(settings, self._tls)
        timeout = aiohttp.ClientTimeout(
            total=None,
            connect=settings.connect_timeout_s,
            sock_read=settings.timeout_s if timeout_s is None else timeout_s,
        )
        headers = settings.headers(call.method, self.address.authority, call.path, call.body)
        url = URL(self.address.url + call.path, encoded=True)
        await _hear()
        try:
            async with self._session.request(
                call.method,
                url,
                data=call.body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                body = await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unreachable(
                f"no system answers at {self.address.url} ({words(error)})"
            ) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise calls.unanswered(call, words(error)) from error
        answer = answer_of(
            response.status,
            body,
            response.headers.get("x-fairlead-after"),
            response.headers.get("retry-after"),
        )
        if self._on_answer is not None:
            self._on_answer(answer)
        return answer

    # ── orders ───────────────────────────────────────────────────────────────────────────────────

    async def place(self, order: shapes.NewOrder) -> shapes.OrderReport:
        """Place `order` and return its report, at ROUTED or later, or REJECTED with `error_message`.

        The same order again, with the same client order id, is placed once. Raises Invalid, Conflict,
        Unavailable; OutcomeUnknown when it may have been placed, also when it is in doubt.
        """
        return await self.run(calls.place(order))

    async def place_and_wait(
        self, order: shapes.NewOrder, wait_s: float = 30.0
    ) -> shapes.OrderReport:
        """Place `order` once and, when no answer comes, ask until it is known what became of it.

        Raises NotDone when it was certainly not placed, OutcomeUnknown with the last report when it
        is still not known after `wait_s`.
        """
        return await self._hold(place_and_wait(order, wait_s, time.monotonic()))

    async def wait_until_final(
        self, client_order_id: str, exchange_id: str | None = None, wait_s: float | None = None
    ) -> shapes.OrderReport:
        """Return the order's report once it is FILLED, CANCELED or REJECTED and nothing in doubt.

        Raises NotYet after `wait_s` (None: however long it takes), NotFound.
        """
        return await self._hold(
            wait_until_final(client_order_id, exchange_id, wait_s, time.monotonic())
        )

    async def status(
        self, client_order_id: str, exchange_id: str | None = None
    ) -> shapes.OrderReport:
        """Return the order's report, open or not; the newest where several accounts have the id.

        Raises NotFound.
        """
        return await self.run(calls.status(client_order_id, exchange_id))

    async def check(self, order: shapes.NewOrder) -> shapes.Checks:
        """Return what every check says of `order` now, in the order a real one's are made.

        Nothing is stored or sent, and the client order id is not used up.
        """
        return await self.run(calls.check(order))

    async def story(self, client_order_id: str, exchange_id: str | None = None) -> shapes.Story:
        """Return the order and every report about it, with the time each took.

        Raises NotFound.
        """
        return await self.run(calls.story(client_order_id, exchange_id))

    async def open_orders(
        self, exchange_id: str | None = None
    ) -> AsyncIterator[shapes.OrderReport]:
        """Yield the orders that are not final, of one account or of all."""
        for report in await self.run(calls.open_orders(exchange_id)):
            yield report

    async def history(
        self,
        time_start: datetime | str = TIME_FIRST,
        time_end: datetime | str = TIME_LAST,
        exchange_id: str | None = None,
        page_orders: int = PAGE_ORDERS,
    ) -> AsyncIterator[shapes.HistoryOrder]:
        """Yield the orders that changed from start up to end, once each, a page in memory at a time.

        Raises Invalid.
        """
        pages = HistoryPages(time_start, time_end, exchange_id, page_orders)
        while (call := pages.next_call) is not None:
            for order in pages.take(await self.run(call)):
                yield order

    async def cancel(
        self,
        exchange_id: str,
        client_order_id: str | None = None,
        exchange_order_id: str | None = None,
    ) -> shapes.OrderReport:
        """Have one order cancelled, by one of its ids; return its last report.

        A cancel may be repeated without harm. Raises NotFound, Invalid, Unavailable, OutcomeUnknown.
        """
        return await self.run(calls.cancel(exchange_id, client_order_id, exchange_order_id))

    async def cancel_all(self, exchange_id: str) -> shapes.CancelAll:
        """Have every order of the account cancelled that is not final.

        Raises Unavailable, OutcomeUnknown.
        """
        return await self.run(calls.cancel_all(exchange_id))

    # ── accounts ─────────────────────────────────────────────────────────────────────────────────

    async def balances(self, exchange_id: str | None = None) -> tuple[shapes.Balances, ...]:
        """Return what one account, or each, has. Raises Unavailable for one never loaded."""
        return await self.run(calls.balances(exchange_id))

    async def positions(self, exchange_id: str | None = None) -> tuple[shapes.Positions, ...]:
        """Return the positions of one account, or of each. Raises Unavailable for one never loaded."""
        return await self.run(calls.positions(exchange_id))

    async def instruments(self, exchange_id: str | None = None) -> tuple[shapes.Instruments, ...]:
        """Return the markets and their rules. Raises Unavailable for an account never loaded."""
        return await self.run(calls.instruments(exchange_id))

    async def accounts(self, exchange_id: str | None = None) -> tuple[shapes.Account, ...]:
        """Return the accounts' modes and connections. Raises Unavailable for an unknown one."""
        return await self.run(calls.accounts(exchange_id))

    async def reconciliation(
        self, exchange_id: str | None = None
    ) -> tuple[shapes.Reconciliation, ...]:
        """Return through which trade each account is reconciled, its last sweep, and its drifts.

        Raises Unavailable for an unknown account.
        """
        return await self.run(calls.reconciliation(exchange_id))

    # ── operating ────────────────────────────────────────────────────────────────────────────────

    async def attention(self, exchange_id: str | None = None) -> tuple[shapes.Attention, ...]:
        """Return the orders that an operator should look at, and why."""
        return await self.run(calls.attention(exchange_id))

    async def resolve(
        self, exchange_id: str, client_order_id: str, resolution: shapes.Resolution
    ) -> shapes.OrderReport:
        """Declare what became of an order, having looked at the exchange.

        Raises NotFound, Invalid when it cannot be declared so, OutcomeUnknown.
        """
        return await self.run(calls.resolve(exchange_id, client_order_id, resolution))

    async def set_mode(self, exchange_id: str, mode: AccountMode) -> shapes.Mode:
        """Make an account active, reducing or halted. Raises Unavailable, OutcomeUnknown."""
        return await self.run(calls.set_mode(exchange_id, mode))

    # ── health ───────────────────────────────────────────────────────────────────────────────────

    async def live(self) -> None:
        """Return if the system answers at all."""
        await self.run(calls.live())

    async def ready(self) -> shapes.Health:
        """Return whether the system is ready, and what it says of its journal and accounts."""
        return await self.run(calls.ready())

    async def metrics(self) -> str:
        """Return the metrics in Prometheus' text format."""
        return await self.run(calls.metrics())

    # ── streaming ────────────────────────────────────────────────────────────────────────────────

    async def stream(
        self,
        exchange_id: str | None = None,
        after: Mapping[str, int] | None = None,
        on_message: OnMessage | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Yield how every account (or one) stands, then what happens, for ever; each report once.

        When the connection ends another one is made and goes on after what was yielded: order reports
        are neither missed nor told twice; balances and positions come as they are by then. `after` has, by
        account, the sequence up to which the caller knows all. `on_message` hears the API's own JSON of an
        event before it is yielded. Leave it by `contextlib.aclosing`. Raises Refused when the system
        refuses to stream; Unreachable only when a message cannot be read.
        """
        if self._session is None:
            self._session = _session(self.settings, self._tls)
        following = Following(exchange_id, after)
        events = streamed(self._session, self.address, self.settings, following, on_message)
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    # ── several calls ────────────────────────────────────────────────────────────────────────────

    async def _hold(self, conversation: Conversation[Result]) -> Result:
        """Make the steps of a conversation until it ends."""
        try:
            step = next(conversation)
            while True:
                step = conversation.send(await self._step(step))
        except StopIteration as end:
            ended: Result = end.value
            return ended

    async def _step(self, step: Ask | Pause) -> Heard:
        if isinstance(step, Pause):
            import asyncio

            await asyncio.sleep(step.duration_s)
            return Heard(time.monotonic())
        try:
            report = await self.run(step.call, self.settings.at_most(step.timeout_s))
        except ClientError as error:
            return Heard(time.monotonic(), error=error)
        return Heard(time.monotonic(), report)


async def _hear() -> None:
    """Let the event loop take what has arrived on idle connections.

    One that the system has closed meanwhile is not used then: what is written to it may have been sent, as
    far as anybody can tell. Two turns: what arrived before the first is heard within it.
    """
    import asyncio

    await asyncio.sleep(0)
    await asyncio.sleep(0)


def _session(settings: Settings, tls: "ssl.SSLContext | None") -> "aiohttp.ClientSession":
    import aiohttp

    connector = aiohttp.TCPConnector(
        limit=settings.connections_max,
        keepalive_timeout=settings.idle_s,
        ssl=True if tls is None else tls,
    )
    return aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
    )
