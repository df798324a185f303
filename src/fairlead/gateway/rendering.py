"""Values → the shapes that leave us. Knows every wire name of an answer; decides nothing."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

from fairlead.core.model import Balance, Fill, Instrument, Order, Position, Side
from fairlead.core.order import status
from fairlead.core.rates import Rate
from fairlead.core.reconciliation import Drift, Reconciliation, Sweep
from fairlead.core.replies import AccountState
from fairlead.gateway import shapes
from fairlead.gateway.forms import ORDER_TYPE
from fairlead.gateway.numbers import plain
from fairlead.gateway.times import time_text
from fairlead.gateway.wrong import Finding

encode = msgspec.json.Encoder().encode
_ZERO = Raw("0")
_MS = 1_000_000  # ns


class Renderer:
    """Renders values in the contract's shapes; `omit_nulls` leaves null fields out (strict clients)."""

    def __init__(self, omit_nulls: bool = False) -> None:
        self._null: UnsetType | None = UNSET if omit_nulls else None

    def order(self, order: Order) -> shapes.OrderExecutionReport:
        """Return the report of `order`, every field in the contract's order, ours after them."""
        null = self._null
        price, quantity, filled = order.price, order.quantity, order.quantity_filled
        return shapes.OrderExecutionReport(
            "ORDER_EXEC_REPORT_UPDATE",
            order.client_order_id,
            order.venue_client_id,
            order.exchange_order_id or null,
            number(order.leaves_quantity),
            number(filled),
            status(order),
            [(shown, time_text(time_ns)) for shown, time_ns in order.status_history],
            order.error_message or null,
            [fill_shape(fill) for fill in order.fills],
            order.account,
            order.client_order_id,
            order.symbol_exchange,
            order.symbol,
            number(quantity),
            number(price),
            number(order.average_price) if filled else _ZERO,
            order.side,
            ORDER_TYPE,
            order.time_in_force_text,
            null if order.expire_time_ns is None else time_text(order.expire_time_ns),
            order.exec_inst,
            order.in_doubt_ns is not None,
            order.sequence,
            time_text(order.time_order_ns),
        )

    def history(self, order: Order) -> shapes.OrderHistory:
        """Return the history row of `order`: flat, camelCase."""
        null = self._null
        is_explained = order.reason is not None or order.error_message is not None
        return shapes.OrderHistory(
            apikey=order.caller,
            exchangeId=order.account,
            clientOrderId=order.client_order_id,
            symbolIdExchange=order.symbol_exchange,
            symbolIdCoinapi=order.symbol,
            amountOrder=number(order.quantity),
            price=number(order.price),
            side=1 if order.side is Side.BUY else 2,
            orderType=ORDER_TYPE,
            timeInForce=order.time_in_force_text,
            expireTime=null if order.expire_time_ns is None else time_text(order.expire_time_ns),
            execInst=order.exec_inst,
            clientOrderIdFormatExchange=order.venue_client_id,
            exchangeOrderId=order.exchange_order_id or null,
            amountOpen=number(order.leaves_quantity),
            amountFilled=number(order.quantity_filled),
            avgPx=number(order.average_price),
            status=status(order),
            statusHistoryStatus=[shown for shown, _ in order.status_history],
            statusHistoryTime=[time_text(time_ns) for _, time_ns in order.status_history],
            errorMessageResult=status(order) if is_explained else null,
            errorMessageReason=order.reason or null,
            errorMessageMessage=order.error_message or null,
            fillsTime=[time_text(fill.time_ns) for fill in order.fills],
            fillsPrice=[number(fill.price) for fill in order.fills],
            fillsAmount=[number(fill.quantity) for fill in order.fills],
            createdTime=time_text(order.time_order_ns),
            fillsTradeId=[fill.trade_id for fill in order.fills],
            fillsFee=[number(fill.fee) for fill in order.fills],
            fillsFeeAsset=[fill.fee_asset for fill in order.fills],
            fillsLiquidity=[fill.liquidity for fill in order.fills],
        )

    def balances(
        self, account: str, balances: tuple[Balance, ...], rates: Mapping[str, Rate], now_ns: int
    ) -> shapes.Balance:
        """Return the snapshot of one account; `rates` by asset, as far as they are known."""
        rows = [self.balance_row(each, rates.get(each.asset), now_ns) for each in balances]
        return shapes.Balance("BALANCE_SNAPSHOT", account, rows)

    def positions(
        self, account: str, positions: tuple[Position, ...], now_ns: int
    ) -> shapes.Position:
        """Return the snapshot of one account."""
        rows = [self.position_row(position, now_ns) for position in positions]
        return shapes.Position("POSITION_SNAPSHOT", account, rows)

    def account(self, state: AccountState) -> shapes.OperatorAccount:
        """Return an account as an operator sees it."""
        reconciled_ns = state.reconciled_time_ns
        return shapes.OperatorAccount(
            exchange_id=state.account,
            mode=state.mode,
            connected=state.connected,
            reconciled=state.reconciled,
            loaded=state.loaded,
            trouble=state.trouble or self._null,
            sequence=state.sequence,
            orders_open=state.orders_open,
            orders_in_doubt=state.orders_in_doubt,
            reconciled_time=self._null if reconciled_ns is None else time_text(reconciled_ns),
            reconciled_trade_id=state.reconciled_trade_id or self._null,
        )

    def reconciliation(self, stands: Reconciliation, now_ns: int) -> shapes.Reconciliation:
        """Return how an account stands with its exchange."""
        null, since_ns = self._null, stands.reconciled_time_ns
        return shapes.Reconciliation(
            exchange_id=stands.account,
            connected=stands.connected,
            reconciled=stands.reconciled,
            trouble=stands.trouble or null,
            reconciled_time=null if since_ns is None else time_text(since_ns),
            reconciled_age_ms=null if since_ns is None else _age_ms(since_ns, now_ns),
            reconciled_trade_id=stands.reconciled_trade_id or null,
            step=stands.step or null,
            sweeps_succeeded=stands.sweeps_succeeded,
            sweeps_failed=stands.sweeps_failed,
            last_sweep=null if stands.last_sweep is None else self._sweep(stands.last_sweep),
            drifts=[_drift(drift) for drift in stands.drifts],
        )

    def attention(self, order: Order, trouble: str) -> shapes.OperatorAttention:
        """Return an order that an operator should look at."""
        return shapes.OperatorAttention(trouble, self.order(order))

    def instruments(
        self, account: str, instruments: tuple[Instrument, ...]
    ) -> shapes.OperatorInstruments:
        """Return the instruments of one account with the rules that orders in them must keep."""
        return shapes.OperatorInstruments(account, [_instrument(each) for each in instruments])

    def _sweep(self, sweep: Sweep) -> shapes.Sweep:
        found = sweep.found
        return shapes.Sweep(
            time=time_text(sweep.time_ns),
            cause=sweep.cause,
            duration_ms=sweep.duration_ns // _MS,
            succeeded=sweep.trouble is None,
            trouble=sweep.trouble or self._null,
            found=shapes.SweepFound(
                found.orders_adopted,
                found.orders_asked,
                found.fills_booked,
                found.balances_moved,
                found.positions_moved,
            ),
        )

    def position_row(self, position: Position, now_ns: int) -> shapes.PositionRow:
        """Return one position of an account."""
        price = position.liquidation_price
        return shapes.PositionRow(
            id=f"{position.symbol_exchange}{position.side}",
            symbol_id_exchange=position.symbol_exchange,
            symbol_id_coinapi=position.symbol,
            avg_entry_price=number(position.entry_price),
            quantity=number(position.quantity),
            side=position.side,
            unrealized_pnl=number(position.unrealized),
            leverage=number(position.leverage),
            cross_margin=position.is_cross,
            liquidation_price=self._null if price is None else number(price),
            raw_data=shapes.PositionDetails(number(position.mark_price), position.exchange_ordinal),
            age_ms=_age_ms(position.time_ns, now_ns),
            source=position.updated_by,
        )

    def balance_row(self, balance: Balance, rate: Rate | None, now_ns: int) -> shapes.BalanceRow:
        """Return one asset of an account; `rate` None: its worth is not known."""
        return shapes.BalanceRow(
            id=balance.asset_exchange,
            asset_id_exchange=balance.asset_exchange,
            asset_id_coinapi=balance.asset,
            balance=number(balance.total),
            available=number(balance.available),
            locked=number(balance.locked),
            traded=number(balance.traded),
            last_updated_by=balance.updated_by,
            rate_usd=self._null if rate is None else number(rate.usd),
            age_ms=_age_ms(balance.time_ns, now_ns),
            source=balance.updated_by,
            rate_usd_age_ms=self._null if rate is None else rate.age_ns // _MS,
        )


def invalid(findings: list[Finding], trace_id: str) -> shapes.ValidationError:
    """Return the body of a 400: every finding as text, and the same by field."""
    by_field: dict[str, str] = {}
    for field, text in findings:
        by_field[field] = f"{by_field[field]}; {text}" if field in by_field else text
    return shapes.ValidationError(
        type="https://tools.ietf.org/html/rfc7231#section-6.5.1",
        title="One or more validation errors occurred.",
        status=400,
        traceId=trace_id,
        errors="; ".join([f"{field}: {text}" for field, text in findings]),
        errors_by_field=by_field,
    )


def fill_shape(fill: Fill) -> shapes.Fills:
    """Return one fill."""
    return shapes.Fills(
        time_text(fill.time_ns),
        number(fill.price),
        number(fill.quantity),
        fill.trade_id,
        number(fill.fee),
        fill.fee_asset,
        fill.liquidity,
    )


def _instrument(instrument: Instrument) -> shapes.OperatorInstrument:
    return shapes.OperatorInstrument(
        symbol_id_coinapi=instrument.symbol,
        symbol_id_exchange=instrument.symbol_exchange,
        asset_id_base_exchange=instrument.base_exchange,
        asset_id_quote_exchange=instrument.quote_exchange,
        asset_id_base_coinapi=instrument.base,
        asset_id_quote_coinapi=instrument.quote,
        price_precision=number(instrument.price_tick),
        size_precision=number(instrument.quantity_step),
        amount_min=number(instrument.quantity_min),
        amount_max=number(instrument.quantity_max),
        notional_min=number(instrument.notional_min),
    )


def _drift(drift: Drift) -> shapes.Drift:
    kind: Literal["BALANCE", "POSITION"] = "POSITION" if drift.is_position else "BALANCE"
    return shapes.Drift(drift.name, kind, number(drift.drift), drift.sweeps, drift.stays)


def _age_ms(time_ns: int, now_ns: int) -> int:
    """Return how long ago `time_ns` was; 0 where the clock was set back since."""
    return max(0, now_ns - time_ns) // _MS


def number(value: Decimal) -> Raw:
    """Return a number with its exact digits, never in exponent form."""
    text = str(value)
    return Raw(plain(value) if "E" in text or text[0] == "-" else text)
