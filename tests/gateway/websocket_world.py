"""A WebSocket client's two sides without a socket: the edge with its accounts, and the connection."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from msgspec.structs import replace
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.protocol import State
from websockets.uri import parse_uri

from fairlead.core.model import Balance, Updater
from fairlead.core.port import Released
from fairlead.core.reconciliation import Reconciliation
from fairlead.core.replies import (
    BalancesReply,
    ReconciliationReply,
    Refusal,
    Refused,
    Reply,
    SnapshotReply,
)
from fairlead.core.reports import AccountReport, BalanceReport, Cause, OrderReport
from fairlead.core.requests import QueryBalances, QueryReconciliation, QuerySnapshot, Request
from fairlead.gateway.feed import Feed, FeedSettings
from fairlead.gateway.websocket.hub import Hub, WebSocketSettings
from fairlead.gateway.websocket.messages import Server
from tests.gateway.orders import ORDER
from tests.gateway.scripted_edge import ScriptedEdge, usual

NOW_NS = ORDER.time_order_ns
SERVER = Server(instance_guid="g", version="1", name="fairlead", dns_name="here", start_ns=NOW_NS)


def stands(account: str, sequence: int = 0, trouble: str | None = None) -> Reconciliation:
    is_well = trouble is None
    return Reconciliation(
        account, is_well, is_well, trouble, None, None, None, 0, 0, None, (), sequence
    )


class World:
    """An edge with accounts, each with its last sequence or (None) not loaded yet."""

    def __init__(self, feed: FeedSettings | None = None, **settings: Any) -> None:
        self.edge = ScriptedEdge()
        self.edge.script = self._answer
        self.accounts: dict[str, int | None] = {"SIM": 0}
        self.orders: tuple[Any, ...] = ()
        self.balances: dict[str, Balance] = {}
        self.answer: Callable[[Request], Reply] = usual
        self.feed = Feed(self.edge, feed)
        settings = {"server_info_ms": 40} | settings
        self.hub = Hub(
            self.edge,
            self.feed,
            SERVER,
            lambda: NOW_NS,
            lambda: "token",
            WebSocketSettings(**settings),
        )

    def _answer(self, request: Request) -> Reply:
        match request:
            case QueryReconciliation():
                found = tuple(
                    stands(name, sequence or 0, None if sequence is not None else "not loaded")
                    for name, sequence in self.accounts.items()
                )
                return ReconciliationReply(found, NOW_NS)
            case QueryBalances():
                return BalancesReply((), NOW_NS)
            case QuerySnapshot(account=account):
                sequence = self.accounts[account]
                if sequence is None:
                    return Refused(Refusal.ACCOUNT_UNAVAILABLE, "not loaded")
                held = (self.balances[account],) if account in self.balances else ()
                return SnapshotReply(sequence, self.orders, held, time_ns=NOW_NS)
            case _:
                return self.answer(request)

    @property
    def asked(self) -> list[Request]:
        """What clients asked for."""
        queries = (QueryReconciliation, QueryBalances, QuerySnapshot)
        return [each for each in self.edge.asked if not isinstance(each, queries)]

    def release(self, account: str = "SIM", count: int = 1) -> None:
        """Have reports about an order become durable."""
        batch = []
        for _ in range(count):
            sequence = (self.accounts[account] or 0) + 1
            self.accounts[account] = sequence
            report = OrderReport(account, sequence, 1, NOW_NS, Cause.ROUTED)
            batch.append(Released(report, replace(ORDER, account=account, sequence=sequence)))
        self.edge.release(*batch)

    def release_balance(self, account: str, total: int) -> None:
        """Have the account's one balance become another one."""
        balance = Balance(
            *("USDT", "USDT", Decimal(total), Decimal(0), Decimal(0)), Updater.EXCHANGE, NOW_NS
        )
        self.balances[account] = balance
        sequence = (self.accounts[account] or 0) + 1
        self.release_other(BalanceReport(account, sequence, NOW_NS, balance))

    def release_other(self, report: BalanceReport | AccountReport) -> None:
        self.accounts[report.account] = report.sequence
        self.edge.release(Released(report, None))


class Socket:
    """Stands for the connection; `writes` are the messages of each write, decoded."""

    def __init__(self) -> None:
        self.is_writable = True
        self.is_narrow = False  # each write fills it
        self.is_read = True
        self.writes: list[list[dict[str, Any]]] = []
        self.frames: list[bytes] = []
        self.code = 0
        self._wrote = asyncio.Event()

    def write(self, frames: list[bytes]) -> None:
        assert self.is_writable
        assert frames
        self.frames += frames
        self.writes.append([json.loads(text) for text in texts(b"".join(frames))])
        self.is_writable = not self.is_narrow
        self._wrote.set()

    def read_on(self, *, is_wanted: bool) -> None:
        self.is_read = is_wanted

    def close(self, code: int, reason: str) -> None:
        assert reason
        self.code = code

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [message for write in self.writes for message in write]

    @property
    def types(self) -> list[str]:
        return [message["type"] for message in self.messages]

    @property
    def sequences(self) -> list[int]:
        return [each["sequence"] for each in self.messages if each["type"].endswith("_UPDATE")]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until what was written fulfils it."""
        async with asyncio.timeout(60):
            while not condition():
                self._wrote.clear()
                await self._wrote.wait()


def texts(data: bytes) -> list[bytes]:
    """What a client library makes of these frames."""
    client = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN)
    client.receive_data(data)
    assert client.parser_exc is None
    frames = [event for event in client.events_received() if isinstance(event, Frame)]
    return [bytes(each.data) for each in frames]
