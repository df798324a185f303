"""Recorded trades: `timestamp,trade_id,price,quantity,buyer_maker`, one trade a line.

The time is UTC with up to nine decimals. `buyer_maker` True says that a seller took. The file does
not say its market. A quantity that rounds to zero steps is no trade of ours and is dropped.
"""

from collections.abc import Iterator
from pathlib import Path

from fairlead.core.model import Instrument, Side
from fairlead.exchange.market import PrintTrade
from fairlead.exchange.tape_line import Line, round_to_step, rows

COLUMNS = ("timestamp", "trade_id", "price", "quantity", "buyer_maker")

_AGGRESSORS = {
    "True": Side.SELL,
    "False": Side.BUY,
    "true": Side.SELL,
    "false": Side.BUY,
}


def read_trades(path: Path, instrument: Instrument) -> Iterator[PrintTrade | None]:
    """Yield the trades of `path`, None for one that is dropped. Raises TapeError."""
    newest_ns = 0
    for line in rows(path, COLUMNS):
        newest_ns = line.time_ns("timestamp", newest_ns)
        yield _trade(line, newest_ns, instrument)


def _trade(line: Line, time_ns: int, instrument: Instrument) -> PrintTrade | None:
    line.integer("trade_id")
    price = line.price("price", instrument)
    quantity = round_to_step(line.positive("quantity"), instrument.quantity_step)
    aggressor = _AGGRESSORS[line.one_of("buyer_maker", _AGGRESSORS)]
    if not quantity:
        return None
    return PrintTrade(time_ns, instrument.symbol_exchange, price, quantity, aggressor)
