"""What sweeps found, and which drifts stay."""

from fairlead.core.reconciliation import Drift, Drifts, Found, Sweep, SweepCause, SweepLog
from tests.core.words import SECOND_NS, START_NS, D


def measured(drifts: Drifts, drift: str, *, is_swept: bool = True) -> bool:
    return drifts.measure("BTC", D(drift), is_position=False, is_swept=is_swept, sweeps_most=3)


def test_a_sweep_that_ended_says_when_why_how_long_and_what_it_found() -> None:
    log = SweepLog()
    assert (log.last, log.step) == (None, None)
    log.started(SweepCause.STREAM_GAP, START_NS, 7 * SECOND_NS)
    log.step = "fills"
    log.found.fills_booked += 2
    assert log.last is None
    log.ended(None, 9 * SECOND_NS)
    log.found.fills_booked += 1  # too late
    assert log.last == Sweep(
        START_NS, SweepCause.STREAM_GAP, 2 * SECOND_NS, None, Found(fills_booked=2)
    )
    assert (log.step, log.succeeded, log.failed) == (None, 1, 0)


def test_the_next_sweep_counts_from_nothing() -> None:
    log = SweepLog()
    for trouble in (None, "fills: no answer"):
        log.started(SweepCause.PERIODIC, START_NS, 0)
        log.found.orders_asked += 1
        log.ended(trouble, 0)
    assert log.last is not None
    assert (log.last.found.orders_asked, log.last.trouble) == (1, "fills: no answer")
    assert (log.succeeded, log.failed) == (1, 1)


def test_a_drift_stays_when_enough_sweeps_in_a_row_find_one() -> None:
    drifts = Drifts()
    assert [measured(drifts, drift) for drift in ("1", "-2", "0.5")] == [False, False, True]
    assert drifts.all() == (Drift("BTC", False, D("0.5"), 3, True),)
    assert not measured(drifts, "1"), "told once"


def test_a_sweep_without_a_drift_ends_it() -> None:
    drifts = Drifts()
    assert [measured(drifts, drift) for drift in ("1", "1", "0", "1", "1", "1")][-2:] == [
        False,
        True,
    ]
    measured(drifts, "0")
    assert drifts.all() == (Drift("BTC", False, D(0), 0, False),)
    assert [measured(drifts, "1") for _ in range(3)] == [False, False, True], "told again"


def test_what_the_stream_shows_is_measured_and_does_not_count() -> None:
    drifts = Drifts()
    for _ in range(5):
        assert not measured(drifts, "1", is_swept=False)
    assert drifts.all() == (Drift("BTC", False, D(1), 0, False),)
    assert [measured(drifts, "1") for _ in range(2)] == [False, False]
    measured(drifts, "0", is_swept=False)
    assert measured(drifts, "1"), "only a sweep ends what sweeps found"


def test_where_there_never_was_a_drift_there_is_nothing_to_tell() -> None:
    drifts = Drifts()
    assert not measured(drifts, "0")
    assert drifts.all() == ()
