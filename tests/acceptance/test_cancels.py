"""Cancels: durable first, sent when they can be, followed to their effect, bounded (2.4)."""

from decimal import Decimal

from tests.acceptance.conftest import Desk
from tests.acceptance.test_calls import REPORT_FIELDS, check_reject
from tests.acceptance.test_checks import close_budget
from tests.system import ageless, from_now, until


def test_an_order_not_yet_sent_is_canceled_at_once(desk: Desk) -> None:
    close_budget(desk, 3_000)
    placing = desk.placing("unsent")
    assert desk.report("unsent")["status"] == "RECEIVED"
    answer = desk.api.cancel("unsent")
    assert (answer.status, answer.json["status"]) == (200, "CANCELED")
    assert (placing.result().status, placing.result().json["status"]) == (200, "CANCELED")
    assert [each[0] for each in answer.json["status_history"]] == ["RECEIVED", "CANCELED"]
    assert desk.at_exchange("unsent") == []


def test_a_sent_and_unanswered_order_is_canceled_by_its_client_id(desk: Desk) -> None:
    desk.operator.fault("stream_silent", account="desk")
    desk.operator.fault("request_lost", requests=["open_orders"], account="desk", count=None)
    desk.operator.fault("answer_late", requests=["place"], delay_ms=1_000)
    placing = desk.placing("unanswered")
    until(lambda: desk.at_exchange("unanswered"), "the exchange has it")
    answer = desk.api.cancel("unanswered")
    assert answer.status == 200
    assert list(answer.json) == REPORT_FIELDS
    assert answer.json["status"] == "ROUTING"
    assert placing.result().status == 200
    desk.report_when("unanswered", "CANCELED")
    assert desk.at_exchange("unanswered")[0]["state"] == "CANCELED"


def test_unknown_order_as_a_cancels_answer_proves_nothing(desk: Desk) -> None:
    """The cancel overtakes its order; it is sent again when the exchange has the order."""
    desk.operator.fault("request_late", requests=["place"], delay_ms=1_500)
    placing = desk.placing("overtaken")
    assert desk.api.cancel("overtaken").json["status"] in ("RECEIVED", "ROUTING")
    placing.result()
    report = desk.report_when("overtaken", "CANCELED")
    assert report["error_message"] is None
    assert desk.at_exchange("overtaken")[0]["state"] == "CANCELED"


def test_a_cancel_of_an_order_in_doubt_is_answered_and_ends_it(hasty: Desk) -> None:
    hasty.operator.fault("accepted_then_silence")
    hasty.operator.fault("stream_silent", account="desk")
    hasty.operator.fault("request_lost", requests=["query", "cancel", "open_orders"], count=None)
    check_reject(hasty.api.place("doubtful"), 504, "EXCHANGE_RESPONSE_TIMEOUT")
    answer = hasty.api.cancel("doubtful")
    assert (answer.status, answer.json["in_doubt"]) == (200, True)
    check_reject(hasty.api.place("doubtful"), 504, "EXCHANGE_RESPONSE_TIMEOUT")
    hasty.operator.clear()
    hasty.report_when("doubtful", "CANCELED")
    assert hasty.at_exchange("doubtful")[0]["state"] == "CANCELED"


def test_a_cancel_of_an_order_that_never_arrived_does_not_hide_that(hasty: Desk) -> None:
    hasty.operator.fault("request_lost", requests=["place"])
    check_reject(hasty.api.place("lost-cancel"), 504, "EXCHANGE_RESPONSE_TIMEOUT")
    assert hasty.api.cancel("lost-cancel").status == 200
    report = hasty.report_when("lost-cancel", "REJECTED")
    assert report["error_message"] == "never reached the exchange"
    assert hasty.at_exchange("lost-cancel") == []


def test_a_refused_cancel_finds_the_fills_that_were_not_heard(desk: Desk) -> None:
    desk.api.place("filled-unheard")
    desk.report_when("filled-unheard", "NEW")
    desk.operator.fault("stream_silent", account="desk")
    sold = desk.api.place("hits-it", exchange_id="SIM/ALICE", side="SELL")
    assert sold.json["status"] in ("ROUTED", "NEW", "FILLED"), sold
    until(lambda: desk.at_exchange("filled-unheard")[0]["state"] == "FILLED", "it is filled")
    assert desk.api.cancel("filled-unheard").status == 200
    report = desk.report_when("filled-unheard", "FILLED")
    assert report["amount_filled"] == Decimal("0.01")
    assert len(report["fills"]) == 1


def test_a_refused_cancel_of_an_open_order_is_tried_again(desk: Desk) -> None:
    desk.api.place("refused-once")
    desk.operator.fault("cancel_refused", count=2)
    answer = desk.api.cancel("refused-once")
    assert answer.status == 200
    report = desk.report_when("refused-once", "CANCELED")
    assert "PENDING_CANCEL" in [each[0] for each in report["status_history"]]
    assert desk.operator.faults() == []


def test_a_cancel_that_never_works_is_given_up_and_listed(desk: Desk) -> None:
    desk.api.place("stubborn")
    desk.report_when("stubborn", "NEW")
    desk.operator.fault("cancel_refused", count=None)
    assert desk.api.cancel("stubborn").json["status"] == "PENDING_CANCEL"
    report = desk.report_when("stubborn", "NEW")
    assert [each[0] for each in report["status_history"]][-2:] == ["PENDING_CANCEL", "NEW"]
    (listed,) = desk.api.wanted("/v1/operator/attention")
    assert listed["order"]["id"] == "stubborn"
    assert "cancel of stubborn had no effect" in listed["trouble"]
    assert 'code="cancel_failed"' in desk.api.get("/metrics").body.decode()
    assert desk.operator.faults()[0]["times"] == 5
    desk.operator.clear()
    assert desk.api.cancel("stubborn").status == 200
    desk.report_when("stubborn", "CANCELED")


def test_a_lost_cancel_is_sent_again(desk: Desk) -> None:
    desk.api.place("lost-once")
    desk.operator.fault("request_lost", requests=["cancel"])
    desk.api.cancel("lost-once")
    desk.report_when("lost-once", "CANCELED")


def test_a_fill_after_a_cancel_still_counts(desk: Desk) -> None:
    desk.api.place("late-fill", amount_order=Decimal("0.02"))
    desk.report_when("late-fill", "NEW")
    desk.operator.fault("fill_after_cancel", share=Decimal("0.5"), delay_ms=300)
    desk.api.cancel("late-fill")
    canceled = desk.report_when("late-fill", "CANCELED")
    until(
        lambda: desk.report("late-fill")["amount_filled"] == Decimal("0.01"), "the fill is booked"
    )
    report = desk.report("late-fill")
    assert report["status"] == "CANCELED"
    assert report["amount_open"] == Decimal("0.01")
    assert report["sequence"] > canceled["sequence"]
    (fill,) = desk.operator.fills(account="desk")[-1:]
    assert [each["trade_id"] for each in report["fills"]] == [fill["trade_id"]]


def test_cancel_all_covers_orders_in_doubt_and_unanswered_ones(hasty: Desk) -> None:
    hasty.api.place("everything-open")
    hasty.operator.fault("accepted_then_silence", count=2)
    hasty.operator.fault("stream_silent", account="desk")
    hasty.operator.fault("request_lost", requests=["query", "open_orders"], count=None)
    check_reject(hasty.api.place("everything-doubt"), 504, "EXCHANGE_RESPONSE_TIMEOUT")
    placing = hasty.placing("everything-routing")
    answer = hasty.api.post("/v1/orders/cancel/all", {"exchange_id": "SIM"})
    assert answer.json["message"] == "Cancel requested for 3 orders."
    placing.result()
    for name in ("open", "doubt", "routing"):
        hasty.report_when(f"everything-{name}", "CANCELED")
        assert hasty.at_exchange(f"everything-{name}")[0]["state"] == "CANCELED"


# ── good till time ───────────────────────────────────────────────────────────────────────────────


def test_good_till_time_oms_is_canceled_by_us(desk: Desk) -> None:
    answer = desk.api.place(
        "expires-here", time_in_force="GOOD_TILL_TIME_OEML", expire_time=from_now(2)
    )
    assert answer.status == 200, answer
    assert answer.json["time_in_force"] == "GOOD_TILL_TIME_OEML"
    assert desk.at_exchange("expires-here")[0]["time_in_force"] == "GOOD_TILL_CANCEL"
    report = desk.report_when("expires-here", "CANCELED")
    assert "NEW" in [each[0] for each in report["status_history"]]
    assert report["expire_time"] <= report["status_history"][-1][1]


def test_a_due_good_till_time_oms_cancel_is_retried_beyond_the_cap(desk: Desk) -> None:
    desk.operator.fault("cancel_refused", count=7)
    due = from_now(2)
    placed = desk.api.place("expires-late", time_in_force="GOOD_TILL_TIME_OMS", expire_time=due)
    assert placed.status == 200, placed
    desk.report_when("expires-late", "CANCELED")
    assert desk.operator.faults() == []


def test_good_till_time_exchange_is_canceled_by_the_exchange(desk: Desk) -> None:
    answer = desk.api.place(
        "expires-there", time_in_force="GOOD_TILL_TIME_EXCHANGE", expire_time=from_now(2)
    )
    assert answer.status == 200, answer
    report = desk.report_when("expires-there", "CANCELED")
    assert "PENDING_CANCEL" not in [each[0] for each in report["status_history"]]
    assert desk.at_exchange("expires-there")[0]["state"] == "EXPIRED"


def test_cancel_on_disconnect_is_refused_where_the_exchange_cannot(desk: Desk) -> None:
    answer = desk.api.place("cod", exec_inst=["CANCEL_ON_DISCONNECT"])
    assert answer.status == 400
    text = answer.json["errors_by_field"]["exec_inst"]
    assert "CANCEL_ON_DISCONNECT" in text
    assert "MAKER_OR_CANCEL" in text
    assert desk.api.status("cod").status == 404


# ── without the exchange ─────────────────────────────────────────────────────────────────────────


def test_a_disconnected_account_answers_from_its_books_and_keeps_cancels(apart: Desk) -> None:
    """Unreachable: orders are 490 and leave nothing, reads answer, a cancel is stored and sent later."""
    apart.api.place("stays")
    apart.api.place("goes")
    apart.report_when("stays", "NEW")
    balances = apart.api.wanted("/v1/balances")
    apart.kill_exchange()
    until(lambda: not apart.api.accounts()["SIM"]["connected"], "SIM is disconnected")

    reject = check_reject(apart.api.place("unreachable"), 490, "EXCHANGE_UNREACHABLE")
    assert "disconnected" in str(reject["message"])
    assert apart.api.status("unreachable").status == 404
    rule = apart.api.place("unreachable", price=Decimal("20000.001"))
    assert rule.status == 400  # the instrument's rules come first
    assert (apart.api.place("stays").status, apart.api.place("stays").json["status"]) == (
        200,
        "NEW",
    )
    check_reject(apart.api.place("stays", price=Decimal(1000)), 409, "OTHER")
    assert {each["id"] for each in apart.api.wanted("/v1/orders")} == {"stays", "goes"}
    assert ageless(apart.api.wanted("/v1/balances")) == ageless(balances)
    assert apart.api.get("/v1/positions?exchange_id=SIM").status == 200
    assert apart.api.accounts()["SIM"]["reconciled_time"]

    answer = apart.api.cancel("goes")
    assert (answer.status, answer.json["status"]) == (200, "PENDING_CANCEL")
    check_reject(apart.api.cancel("nobody"), 404, "ORDER_ID_NOT_FOUND")
    check_reject(apart.api.cancel("goes", "SIM/X"), 490, "EXCHANGE_UNREACHABLE", "SIM/X")

    apart.restart_exchange()
    apart.report_when("goes", "CANCELED")
    assert apart.report("stays")["status"] == "NEW"
    until(lambda: apart.api.accounts()["SIM"]["reconciled"], "SIM is reconciled")
    assert apart.api.place("unreachable", price=Decimal(1000)).status == 200
