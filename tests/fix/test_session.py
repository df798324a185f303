"""The session's corners: logon terms, gaps, resends, times, bounds, what is stored when."""

import msgspec
import pytest

from fairlead.fix.codec import Bounds, body
from fairlead.fix.happened import (
    Ended,
    Garbled,
    LoggedOn,
    LogonAsked,
    Received,
    ResendAsked,
)
from fairlead.fix.message import Fault
from fairlead.fix.session import Session
from fairlead.fix.settings import Record, Role, Sent, SessionKey, SessionSettings
from fairlead.fix.states import State
from fairlead.fix.tags import RejectReason
from tests.fix.spoken import (
    KEY,
    NOW,
    OURS,
    SECOND_NS,
    SETTINGS,
    THEIRS,
    Field,
    end,
    heard,
    logged_on,
    raw,
    said,
    say,
    say_logon,
    stamp,
    types,
)

FIVE = Record(5, 5)


def _order(number: int, name: str = "", **more: object) -> bytes:
    return say("D", number, (11, name or f"order {number}"), **more)  # type: ignore[arg-type]


def _names(happened: list[object]) -> list[str]:
    return [what.message.text(11) for what in happened if isinstance(what, Received)]


# ── logon ──────────────────────────────────────────────────────────────────────────────────────


def _refused(logon: bytes, record: Record = FIVE) -> dict[int, str]:
    """Return the Logout that a Logon is answered with."""
    session = Session(SETTINGS, NOW)
    (asked,) = session.receive(logon, NOW)
    assert isinstance(asked, LogonAsked)
    happened = session.accept(asked.key, record, NOW)
    (logout,) = said(session)
    assert logout[35] == "5"
    assert end(happened) == logout[58]
    assert session.state is State.CLOSED
    return logout


@pytest.mark.parametrize(
    ("logon", "text"),
    [
        (say_logon(5, heartbeat_s=0), "HeartBtInt (108) 0 is not from 1 to 60 seconds"),
        (say_logon(5, heartbeat_s=61), "HeartBtInt (108) 61 is not from 1 to 60 seconds"),
        (say("A", 5, (98, 1), (108, 30)), "EncryptMethod (98) 1 is not 0 (none)"),
        (say("A", 5, (108, 30)), "EncryptMethod (98) is missing"),
        (say("A", 5, (98, 0)), "HeartBtInt (108) is missing"),
        (say("A", 5, (98, 0), (108, "x")), "tag 108 is not a number of seconds"),
        (say_logon(4), "MsgSeqNum (34) too low, expecting 5 but received 4"),
        (say_logon(5, (141, "Y")), "MsgSeqNum (34) is not 1, as it must be with ResetSeqNumFlag (141) Y"),
        (say_logon(5, (141, "1")), "tag 141 is not Y or N"),
        (say_logon(5, (789, 6)), "NextExpectedMsgSeqNum (789) 6 is higher than our next number 5"),
        (say_logon(5, (789, 0)), "tag 789 is not a number from 1"),
        (say_logon(5, (58, "")), "tag 58 has no value"),
        (say_logon(5, now_ns=NOW - 121 * SECOND_NS),
         "SendingTime (52) is 121 s off; up to 120 s are accepted"),
    ],
)  # fmt: skip
def test_a_logon_with_something_wrong_is_told_what(logon: bytes, text: str) -> None:
    logout = _refused(logon)
    assert logout[58] == text
    assert logout[34] == "5"


def test_what_is_wrong_with_a_logon_is_known_when_it_is_asked_about() -> None:
    (asked,) = Session(SETTINGS, NOW).receive(say_logon(heartbeat_s=0), NOW)
    assert isinstance(asked, LogonAsked)
    assert asked.wrong.startswith("HeartBtInt")


def test_a_refused_logon_uses_up_its_numbers() -> None:
    session = Session(SETTINGS, NOW)
    session.receive(say_logon(5, heartbeat_s=0), NOW)
    session.accept(KEY, Record(5, 5), NOW)
    changes = session.flush().changes
    assert changes is not None
    assert (changes.next_in, changes.next_out) == (6, 6)


@pytest.mark.parametrize("version", ["7", "9"])
def test_fixt_takes_the_versions_of_the_settings(version: str) -> None:
    session = Session(SETTINGS, NOW)
    logon = say_logon(1, (1137, version), begin_string="FIXT.1.1")
    (asked,) = session.receive(logon, NOW)
    assert isinstance(asked, LogonAsked)
    up = session.accept(asked.key, Record(), NOW)[0]
    assert isinstance(up, LoggedOn)
    assert up.appl_ver_id == version
    (answer,) = said(session)
    assert (answer[8], answer[1137]) == ("FIXT.1.1", version)


@pytest.mark.parametrize("fields", [[], [(1137, "6")]])
def test_fixt_refuses_other_versions(fields: list[Field]) -> None:
    logout = _refused(say_logon(5, *fields, begin_string="FIXT.1.1"))
    assert logout[58].endswith("is not one of 7 9")


def test_a_refusal_without_a_known_session_says_nothing() -> None:
    session = Session(SETTINGS, NOW)
    session.receive(say_logon(), NOW)
    happened = session.refuse("wrong password", NOW)
    assert happened == [Ended("wrong password", False)]
    batch = session.flush()
    assert (batch.changes, batch.data, batch.is_last) == (None, b"", True)


def test_sub_ids_are_answered_the_other_way_round() -> None:
    session = Session(SETTINGS, NOW)
    fields: list[Field] = [
        (35, "A"), (49, THEIRS), (56, OURS), (34, 1), (50, "DESK"), (57, "GATE"), (52, stamp(NOW)),
        (98, 0), (108, 30),
    ]  # fmt: skip
    (asked,) = session.receive(raw(fields), NOW)
    assert isinstance(asked, LogonAsked)
    assert asked.key == SessionKey("FIX.4.4", THEIRS, "DESK")
    session.accept(asked.key, Record(), NOW)
    (answer,) = said(session)
    assert (answer[50], answer[57]) == ("GATE", "DESK")


def test_what_comes_while_the_application_decides_is_taken_afterwards() -> None:
    session = Session(SETTINGS, NOW)
    session.receive(say_logon() + _order(2), NOW)
    assert session.receive(_order(3), NOW) == []
    happened = session.accept(KEY, Record(), NOW)
    assert _names(happened) == ["order 2", "order 3"]


def test_too_much_while_the_application_decides_ends_the_session() -> None:
    settings = msgspec.structs.replace(SETTINGS, bounds=Bounds(held_bytes_most=1_000))
    session = Session(settings, NOW)
    session.receive(say_logon(), NOW)
    assert end(session.receive(b"8" * 1_001, NOW)).startswith("more than 1000 bytes")
    assert session.accept(KEY, Record(), NOW) == []


def test_terms_of_the_application_stand_in_our_logon() -> None:
    session = Session(SETTINGS, NOW)
    session.receive(say_logon(), NOW)
    session.accept(KEY, Record(), NOW, terms=body([(58, "welcome")]))
    assert said(session)[0][58] == "welcome"


# ── next expected number ───────────────────────────────────────────────────────────────────────


def test_next_expected_number_asks_for_what_is_missing() -> None:
    session = Session(SETTINGS, NOW)
    session.receive(say_logon(5, (789, 3)), NOW)
    happened = session.accept(KEY, Record(9, 5), NOW)
    assert happened[1:] == [ResendAsked(3, 8)]
    (answer,) = said(session)
    assert (answer[34], answer[789]) == ("9", "6")


def test_whoever_says_its_next_expected_number_is_told_ours_instead_of_asked() -> None:
    session = Session(SETTINGS, NOW)
    session.receive(say_logon(8, (789, 9)), NOW)
    session.accept(KEY, Record(9, 5), NOW)
    (answer,) = said(session)
    assert (answer[35], answer[789]) == ("A", "5")
    happened = session.receive(_order(5, is_duplicate=True), NOW)
    assert _names(happened) == ["order 5"]
    session.receive(say("4", 6, (123, "Y"), (36, 9), is_duplicate=True), NOW)
    assert (session.state, session.next_in) == (State.ACTIVE, 9)


# ── gaps in what comes in ──────────────────────────────────────────────────────────────────────


def test_a_gap_is_asked_for_once_and_what_came_early_follows_it() -> None:
    session = logged_on()
    for number in (5, 6, 7):
        assert session.receive(_order(number), NOW) == []
    (request,) = said(session)
    assert (request[35], request[7], request[16]) == ("2", "2", "4")
    missing = b"".join(_order(number, is_duplicate=True) for number in (2, 3, 4))
    happened = session.receive(missing, NOW)
    assert _names(happened) == [f"order {number}" for number in range(2, 8)]
    assert session.state is State.ACTIVE
    assert said(session) == []


def test_a_second_gap_behind_the_first_is_asked_for_when_its_turn_comes() -> None:
    session = logged_on()
    session.receive(_order(3) + _order(6), NOW)
    (request,) = said(session)
    assert (request[7], request[16]) == ("2", "2")
    session.receive(_order(2), NOW)
    (request,) = said(session)
    assert (request[7], request[16]) == ("4", "5")
    happened = session.receive(_order(4) + _order(5), NOW)
    assert _names(happened) == ["order 4", "order 5", "order 6"]
    assert session.state is State.ACTIVE


def test_early_messages_beyond_the_bound_are_let_go_and_asked_for() -> None:
    settings = msgspec.structs.replace(SETTINGS, bounds=Bounds(queued_most=3))
    session = logged_on(settings=settings)
    early = b"".join(_order(number) for number in range(3, 11))
    assert session.receive(early, NOW) == []
    assert len(session._it.incoming._queue) == 3
    assert types(said(session)) == "2"
    happened = session.receive(_order(2), NOW)
    assert _names(happened) == ["order 2", "order 3", "order 4", "order 5"]
    (request,) = said(session)
    assert (request[7], request[16]) == ("6", "10")
    happened = session.receive(b"".join(_order(number) for number in range(6, 11)), NOW)
    assert _names(happened) == [f"order {number}" for number in range(6, 11)]
    assert session.state is State.ACTIVE


def test_early_messages_are_bounded_in_bytes_too() -> None:
    settings = msgspec.structs.replace(SETTINGS, bounds=Bounds(queued_bytes_most=5_000))
    session = logged_on(settings=settings)
    long = "x" * 1_000
    session.receive(b"".join(_order(number, long) for number in range(3, 11)), NOW)
    assert len(session._it.incoming._queue) == 4
    assert len(_names(session.receive(_order(2), NOW))) == 5
    assert types(said(session)) == "22"
    happened = session.receive(b"".join(_order(number, long) for number in range(7, 11)), NOW)
    assert len(_names(happened)) == 4
    assert session._it.incoming._queued_bytes == 0


def test_a_gap_that_is_not_filled_ends_the_session() -> None:
    session = logged_on()
    session.receive(_order(3), NOW)
    assert session.due_ns == NOW + 30 * SECOND_NS
    happened = session.tick(NOW + 30 * SECOND_NS)
    assert end(happened) == "messages that were asked for did not come"
    assert types(said(session)) == "25"


def test_each_message_that_fills_a_gap_gives_the_next_as_long_again() -> None:
    session = logged_on(heartbeat_s=60)
    session.receive(_order(4), NOW)
    later = NOW + 29 * SECOND_NS
    session.receive(_order(2, now_ns=later), later)
    assert session._it.deadline_ns == later + 30 * SECOND_NS
    session.receive(_order(5, now_ns=later + SECOND_NS), later + SECOND_NS)
    assert session._it.deadline_ns == later + 30 * SECOND_NS


def test_a_gap_fill_voids_what_came_early_in_its_range() -> None:
    session = logged_on()
    session.receive(_order(4) + _order(6), NOW)
    happened = session.receive(say("4", 2, (123, "Y"), (36, 6), is_duplicate=True), NOW)
    assert _names(happened) == ["order 6"]
    assert (session.state, session.next_in) == (State.ACTIVE, 7)


def test_a_malformed_message_that_came_early_is_rejected_in_its_turn() -> None:
    session = logged_on()
    session.receive(say("D", 3, (11, "x"), (38, "")), NOW)
    assert types(said(session)) == "2"
    session.receive(_order(2), NOW)
    (reject,) = said(session)
    assert (reject[35], reject[45], reject[371], reject[373]) == ("3", "3", "38", "4")
    assert session.next_in == 4


def test_both_sides_may_ask_for_a_resend_at_once() -> None:
    session = logged_on(Record(9, 5))
    happened = session.receive(say("2", 8, (7, 4), (16, 0)), NOW)
    assert happened == [ResendAsked(4, 9)]
    (request,) = said(session)
    assert (request[35], request[7], request[16]) == ("2", "6", "7")
    session.receive(_order(6, is_duplicate=True) + _order(7, is_duplicate=True), NOW)
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
    (received,) = session.receive(_order(2, is_duplicate=True), NOW)
    assert isinstance(received, Received)
    assert received.is_duplicate


@pytest.mark.parametrize(
    ("off_s", "is_right"), [(-120, True), (120, True), (-121, False), (121, False)]
)
def test_sending_time_may_be_two_minutes_off(off_s: int, is_right: bool) -> None:
    session = logged_on()
    happened = session.receive(_order(2, now_ns=NOW + off_s * SECOND_NS), NOW)
    assert (len(happened) == 1) == is_right
    assert session.is_up == is_right


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
    (received,) = session.receive(_order(2), NOW)
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
    happened = session.receive(_order(2) + _order(3) + say("0", 4), NOW)
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
    (old,) = session.receive(_order(2), NOW)
    session.receive(say_logon(1, (141, "Y")), NOW)
    (new,) = session.receive(_order(2), NOW)
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
    (received,) = session.receive(_order(2), NOW)
    assert isinstance(received, Received)
    session.lost(NOW)
    assert session.flush().is_last
    session.dealt(received)
    assert session.flush().changes is None
    assert session.receive(_order(3), NOW) == []


def test_garbled_bytes_are_told_and_the_next_message_is_heard() -> None:
    session = logged_on()
    happened = session.receive(b"rubbish" + _order(2)[:-4] + b"00\x01" + _order(2), NOW)
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
    assert happened == [Ended("not today", False)]


def test_an_initiator_that_is_not_answered_ends() -> None:
    settings = SessionSettings(THEIRS, Role.INITIATOR)
    session = Session.initiate(settings, SessionKey("FIX.4.4", OURS), Record(), NOW)
    assert session.due_ns == NOW + 10 * SECOND_NS
    assert end(session.tick(NOW + 10 * SECOND_NS)) == "the Logon was not answered in time"
