"""A recorded market's file: its two forms, read line by line into market actions.

Form      Header
trades    timestamp,trade_id,price,quantity,buyer_maker
quotes    timestamp,symbol,ask_size,ask,bid_size,bid

Recorded quantities carry the residue of floating point (0.031035000000000004) and are rounded half
even to the instrument's size step. A trade that rounds to zero is dropped; a quoted size that does
is one step, because something was there. Prices must be on the tick. Whatever else a line says is an
error that names file, line and column. Must never hold more than one line, nor guess.
"""

import calendar
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

import msgspec

from fairlead.core.model import Instrument, Side
from fairlead.exchange.market import Level, PrintTrade, SetQuote

LINE_BYTES_MAX = 4096

TapeAction = SetQuote | PrintTrade


class TapeForm(StrEnum):
    TRADES = "trades"
    QUOTES = "quotes"


HEADERS = {
    TapeForm.TRADES: ("timestamp", "trade_id", "price", "quantity", "buyer_maker"),
    TapeForm.QUOTES: ("timestamp", "symbol", "ask_size", "ask", "bid_size", "bid"),
}

_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z", re.ASCII
)
_NUMBER = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,20}", re.ASCII)


class TapeError(ValueError):
    """A tape that cannot be played: says which file, line and column, the value, and what would do."""


class TapeFile(msgspec.Struct, frozen=True):
    """One file, its form known. `instrument` is that of a trades file, which does not say its own."""

    path: Path
    form: TapeForm
    instrument: Instrument | None


def recognize(path: Path, instrument: Instrument | None, known: Sequence[Instrument]) -> TapeFile:
    """Tell the form of `path` by its header.

    A trades file needs `instrument`, or a file name with the market as one of its words (`BTC/USDT`:
    `binance-btcusdt-trades.csv`). Raises TapeError, also when the file cannot be read.
    """
    _, header = next(_lines(path), (1, ""))
    form = next((form for form in HEADERS if header == ",".join(HEADERS[form])), None)
    if form is None:
        expected = " or ".join(repr(",".join(columns)) for columns in HEADERS.values())
        raise TapeError(f"{path} line 1: header {header!r} is not a tape's: expected {expected}")
    if form is TapeForm.TRADES and instrument is None:
        words = re.split(r"[^a-z0-9]+", path.name.lower())
        named = [one for one in known if one.symbol_exchange.replace("/", "").lower() in words]
        if len(named) != 1:
            raise TapeError(
                f"{path}: a trades file does not say its market, and its name contains none of "
                f"{_symbols(known)}: expected SYMBOL=FILE"
            )
        instrument = named[0]
    return TapeFile(path, form, instrument)


def read(file: TapeFile, known: Sequence[Instrument]) -> Iterator[TapeAction | None]:
    """Yield what `file` says line by line, None for a trade that is dropped. Raises TapeError."""
    by_symbol = {instrument.symbol_exchange: instrument for instrument in known}
    columns = HEADERS[file.form]
    newest_ns = 0
    lines = _lines(file.path)
    next(lines, None)
    for number, text in lines:
        values = text.split(",")
        if len(values) != len(columns):
            raise TapeError(
                f"{file.path} line {number}: {text[:200]!r} has {len(values)} columns, "
                f"expected {len(columns)}: {','.join(columns)}"
            )
        line = _Line(file.path, number, dict(zip(columns, values, strict=True)))
        time_ns = line.time_ns("timestamp")
        if time_ns < newest_ns:
            line.refuse("timestamp", "a time not before that of the line above")
        newest_ns = time_ns
        if file.form is TapeForm.TRADES:
            assert file.instrument is not None
            yield _trade(line, time_ns, file.instrument)
        else:
            named = by_symbol.get(line.values["symbol"])
            if named is None:
                line.refuse("symbol", f"one of {_symbols(known)}")
            yield _quote(line, time_ns, named)


def parse_time_ns(text: str) -> int | None:
    """Return the UTC ns of `2021-01-08T00:00:01.076Z` (up to nine decimals), None if it is not such."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    try:
        moment = datetime.fromisoformat(match[1])
    except ValueError:
        return None
    return calendar.timegm(moment.timetuple()) * 10**9 + int((match[2] or "").ljust(9, "0"))


def round_to_step(quantity: Decimal, step: Decimal) -> Decimal:
    """Return the multiple of `step` nearest to `quantity`, of two equally near the even one."""
    return round(Fraction(quantity) / Fraction(step)) * step


class _Line:
    """One line of a file, and how to read and refuse its values."""

    def __init__(self, path: Path, number: int, values: dict[str, str]) -> None:
        self.path = path
        self.number = number
        self.values = values

    def refuse(self, column: str, expected: str) -> NoReturn:
        raise TapeError(
            f"{self.path} line {self.number} column {column}: "
            f"{self.values[column][:200]!r} is not {expected}"
        )

    def time_ns(self, column: str) -> int:
        time_ns = parse_time_ns(self.values[column])
        if time_ns is None:
            self.refuse(column, "a UTC time like 2021-01-08T00:00:01.076Z")
        return time_ns

    def positive(self, column: str) -> Decimal:
        text = self.values[column]
        number = Decimal(text) if _NUMBER.fullmatch(text) else None
        if number is None or not number:
            self.refuse(column, "a number above 0, like 0.031035 or 8e-6")
        return number

    def price(self, column: str, instrument: Instrument) -> Decimal:
        """Return the price with the decimals of the tick."""
        ticks = Fraction(self.positive(column)) / Fraction(instrument.price_tick)
        if ticks.denominator != 1:
            self.refuse(
                column,
                f"a multiple of the price tick {instrument.price_tick} of {instrument.symbol}",
            )
        return ticks.numerator * instrument.price_tick

    def level(self, price: str, size: str, instrument: Instrument) -> Level | None:
        """Return one side of a quote, None when both its columns are empty."""
        if not self.values[price] and not self.values[size]:
            return None
        quantity = round_to_step(self.positive(size), instrument.quantity_step)
        return Level(self.price(price, instrument), quantity or instrument.quantity_step)


def _trade(line: _Line, time_ns: int, instrument: Instrument) -> PrintTrade | None:
    if not _DIGITS.fullmatch(line.values["trade_id"]):
        line.refuse("trade_id", "a whole number")
    price = line.price("price", instrument)
    quantity = round_to_step(line.positive("quantity"), instrument.quantity_step)
    if line.values["buyer_maker"] not in ("True", "False", "true", "false"):
        line.refuse("buyer_maker", "True or False")
    if not quantity:
        return None
    aggressor = Side.SELL if line.values["buyer_maker"] in ("True", "true") else Side.BUY
    return PrintTrade(time_ns, instrument.symbol_exchange, price, quantity, aggressor)


def _quote(line: _Line, time_ns: int, instrument: Instrument) -> SetQuote:
    ask = line.level("ask", "ask_size", instrument)
    bid = line.level("bid", "bid_size", instrument)
    if ask is not None and bid is not None and ask.price <= bid.price:
        line.refuse("ask", f"above the bid {bid.price}")
    return SetQuote(time_ns, instrument.symbol_exchange, bid, ask)


def _symbols(known: Sequence[Instrument]) -> str:
    return ", ".join(instrument.symbol_exchange for instrument in known)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file with their numbers, without their ends."""
    number = 0
    try:
        with path.open("rb") as file:
            while line := file.readline(LINE_BYTES_MAX + 1):
                number += 1
                if len(line) > LINE_BYTES_MAX:
                    raise TapeError(f"{path} line {number}: over {LINE_BYTES_MAX} bytes long")
                try:
                    text = line.decode("ascii")
                except UnicodeDecodeError as error:
                    raise TapeError(
                        f"{path} line {number}: byte {line[error.start]:#04x} is not ASCII"
                    ) from error
                yield number, text.rstrip("\r\n")
    except OSError as error:
        raise TapeError(f"{path}: cannot be read: {error.strerror}") from error
