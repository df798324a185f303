"""A recorded market's file: which of four forms it has, told by its first line, and who reads it.

Form       First line                                                Reader
trades     timestamp,trade_id,price,quantity,buyer_maker             tape_trades
quotes     timestamp,symbol,ask_size,ask,bid_size,bid                tape_quotes
depth      symbol,timestamp,first_update_id,…,price,qty,pu           tape_depth
orderbook  a JSON object, as all others                              tape_orderbook

Recorded quantities carry the residue of floating point (0.031035000000000004) and are rounded half
even to the instrument's size step. A trade that rounds to zero is dropped; a displayed size that does
is one step, because something was there. Prices must be on the tick. Whatever else a line says is an
error that names file, line and column. Must never hold more than one message, nor guess.
"""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import assert_never

import msgspec

from fairlead.core.model import Instrument
from fairlead.exchange import tape_depth, tape_quotes, tape_trades
from fairlead.exchange.tape_chain import Recorded
from fairlead.exchange.tape_depth import read_depth
from fairlead.exchange.tape_line import TapeError, market_word, read_lines
from fairlead.exchange.tape_orderbook import is_orderbook, read_orderbook
from fairlead.exchange.tape_quotes import read_quotes
from fairlead.exchange.tape_trades import read_trades


class TapeForm(StrEnum):
    TRADES = "trades"
    QUOTES = "quotes"
    DEPTH = "depth"
    ORDERBOOK = "orderbook"


HEADERS = {
    ",".join(tape_trades.COLUMNS): TapeForm.TRADES,
    ",".join(tape_quotes.COLUMNS): TapeForm.QUOTES,
    ",".join(tape_depth.COLUMNS): TapeForm.DEPTH,
}
ENDINGS = ("*.csv", "*.jsonl")  # of what is taken from a folder


class TapeFile(msgspec.Struct, frozen=True):
    """One file, its form known. `instrument` is its only market, where the arguments or its name say so."""

    path: Path
    form: TapeForm
    instrument: Instrument | None


def recognize(path: Path, instrument: Instrument | None, known: Sequence[Instrument]) -> TapeFile:
    """Tell the form of `path` by its first line.

    A trades file needs `instrument`, or a file name with the market as one of its words (`BTC/USDT`:
    `binance-btcusdt-trades.csv`). Raises TapeError, also when the file cannot be read.
    """
    _, first = next(read_lines(path), (1, ""))
    form = TapeForm.ORDERBOOK if is_orderbook(first) else HEADERS.get(first)
    if form is None:
        expected = " or ".join(repr(header) for header in HEADERS)
        raise TapeError(
            f"{path} line 1: header {first[:200]!r} is not a tape's: expected {expected}, or a JSON "
            "message of an order book"
        )
    if form is TapeForm.TRADES and instrument is None:
        words = re.split(r"[^a-z0-9]+", path.name.lower())
        named = [one for one in known if market_word(one).lower() in words]
        if len(named) != 1:
            raise TapeError(
                f"{path}: a trades file does not say its market, and its name contains none of "
                f"{', '.join(one.symbol_exchange for one in known)}: expected SYMBOL=FILE"
            )
        instrument = named[0]
    return TapeFile(path, form, instrument)


def read(file: TapeFile, known: Sequence[Instrument]) -> Iterator[Recorded | None]:
    """Yield what `file` says, in its order, None for a trade that is dropped. Raises TapeError.

    A file of which an instrument is known must not speak of another.
    """
    spoken_of = known if file.instrument is None else (file.instrument,)
    match file.form:
        case TapeForm.TRADES:
            assert file.instrument is not None
            return read_trades(file.path, file.instrument)
        case TapeForm.QUOTES:
            return read_quotes(file.path, spoken_of)
        case TapeForm.DEPTH:
            return read_depth(file.path, spoken_of)
        case TapeForm.ORDERBOOK:
            return read_orderbook(file.path, spoken_of)
        case _:
            assert_never(file.form)
