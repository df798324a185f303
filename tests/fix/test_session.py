"""The session's corners: duplicates, times, rejects, heartbeats, what is stored when."""

import pytest

from fairlead.fix.codec import body
from fairlead.fix.happened import (
    Ended,
    Garbled,
    Received,
)
from fairlead.fix.message import Fault
from fairlead.fix.session import Session
from fairlead.fix.settings import Record, Role, Sent, SessionKey, SessionSettings
from fairlead.fix.states import State
from fairlead.fix.tags import RejectReason
from tests.fix.spoken import (
    NOW,
    OURS,
    SECOND_NS,
    THEIRS,
    Field,
    end,
    heard,
    logged_on,
    order,
    raw,
    said,
    say,
    say_logon,
    stamp,
    types,
)

# ── duplicates and times ───────────────────────────────────────────────────────────────────────


def test_a_duplicate_without_its_first_time_is_rejected() -> None:
    session = logged_on()
    header: list[Field] = [
        (35, "D"),
        (49, THEIRS),
        (56, OURS),
        (34, 2),
        (43, "Y"),
        (52, stamp(NOW)),
    ]
    session.receive(raw([*header, (11, "x")]), NOW)
    (reject,) = said(session)
    assert (reject[35], reject[373], reject[371]) == ("3", "1", "122")
    assert session.next_in == 3


def test_a_duplicate_from_the_future_is_rejected_and_the_session_ended() -> None:
    session = logged_on()
    header: list[Field] = [
        (35, "D"), (49, THEIRS), (56, OURS), (34, 2), (43, "Y"), (122, stamp(NOW + SECOND_NS)),
        (52, stamp(NOW)),
    ]  # fmt: skip
    session.receive(raw([*header, (11, "x")]), NOW)
    reject, logout = said(session)
    assert (reject[373], reject[371], logout[35]) == ("10", "122", "5")
    assert (session.state, session.next_in) == (State.LOGGING_OUT, 3)


def test_a_duplicate_in_its_turn_is_delivered_as_one() -> None:
    session = logged_on()
    (received,) = session.receive(order(2, is_duplicate=True), NOW)
    assert isinstance(received, Received)
    assert received.is_duplicate


@pytest.mark.parametrize(
    ("off_s", "is_right"), [(-120, True), (120, True), (-121, False), (121, False)]
)
def test_sending_time_may_be_two_minutes_off(off_s: int, is_right: bool) -> None:
    session = logged_on()
    happened = session.receive(order(2, now_ns=NOW + off_s * SECOND_NS), NOW)
    assert (len(happened) == 1) == is_right
    assert session.is_up == is_right


@pytest.mark.parametrize("tag", [43, 97])
def test_a_flag_is_yes_or_no(tag: int) -> None:
    session = logged_on()
    header: list[Field] = [
        (35, "D"),
        (49, THEIRS),
        (56, OURS),
        (34, 2),
        (tag, "1"),
        (52, stamp(NOW)),
    ]
    session.receive(raw([*header, (11, "x")]), NOW)
    (reject,) = said(session)
    assert (reject[373], reject[371]) == ("6", str(tag))


def test_a_missing_sending_time_is_a_missing_field() -> None:
    session = logged_on()
    session.receive(raw([(35, "D"), (49, THEIRS), (56, OURS), (34, 2), (11, "x")]), NOW)
    (reject,) = said(session)
    assert (reject[373], reject[371]) == ("1", "52")


# ── rejects ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("msg_type", "fields", "reason", "tag"),
    [
        ("D", [(11, "a"), (11, "b")], "13", "11"),
        ("D", [(11, "")], "4", "11"),
        ("D", [(11, "a"), (43, "N")], "14", "43"),
        ("D", [("011", "a")], "0", None),
        ("1", [], "1", "112"),
        ("3", [], "1", "45"),
        ("3", [(45, "x")], "6", "45"),
        ("4", [(123, "Y")], "1", "36"),
        ("4", [(123, "x"), (36, 4)], "6", "123"),
        ("4", [(123, "Y"), (36, 2)], "5", "36"),
        ("4", [(123, "Y"), (36, "x")], "6", "36"),
        ("I", [(11, "a")], "11", "35"),
        ("ZZZ", [(11, "a")], "11", "35"),
    ],
)
def test_what_is_wrong_with_a_message_is_said(
    msg_type: str, fields: list[Field], reason: str, tag: str | None
) -> None:
    session = logged_on()
    data = say(
        msg_type, 2, *((0, value) if isinstance(t, str) else (t, value) for t, value in fields)
    )
    session.receive(data, NOW)
    (reject,) = said(session)
    assert (reject[35], reject[45], reject[372]) == ("3", "2", msg_type)
    assert (reject[373], reject.get(371)) == (reason, tag)
    assert reject[58]
    assert (session.state, session.next_in) == (State.ACTIVE, 3)


def test_the_application_may_reject_a_message() -> None:
    session = logged_on()
    (received,) = session.receive(order(2), NOW)
    assert isinstance(received, Received)
    fault = Fault(RejectReason.REQUIRED_TAG_MISSING, 38, "OrderQty (38) is missing")
    session.reject(received.message, fault, NOW)
    session.dealt(received)
    (reject,) = said(session)
    assert (reject[45], reject[371], reject[372], reject[373]) == ("2", "38", "D", "1")


def test_words_of_others_cannot_break_out_of_a_text() -> None:
    session = logged_on()
    session.log_out("bad\x0110=000\x01\n\u20ac", NOW)
    assert said(session)[0][58] == "bad?10=000???"


# ── heartbeats ─────────────────────────────────────────────────────────────────────────────────


def test_a_silent_counterpart_is_tested_and_then_left() -> None:
    session = logged_on(heartbeat_s=10)
    assert session.due_ns == NOW + 10 * SECOND_NS
    session.tick(NOW + 10 * SECOND_NS)
    session.tick(NOW + 12 * SECOND_NS)
    session.tick(NOW + 22 * SECOND_NS)
    happened = session.tick(NOW + 24 * SECOND_NS)
    assert types(said(session)) == "0105"
    assert end(happened) == "a TestRequest was not answered"


def test_garbage_is_no_sign_of_life() -> None:
    session = logged_on(heartbeat_s=10)
    session.receive(b"x" * 100, NOW + 11 * SECOND_NS)
    session.tick(NOW + 12 * SECOND_NS)
    assert types(said(session)) == "1"


def test_any_message_answers_a_test() -> None:
    session = logged_on(heartbeat_s=10)
    session.tick(NOW + 12 * SECOND_NS)
    session.receive(say("0", 2, now_ns=NOW + 13 * SECOND_NS), NOW + 13 * SECOND_NS)
    session.tick(NOW + 24 * SECOND_NS)
    assert session.is_up


def test_what_we_send_is_our_heartbeat() -> None:
    session = logged_on(heartbeat_s=10)
    session.send("8", body([(11, "x")]), NOW + 9 * SECOND_NS)
    assert session.tick(NOW + 11 * SECOND_NS) == []
    assert types(said(session)) == "8"
    assert session.due_ns == NOW + 12 * SECOND_NS


# ── what is stored ─────────────────────────────────────────────────────────────────────────────


def test_a_number_is_durable_only_when_all_before_it_are_dealt_with() -> None:
    session = logged_on()
    happened = session.receive(order(2) + order(3) + say("0", 4), NOW)
    second, third = happened
    assert isinstance(second, Received)
    assert isinstance(third, Received)
    session.dealt(third)
    assert session.flush().changes is None
    session.dealt(second)
    changes = session.flush().changes
    assert changes is not None
    assert changes.next_in == 5


def test_a_word_from_before_a_reset_counts_for_nothing() -> None:
    session = logged_on()
    (old,) = session.receive(order(2), NOW)
    session.receive(say_logon(1, (141, "Y")), NOW)
    (new,) = session.receive(order(2), NOW)
    assert isinstance(old, Received)
    assert isinstance(new, Received)
    session.dealt(old)
    changes = session.flush().changes
    assert changes is not None
    assert (changes.is_reset, changes.next_in, changes.cursor) == (True, 2, b"")


def test_a_message_its_number_and_the_cursor_are_stored_together() -> None:
    session = logged_on()
    number = session.send("8", body([(11, "x")]), NOW, cursor=b"17")
    changes = session.flush().changes
    assert changes is not None
    assert (number, changes.next_out, changes.cursor) == (2, 3, b"17")
    assert changes.sent == (Sent(2, "8", stamp(NOW).encode(), b"11=x\x01"),)


def test_after_the_last_batch_there_is_nothing_more() -> None:
    session = logged_on()
    (received,) = session.receive(order(2), NOW)
    assert isinstance(received, Received)
    session.lost(NOW)
    assert session.flush().is_last
    session.dealt(received)
    assert session.flush().changes is None
    assert session.receive(order(3), NOW) == []


def test_garbled_bytes_are_told_and_the_next_message_is_heard() -> None:
    session = logged_on()
    happened = session.receive(b"rubbish" + order(2)[:-4] + b"00\x01" + order(2), NOW)
    assert [type(what) for what in happened] == [Garbled, Garbled, Received]


def test_an_initiator_is_refused_by_a_logout() -> None:
    settings = SessionSettings(THEIRS, Role.INITIATOR)
    session = Session.initiate(settings, SessionKey("FIX.4.4", OURS), Record(), NOW)
    (logon,) = heard(session.flush().data)
    assert (logon[35], logon[49], logon[56], logon[34], logon[108]) == (
        "A",
        THEIRS,
        OURS,
        "1",
        "30",
    )
    happened = session.receive(say("5", 1, (58, "not today"), sender=OURS, target=THEIRS), NOW)
    assert happened == [Ended("not today", False, True)]


def test_an_initiator_that_is_not_answered_ends() -> None:
    settings = SessionSettings(THEIRS, Role.INITIATOR)
    session = Session.initiate(settings, SessionKey("FIX.4.4", OURS), Record(), NOW)
    assert session.due_ns == NOW + 10 * SECOND_NS
    assert end(session.tick(NOW + 10 * SECOND_NS)) == "the Logon was not answered in time"
