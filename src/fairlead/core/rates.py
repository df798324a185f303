"""What an asset is worth in USD, by the exchange's own markets: told, never invented.

A stablecoin of the US dollar counts as one dollar. Any other asset is worth the middle of the best
quotes of a spot market in which it trades against one; without both quotes, or when they are too old, its
worth is not known. In memory only.
"""

from collections.abc import Collection, Iterable
from decimal import Decimal

import msgspec

from fairlead.core.model import Instrument, InstrumentKind

_ONE = Decimal(1)
_HALF = Decimal("0.5")
DOLLARS = frozenset({"USD", "USDT", "USDC", "TUSD", "FDUSD", "USDP", "PYUSD", "DAI"})


class Ticker(msgspec.Struct, frozen=True, array_like=True):
    """The best quotes of a market; None where nobody quotes."""

    symbol_exchange: str
    bid: Decimal | None
    ask: Decimal | None


class Rate(msgspec.Struct, frozen=True):
    """What one unit is worth in USD, and how long ago the exchange said so."""

    usd: Decimal
    age_ns: int


class Rates:
    """The tickers of one account's exchange, each with the steady time it was heard."""

    def __init__(self) -> None:
        self._tickers: dict[str, tuple[Ticker, int]] = {}

    def heard(self, tickers: Iterable[Ticker], now_ns: int) -> None:
        """Take what the exchange says its markets quote now."""
        for ticker in tickers:
            self._tickers[ticker.symbol_exchange] = (ticker, now_ns)

    def usd(
        self,
        assets: Collection[str],
        instruments: Iterable[Instrument],
        now_ns: int,
        age_ns_max: int,
    ) -> dict[str, Rate]:
        """Return the rate of each of our `assets` whose worth is known at `now_ns`."""
        rates = {asset: Rate(_ONE, 0) for asset in assets if asset in DOLLARS}
        wanted = set(assets)
        for instrument in instruments:
            if instrument.base not in wanted or not _is_against_dollars(instrument):
                continue
            ticker, heard_ns = self._tickers.get(instrument.symbol_exchange, (None, 0))
            age_ns = now_ns - heard_ns
            if ticker is None or ticker.bid is None or ticker.ask is None or age_ns > age_ns_max:
                continue
            best = rates.get(instrument.base)
            if best is None or age_ns < best.age_ns:
                rates[instrument.base] = Rate((ticker.bid + ticker.ask) * _HALF, age_ns)
        return rates


def _is_against_dollars(instrument: Instrument) -> bool:
    return instrument.kind is InstrumentKind.SPOT and instrument.quote in DOLLARS
