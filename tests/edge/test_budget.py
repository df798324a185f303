"""The rate budget: who goes first, what is kept for cancels, and what waiting means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.core.model import Side, TimeInForce
from fairlead.core.rate import Bucket
from fairlead.core.venue_messages import (
    VenueBalances,
    VenueCancel,
    VenuePlace,
    VenueQuery,
    VenueRequest,
)
from fairlead.edge.budget import PASSED_MOST, Budget
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


def test_a_sweep_gets_its_share_however_many_orders_and_questions_wait() -> None:
    budget = Budget(40, 1)
    for number in range(41):
        budget.add(place(number))
        budget.add(query(number))
    budget.add(POLL)
    went = kinds(budget.take(0))
    assert went.index(VenueBalances) == PASSED_MOST + 1  # after the query that was passed over too
    assert went[:PASSED_MOST] == [VenuePlace] * PASSED_MOST
    assert went.count(VenueQuery) == len(went) // (PASSED_MOST + 1)


def test_what_was_withdrawn_while_it_waited_takes_nothing_from_the_others() -> None:
    budget = Budget(4, 1)
    for number in range(PASSED_MOST):
        budget.add(place(number))
    budget.add(query())
    budget.add(POLL)
    went = budget.take(0, lambda request: not isinstance(request, VenuePlace))
    assert kinds(went) == [VenueQuery, VenueBalances]
    assert len(budget) == 0
    budget.add(place())
    assert kinds(budget.take(0)) == [VenuePlace]  # the third of what four and a reserve of one give


def test_one_that_was_passed_over_and_withdrawn_leaves_no_claim_to_the_next() -> None:
    budget = Budget(100, 1)
    for number in range(PASSED_MOST):
        budget.add(place(number))
    budget.add(query())
    went = budget.take(0, lambda request: not isinstance(request, VenueQuery))
    assert kinds(went) == [VenuePlace] * PASSED_MOST
    budget.add(query())
    budget.add(place())
    assert kinds(budget.take(0)) == [VenuePlace, VenueQuery]


def test_nothing_is_handed_over_that_may_not_go_yet() -> None:
    budget = Budget(3, 1)
    handed: list[VenueRequest] = []
    for number in range(5):
        budget.add(place(number))
    went = budget.take(0, lambda request: not handed.append(request))
    assert handed == went == [place(0), place(1)]


def test_what_waits_long_never_goes_before_a_cancel() -> None:
    budget = Budget(20, 1)
    budget.add(POLL)
    for number in range(PASSED_MOST):
        budget.add(place(number))
    assert kinds(budget.take(0))[-1] is VenueBalances
    budget.add(POLL)
    for number in range(2 * PASSED_MOST):
        budget.add(place(number))
    budget.take(0)
    for number in range(3):
        budget.add(cancel(number))
    assert kinds(budget.take(SECOND_NS // 4))[:3] == [VenueCancel] * 3


class Counting:
    """An exchange that takes `per_second`, a second's worth at once, and counts what it refuses."""

    def __init__(self, per_second: int) -> None:
        self.bucket = Bucket(per_second)
        self.asked = self.refused = 0

    def takes(self, now_ns: int) -> bool:
        self.asked += 1
        is_taken = self.bucket.take(now_ns)
        self.refused += not is_taken
        return is_taken


def carry_out(budget: Budget, exchange: Counting, now_ns: int, delay_ns: int) -> int:
    """Have everything asked until the exchange took it, answers coming late; return the time."""
    flying: list[tuple[int, VenueRequest]] = []
    while flying or len(budget):
        waits = [at_ns for at_ns, _ in flying]
        wait_ns = budget.wait_ns(now_ns)
        if wait_ns is not None:
            waits.append(now_ns + wait_ns)
        now_ns = min(waits)
        for request in [request for at_ns, request in flying if at_ns <= now_ns]:
            if not exchange.takes(now_ns):
                budget.refused(now_ns, 10)
                budget.add(request)
        flying = [each for each in flying if each[0] > now_ns]
        flying += [(now_ns + delay_ns, request) for request in budget.take(now_ns)]
    return now_ns


def test_an_exchange_that_takes_less_than_configured_is_not_asked_many_times_for_each() -> None:
    """Asking on at the configured rate would take some 44,000 requests for these 500."""
    budget, exchange = Budget(10_000, 100), Counting(100)
    for number in range(500):
        budget.add(query(number))
    now_ns = carry_out(budget, exchange, 0, 2_000_000)
    assert now_ns < 5 * SECOND_NS  # it takes 100 at once and 100 a second
    assert exchange.asked < 3 * 500


def test_each_refusal_halves_the_rate_and_each_second_without_doubles_it() -> None:
    budget = Budget(1_000, 10)
    budget.refused(0, 100)
    budget.refused(SECOND_NS // 20, 100)  # was on its way when the first came
    assert budget.per_second == 500
    budget.refused(SECOND_NS // 2, 100)
    assert budget.per_second == 250
    quiet_ns = SECOND_NS * 6 // 10
    for seconds, per_second in ((1, 500), (2, 1_000), (3, 1_000)):
        before = budget.per_second
        budget.take(quiet_ns + seconds * SECOND_NS - 1)
        assert budget.per_second == before
        budget.take(quiet_ns + seconds * SECOND_NS)
        assert budget.per_second == per_second


def test_after_a_refusal_the_reserve_is_still_there_for_cancels() -> None:
    budget = Budget(100, 10)
    budget.refused(0, 100)
    for number in range(20):
        budget.add(query(number))
        budget.add(cancel(number))
    assert kinds(budget.take(SECOND_NS // 10)) == [VenueCancel] * 15  # 10, and 5 of a tenth second


def test_the_slowest_rate_still_lets_everything_go() -> None:
    budget = Budget(10, 9)
    for second in range(10):
        budget.refused(second * SECOND_NS, 900)
    assert budget.per_second == 1
    budget.add(POLL)
    now_ns = 10 * SECOND_NS
    while (wait_ns := budget.wait_ns(now_ns)) is not None:
        assert wait_ns <= SECOND_NS
        now_ns += wait_ns
        budget.take(now_ns)


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
