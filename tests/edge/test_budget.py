"""The rate budget: who goes first, what is kept for cancels, and what waiting means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.core.messages import (
    VenueBalances,
    VenueCancel,
    VenuePlace,
    VenueQuery,
    VenueRequest,
)
from fairlead.core.model import Side, TimeInForce
from fairlead.edge.budget import Budget
from tests.core.words import SECOND_NS, D


def place(number: int = 1) -> VenuePlace:
    return VenuePlace(
        account="SIM", number=number, venue_client_id="v", symbol_exchange="BTC-USDT",
        side=Side.BUY, price=D(1), quantity=D(1), time_in_force=TimeInForce.GOOD_TILL_CANCEL,
        expire_time_ns=None, exec_inst=(),
    )  # fmt: skip


def cancel(number: int = 1) -> VenueCancel:
    return VenueCancel(
        account="SIM", number=number, symbol_exchange="BTC-USDT", venue_client_id="v",
        exchange_order_id=None,
    )  # fmt: skip


def query(number: int = 1) -> VenueQuery:
    return VenueQuery(
        account="SIM", number=number, symbol_exchange="BTC-USDT", venue_client_id="v",
        exchange_order_id=None,
    )  # fmt: skip


POLL = VenueBalances(account="SIM")


def kinds(requests: list[VenueRequest]) -> list[type]:
    return [type(request) for request in requests]


def test_cancels_go_before_places_before_queries_before_polls() -> None:
    budget = Budget(10, 1)
    for request in (POLL, query(), place(), cancel()):
        assert budget.add(request)
    assert len(budget) == 4
    assert kinds(budget.take(0)) == [VenueCancel, VenuePlace, VenueQuery, VenueBalances]
    assert len(budget) == 0


def test_those_of_one_kind_keep_their_order() -> None:
    budget = Budget(10, 1)
    for number in (3, 1, 2):
        budget.add(place(number))
    assert [request.number for request in budget.take(0)] == [3, 1, 2]


def test_a_reserve_is_kept_for_cancels() -> None:
    budget = Budget(5, 2)
    for number in range(4):
        budget.add(place(number))
    assert len(budget.take(0)) == 3
    for number in range(3):
        budget.add(cancel(number))
    assert kinds(budget.take(0)) == [VenueCancel, VenueCancel]
    assert len(budget) == 2


def test_what_may_not_go_yet_waits_for_its_share_of_a_second() -> None:
    budget = Budget(4, 1)
    for number in range(4):
        budget.add(place(number))
    assert budget.wait_ns(0) == 0
    assert len(budget.take(0)) == 3
    assert budget.wait_ns(0) == SECOND_NS // 4
    assert budget.take(SECOND_NS // 4 - 1) == []
    assert len(budget.take(SECOND_NS // 4)) == 1
    assert budget.wait_ns(SECOND_NS // 4) is None


def test_a_cancel_waits_less_than_a_place() -> None:
    budget = Budget(4, 1)
    for number in range(4):
        budget.add(cancel(number))
    budget.take(0)
    budget.add(place())
    assert budget.wait_ns(0) == SECOND_NS // 2
    budget.add(cancel())
    assert budget.wait_ns(0) == SECOND_NS // 4


def test_when_the_exchange_says_too_often_even_cancels_wait_as_long_as_it_says() -> None:
    budget = Budget(10, 1)
    budget.refused(SECOND_NS, 1_500)
    budget.add(cancel())
    assert budget.take(2 * SECOND_NS) == []
    assert budget.wait_ns(2 * SECOND_NS) == SECOND_NS // 2
    assert kinds(budget.take(SECOND_NS * 5 // 2)) == [VenueCancel]


def test_too_many_waiting_of_a_kind_are_not_taken_and_other_kinds_are() -> None:
    budget = Budget(10, 1, queue_most=2)
    assert [budget.add(place(number)) for number in range(3)] == [True, True, False]
    assert budget.add(cancel())
    assert len(budget) == 3


def test_clearing_gives_back_everything_that_waited() -> None:
    budget = Budget(10, 1)
    for request in (place(), cancel(), POLL):
        budget.add(request)
    assert set(kinds(budget.clear())) == {VenuePlace, VenueCancel, VenueBalances}
    assert (len(budget), budget.take(0), budget.wait_ns(0)) == (0, [], None)


def test_a_reserve_that_leaves_nothing_for_others_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="leaves nothing"):
        Budget(5, 5)


@given(
    per_second=st.integers(2, 50),
    adds=st.lists(st.sampled_from([place(), cancel(), query(), POLL]), max_size=120),
)
def test_waiting_as_told_everything_goes_within_the_rate(
    per_second: int, adds: list[VenueRequest]
) -> None:
    budget = Budget(per_second, 1)
    for request in adds:
        budget.add(request)
    now_ns = taken = 0
    while (wait_ns := budget.wait_ns(now_ns)) is not None:
        now_ns += wait_ns
        went = len(budget.take(now_ns))
        assert went > 0
        taken += went
        assert taken * SECOND_NS <= per_second * (SECOND_NS + now_ns)
    assert taken == len(adds)
