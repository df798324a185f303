"""What answers prove of an exchange's clock."""

from hypothesis import given
from hypothesis import strategies as st

from fairlead.venues.offset import ClockOffset

MS = 1_000_000
START_NS = 1_700_000_000_000_000_000


def test_clocks_that_may_agree_are_left_alone() -> None:
    offset = ClockOffset()
    offset.compare(START_NS, START_NS + 10 * MS, START_NS + 10 * MS)
    assert offset.ns == 0


def test_a_clock_that_was_off_and_is_set_right_is_taken_as_right_again() -> None:
    offset = ClockOffset()
    offset.compare(START_NS, START_NS + 10 * MS, START_NS + 3_005 * MS)
    assert offset.ns == 2_995 * MS
    offset.compare(START_NS, START_NS + 10 * MS, START_NS + 4 * MS)
    assert offset.ns == 4 * MS  # by no more than the answer took


def test_a_slow_answer_does_not_blur_what_a_quick_one_has_proved() -> None:
    offset = ClockOffset()
    offset.compare(START_NS, START_NS + 2 * MS, START_NS + 3_001 * MS)
    assert offset.ns == 2_999 * MS
    offset.compare(START_NS, START_NS + 900 * MS, START_NS + 3_001 * MS)
    assert offset.ns == 2_999 * MS


def test_an_answer_heard_before_it_was_asked_for_proves_nothing() -> None:
    offset = ClockOffset()
    offset.compare(START_NS, START_NS - 1, START_NS + 3_000 * MS)
    assert offset.ns == 0


@given(
    true_ns=st.integers(-(10**13), 10**13),
    ways=st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1),
)
def test_it_is_never_further_off_than_the_quickest_answer_took(
    true_ns: int, ways: list[tuple[int, int]]
) -> None:
    offset = ClockOffset()
    for there_ns, back_ns in ways:
        offset.compare(START_NS, START_NS + there_ns + back_ns, START_NS + there_ns + true_ns)
    assert abs(offset.ns - true_ns) <= min(there_ns + back_ns for there_ns, back_ns in ways)
