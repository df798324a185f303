"""FIX as a counterpart speaks it, made and read without the codec under test."""

import re
from datetime import UTC, datetime

from fairlead.fix.happened import Ended, Happened, LoggedOn, LogonAsked, Received
from fairlead.fix.session import Session
from fairlead.fix.settings import Record, SessionKey, SessionSettings

SECOND_NS = 1_000_000_000
NOW = 1_790_000_000 * SECOND_NS
OURS, THEIRS = "SERVER", "CLIENT"
KEY = SessionKey("FIX.4.4", THEIRS)
KEY_FIXT = SessionKey("FIXT.1.1", THEIRS)
SETTINGS = SessionSettings(OURS)
FRESH = Record()

Field = tuple[int, object]


def stamp(time_ns: int) -> str:
    """Return a UTCTimestamp."""
    return datetime.fromtimestamp(time_ns / SECOND_NS, UTC).strftime("%Y%m%d-%H:%M:%S.%f")[:-3]


def raw(fields: list[Field], begin_string: str = "FIX.4.4") -> bytes:
    """Return a frame with exactly these fields after BodyLength, with right length and checksum."""
    body = b"".join(
        b"%d=%b\x01" % (tag, value if isinstance(value, bytes) else str(value).encode())
        for tag, value in fields
    )
    data = b"8=%b\x019=%d\x01%b" % (begin_string.encode(), len(body), body)
    return data + b"10=%03d\x01" % (sum(data) % 256)


def say(
    msg_type: str,
    number: int,
    *fields: Field,
    now_ns: int = NOW,
    is_duplicate: bool = False,
    begin_string: str = "FIX.4.4",
    sender: str = THEIRS,
    target: str = OURS,
) -> bytes:
    """Return a message of the counterpart."""
    header: list[Field] = [(35, msg_type), (49, sender), (56, target), (34, number)]
    if is_duplicate:
        header += [(43, "Y"), (122, stamp(now_ns))]
    return raw([*header, (52, stamp(now_ns)), *fields], begin_string)


def say_logon(number: int = 1, *fields: Field, heartbeat_s: int = 30, **more: object) -> bytes:
    """Return a Logon of the counterpart."""
    return say("A", number, (98, 0), (108, heartbeat_s), *fields, **more)  # type: ignore[arg-type]


def heard(data: bytes) -> list[dict[int, str]]:
    """Return the messages in `data`, each as its fields; every frame is checked for itself."""
    messages = []
    while data:
        found = re.match(rb"8=FIXT?\.\d\.\d\x019=(\d+)\x01", data)
        assert found, data[:40]
        end = found.end() + int(found[1])
        assert re.fullmatch(rb"10=\d{3}\x01", data[end : end + 7]), data
        assert int(data[end + 3 : end + 6]) == sum(data[:end]) % 256
        pairs = [part.split(b"=", 1) for part in data[: end + 6].split(b"\x01")]
        messages.append({int(tag): value.decode("latin-1") for tag, value in pairs})
        data = data[end + 7 :]
    return messages


def said(session: Session) -> list[dict[int, str]]:
    """Return what the session says in its next flush."""
    return heard(session.flush().data)


def types(messages: list[dict[int, str]]) -> str:
    """Return the types of messages, one character each."""
    return "".join(each[35] for each in messages)


def logged_on(
    record: Record = FRESH, settings: SessionSettings = SETTINGS, heartbeat_s: int = 30
) -> Session:
    """Return an acceptor's session that is up; the counterpart's Logon had the expected number."""
    session = Session(settings, NOW)
    (asked,) = session.receive(say_logon(record.next_in, heartbeat_s=heartbeat_s), NOW)
    assert isinstance(asked, LogonAsked)
    happened = session.accept(asked.key, record, NOW)
    assert isinstance(happened[0], LoggedOn)
    assert types(said(session)) == "A"
    return session


def end(happened: list[Happened]) -> str:
    """Return why the session ended: the last thing that happened."""
    last = happened[-1]
    assert isinstance(last, Ended), happened
    return last.text


def order(number: int, name: str = "", **more: object) -> bytes:
    """Return an order of the counterpart, by default named after its number."""
    return say("D", number, (11, name or f"order {number}"), **more)  # type: ignore[arg-type]


def names(happened: list[Happened]) -> list[str]:
    """Return the names of the orders that were delivered."""
    return [what.message.text(11) for what in happened if isinstance(what, Received)]
