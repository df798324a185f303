"""Dry runs: every check in the contract's order (2.3), decided as for a real order, nothing left behind."""

import inspect
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.core import risk
from fairlead.core.checking import CHECKS, RISK
from fairlead.core.deciding import EngineSettings
from fairlead.core.model import AccountMode, ExecInst, Reason, Side, Stage, TimeInForce
from fairlead.core.replies import (
    Check,
    CheckName,
    CheckResult,
    ChecksReply,
    OrderReply,
    Refusal,
    Refused,
)
from fairlead.core.requests import CheckOrder, PlaceOrder
from tests.core.conversation import CANCELED, Conversation, placed, started, working
from tests.core.words import BTC_PERP, BTC_USDT, START_NS, D, make_request

PASSED, FAILED, NOT_REACHED = CheckResult.PASSED, CheckResult.FAILED, CheckResult.NOT_REACHED


def checks(talk: Conversation, order: PlaceOrder) -> tuple[Check, ...]:
    """Every check of `order`; what was decided left no report, no request and no order."""
    before = (len(talk.reports), len(talk.sent))
    reply = talk.say(CheckOrder(account=order.account, order=order)).reply
    assert isinstance(reply, ChecksReply)
    assert (len(talk.reports), len(talk.sent)) == before
    assert tuple(each.name for each in reply.checks) == CHECKS
    return reply.checks


def failure(talk: Conversation, order: PlaceOrder) -> Check:
    """The one check that failed: before it all passed, behind it none was reached."""
    made = checks(talk, order)
    at = [each.result for each in made].index(FAILED)
    assert all(each.result is NOT_REACHED for each in made[at + 1 :])
    return made[at]


def test_an_order_that_would_be_sent_passes_all_and_its_id_is_not_used_up() -> None:
    talk = started()
    assert {each.result for each in checks(talk, make_request())} == {PASSED}
    assert talk.look_up().refusal == "ORDER_UNKNOWN"
    placed(talk)


def test_an_account_that_is_not_there() -> None:
    failed = failure(started(), make_request(account="SIM/BOB"))
    assert (failed.name, failed.refusal) == (CheckName.ACCOUNT, Refusal.ACCOUNT_UNKNOWN)


def test_an_id_used_by_another_order_by_this_one_and_by_one_in_doubt() -> None:
    talk = started()
    request = placed(talk)
    same = failure(talk, make_request())
    assert (same.name, same.refusal) == (CheckName.CLIENT_ORDER_ID, None)
    assert "exists" in same.text
    other = failure(talk, make_request(price=D(101)))
    assert (other.name, other.refusal) == (CheckName.CLIENT_ORDER_ID, Refusal.CONFLICT)
    talk.loses(request)
    assert failure(talk, make_request()).refusal is Refusal.IN_DOUBT


def test_a_settled_order_is_remembered_from_disk() -> None:
    talk = started()
    working(talk)
    talk.states("X1", CANCELED)
    assert not talk.is_in_memory()
    assert failure(talk, make_request(price=D(101))).refusal is Refusal.CONFLICT
    assert not talk.is_in_memory()


def test_instrument_rules_abilities_and_expiry_are_told_together() -> None:
    failed = failure(
        started(),
        make_request(
            price=D("100.001"),
            exec_inst=(ExecInst.AUCTION_ONLY,),
            time_in_force=TimeInForce.GOOD_TILL_TIME_OMS,
            expire_time_ns=START_NS - 1,
        ),
    )
    assert failed.name is CheckName.INSTRUMENT
    assert failed.refusal is Refusal.INVALID
    fields = [part.split(":")[0] for part in re.split(r"; (?=\w+: )", failed.text)]
    assert [name for name in fields if name != "supported"] == ["price", "exec_inst", "expire_time"]


def test_without_instruments_the_connection_is_what_fails() -> None:
    made = checks(Conversation(), make_request())
    by_name = {each.name: each.result for each in made}
    assert by_name[CheckName.INSTRUMENT] is NOT_REACHED
    assert by_name[CheckName.CONNECTION] is FAILED


def test_a_disconnected_account() -> None:
    talk = started()
    talk.disconnects()
    failed = failure(talk, make_request())
    assert (failed.name, failed.refusal) == (CheckName.CONNECTION, Refusal.ACCOUNT_UNAVAILABLE)


@pytest.mark.parametrize(
    ("mode", "changes", "name", "reason"),
    [
        (AccountMode.ACTIVE, {"price": D(100_000)}, CheckName.AVAILABLE_BALANCE,
         Reason.INSUFFICIENT_BALANCE),
        (AccountMode.REDUCING, {}, CheckName.ACCOUNT_REDUCING, Reason.ACCOUNT_REDUCING),
        (AccountMode.HALTED, {}, CheckName.ACCOUNT_HALTED, Reason.ACCOUNT_HALTED),
    ],
)  # fmt: skip
def test_risk(
    mode: AccountMode, changes: dict[str, Decimal], name: CheckName, reason: Reason
) -> None:
    talk = started()
    talk.set_mode(mode)
    failed = failure(talk, make_request(**changes))
    assert (failed.name, failed.reason, failed.refusal) == (name, reason, None)
    assert failed.text.startswith(f"{reason}: ")


def test_a_rate_used_up_fails_and_checking_takes_nothing_of_it() -> None:
    talk = started(settings=EngineSettings(order_rate_per_s=1))
    for _ in range(3):
        assert {each.result for each in checks(talk, make_request())} == {PASSED}
    placed(talk, "first")
    assert failure(talk, make_request()).name is CheckName.ORDER_RATE


@given(
    mode=st.sampled_from(AccountMode),
    side=st.sampled_from(Side),
    price=st.sampled_from(["100", "100.001", "0.01", "100000"]),
    quantity=st.sampled_from(["2", "0.00001", "2000", "1000"]),
    account=st.sampled_from(["SIM", "SIM/BOB"]),
    client_order_id=st.sampled_from(["used", "new"]),
    symbol=st.sampled_from([BTC_USDT.symbol, BTC_PERP.symbol, "SIM_SPOT_NO_MARKET"]),
    is_connected=st.booleans(),
)
def test_a_dry_run_says_what_the_order_then_comes_to(
    mode: AccountMode,
    side: Side,
    price: str,
    quantity: str,
    account: str,
    client_order_id: str,
    symbol: str,
    is_connected: bool,
) -> None:
    talk = started()
    placed(talk, "used")
    talk.set_mode(mode)
    if not is_connected:
        talk.disconnects()
    order = make_request(
        client_order_id,
        account=account,
        symbol=symbol,
        side=side,
        price=D(price),
        quantity=D(quantity),
    )
    made = checks(talk, order)
    failed = next((each for each in made if each.result is FAILED), None)
    reply = talk.say(order).reply
    if failed is None:
        assert talk.order("new").stage is Stage.ROUTING
    elif failed.refusal is not None:
        assert isinstance(reply, Refused)
        assert (reply.refusal, reply.message) == (failed.refusal, failed.text)
    elif failed.reason is not None:
        assert isinstance(reply, OrderReply)
        assert (reply.order.reason, reply.order.error_message) == (failed.reason, failed.text)
    else:
        assert order.client_order_id == "used"  # the very order that is there


def test_every_reason_that_risk_can_give_is_a_check_of_the_dry_run() -> None:
    given_reasons = set(re.findall(r"Reason\.([A-Z_]+)", inspect.getsource(risk)))
    assert given_reasons == {reason.name for reason in RISK}
