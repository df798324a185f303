"""Recorded quotes: `timestamp,symbol,ask_size,ask,bid_size,bid`, the best bid and ask a line.

The time is UTC with up to nine decimals, the symbol is `BTC/USDT`. Both columns of a side that is not
there are empty. A size that rounds to zero steps is one step, because something was there.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from fairlead.core.model import Instrument
from fairlead.exchange.market import Level, SetBook
from fairlead.exchange.tape_line import Line, rows

COLUMNS = ("timestamp", "symbol", "ask_size", "ask", "bid_size", "bid")


def read_quotes(path: Path, known: Sequence[Instrument]) -> Iterator[SetBook]:
    """Yield the quotes of `path` as books of one level. Raises TapeError."""
    newest_ns = 0
    for line in rows(path, COLUMNS):
        newest_ns = line.time_ns("timestamp", newest_ns)
        instrument = line.instrument("symbol", known)
        asks = _level(line, "ask", "ask_size", instrument)
        bids = _level(line, "bid", "bid_size", instrument)
        if asks and bids and asks[0].price <= bids[0].price:
            line.refuse("ask", f"above the bid {bids[0].price}")
        yield SetBook(newest_ns, instrument.symbol_exchange, bids, asks)


def _level(line: Line, price: str, size: str, instrument: Instrument) -> tuple[Level, ...]:
    if not line.values[price] and not line.values[size]:
        return ()
    quantity = line.displayed(size, instrument)
    return (Level(line.price(price, instrument), quantity),)
