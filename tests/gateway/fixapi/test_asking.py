"""FIX messages → requests: what each field means, and the prescribed answer to everything wrong."""

from decimal import Decimal

import msgspec
import pytest

from fairlead.core.model import ExecInst, Side, TimeInForce
from fairlead.core.requests import CancelAll, CancelOrder, PlaceOrder
from fairlead.fix.message import Fault, Message
from fairlead.gateway.fixapi.alike import ALIKE_MOST, Alike
from fairlead.gateway.fixapi.asking import (
    PLACE_TAGS,
    Cancel,
    Declined,
    MassStatus,
    Status,
    read_cancel,
    read_mass_cancel,
    read_mass_status,
    read_status,
)
from fairlead.gateway.fixapi.asking import read_place as read_place_of
from fairlead.gateway.fixapi.words import (
    CL_ORD_ID,
    CL_ORD_LINK_ID,
    EXPIRE_TIME,
    ORDER_QTY,
    PRICE,
    TRANSACT_TIME,
)
from fairlead.gateway.forms import place_order
from tests.gateway.fixapi.words import (
    CANCEL,
    MASS_CANCEL,
    MASS_STATUS,
    STATUS,
    TIME,
    message,
    place,
)

SESSION = "fix:FIX.4.4:CLIENT:"


def read_place(message: Message, ends_with_session: bool = False) -> PlaceOrder | Fault | Declined:
    """Read it alone, as the first of a session, and as one after a good one that is much like it."""
    alone = read_place_of(message, SESSION, ends_with_session)
    orders = Alike(SESSION, ends_with_session=ends_with_session)
    own = {CL_ORD_ID: b"order 0", CL_ORD_LINK_ID: b"order 0", ORDER_QTY: b"7", PRICE: b"8"}
    good = {tag: value for tag, value in message.values.items() if tag in PLACE_TAGS}
    good |= own | {TRANSACT_TIME: TIME.encode()}
    good.pop(EXPIRE_TIME, None)
    assert orders.read(message) == alone
    orders.read(msgspec.structs.replace(message, values=good))
    assert orders.read(message) == alone
    return alone


# ── D ────────────────────────────────────────────────────────────────────────────────────────────


def test_an_order_by_the_exchanges_symbol() -> None:
    read = read_place(place())
    assert read == PlaceOrder(
        account="SIM",
        client_order_id="order 1",
        symbol=None,
        symbol_exchange="BTC/USDT",
        side=Side.BUY,
        price=Decimal("100.50"),
        quantity=Decimal("0.0450"),
        time_in_force=TimeInForce.GOOD_TILL_CANCEL,
        time_in_force_text="GOOD_TILL_CANCEL",
        session=SESSION,
        echo="8",
    )
    assert str(read.quantity) == "0.0450"


def test_what_orders_repeat_is_remembered_within_a_bound() -> None:
    orders = Alike(SESSION, ends_with_session=False)
    for number in range(ALIKE_MOST + 10):
        read = orders.read(place(_48=f"A{number}/USDT", _55=None))
        assert isinstance(read, PlaceOrder)
        assert read.symbol_exchange == f"A{number}/USDT"
    assert orders.known_count <= ALIKE_MOST
    quick = orders.read(place(_11="another", _583="another", _38="3", _44="2.50"))
    assert quick == read_place_of(
        place(_11="another", _583="another", _38="3", _44="2.50"), SESSION, False
    )
    for number in range(ALIKE_MOST + 10):
        for price in (f"{number}.10", f"{number}.1", f"{number}.10"):
            read = orders.read(place(_44=price, _38=f"{number + 1}"))
            assert isinstance(read, PlaceOrder)
            assert str(read.price) == price


@pytest.mark.parametrize(
    "changes",
    [
        {"_11": "order 2"},
        {"_11": "\xe9", "_583": "\xe9"},
        {"_38": "0"},
        {"_38": "0.00"},
        {"_44": "-1"},
        {"_44": "1e5"},
        {"_44": "1" * 39},
        {"_60": "yesterday"},
        {"_6000": "x"},
        {"_59": "6", "_126": TIME},
        {"_11": None},
        {"_60": None},
        {"_58": "text without effect"},
    ],
)
def test_an_order_after_one_that_is_much_like_it_is_read_as_if_alone(
    changes: dict[str, str | None],
) -> None:
    read_place(place(**changes))  # compares


def test_an_order_by_the_contracts_symbol() -> None:
    read = read_place(place(_22="101", _48="SIM_SPOT_BTC_USDT", _55="SIM_SPOT_BTC_USDT"))
    assert isinstance(read, PlaceOrder)
    assert (read.symbol, read.symbol_exchange) == ("SIM_SPOT_BTC_USDT", None)
    assert read.echo == "101"


@pytest.mark.parametrize(
    ("letter", "word"),
    [
        ("1", TimeInForce.GOOD_TILL_CANCEL),
        ("3", TimeInForce.IMMEDIATE_OR_CANCEL),
        ("4", TimeInForce.FILL_OR_KILL),
    ],
)
def test_times_in_force(letter: str, word: TimeInForce) -> None:
    read = read_place(place(_59=letter))
    assert isinstance(read, PlaceOrder)
    assert (read.time_in_force, read.time_in_force_text) == (word, word.value)
    assert not read.or_oms


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("20260102-03:04:05", 1_767_323_045_000_000_000),
        ("20260102-03:04:05.678", 1_767_323_045_678_000_000),
        ("20260102-03:04:05.678901", 1_767_323_045_678_901_000),
        ("20260102-03:04:05.678901234", 1_767_323_045_678_901_200),
    ],
)
def test_good_till_date_leaves_open_who_ends_it(text: str, time_ns: int) -> None:
    read = read_place(place(_59="6", _126=text))
    assert isinstance(read, PlaceOrder)
    assert read.time_in_force is TimeInForce.GOOD_TILL_TIME_EXCHANGE
    assert read.or_oms
    assert read.expire_time_ns == time_ns


def test_instructions() -> None:
    read = read_place(place(_18="6 Q E"))
    assert isinstance(read, PlaceOrder)
    assert read.exec_inst == (
        ExecInst.MAKER_OR_CANCEL,
        ExecInst.CANCEL_ON_DISCONNECT,
        ExecInst.DO_NOT_INCREASE,
    )
    read = read_place(place(_18="H"))
    assert isinstance(read, PlaceOrder)
    assert read.exec_inst == (ExecInst.DO_NOT_CANCEL_ON_DISCONNECT,)


def test_a_session_may_have_its_orders_end_with_it_unless_an_order_says_otherwise() -> None:
    def instructions(letters: str | None) -> tuple[ExecInst, ...]:
        read = read_place(place(_18=letters), ends_with_session=True)
        assert isinstance(read, PlaceOrder)
        return read.exec_inst

    cancel, keep = ExecInst.CANCEL_ON_DISCONNECT, ExecInst.DO_NOT_CANCEL_ON_DISCONNECT
    assert instructions(None) == (cancel,)
    assert instructions("6") == (ExecInst.MAKER_OR_CANCEL, cancel)
    assert instructions("Q") == (cancel,)
    assert instructions("H") == (keep,)


def test_an_order_by_fix_is_the_order_by_json() -> None:
    by_json = place_order(
        {
            "exchange_id": "SIM/ALICE",
            "client_order_id": "order 1",
            "symbol_id_exchange": "BTC/USDT",
            "amount_order": "0.045",
            "price": "100.5",
            "side": "SELL",
            "order_type": "LIMIT",
            "time_in_force": "IMMEDIATE_OR_CANCEL",
        }
    )
    by_fix = read_place(place(_207="SIM/ALICE", _54="2", _59="3"))
    assert isinstance(by_fix, PlaceOrder)
    for name in ("account", "symbol_exchange", "quantity", "price", "side", "time_in_force"):
        assert getattr(by_fix, name) == getattr(by_json, name)


@pytest.mark.parametrize(
    "changes",
    [
        {"_583": None},
        {"_55": None},
        {"_55": "[N/A]"},
        {"_100": "SIM"},
        {"_100": "SIM", "_207": None},
        {"_1": "SIM"},
        {"_21": "1"},
        {"_44": "00100.500"},
    ],
)
def test_what_may_be_there_or_not(changes: dict[str, object]) -> None:
    read, usual = read_place(place(**changes)), read_place(place())
    assert read == usual


def test_parties_are_let_pass() -> None:
    parties = ((453, 2), (448, "a"), (447, "D"), (452, 1), (448, "b"), (447, "D"), (452, 12))
    assert read_place(place(*parties)) == read_place(place())


MALFORMED = [
    ({"_11": None}, 11, 1, "ClOrdID (11) is missing"),
    ({"_48": None}, 48, 1, "SecurityID (48) is missing"),
    ({"_22": None}, 22, 1, "SecurityIDSource (22) is missing"),
    ({"_60": None}, 60, 1, "TransactTime (60) is missing"),
    ({"_40": None}, 40, 1, "OrdType (40) is missing"),
    ({"_54": None}, 54, 1, "Side (54) is missing"),
    ({"_44": None}, 44, 1, "Price (44) is missing"),
    ({"_38": None}, 38, 1, "OrderQty (38) is missing"),
    ({"_59": None}, 59, 1, "TimeInForce (59) is missing"),
    ({"_207": None}, 207, 1, "SecurityExchange (207) is missing, give it or ExDestination (100)"),
    ({"_59": "6"}, 126, 1, "ExpireTime (126) is missing, TimeInForce (59) 6 requires it"),
    ({"_11": "x" * 129}, 11, 5, "is not 1 to 128 printable ASCII characters"),
    ({"_11": "caf\xe9".encode("latin-1")}, 11, 5, "is not 1 to 128 printable ASCII"),
    ({"_44": "abc"}, 44, 6, 'Price (44) "abc" is not a decimal number'),
    ({"_44": "1e5"}, 44, 6, "is not a decimal number"),
    ({"_44": "+1"}, 44, 6, "is not a decimal number"),
    ({"_44": "NaN"}, 44, 6, "is not a decimal number"),
    ({"_38": "1,5"}, 38, 6, 'OrderQty (38) "1,5"'),
    ({"_38": " 1"}, 38, 6, "is not a decimal number"),
    ({"_60": "2026-01-02T03:04:05Z"}, 60, 6, "is not a UTC time, give YYYYMMDD-HH:MM:SS.sss"),
    ({"_59": "6", "_126": "20261301-00:00:00"}, 126, 6, "is not a UTC time"),
    ({"_40": "22"}, 40, 5, 'OrdType (40) "22" is not a value that FIX has for it'),
    ({"_54": "X"}, 54, 5, "Side (54)"),
    ({"_59": "x"}, 59, 5, "TimeInForce (59)"),
    ({"_22": "z"}, 22, 5, "SecurityIDSource (22)"),
    ({"_18": "6,Q"}, 18, 5, "with one space between"),
    ({"_18": "6  Q"}, 18, 5, "with one space between"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "tag", "reason", "text"), MALFORMED)
def test_a_malformed_order_gets_a_reject_that_names_the_tag(
    changes: dict[str, object], tag: int, reason: int, text: str
) -> None:
    fault = read_place(place(**changes))
    assert isinstance(fault, Fault)
    assert (fault.tag, fault.reason) == (tag, reason)
    assert text in fault.text


DECLINED = [
    ({"_44": "0"}, "Price (44): \"0\" is not greater than 0"),
    ({"_44": "-1"}, "Price (44)"),
    ({"_38": "1" * 39}, "OrderQty (38)"),
    ({"_40": "1"}, 'OrdType (40) "1" is not supported, give 2 (LIMIT)'),
    ({"_54": "5"}, 'Side (54) "5" is not supported, give 1 (BUY), 2 (SELL)'),
    ({"_59": "0"}, 'TimeInForce (59) "0" is not supported, give 1 (GOOD_TILL_CANCEL)'),
    ({"_22": "4"}, 'SecurityIDSource (22) "4" is not supported'),
    ({"_18": "G"}, 'ExecInst (18) "G" is not supported, give 6 (MAKER_OR_CANCEL)'),
    ({"_18": "Q H"}, "ExecInst (18): CANCEL_ON_DISCONNECT contradicts"),
    ({"_18": "Q Q"}, "ExecInst (18): names an instruction twice"),
    ({"_126": "20260102-03:04:05"}, "ExpireTime (126)"),
    ({"_207": "sim"}, 'SecurityExchange (207): "sim" is not an exchange id'),
    ({"_583": "other"}, 'ClOrdLinkID (583) "other" contradicts ClOrdID (11) "order 1"'),
    ({"_100": "SIM/B"}, 'ExDestination (100) "SIM/B" contradicts SecurityExchange (207) "SIM"'),
    ({"_1": "other"}, 'Account (1) "other" contradicts SecurityExchange (207)'),
    ({"_55": "ETH/USDT"}, 'Symbol (55) "ETH/USDT" contradicts SecurityID (48) "BTC/USDT"'),
    ({"_110": "5"}, 'tag 110 "5" is not supported here, leave it out'),
    ({"_554": "secret"}, "tag 554 is not supported here, leave it out"),
    ({"_99": "1"}, "tag 99"),
    ({"_9999": "1"}, "tag 9999"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "text"), DECLINED)
def test_what_fix_knows_and_we_do_not_is_declined_naming_tag_value_and_what_would_be_right(
    changes: dict[str, object], text: str
) -> None:
    declined = read_place(place(**changes))
    assert isinstance(declined, Declined)
    assert declined.reason == 99
    assert text in declined.text


def test_everything_wrong_is_named_at_once() -> None:
    declined = read_place(place(_40="1", _54="5", _110="1"))
    assert isinstance(declined, Declined)
    assert [name in declined.text for name in ("OrdType", "Side", "tag 110")] == [True] * 3
    declined = read_place(place(_44="0", _38="0"))
    assert isinstance(declined, Declined)
    assert [name in declined.text for name in ("Price (44)", "OrderQty (38)")] == [True] * 2


def test_a_symbol_that_cannot_be_is_an_unknown_symbol() -> None:
    declined = read_place(place(_48="X" * 300, _55=None))
    assert isinstance(declined, Declined)
    assert declined.reason == 1


# ── F, q, H, AF ──────────────────────────────────────────────────────────────────────────────────


def test_a_cancel_by_the_clients_id() -> None:
    read = read_cancel(message("F", CANCEL))
    assert read == Cancel(CancelOrder(account="SIM", client_order_id="order 1"), None, "order 1")
    assert read_cancel(message("F", CANCEL, _54="2", _55="X", _38="1", _37="9")) == read


def test_a_cancel_by_order_id_means_the_clients_id_and_failing_that_the_exchanges() -> None:
    read = read_cancel(message("F", CANCEL, _41=None, _37="17"))
    assert read == Cancel(
        CancelOrder(account="SIM", client_order_id="17"),
        CancelOrder(account="SIM", exchange_order_id="17"),
        "17",
    )


@pytest.mark.parametrize(
    ("changes", "tag"),
    [({"_11": None}, 11), ({"_41": None}, 41), ({"_207": None}, 207), ({"_60": None}, 60)],
)
def test_a_cancel_without_what_it_needs(changes: dict[str, object], tag: int) -> None:
    fault = read_cancel(message("F", CANCEL, **changes))
    assert isinstance(fault, Fault)
    assert (fault.tag, fault.reason) == (tag, 1)


def test_a_cancel_of_what_cannot_be() -> None:
    assert isinstance(read_cancel(message("F", CANCEL, _207="sim")), Declined)
    assert isinstance(read_cancel(message("F", CANCEL, _41="x" * 129)), Declined)


def test_a_mass_cancel() -> None:
    assert read_mass_cancel(message("q", MASS_CANCEL)) == CancelAll(account="SIM")
    assert isinstance(read_mass_cancel(message("q", MASS_CANCEL, _207="sim")), Declined)
    missing = read_mass_cancel(message("q", MASS_CANCEL, _530=None))
    assert isinstance(missing, Fault)
    assert missing.tag == 530
    wrong = read_mass_cancel(message("q", MASS_CANCEL, _530="x"))
    assert isinstance(wrong, Fault)
    assert wrong.reason == 5


@pytest.mark.parametrize(("changes", "text"), [
    ({"_530": "1"}, "MassCancelRequestType (530) 1 is not supported, give 7"),
    ({"_54": "1"}, 'Side (54) "1" is not supported here'),
    ({"_55": "BTC/USDT"}, 'Symbol (55) "BTC/USDT" is not supported here'),
])  # fmt: skip
def test_a_mass_cancel_of_less_than_all_is_declined(changes: dict[str, object], text: str) -> None:
    declined = read_mass_cancel(message("q", MASS_CANCEL, **changes))
    assert isinstance(declined, Declined)
    assert text in declined.text


def test_a_status_request() -> None:
    assert read_status(message("H", STATUS)) == Status("SIM", "order 1")
    assert read_status(message("H", STATUS, _207=None)) == Status("", "order 1")
    assert read_status(message("H", STATUS, _11=None, _37="order 1")) == Status("SIM", "order 1")
    missing = read_status(message("H", STATUS, _11=None))
    assert isinstance(missing, Fault)
    assert missing.tag == 11
    assert isinstance(read_status(message("H", STATUS, _207="sim")), Declined)


def test_a_mass_status_request() -> None:
    assert read_mass_status(message("AF", MASS_STATUS)) == MassStatus("", "status 1")
    assert read_mass_status(message("AF", MASS_STATUS, _207="SIM")) == MassStatus("SIM", "status 1")
    assert isinstance(read_mass_status(message("AF", MASS_STATUS, _585="1")), Declined)
    assert isinstance(read_mass_status(message("AF", MASS_STATUS, _585="11")), Fault)
    assert isinstance(read_mass_status(message("AF", MASS_STATUS, _584=None)), Fault)
    assert isinstance(read_mass_status(message("AF", MASS_STATUS, _207="sim")), Declined)
