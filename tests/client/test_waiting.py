"""Conversations that wait, without a network or a clock: the test is the system and the time."""

from collections.abc import Callable

import pytest

from fairlead.client import (
    ClientError,
    Conflict,
    NotFound,
    NotYet,
    OrderReport,
    OutcomeUnknown,
    Unavailable,
    Unreachable,
)
from fairlead.client.answer import Answer
from fairlead.client.waiting import (
    Ask,
    Conversation,
    Heard,
    Pause,
    place_and_wait,
    wait_until_final,
)
from tests.client.words import new_order, report

Said = OrderReport | ClientError
UNANSWERED = OutcomeUnknown("no answer in time")
NOT_FOUND = NotFound(Answer(404, b""), "ORDER_ID_NOT_FOUND", "no such order", {})
UNAVAILABLE = Unavailable(Answer(503, b""), "OTHER", "stopping", {})
GONE = Unreachable("no system answers")


class World:
    """Plays a conversation: each `Ask` takes 10 ms and gets the next of `says`, the last for ever."""

    def __init__(self, *says: Said) -> None:
        self.says = list(says)
        self.now_s = 100.0
        self.asked: list[str] = []
        self.timeouts_s: list[float | None] = []

    def play(self, make: Callable[[float], Conversation[OrderReport]]) -> OrderReport:
        conversation = make(self.now_s)
        try:
            step = next(conversation)
            while True:
                step = conversation.send(self._heard(step))
        except StopIteration as end:
            ended: OrderReport = end.value
            return ended

    def _heard(self, step: Ask | Pause) -> Heard:
        if isinstance(step, Pause):
            assert step.duration_s > 0
            self.now_s += step.duration_s
            return Heard(self.now_s)
        self.now_s += 0.01
        self.asked.append(step.call.method)
        self.timeouts_s.append(step.timeout_s)
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, OrderReport):
            return Heard(self.now_s, said)
        return Heard(self.now_s, error=said)

    def places(self, wait_s: float = 5.0) -> OrderReport:
        order = new_order("x")
        return self.play(lambda now_s: place_and_wait(order, wait_s, now_s))

    def waits(self, wait_s: float | None = 5.0) -> OrderReport:
        return self.play(lambda now_s: wait_until_final("x", "SIM", wait_s, now_s))


# ── place and wait ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", ["ROUTED", "NEW", "FILLED", "REJECTED"])
def test_an_answer_is_the_end(status: str) -> None:
    world = World(report(status=status))
    assert world.places().status == status
    assert world.asked == ["POST"]


def test_what_was_certainly_not_done_is_raised_at_once() -> None:
    for error in (GONE, UNAVAILABLE, Conflict(Answer(409, b""), "OTHER", "used", {})):
        world = World(error)
        with pytest.raises(type(error)):
            world.places()
        assert world.asked == ["POST"]


@pytest.mark.parametrize(
    "says",
    [
        [report(status="NEW")],
        [NOT_FOUND, NOT_FOUND, report(status="NEW")],
        [GONE, UNAVAILABLE, report(status="NEW")],
        [report(status="ROUTING"), report(status="ROUTING", in_doubt=True), report(status="NEW")],
    ],
)
def test_without_an_answer_it_is_asked_about_and_never_sent_again(says: list[Said]) -> None:
    world = World(UNANSWERED, *says)
    assert world.places().status == "NEW"
    assert world.asked == ["POST"] + ["GET"] * len(says)


def test_an_order_accepted_and_not_answered_is_asked_about_too() -> None:
    world = World(report(status="ROUTING"), report(status="NEW"))
    assert world.places().status == "NEW"
    assert world.asked == ["POST", "GET"]


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (NOT_FOUND, "order x of SIM is not known there and may still arrive"),
        (GONE, "the status of order x of SIM is unknown too: no system answers"),
        (report(status="ROUTING", in_doubt=True), "order x of SIM is in doubt"),
        (report(status="ROUTING"), "order x of SIM is ROUTING, the exchange has not answered"),
    ],
)
def test_what_is_still_unknown_at_the_deadline_is_said_as_it_is(last: Said, words: str) -> None:
    world = World(UNANSWERED, last)
    with pytest.raises(OutcomeUnknown, match=f"no answer in time; {words}") as caught:
        world.places(5.0)
    assert (caught.value.exchange_id, caught.value.client_order_id) == ("SIM", "x")
    assert caught.value.report == (last if isinstance(last, OrderReport) else None)
    assert world.asked.count("POST") == 1
    assert 105.0 <= world.now_s <= 106.0


def test_what_was_heard_last_is_not_forgotten_when_the_system_goes_away() -> None:
    routing = report(status="ROUTING")
    words = "order x of SIM was ROUTING when last heard of, and now: no system answers"
    with pytest.raises(OutcomeUnknown, match=words) as caught:
        World(UNANSWERED, routing, GONE).places()
    assert caught.value.report == routing


def test_a_question_that_is_refused_for_good_ends_the_asking() -> None:
    world = World(UNANSWERED, Conflict(Answer(403, b""), "", "no permission", {}))
    with pytest.raises(OutcomeUnknown, match="unknown too: no permission"):
        world.places()
    assert world.asked == ["POST", "GET"]


def test_pauses_grow_and_questions_end_with_the_deadline() -> None:
    world = World(UNANSWERED, NOT_FOUND)
    with pytest.raises(OutcomeUnknown):
        world.places(20.0)
    assert 15 < len(world.asked) < 40
    place_s, *asks_s = world.timeouts_s
    assert place_s == 20.0
    assert all(timeout_s is not None and 0.5 <= timeout_s <= 20.0 for timeout_s in asks_s)


# ── wait until final ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", ["FILLED", "CANCELED", "REJECTED"])
def test_a_final_order_is_returned(status: str) -> None:
    world = World(
        report(status="NEW"), GONE, report(status="PARTIALLY_FILLED"), report(status=status)
    )
    assert world.waits(None).status == status


def test_a_final_status_in_doubt_is_not_the_end() -> None:
    revived = report(status="REJECTED", in_doubt=True)
    assert World(revived, revived, report(status="CANCELED")).waits().status == "CANCELED"


def test_not_final_in_time() -> None:
    with pytest.raises(NotYet, match=r"order x is not final after 5 s: NEW$") as caught:
        World(report(status="NEW")).waits()
    assert caught.value.report.status == "NEW"
    with pytest.raises(NotYet, match="ROUTING, in doubt"):
        World(report(status="ROUTING", in_doubt=True)).waits()


def test_an_order_that_is_not_there_is_not_waited_for() -> None:
    with pytest.raises(NotFound):
        World(NOT_FOUND).waits(None)


def test_a_system_that_stays_away_is_not_waited_for_for_ever() -> None:
    world = World(report(status="NEW"), GONE)
    with pytest.raises(Unreachable):
        world.waits(None)
    assert 130 < world.now_s < 133
    with pytest.raises(Unreachable):
        World(GONE).waits(1.0)
