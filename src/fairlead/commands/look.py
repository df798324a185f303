"""status, orders, history, fills, balances, positions, instruments: what is asked and changes nothing."""

import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from fairlead.client import HistoryOrder, calls
from fairlead.client.numbers import NS_PER_S, time_ns
from fairlead.client.paging import TIME_LAST
from fairlead.client.shapes import Balances, Fill, Position, Positions
from fairlead.commands import lives, show
from fairlead.commands.screens import refreshed
from fairlead.commands.show import Table, number
from fairlead.commands.system import System
from fairlead.commands.trade import ago

HISTORY_PAGE = 1_000
_BALANCE_COLUMNS = show.columns(
    "account", "asset", "balance#", "available#", "locked#", "traded#", "usd#", "age#", "source"
)
_POSITION_COLUMNS = show.columns(
    *("account", "symbol", "side", "quantity#", "entry#", "mark#", "profit#", "leverage#"),
    *("margin", "liquidation#", "age#", "source"),
)
_INSTRUMENT_COLUMNS = show.columns(
    *("account", "symbol", "exchange's", "tick#", "step#", "least#", "most#", "least notional#"),
)
_FILL_COLUMNS = (*lives.FILL_COLUMNS, *show.columns("trade"))

# ── orders ───────────────────────────────────────────────────────────────────────────────────────


def status(system: System, client_order_id: str, account: str | None) -> None:
    """Print an order's whole story: what it is, and every report about it. Raises Ended."""
    told = system.do(calls.story(client_order_id, account))
    if system.is_told():
        return
    lines, reports = lives.story(told)
    for line in lines:
        show.out(line)
    show.print_table(reports)


def orders(system: System, account: str | None, refresh_s: float | None) -> None:
    """Print the open orders. Raises Ended."""

    def read() -> Table:
        rows = [lives.order_row(each) for each in system.do(calls.open_orders(account))]
        return Table(lives.ORDER_COLUMNS, rows, "no open orders")

    _shown(system, read, refresh_s)


def history(system: System, account: str | None, since: str, until: str | None) -> None:
    """Print the orders that changed since a time, page after page. Raises Ended.

    As JSON one object per line, with the API's own digits.
    """
    is_first = True
    for page, rows in _pages(system, since, until):
        if system.as_json:
            for order, raw in zip(page, rows, strict=True):
                if account in (None, order.exchange_id):
                    show.out(bytes(raw).decode())
            continue
        lines = [lives.history_row(each) for each in page if account in (None, each.exchange_id)]
        if lines or is_first:
            show.table(lives.ORDER_COLUMNS, lines, "no orders")
            is_first = False


def _pages(
    system: System, since: str, until: str | None
) -> Iterator[tuple[Sequence[HistoryOrder], list[msgspec.Raw]]]:
    """Yield each page of the history, as values and as the API's own rows; raises Ended."""
    now_ns = time.time_ns()
    start, end = ago(since, now_ns), TIME_LAST if until is None else ago(until, now_ns)
    after = None
    while True:
        call = calls.history_page(start, end, HISTORY_PAGE, after)
        page = system.do(call)
        yield page.orders, msgspec.json.decode(system.last.body, type=list[msgspec.Raw])
        after = page.after
        if after is None:
            return


# ── fills ────────────────────────────────────────────────────────────────────────────────────────


def fills(system: System, account: str | None, since: str, limit: int) -> None:
    """Print the newest fills since a time, oldest first. Raises Ended."""
    start_ns = _time_ns(ago(since, time.time_ns()))
    found = heapq.nlargest(
        limit, _fills(system, account, since, start_ns), key=lambda each: each[0]
    )
    found.reverse()
    if system.as_json:
        for _, order, fill in found:
            show.out(_fill_json(order, fill))
        return
    rows = [[*lives.fill_row(order, fill), fill.trade_id] for _, order, fill in found]
    show.table(_FILL_COLUMNS, rows, "no fills")


def _time_ns(text: str) -> int:
    """Return a time as it was typed; one that is none is for the system to refuse."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * NS_PER_S + moment.microsecond * 1_000


def _fills(
    system: System, account: str | None, since: str, start_ns: int
) -> Iterator[tuple[tuple[str, str], HistoryOrder, Fill]]:
    """Yield (what to sort by, order, fill) of every fill since then."""
    for page, _ in _pages(system, since, None):
        for order in page:
            if account in (None, order.exchange_id):
                for fill in order.fills:
                    if time_ns(fill.time) >= start_ns:
                        yield (fill.time, fill.trade_id), order, fill


def _fill_json(order: HistoryOrder, fill: Fill) -> str:
    """Return a fill with its order as one JSON object, digits exact."""
    row = {
        "exchange_id": order.exchange_id,
        "client_order_id": order.client_order_id,
        "exchange_order_id": order.exchange_order_id,
        "symbol_id_coinapi": order.symbol_id_coinapi,
        "side": order.side,
        **{
            name: msgspec.Raw(format(value, "f")) if isinstance(value, Decimal) else value
            for name, value in msgspec.structs.asdict(fill).items()
        },
    }
    return msgspec.json.encode(row).decode()


# ── accounts ─────────────────────────────────────────────────────────────────────────────────────


def balances(system: System, account: str | None, refresh_s: float | None) -> None:
    """Print every account's balances. Raises Ended."""

    def read() -> Table:
        found = system.do(calls.balances(account))
        rows = [row for each in found for row in _balance_rows(each)]
        return Table(_BALANCE_COLUMNS, rows, "no balances yet")

    _shown(system, read, refresh_s)


def _balance_rows(snapshot: Balances) -> Iterator[list[str]]:
    for row in snapshot.data:
        worth = None if row.rate_usd is None else row.balance * row.rate_usd
        yield [
            snapshot.exchange_id,
            row.asset_id_coinapi,
            *(number(each) for each in (row.balance, row.available, row.locked, row.traded)),
            "-" if worth is None else f"{worth:.2f}",
            show.age(row.age_ms),
            row.source,
        ]


def positions(system: System, account: str | None, refresh_s: float | None) -> None:
    """Print every account's positions. Raises Ended."""

    def read() -> Table:
        found = system.do(calls.positions(account))
        rows = [_position_row(each, row) for each in found for row in each.data]
        return Table(_POSITION_COLUMNS, rows, "no positions")

    _shown(system, read, refresh_s)


def _position_row(snapshot: Positions, row: Position) -> list[str]:
    return [
        snapshot.exchange_id,
        row.symbol_id_coinapi,
        row.side,
        number(row.quantity),
        number(row.avg_entry_price),
        number(row.raw_data.mark_price),
        number(row.unrealized_pnl),
        number(row.leverage),
        "cross" if row.cross_margin else "isolated",
        number(row.liquidation_price),
        show.age(row.age_ms),
        row.source,
    ]


def instruments(system: System, account: str | None) -> None:
    """Print the markets and the rules that orders in them must keep. Raises Ended."""
    found = system.do(calls.instruments(account))
    if system.is_told():
        return
    rows = [
        [
            each.exchange_id,
            row.symbol_id_coinapi,
            row.symbol_id_exchange,
            number(row.price_precision),
            number(row.size_precision),
            number(row.amount_min),
            number(row.amount_max),
            number(row.notional_min),
        ]
        for each in found
        for row in each.data
    ]
    show.table(_INSTRUMENT_COLUMNS, rows, "no instruments yet")


def _shown(system: System, read: Callable[[], Table], refresh_s: float | None) -> None:
    """Print a table once, or keep it on the terminal, read anew every so often."""
    if refresh_s is not None:
        refreshed(read, refresh_s, as_json=system.as_json)
        return
    table = read()
    if not system.is_told():
        show.print_table(table)
