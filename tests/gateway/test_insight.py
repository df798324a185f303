"""Checks and stories on the wire: a real socket, a scripted edge."""

import pytest

from fairlead.core.model import Reason, Stage
from fairlead.core.replies import (
    Check,
    CheckName,
    CheckResult,
    ChecksReply,
    OrderReply,
    Refusal,
    Refused,
)
from fairlead.core.reports import Cause, OrderReport
from fairlead.core.requests import CheckOrder, QueryOrder
from tests.core.words import MS, START_NS, D, make_fill, make_order
from tests.gateway.conftest import Gateway
from tests.gateway.orders import body
from tests.gateway.test_rest import answering, get, post

pytestmark = pytest.mark.asyncio(loop_scope="module")
PASSED, NOT_REACHED = CheckResult.PASSED, CheckResult.NOT_REACHED


async def test_every_check_is_told_with_what_a_real_order_would_be_answered(
    gateway: Gateway,
) -> None:
    made = [Check(name, PASSED) for name in CheckName if name is not CheckName.FORM]
    made[-1] = Check(
        CheckName.ACCOUNT_HALTED,
        CheckResult.FAILED,
        "account_halted: SIM is halted",
        reason=Reason.ACCOUNT_HALTED,
    )
    answering(gateway, ChecksReply(tuple(made)))
    answer = await post(gateway, "/v1/orders/check", body())
    assert answer.status == 200
    assert list(answer.json) == ["exchange_id", "client_order_id", "would_be_sent", "checks"]
    assert answer.json["would_be_sent"] is False
    first, *_, last = answer.json["checks"]
    assert first == {"check": "form", "result": "PASSED", "answer_status": None, "message": None}
    assert last == {
        "check": "account_halted",
        "result": "FAILED",
        "answer_status": 200,
        "message": "account_halted: SIM is halted",
    }
    (asked,) = gateway.edge.asked
    assert isinstance(asked, CheckOrder)
    assert (asked.account, asked.order.account) == ("SIM", "SIM")


@pytest.mark.parametrize(
    ("refusal", "status"),
    [(Refusal.ACCOUNT_UNKNOWN, 490), (Refusal.INVALID, 400), (Refusal.CONFLICT, 409)],
)
async def test_a_check_that_would_refuse_names_the_status(
    gateway: Gateway, refusal: Refusal, status: int
) -> None:
    answering(gateway, ChecksReply((Check(CheckName.ACCOUNT, CheckResult.FAILED, "why", refusal),)))
    answer = await post(gateway, "/v1/orders/check", body())
    assert answer.json["checks"][1]["answer_status"] == status


async def test_all_passed_means_that_it_would_be_sent(gateway: Gateway) -> None:
    answering(gateway, ChecksReply((Check(CheckName.ACCOUNT, PASSED),)))
    assert (await post(gateway, "/v1/orders/check", body())).json["would_be_sent"] is True


async def test_a_bad_form_fails_the_first_check_and_reaches_nobody(gateway: Gateway) -> None:
    answer = await post(gateway, "/v1/orders/check", body(price="free", side="HOLD"))
    assert answer.status == 200
    form, *others = answer.json["checks"]
    assert (form["result"], form["answer_status"]) == ("FAILED", 400)
    assert form["message"].startswith('price: "free"')
    assert "side: " in form["message"]
    assert {each["result"] for each in others} == {NOT_REACHED}
    assert [each["check"] for each in (form, *others)] == list(CheckName)
    assert gateway.edge.asked == []


# ── stories ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_story_tells_every_report_with_its_hop(gateway: Gateway) -> None:
    opened = make_order(stage=Stage.RECEIVED)
    account, number = opened.account, opened.number

    def report(sequence: int, after_ms: int, cause: Cause, **more: object) -> OrderReport:
        time_ns = START_NS + after_ms * MS
        return OrderReport(account, sequence, number, time_ns, cause, **more)  # type: ignore[arg-type]

    gateway.edge.stories[account, number] = [
        report(1, 0, Cause.RECEIVED, opened=opened),
        report(2, 0, Cause.ROUTING, stage=Stage.ROUTING),
        report(3, 4, Cause.ROUTED, stage=Stage.ROUTED, exchange_order_id="X1"),
        report(5, 9, Cause.TRADE, fill=make_fill("1.50")),
    ]
    answering(gateway, OrderReply(opened))
    answer = await get(gateway, f"/v1/orders/story/{opened.client_order_id}?exchange_id={account}")
    assert answer.status == 200
    assert list(answer.json) == ["exchange_id", "client_order_id", "order", "reports"]
    told = answer.json["reports"]
    assert [(each["cause"], each["status"]) for each in told] == [
        ("RECEIVED", "RECEIVED"),
        ("ROUTING", "ROUTING"),
        ("ROUTED", "ROUTED"),
        ("TRADE", "PARTIALLY_FILLED"),
    ]
    assert [each["after_ns"] // MS for each in told] == [0, 0, 4, 9]
    assert [each["hop_ns"] // MS for each in told] == [0, 0, 4, 5]
    assert told[2]["exchange_order_id"] == "X1"
    assert "fill" not in told[2]
    assert (told[3]["amount_filled"], told[3]["fill"]["trade_id"]) == (D("1.50"), "t1")
    (asked,) = gateway.edge.asked
    assert asked == QueryOrder(account=account, client_order_id=opened.client_order_id)


async def test_the_story_of_an_order_that_is_not_there(gateway: Gateway) -> None:
    answering(gateway, Refused(Refusal.ORDER_UNKNOWN, "no such order"))
    answer = await get(gateway, "/v1/orders/story/x%2F1")
    assert (answer.status, answer.json["reject_reason"]) == (404, "ORDER_ID_NOT_FOUND")
    assert (await get(gateway, "/v1/orders/story/%FF")).status == 404
    assert (await get(gateway, "/v1/orders/story/x?exchange_id=!")).status == 400
