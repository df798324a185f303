"""Watches balances while a world runs: a total must be one that the account had at the exchange.

Where nobody deposits or trades behind Fairlead's back, an account's totals change by its fills alone.
So the totals it ever had follow from the exchange's fills, and Fairlead, while it is reconciled, must
show one of them, and never an older one than before.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from fairlead.core.model import ZERO, Side
from fairlead.core.reports import BalanceReport
from fairlead.exchange.orders import Account
from fairlead.exchange.server import Exchange
from fairlead.simulation.machine import public_key
from fairlead.venues.sim_messages import WireFill

_FILLS_MAX = 10_000


class Totals:
    """What one asset of one account was worth after each fill; `shown` is the newest one seen."""

    def __init__(self, start: Decimal) -> None:
        self.history = [start]
        self.shown = 0

    def show(self, total: Decimal) -> bool:
        """Take note that `total` is shown; False if it is none of the totals since the last one."""
        for index in range(self.shown, len(self.history)):
            if self.history[index] == total:
                self.shown = index
                return True
        return False


class BalanceWatch:
    """`is_reconciled` says whether an account may be judged at this moment."""

    def __init__(
        self,
        starting_balances: tuple[tuple[str, Decimal], ...],
        exchange: Callable[[], Exchange | None],
        is_reconciled: Callable[[str], bool],
    ) -> None:
        self._start = dict(starting_balances)
        self._exchange = exchange
        self._is_reconciled = is_reconciled
        self._totals: dict[tuple[str, str], Totals] = {}
        self._ordinals: dict[str, int] = {}

    def look(self, report: BalanceReport) -> str | None:
        """Return what is wrong with a balance that has just been made durable."""
        exchange = self._exchange()
        name, balance = report.account, report.balance
        if exchange is None or not self._is_reconciled(name):
            return None
        account = exchange.matching.accounts.get(public_key(name))
        if account is None:
            return None
        self._read(exchange, name, account)
        totals = self._of(name, balance.asset)
        if totals.show(balance.total):
            return None
        recent = ", ".join(str(total) for total in totals.history[totals.shown :][:5])
        return (
            f"{name} {balance.asset} is shown as {balance.total}, which it never was since it was"
            f" {totals.history[totals.shown]}; the exchange had {recent}"
        )

    def _of(self, name: str, asset: str) -> Totals:
        return self._totals.setdefault((name, asset), Totals(self._start.get(asset, ZERO)))

    def _read(self, exchange: Exchange, name: str, account: Account) -> None:
        """Read the fills that are new at the exchange."""
        exchange.desk.commit()
        after = self._ordinals.get(name, 0)
        for fill in exchange.store.fills_after(account.number, after, _FILLS_MAX):
            self._ordinals[name] = fill.ordinal
            for asset, change in _changes(fill):
                history = self._of(name, asset).history
                history.append(history[-1] + change)


def _changes(fill: WireFill) -> Iterator[tuple[str, Decimal]]:
    """Yield by how much a fill changed each asset."""
    base, quote = fill.symbol.split("/")
    notional = fill.price * fill.quantity
    is_buy = fill.side is Side.BUY
    changes = {base: fill.quantity if is_buy else -fill.quantity}
    changes[quote] = -notional if is_buy else notional
    changes[fill.fee_asset] -= fill.fee
    yield from changes.items()
