"""The simulated exchange's words in ours, and ours in its: one function per word, no state.

Every number from the wire is bounded here; one that cannot be a price or a quantity raises
`FrameError`, as bytes that are not of the dialect do.
"""

from decimal import Decimal
from typing import assert_never

import msgspec
from msgspec.structs import replace

from fairlead.core.model import ExecInst, Reason, TimeInForce
from fairlead.core.rates import Ticker
from fairlead.core.venue_messages import (
    VenueAssetBalance,
    VenueBalances,
    VenueBalancesStated,
    VenueCancel,
    VenueFill,
    VenueFillsListed,
    VenueFillsSince,
    VenueInstruments,
    VenueInstrumentsListed,
    VenueOpenOrders,
    VenueOpenOrdersListed,
    VenueOrder,
    VenueOrderState,
    VenuePlace,
    VenuePosition,
    VenuePositions,
    VenuePositionsStated,
    VenueQuery,
    VenueReport,
    VenueRequest,
    VenueTickers,
    VenueTickersStated,
)
from fairlead.venues import sim_messages as wire

DECIMAL_TEXT_MAX = 60  # characters of a number: far inside the exact context's 160 digits

# What we time, the exchange need not know.
_TIMES_IN_FORCE = {
    TimeInForce.GOOD_TILL_CANCEL:        TimeInForce.GOOD_TILL_CANCEL,
    TimeInForce.GOOD_TILL_TIME_OMS:      TimeInForce.GOOD_TILL_CANCEL,
    TimeInForce.GOOD_TILL_TIME_EXCHANGE: TimeInForce.GOOD_TILL_TIME_EXCHANGE,
    TimeInForce.IMMEDIATE_OR_CANCEL:     TimeInForce.IMMEDIATE_OR_CANCEL,
    TimeInForce.FILL_OR_KILL:            TimeInForce.FILL_OR_KILL,
}  # fmt: skip
_STATES = {
    wire.OrderState.OPEN:     VenueOrderState.OPEN,
    wire.OrderState.FILLED:   VenueOrderState.FILLED,
    wire.OrderState.CANCELED: VenueOrderState.CANCELED,
    wire.OrderState.EXPIRED:  VenueOrderState.EXPIRED,
}  # fmt: skip
_REASONS = {
    wire.WireOrigin.LIQUIDATION:  Reason.LIQUIDATION,
    wire.WireOrigin.DELEVERAGING: Reason.AUTO_DELEVERAGING,
}  # fmt: skip

_MOVEMENTS = frozenset({wire.BalancesChanged, wire.PositionsChanged})

# ── ours in the exchange's ───────────────────────────────────────────────────────────────────────


def wire_request(request: VenueRequest, now_ns: int) -> wire.ClientMessage:
    """Return the frame's struct for one request, sent at `now_ns`."""
    match request:
        case VenuePlace():
            is_timed_there = request.time_in_force is TimeInForce.GOOD_TILL_TIME_EXCHANGE
            return wire.Place(
                request.request_id,
                now_ns,
                request.venue_client_id,
                request.symbol_exchange,
                request.side,
                request.price,
                request.quantity,
                _TIMES_IN_FORCE[request.time_in_force],
                ExecInst.MAKER_OR_CANCEL in request.exec_inst,
                request.expire_time_ns if is_timed_there else None,
                ExecInst.DO_NOT_INCREASE in request.exec_inst,
            )
        case VenueCancel():
            return wire.Cancel(
                request.request_id,
                now_ns,
                request.symbol_exchange,
                request.exchange_order_id,
                request.venue_client_id,
            )
        case VenueQuery():
            return wire.Query(
                request.request_id,
                now_ns,
                request.symbol_exchange,
                request.exchange_order_id,
                request.venue_client_id,
            )
        case VenueOpenOrders():
            return wire.AskOpenOrders(request.request_id, now_ns)
        case VenueFillsSince():
            return wire.AskFills(request.request_id, now_ns, FillsPlace.of(request.cursor).ordinal)
        case VenueBalances():
            return wire.AskBalances(request.request_id, now_ns)
        case VenuePositions():
            return wire.AskPositions(request.request_id, now_ns)
        case VenueInstruments():
            return wire.AskInstruments(request.request_id, now_ns)
        case VenueTickers():
            return wire.AskTickers(request.request_id, now_ns)
        case _:
            assert_never(request)


# ── the exchange's in ours ───────────────────────────────────────────────────────────────────────


def _ordinal(event: int) -> int:
    """Return the ordinal of an account event: one more, as 0, before the first, is not unknown."""
    return event + 1


def venue_order(
    account: str, order: wire.WireOrder, asked: VenueQuery | VenueCancel | None = None
) -> VenueOrder:
    """Return the exchange's word on one order; `asked` is the request it answers."""
    _check(order.price, order.quantity, order.filled)
    # A call with more than 15 named arguments takes five times as long: what is seldom said is added.
    said = VenueOrder(
        account=account,
        exchange_order_id=order.exchange_order_id,
        venue_client_id=order.client_id or None,
        symbol_exchange=order.symbol,
        side=order.side,
        price=order.price,
        quantity=order.quantity,
        quantity_filled=order.filled,
        time_in_force=order.time_in_force,
        expire_time_ns=order.expire_time_ns,
        state=_STATES[order.state],
        time_ns=order.time_ns,
        exchange_ordinal=_ordinal(order.event),
        text=order.text,
        reduce_only=order.reduce_only,
    )
    if order.origin is not wire.WireOrigin.CLIENT:
        said = replace(said, reason=_REASONS[order.origin])
    return said if asked is None else replace(said, asked=asked, request_id=asked.request_id)


def venue_fill(account: str, fill: wire.WireFill, *, from_page: bool = False) -> VenueFill:
    """Return one execution."""
    _check(fill.price, fill.quantity, fill.fee, fill.realized)
    return VenueFill(
        account=account,
        exchange_order_id=fill.exchange_order_id,
        venue_client_id=fill.client_id or None,
        symbol_exchange=fill.symbol,
        side=fill.side,
        trade_id=fill.trade_id,
        price=fill.price,
        quantity=fill.quantity,
        fee=fill.fee,
        fee_asset_exchange=fill.fee_asset,
        liquidity=fill.liquidity,
        time_ns=fill.time_ns,
        exchange_ordinal=_ordinal(fill.event),
        from_page=from_page,
        realized=fill.realized,
    )


def venue_balances(
    account: str,
    stated: wire.Balances | wire.BalancesChanged | wire.PositionsChanged | wire.Execution,
    request_id: int = 0,
) -> VenueBalancesStated:
    """Return balances as of the event they come with; only a page names every asset."""
    return VenueBalancesStated(
        account=account,
        request_id=request_id,
        balances=tuple([_venue_balance(balance) for balance in stated.balances]),
        exchange_ordinal=_ordinal(stated.event),
        time_ns=stated.time_ns,
        is_complete=type(stated) is wire.Balances,
        is_movement=type(stated) in _MOVEMENTS,
    )


def _venue_balance(balance: wire.WireBalance) -> VenueAssetBalance:
    _check(balance.total, balance.locked)
    return VenueAssetBalance(balance.asset, balance.total, balance.locked)


def venue_positions(
    account: str,
    stated: wire.Positions | wire.PositionsChanged | wire.Execution,
    request_id: int = 0,
) -> VenuePositionsStated:
    """Return positions as of the event they come with; only a page names every one."""
    return VenuePositionsStated(
        account=account,
        request_id=request_id,
        positions=tuple([_venue_position(position) for position in stated.positions]),
        exchange_ordinal=_ordinal(stated.event),
        time_ns=stated.time_ns,
        is_complete=type(stated) is wire.Positions,
    )


def _venue_position(position: wire.WirePosition) -> VenuePosition:
    _check(
        position.quantity,
        position.entry_price,
        position.mark_price,
        position.unrealized,
        position.leverage,
    )
    if position.liquidation_price is not None:
        _check(position.liquidation_price)
    return VenuePosition(
        position.symbol,
        position.side,
        position.quantity,
        position.entry_price,
        position.mark_price,
        position.unrealized,
        position.leverage,
        position.is_cross,
        position.liquidation_price,
    )


def venue_instruments(
    account: str, stated: wire.Instruments | wire.InstrumentsChanged, request_id: int = 0
) -> VenueInstrumentsListed:
    """Return the whole instrument list."""
    for instrument in stated.instruments:
        _check(
            instrument.price_tick,
            instrument.quantity_step,
            instrument.quantity_min,
            instrument.quantity_max,
            instrument.notional_min,
        )
    return VenueInstrumentsListed(
        account=account, request_id=request_id, instruments=stated.instruments
    )


def venue_tickers(account: str, stated: wire.Tickers, request_id: int) -> VenueTickersStated:
    """Return what the markets quote."""
    for ticker in stated.tickers:
        _check(*[quote for quote in (ticker.bid, ticker.ask) if quote is not None])
    return VenueTickersStated(
        account=account,
        request_id=request_id,
        tickers=tuple([Ticker(each.symbol, each.bid, each.ask) for each in stated.tickers]),
    )


Page = (
    wire.OpenOrders
    | wire.FillsPage
    | wire.Balances
    | wire.Positions
    | wire.Instruments
    | wire.Tickers
)


class FillsPlace(msgspec.Struct, frozen=True):
    """A place in the fills of an account at one exchange, as a cursor says it: `ORDINAL@EXCHANGE`.

    The exchange is empty where it does not say which one it is, and in a cursor of earlier versions.
    """

    ordinal: int
    exchange: str

    @classmethod
    def of(cls, cursor: str) -> "FillsPlace":
        """Return what a cursor says; the empty one is the beginning, anywhere."""
        ordinal, _, exchange = cursor.partition("@")
        return cls(int(ordinal or "0"), exchange)

    def cursor(self) -> str:
        """Return it as a cursor."""
        return f"{self.ordinal}@{self.exchange}" if self.exchange else str(self.ordinal)


def page_reports(
    account: str, page: Page, request: VenueRequest | None, exchange: str = ""
) -> list[VenueReport] | None:
    """Return what a page states: whole as the answer to `request`, its facts alone without one.

    `exchange`: which one states it. None if the page is no answer to `request`.
    """
    match page:
        case wire.OpenOrders():
            orders = tuple([venue_order(account, order) for order in page.orders])
            if request is None:
                return list(orders)
            if not isinstance(request, VenueOpenOrders):
                return None
            return [
                VenueOpenOrdersListed(account=account, request_id=request.request_id, orders=orders)
            ]
        case wire.FillsPage():
            fills = tuple([venue_fill(account, fill, from_page=True) for fill in page.fills])
            if request is None:
                return list(fills)
            if not isinstance(request, VenueFillsSince):
                return None
            return [
                VenueFillsListed(
                    account=account,
                    request_id=request.request_id,
                    fills=fills,
                    cursor=FillsPlace(
                        page.fills[-1].ordinal
                        if page.fills
                        else FillsPlace.of(request.cursor).ordinal,
                        exchange,
                    ).cursor(),
                    is_last=page.is_last,
                )
            ]
        case wire.Balances():
            if request is None:
                return [venue_balances(account, page)]
            if not isinstance(request, VenueBalances):
                return None
            return [venue_balances(account, page, request.request_id)]
        case wire.Positions():
            if request is None:
                return [venue_positions(account, page)]
            if not isinstance(request, VenuePositions):
                return None
            return [venue_positions(account, page, request.request_id)]
        case wire.Instruments():
            if request is None:
                return [venue_instruments(account, page)]
            if not isinstance(request, VenueInstruments):
                return None
            return [venue_instruments(account, page, request.request_id)]
        case wire.Tickers():
            if request is None:
                return []  # old quotes are no news
            if not isinstance(request, VenueTickers):
                return None
            return [venue_tickers(account, page, request.request_id)]
        case _:
            assert_never(page)


def _check(*numbers: Decimal) -> None:
    """Raise FrameError unless each number is one that can be computed with."""
    for number in numbers:
        if not (
            number.is_finite()
            and abs(number.adjusted()) <= 40
            and len(str(number)) <= DECIMAL_TEXT_MAX
        ):
            text = str(number)[:DECIMAL_TEXT_MAX]
            raise wire.FrameError(f"{text} is no price, quantity or fee")
