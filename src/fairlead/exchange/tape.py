"""A market driven by a recording: files merged by time, played or stepped.

Files are merged by the recorded time. At the same time what is displayed comes before trades (in the
recordings of 2021-01-08 a trade at the very millisecond of a quote agrees with the new quote twice as
often as with the old one), then the order in which the files were named counts. An event is one quote,
one message of a book or one trade, if it was neither dropped nor outdated, counted from 1 over the
whole merged tape.

A tape is played (recorded distances in time divided by a speed, from a start time of the exchange)
or stepped (nothing happens but by `advance`). Must never hold more of the tape than the next event.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from heapq import merge
from pathlib import Path

import msgspec

from fairlead.core.model import Instrument
from fairlead.exchange.market import MarketAction, PrintTrade, SetBook
from fairlead.exchange.tape_chain import Chain, Recorded, TapeAction
from fairlead.exchange.tape_file import ENDINGS, TapeFile, TapeForm, read, recognize
from fairlead.exchange.tape_line import TapeError

ACTIONS_MAX = 100  # returned by one `act`


class Survey(msgspec.Struct, frozen=True):
    """What a tape holds; times are recorded ones.

    `books` are quotes and messages of books. No events are the trades that rounded to zero and the
    messages that told nothing new. `first_gap` says what is missing, and where.
    """

    books: int
    trades: int
    trades_dropped: int
    outdated: int
    gaps: int
    first_gap: str | None
    first_ns: int
    last_ns: int


class Position(msgspec.Struct, frozen=True):
    """How far a tape has come: events done, and the recorded time it has reached (None: not begun).

    `gaps` were in its books so far; `newest_gap` says what was missing, and where.
    """

    event: int
    time_ns: int | None
    is_at_end: bool
    gaps: int = 0
    newest_gap: str | None = None


class ToTime(msgspec.Struct, frozen=True):
    """All events up to and including this recorded time."""

    time_ns: int


class ToEvent(msgspec.Struct, frozen=True):
    """All events up to and including this one."""

    event: int


class ByEvents(msgspec.Struct, frozen=True):
    """This many events more."""

    count: int


Target = ToTime | ToEvent | ByEvents


def open_tape(names: Sequence[str], instruments: Sequence[Instrument]) -> list[TapeFile]:
    """Return the files that the arguments of `--market-tape` name, in that order.

    Each is a file, a folder (its `*.csv` and `*.jsonl` by name) or a list of them with commas;
    `SYMBOL=FILE` says the market of a trades file whose name does not. Raises TapeError.
    """
    by_symbol = {instrument.symbol: instrument for instrument in instruments}
    files: list[TapeFile] = []
    for name in (part for argument in names for part in argument.split(",")):
        symbol, separator, rest = name.partition("=")
        instrument = by_symbol.get(symbol) if separator else None
        path = Path(rest if instrument else name)
        paths = _files_in(path) if path.is_dir() else [path]
        if not paths:
            raise TapeError(
                f"{path}: a folder without {' and '.join(ENDINGS)} files, expected a recorded market"
            )
        files += [recognize(one, instrument, instruments) for one in paths]
    seen: set[Path] = set()
    for file in files:
        if file.path.resolve() in seen:
            raise TapeError(f"{file.path}: named twice")
        seen.add(file.path.resolve())
    return files


def survey(files: Sequence[TapeFile], instruments: Sequence[Instrument]) -> Survey:
    """Read the whole tape once and count it, so that what is wrong with it shows before it plays.

    Raises TapeError for the first malformed line and for a tape without events.
    """
    left_out = LeftOut()
    books = trades = gaps = last_ns = 0
    first_ns: int | None = None
    first_gap: str | None = None
    for action in events(files, instruments, left_out):
        if isinstance(action, PrintTrade):
            trades += 1
        else:
            books += 1
            if action.gap is not None:
                gaps += 1
                first_gap = first_gap or action.gap
        first_ns = action.time_ns if first_ns is None else first_ns
        last_ns = action.time_ns
    if first_ns is None:
        raise TapeError(
            f"{', '.join(str(file.path) for file in files)}: no quotes, no books and no trades"
        )
    return Survey(
        books, trades, left_out.trades, left_out.messages, gaps, first_gap, first_ns, last_ns
    )


class LeftOut:
    """How much of a tape is no event: trades that rounded to zero, messages that were outdated."""

    def __init__(self) -> None:
        self.trades = 0
        self.messages = 0


def events(
    files: Sequence[TapeFile],
    instruments: Sequence[Instrument],
    left_out: LeftOut | None = None,
) -> Iterator[TapeAction]:
    """Yield the events of all files in the tape's order; count in `left_out` what is none.

    Raises TapeError.
    """
    left_out = left_out or LeftOut()
    in_order = sorted(files, key=lambda file: file.form is TapeForm.TRADES)  # stable
    # Stable too: of equal times `merge` takes the earlier stream first.
    chain = Chain()
    streams = (_kept(read(file, instruments), left_out) for file in in_order)
    for recorded in merge(*streams, key=_time_of):
        action = chain.link(recorded)
        if action is None:
            left_out.messages += 1
        else:
            yield action


def _kept(recorded: Iterable[Recorded | None], left_out: LeftOut) -> Iterator[Recorded]:
    for each in recorded:
        if each is None:
            left_out.trades += 1
        else:
            yield each


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for ending in ENDINGS for path in folder.glob(ending))


def _time_of(recorded: Recorded) -> int:
    return recorded.time_ns


class Tape:
    """A `Market` that follows a tape: played at `speed` from `start_ns`, stepped when it is None."""

    def __init__(
        self, tape: Iterator[TapeAction], speed: Decimal | None = None, start_ns: int = 0
    ) -> None:
        if speed is not None and not (speed.is_finite() and speed > 0):
            raise ValueError(f"speed {speed} is not a number above 0")
        self._tape = tape
        self._next = next(tape, None)
        self._first_ns = self._next.time_ns if self._next else 0
        self._speed = Fraction(speed) if speed is not None else None
        self._start_ns = start_ns
        self._event = 0
        self._time_ns: int | None = None
        self._gaps = 0
        self._newest_gap: str | None = None

    @property
    def is_stepped(self) -> bool:
        """Whether only `advance` moves it."""
        return self._speed is None

    def position(self) -> Position:
        """Return how far it has come."""
        return Position(
            self._event, self._time_ns, self._next is None, self._gaps, self._newest_gap
        )

    def next_time_ns(self) -> int | None:
        """Return the exchange's time at which the next event is due, None if stepped or at the end."""
        if self._next is None or self._speed is None:
            return None
        # Rounded up, so that at the time it names the event is due.
        return self._start_ns - (self._first_ns - self._next.time_ns) // self._speed

    def act(self, now_ns: int) -> list[MarketAction]:
        """Return the events due, at most ACTIONS_MAX: a tape that is behind leaves nothing out."""
        actions: list[MarketAction] = []
        while len(actions) < ACTIONS_MAX:
            due_ns = self.next_time_ns()
            if due_ns is None or due_ns > now_ns:
                break
            actions.append(self._take())
        return actions

    def change_instruments(self, instruments: Iterable[Instrument]) -> None:
        """Do nothing: what was recorded keeps the rules it was recorded under."""

    def advance(self, target: Target) -> Iterator[TapeAction]:
        """Yield the events of a stepped tape up to `target`, or the end, one at a time.

        The position moves with what is taken: whoever stops early stays there. A target that is
        already behind yields nothing.
        """
        assert self._speed is None, "only a stepped tape is advanced"
        if isinstance(target, ByEvents):
            target = ToEvent(self._event + target.count)
        while self._next is not None:
            if isinstance(target, ToTime):
                if self._next.time_ns > target.time_ns:
                    break
            elif self._event >= target.event:
                break
            yield self._take()
        if isinstance(target, ToTime):
            # Time passes also where nothing happens.
            self._time_ns = max(self._time_ns or target.time_ns, target.time_ns)

    def _take(self) -> TapeAction:
        action = self._next
        assert action is not None
        self._event += 1
        self._time_ns = action.time_ns
        if isinstance(action, SetBook) and action.gap is not None:
            self._gaps += 1
            self._newest_gap = action.gap
        self._next = next(self._tape, None)
        return action
