"""Watches positions while a world runs: a quantity must be one that the account had at the exchange.

Where nobody trades behind Fairlead's back, an account's quantity in a perpetual changes by the fills of
its orders and of those by which the exchange liquidates. So the quantities it ever had follow from the
exchange's fills, and Fairlead, while it is reconciled, must show one of them, and never an older one
than before.
"""

from collections.abc import Callable

from fairlead.core.model import ZERO, Side
from fairlead.core.reports import PositionReport
from fairlead.exchange.server import Exchange
from fairlead.simulation.balances import Totals
from fairlead.simulation.machine import public_key

_FILLS_MAX = 10_000


class PositionWatch:
    """`is_reconciled` says whether an account may be judged at this moment."""

    def __init__(
        self, exchange: Callable[[], Exchange | None], is_reconciled: Callable[[str], bool]
    ) -> None:
        self._exchange = exchange
        self._is_reconciled = is_reconciled
        self._quantities: dict[tuple[str, str], Totals] = {}
        self._ordinals: dict[str, int] = {}

    def look(self, report: PositionReport) -> str | None:
        """Return what is wrong with a position that has just been made durable."""
        exchange = self._exchange()
        name, position = report.account, report.position
        if exchange is None or not self._is_reconciled(name):
            return None
        account = exchange.matching.accounts.get(public_key(name))
        if account is None:
            return None
        self._read(exchange, name, account.number)
        quantities = self._of(name, position.symbol_exchange)
        if quantities.show(position.signed_quantity):
            return None
        recent = ", ".join(str(each) for each in quantities.history[quantities.shown :][:5])
        return (
            f"{name} {position.symbol} is shown as {position.signed_quantity}, which it never was"
            f" since it was {quantities.history[quantities.shown]}; the exchange had {recent}"
        )

    def _of(self, name: str, symbol: str) -> Totals:
        return self._quantities.setdefault((name, symbol), Totals(ZERO))

    def _read(self, exchange: Exchange, name: str, number: int) -> None:
        """Read the fills that are new at the exchange."""
        exchange.desk.commit()
        after = self._ordinals.get(name, 0)
        for fill in exchange.store.fills_after(number, after, _FILLS_MAX):
            self._ordinals[name] = fill.ordinal
            history = self._of(name, fill.symbol).history
            change = fill.quantity if fill.side is Side.BUY else -fill.quantity
            history.append(history[-1] + change)
