"""Every call of the library against a running system, with both clients (contract, section 3)."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from fairlead.client import (
    AccountMode,
    Client,
    Conflict,
    ExecInst,
    Invalid,
    NotFound,
    NotYet,
    OutcomeUnknown,
    Refused,
    Side,
    Status,
    Unavailable,
    calls,
    new_client_order_id,
)
from tests.acceptance.conftest import Desk
from tests.client.callers import Caller, MakeCaller
from tests.client.words import BTC, D, new_order
from tests.system import from_now, until

UNUSUAL = "a /?#%2F..é".replace("é", "~")


@pytest.fixture
def caller(desk: Desk, make_caller: MakeCaller) -> Caller:
    return make_caller(desk.api.url)


# ── orders ───────────────────────────────────────────────────────────────────────────────────────


def test_an_order_is_placed_and_read_back_with_every_digit(desk: Desk, caller: Caller) -> None:
    order = new_order(amount_order="0.010000", price=D("20000.00"))
    placed = caller.place(order)
    assert placed.is_answered
    assert placed.client_order_id == order.client_order_id
    assert (str(placed.amount_order), str(placed.price)) == ("0.010000", "20000.00")
    assert (placed.amount_filled, placed.avg_px, placed.fills) == (0, 0, ())
    assert [each.status for each in placed.status_history][:3] == ["RECEIVED", "ROUTING", "ROUTED"]
    (at_exchange,) = desk.at_exchange(order.client_order_id)
    assert at_exchange["exchange_order_id"] == placed.exchange_order_id
    assert caller.status(order.client_order_id).client_order_id == order.client_order_id


def test_the_same_order_again_is_placed_once(desk: Desk, caller: Caller) -> None:
    order = new_order()
    first, second = caller.place(order), caller.place(order)
    assert first.exchange_order_id == second.exchange_order_id
    assert len(desk.at_exchange(order.client_order_id)) == 1
    with pytest.raises(Conflict, match="used by a different order"):
        caller.place(new_order(order.client_order_id, price=D(19000)))


def test_every_field_of_an_order_arrives(caller: Caller) -> None:
    expires = datetime.now(UTC) + timedelta(hours=1)
    placed = caller.place(
        new_order(
            symbol_id_coinapi=None,
            symbol_id_exchange="BTC/USDT",
            side=Side.SELL,
            price=D(40000),
            time_in_force="GOOD_TILL_TIME_OEML",
            expire_time=expires,
            exec_inst=(ExecInst.MAKER_OR_CANCEL,),
        )
    )
    assert (placed.symbol_id_coinapi, placed.symbol_id_exchange) == (BTC, "BTC/USDT")
    assert placed.time_in_force == "GOOD_TILL_TIME_OEML"
    assert placed.expire_time == expires.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
    assert placed.exec_inst == ("MAKER_OR_CANCEL",)
    assert placed.side is Side.SELL


def test_what_is_wrong_is_named_by_field(caller: Caller) -> None:
    with pytest.raises(Invalid, match="price: ") as caught:
        caller.place(new_order(price="free", symbol_id_coinapi=None))
    assert list(caught.value.fields) == ["price", "symbol_id_coinapi"]
    with pytest.raises(Invalid, match=r"the nearest is 0\.00025"):
        caller.place(new_order(amount_order=D("0.0000151")))


def test_a_rejection_is_a_report_and_not_an_error(caller: Caller) -> None:
    rejected = caller.place(new_order(amount_order=D(900), price=D("29000")))
    assert rejected.status is Status.REJECTED
    assert rejected.is_final
    assert rejected.error_message.startswith("insufficient_balance: ")
    assert rejected.exchange_order_id is None


def test_an_unknown_account_is_unavailable(caller: Caller) -> None:
    with pytest.raises(Unavailable, match="SIM/X is not an account") as caught:
        caller.place(new_order(exchange_id="SIM/X"))
    assert (caught.value.status, caught.value.reason) == (490, "EXCHANGE_UNREACHABLE")


def test_an_order_in_doubt_is_unknown_and_named(hasty: Desk, make_caller: MakeCaller) -> None:
    caller = make_caller(hasty.api.url)
    hasty.operator.fault("request_lost", count=None, requests=["place", "query"])
    order = new_order()
    with pytest.raises(OutcomeUnknown, match="in doubt") as caught:
        caller.place(order)
    assert caught.value.client_order_id == order.client_order_id
    assert caught.value.answer is not None
    assert caught.value.answer.status == 504
    assert [each.order.client_order_id for each in caller.attention("SIM")] == [
        order.client_order_id
    ]
    with pytest.raises(Invalid, match=r"^resolution: "):
        caller.resolve("SIM", order.client_order_id, "GONE")
    resolved = caller.resolve("SIM", order.client_order_id, "NEVER_REACHED")
    assert resolved.status is Status.REJECTED


def test_an_id_may_hold_anything_printable(caller: Caller) -> None:
    order = new_order(f"{UNUSUAL}{new_client_order_id()}")
    caller.place(order)
    assert caller.status(order.client_order_id, "SIM").client_order_id == order.client_order_id
    caller.cancel("SIM", order.client_order_id)
    assert caller.wait_until_final(order.client_order_id, wait_s=10).status is Status.CANCELED


def test_an_order_that_is_not_there(caller: Caller) -> None:
    for call in (
        lambda: caller.status("nothing"),
        lambda: caller.cancel("SIM", "nothing"),
        lambda: caller.story("nothing"),
        lambda: caller.resolve("SIM", "nothing", "CANCELED"),
    ):
        with pytest.raises(NotFound) as caught:
            call()
        assert caught.value.reason == "ORDER_ID_NOT_FOUND"


def test_open_orders_of_one_account_or_all(caller: Caller) -> None:
    mine, hers = caller.place(new_order()), caller.place(new_order(exchange_id="SIM/ALICE"))
    ids = {mine.client_order_id, hers.client_order_id}
    assert {each.client_order_id for each in caller.open_orders()} == ids
    assert [each.client_order_id for each in caller.open_orders("SIM")] == [mine.client_order_id]


def test_cancels_by_either_id_and_all(caller: Caller) -> None:
    by_id, by_exchange_id, other = (caller.place(new_order()) for _ in range(3))
    caller.cancel("SIM", by_id.client_order_id)
    caller.cancel("SIM", exchange_order_id=by_exchange_id.exchange_order_id)
    for each in (by_id, by_exchange_id):
        final = caller.wait_until_final(each.client_order_id, "SIM", 10.0)
        assert final.status is Status.CANCELED
    assert caller.cancel("SIM", by_id.client_order_id).status is Status.CANCELED
    assert caller.cancel_all("SIM").message == "Cancel requested for 1 orders."
    assert caller.wait_until_final(other.client_order_id, "SIM").status is Status.CANCELED
    with pytest.raises(Invalid, match="exactly one"):
        caller.cancel("SIM")


def test_an_order_that_rests_is_not_final_in_time(caller: Caller) -> None:
    placed = caller.place(new_order())
    with pytest.raises(NotYet, match=r"not final after 2 s"):
        caller.wait_until_final(placed.client_order_id, "SIM", 2.0)


def test_history_comes_page_by_page_and_once_each(desk: Desk, caller: Caller) -> None:
    began = from_now(0)
    desk.sell("for-history" + new_client_order_id(), "31000", "0.02")
    ids = [caller.place(new_order(price=D(31000))).client_order_id for _ in range(5)]
    hers = caller.place(new_order(exchange_id="SIM/ALICE")).client_order_id
    for each in ids[:2]:
        caller.wait_until_final(each, "SIM", 10.0)
    found = caller.history(began, page_orders=2)
    assert {*ids, hers} <= {each.client_order_id for each in found}
    assert len(found) == len({each.client_order_id for each in found})
    (row,) = [each for each in found if each.client_order_id == ids[0]]
    (fill,) = row.fills
    assert (row.side, row.status, row.amount_filled) == (Side.BUY, "FILLED", D("0.01"))
    assert (fill.price, fill.amount, fill.liquidity, fill.fee_asset) == (
        31000,
        D("0.01"),
        "TAKER",
        "BTC",
    )
    assert fill.fee == D("0.00001")
    only_mine = caller.history(began, exchange_id="SIM", page_orders=2)
    assert {each.exchange_id for each in only_mine} == {"SIM"}
    assert caller.history("1970-01-01", datetime(1971, 1, 1, tzinfo=UTC)) == []
    with pytest.raises(Invalid, match="time_start"):
        caller.history("yesterday")


# ── dry run and story ────────────────────────────────────────────────────────────────────────────


def test_a_dry_run_shows_every_check_and_places_nothing(desk: Desk, caller: Caller) -> None:
    order = new_order()
    checked = caller.check(order)
    assert checked.would_be_sent
    assert {each.result for each in checked.checks} == {"PASSED"}
    with pytest.raises(NotFound):
        caller.status(order.client_order_id)
    desk.mode("HALTED")
    failed = [each for each in caller.check(order).checks if each.result == "FAILED"]
    assert [(each.check, each.answer_status) for each in failed] == [("account_halted", 200)]
    malformed = caller.check(new_order(price="free"))
    assert not malformed.would_be_sent
    assert [each.result for each in malformed.checks[:2]] == ["FAILED", "NOT_REACHED"]


def test_a_story_tells_every_report(desk: Desk, caller: Caller) -> None:
    desk.sell("for-story" + new_client_order_id(), "31000", "0.004")
    order = new_order(price=D(31000))
    caller.place(order)
    until(lambda: caller.status(order.client_order_id).amount_filled, "it is filled partly")
    caller.cancel("SIM", order.client_order_id)
    final = caller.wait_until_final(order.client_order_id, "SIM", 10.0)
    story = caller.story(order.client_order_id, "SIM")
    assert story.order == final
    causes = [each.cause for each in story.reports]
    assert causes[:2] == ["ROUTING", "ROUTED"]
    assert {"TRADE", "CANCEL_REQUESTED", "CANCELED"} <= set(causes)
    sequences = [each.sequence for each in story.reports]
    assert sequences == sorted(sequences)
    assert story.reports[-1].sequence == final.sequence
    assert story.reports[-1].after_ns == sum(each.hop_ns for each in story.reports) > 0
    (fill,) = [each.fill for each in story.reports if each.fill is not None]
    assert (fill,) == final.fills


# ── accounts ─────────────────────────────────────────────────────────────────────────────────────


def test_balances_are_exact(desk: Desk, caller: Caller) -> None:
    caller.place(new_order())
    (snapshot,) = caller.balances("SIM")
    by_asset = {each.asset_id_coinapi: each for each in snapshot.data}
    usdt = by_asset["USDT"]
    assert usdt.locked == D(200)
    assert usdt.balance - usdt.available == usdt.locked
    assert {type(each.balance) for each in snapshot.data} == {Decimal}
    assert [each.exchange_id for each in caller.balances()] == ["SIM", "SIM/ALICE"]
    with pytest.raises(Unavailable):
        caller.balances("SIM/X")


def test_positions_instruments_and_accounts(caller: Caller) -> None:
    assert [each.exchange_id for each in caller.positions()] == ["SIM", "SIM/ALICE"]
    (instruments,) = caller.instruments("SIM")
    btc = next(each for each in instruments.data if each.symbol_id_coinapi == BTC)
    assert (btc.price_precision, btc.notional_min) == (D("0.01"), 5)
    states = {each.exchange_id: each for each in caller.accounts()}
    assert states["SIM"].reconciled
    assert states["SIM"].mode is AccountMode.ACTIVE


def test_reconciliation(caller: Caller) -> None:
    (sim, alice) = caller.reconciliation()
    assert (sim.exchange_id, alice.exchange_id) == ("SIM", "SIM/ALICE")
    assert sim.reconciled
    assert sim.last_sweep.succeeded
    assert sim.last_sweep.found.orders_adopted == 0
    assert caller.reconciliation("SIM/ALICE")[0].drifts == ()


def test_modes(caller: Caller) -> None:
    assert caller.set_mode("SIM", AccountMode.HALTED).mode is AccountMode.HALTED
    assert caller.place(new_order()).error_message.startswith("account_halted")
    assert caller.set_mode("SIM", AccountMode.ACTIVE).mode is AccountMode.ACTIVE
    with pytest.raises(Refused):
        caller.set_mode("SIM/X", AccountMode.ACTIVE)


def test_health_and_metrics(caller: Caller) -> None:
    caller.live()
    health = caller.ready()
    assert health.is_ready
    assert {each.state for each in health.accounts} == {"reconciled"}
    assert "fairlead_orders_unsettled" in caller.metrics()


# ── many at once ─────────────────────────────────────────────────────────────────────────────────


def test_threads_may_share_a_client(desk: Desk) -> None:
    with Client(desk.api.url) as client, ThreadPoolExecutor(4) as threads:
        barrier = threading.Barrier(4)

        def work(_: int) -> list[str]:
            barrier.wait(60)
            return [client.place(new_order()).client_order_id for _ in range(5)]

        placed = [each for part in threads.map(work, range(4)) for each in part]
        assert {each.client_order_id for each in client.open_orders()} == set(placed)


def test_any_call_can_be_made_as_a_value(caller: Caller) -> None:
    answer = caller.ask(calls.balances("SIM"))
    assert answer.status == 200
    assert '"exchange_id":"SIM"' in answer.text
    assert caller.ask(calls.status("nothing")).status == 404
