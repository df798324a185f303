"""What the tests of this folder talk with: requests, frames, a dialect held by hand, a peer, two loops."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

from fairlead.core.model import ExecInst, Instrument, Liquidity, Side, TimeInForce
from fairlead.core.venue_messages import (
    VenueBalances,
    VenueCancel,
    VenueFillsSince,
    VenueInstruments,
    VenueOpenOrders,
    VenuePlace,
    VenuePositions,
    VenueQuery,
    VenueReport,
    VenueRequest,
    VenueTickers,
)
from fairlead.venues import sim_messages as wire
from fairlead.venues.sim import SimDialect
from fairlead.venues.sim_limits import SimLimits
from fairlead.venues.venue import Acts

MS = 1_000_000
START_NS = 1_700_000_000_000_000_000
ACCOUNT = "SIM/ALICE"
SYMBOL = "BTC/USDT"
CLIENT_ID = "k7zj4ocy3fkzvbsz2mu3hr5wqe"

INSTRUMENT = Instrument(
    "SIM_SPOT_BTC_USDT", SYMBOL, "BTC", "USDT", "BTC", "USDT",
    *(Decimal(text) for text in ("0.01", "0.0001", "0.0001", "1000", "5")),
)  # fmt: skip


# ── requests ─────────────────────────────────────────────────────────────────────────────────────


def place(request_id: int = 1, **changes: Any) -> VenuePlace:
    words: dict[str, Any] = {
        "account": ACCOUNT,
        "request_id": request_id,
        "number": 7,
        "venue_client_id": CLIENT_ID,
        "symbol_exchange": SYMBOL,
        "side": Side.BUY,
        "price": Decimal("30000.10"),
        "quantity": Decimal("0.5000"),
        "time_in_force": TimeInForce.GOOD_TILL_CANCEL,
        "expire_time_ns": None,
        "exec_inst": (ExecInst.MAKER_OR_CANCEL,),
    }
    return VenuePlace(**(words | changes))


def _about(kind: type, request_id: int, exchange_order_id: str | None) -> Any:
    return kind(
        account=ACCOUNT,
        request_id=request_id,
        number=7,
        symbol_exchange=SYMBOL,
        venue_client_id=CLIENT_ID,
        exchange_order_id=exchange_order_id,
    )


def cancel(request_id: int = 2, exchange_order_id: str | None = None) -> VenueCancel:
    return _about(VenueCancel, request_id, exchange_order_id)


def query(request_id: int = 3, exchange_order_id: str | None = None) -> VenueQuery:
    return _about(VenueQuery, request_id, exchange_order_id)


def open_orders(request_id: int = 4) -> VenueOpenOrders:
    return VenueOpenOrders(account=ACCOUNT, request_id=request_id)


def fills_since(cursor: str = "", request_id: int = 5) -> VenueFillsSince:
    return VenueFillsSince(account=ACCOUNT, request_id=request_id, cursor=cursor)


def balances(request_id: int = 6) -> VenueBalances:
    return VenueBalances(account=ACCOUNT, request_id=request_id)


def instruments(request_id: int = 7) -> VenueInstruments:
    return VenueInstruments(account=ACCOUNT, request_id=request_id)


def tickers(request_id: int = 8) -> VenueTickers:
    return VenueTickers(account=ACCOUNT, request_id=request_id)


def positions(request_id: int = 9) -> VenuePositions:
    return VenuePositions(account=ACCOUNT, request_id=request_id)


def every_request() -> list[VenueRequest]:
    return [
        place(), cancel(), query(), open_orders(), fills_since(), balances(), instruments(),
        tickers(), positions(),
    ]  # fmt: skip


# ── the exchange's words ─────────────────────────────────────────────────────────────────────────


def wire_order(**changes: Any) -> wire.WireOrder:
    words: dict[str, Any] = {
        "exchange_order_id": "501",
        "client_id": CLIENT_ID,
        "symbol": SYMBOL,
        "side": Side.BUY,
        "price": Decimal("30000.10"),
        "quantity": Decimal("0.5000"),
        "filled": Decimal("0.2000"),
        "time_in_force": TimeInForce.GOOD_TILL_CANCEL,
        "post_only": True,
        "expire_time_ns": None,
        "state": wire.OrderState.OPEN,
        "time_ns": START_NS,
        "event": 11,
        "text": None,
    }
    return wire.WireOrder(**(words | changes))


def wire_fill(**changes: Any) -> wire.WireFill:
    words: dict[str, Any] = {
        "ordinal": 3,
        "trade_id": "t-3",
        "exchange_order_id": "501",
        "client_id": CLIENT_ID,
        "symbol": SYMBOL,
        "side": Side.BUY,
        "price": Decimal("30000.10"),
        "quantity": Decimal("0.2000"),
        "fee": Decimal("-0.00000004"),
        "fee_asset": "BTC",
        "liquidity": Liquidity.MAKER,
        "time_ns": START_NS,
        "event": 11,
    }
    return wire.WireFill(**(words | changes))


BALANCES = (
    wire.WireBalance("BTC", Decimal("1.2"), Decimal(0)),
    wire.WireBalance("USDT", Decimal(1000), Decimal("300.25")),
)


def execution(event: int = 11, *, is_fill: bool = True) -> wire.Execution:
    return wire.Execution(
        event,
        START_NS,
        wire_order(event=event),
        wire_fill(event=event) if is_fill else None,
        BALANCES,
    )


def refused(
    request_id: int, code: wire.RefusalCode, retry_after_ms: int | None = None
) -> wire.Refused:
    return wire.Refused(request_id, code, f"because of {code.value}", retry_after_ms)


def frames(*messages: wire.ClientMessage | wire.ExchangeMessage) -> bytes:
    return b"".join(wire.frame(message) for message in messages)


# ── a dialect held by hand ───────────────────────────────────────────────────────────────────────


class Talk:
    """A dialect, its clock, and what both sides said."""

    def __init__(
        self,
        limits: SimLimits | None = None,
        *,
        is_logged_in: bool = True,
        fills_cursor: str = "",
    ) -> None:
        self.dialect = SimDialect(
            ACCOUNT, "public", "private", limits or SimLimits(), fills_cursor=fills_cursor
        )
        self.now_ns = START_NS
        if is_logged_in:
            self.dialect.opened(self.now_ns)
            self.hear(wire.LoggedIn(0, 10, 300, self.now_ns))

    def ask(self, request: VenueRequest) -> list[wire.ClientMessage]:
        return sent(self.dialect.ask(request, self.now_ns))

    def hear_acts(self, *messages: wire.ExchangeMessage) -> Acts:
        return self.dialect.receive(frames(*messages), self.now_ns)

    def hear(self, *messages: wire.ExchangeMessage) -> list[VenueReport]:
        acts = self.hear_acts(*messages)
        assert acts.disconnect is None
        return acts.reports

    def wait(self, wait_ms: int) -> Acts:
        self.now_ns += wait_ms * MS
        return self.dialect.due(self.now_ns)

    def close(self) -> list[VenueReport]:
        return self.dialect.closed(self.now_ns)


def sent(acts: Acts) -> list[wire.ClientMessage]:
    return wire.client_messages().feed(acts.send)


# ── links ────────────────────────────────────────────────────────────────────────────────────────


class Peer(asyncio.Protocol):
    """An exchange that does as it is told: logs everybody in, and answers by `answer`. Its clock is ours."""

    def __init__(self, answer: Callable[["Peer", wire.ClientMessage], None] | None = None) -> None:
        self.heard: list[wire.ClientMessage] = []
        self.pieces: list[bytes] = []
        self.ends: list[Exception | None] = []
        self.logins = True
        self._answer = answer
        self._reader = wire.client_messages()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)
        for message in self._reader.feed(data):
            self.heard.append(message)
            if isinstance(message, wire.Login) and self.logins:
                self.say(wire.LoggedIn(0, 0, 300, message.sent_ns))
            elif isinstance(message, wire.Ping):
                self.say(wire.Pong(message.request_id, message.sent_ns))
            elif self._answer is not None:
                self._answer(self, message)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ends.append(exc)

    def say(self, *messages: wire.ExchangeMessage) -> None:
        self.transport.write(frames(*messages))


class Inbox:
    """What a link reported, and a way to wait for it."""

    def __init__(self) -> None:
        self.reports: list[VenueReport] = []
        self._news = asyncio.Event()

    def __call__(self, reports: list[VenueReport]) -> None:
        assert reports
        self.reports.extend(reports)
        self._news.set()

    def take(self) -> list[VenueReport]:
        taken, self.reports = self.reports, []
        return taken

    async def until(self, kind: type, count: int = 1) -> list[Any]:
        """Return the reports of one kind, once there are `count` of them."""
        async with asyncio.timeout(20):
            while True:
                found = [report for report in self.reports if isinstance(report, kind)]
                if len(found) >= count:
                    return found
                self._news.clear()
                await self._news.wait()


class _JumpingSelector(selectors.SelectSelector):
    """Never waits: the loop's time jumps to what it would have waited for."""

    elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "everybody waits for nothing"
        self.elapsed += max(timeout, 0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while nobody has anything to do."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.elapsed

    def now_ns(self) -> int:
        return START_NS + round(self.time() * 1e9)


def in_virtual_time(story: Callable[[VirtualLoop], Coroutine[Any, Any, None]]) -> None:
    loop = VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(story(loop))
