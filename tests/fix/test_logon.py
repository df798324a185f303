"""Logging on: terms, versions, who it is, what is missing by NextExpectedMsgSeqNum."""

import msgspec
import pytest

from fairlead.fix.codec import Bounds, body
from fairlead.fix.happened import (
    Ended,
    LoggedOn,
    LogonAsked,
    ResendAsked,
)
from fairlead.fix.session import Session
from fairlead.fix.settings import ANY_NUMBER, Record, SessionKey
from fairlead.fix.states import State
from tests.fix.spoken import (
    KEY,
    NOW,
    OURS,
    SECOND_NS,
    SETTINGS,
    THEIRS,
    Field,
    end,
    names,
    order,
    raw,
    said,
    say,
    say_logon,
    stamp,
)

FIVE = Record(5, 5)


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


@pytest.mark.parametrize(
    ("fields", "begin_string", "text"),
    [
        ([(49, THEIRS), (56, OURS), (34, 1)], "FIX.4.2", "BeginString (8) FIX.4.2 is not served"),
        ([(49, THEIRS), (56, "X"), (34, 1)], "FIX.4.4", f"TargetCompID (56) X is not {OURS}"),
        ([(56, OURS), (34, 1)], "FIX.4.4", "SenderCompID (49) is missing"),
        ([(49, THEIRS), (56, OURS)], "FIX.4.4", "MsgSeqNum (34) is missing or no number"),
    ],
)
def test_a_logon_to_nobody_is_hung_up_on(fields: list[Field], begin_string: str, text: str) -> None:
    session = Session(SETTINGS, NOW)
    logon = raw([(35, "A"), *fields, (52, stamp(NOW)), (98, 0), (108, 30)], begin_string)
    assert session.receive(logon, NOW) == [Ended(text, False)]
    assert said(session) == []


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


def test_the_session_says_which_it_is() -> None:
    session = Session(SETTINGS, NOW)
    session.receive(say_logon(), NOW)
    session.accept(KEY, Record(), NOW)
    session.keep(b"cursor")
    changes = session.flush().changes
    assert changes is not None
    assert (session.key, changes.key, changes.cursor) == (KEY, KEY, b"cursor")


def test_what_comes_while_the_application_decides_is_taken_afterwards() -> None:
    session = Session(SETTINGS, NOW)
    session.receive(say_logon() + order(2), NOW)
    assert session.receive(order(3), NOW) == []
    happened = session.accept(KEY, Record(), NOW)
    assert names(happened) == ["order 2", "order 3"]


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


def test_after_a_restored_store_the_counterpart_goes_on_from_where_it_is() -> None:
    """No order that it sent before is asked for: it may be at its exchange already."""
    session = Session(SETTINGS, NOW)
    (asked,) = session.receive(say_logon(700), NOW)
    assert isinstance(asked, LogonAsked)
    happened = session.accept(asked.key, Record(100, ANY_NUMBER), NOW)
    assert isinstance(happened[0], LoggedOn)
    batch = session.flush()
    assert batch.changes is not None
    assert (batch.changes.next_out, batch.changes.next_in) == (101, 701)
    assert b"35=2" not in batch.data
    assert names(session.receive(order(701), NOW)) == ["order 701"]


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
    happened = session.receive(order(5, is_duplicate=True), NOW)
    assert names(happened) == ["order 5"]
    session.receive(say("4", 6, (123, "Y"), (36, 9), is_duplicate=True), NOW)
    assert (session.state, session.next_in) == (State.ACTIVE, 9)
