"""How a recorded market's files are read: lines, their values, and the errors that name them.

A file is read one line at a time, of at most LINE_BYTES_MAX. Every value has one way to be read and one
way to be refused: a `TapeError` that names file, line, column or field, the value and what would do.
"""

import calendar
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

from fairlead.core.model import ZERO, Instrument

LINE_BYTES_MAX = 1024 * 1024
NUMBER_MAX = 10**15  # of a price or quantity
COLUMNS_LINE_BYTES_MAX = 4096  # of a file with columns

_TIME_MS_MAX = 9_223_372_036_854  # 2**63 ns, in the year 2262

_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z", re.ASCII
)
_NUMBER = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
_INTEGER = re.compile(r"[0-9]{1,18}", re.ASCII)


class TapeError(ValueError):
    """A tape that cannot be played: says which file, line and column, the value, and what would do."""


class Line:
    """One line of a file, and how to read and refuse its values, given by column or field."""

    def __init__(
        self, path: Path, number: int, values: Mapping[str, object], word: str = "column"
    ) -> None:
        self.path = path
        self.number = number
        self.values = values
        self._word = word

    @property
    def place(self) -> str:
        """File and line, as errors and gaps name them."""
        return f"{self.path} line {self.number}"

    def refuse(self, column: str, expected: str, value: object = None) -> NoReturn:
        """Raise TapeError for the value of `column`, or for `value`, a part of it."""
        shown = self.values.get(column, "") if value is None else value
        raise TapeError(
            f"{self.place} {self._word} {column}: {repr(shown)[:200]} is not {expected}"
        )

    def time_ns(self, column: str, newest_ns: int) -> int:
        """Return a UTC time as ns; not before `newest_ns`, that of the line above."""
        expected = "a UTC time like 2021-01-08T00:00:01.076Z"
        time_ns = parse_time_ns(str(self.values.get(column)))
        if time_ns is None:
            self.refuse(column, expected)
        return self._in_order(column, time_ns, newest_ns)

    def time_of_ms(self, column: str, newest_ns: int) -> int:
        """Return ms of the epoch as ns; not before `newest_ns`, that of the line above."""
        time_ms = self.integer(column, "a time in ms of the epoch, like 1667346579146")
        if time_ms > _TIME_MS_MAX:
            self.refuse(column, f"a time in ms of the epoch, at most {_TIME_MS_MAX}")
        return self._in_order(column, time_ms * 1_000_000, newest_ns)

    def _in_order(self, column: str, time_ns: int, newest_ns: int) -> int:
        if time_ns < newest_ns:
            self.refuse(column, "a time not before that of the line above")
        return time_ns

    def integer(self, column: str, expected: str = "a whole number") -> int:
        """Return a whole number of at most 18 digits, as text or as JSON's."""
        value = self.values.get(column)
        text = str(value) if type(value) is int else value
        if not isinstance(text, str) or not _INTEGER.fullmatch(text):
            self.refuse(column, expected)
        return int(text)

    def one_of(self, column: str, words: Collection[str]) -> str:
        """Return one of `words`."""
        value = self.values.get(column)
        if not isinstance(value, str) or value not in words:
            self.refuse(column, f"one of {', '.join(words)}")
        return value

    def instrument(self, column: str, known: Sequence[Instrument]) -> Instrument:
        """Return the instrument of the market that is named `BTC/USDT` or `BTCUSDT`."""
        named = self.values.get(column)
        found = [one for one in known if named in (one.symbol_exchange, market_word(one))]
        if not found:
            self.refuse(column, f"one of {', '.join(one.symbol_exchange for one in known)}")
        return found[0]

    def price(self, column: str, instrument: Instrument, value: object = None) -> Decimal:
        """Return the price with the decimals of the tick."""
        ticks = Fraction(self.positive(column, value)) / Fraction(instrument.price_tick)
        if ticks.denominator != 1:
            self.refuse(
                column,
                f"a multiple of the price tick {instrument.price_tick} of {instrument.symbol}",
                value,
            )
        return ticks.numerator * instrument.price_tick

    def displayed(self, column: str, instrument: Instrument, value: object = None) -> Decimal:
        """Return a displayed quantity in steps: at least one, because something is there."""
        step = instrument.quantity_step
        return round_to_step(self.positive(column, value), step) or step

    def displayed_or_none(
        self, column: str, instrument: Instrument, value: object = None
    ) -> Decimal:
        """Return a displayed quantity in steps, 0 where it is said that nothing is there."""
        text = self.values.get(column) if value is None else value
        number = _decimal(text)
        if number is None:
            self.refuse(column, "0 or a number above it, like 0.031035, up to 1e15", value)
        return self.displayed(column, instrument, text) if number else ZERO

    def positive(self, column: str, value: object = None) -> Decimal:
        """Return a number above 0, of the column or of `value`, a part of it."""
        number = _decimal(self.values.get(column) if value is None else value)
        if not number:
            self.refuse(column, "a number above 0, like 0.031035 or 8e-6, up to 1e15", value)
        return number


def rows(path: Path, columns: Sequence[str]) -> Iterator[Line]:
    """Yield the lines below the header, their values by column. Raises TapeError."""
    lines = read_lines(path)
    next(lines, None)
    for number, text in lines:
        if len(text) > COLUMNS_LINE_BYTES_MAX:
            raise TapeError(f"{path} line {number}: over {COLUMNS_LINE_BYTES_MAX} bytes long")
        values = text.split(",")
        if len(values) != len(columns):
            raise TapeError(
                f"{path} line {number}: {text[:200]!r} has {len(values)} columns, "
                f"expected {len(columns)}: {','.join(columns)}"
            )
        yield Line(path, number, dict(zip(columns, values, strict=True)))


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file with their numbers, without their ends. Raises TapeError."""
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


def market_word(instrument: Instrument) -> str:
    """Return the market as recordings name it: `BTCUSDT`."""
    return instrument.symbol_exchange.replace("/", "")


def _decimal(text: object) -> Decimal | None:
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        return None
    number = Decimal(text)
    return number if number <= NUMBER_MAX else None
