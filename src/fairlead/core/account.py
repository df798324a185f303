"""One account at run time: its mode, its connection, its exchange's rules, its balances and positions.

Must never hold orders; those are in `core.orders`.
"""

from collections import Counter
from collections.abc import Iterable

from fairlead.core.ledger import Ledger
from fairlead.core.model import (
    Abilities,
    AccountMode,
    Balance,
    Instrument,
    InstrumentKind,
    Position,
)
from fairlead.core.positions import Positions
from fairlead.core.rate import Bucket
from fairlead.core.rates import Rates
from fairlead.core.reconciliation import Drifts, Reconciliation, SweepLog
from fairlead.core.replies import AccountState
from fairlead.core.unit import AccountRecord

SEPARATORS = "~/.,:;!@#$%^&*-_+=."
NOT_CONNECTED = (
    "not connected yet"  # what is the trouble with an account before its first connection
)
RECONCILING = "reconciling"  # and how it begins after one


def exchange_of(account: str) -> str:
    """Return the bare exchange of an `exchange_id`: everything before the first separator."""
    for position, character in enumerate(account):
        if character in SEPARATORS:
            return account[:position]
    return account


class Account:
    """Mutable, and changed by the engine only. `is_dirty`: its record changed in this batch."""

    def __init__(
        self,
        record: AccountRecord,
        order_rate_per_s: int,
        balances: Iterable[Balance] = (),
        positions: Iterable[Position] = (),
    ) -> None:
        self.name = record.account
        self.exchange = exchange_of(record.account)
        self.mode: AccountMode = record.mode
        self.sequence = record.sequence
        self.is_loaded = record.is_loaded
        self.fills_cursor = record.fills_cursor
        self.reconciled_time_ns = record.reconciled_time_ns
        self.reconciled_trade_id = record.reconciled_trade_id
        self.last_trade_id = record.reconciled_trade_id
        self.ledger = Ledger(balances)
        self.positions = Positions(positions)
        for position in self.positions.all():
            self.ledger.position_loaded(position)
        self.rate = Bucket(order_rate_per_s)
        self.rates = Rates()
        self.sweeps = SweepLog()
        self.drifts = Drifts()
        self.abilities: Abilities | None = None
        self.is_connected = False
        self.is_reconciled = False
        self.trouble: str | None = NOT_CONNECTED
        self.is_clock_off = False  # the exchange's is so far from ours that an operator was told
        self.is_dirty = False
        self.foreign_orders: set[str] = set()
        self._ambiguous: set[str] = set()
        self.instruments: tuple[Instrument, ...] = ()  # ambiguous ones left out
        self._by_symbol: dict[str, Instrument] = {}
        self._by_symbol_exchange: dict[str, Instrument] = {}
        self._assets = {balance.asset_exchange: balance.asset for balance in self.ledger.balances()}

    @property
    def has_perpetuals(self) -> bool:
        """Whether the exchange lists instruments in which one can have a position."""
        return any(instrument.kind is InstrumentKind.PERPETUAL for instrument in self.instruments)

    def take_instruments(self, instruments: Iterable[Instrument]) -> list[str]:
        """Replace the instruments; those that are not one-to-one are left out.

        Returns the symbols left out now that were not before.
        """
        listed = list(instruments)
        symbols = Counter(instrument.symbol for instrument in listed)
        symbols_exchange = Counter(instrument.symbol_exchange for instrument in listed)
        kept = [
            instrument
            for instrument in listed
            if symbols[instrument.symbol] == 1 == symbols_exchange[instrument.symbol_exchange]
        ]
        self.instruments = tuple(kept)
        self._by_symbol = {instrument.symbol: instrument for instrument in kept}
        self._by_symbol_exchange = {instrument.symbol_exchange: instrument for instrument in kept}
        for instrument in kept:
            self._assets[instrument.base_exchange] = instrument.base
            self._assets[instrument.quote_exchange] = instrument.quote
        self.ledger.name_assets({asset: name for name, asset in self._assets.items()})
        before, self._ambiguous = self._ambiguous, symbols.keys() - self._by_symbol.keys()
        return sorted(self._ambiguous - before)

    def instrument(self, symbol: str | None, symbol_exchange: str | None) -> Instrument | None:
        """Return the instrument that every given symbol names, None if there is no such one."""
        if symbol is not None:
            found = self._by_symbol.get(symbol)
            if found is None or symbol_exchange in (None, found.symbol_exchange):
                return found
            return None
        return None if symbol_exchange is None else self._by_symbol_exchange.get(symbol_exchange)

    def asset(self, asset_exchange: str) -> str:
        """Return our name of the exchange's asset; its own where no instrument names it."""
        return self._assets.get(asset_exchange, asset_exchange)

    def position_moved(self, symbol: str, now_ns: int) -> None:
        """Have the balances lock what the position needs as it is now."""
        position = self.positions.get(symbol)
        if position is not None:
            self.ledger.position_moved(position, now_ns)

    def record(self) -> AccountRecord:
        """Return what the journal keeps of the account."""
        return AccountRecord(
            self.name,
            self.mode,
            self.sequence,
            self.is_loaded,
            self.fills_cursor,
            self.reconciled_time_ns,
            self.reconciled_trade_id,
        )

    def state(self, orders_open: int, orders_in_doubt: int) -> AccountState:
        """Return the account as an operator sees it."""
        return AccountState(
            account=self.name,
            mode=self.mode,
            connected=self.is_connected,
            reconciled=self.is_reconciled,
            loaded=self.is_loaded,
            trouble=self.trouble,
            sequence=self.sequence,
            orders_open=orders_open,
            orders_in_doubt=orders_in_doubt,
            reconciled_time_ns=self.reconciled_time_ns,
            reconciled_trade_id=self.reconciled_trade_id,
        )

    def reconciliation(self) -> Reconciliation:
        """Return how the account stands with its exchange."""
        sweeps = self.sweeps
        return Reconciliation(
            account=self.name,
            connected=self.is_connected,
            reconciled=self.is_reconciled,
            trouble=self.trouble,
            reconciled_time_ns=self.reconciled_time_ns,
            reconciled_trade_id=self.reconciled_trade_id,
            step=sweeps.step,
            sweeps_succeeded=sweeps.succeeded,
            sweeps_failed=sweeps.failed,
            last_sweep=sweeps.last,
            drifts=tuple(drift for drift in self.drifts.all() if drift.drift),
            sequence=self.sequence,
        )
