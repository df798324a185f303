"""What a message is to a session as it stands: a row of the state table, and what is wrong with it."""

from fairlead.fix import judging, tags
from fairlead.fix.message import Fault, Message
from fairlead.fix.standing import Standing
from fairlead.fix.states import Happening, State
from fairlead.fix.tags import RejectReason

Heard = tuple[Happening, Fault | None]
_AWAITING = State.AWAITING


def hear(it: Standing, message: Message, now_ns: int) -> Heard:
    """Judge a message that has just come in; notes that the counterpart is alive."""
    if it.state is _AWAITING:
        return _hear_first(it, message)
    wrong = _envelope(it, message, now_ns)
    if wrong is not None:
        return wrong
    it.heard_ns = now_ns
    it.tested_ns = None
    number = message.sequence_number
    expected = it.incoming.expected
    if number == expected or judging.is_reset_logon(message) or judging.is_reset_mode(message):
        return judging.due(message, expected)
    if number > expected:
        return judging.high(message), None
    if message.is_yes(tags.POSS_DUP_FLAG):
        return Happening.LOW_DUPLICATE, None
    return Happening.LOW, too_low(number, expected)


def logon_fault(it: Standing, logon: Message, now_ns: int) -> Fault | None:
    """Return what is wrong with the Logon that the session waits on, now that it is known whose it is."""
    fault = (
        logon.fault
        or judging.content_fault(logon)
        or time_fault(it, logon, now_ns)
        or judging.terms_fault(logon, it.settings)
    )
    if fault is not None or judging.is_reset_logon(logon):
        return fault
    number = logon.sequence_number
    if number < it.incoming.expected:
        return too_low(number, it.incoming.expected)
    next_expected = logon.number(tags.NEXT_EXPECTED_MSG_SEQ_NUM) or 0
    if next_expected > it.outgoing.next_out:
        return Fault(
            RejectReason.VALUE_INCORRECT,
            tags.NEXT_EXPECTED_MSG_SEQ_NUM,
            f"NextExpectedMsgSeqNum (789) {next_expected} is higher than our next number"
            f" {it.outgoing.next_out}",
        )
    return None


def time_fault(it: Standing, message: Message, now_ns: int) -> Fault | None:
    """Return what is wrong with the message's times; a missing one is for the message's turn to find."""
    sending_time = message.values.get(tags.SENDING_TIME)
    if sending_time is None:
        return None
    orig = message.values.get(tags.ORIG_SENDING_TIME)
    if orig is None and (sending_time, now_ns) == it.time_in_order:
        return None
    fault = judging.time_fault(
        message,
        it.times.read(sending_time),
        None if orig is None else it.orig_times.read(orig),
        now_ns,
        it.settings.time_accuracy_ns,
    )
    if fault is None:
        it.time_in_order = (sending_time, now_ns)
    return fault


def too_low(number: int, expected: int) -> Fault:
    """Return the fault of a number that was used before."""
    return said(f"MsgSeqNum (34) too low, expecting {expected} but received {number}")


def said(text: str) -> Fault:
    """Return a fault that is only its text: it ends the session and is not put into a Reject."""
    return Fault(RejectReason.OTHER, None, text)


def _hear_first(it: Standing, message: Message) -> Heard:
    """The first message of a connection: nobody is known yet, so nothing is answered."""
    if message.begin_string not in it.settings.begin_strings:
        return Happening.WRONG_VERSION, said(
            f"BeginString (8) {message.begin_string} is not served"
        )
    if not message.sequence_number:
        return Happening.NO_NUMBER, said("MsgSeqNum (34) is missing or no number")
    if message.values.get(tags.TARGET_COMP_ID) != it.ours:
        return Happening.MISADDRESSED, said(
            f"TargetCompID (56) {message.text(tags.TARGET_COMP_ID)} is not {it.settings.comp_id}"
        )
    if not message.get(tags.SENDER_COMP_ID):
        return Happening.MISADDRESSED, said("SenderCompID (49) is missing")
    return judging.kind(message), said(
        f"the first message was MsgType (35) {message.msg_type} and not a Logon"
    )


def _envelope(it: Standing, message: Message, now_ns: int) -> Heard | None:
    """Whether the message is one of this session at all, and of this time."""
    if message.begin_string != it.key.begin_string:
        return Happening.WRONG_VERSION, said(
            f"BeginString (8) {message.begin_string} is not {it.key.begin_string}"
        )
    if not message.sequence_number:
        return Happening.NO_NUMBER, said("MsgSeqNum (34) is missing or no number")
    values = message.values
    if values.get(tags.SENDER_COMP_ID) != it.theirs:
        return Happening.MISADDRESSED, _comp_id(tags.SENDER_COMP_ID, it.key.comp_id)
    if values.get(tags.TARGET_COMP_ID) != it.ours:
        return Happening.MISADDRESSED, _comp_id(tags.TARGET_COMP_ID, it.settings.comp_id)
    fault = time_fault(it, message, now_ns)
    return None if fault is None else (Happening.TIME_OFF, fault)


def _comp_id(tag: int, right: str) -> Fault:
    return Fault(RejectReason.COMP_ID_PROBLEM, tag, f"tag {tag} is not {right}")
