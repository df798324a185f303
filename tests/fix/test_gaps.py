"""Gaps in what comes in, and what is sent again."""

import msgspec
import pytest

from fairlead.fix.codec import Bounds
from fairlead.fix.happened import (
    ResendAsked,
)
from fairlead.fix.settings import Record, Sent
from fairlead.fix.states import State
from tests.fix.spoken import (
    NOW,
    SECOND_NS,
    SETTINGS,
    Field,
    end,
    logged_on,
    names,
    order,
    said,
    say,
    say_logon,
    stamp,
    types,
)

# ── gaps in what comes in ──────────────────────────────────────────────────────────────────────


def test_a_gap_is_asked_for_once_and_what_came_early_follows_it() -> None:
    session = logged_on()
    for number in (5, 6, 7):
        assert session.receive(order(number), NOW) == []
    (request,) = said(session)
    assert (request[35], request[7], request[16]) == ("2", "2", "4")
    missing = b"".join(order(number, is_duplicate=True) for number in (2, 3, 4))
    happened = session.receive(missing, NOW)
    assert names(happened) == [f"order {number}" for number in range(2, 8)]
    assert session.state is State.ACTIVE
    assert said(session) == []


def test_a_second_gap_behind_the_first_is_asked_for_when_its_turn_comes() -> None:
    session = logged_on()
    session.receive(order(3) + order(6), NOW)
    (request,) = said(session)
    assert (request[7], request[16]) == ("2", "2")
    session.receive(order(2), NOW)
    (request,) = said(session)
    assert (request[7], request[16]) == ("4", "5")
    happened = session.receive(order(4) + order(5), NOW)
    assert names(happened) == ["order 4", "order 5", "order 6"]
    assert session.state is State.ACTIVE


def test_early_messages_beyond_the_bound_are_let_go_and_asked_for() -> None:
    settings = msgspec.structs.replace(SETTINGS, bounds=Bounds(queued_most=3))
    session = logged_on(settings=settings)
    early = b"".join(order(number) for number in range(3, 11))
    assert session.receive(early, NOW) == []
    assert len(session._it.incoming._queue) == 3
    assert types(said(session)) == "2"
    happened = session.receive(order(2), NOW)
    assert names(happened) == ["order 2", "order 3", "order 4", "order 5"]
    (request,) = said(session)
    assert (request[7], request[16]) == ("6", "10")
    happened = session.receive(b"".join(order(number) for number in range(6, 11)), NOW)
    assert names(happened) == [f"order {number}" for number in range(6, 11)]
    assert session.state is State.ACTIVE


def test_early_messages_are_bounded_in_bytes_too() -> None:
    settings = msgspec.structs.replace(SETTINGS, bounds=Bounds(queued_bytes_most=5_000))
    session = logged_on(settings=settings)
    long = "x" * 1_000
    session.receive(b"".join(order(number, long) for number in range(3, 11)), NOW)
    assert len(session._it.incoming._queue) == 4
    assert len(names(session.receive(order(2), NOW))) == 5
    assert types(said(session)) == "22"
    happened = session.receive(b"".join(order(number, long) for number in range(7, 11)), NOW)
    assert len(names(happened)) == 4
    assert session._it.incoming._queued_bytes == 0


def test_a_gap_that_is_not_filled_ends_the_session() -> None:
    session = logged_on()
    session.receive(order(3), NOW)
    assert session.due_ns == NOW + 30 * SECOND_NS
    happened = session.tick(NOW + 30 * SECOND_NS)
    assert end(happened) == "messages that were asked for did not come"
    assert types(said(session)) == "25"


def test_each_message_that_fills_a_gap_gives_the_next_as_long_again() -> None:
    session = logged_on(heartbeat_s=60)
    session.receive(order(4), NOW)
    later = NOW + 29 * SECOND_NS
    session.receive(order(2, now_ns=later), later)
    assert session._it.deadline_ns == later + 30 * SECOND_NS
    session.receive(order(5, now_ns=later + SECOND_NS), later + SECOND_NS)
    assert session._it.deadline_ns == later + 30 * SECOND_NS


def test_a_gap_fill_voids_what_came_early_in_its_range() -> None:
    session = logged_on()
    session.receive(order(4) + order(6), NOW)
    happened = session.receive(say("4", 2, (123, "Y"), (36, 6), is_duplicate=True), NOW)
    assert names(happened) == ["order 6"]
    assert (session.state, session.next_in) == (State.ACTIVE, 7)


def test_a_malformed_message_that_came_early_is_rejected_in_its_turn() -> None:
    session = logged_on()
    session.receive(say("D", 3, (11, "x"), (38, "")), NOW)
    assert types(said(session)) == "2"
    session.receive(order(2), NOW)
    (reject,) = said(session)
    assert (reject[35], reject[45], reject[371], reject[373]) == ("3", "3", "38", "4")
    assert session.next_in == 4


def test_both_sides_may_ask_for_a_resend_at_once() -> None:
    session = logged_on(Record(9, 5))
    happened = session.receive(say("2", 8, (7, 4), (16, 0)), NOW)
    assert happened == [ResendAsked(4, 9)]
    (request,) = said(session)
    assert (request[35], request[7], request[16]) == ("2", "6", "7")
    session.receive(order(6, is_duplicate=True) + order(7, is_duplicate=True), NOW)
    assert (session.state, session.next_in) == (State.ACTIVE, 9)


# ── what is sent again ─────────────────────────────────────────────────────────────────────────


def test_messages_are_sent_again_with_their_old_time_and_gap_fills_between() -> None:
    session = logged_on(Record(10, 1))
    later = NOW + SECOND_NS
    session.receive(say("2", 2, (7, 2), (16, 0), now_ns=later), later)
    sent = [Sent(number, "8", stamp(NOW).encode(), b"11=%d\x01" % number) for number in (4, 5, 8)]
    session.resend(2, 10, sent, later)
    messages = said(session)
    assert [(each[35], each[34], each.get(36), each.get(11)) for each in messages] == [
        ("4", "2", "4", None),
        ("8", "4", None, "4"),
        ("8", "5", None, "5"),
        ("4", "6", "8", None),
        ("8", "8", None, "8"),
        ("4", "9", "11", None),
    ]
    assert {each[43] for each in messages} == {"Y"}
    assert {each[52] for each in messages} == {stamp(later)}
    assert [each[122] for each in messages if each[35] == "8"] == [stamp(NOW)] * 3
    assert {each[123] for each in messages if each[35] == "4"} == {"Y"}


@pytest.mark.parametrize(
    ("begin", "end_", "asked"),
    [(1, 0, (1, 9)), (3, 5, (3, 5)), (9, 9, (9, 9)), (5, 1_000, (5, 9))],
)
def test_a_resend_is_asked_for_what_was_sent(begin: int, end_: int, asked: tuple[int, int]) -> None:
    session = logged_on(Record(9, 1))
    assert session.receive(say("2", 2, (7, begin), (16, end_)), NOW) == [ResendAsked(*asked)]


@pytest.mark.parametrize(
    ("fields", "reason", "tag"),
    [
        ([(7, 0), (16, 0)], "5", "7"),
        ([(7, 5), (16, 4)], "5", "7"),
        ([(7, 10), (16, 0)], "5", "7"),
        ([(7, 1)], "1", "16"),
        ([(16, 1)], "1", "7"),
        ([(7, "x"), (16, 1)], "6", "7"),
    ],
)
def test_a_resend_request_that_makes_no_sense_is_rejected(
    fields: list[Field], reason: str, tag: str
) -> None:
    session = logged_on(Record(9, 1))
    assert session.receive(say("2", 2, *fields), NOW) == []
    (reject,) = said(session)
    assert (reject[35], reject[373], reject[371]) == ("3", reason, tag)
    assert session.next_in == 3


def test_after_the_clock_went_back_a_message_is_sent_again_as_of_its_first_time() -> None:
    session = logged_on(Record(5, 1))
    session.receive(say("2", 2, (7, 4), (16, 4)), NOW)
    first = stamp(NOW + 60 * SECOND_NS)
    session.resend(4, 4, [Sent(4, "8", first.encode(), b"11=4\x01")], NOW)
    (again,) = said(session)
    assert (again[122], again[52]) == (first, first)


def test_nothing_from_before_a_reset_is_sent_again() -> None:
    session = logged_on(Record(9, 1))
    data = say("2", 2, (7, 1), (16, 0)) + say_logon(1, (141, "Y"))
    asked, _ = session.receive(data, NOW)
    assert asked == ResendAsked(1, 9)
    session.resend(3, 9, [Sent(4, "8", b"then", b"11=x\x01")], NOW)
    assert types(said(session)) == "A"


def test_nothing_is_sent_again_after_the_end() -> None:
    session = logged_on()
    session.lost(NOW)
    session.resend(1, 1, [], NOW)
    assert said(session) == []
