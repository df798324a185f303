"""What is checked before an order is sent, in this order, and what sending may come to (2.3)."""

from contextlib import closing
from decimal import Decimal
from http.client import HTTPConnection

import pytest

from tests.acceptance.conftest import Desk, MakeDesk
from tests.acceptance.test_calls import REPORT_FIELDS, check_reject
from tests.system import Answer, Json, encoded, from_now, order, until


def close_budget(desk: Desk, wait_ms: int) -> None:
    """Have the exchange ask us to be silent, so that what is placed now waits unsent."""
    desk.operator.fault("rate_limited", requests=["place"], retry_after_ms=wait_ms)
    refused = desk.api.place(f"budget-{desk.api.accounts()['SIM']['sequence']}")
    assert refused.json["status"] == "REJECTED", refused


def keep_reconciling(desk: Desk) -> None:
    """Have SIM connect anew, and its sweep wait for an answer: for as long as it waits for one, 5 s."""
    desk.operator.fault("request_lost", requests=["open_orders"], account="desk", count=None)
    desk.operator.fault("disconnect", how="now", account="desk")


def let_reconcile(desk: Desk) -> None:
    """End that, by another connection, on which nothing is lost."""
    desk.operator.clear()
    desk.operator.fault("disconnect", how="now", account="desk")
    until(lambda: desk.api.accounts()["SIM"]["reconciled"], "SIM is reconciled")


# ── once ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_order_posted_100_times_at_once_is_placed_once(desk: Desk) -> None:
    futures = [desk.meanwhile(lambda api: api.place("hundred")) for _ in range(100)]
    answers = [future.result() for future in futures]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["exchange_order_id"] for answer in answers}) == 1
    (placed,) = desk.at_exchange("hundred")
    assert {answer.json["exchange_order_id"] for answer in answers} == {placed["exchange_order_id"]}
    assert len([row for row in desk.api.history() if row["clientOrderId"] == "hundred"]) == 1


def test_another_order_under_the_same_id_is_409(desk: Desk) -> None:
    first = desk.api.place("conflict").json
    changes: list[dict[str, object]] = [
        {"price": Decimal("20000.01")},
        {"amount_order": Decimal("0.02")},
        {"side": "SELL"},
        {"time_in_force": "IMMEDIATE_OR_CANCEL"},
        {"symbol_id_coinapi": "SIM_SPOT_ETH_USDT"},
        {"exec_inst": ["MAKER_OR_CANCEL"]},
        {"time_in_force": "GOOD_TILL_TIME_OMS", "expire_time": "2100-01-01T00:00:00Z"},
    ]
    for change in changes:
        check_reject(desk.api.place("conflict", **change), 409, "OTHER")
    assert len(desk.at_exchange("conflict")) == 1
    assert desk.report("conflict")["price"] == first["price"]


def test_the_same_order_spelled_otherwise_is_the_same(desk: Desk) -> None:
    first = desk.api.place("spelled").json
    again = desk.api.place(
        "spelled",
        price="2.0e4",
        amount_order="0.010",
        symbol_id_coinapi=None,
        symbol_id_exchange="BTC/USDT",
        exec_inst=[],
    )
    assert again.status == 200, again
    assert again.json["exchange_order_id"] == first["exchange_order_id"]
    assert len(desk.at_exchange("spelled")) == 1


def test_the_same_order_waits_for_the_first_calls_answer(desk: Desk) -> None:
    desk.operator.fault("stream_silent", account="desk")
    desk.operator.fault("answer_late", requests=["place"], delay_ms=1_000)
    first = desk.placing("waits")
    second = desk.meanwhile(lambda api: api.place("waits"))
    assert first.result().status == second.result().status == 200
    assert second.result().json["status"] in ("ROUTED", "NEW")
    assert len(desk.at_exchange("waits")) == 1


def test_a_final_orders_id_stays_used(desk: Desk) -> None:
    desk.api.place("used")
    desk.api.cancel("used")
    desk.report_when("used", "CANCELED")
    again = desk.api.place("used")
    assert (again.status, again.json["status"]) == (200, "CANCELED")
    check_reject(desk.api.place("used", price=Decimal(20001)), 409, "OTHER")
    assert len(desk.at_exchange("used")) == 1


# ── the order of the checks ──────────────────────────────────────────────────────────────────────


def test_form_comes_before_the_account(desk: Desk) -> None:
    answer = desk.api.place("form-first", exchange_id="SIM/NOBODY", price="cheap")
    assert answer.status == 400
    assert list(answer.json["errors_by_field"]) == ["price"]


def test_the_account_comes_before_the_instrument(desk: Desk) -> None:
    answer = desk.api.place("account-first", exchange_id="SIM/NOBODY", price=Decimal("0.001"))
    check_reject(answer, 490, "EXCHANGE_UNREACHABLE", "SIM/NOBODY")


def test_a_known_id_comes_before_the_instruments_rules_of_now(desk: Desk) -> None:
    first = desk.api.place("tick", price=Decimal("20000.05")).json
    desk.operator.post("instruments", symbol="BTC/USDT", price_tick=Decimal("0.1"))
    until(
        lambda: desk.api.place("tick-probe", price=Decimal("20000.05")).status == 400,
        "the new tick is known",
    )
    again = desk.api.place("tick", price=Decimal("20000.05"))
    assert (again.status, again.json["id"]) == (200, first["id"])
    check_reject(desk.api.place("tick", price=Decimal("20000.15")), 409, "OTHER")
    desk.operator.post("instruments", symbol="BTC/USDT", price_tick=Decimal("0.01"))
    until(
        lambda: desk.api.place("tick-probe", price=Decimal("20000.05")).status == 200,
        "the old tick is known",
    )


def test_the_instrument_comes_before_risk(desk: Desk) -> None:
    desk.mode("HALTED")
    answer = desk.api.place("rule-first", price=Decimal("20000.001"))
    assert answer.status == 400
    assert "20000" in answer.json["errors_by_field"]["price"]
    assert desk.api.status("rule-first").status == 404


def test_a_known_id_comes_before_risk(desk: Desk) -> None:
    desk.api.place("known-first")
    desk.report_when("known-first", "NEW")
    desk.mode("HALTED")
    assert desk.api.place("known-first").json["status"] == "NEW"


def test_a_known_id_comes_before_the_clock(desk: Desk) -> None:
    timed = {"time_in_force": "GOOD_TILL_TIME_OMS", "expire_time": from_now(1.5)}
    desk.api.place("clock", **timed)
    ended = desk.report_when("clock", "CANCELED")
    again = desk.api.place("clock", **timed)
    assert (again.status, again.json) == (200, ended)
    unknown = desk.api.place("clock-other", **timed)
    assert (unknown.status, list(unknown.json["errors_by_field"])) == (400, ["expire_time"])


# ── risk: stored, answered 200, REJECTED ─────────────────────────────────────────────────────────


def check_risk_rejection(desk: Desk, answer: Answer, code: str) -> Json:
    assert answer.status == 200, answer
    report = answer.json
    assert list(report) == REPORT_FIELDS
    assert report["status"] == "REJECTED"
    assert str(report["error_message"]).startswith(f"{code}: ")
    assert [each[0] for each in report["status_history"]] == ["RECEIVED", "REJECTED"]
    name = str(report["client_order_id"])
    assert desk.report(name, str(report["exchange_id"])) == report
    assert desk.at_exchange(name, str(report["exchange_id"])) == []
    assert any(row["clientOrderId"] == name for row in desk.api.history())
    return report


@pytest.mark.parametrize(
    ("side", "price", "asset"), [("BUY", Decimal(20000), "USDT"), ("SELL", Decimal(50000), "BTC")]
)
def test_more_than_is_available_is_rejected_and_says_the_most(
    desk: Desk, side: str, price: Decimal, asset: str
) -> None:
    available = Decimal(desk.api.balances()[asset]["available"])
    most = available / price if side == "BUY" else available
    most = most.quantize(Decimal("0.000001"), "ROUND_DOWN")
    too_much = most + Decimal("0.000001")
    name = f"poor-{side}"
    answer = desk.api.place(name, side=side, price=price, amount_order=too_much)
    report = check_risk_rejection(desk, answer, "insufficient_balance")
    said = Decimal(str(report["error_message"]).rpartition(" ")[2])
    assert said == most
    again = desk.api.place(name, side=side, price=price, amount_order=too_much)
    assert again.json == report
    fits = desk.api.place(f"rich-{side}", side=side, price=price, amount_order=said)
    assert fits.json["status"] in ("ROUTED", "NEW")


def test_what_other_orders_lock_is_not_available(desk: Desk) -> None:
    have = desk.api.balances()["USDT"]["available"]
    most = (have / 20000).quantize(Decimal("0.000001"), "ROUND_DOWN")
    assert desk.api.place("all-in", amount_order=most).json["status"] in ("ROUTED", "NEW")
    check_risk_rejection(desk, desk.api.place("one-more"), "insufficient_balance")


def test_a_reducing_account_only_sells(desk: Desk) -> None:
    desk.mode("REDUCING")
    check_risk_rejection(desk, desk.api.place("reduce-buy"), "account_reducing")
    sold = desk.api.place("reduce-sell", side="SELL", price=Decimal(60000))
    assert sold.json["status"] in ("ROUTED", "NEW")


def test_a_halted_account_only_cancels_and_keeps_its_orders(desk: Desk) -> None:
    desk.api.place("halt-before")
    desk.report_when("halt-before", "NEW")
    desk.mode("HALTED")
    for side in ("BUY", "SELL"):
        answer = desk.api.place(f"halt-{side}", side=side, price=Decimal(21000))
        check_risk_rejection(desk, answer, "account_halted")
    assert desk.report("halt-before")["status"] == "NEW"
    assert desk.api.cancel("halt-before").status == 200
    desk.report_when("halt-before", "CANCELED")


def test_too_many_orders_in_a_second_are_rejected(make_desk: MakeDesk) -> None:
    with make_desk(engine__order_rate_per_s=5) as slow:
        answers = [slow.api.place(f"rate-{number}") for number in range(7)]
        refused = [answer for answer in answers if answer.json["status"] == "REJECTED"]
        assert refused
        assert all(answer not in refused for answer in answers[:5])
        check_risk_rejection(slow, refused[0], "order_rate_exceeded")

        def passes_again() -> bool:
            name = f"rate-later-{slow.api.accounts()['SIM']['sequence']}"
            return bool(slow.api.place(name).json["status"] != "REJECTED")

        until(passes_again, "orders pass again")


# ── not sent ─────────────────────────────────────────────────────────────────────────────────────


def test_an_order_that_could_not_be_sent_in_time_is_withdrawn(hasty: Desk) -> None:
    close_budget(hasty, 2_500)
    answer = hasty.api.place("too-late")
    assert answer.status == 200
    assert answer.json["status"] == "REJECTED"
    assert str(answer.json["error_message"]).startswith("not_sent: ")
    assert [each[0] for each in answer.json["status_history"]] == ["RECEIVED", "REJECTED"]
    assert hasty.at_exchange("too-late") == []


def test_an_order_whose_line_broke_before_it_was_sent_is_rejected(desk: Desk) -> None:
    close_budget(desk, 3_000)
    placing = desk.placing("cut-off")
    desk.operator.fault("disconnect", how="now", account="desk")
    answer = placing.result()
    assert (answer.status, answer.json["status"]) == (200, "REJECTED")
    assert str(answer.json["error_message"]).startswith("not_sent: ")
    assert desk.at_exchange("cut-off") == []


# ── in doubt ─────────────────────────────────────────────────────────────────────────────────────


def test_no_answer_is_504_until_the_doubt_is_resolved(hasty: Desk) -> None:
    """The exchange has the order and says nothing at all: not to the place, not to questions."""
    hasty.operator.fault("accepted_then_silence")
    hasty.operator.fault("stream_silent", account="desk")
    hasty.operator.fault("request_lost", requests=["query", "open_orders"], count=None)
    answer = hasty.api.place("doubt-1")
    reject = check_reject(answer, 504, "EXCHANGE_RESPONSE_TIMEOUT")
    assert "doubt-1" in str(reject["message"])
    assert "in doubt" in str(reject["message"])
    check_reject(hasty.api.place("doubt-1"), 504, "EXCHANGE_RESPONSE_TIMEOUT")
    check_reject(hasty.api.place("doubt-1", price=Decimal(20001)), 409, "OTHER")
    report = hasty.report("doubt-1")
    assert (report["status"], report["in_doubt"]) == ("ROUTING", True)
    assert report in hasty.api.wanted("/v1/orders")
    (listed,) = hasty.api.wanted("/v1/operator/attention?exchange_id=SIM")
    assert (listed["order"]["id"], "in doubt" in listed["trouble"]) == ("doubt-1", True)
    assert hasty.api.accounts()["SIM"]["orders_in_doubt"] == 1
    assert (
        'in_doubt{account="SIM",subscription="local"} 1.0'
        in hasty.api.get("/metrics").body.decode()
    )
    hasty.operator.clear()
    resolved = hasty.report_when("doubt-1", "ROUTED", "NEW")
    assert resolved["in_doubt"] is False
    again = hasty.api.place("doubt-1")
    assert (again.status, again.json["in_doubt"]) == (200, False)
    assert len(hasty.at_exchange("doubt-1")) == 1
    assert hasty.api.wanted("/v1/operator/attention") == []


def test_an_order_that_never_arrived_ends_rejected_after_the_window(hasty: Desk) -> None:
    hasty.operator.fault("request_lost", requests=["place"])
    check_reject(hasty.api.place("lost"), 504, "EXCHANGE_RESPONSE_TIMEOUT")
    report = hasty.report_when("lost", "REJECTED")
    assert report["error_message"] == "never reached the exchange"
    assert report["in_doubt"] is False
    again = hasty.api.place("lost")
    assert (again.status, again.json) == (200, report)
    assert hasty.at_exchange("lost") == []


def test_an_answer_after_the_timeout_ends_the_doubt(hasty: Desk) -> None:
    hasty.operator.fault("request_lost", requests=["query", "open_orders"], count=None)
    hasty.operator.fault("stream_silent", account="desk")
    hasty.operator.fault("answer_late", requests=["place"], delay_ms=2_000)
    check_reject(hasty.api.place("late"), 504, "EXCHANGE_RESPONSE_TIMEOUT")
    report = hasty.report_when("late", "ROUTED", "NEW")
    assert report["in_doubt"] is False
    assert len(hasty.at_exchange("late")) == 1


@pytest.mark.parametrize("fault", ["error_after_accepting", "garbage", "truncated_frame"])
def test_an_answer_that_means_nothing_is_asked_about(desk: Desk, fault: str) -> None:
    desk.operator.fault(fault, requests=["place"])
    name = f"nonsense-{fault}"
    answer = desk.api.place(name)
    assert answer.status in (200, 504), answer
    report = desk.report_when(name, "ROUTED", "NEW")
    assert report["in_doubt"] is False
    assert len(desk.at_exchange(name)) == 1
    assert desk.api.place(name).status == 200


@pytest.mark.parametrize("how", ["before_answer", "mid_answer"])
def test_a_line_that_breaks_after_the_place_leaves_no_doubt_for_long(desk: Desk, how: str) -> None:
    desk.operator.fault("disconnect", how=how, requests=["place"])
    name = f"broken-{how}"
    answer = desk.api.place(name)
    assert answer.status in (200, 504), answer
    report = desk.report_when(name, "ROUTED", "NEW")
    assert report["in_doubt"] is False
    assert len(desk.at_exchange(name)) == 1


def test_a_place_that_the_breaking_line_swallowed_is_rejected(hasty: Desk) -> None:
    hasty.operator.fault("disconnect", how="on_request", requests=["place"])
    answer = hasty.api.place("swallowed")
    assert answer.status in (200, 504), answer
    report = hasty.report_when("swallowed", "REJECTED")
    assert report["error_message"] == "never reached the exchange"
    assert hasty.at_exchange("swallowed") == []


def test_the_stream_may_be_quicker_than_the_answer(desk: Desk) -> None:
    desk.operator.fault("fill_before_answer", share=Decimal(1))
    answer = desk.api.place("quick")
    assert (answer.status, answer.json["status"]) == (200, "FILLED")
    assert answer.json["amount_filled"] == Decimal("0.01")
    statuses = [each[0] for each in desk.report("quick")["status_history"]]
    assert statuses[:2] == ["RECEIVED", "ROUTING"]
    assert statuses[-1] == "FILLED"


def test_an_order_that_appears_after_it_was_given_up_is_canceled_and_alarmed(hasty: Desk) -> None:
    hasty.operator.fault("accepted_then_silence")
    hasty.operator.fault("stream_dropped", account="desk", count=1)
    hasty.operator.fault("order_hidden", hide_ms=4_000)
    check_reject(hasty.api.place("ghost"), 504, "EXCHANGE_RESPONSE_TIMEOUT")
    dead = hasty.report_when("ghost", "REJECTED")
    assert dead["error_message"] == "never reached the exchange"
    report = hasty.report_when("ghost", "CANCELED")
    assert report["exchange_order_id"]
    (placed,) = hasty.at_exchange("ghost")
    assert placed["state"] == "CANCELED"
    assert 'code="order_revived"' in hasty.api.get("/metrics").body.decode()


def test_an_operator_resolves_a_doubt(hasty: Desk) -> None:
    hasty.operator.fault("request_lost", requests=["place", "query"], count=None)
    check_reject(hasty.api.place("resolve"), 504, "EXCHANGE_RESPONSE_TIMEOUT")
    answer = hasty.api.post(
        "/v1/operator/resolve",
        {"exchange_id": "SIM", "client_order_id": "resolve", "resolution": "NEVER_REACHED"},
    )
    assert answer.status == 200
    assert (answer.json["status"], answer.json["in_doubt"]) == ("REJECTED", False)
    assert "operator" in answer.json["error_message"]
    again = hasty.api.post(
        "/v1/operator/resolve",
        {"exchange_id": "SIM", "client_order_id": "resolve", "resolution": "WORKING"},
    )
    assert again.status == 400


# ── reconciling ──────────────────────────────────────────────────────────────────────────────────


def test_a_connected_account_takes_no_orders_while_it_reconciles(desk: Desk) -> None:
    desk.api.place("before-reconciling")
    keep_reconciling(desk)
    until(lambda: desk.api.accounts()["SIM"]["trouble"] == "reconciling", "SIM is reconciling")
    reject = check_reject(desk.api.place("reconciling"), 490, "EXCHANGE_UNREACHABLE")
    assert "reconciling" in str(reject["message"])
    assert desk.api.status("reconciling").status == 404
    assert desk.api.place("before-reconciling").status == 200
    assert desk.api.cancel("before-reconciling").status == 200
    assert desk.api.place("hers", exchange_id="SIM/ALICE").status == 200
    let_reconcile(desk)
    desk.report_when("before-reconciling", "CANCELED")
    assert desk.api.place("reconciling", price=Decimal(19000)).status == 200


def test_a_slow_client_changes_nothing(desk: Desk) -> None:
    """Whoever hangs up while its order waits finds it under its id."""
    desk.operator.fault("stream_silent", account="desk")
    desk.operator.fault("answer_late", requests=["place"], delay_ms=1_000)
    with closing(HTTPConnection(desk.api.url.removeprefix("http://"))) as hasty:
        headers = {"Content-Type": "application/json"}
        hasty.request("POST", "/v1/orders", encoded(order("hung-up")), headers)
        until(lambda: desk.api.status("hung-up").status == 200, "it is taken")
    report = desk.report_when("hung-up", "ROUTED", "NEW")
    assert desk.api.place("hung-up").json["exchange_order_id"] == report["exchange_order_id"]
    assert len(desk.at_exchange("hung-up")) == 1
