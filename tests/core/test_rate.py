"""The token bucket: what it gives, what it keeps back, and how long it says to wait."""

from hypothesis import given
from hypothesis import strategies as st

from fairlead.core.rate import Bucket
from tests.core.words import SECOND_NS


def test_a_bucket_starts_full_and_gives_as_many_as_a_second() -> None:
    bucket = Bucket(3)
    assert [bucket.take(0) for _ in range(4)] == [True, True, True, False]


def test_a_token_comes_back_after_its_share_of_a_second() -> None:
    bucket = Bucket(4, capacity=1)
    assert bucket.take(0)
    assert bucket.wait_ns(0) == SECOND_NS // 4
    assert not bucket.has(SECOND_NS // 4 - 1)
    assert bucket.take(SECOND_NS // 4)
    assert not bucket.take(SECOND_NS // 4)


def test_no_more_is_saved_up_than_the_capacity() -> None:
    bucket = Bucket(10, capacity=2)
    assert bucket.take(0)
    assert [bucket.take(3600 * SECOND_NS) for _ in range(3)] == [True, True, False]


def test_a_reserve_stays_for_those_who_may_use_it() -> None:
    bucket = Bucket(3)
    assert [bucket.take(0, reserve=2) for _ in range(2)] == [True, False]
    assert bucket.wait_ns(0, reserve=2) == -(-SECOND_NS // 3)
    assert [bucket.take(0) for _ in range(3)] == [True, True, False]


def test_what_is_spent_after_a_look_is_what_would_have_been_taken() -> None:
    looked, taken = Bucket(2), Bucket(2)
    for now_ns in (0, 0, 1, SECOND_NS // 2, SECOND_NS // 2):
        has = looked.has(now_ns)
        if has:
            looked.spend()
        assert taken.take(now_ns) is has
    assert looked.wait_ns(SECOND_NS // 2) == taken.wait_ns(SECOND_NS // 2)


def test_a_closed_bucket_gives_nothing_until_its_time() -> None:
    bucket = Bucket(3)
    bucket.close_until(5 * SECOND_NS)
    bucket.close_until(2 * SECOND_NS)
    assert not bucket.take(4 * SECOND_NS)
    assert bucket.wait_ns(4 * SECOND_NS) == SECOND_NS
    assert bucket.take(5 * SECOND_NS)


def test_a_time_that_goes_back_earns_nothing() -> None:
    bucket = Bucket(1)
    assert bucket.take(10 * SECOND_NS)
    assert not bucket.take(2 * SECOND_NS)
    assert not bucket.take(10 * SECOND_NS)
    assert bucket.take(11 * SECOND_NS)


@given(
    per_second=st.integers(1, 1000),
    capacity=st.integers(1, 50),
    gaps_ns=st.lists(st.integers(0, SECOND_NS), max_size=60),
)
def test_never_more_than_the_rate_and_waiting_as_told_is_enough(
    per_second: int, capacity: int, gaps_ns: list[int]
) -> None:
    bucket = Bucket(per_second, capacity)
    now_ns = taken = 0
    for gap_ns in gaps_ns:
        now_ns += gap_ns
        wait_ns = bucket.wait_ns(now_ns)
        assert (wait_ns == 0) == bucket.has(now_ns)
        taken += bucket.take(now_ns)
        assert taken * SECOND_NS <= capacity * SECOND_NS + now_ns * per_second
    now_ns += bucket.wait_ns(now_ns)
    assert bucket.take(now_ns)
