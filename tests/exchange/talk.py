"""Speaking with an exchange in tests: a virtual clock, an in-memory pipe, the byte dialect."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from fairlead.core.exact import use_exact_decimals
from fairlead.core.model import Side, TimeInForce
from fairlead.exchange.server import Exchange
from fairlead.exchange.settings import Settings
from fairlead.venues.pipe import connect
from fairlead.venues.sim_messages import (
    AskBalances,
    AskFills,
    AskOpenOrders,
    Balances,
    Cancel,
    ClientMessage,
    ExchangeMessage,
    Execution,
    FillsPage,
    FrameError,
    LoggedIn,
    Login,
    OpenOrders,
    Place,
    Query,
    RefusalCode,
    Refused,
    exchange_messages,
    frame,
)

BTC = "BTC/USDT"
START_NS = 1_700_000_000 * 10**9
GTC = TimeInForce.GOOD_TILL_CANCEL
_T = TypeVar("_T")


class _JumpingSelector(selectors.DefaultSelector):
    """Where a real one waits, this one lets the loop's time jump."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        assert ready or timeout is not None, "the loop would wait for ever"
        if not ready and timeout:
            self.now_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


def run(scenario: Coroutine[Any, Any, _T]) -> _T:
    """Run a scenario under virtual time."""

    async def with_exact_decimals() -> _T:
        use_exact_decimals()
        return await scenario

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(with_exact_decimals())


def now_ns() -> int:
    return START_NS + round(asyncio.get_running_loop().time() * 10**9)


def new_exchange(folder: Path | None = None, settings: Settings | None = None) -> Exchange:
    exchange = Exchange(settings or Settings(), now_ns, folder, seed=7, identity="x7")
    exchange.start()
    return exchange


class Client(asyncio.Protocol):
    """One connection's client end; `heard` keeps everything in order."""

    def __init__(self, exchange: Exchange) -> None:
        self.heard: list[ExchangeMessage] = []
        self.closed = False
        self.broken: FrameError | None = None
        self.account = ""
        self._ids = count(1)
        self._reader = exchange_messages()
        self._end, _ = connect(asyncio.get_running_loop(), self, exchange.connection())

    def data_received(self, data: bytes) -> None:
        try:
            self.heard += self._reader.feed(data)
        except FrameError as error:
            self.broken = error

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True

    def send(self, *messages: ClientMessage) -> None:
        self._end.write(b"".join(frame(message) for message in messages))

    def send_bytes(self, data: bytes) -> None:
        self._end.write(data)

    def hang_up(self) -> None:
        self._end.close()

    def next_id(self) -> int:
        return next(self._ids)

    async def ask(self, message: ClientMessage) -> ExchangeMessage:
        """Send one request and return its answer."""
        self.send(message)
        await pass_time(0)
        answers = self.answers(message.request_id)
        assert len(answers) == 1, answers
        return answers[0]

    def answers(self, request_id: int) -> list[ExchangeMessage]:
        return [each for each in self.heard if getattr(each, "request_id", None) == request_id]

    def executions(self) -> list[Execution]:
        return [each for each in self.heard if isinstance(each, Execution)]

    async def log_in(self, public_key: str = "alice") -> "Client":
        answer = await self.ask(Login(self.next_id(), now_ns(), public_key, "secret"))
        assert isinstance(answer, LoggedIn)
        self.account = public_key
        return self

    def order(
        self,
        client_id: str,
        side: Side = Side.BUY,
        price: str = "100",
        quantity: str = "1",
        time_in_force: TimeInForce = GTC,
        post_only: bool = False,
        expire_time_ns: int | None = None,
    ) -> Place:
        return Place(
            self.next_id(),
            now_ns(),
            client_id,
            BTC,
            side,
            Decimal(price),
            Decimal(quantity),
            time_in_force,
            post_only,
            expire_time_ns,
        )

    def cancel(self, client_id: str) -> Cancel:
        return Cancel(self.next_id(), now_ns(), BTC, None, client_id)

    def query(self, client_id: str) -> Query:
        return Query(self.next_id(), now_ns(), BTC, None, client_id)

    async def open_orders(self) -> OpenOrders:
        answer = await self.ask(AskOpenOrders(self.next_id(), now_ns()))
        assert isinstance(answer, OpenOrders)
        return answer

    async def fills(self, after: int = 0) -> FillsPage:
        answer = await self.ask(AskFills(self.next_id(), now_ns(), after))
        assert isinstance(answer, FillsPage)
        return answer

    async def balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        answer = await self.ask(AskBalances(self.next_id(), now_ns()))
        assert isinstance(answer, Balances)
        return {each.asset: (each.total, each.locked) for each in answer.balances}


def code_of(answer: object) -> RefusalCode:
    assert isinstance(answer, Refused), answer
    return answer.code


async def pass_time(ms: int) -> None:
    """Let virtual time pass, and what is ready meanwhile happen."""
    for _ in range(8):
        await asyncio.sleep(0)
    if ms:
        await asyncio.sleep(ms / 1000)
        for _ in range(8):
            await asyncio.sleep(0)


def scenario(
    body: Callable[[Exchange, Client], Coroutine[Any, Any, None]],
    settings: Settings | None = None,
    folder: Path | None = None,
) -> None:
    """Run `body` with a new exchange and a client who is logged in."""

    async def whole() -> None:
        exchange = new_exchange(folder, settings)
        try:
            client = await Client(exchange).log_in()
            await body(exchange, client)
        finally:
            exchange.close()
            await pass_time(0)

    run(whole())
