"""Makes units as the engine would, small and by hand, and commits them to a real journal."""

from decimal import Decimal

from fairlead.core.identity import client_key, venue_client_id
from fairlead.core.model import (
    AccountMode,
    Balance,
    Fill,
    Liquidity,
    Order,
    Origin,
    Position,
    Side,
    Stage,
    Status,
    TimeInForce,
    Updater,
)
from fairlead.core.order import apply
from fairlead.core.reports import AccountReport, BalanceReport, Cause, OrderReport, PositionReport
from fairlead.core.unit import AccountRecord, ExchangeKey, TradeKey, empty_unit
from fairlead.journal import Journal

START_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000
SYMBOL = "BTC-USDT"


class Bookkeeper:
    """Keeps orders and sequences as memory would, and the unit that the next commit writes."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        restored = journal.restore()
        self.next_number = restored.next_number
        self.orders = {order.number: order for order in restored.orders}
        self.sequences = {record.account: record.sequence for record in restored.accounts}
        self.modes = {record.account: record.mode for record in restored.accounts}
        self.balances = {(a, b.asset): b for a, b in restored.balances}
        self.positions = {(a, p.symbol): p for a, p in restored.positions}
        self.now_ns = START_NS
        self.trade_count = 0
        self.unit = empty_unit(self.now_ns)

    def wait(self, duration_ns: int = SECOND_NS) -> None:
        self.now_ns += duration_ns
        self.unit.time_ns = self.now_ns

    def open(self, client_order_id: str, account: str = "SIM", quantity: str = "1.50") -> Order:
        number, self.next_number = self.next_number, self.next_number + 1
        identity = (self.journal.installation_id, account, client_order_id)
        order = Order(
            number=number,
            account=account,
            client_order_id=client_order_id,
            venue_client_id=venue_client_id(*identity),
            symbol="SIM_SPOT_BTC_USDT",
            symbol_exchange=SYMBOL,
            base="BTC",
            quote="USDT",
            side=Side.BUY,
            price=Decimal("42000.10"),
            quantity=Decimal(quantity),
            time_in_force=TimeInForce.GOOD_TILL_CANCEL,
            time_in_force_text="GOOD_TILL_CANCEL",
            expire_time_ns=None,
            exec_inst=(),
            origin=Origin.CLIENT,
            caller="local",
            time_order_ns=self.now_ns,
            stage=Stage.RECEIVED,
            status_history=((Status.RECEIVED, self.now_ns),),
        )
        self.unit.opened.append((client_key(*identity), number))
        self.unit.unsettled.add(number)
        return self._keep(
            OrderReport(
                account, self._sequence(account), number, self.now_ns, Cause.RECEIVED, opened=order
            )
        )

    def report(self, number: int, cause: Cause, **fields: object) -> Order:
        account = self.orders[number].account
        return self._keep(
            OrderReport(account, self._sequence(account), number, self.now_ns, cause, **fields)
        )

    def route(self, number: int, exchange_order_id: str | None = None) -> Order:
        self.report(number, Cause.ROUTING, stage=Stage.ROUTING)
        text = exchange_order_id or f"X{number}"
        return self.report(number, Cause.ROUTED, stage=Stage.ROUTED, exchange_order_id=text)

    def fill(
        self, number: int, quantity: str, trade_id: str | None = None, booked_ns: int = 0
    ) -> Order:
        order = self.orders[number]
        self.trade_count += 1
        fill = Fill(
            trade_id=trade_id or f"{order.account}-{number}-{self.trade_count}",
            price=Decimal("42000.10"),
            quantity=Decimal(quantity),
            fee=Decimal("-1E-8"),
            fee_asset="USDT",
            liquidity=Liquidity.MAKER,
            time_ns=self.now_ns - 5,
            time_booked_ns=booked_ns or self.now_ns,
            exchange_ordinal=7,
        )
        key = TradeKey(order.account, order.symbol_exchange, fill.trade_id)
        self.unit.booked.append((number, len(order.fills), key, fill))
        return self.report(number, Cause.TRADE, fill=fill)

    def cancel(self, number: int) -> Order:
        return self.report(number, Cause.CANCELED, stage=Stage.CANCELED)

    def balance(self, account: str, asset: str, total: str) -> None:
        balance = Balance(
            asset, asset, Decimal(total), Decimal(0), Decimal(0), Updater.EXCHANGE, self.now_ns
        )
        report = BalanceReport(account, self._sequence(account), self.now_ns, balance)
        self.unit.reports.append(report)
        self.balances[account, asset] = self.unit.balances[account, asset] = balance

    def position(self, account: str, quantity: str, symbol: str = "SIM_PERP_BTC_USDT") -> None:
        number = Decimal(quantity)
        position = Position(
            symbol=symbol,
            symbol_exchange="BTC-PERP",
            quote="USDT",
            side=Side.SELL if number < 0 else Side.BUY,
            quantity=abs(number),
            entry_price=Decimal("42000.10"),
            mark_price=Decimal(42001),
            unrealized=Decimal("-1E-8"),
            leverage=Decimal(10),
            is_cross=True,
            liquidation_price=None,
            updated_by=Updater.EXCHANGE,
            time_ns=self.now_ns,
            exchange_ordinal=3,
        )
        report = PositionReport(account, self._sequence(account), self.now_ns, position)
        self.unit.reports.append(report)
        self.positions[account, symbol] = self.unit.positions[account, symbol] = position

    def mode(self, account: str, mode: AccountMode) -> None:
        self.modes[account] = mode
        report = AccountReport(account, self._sequence(account), self.now_ns, mode)
        self.unit.reports.append(report)

    def commit(self) -> None:
        """Commit what was reported since the last commit, and drop settled orders from memory."""
        unit, self.unit = self.unit, empty_unit(self.now_ns)
        self.journal.commit(unit)
        for number in unit.settled:
            del self.orders[number]

    def _sequence(self, account: str) -> int:
        sequence = self.sequences[account] = self.sequences.get(account, 0) + 1
        mode = self.modes.get(account, AccountMode.ACTIVE)
        self.unit.accounts[account] = AccountRecord(account, mode, sequence)
        return sequence

    def _keep(self, report: OrderReport) -> Order:
        before = self.orders.get(report.number)
        after = self.orders[report.number] = apply(before, report)
        self.unit.reports.append(report)
        self.unit.orders[after.number] = after
        if after.exchange_order_id is not None and (
            before is None or before.exchange_order_id is None
        ):
            key = ExchangeKey(after.account, after.exchange_order_id)
            self.unit.identified.append((key, after.number))
        if after.is_settled:
            self.unit.unsettled.discard(after.number)
            self.unit.settled.add(after.number)
        else:
            self.unit.settled.discard(after.number)
            self.unit.unsettled.add(after.number)
        return after


def wanted_key(journal: Journal, client_order_id: str, account: str = "SIM") -> int:
    return client_key(journal.installation_id, account, client_order_id)
