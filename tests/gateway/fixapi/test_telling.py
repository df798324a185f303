"""Orders, reports and refusals → FIX messages: every field, every status, every cause."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from fairlead.core.model import ExecInst, Liquidity, Order, Side, Stage, TimeInForce
from fairlead.core.order import apply
from fairlead.core.port import Released
from fairlead.core.replies import Refusal, Refused
from fairlead.core.reports import Cause, OrderReport
from fairlead.gateway.fixapi import telling
from fairlead.gateway.fixapi.telling import Part, Terms
from fairlead.gateway.fixapi.words import exec_type, ord_status, safe, utc_timestamp
from tests.core.words import START_NS, make_fill, make_order
from tests.fix.spoken import say
from tests.gateway.fixapi.dictionaries import VERSIONS, needs_quickfix, stock, with_contract_symbols
from tests.gateway.fixapi.words import (
    MASS_CANCEL,
    STATUS,
    fields_of,
    message,
    place,
)

USUAL, TRUE = Terms(), Terms(is_true_exec_type=True)
START = "20231114-22:13:20.000"


def said(
    order: Order, cause: Cause = Cause.WORKING, terms: Terms = USUAL, **more: object
) -> dict[int, str]:
    """Return the fields of one report about `order` as it is after it."""
    report = OrderReport(order.account, 7, order.number, START_NS, cause, **more)  # type: ignore[arg-type]
    return fields_of(telling.report(report, order, terms))


def filled(quantity: str, stage: Stage = Stage.WORKING, **changes: object) -> Order:
    """Return an order of 10 at 100 of which so much was filled at 99.5."""
    amount = Decimal(quantity)
    return make_order(
        stage, quantity_filled=amount, notional_filled=amount * Decimal("99.5"), **changes
    )


# ── 8 ────────────────────────────────────────────────────────────────────────────────────────────


def test_every_field_of_a_report() -> None:
    order = filled(
        "4",
        exchange_order_id="X 1",
        time_in_force=TimeInForce.GOOD_TILL_TIME_OMS,
        expire_time_ns=START_NS + 1_500_000_000,
        exec_inst=(ExecInst.MAKER_OR_CANCEL, ExecInst.AUCTION_ONLY, ExecInst.CANCEL_ON_DISCONNECT),
    )
    assert said(order, Cause.TRADE, fill=make_fill("4.00", "99.5")) == {
        37: "a", 198: "X 1", 11: "a", 17: "SIM:7", 150: "I", 39: "1",
        48: "BTC-USDT", 22: "8", 55: "BTC-USDT", 207: "SIM",
        54: "1", 38: "10", 40: "2", 44: "100", 59: "6", 126: "20231114-22:13:21.500", 18: "6 Q",
        151: "6", 14: "4", 6: "99.5", 31: "99.5", 32: "4.00", 60: START,
    }  # fmt: skip


def test_a_report_without_what_an_order_may_lack() -> None:
    fields = said(make_order(Stage.RECEIVED, side=Side.SELL), Cause.RECEIVED)
    assert not fields.keys() & {198, 126, 18, 31, 32, 58, 103}
    assert (fields[54], fields[14], fields[151], fields[6]) == ("2", "0", "10", "0")


def test_numbers_are_exact_and_plain() -> None:
    order = make_order(Stage.WORKING, price=Decimal("1E+3"), quantity=Decimal("1E-18"))
    fields = said(order)
    assert (fields[44], fields[38]) == ("1000", "0.000000000000000001")


def test_the_symbol_is_in_the_form_that_the_order_used() -> None:
    by_contract = said(make_order(Stage.WORKING, echo="101"))
    assert [by_contract[tag] for tag in (22, 48, 55)] == [
        "101", "SIM_SPOT_BTC_USDT", "SIM_SPOT_BTC_USDT",
    ]  # fmt: skip
    for echo in ("8", ""):  # "": it came by another protocol
        by_exchange = said(make_order(Stage.WORKING, echo=echo))
        assert [by_exchange[tag] for tag in (22, 48, 55)] == ["8", "BTC-USDT", "BTC-USDT"]


@pytest.mark.parametrize(
    ("stage", "quantity", "status"),
    [
        (Stage.RECEIVED, "0", "A"),
        (Stage.ROUTING, "0", "A"),
        (Stage.ROUTED, "0", "A"),
        (Stage.WORKING, "0", "0"),
        (Stage.WORKING, "4", "1"),
        (Stage.FILLED, "10", "2"),
        (Stage.CANCELED, "4", "4"),
        (Stage.EXPIRED, "4", "4"),
        (Stage.REJECTED, "0", "8"),
    ],
)
def test_status_of_every_stage(stage: Stage, quantity: str, status: str) -> None:
    order = filled(quantity, stage)
    assert said(order)[39] == status == ord_status(order)
    pending = msgspec.structs.replace(order, cancel_pending=True)
    assert ord_status(pending) == "6"


def test_a_pending_cancel_ranks_above_a_fill_until_it_is_answered() -> None:
    order = make_order(Stage.WORKING)

    def after(cause: Cause, **more: object) -> str:
        nonlocal order
        report = OrderReport("SIM", 2, 1, START_NS, cause, **more)  # type: ignore[arg-type]
        order = apply(order, report)
        return ord_status(order)

    assert after(Cause.CANCEL_REQUESTED) == "6"
    assert after(Cause.TRADE, fill=make_fill("10")) == "6"
    assert order.stage is Stage.FILLED
    assert after(Cause.CANCEL_ENDED) == "2"


@pytest.mark.parametrize(("cause", "true"), [
    (Cause.RECEIVED, "A"), (Cause.ROUTING, "I"), (Cause.ROUTED, "I"), (Cause.WORKING, "0"),
    (Cause.TRADE, "F"), (Cause.CANCEL_REQUESTED, "6"), (Cause.CANCEL_ENDED, "I"),
    (Cause.CANCELED, "4"), (Cause.REJECTED, "8"), (Cause.EXPIRED, "C"), (Cause.IN_DOUBT, "I"),
    (Cause.DOUBT_ENDED, "I"), (Cause.CLOSED, "I"), (Cause.IDENTIFIED, "I"), (Cause.ADOPTED, "I"),
    (Cause.REVIVED, "I"), (Cause.RESOLVED, "I"), (Cause.ATTENTION, "I"),
])  # fmt: skip
def test_exec_type_of_every_cause(cause: Cause, true: str) -> None:
    order = make_order(Stage.WORKING)
    assert said(order, cause)[150] == "I"
    assert said(order, cause, TRUE)[150] == true


def test_every_cause_is_in_the_test_above() -> None:
    (mark,) = test_exec_type_of_every_cause.pytestmark
    assert {cause for cause, _ in mark.args[1]} == set(Cause)


def test_exec_type_of_what_an_operator_resolved() -> None:
    for stage, true in ((Stage.CANCELED, "4"), (Stage.REJECTED, "8"), (Stage.WORKING, "0")):
        assert exec_type(OrderReport("SIM", 7, 1, START_NS, Cause.RESOLVED, stage=stage)) == true


def test_exec_type_of_the_report_that_opens_an_order_and_sends_it_out() -> None:
    opened = make_order(Stage.RECEIVED)
    report = OrderReport("SIM", 7, 1, START_NS, Cause.ROUTING, opened, Stage.ROUTING)
    assert exec_type(report) == "A"


def test_what_is_left_of_a_final_order() -> None:
    order = filled("4", Stage.CANCELED)
    assert said(order, Cause.CANCELED)[151] == "6"
    assert said(order, Cause.CANCELED, TRUE)[151] == "0"
    assert said(filled("4"), Cause.WORKING, TRUE)[151] == "6"


def test_the_exchanges_words_are_told() -> None:
    fields = said(make_order(Stage.REJECTED, error_message="no\x01funds\n→ 5"), Cause.REJECTED)
    assert (fields[103], fields[58]) == ("99", "no?funds ? 5")
    assert said(make_order(Stage.WORKING), Cause.ATTENTION, attention="look")[58] == "look"


def test_an_order_in_doubt_says_so() -> None:
    fields = said(make_order(Stage.ROUTING, in_doubt_ns=START_NS), Cause.IN_DOUBT)
    assert fields[39] == "A"
    assert "in doubt" in fields[58]


def test_words_from_outside_can_hold_no_delimiter() -> None:
    order = make_order(
        Stage.WORKING,
        client_order_id="a\x0110=000",
        symbol_exchange="B\x01C",
        exchange_order_id="\x01\x01",
    )
    fields = said(order)
    assert (fields[11], fields[48], fields[198]) == ("a?10=000", "B?C", "??")


def test_text_is_cut() -> None:
    assert (
        len(said(make_order(Stage.REJECTED, error_message="x" * 10_000), Cause.REJECTED)[58])
        == 1_027
    )


@pytest.mark.parametrize(
    ("text", "kept"), [("", "?"), ("\t", "?"), ("é", "?"), ("a\tb", "a b"), ("a=b", "a=b")]
)
def test_safe_text(text: str, kept: str) -> None:
    assert safe(text) == kept


def test_times() -> None:
    assert utc_timestamp(START_NS + 1_999_999) == "20231114-22:13:20.001"


# ── answers to H and AF ──────────────────────────────────────────────────────────────────────────


def test_an_answer_to_a_status_request() -> None:
    asked = message("H", STATUS, _790="q1")
    more = telling.status_request_id(asked)
    fields = fields_of(telling.status(filled("4"), "S1", TRUE, START_NS, more))
    assert (fields[17], fields[150], fields[39], fields[790]) == ("S1", "I", "1", "q1")
    assert 790 not in fields_of(
        telling.status(
            filled("4"), "S1", USUAL, START_NS, telling.status_request_id(message("H", STATUS))
        )
    )


def test_an_answer_to_a_mass_status_request() -> None:
    more = telling.of_mass_status(Part("m1", 2, False))
    fields = fields_of(telling.status(filled("4"), "S1", USUAL, START_NS, more))
    assert (fields[584], fields[911], fields[912]) == ("m1", "2", "N")
    assert "912=Y" in telling.of_mass_status(Part("m1", 2, True))


def test_an_order_that_nobody_knows() -> None:
    fields = fields_of(telling.unknown_status("a", "SIM", "1", "S1", "no such order", START_NS, ""))
    assert (fields[37], fields[11], fields[39], fields[103]) == ("NONE", "a", "8", "5")
    fields = fields_of(telling.unknown_status("", "", "", "S1", "no orders", START_NS, ""))
    assert fields[54] == "7"
    assert not fields.keys() & {11, 207}


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────


def test_a_declined_order() -> None:
    fields = fields_of(telling.declined(place(), 99, "why", "R1", USUAL, START_NS))
    assert fields == {
        37: "order 1", 11: "order 1", 17: "R1", 150: "I", 39: "8", 103: "99",
        48: "BTC/USDT", 22: "8", 55: "BTC/USDT", 207: "SIM", 54: "1", 38: "0.0450", 40: "2",
        44: "100.50", 59: "1", 151: "0.0450", 14: "0", 6: "0", 58: "why", 60: START,
    }  # fmt: skip
    fields = fields_of(
        telling.declined(place(_55=None, _207=None, _100="SIM"), 1, "why", "R1", TRUE, 0)
    )
    assert (fields[150], fields[151], fields[55], fields[207]) == ("8", "0", "BTC/USDT", "SIM")


@pytest.mark.parametrize(("refusal", "findings", "reason", "text"), [
    (Refusal.CONFLICT, (), 6, "words"),
    (Refusal.ACCOUNT_UNKNOWN, (), 99, "words"),
    (Refusal.ACCOUNT_UNAVAILABLE, (), 99, "words"),
    (Refusal.INVALID, (("symbol_id_exchange", "X is no instrument"),), 1, "SecurityID (48): X is no"),
    (Refusal.INVALID, (("price", "off"), ("amount_order", "odd")), 99,
     "Price (44): off; OrderQty (38): odd"),
])  # fmt: skip
def test_refusals_of_the_engine(
    refusal: Refusal, findings: tuple[tuple[str, str], ...], reason: int, text: str
) -> None:
    found = telling.refusal_of_place(Refused(refusal, "words", findings=findings))
    assert found[0] == reason
    assert text in found[1]


def test_a_cancel_reject() -> None:
    order = filled("10", Stage.FILLED)
    fields = fields_of(
        telling.cancel_reject("c1", "a", order, telling.TOO_LATE, "too late", START_NS)
    )
    assert fields == {
        37: "a", 11: "c1", 41: "a", 39: "2", 434: "1", 102: "0", 58: "too late", 60: START,
    }  # fmt: skip
    fields = fields_of(telling.cancel_reject("c1", "x", None, telling.UNKNOWN, "unknown", START_NS))
    assert (fields[37], fields[41], fields[39], fields[102]) == ("NONE", "x", "8", "1")


def test_a_mass_cancel_report() -> None:
    asked = message("q", MASS_CANCEL)
    fields = fields_of(telling.mass_cancel_report(asked, "M1", 3, "", START_NS, False))
    assert fields == {
        11: "cancel 2", 37: "M1", 530: "7", 531: "7", 533: "3", 207: "SIM", 60: START,
    }  # fmt: skip
    fields = fields_of(telling.mass_cancel_report(asked, "M1", None, "no", START_NS, True))
    assert (fields[531], fields[532], fields[58], fields[1369]) == ("0", "99", "no", "M1")
    by_symbol = message("q", MASS_CANCEL, _530="1")
    fields = fields_of(telling.mass_cancel_report(by_symbol, "M1", None, "no", START_NS, False))
    assert (fields[530], fields[531], fields[532]) == ("1", "0", "0")


def test_a_business_reject() -> None:
    fields = fields_of(telling.business_reject(message("E", {66: "x"}), 3, "not supported"))
    assert fields == {45: "2", 372: "E", 380: "3", 58: "not supported"}


# ── as another reads the standard ────────────────────────────────────────────────────────────────

EVERYTHING = filled(
    "4",
    exchange_order_id="X1",
    time_in_force=TimeInForce.GOOD_TILL_TIME_OMS,
    expire_time_ns=START_NS,
    exec_inst=tuple(ExecInst),
    error_message="words",
)


def _bodies(has_report_id: bool) -> list[tuple[str, bytes]]:
    """Return one of every message and of every variant."""
    orders = [make_order(stage) for stage in Stage] + [
        EVERYTHING,
        make_order(Stage.WORKING, cancel_pending=True),
    ]
    reports = [
        telling.report(OrderReport("SIM", 7, 1, START_NS, cause), order, terms)
        for terms in (USUAL, TRUE)
        for order in orders
        for cause in Cause
    ]
    fill = OrderReport(
        "SIM", 7, 1, START_NS, Cause.TRADE, fill=make_fill("1", liquidity=Liquidity.TAKER)
    )
    request_id = telling.status_request_id(message("H", STATUS, _790="q"))
    bodies = [("8", body) for body in reports]
    bodies += [
        ("8", telling.report(fill, EVERYTHING, TRUE)),
        ("8", telling.status(EVERYTHING, "S1", USUAL, START_NS, request_id)),
        ("8", telling.status(EVERYTHING, "S1", USUAL, START_NS, telling.of_mass_status(Part("m", 1, True)))),
        ("8", telling.unknown_status("a", "SIM", "1", "S1", "unknown", START_NS, request_id)),
        ("8", telling.unknown_status("", "", "", "S1", "unknown", START_NS,
                                     telling.of_mass_status(Part("m", 0, True)))),
        ("8", telling.declined(place(), 99, "why", "R1", USUAL, START_NS)),
        ("8", telling.declined(place(_55=None), 6, "why", "R1", TRUE, START_NS)),
        ("9", telling.cancel_reject("c", "a", EVERYTHING, telling.PENDING, "pending", START_NS)),
        ("9", telling.cancel_reject("c", "a", None, telling.UNKNOWN, "unknown", START_NS)),
        ("r", telling.mass_cancel_report(message("q", MASS_CANCEL), "M", 3, "", START_NS, has_report_id)),
        ("r", telling.mass_cancel_report(message("q", MASS_CANCEL, _530="1"), "M", None, "no", START_NS,
                                         has_report_id)),
        ("j", telling.business_reject(message("E", {66: "x"}), 3, "no")),
    ]  # fmt: skip
    return bodies


def _pairs(body: bytes) -> list[tuple[int, object]]:
    parts = body.removesuffix(b"\x01").split(b"\x01")
    return [(int(tag), value) for tag, value in (part.split(b"=", 1) for part in parts)]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_stock_dictionary_accepts_everything(version: str, tmp_path: Path) -> None:
    quickfix = needs_quickfix()
    transport = "FIX.4.4" if version == "FIX.4.4" else "FIXT.1.1"
    session = quickfix.DataDictionary(str(stock(transport)))
    for by_contract in (False, True):
        path = with_contract_symbols(version, tmp_path) if by_contract else stock(version)
        application = quickfix.DataDictionary(str(path))
        bodies = _bodies(has_report_id=version == "FIX.5.0SP2")
        if by_contract:
            order = msgspec.structs.replace(EVERYTHING, echo="101")
            bodies = [("8", telling.status(order, "S1", USUAL, START_NS))]
        for msg_type, body in bodies:
            text = say(msg_type, 5, *_pairs(body), begin_string=transport).decode()
            judged = quickfix.Message(text, session, application, True)
            quickfix.DataDictionary.validate(judged, session, application)


def test_the_judge_above_judges() -> None:
    quickfix = needs_quickfix()
    dictionary = quickfix.DataDictionary(str(stock("FIX.4.4")))
    fields = [(tag, value) for tag, value in _pairs(_bodies(False)[0][1]) if tag != 150]
    judged = quickfix.Message(say("8", 5, *fields).decode(), dictionary, dictionary, True)
    with pytest.raises(quickfix.RequiredTagMissing):
        quickfix.DataDictionary.validate(judged, dictionary, dictionary)


def test_what_is_remembered_of_an_order_changes_no_report() -> None:
    reports = telling.Reports()
    for quantity in ("0", "4", "10"):
        for number in (1, 2, 3, 1_500, 1):
            order = filled(quantity, number=number, client_order_id=f"a{number}", echo="101")
            report = OrderReport("SIM", 7, number, START_NS, Cause.WORKING)
            released = Released(report, order)
            assert reports.usual(released) == telling.report(report, order, USUAL)
            assert reports.true(released) == telling.report(report, order, TRUE)
