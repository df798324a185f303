"""The past, as the journal keeps it, for conversations without a disk: every unit is checked as it comes."""

from fairlead.core.identity import client_key
from fairlead.core.model import Balance, Order, Position
from fairlead.core.order import apply
from fairlead.core.reports import AccountReport, BalanceReport, OrderReport, PositionReport
from fairlead.core.unit import (
    AccountRecord,
    ExchangeKey,
    Recalled,
    Restored,
    TradeKey,
    Unit,
    Wanted,
)

INSTALLATION = bytes(range(16))


class Memory:
    """Commits, recalls and restores like `fairlead.journal`; what a unit says is proven on arrival."""

    def __init__(self) -> None:
        self.orders: dict[int, Order] = {}
        self.numbers_by_key: dict[int, list[int]] = {}
        self.numbers_by_exchange_key: dict[ExchangeKey, list[int]] = {}
        self.trades: set[TradeKey] = set()
        self.unsettled: set[int] = set()
        self.accounts: dict[str, AccountRecord] = {}
        self.balances: dict[tuple[str, str], Balance] = {}
        self.positions: dict[tuple[str, str], Position] = {}
        self.sequences: dict[str, int] = {}

    def commit(self, unit: Unit) -> None:
        """Take a unit; everything in it must follow from its reports."""
        booked = {}
        for number, position, key, fill in unit.booked:
            assert key not in self.trades, f"{key} is booked twice"
            self.trades.add(key)
            booked[number, position] = fill
        for report in unit.reports:
            expected = self.sequences.get(report.account, 0) + 1
            assert report.sequence == expected, f"{report} comes after {expected - 1}"
            self.sequences[report.account] = report.sequence
            if isinstance(report, OrderReport):
                before = self.orders.get(report.number)
                after = self.orders[report.number] = apply(before, report)
                if report.fill is not None:
                    position = len(after.fills) - 1
                    assert booked.pop((report.number, position)) == report.fill
            elif isinstance(report, BalanceReport):
                assert unit.balances[report.account, report.balance.asset] == report.balance
            elif isinstance(report, PositionReport):
                assert unit.positions[report.account, report.position.symbol] == report.position
        assert not booked, f"{booked} without a report"
        for number, order in unit.orders.items():
            assert self.orders[number] == order
            is_settled = number in unit.settled
            assert is_settled == order.is_settled
            is_kept = number in unit.unsettled or (not is_settled and number in self.unsettled)
            assert is_kept != is_settled, f"order {number} is owed something and forgotten"
        self.unsettled = (self.unsettled | unit.unsettled) - unit.settled
        self._index(unit)
        for account, record in unit.accounts.items():
            assert record.sequence == self.sequences.get(account, 0)
        assert {report.account for report in unit.reports} <= unit.accounts.keys()
        for report in unit.reports:
            if isinstance(report, AccountReport):
                assert unit.accounts[report.account].mode is report.mode
        self.accounts |= unit.accounts
        self.balances |= unit.balances
        self.positions |= unit.positions

    def _index(self, unit: Unit) -> None:
        for key, number in unit.opened:
            order = self.orders[number]
            assert key == client_key(INSTALLATION, order.account, order.client_order_id)
            for other in self.numbers_by_key.setdefault(key, []):
                assert self.orders[other].client_order_id != order.client_order_id
            self.numbers_by_key[key].append(number)
        for key, number in unit.identified:
            assert self.orders[number].exchange_order_id == key.exchange_order_id
            self.numbers_by_exchange_key.setdefault(key, []).append(number)

    def recall(self, wanted: Wanted) -> Recalled:
        """Return what of the past `wanted` names."""
        numbers = set(wanted.numbers)
        for client in wanted.client_keys:
            numbers.update(self.numbers_by_key.get(client, ()))
        for key in wanted.exchange_keys:
            numbers.update(self.numbers_by_exchange_key.get(key, ()))
        orders = [self.orders[number] for number in sorted(numbers) if number in self.orders]
        return Recalled(orders, wanted.trades & self.trades)

    def restore(self) -> Restored:
        """Return what the next process starts with."""
        return Restored(
            installation_id=INSTALLATION,
            next_number=max(self.orders, default=0) + 1,
            orders=[self.orders[number] for number in sorted(self.unsettled)],
            accounts=list(self.accounts.values()),
            balances=[(account, balance) for (account, _), balance in self.balances.items()],
            positions=[(account, held) for (account, _), held in self.positions.items()],
        )

    def find(self, account: str, client_order_id: str) -> Order:
        """Return the durable order of that client id."""
        for number in self.numbers_by_key[client_key(INSTALLATION, account, client_order_id)]:
            if self.orders[number].client_order_id == client_order_id:
                return self.orders[number]
        raise KeyError(client_order_id)
