"""Times to come: steady ones, wall-clock ones that follow jumps, and those nobody awaits any more."""

from hypothesis import given
from hypothesis import strategies as st

from fairlead.core.deciding import Now
from fairlead.core.timing import TimerDue, TimerKind
from fairlead.edge.timers import PRUNE_LEAST, WALL_CHECK_NS, Timers
from tests.core.words import SECOND_NS

HOUR_NS = 3600 * SECOND_NS


def due(number: int, kind: TimerKind = TimerKind.ASK) -> TimerDue:
    return TimerDue(account="SIM", kind=kind, number=number)


def always(_: TimerDue) -> bool:
    return True


def test_without_timers_nothing_is_due_and_nobody_waits() -> None:
    timers = Timers()
    assert timers.take_due(Now(0, 0)) == []
    assert timers.wait_ns(Now(0, 0), always) is None
    assert len(timers) == 0


def test_steady_timers_come_in_order_of_time_then_of_setting() -> None:
    timers = Timers()
    timers.add(20, due(1))
    timers.add(10, due(2))
    timers.add(20, due(3))
    assert timers.wait_ns(Now(0, 4), always) == 6
    assert [timer.number for timer in timers.take_due(Now(0, 9))] == []
    assert [timer.number for timer in timers.take_due(Now(0, 20))] == [2, 1, 3]
    assert timers.take_due(Now(0, 20)) == []


def test_wall_timers_follow_the_wall_clock_also_when_it_jumps() -> None:
    timers = Timers()
    timers.add_wall(HOUR_NS, due(1))
    assert timers.take_due(Now(HOUR_NS - 1, 10 * HOUR_NS)) == []
    assert [timer.number for timer in timers.take_due(Now(HOUR_NS, 5))] == [1]


def test_a_far_wall_time_is_looked_at_every_second() -> None:
    timers = Timers()
    timers.add_wall(HOUR_NS, due(1))
    assert timers.wait_ns(Now(0, 0), always) == WALL_CHECK_NS
    assert timers.wait_ns(Now(HOUR_NS - 5, 0), always) == 5
    assert timers.wait_ns(Now(HOUR_NS + 5, 0), always) == 0


def test_the_nearest_of_both_kinds_counts_and_steady_ones_come_first() -> None:
    timers = Timers()
    timers.add_wall(10, due(1))
    timers.add(7, due(2))
    assert timers.wait_ns(Now(0, 0), always) == 7
    assert timers.wait_ns(Now(8, 0), always) == 2
    assert [timer.number for timer in timers.take_due(Now(10, 10))] == [2, 1]


def test_nobody_is_woken_for_what_nobody_awaits() -> None:
    timers = Timers()
    for number in range(1, 5):
        timers.add(number, due(number))
        timers.add_wall(10 * number, due(10 * number))
    assert timers.wait_ns(Now(0, 0), lambda timer: timer.number in (3, 40)) == 3
    assert len(timers) == 3
    assert timers.wait_ns(Now(0, 0), lambda timer: timer.number == 40) == 40
    assert timers.wait_ns(Now(0, 0), lambda timer: False) is None


def test_what_nobody_awaits_is_dropped_before_it_piles_up() -> None:
    timers = Timers()
    for number in range(PRUNE_LEAST - 1):
        timers.add(number, due(number))
    timers.prune(lambda timer: False)
    assert len(timers) == PRUNE_LEAST - 1
    timers.add_wall(5, due(PRUNE_LEAST))
    timers.prune(lambda timer: timer.number % 2 == 0)
    assert len(timers) == PRUNE_LEAST // 2 + 1
    numbers = [timer.number for timer in timers.take_due(Now(5, PRUNE_LEAST))]
    assert numbers == [*range(0, PRUNE_LEAST, 2), PRUNE_LEAST]


def test_pruning_is_not_tried_again_before_there_are_twice_as_many() -> None:
    timers = Timers()
    looked_at = []

    def keep(timer: TimerDue) -> bool:
        looked_at.append(timer.number)
        return True

    for number in range(2 * PRUNE_LEAST - 1):
        timers.add(number, due(number))
        timers.prune(keep)
    assert len(looked_at) == PRUNE_LEAST
    timers.add(0, due(0))
    timers.prune(keep)
    assert len(looked_at) == 3 * PRUNE_LEAST


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 100)), max_size=40))
def test_every_timer_comes_once_and_never_early(times: list[tuple[bool, int]]) -> None:
    timers = Timers()
    for number, (is_wall, due_ns) in enumerate(times):
        (timers.add_wall if is_wall else timers.add)(due_ns, due(number))
    came = {}
    now_ns = 0
    while (wait_ns := timers.wait_ns(Now(now_ns, now_ns), always)) is not None:
        now_ns += wait_ns
        for timer in timers.take_due(Now(now_ns, now_ns)):
            assert timer.number not in came
            came[timer.number] = now_ns
    assert came == {number: due_ns for number, (_, due_ns) in enumerate(times)}
