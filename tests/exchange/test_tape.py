from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.core.exact import use_exact_decimals
from fairlead.core.model import ZERO, Side
from fairlead.exchange.market import Level, PrintTrade, SetBook
from fairlead.exchange.settings import INSTRUMENTS
from fairlead.exchange.tape import (
    ACTIONS_MAX,
    ByEvents,
    Position,
    Survey,
    Tape,
    ToEvent,
    ToTime,
    events,
    open_tape,
    survey,
)
from fairlead.exchange.tape_chain import TapeAction
from fairlead.exchange.tape_line import TapeError, parse_time_ns, round_to_step
from tests.recorded import QUOTES, TRADES, recorded

TRADES_HEADER = "timestamp,trade_id,price,quantity,buyer_maker\n"
QUOTES_HEADER = "timestamp,symbol,ask_size,ask,bid_size,bid\n"
MIDNIGHT_NS = 1_610_064_000 * 10**9  # 2021-01-08T00:00:00Z
MS = 1_000_000
STEP = Decimal("0.000001")


@pytest.fixture(autouse=True)
def exact() -> None:
    use_exact_decimals()


Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode("latin-1"))
        return path

    return write_file


def trade(ms: int, price: str, quantity: str = "1.0", buyer_maker: bool = True) -> str:
    return f"2021-01-08T00:00:00.{ms:03}Z,{ms},{price},{quantity},{buyer_maker}\n"


def quote(ms: int, bid: str = "100.0", ask: str = "101.0", size: str = "1.0") -> str:
    return f"2021-01-08T00:00:00.{ms:03}Z,BTC/USDT,{size},{ask},{size},{bid}\n"


def played(*paths: Path | str) -> list[TapeAction]:
    return list(events(open_tape([str(path) for path in paths], INSTRUMENTS), INSTRUMENTS))


@pytest.fixture
def stepped(write: Write) -> Tape:
    """Trades at 10, 20, 20, 30 ms, quotes at 5 and 20 ms."""
    trades = write(
        "btcusdt-trades.csv",
        TRADES_HEADER + trade(10, "1") + trade(20, "2") + trade(20, "3") + trade(30, "4"),
    )
    quotes = write("quotes.csv", QUOTES_HEADER + quote(5) + quote(20))
    files = open_tape([str(trades), str(quotes)], INSTRUMENTS)
    return Tape(events(files, INSTRUMENTS))


def times_ms(actions: Iterator[TapeAction] | list[TapeAction]) -> list[int]:
    return [(action.time_ns - MIDNIGHT_NS) // MS for action in actions]


# ── values ───────────────────────────────────────────────────────────────────────────────────────


def test_a_trade_is_read_with_the_taker_as_aggressor(write: Write) -> None:
    path = write(
        "binance-btcusdt-trades.csv",
        TRADES_HEADER
        + "2021-01-08T00:00:00.278Z,553287559,39432.5,0.00031099999999999997,True\n"
        + "2021-01-08T00:00:00.310Z,553287560,39439.44,8e-6,False\n",
    )
    first, second = played(path)
    assert first == PrintTrade(
        MIDNIGHT_NS + 278 * MS, "BTC/USDT", Decimal("39432.50"), Decimal("0.000311"), Side.SELL
    )
    assert second == PrintTrade(
        MIDNIGHT_NS + 310 * MS, "BTC/USDT", Decimal("39439.44"), Decimal("0.000008"), Side.BUY
    )
    assert isinstance(first, PrintTrade)
    assert (str(first.price), str(first.quantity)) == ("39432.50", "0.000311")


def test_a_quote_is_read_with_both_levels(write: Write) -> None:
    path = write(
        "q.csv",
        QUOTES_HEADER
        + "2021-01-08T00:00:01.363Z,BTC/USDT,8e-6,39444.95,0.031035000000000004,39430.7\n",
    )
    assert played(path) == [
        SetBook(
            MIDNIGHT_NS + 1363 * MS,
            "BTC/USDT",
            (Level(Decimal("39430.70"), Decimal("0.031035")),),
            (Level(Decimal("39444.95"), Decimal("0.000008")),),
        )
    ]


def test_an_empty_side_of_a_quote_is_no_level(write: Write) -> None:
    path = write("q.csv", QUOTES_HEADER + "2021-01-08T00:00:01Z,ETH/BTC,,,5,0.03\n")
    assert played(path) == [
        SetBook(MIDNIGHT_NS + 10**9, "ETH/BTC", (Level(Decimal("0.03"), Decimal(5)),), ())
    ]


def test_a_trade_that_rounds_to_zero_is_dropped_and_a_quoted_size_is_one_step(write: Write) -> None:
    trades = write(
        "btcusdt.csv", TRADES_HEADER + trade(1, "100", "0.0000005") + trade(2, "100", "0.00000051")
    )
    quotes = write("q.csv", QUOTES_HEADER + quote(3, size="1e-9"))
    files = open_tape([str(trades), str(quotes)], INSTRUMENTS)
    printed, quoted = list(events(files, INSTRUMENTS))
    assert isinstance(printed, PrintTrade)
    assert printed.quantity == STEP
    assert isinstance(quoted, SetBook)
    assert quoted.bids == (Level(Decimal(100), STEP),)
    assert survey(files, INSTRUMENTS) == Survey(
        books=1,
        trades=1,
        trades_dropped=1,
        outdated=0,
        gaps=0,
        first_gap=None,
        first_ns=MIDNIGHT_NS + 2 * MS,
        last_ns=MIDNIGHT_NS + 3 * MS,
    )


@pytest.mark.parametrize(
    ("quantity", "rounded"),
    [("0.0000015", "0.000002"), ("0.0000025", "0.000002"), ("0.00000250000001", "0.000003")],
)
def test_half_a_step_goes_to_the_even_one(quantity: str, rounded: str) -> None:
    assert round_to_step(Decimal(quantity), STEP) == Decimal(rounded)


@given(
    quantity=st.decimals(min_value=0, max_value=10**9, allow_nan=False, places=20),
    step=st.sampled_from([Decimal("0.000001"), Decimal("0.0001"), Decimal("0.5"), Decimal(3)]),
)
def test_rounding_gives_the_nearest_multiple(quantity: Decimal, step: Decimal) -> None:
    use_exact_decimals()
    rounded = round_to_step(quantity, step)
    steps = Fraction(rounded) / Fraction(step)
    distance = abs(Fraction(rounded) - Fraction(quantity)) * 2
    assert steps.denominator == 1
    assert distance <= Fraction(step)
    if distance == Fraction(step):
        assert steps.numerator % 2 == 0
    assert round_to_step(rounded, step) == rounded


@given(
    steps=st.integers(min_value=1, max_value=10**12),
    residue=st.decimals(min_value="-4.9e-7", max_value="4.9e-7", allow_nan=False, places=22),
)
def test_float_residue_is_taken_off(steps: int, residue: Decimal) -> None:
    use_exact_decimals()
    assert round_to_step(steps * STEP + residue, STEP) == steps * STEP


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2021-01-08T00:00:01.076Z", MIDNIGHT_NS + 1_076 * MS),
        ("2021-01-08T00:00:00.000000001Z", MIDNIGHT_NS + 1),
        ("2021-01-08 00:00:00Z", None),
        ("2021-01-08T00:00:00", None),
        ("2021-02-30T00:00:00Z", None),
        ("2021-01-08T00:00:60Z", None),
        ("２021-01-08T00:00:00Z", None),
        ("2021-01-08T00:00:00.0000000001Z", None),
    ],
)
def test_times_are_utc_to_the_nanosecond(text: str, time_ns: int | None) -> None:
    assert parse_time_ns(text) == time_ns


# ── errors ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("yesterday,1,100,1,True", "line 3 column timestamp: 'yesterday' is not a UTC time like"),
        ("2021-01-08T00:00:00.001Z,1,100,1,True", "column timestamp: .* is not a time not before"),
        ("2021-01-08T00:00:01Z,x7,100,1,True", "column trade_id: 'x7' is not a whole number"),
        ("2021-01-08T00:00:01Z,1,100.001,1,True", "column price: '100.001' is not a multiple of the "
         "price tick 0.01 of SIM_SPOT_BTC_USDT"),
        ("2021-01-08T00:00:01Z,1,0,1,True", "column price: '0' is not a number above 0"),
        ("2021-01-08T00:00:01Z,1,-1,1,True", "column price: '-1' is not a number above 0"),
        ("2021-01-08T00:00:01Z,1,100,NaN,True", "column quantity: 'NaN' is not a number above 0"),
        ("2021-01-08T00:00:01Z,1,100,1e999,True", "column quantity: '1e999' is not a number above 0"),
        ("2021-01-08T00:00:01Z,1,100,1_0,True", "column quantity: '1_0' is not a number above 0"),
        ("2021-01-08T00:00:01Z,1,100,1,yes", "column buyer_maker: 'yes' is not one of True, False"),
        ("2021-01-08T00:00:01Z,1,100,1", "has 4 columns, expected 5: timestamp,trade_id,"),
        ("", "line 3: '' has 1 columns, expected 5"),
        ("\xe9", "line 3: byte 0xe9 is not ASCII"),
        ("1" * 5000, "line 3: over 4096 bytes long"),
    ],
)  # fmt: skip
def test_a_malformed_trade_names_file_line_column_value_and_what_would_do(
    write: Write, line: str, message: str
) -> None:
    path = write("btcusdt.csv", f"{TRADES_HEADER}{trade(500, '100')}{line}\n")
    with pytest.raises(TapeError, match=message) as caught:
        played(path)
    assert str(caught.value).startswith(f"{path} line 3")
    with pytest.raises(TapeError, match=message):
        survey(open_tape([str(path)], INSTRUMENTS), INSTRUMENTS)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("DOGE/USDT,1,101,1,100", "column symbol: 'DOGE/USDT' is not one of BTC/USDT, ETH/USDT"),
        ("BTC/USDT,1,100,1,100", "column ask: '100' is not above the bid 100.00"),
        ("BTC/USDT,,101,1,100", "column ask_size: '' is not a number above 0"),
        ("BTC/USDT,1,101,1,", "column bid: '' is not a number above 0"),
        ("BTC/USDT,0,101,1,100", "column ask_size: '0' is not a number above 0"),
    ],
)
def test_a_malformed_quote_is_refused(write: Write, line: str, message: str) -> None:
    path = write("q.csv", f"{QUOTES_HEADER}2021-01-08T00:00:00Z,{line}\n")
    with pytest.raises(TapeError, match=message):
        played(path)


def test_files_that_are_no_tape_are_refused(write: Write, tmp_path: Path) -> None:
    other = write("other.csv", "symbol,price\n")
    with pytest.raises(TapeError, match="line 1: header 'symbol,price' is not a tape's: expected"):
        open_tape([str(other)], INSTRUMENTS)
    with pytest.raises(TapeError, match=r"missing\.csv: cannot be read: No such file"):
        open_tape([str(tmp_path / "missing.csv")], INSTRUMENTS)
    with pytest.raises(TapeError, match="header '' is not a tape's"):
        open_tape([str(write("empty.csv", ""))], INSTRUMENTS)
    (tmp_path / "folder").mkdir()
    with pytest.raises(TapeError, match="a folder without"):
        open_tape([str(tmp_path / "folder")], INSTRUMENTS)


def test_a_tape_without_events_is_refused(write: Write) -> None:
    path = write("btcusdt.csv", TRADES_HEADER)
    with pytest.raises(TapeError, match="no quotes, no books and no trades"):
        survey(open_tape([str(path)], INSTRUMENTS), INSTRUMENTS)


def test_a_trades_file_gets_its_market_from_its_name_or_the_argument(write: Write) -> None:
    path = write("recorded.csv", TRADES_HEADER + trade(1, "0.03"))
    with pytest.raises(TapeError, match=r"its name contains none of .* expected SYMBOL=FILE"):
        open_tape([str(path)], INSTRUMENTS)
    (action,) = played(f"SIM_SPOT_ETH_BTC={path}")
    assert isinstance(action, PrintTrade)
    assert action.symbol == "ETH/BTC"


def test_lists_and_folders_name_files_and_none_twice(write: Write, tmp_path: Path) -> None:
    trades = write("btcusdt.csv", TRADES_HEADER + trade(1, "1"))
    quotes = write("q.csv", QUOTES_HEADER + quote(2))
    write("notes.txt", "not looked at")
    assert len(played(f"{trades},{quotes}")) == len(played(tmp_path)) == 2
    with pytest.raises(TapeError, match="named twice"):
        open_tape([str(tmp_path), str(trades)], INSTRUMENTS)


# ── order, playing, stepping ─────────────────────────────────────────────────────────────────────


def test_quotes_come_before_trades_of_the_same_time_and_files_in_their_order(stepped: Tape) -> None:
    actions = list(stepped.advance(ByEvents(99)))
    assert times_ms(actions) == [5, 10, 20, 20, 20, 30]
    assert [isinstance(action, SetBook) for action in actions] == [True, False, True, *[False] * 3]
    assert [action.price for action in actions if isinstance(action, PrintTrade)] == [1, 2, 3, 4]


def test_a_stepped_tape_moves_only_when_advanced(stepped: Tape) -> None:
    assert stepped.next_time_ns() is None
    assert stepped.act(2**62) == []
    assert stepped.position() == Position(0, None, is_at_end=False)
    assert times_ms(list(stepped.advance(ByEvents(2)))) == [5, 10]
    assert stepped.position() == Position(2, MIDNIGHT_NS + 10 * MS, is_at_end=False)
    assert times_ms(list(stepped.advance(ToTime(MIDNIGHT_NS + 20 * MS)))) == [20, 20, 20]
    assert list(stepped.advance(ToTime(MIDNIGHT_NS + 20 * MS))) == []
    assert list(stepped.advance(ToEvent(5))) == []
    assert times_ms(list(stepped.advance(ToEvent(6)))) == [30]
    assert stepped.position() == Position(6, MIDNIGHT_NS + 30 * MS, is_at_end=True)
    assert list(stepped.advance(ByEvents(1))) == []


def test_time_passes_where_nothing_happens_and_never_back(stepped: Tape) -> None:
    assert times_ms(list(stepped.advance(ToTime(MIDNIGHT_NS + 7 * MS)))) == [5]
    assert stepped.position() == Position(1, MIDNIGHT_NS + 7 * MS, is_at_end=False)
    assert list(stepped.advance(ToTime(MIDNIGHT_NS))) == []
    assert stepped.position().time_ns == MIDNIGHT_NS + 7 * MS


def test_who_stops_early_stays_there(stepped: Tape) -> None:
    advancing = stepped.advance(ToEvent(6))
    next(advancing)
    next(advancing)
    assert stepped.position().event == 2
    assert len(list(stepped.advance(ToEvent(6)))) == 4


@pytest.mark.parametrize(("speed", "wait_ms"), [("1", 10), ("10", 1), ("0.5", 20)])
def test_a_played_tape_keeps_recorded_distances_over_speed(
    write: Write, speed: str, wait_ms: int
) -> None:
    path = write("btcusdt.csv", TRADES_HEADER + trade(500, "1") + trade(510, "2"))
    files = open_tape([str(path)], INSTRUMENTS)
    tape = Tape(events(files, INSTRUMENTS), Decimal(speed), start_ns=7)
    assert tape.next_time_ns() == 7
    assert len(tape.act(7)) == 1
    assert tape.next_time_ns() == 7 + wait_ms * MS
    assert tape.act(6 + wait_ms * MS) == []
    assert len(tape.act(7 + wait_ms * MS)) == 1
    assert tape.next_time_ns() is None
    assert tape.act(2**62) == []


def test_an_event_is_due_at_the_time_the_tape_names_however_odd_the_speed(write: Write) -> None:
    path = write("btcusdt.csv", TRADES_HEADER + "".join(trade(ms, "1") for ms in range(100)))
    tape = Tape(events(open_tape([str(path)], INSTRUMENTS), INSTRUMENTS), Decimal("0.7"), 0)
    for _ in range(100):
        due_ns = tape.next_time_ns()
        assert due_ns is not None
        assert tape.act(due_ns - 1) == []
        assert len(tape.act(due_ns)) == 1


def test_a_tape_that_is_behind_leaves_nothing_out_and_is_bounded(write: Write) -> None:
    path = write("btcusdt.csv", TRADES_HEADER + "".join(trade(ms, "1") for ms in range(250)))
    tape = Tape(events(open_tape([str(path)], INSTRUMENTS), INSTRUMENTS), Decimal(1), start_ns=0)
    sizes = []
    while (due_ns := tape.next_time_ns()) is not None and due_ns <= 10**9:
        sizes.append(len(tape.act(10**9)))
    assert sizes == [ACTIONS_MAX, ACTIONS_MAX, 50]


@pytest.mark.parametrize("speed", ["0", "-1", "Infinity", "NaN"])
def test_a_speed_that_is_no_speed_is_refused(speed: str) -> None:
    with pytest.raises(ValueError, match=f"speed {speed} is not a number above 0"):
        Tape(iter(()), Decimal(speed))


def test_a_tape_reads_no_further_than_its_next_event() -> None:
    taken = []

    def endless() -> Iterator[TapeAction]:
        ms = 0
        while True:
            taken.append(ms)
            yield PrintTrade(ms * MS, "BTC/USDT", Decimal(1), Decimal(1), Side.BUY)
            ms += 1

    tape = Tape(endless())
    list(tape.advance(ToEvent(3)))
    assert taken == [0, 1, 2, 3]


# ── the real recording ───────────────────────────────────────────────────────────────────────────


@pytest.fixture
def files_of_2021() -> list[str]:
    return [str(path) for path in recorded(TRADES, QUOTES)]


def test_the_recording_of_2021_01_08_is_read_whole(files_of_2021: list[str]) -> None:
    files = open_tape(files_of_2021, INSTRUMENTS)
    assert survey(files, INSTRUMENTS) == Survey(
        books=451,
        trades=2_001,
        trades_dropped=0,
        outdated=0,
        gaps=0,
        first_gap=None,
        first_ns=parse_time_ns("2021-01-08T00:00:00.278Z") or 0,
        last_ns=parse_time_ns("2021-01-08T00:00:46.674Z") or 0,
    )
    actions = played(*files_of_2021)
    assert actions == played(*files_of_2021)
    assert [action.time_ns for action in actions] == sorted(action.time_ns for action in actions)
    for action in actions:
        if isinstance(action, PrintTrade):
            levels = [Level(action.price, action.quantity)]
        else:
            assert action.bids
            assert action.asks
            levels = [*action.bids, *action.asks]
        for level in levels:
            assert level.price.as_tuple().exponent == -2
            assert level.quantity.as_tuple().exponent == -6
            assert level.quantity > ZERO


def test_quotes_of_the_recording_agree_with_trades_of_the_same_instant(
    files_of_2021: list[str],
) -> None:
    """Why quotes go first: trades at the touch of the new quote only, and of the old one only."""
    before: SetBook | None = None
    now: SetBook | None = None
    new_only = old_only = 0
    for action in played(*files_of_2021):
        if isinstance(action, SetBook):
            before, now = now, action
        elif now is not None and before is not None and now.time_ns == action.time_ns:
            side = "bids" if action.aggressor is Side.SELL else "asks"
            is_new = getattr(now, side)[0].price == action.price
            is_old = getattr(before, side)[0].price == action.price
            new_only += is_new and not is_old
            old_only += is_old and not is_new
    assert (new_only, old_only) == (45, 23)
