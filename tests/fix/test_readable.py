"""Messages for people, and the log of them."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairlead.fix import tags
from fairlead.fix.log import Entry, MessageLog
from fairlead.fix.log_reading import LogReader, entries
from fairlead.fix.names import MSG_TYPES, TAGS, VALUES
from fairlead.fix.readable import readable, readable_fields
from fairlead.fix.session import Session
from fairlead.fix.settings import Record
from fairlead.fix.tags import MsgType
from tests.fix.spoken import KEY, NOW, SETTINGS, Field, raw, say, say_logon, stamp

MS = 1_000_000


# ── readable ───────────────────────────────────────────────────────────────────────────────────


def test_an_order_reads_as_one_line() -> None:
    order = say(
        "D", 5, (11, "a-1"), (54, 1), (38, "1.50"), (18, "6 Q"), (58, "two words"), (9_001, "x")
    )
    assert readable(order) == (
        f"NewOrderSingle #5 CLIENT → SERVER {stamp(NOW)} | ClOrdID=a-1 Side=1:Buy OrderQty=1.50"
        ' ExecInst=6 Q:ParticipateDontInitiate+CancelOnSystemFailure Text="two words" 9001=x'
    )


def test_a_message_without_fields_reads_as_its_head() -> None:
    assert readable(say("0", 7)) == f"Heartbeat #7 CLIENT → SERVER {stamp(NOW)}"


def test_sub_ids_are_shown_with_their_parties() -> None:
    fields: list[Field] = [(35, "0"), (49, "C"), (50, "DESK"), (56, "S"), (57, "GATE"), (34, 1)]
    assert readable(raw(fields)) == "Heartbeat #1 C/DESK → S/GATE ?"


def test_a_password_is_never_shown() -> None:
    logon = say_logon(1, (553, "me"), (554, "hunter2"), (925, "hunter3"), (95, 7), (96, "hunter4"))
    line = readable(logon)
    assert "hunter" not in line
    assert "Username=*** Password=*** NewPassword=*** RawDataLength=7 RawData=***" in line
    assert "hunter" not in str(readable_fields(logon))


def test_what_is_wrong_with_a_message_is_said() -> None:
    assert readable(say("D", 5, (11, "a"), (11, "b"))).endswith(
        "| ClOrdID=a ClOrdID=b | wrong: tag 11 stands in the message twice"
    )


def test_an_unknown_type_is_shown_as_it_is() -> None:
    assert readable(say("U\xff", 5)).startswith("MsgType U\\xc3\\xbf #5 ")


def test_fields_are_listed_with_all_names() -> None:
    assert readable_fields(say("D", 5, (54, 2), (9_001, "x")))[-3:-1] == [
        (54, "Side", "2", "Sell"),
        (9_001, "", "x", ""),
    ]


def test_bytes_that_are_no_message_are_shown() -> None:
    assert readable(b"hello\x01\xff") == "not a message: hello|\\xff"
    assert readable_fields(b"hello") == []


@given(st.binary(max_size=200))
@example(b"\x01\xa1")
def test_anything_reads_as_one_printable_line(data: bytes) -> None:
    for frame in (data, raw([(35, "D"), (34, 5), (58, data)])):
        text = readable(frame)
        assert "\n" not in text
        assert text.replace("→", ">").isascii()
        assert text.isprintable()


def test_names_are_given_once_and_fit_the_tags() -> None:
    assert len(set(TAGS.values())) == len(TAGS)
    assert set(VALUES) <= set(TAGS)
    assert {each.value for each in MsgType} <= set(MSG_TYPES)
    ours = {name: value for name, value in vars(tags).items() if isinstance(value, int)}
    for name, tag in ours.items():
        assert TAGS[tag].replace("ID", "Id").lower() == name.replace("_", "").lower(), name


# ── the log ────────────────────────────────────────────────────────────────────────────────────


def test_what_clients_say_in_their_own_words_and_keys_anywhere_are_not_logged(
    tmp_path: Path,
) -> None:
    secret = "fl_live_" + "Ab3" * 16
    log = MessageLog(tmp_path / "fix.log")
    log.add("S", False, say("5", 5, (58, "bye")), NOW)
    log.add("S", True, say("5", 5, (58, "bye")), NOW)
    for is_out in (True, False):
        log.add("S", is_out, say("D", 5, (11, secret), (50, f"x{secret}y")), NOW)
    log.add_all("S", True, (say("8", 5, (11, secret)),) * 2, NOW)
    log.close()
    lines = (tmp_path / "fix.log").read_text().splitlines()
    assert ["|58=***|" in line for line in lines[:2]] == [True, False]
    assert "|58=bye|" in lines[1]
    assert len(lines) == 6
    assert all("|11=fl_live_***|" in line for line in lines[2:])
    assert "Ab3" not in "".join(lines)


def test_what_was_logged_is_read_back(tmp_path: Path) -> None:
    log = MessageLog(tmp_path / "fix.log")
    frames = [say("D", 5, (11, text)) for text in ("plain", b"a|b\\x01c\n\xff", "é")]
    for at, frame in enumerate(frames):
        log.add("FIX.4.4:CLIENT", at % 2 == 1, frame, NOW + at * MS)
    log.close()
    assert list(entries(tmp_path / "fix.log")) == [
        Entry(NOW + at * MS, at % 2 == 1, "FIX.4.4:CLIENT", frame)
        for at, frame in enumerate(frames)
    ]


def test_the_log_holds_no_password(tmp_path: Path) -> None:
    log = MessageLog(tmp_path / "fix.log")
    log.add(
        "s", False, say_logon(1, (553, "me"), (554, "hunter2"), (95, 9), (96, b"hun\x01ter22")), NOW
    )
    log.close()
    text = (tmp_path / "fix.log").read_text()
    assert "hunter" not in text
    assert "ter22" not in text
    assert "|553=***|554=***|95=9|96=***|" in text


def test_a_full_file_makes_room_for_the_next(tmp_path: Path) -> None:
    path = tmp_path / "fix.log"
    log = MessageLog(path, bytes_most=1_000)
    for number in range(1, 100):
        log.add("s", True, say("0", number), NOW)
        log.flush()
    log.close()
    assert path.stat().st_size < 1_200
    assert Path(f"{path}.1").stat().st_size < 1_200
    found = [int(entry.frame.split(b"\x0134=")[1].split(b"\x01")[0]) for entry in entries(path)]
    assert found == list(range(found[0], 100))
    assert len(found) > 8


def test_a_torn_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "fix.log"
    log = MessageLog(path)
    log.add("s", True, say("0", 1), NOW)
    log.close()
    whole = path.read_bytes()
    path.write_bytes(b"rubbish\n" + whole + whole[:30])
    assert len(list(entries(path))) == 1


def test_of_more_than_may_wait_messages_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "fix.log"
    log = MessageLog(path, waiting_bytes_most=1_000)
    for number in range(1, 101):
        log.add("s", True, say("0", number), NOW)
    log.close()
    assert 0 < len(list(entries(path))) == 100 - log.left_out < 20


def test_a_password_in_whatever_message_is_hidden(tmp_path: Path) -> None:
    log = MessageLog(tmp_path / "fix.log")
    log.add("s", False, say("BE", 2, (923, "r"), (554, "hunter2"), (925, "hunter3")), NOW)
    log.close()
    assert "hunter" not in (tmp_path / "fix.log").read_text()


def test_a_reader_follows_the_log_beyond_its_renaming(tmp_path: Path) -> None:
    path = tmp_path / "fix.log"
    log = MessageLog(path, bytes_most=250)
    log.add("s", True, say("0", 1), NOW)
    log.flush()
    with LogReader(path) as reader:
        seen = [_number(entry) for entry in reader.read()]
        for number in range(2, 40):
            log.add("s", True, say("0", number), NOW)
            log.flush()
            if number % 2:
                seen += [_number(entry) for entry in reader.read()]
    log.close()
    assert seen == list(range(1, 40))


def test_a_reader_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "fix.log"
    log = MessageLog(path)
    log.add("s", True, say("0", 1), NOW)
    line = log.take()
    log.write(line[:30])
    with LogReader(path) as reader:
        assert list(reader.read()) == []
        log.write(line[30:])
        assert [_number(entry) for entry in reader.read()] == [1]
    log.close()


def _number(entry: Entry) -> int:
    return int(entry.frame.split(b"\x0134=")[1].split(b"\x01")[0])


def test_a_log_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=os.strerror(2)):
        MessageLog(tmp_path / "missing" / "fix.log")


def test_a_session_traces_what_it_hears() -> None:
    seen: list[bytes] = []
    session = Session(SETTINGS, NOW, seen.append)
    logon, order = say_logon(), say("D", 2, (11, "a"))
    session.receive(logon + b"noise" + order, NOW)
    session.accept(KEY, Record(), NOW)
    assert seen == [logon, order]


@pytest.mark.parametrize("is_out", [True, False], ids=["out", "in"])
@pytest.mark.parametrize(
    "text",
    ["plain", "a|b", "back\\slash", "two\nlines", "8=FIX", "|8=FIX.4.4|9=5|", "fl_live_1234"],
)
def test_messages_together_are_the_lines_that_they_are_one_by_one(
    tmp_path: Path, text: str, is_out: bool
) -> None:
    frames = [say("8", number, (11, "a"), (58, text), (554, "secret")) for number in (1, 2, 3)]
    frames += [say("8", number, (11, "a"), (58, text)) for number in (4, 5)]
    together, apart = MessageLog(tmp_path / "together"), MessageLog(tmp_path / "apart")
    for some in (frames[:3], frames[3:], frames[4:]):
        together.add_all("s", is_out, some, NOW)
        for frame in some:
            apart.add("s", is_out, frame, NOW)
    together.close()
    apart.close()
    lines = (tmp_path / "together").read_bytes()
    assert lines == (tmp_path / "apart").read_bytes()
    assert lines.count(b"\n") == 6
    assert b"secret" not in lines


def test_messages_together_that_are_left_out_are_counted(tmp_path: Path) -> None:
    log = MessageLog(tmp_path / "fix.log", waiting_bytes_most=10)
    frames = (say("8", 1, (11, "a")), say("8", 2, (11, "a")))
    log.add_all("s", True, frames, NOW)
    log.add_all("s", True, frames, NOW)
    assert log.left_out == 2
    log.close()
