"""A recorded book in JSON lines: Bybit's order book, one message a line.

    {"topic": "orderbook.500.XRPUSDT", "type": "snapshot" or "delta", "ts": ms of the epoch, "cts": …,
     "data": {"s": "XRPUSDT", "b": [["1.9531", "6203"], …], "a": […], "u": 20254869, "seq": …}}

`u` grows by one from message to message, `seq` grows; a snapshot replaces the book whatever its `u`. A
quantity of "0" in a delta takes the level away. `cts`, and whatever else is there, is not looked at.
Source: "Orderbook" of the documentation of Bybit's API v5, as recorded 2024-12-01.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from fairlead.core.model import Instrument, Side
from fairlead.exchange.market import Level
from fairlead.exchange.tape_line import Line, TapeError, read_lines
from fairlead.exchange.tape_message import BookMessage, Levels

TOPIC = "orderbook."

_IS_WHOLE = {"snapshot": True, "delta": False}
_SIDES = {"data.b": Side.BUY, "data.a": Side.SELL}


class _Data(msgspec.Struct, frozen=True):
    """The values are whatever was there; each is read and refused by its field."""

    s: object = None
    b: object = None
    a: object = None
    u: object = None
    seq: object = None


class _Message(msgspec.Struct, frozen=True):
    topic: object = None
    type: object = None
    ts: object = None
    data: _Data = _Data()


_decode = msgspec.json.Decoder(_Message).decode


def is_orderbook(text: str) -> bool:
    """Whether this can be the first line of such a file."""
    return text.startswith("{")


def read_orderbook(path: Path, known: Sequence[Instrument]) -> Iterator[BookMessage]:
    """Yield the messages of `path`. Raises TapeError."""
    newest_ns = 0
    for number, text in read_lines(path):
        line = _line(path, number, text)
        newest_ns = line.time_of_ms("ts", newest_ns)
        yield _message(line, newest_ns, known)


def _line(path: Path, number: int, text: str) -> Line:
    try:
        message = _decode(text)
    except msgspec.DecodeError as error:
        raise TapeError(
            f"{path} line {number}: {text[:200]!r} is not a message of an order book: {error}"
        ) from error
    data = message.data
    values = {
        "topic": message.topic,
        "type": message.type,
        "ts": message.ts,
        "data.s": data.s,
        "data.b": data.b,
        "data.a": data.a,
        "data.u": data.u,
        "data.seq": data.seq,
    }
    return Line(path, number, values, "field")


def _message(line: Line, time_ns: int, known: Sequence[Instrument]) -> BookMessage:
    instrument = line.instrument("data.s", known)
    topic = line.values["topic"]
    if not isinstance(topic, str) or not topic.startswith(TOPIC):
        line.refuse("topic", f"a text that begins with {TOPIC}")
    is_whole = _IS_WHOLE[line.one_of("type", _IS_WHOLE)]
    update_id, sequence = line.integer("data.u"), line.integer("data.seq")
    levels = Levels()
    for field, side in _SIDES.items():
        pairs = line.values[field]
        if not isinstance(pairs, list):
            line.refuse(field, "a list of prices with quantities")
        for position, pair in enumerate(pairs):
            column = f"{field}[{position}]"
            if not isinstance(pair, list) or len(pair) != 2:
                line.refuse(column, 'a price and a quantity, like ["1.9531","6203"]', pair)
            price = line.price(column, instrument, pair[0])
            read = line.displayed if is_whole else line.displayed_or_none
            levels.add(side, Level(price, read(column, instrument, pair[1])), line, column)
    return BookMessage(
        time_ns,
        instrument.symbol_exchange,
        is_whole,
        levels.of(Side.BUY),
        levels.of(Side.SELL),
        update_id,
        update_id,
        update_id - 1,
        sequence,
        line.place,
    )
