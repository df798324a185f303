"""The forms in which a book is recorded: Binance's depth in columns, Bybit's order book in JSON lines."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.core.exact import use_exact_decimals
from fairlead.exchange import tape_message
from fairlead.exchange.market import Level, SetBook
from fairlead.exchange.settings import INSTRUMENTS
from fairlead.exchange.tape import Survey, events, open_tape, survey
from fairlead.exchange.tape_chain import TapeAction
from fairlead.exchange.tape_file import TapeForm
from fairlead.exchange.tape_line import LINE_BYTES_MAX, TapeError
from tests.recorded import DEPTH_SNAPSHOT, DEPTH_UPDATES, ORDERBOOK, QUOTES, TRADES, recorded

DEPTH = "symbol,timestamp,first_update_id,last_update_id,side,update_type,price,qty,pu\n"
MS = 1_000_000


@pytest.fixture(autouse=True)
def exact() -> None:
    use_exact_decimals()


Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(text: str) -> Path:
        path = tmp_path / "recorded"
        path.write_bytes(text.encode("latin-1"))
        return path

    return write_file


def played(*paths: Path | str) -> list[TapeAction]:
    return list(events(open_tape([str(path) for path in paths], INSTRUMENTS), INSTRUMENTS))


def levels(*pairs: str) -> tuple[Level, ...]:
    return tuple(Level(*map(Decimal, pair.split(":"))) for pair in pairs)


def message(**changes: object) -> str:
    """Return one line of Bybit's; `changes` to the fields of the message and of its data."""
    data: dict[str, object] = {
        "s": "XRPUSDT", "b": [["1.9531", "6203"]], "a": [["1.9532", "7"]], "u": 7, "seq": 70,
    }  # fmt: skip
    whole: dict[str, object] = {"topic": "orderbook.500.XRPUSDT", "type": "snapshot", "ts": 5}
    for field, value in changes.items():
        (data if field in data else whole)[field] = value
    return json.dumps(whole | {"data": data, "cts": 4}) + "\n"


# ── depth in columns ─────────────────────────────────────────────────────────────────────────────


def test_lines_of_depth_become_messages(write: Write) -> None:
    path = write(
        DEPTH
        + "BTCUSDT,5,10,10,b,snap,99.00,2.5,-1\n"
        + "BTCUSDT,5,10,10,b,snap,100.10,0.000001,-1\n"
        + "BTCUSDT,5,10,10,a,snap,100.2,1,-1\n"
        + "BTCUSDT,6,10,12,a,set,100.2,0.000,9\n"
        + "BTCUSDT,6,13,13,a,set,100.3,0.031035000000000004,12\n"
        + "BTCUSDT,6,14,14,b,set,99.9,1e-9,13\n"
    )
    assert played(path) == [
        SetBook(5 * MS, "BTC/USDT", levels("100.10:0.000001", "99.00:2.5"), levels("100.2:1")),
        SetBook(6 * MS, "BTC/USDT", None, levels("100.2:0"), is_whole=False),
        SetBook(6 * MS, "BTC/USDT", None, levels("100.3:0.031035"), is_whole=False),
        SetBook(6 * MS, "BTC/USDT", levels("99.9:0.000001"), None, is_whole=False),
    ]


def test_a_price_may_be_named_again_with_the_same_quantity(write: Write) -> None:
    line = "BTCUSDT,5,10,10,b,snap,99.00,2.5,-1\n"
    (book,) = played(write(DEPTH + line + line))
    assert isinstance(book, SetBook)
    assert book.bids == levels("99.00:2.5")


GOOD_DEPTH = "BTCUSDT,5,10,10,b,snap,99.00,2.5,-1\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("DOGEUSDT,6,11,11,b,set,1,1,10", "column symbol: 'DOGEUSDT' is not one of BTC/USDT, "),
        ("BTCUSDT,x,11,11,b,set,1,1,10", "column timestamp: 'x' is not a time in ms of the epoch"),
        ("BTCUSDT,9223372036855,11,11,b,set,1,1,10", "column timestamp: '9223372036855' is not a "
         "time in ms of the epoch, at most 9223372036854"),
        ("BTCUSDT,4,11,11,b,set,1,1,10", "column timestamp: '4' is not a time not before that of"),
        ("BTCUSDT,6,x,11,b,set,1,1,10", "column first_update_id: 'x' is not a whole number"),
        ("BTCUSDT,6,11,-1,b,set,1,1,10", "column last_update_id: '-1' is not a whole number"),
        ("BTCUSDT,6,11,10,b,set,1,1,10", "column last_update_id: '10' is not at least the first"),
        ("BTCUSDT,6,11,11,c,set,1,1,10", "column side: 'c' is not one of b, a"),
        ("BTCUSDT,6,11,11,b,del,1,1,10", "column update_type: 'del' is not one of snap, set"),
        ("BTCUSDT,6,11,11,b,set,1.001,1,10", "column price: '1.001' is not a multiple of the price"),
        ("BTCUSDT,6,11,11,b,set,0,1,10", "column price: '0' is not a number above 0"),
        ("BTCUSDT,6,11,11,b,set,1,-1,10", "column qty: '-1' is not 0 or a number above it"),
        ("BTCUSDT,6,11,11,b,set,1,NaN,10", "column qty: 'NaN' is not 0 or a number above it"),
        ("BTCUSDT,6,11,11,b,set,1,1.1e15,10", "column qty: '1.1e15' is not 0 or a number above it"),
        ("BTCUSDT,6,11,11,b,set,2e15,1,10", "column price: '2e15' is not a number above 0, .* 1e15"),
        ("BTCUSDT,6,11,11,b,snap,1,0,10", "column qty: '0' is not a number above 0"),
        ("BTCUSDT,6,11,11,b,set,1,1,-2", "column pu: '-2' is not a whole number or -1"),
        ("BTCUSDT,5,10,10,b,snap,99.00,2.6,-1", "column price: '99.00' is not a price that its "
         "message has not named yet, with 2.5"),
        ("BTCUSDT,5,10,10,a,snap,99.00,1,-1", "column price: '99.00' is not above the bid 99.00"),
        ("BTCUSDT,6,11,11,b,set,1,1", "has 8 columns, expected 9: symbol,timestamp,"),
        ("\xe9", "line 3: byte 0xe9 is not ASCII"),
        ("1" * 5000, "line 3: over 4096 bytes long"),
    ],
)  # fmt: skip
def test_a_malformed_line_of_depth_names_file_line_column_value_and_what_would_do(
    write: Write, line: str, message: str
) -> None:
    path = write(DEPTH + GOOD_DEPTH + line + "\n")
    with pytest.raises(TapeError, match=message) as caught:
        played(path)
    assert str(caught.value).startswith(f"{path} line 3")


def test_a_bid_above_an_ask_of_its_message_is_refused(write: Write) -> None:
    path = write(DEPTH + "BTCUSDT,5,1,1,a,snap,99,1,-1\nBTCUSDT,5,1,1,b,snap,99.01,1,-1\n")
    with pytest.raises(TapeError, match=r"line 3 column price: '99.01' is not below the ask 99.00"):
        played(path)


def test_a_message_of_too_many_levels_is_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tape_message, "LEVELS_MAX", 2)
    lines = "".join(f"BTCUSDT,5,1,1,a,snap,{price},1,-1\n" for price in (98, 99, 100))
    with pytest.raises(TapeError, match=r"line 4 column price: '100.00' is not one of at most 2 "):
        played(write(DEPTH + lines))


# ── an order book in JSON lines ──────────────────────────────────────────────────────────────────


def test_messages_of_an_order_book_are_read(write: Write) -> None:
    path = write(
        message(b=[["1.9530", "5"], ["1.9531", "6203"]])
        + message(type="delta", ts=6, u=8, seq=71, b=[["1.9531", "0"]], a=[])
        + message(type="delta", ts=6, u=9, seq=72, b=[], a=[["1.9532", "0.05"]])
        + message(ts=7, u=1, seq=73, b=[], a=[["2", "1"]])
    )
    assert open_tape([str(path)], INSTRUMENTS)[0].form is TapeForm.ORDERBOOK
    assert played(path) == [
        SetBook(5 * MS, "XRP/USDT", levels("1.9531:6203", "1.9530:5"), levels("1.9532:7")),
        SetBook(6 * MS, "XRP/USDT", levels("1.9531:0"), None, is_whole=False),
        SetBook(6 * MS, "XRP/USDT", None, levels("1.9532:0.1"), is_whole=False),
        SetBook(7 * MS, "XRP/USDT", None, levels("2:1")),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: '{' is not a message of an order book: Input data was truncated"),
        ("[]", r"line 2: '\[\]' is not a message of an order book: Expected `object`"),
        ('{"data": 1}', r"is not a message of an order book: Expected `object`, got `int`"),
        ("", "line 2: '' is not a message of an order book"),
        (message(topic="trade"), "field topic: 'trade' is not a text that begins with orderbook."),
        (message(type="change"), "field type: 'change' is not one of snapshot, delta"),
        (message(ts="x"), "field ts: 'x' is not a time in ms of the epoch"),
        (message(ts=4), "field ts: 4 is not a time not before that of the line above"),
        (message(ts=True), "field ts: True is not a time in ms"),
        (message(s="DOGEUSDT"), "field data.s: 'DOGEUSDT' is not one of BTC/USDT"),
        (message(s=None), "field data.s: None is not one of BTC/USDT"),
        (message(u=1.5), "field data.u: 1.5 is not a whole number"),
        (message(seq=-1), "field data.seq: -1 is not a whole number"),
        (message(b=None), "field data.b: None is not a list of prices with quantities"),
        (message(b=[["1"]]), r"field data.b\[0\]: \['1'\] is not a price and a quantity"),
        (message(b=[["1.9", "1"], [1.8, "1"]]), r"field data.b\[1\]: 1.8 is not a number above 0"),
        (message(b=[["1.95001", "1"]]), r"data.b\[0\]: '1.95001' is not a multiple of the price "
         "tick 0.0001 of SIM_SPOT_XRP_USDT"),
        (message(b=[["1.9", "0"]]), r"field data.b\[0\]: '0' is not a number above 0"),
        (message(b=[["1.9", ""]], type="delta"), r"data.b\[0\]: '' is not 0 or a number above it"),
        (message(a=[["1.9531", "1"]]), r"data.a\[0\]: '1.9531' is not above the bid 1.9531"),
        (message(a=[["2", "1"], ["2", "3"]]), r"data.a\[1\]: '2.0000' is not a price that its"),
        (" " * LINE_BYTES_MAX, f"line 2: over {LINE_BYTES_MAX} bytes long"),
    ],
)  # fmt: skip
def test_a_malformed_message_names_file_line_field_value_and_what_would_do(
    write: Write, line: str, message: str
) -> None:
    path = write(GOOD_MESSAGE + line.rstrip("\n") + "\n")
    with pytest.raises(TapeError, match=message) as caught:
        played(path)
    assert str(caught.value).startswith(f"{path} line 2")


GOOD_MESSAGE = message()


@given(st.binary(max_size=60))
def test_whatever_a_line_holds_it_is_read_or_refused_by_its_number(tmp_path_factory, line) -> None:  # type: ignore[no-untyped-def]
    use_exact_decimals()
    path = tmp_path_factory.mktemp("fuzz") / "f"
    for head in (GOOD_MESSAGE, DEPTH + GOOD_DEPTH):
        path.write_bytes(head.encode() + line)
        try:
            played(path)
        except TapeError as error:
            assert str(error).startswith(f"{path} line ")  # noqa: PT017 - or it is read


# ── which form, which market ─────────────────────────────────────────────────────────────────────


def test_a_first_line_that_is_no_forms_is_refused(write: Write) -> None:
    expected = (
        "line 1: header 'a,b' is not a tape's: expected .* or a JSON message of an order book"
    )
    with pytest.raises(TapeError, match=expected):
        open_tape([str(write("a,b\n"))], INSTRUMENTS)


def test_a_folder_is_read_with_all_its_forms(tmp_path: Path) -> None:
    (tmp_path / "book.jsonl").write_text(message())
    (tmp_path / "depth.csv").write_text(DEPTH + GOOD_DEPTH)
    (tmp_path / "notes.txt").write_text("not looked at")
    assert [action.symbol for action in played(tmp_path)] == ["XRP/USDT", "BTC/USDT"]


def test_a_file_of_which_the_market_was_said_must_not_speak_of_another(write: Write) -> None:
    path = write(message())
    assert len(played(f"SIM_SPOT_XRP_USDT={path}")) == 1
    with pytest.raises(TapeError, match=r"field data.s: 'XRPUSDT' is not one of BTC/USDT$"):
        played(f"SIM_SPOT_BTC_USDT={path}")


# ── the real recordings ──────────────────────────────────────────────────────────────────────────


def test_all_recordings_are_read_whole_and_their_gap_is_found() -> None:
    paths = recorded(TRADES, QUOTES, DEPTH_SNAPSHOT, DEPTH_UPDATES, ORDERBOOK)
    files = open_tape([str(path) for path in paths], INSTRUMENTS)
    found = survey(files, INSTRUMENTS)
    assert found == Survey(
        books=451 + 1 + 1 + 50,
        trades=2_001,
        trades_dropped=0,
        outdated=0,
        gaps=1,
        first_gap=f"{paths[3]} line 2: update 2098041693435 of BTC/USDT does not follow "
        "2098021528332, the newest before it",
        first_ns=1_610_064_000_278 * MS,
        last_ns=1_733_011_205_490 * MS,
    )
    by_folder = open_tape([str(paths[0].parent)], INSTRUMENTS)
    assert survey(by_folder, INSTRUMENTS) == found


def test_the_recorded_order_book_is_what_its_text_says() -> None:
    """Against a reading that knows nothing of ours: two dictionaries of texts."""
    (path,) = recorded(ORDERBOOK)
    books: dict[str, dict[str, str]] = {"b": {}, "a": {}}
    ours: dict[str, dict[Decimal, Decimal]] = {"b": {}, "a": {}}
    for line, action in zip(path.read_text().splitlines(), played(path), strict=True):
        said = json.loads(line)
        assert isinstance(action, SetBook)
        assert action.is_whole is (said["type"] == "snapshot")
        if action.is_whole:
            books, ours = {"b": {}, "a": {}}, {"b": {}, "a": {}}
        for side, named in (("b", action.bids), ("a", action.asks)):
            books[side].update(dict(said["data"][side]))
            ours[side].update({level.price: level.quantity for level in named or ()})
        assert ours == {
            side: {Decimal(price): Decimal(size) for price, size in book.items()}
            for side, book in books.items()
        }
