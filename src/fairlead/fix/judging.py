"""What a message is to a session: a row of the state table, and what is wrong with it. Pure."""

from collections.abc import Callable
from string import ascii_letters, ascii_uppercase, digits

from fairlead.fix import tags
from fairlead.fix.message import Fault, Message
from fairlead.fix.settings import FIXT11, SECOND_NS, SessionSettings
from fairlead.fix.states import Happening
from fairlead.fix.tags import MsgType, RejectReason

TIME_MISSING = Fault(
    RejectReason.REQUIRED_TAG_MISSING, tags.SENDING_TIME, "SendingTime (52) is missing"
)

_KINDS: dict[str, Happening] = {
    MsgType.LOGON: Happening.LOGON,
    MsgType.SEQUENCE_RESET: Happening.SEQUENCE_RESET,
    MsgType.HEARTBEAT: Happening.HEARTBEAT,
    MsgType.TEST_REQUEST: Happening.TEST_REQUEST,
    MsgType.RESEND_REQUEST: Happening.RESEND_REQUEST,
    MsgType.REJECT: Happening.REJECT,
    MsgType.LOGOUT: Happening.LOGOUT,
}
_APPLICATION = Happening.APPLICATION
_HIGH: dict[str, Happening] = {
    MsgType.LOGON: Happening.HIGH_LOGON,
    MsgType.RESEND_REQUEST: Happening.HIGH_RESEND_REQUEST,
    MsgType.LOGOUT: Happening.HIGH_LOGOUT,
}
# As FIX 4.4 and 5.0 SP2 have them, and some that later versions have; U… are for private use.
_MSG_TYPES = frozenset(digits + ascii_letters) - {"I", "O", "U"} | {
    first + second for first in "ABCDE" for second in ascii_uppercase
}
_FLAGS = (tags.POSS_DUP_FLAG, tags.POSS_RESEND)


def is_reset_logon(message: Message) -> bool:
    """Whether it is a Logon that resets both numbers."""
    return message.msg_type == MsgType.LOGON and message.is_yes(tags.RESET_SEQ_NUM_FLAG)


def is_reset_mode(message: Message) -> bool:
    """Whether it is a SequenceReset whose own number counts for nothing."""
    is_reset = message.msg_type == MsgType.SEQUENCE_RESET
    return is_reset and message.values.get(tags.GAP_FILL_FLAG, b"N") == b"N"


def high(message: Message) -> Happening:
    """Return what a message is that came before its turn."""
    return _HIGH.get(message.msg_type, Happening.HIGH)


def kind(message: Message) -> Happening:
    """Return what a message is by its type alone, and by the one flag that makes it another."""
    found = _KINDS.get(message.msg_type, _APPLICATION)
    if found is Happening.SEQUENCE_RESET and not is_reset_mode(message):
        return Happening.GAP_FILL
    if found is Happening.LOGON and is_reset_logon(message):
        return Happening.RESET_LOGON
    return found


def due(message: Message, expected: int) -> tuple[Happening, Fault | None]:
    """Return what a message is whose turn it is, and what is wrong with it."""
    fault = message.fault or content_fault(message)
    if fault is not None:
        return Happening.MALFORMED, fault
    if message.msg_type not in _KINDS:
        return _APPLICATION, None
    found = kind(message)
    if found is Happening.SEQUENCE_RESET:
        new = message.number(tags.NEW_SEQ_NO) or 0
        if new < expected:
            return Happening.SEQUENCE_RESET_BACK, Fault(
                RejectReason.VALUE_INCORRECT,
                tags.NEW_SEQ_NO,
                f"NewSeqNo (36) {new} is lower than {expected}, which is expected",
            )
    return found, None


def content_fault(message: Message) -> Fault | None:
    """Return what is wrong with the content of the header's flags and of a session message."""
    values = message.values
    if tags.SENDING_TIME not in values:
        return TIME_MISSING
    for tag in _FLAGS:
        if tag in values and values[tag] not in (b"Y", b"N"):
            return _format(tag, "Y or N")
    is_duplicate = values.get(tags.POSS_DUP_FLAG) == b"Y" and not is_reset_mode(message)
    if is_duplicate and tags.ORIG_SENDING_TIME not in values:
        return _missing(tags.ORIG_SENDING_TIME, "OrigSendingTime")
    if message.msg_type not in _MSG_TYPES and not message.msg_type.startswith("U"):
        return Fault(
            RejectReason.INVALID_MSG_TYPE,
            tags.MSG_TYPE,
            f"MsgType (35) {message.msg_type} is none of FIX's",
        )
    check = _CONTENT.get(message.msg_type)
    return None if check is None else check(message)


def _test_request(message: Message) -> Fault | None:
    if tags.TEST_REQ_ID not in message.values:
        return _missing(tags.TEST_REQ_ID, "TestReqID")
    return None


def _resend_request(message: Message) -> Fault | None:
    for tag, name in ((tags.BEGIN_SEQ_NO, "BeginSeqNo"), (tags.END_SEQ_NO, "EndSeqNo")):
        if tag not in message.values:
            return _missing(tag, name)
        if message.number(tag) is None:
            return _format(tag, "a number")
    begin, end = message.number(tags.BEGIN_SEQ_NO) or 0, message.number(tags.END_SEQ_NO) or 0
    if begin == 0 or (end and end < begin):
        return Fault(
            RejectReason.VALUE_INCORRECT,
            tags.BEGIN_SEQ_NO,
            f"BeginSeqNo (7) {begin} is not from 1 to EndSeqNo (16) {end}",
        )
    return None


def _reject(message: Message) -> Fault | None:
    if tags.REF_SEQ_NUM not in message.values:
        return _missing(tags.REF_SEQ_NUM, "RefSeqNum")
    if message.number(tags.REF_SEQ_NUM) is None:
        return _format(tags.REF_SEQ_NUM, "a number")
    return None


def _sequence_reset(message: Message) -> Fault | None:
    if message.values.get(tags.GAP_FILL_FLAG, b"N") not in (b"Y", b"N"):
        return _format(tags.GAP_FILL_FLAG, "Y or N")
    if tags.NEW_SEQ_NO not in message.values:
        return _missing(tags.NEW_SEQ_NO, "NewSeqNo")
    new = message.number(tags.NEW_SEQ_NO)
    if new is None or new == 0:
        return _format(tags.NEW_SEQ_NO, "a number from 1")
    number = message.sequence_number
    if message.is_yes(tags.GAP_FILL_FLAG) and new <= number:
        return Fault(
            RejectReason.VALUE_INCORRECT,
            tags.NEW_SEQ_NO,
            f"NewSeqNo (36) {new} of a gap fill is not higher than its own number {number}",
        )
    return None


def _logon(message: Message) -> Fault | None:
    for tag, name in ((tags.ENCRYPT_METHOD, "EncryptMethod"), (tags.HEART_BT_INT, "HeartBtInt")):
        if tag not in message.values:
            return _missing(tag, name)
    if message.number(tags.HEART_BT_INT) is None:
        return _format(tags.HEART_BT_INT, "a number of seconds")
    flag = message.values.get(tags.RESET_SEQ_NUM_FLAG, b"N")
    if flag not in (b"Y", b"N"):
        return _format(tags.RESET_SEQ_NUM_FLAG, "Y or N")
    if flag == b"Y" and message.sequence_number != 1:
        return Fault(
            RejectReason.VALUE_INCORRECT,
            tags.MSG_SEQ_NUM,
            "MsgSeqNum (34) is not 1, as it must be with ResetSeqNumFlag (141) Y",
        )
    if not message.number(tags.NEXT_EXPECTED_MSG_SEQ_NUM) and (
        tags.NEXT_EXPECTED_MSG_SEQ_NUM in message.values
    ):
        return _format(tags.NEXT_EXPECTED_MSG_SEQ_NUM, "a number from 1")
    return None


_CONTENT: dict[str, Callable[[Message], Fault | None]] = {
    MsgType.LOGON: _logon,
    MsgType.TEST_REQUEST: _test_request,
    MsgType.RESEND_REQUEST: _resend_request,
    MsgType.REJECT: _reject,
    MsgType.SEQUENCE_RESET: _sequence_reset,
}


def terms_fault(message: Message, settings: SessionSettings) -> Fault | None:
    """Return what of a well-formed Logon's terms we do not accept."""
    method = message.get(tags.ENCRYPT_METHOD)
    if method != b"0":
        return _terms(tags.ENCRYPT_METHOD, f"EncryptMethod (98) {_shown(method)} is not 0 (none)")
    heartbeat_s = message.number(tags.HEART_BT_INT) or 0
    if not settings.heartbeat_s_least <= heartbeat_s <= settings.heartbeat_s_most:
        return _terms(
            tags.HEART_BT_INT,
            f"HeartBtInt (108) {heartbeat_s} is not from {settings.heartbeat_s_least} to"
            f" {settings.heartbeat_s_most} seconds",
        )
    if message.begin_string == FIXT11:
        version = message.text(tags.DEFAULT_APPL_VER_ID)
        if version not in settings.appl_ver_ids:
            return _terms(
                tags.DEFAULT_APPL_VER_ID,
                f"DefaultApplVerID (1137) {version or 'missing'} is not one of"
                f" {' '.join(settings.appl_ver_ids)}",
            )
    return None


def time_fault(message: Message, time_ns: int | None, orig_ns: int | None, now_ns: int,
               accuracy_ns: int) -> Fault | None:  # fmt: skip
    """Return what is wrong with the times of a message that has a SendingTime."""
    if time_ns is None:
        return _format(tags.SENDING_TIME, "a UTC time")
    if abs(time_ns - now_ns) > accuracy_ns:
        return Fault(
            RejectReason.SENDING_TIME_ACCURACY,
            tags.SENDING_TIME,
            f"SendingTime (52) is {abs(time_ns - now_ns) // SECOND_NS} s off; up to"
            f" {accuracy_ns // SECOND_NS} s are accepted",
        )
    if tags.ORIG_SENDING_TIME in message.values and (orig_ns is None or orig_ns > time_ns):
        return Fault(
            RejectReason.SENDING_TIME_ACCURACY,
            tags.ORIG_SENDING_TIME,
            "OrigSendingTime (122) is later than SendingTime (52), or no UTC time",
        )
    return None


def _missing(tag: int, name: str) -> Fault:
    return Fault(RejectReason.REQUIRED_TAG_MISSING, tag, f"{name} ({tag}) is missing")


def _format(tag: int, right: str) -> Fault:
    return Fault(RejectReason.INCORRECT_DATA_FORMAT, tag, f"tag {tag} is not {right}")


def _terms(tag: int, text: str) -> Fault:
    return Fault(RejectReason.VALUE_INCORRECT, tag, text)


def _shown(value: bytes | None) -> str:
    return "missing" if value is None else value.decode("latin-1")
