"""A recorded book in columns: Binance's depth, one level a line.

`symbol,timestamp,first_update_id,last_update_id,side,update_type,price,qty,pu`: `BTCUSDT`, ms of the
epoch, `a` or `b`, `snap` or `set`. The lines of one message are those in a row that agree in all but
side, price and quantity. A quantity of 0 in an update takes the level away. `pu` is the last update of
the message before; −1 where there is none. Source: "How to manage a local order book correctly" of the
documentation of Binance's USDⓈ-M futures, read 2026-11-27.

A file may hold snapshots, updates or both. A snapshot that names no level of a side says nothing of it.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path

from fairlead.core.model import Instrument, Side
from fairlead.exchange.market import Level
from fairlead.exchange.tape_line import Line, rows
from fairlead.exchange.tape_message import BookMessage, Levels

COLUMNS = (
    *("symbol", "timestamp", "first_update_id", "last_update_id"),
    *("side", "update_type", "price", "qty", "pu"),
)

_SIDES = {"b": Side.BUY, "a": Side.SELL}
_IS_WHOLE = {"snap": True, "set": False}


def read_depth(path: Path, known: Sequence[Instrument]) -> Iterator[BookMessage]:
    """Yield the messages of `path`. Raises TapeError."""
    newest_ns = 0
    for _, lines in groupby(rows(path, COLUMNS), key=_message_key):
        message = _message(lines, known, newest_ns)
        newest_ns = message.time_ns
        yield message


def _message_key(line: Line) -> tuple[object, ...]:
    return tuple(
        value for column, value in line.values.items() if column not in ("side", "price", "qty")
    )


def _message(lines: Iterator[Line], known: Sequence[Instrument], newest_ns: int) -> BookMessage:
    head = next(lines)
    instrument = head.instrument("symbol", known)
    time_ns = head.time_of_ms("timestamp", newest_ns)
    is_whole = _IS_WHOLE[head.one_of("update_type", _IS_WHOLE)]
    first_id, last_id = head.integer("first_update_id"), head.integer("last_update_id")
    if last_id < first_id:
        head.refuse("last_update_id", f"at least the first_update_id {first_id}")
    previous_id = None if head.values["pu"] == "-1" else head.integer("pu", "a whole number or -1")
    levels = Levels()
    for line in chain((head,), lines):
        price = line.price("price", instrument)
        quantity = (line.displayed if is_whole else line.displayed_or_none)("qty", instrument)
        levels.add(_SIDES[line.one_of("side", _SIDES)], Level(price, quantity), line, "price")
    return BookMessage(
        time_ns,
        instrument.symbol_exchange,
        is_whole,
        levels.of(Side.BUY),
        levels.of(Side.SELL),
        first_id,
        last_id,
        previous_id,
        None,
        head.place,
    )
