"""Values → whole text frames (RFC 6455, 5.2). Knows no client and decides nothing.

What many clients get is made once: updates are cached by the feed, the rest by the hub.
"""

import asyncio
from collections.abc import Callable

import msgspec
from msgspec import UNSET
from msgspec.structs import astuple, replace

from fairlead.control.key_text import hidden
from fairlead.core.model import Instrument
from fairlead.core.port import Released
from fairlead.core.rates import Rate
from fairlead.core.reconciliation import Reconciliation
from fairlead.core.replies import SnapshotReply
from fairlead.core.reports import BalanceReport, OrderReport, PositionReport
from fairlead.gateway.rendering import Renderer, encode, number
from fairlead.gateway.shapes import BalanceRow, MessageReject, PositionRow
from fairlead.gateway.times import time_text
from fairlead.gateway.websocket import shapes
from fairlead.gateway.websocket.requests import Reject

_TEXT = 0x81  # the last frame of a text message
_GONE = "it is no account of this server any more"
_ORDERS_AT_ONCE = 8  # rendered before the event loop gets its turn


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """Who serves: what SERVER_INFO says of it. `start_ns` is UTC."""

    instance_guid: str
    version: str
    name: str
    dns_name: str
    start_ns: int


class Messages:
    """Renders everything that is sent. `rate` tells what an asset of an account is worth, if known."""

    def __init__(
        self,
        server: Server,
        now_ns: Callable[[], int],
        rate: Callable[[str, str], Rate | None],
        *,
        omit_nulls: bool,
    ) -> None:
        self._server = server
        self._now_ns = now_ns
        self._rate = rate
        self._render = Renderer(omit_nulls)
        self._null = UNSET if omit_nulls else None

    def update(self, released: Released) -> bytes:
        """Return a report's message; empty for what clients are not told of (modes, alarms)."""
        report = released.report
        if type(report) is OrderReport:
            assert released.order is not None
            return frame(encode(self._render.order(released.order)))
        if isinstance(report, BalanceReport):
            rate = self._rate(report.account, report.balance.asset)
            balance = self._render.balance_row(report.balance, rate, self._now_ns())
            return _flat(shapes.BalanceUpdate, "BALANCE_UPDATE", report, balance)
        if isinstance(report, PositionReport):
            position = self._render.position_row(report.position, self._now_ns())
            return _flat(shapes.PositionUpdate, "POSITION_UPDATE", report, position)
        return b""

    def server_info(
        self, state: Reconciliation, *, is_running: bool, resumed: shapes.Resumed = UNSET
    ) -> bytes:
        """Return SERVER_INFO of one account."""
        server = self._server
        return _frame_of(
            shapes.ServerInfo(
                "SERVER_INFO",
                time_text(self._now_ns()),
                server.instance_guid,
                state.account,
                server.version,
                server.name,
                server.dns_name,
                is_running,
                time_text(server.start_ns),
                state.sequence,
                state.connected,
                state.reconciled,
                state.trouble or self._null,
                resumed,
            )
        )

    def symbols(self, account: str, snapshot: SnapshotReply, *, resumed: bool) -> bytes:
        """Return SYMBOLS_SNAPSHOT."""
        rows = [_symbol(each) for each in snapshot.instruments]
        return _frame_of(
            shapes.SymbolsSnapshot("SYMBOLS_SNAPSHOT", account, rows, snapshot.sequence, resumed)
        )

    async def orders(self, account: str, snapshot: SnapshotReply) -> bytes:
        """Return ORDER_EXEC_REPORT_SNAPSHOT; makes way for other work while it renders many orders."""
        rows: list[bytes] = []
        for place, order in enumerate(snapshot.orders, 1):
            rows.append(encode(self._render.order(order)))
            if place % _ORDERS_AT_ONCE == 0:
                await asyncio.sleep(0)
        shell = shapes.OrderSnapshot(
            "ORDER_EXEC_REPORT_SNAPSHOT", account, [], snapshot.sequence, resumed=False
        )
        head, brackets, tail = encode(shell).partition(b'"data":[]')
        return frame(b"".join((head, brackets[:-1], b",".join(rows), b"]", tail)))

    def balances(self, account: str, snapshot: SnapshotReply, *, resumed: bool) -> bytes:
        """Return BALANCE_SNAPSHOT."""
        rows = [
            self._render.balance_row(each, snapshot.rates.get(each.asset), snapshot.time_ns)
            for each in snapshot.balances
        ]
        return _frame_of(
            shapes.BalanceSnapshot("BALANCE_SNAPSHOT", account, rows, snapshot.sequence, resumed)
        )

    def farewell(self, state: Reconciliation) -> list[bytes]:
        """Return what ends an account that has gone: it is not served any more, and has nothing."""
        account, sequence = state.account, state.sequence
        gone = replace(state, connected=False, reconciled=False, trouble=_GONE)
        return [
            self.server_info(gone, is_running=False),
            *map(
                _frame_of,
                (
                    shapes.OrderSnapshot(
                        "ORDER_EXEC_REPORT_SNAPSHOT", account, [], sequence, resumed=False
                    ),
                    shapes.BalanceSnapshot("BALANCE_SNAPSHOT", account, [], sequence, False),
                    shapes.PositionSnapshot("POSITION_SNAPSHOT", account, [], sequence, False),
                ),
            ),
        ]

    def positions(self, account: str, snapshot: SnapshotReply, *, resumed: bool) -> bytes:
        """Return POSITION_SNAPSHOT."""
        rows = [self._render.position_row(each, snapshot.time_ns) for each in snapshot.positions]
        return _frame_of(
            shapes.PositionSnapshot("POSITION_SNAPSHOT", account, rows, snapshot.sequence, resumed)
        )


def reject(refused: Reject, message: bytes) -> bytes:
    """Return MESSAGE_REJECT for a client's `message`."""
    return _frame_of(
        MessageReject(
            type="MESSAGE_REJECT",
            reject_reason=refused.reason,
            exchange_id=UNSET if refused.account is None else refused.account,
            message=hidden(refused.text),
            rejected_message=hidden(message.decode()),
        )
    )


def frame(payload: bytes) -> bytes:
    """Return `payload` (UTF-8) as one text frame of a server."""
    length = len(payload)
    if length < 126:
        return bytes((_TEXT, length)) + payload
    if length < 1 << 16:
        return bytes((_TEXT, 126, length >> 8, length & 255)) + payload
    return bytes((_TEXT, 127)) + length.to_bytes(8, "big") + payload


def _flat(
    kind: Callable[..., object],
    name: str,
    report: BalanceReport | PositionReport,
    row: BalanceRow | PositionRow,
) -> bytes:
    return _frame_of(kind(name, report.account, *astuple(row), report.sequence))


def _frame_of(value: object) -> bytes:
    return frame(encode(value))


def _symbol(instrument: Instrument) -> shapes.SymbolRow:
    return shapes.SymbolRow(
        instrument.symbol,
        instrument.symbol_exchange,
        instrument.base_exchange,
        instrument.quote_exchange,
        instrument.base,
        instrument.quote,
        number(instrument.price_tick),
        number(instrument.quantity_step),
    )
