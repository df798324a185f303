"""What a session does, one function for each word of the state table.

Each gets the session as it stands, the message that made it happen (if one did), the time, and what
is wrong or why (if there is such a thing).
"""

from collections.abc import Callable

import msgspec

from fairlead.fix import tags
from fairlead.fix.codec import body
from fairlead.fix.happened import (
    LoggedOn,
    LogonAsked,
    Received,
    Refused,
    ResendAsked,
    WasReset,
)
from fairlead.fix.hearing import logon_fault
from fairlead.fix.judging import content_fault, is_reset_logon, is_reset_mode
from fairlead.fix.message import Fault, Message
from fairlead.fix.settings import FIXT11, SessionKey
from fairlead.fix.standing import Standing
from fairlead.fix.states import Reaction, State
from fairlead.fix.tags import MsgType, RejectReason


class Forbidden(Exception):
    """The driver asked for something that the session's state does not allow; nothing was done."""


class What(msgspec.Struct, frozen=True, gc=False):
    """What a reaction is to: when, by which message (if by one), and what is wrong or why."""

    now_ns: int
    message: Message | None
    why: Fault | None

    @property
    def the(self) -> Message:
        """The message, of a reaction that is always to one."""
        assert self.message is not None, "this reaction is to a message"
        return self.message

    @property
    def number(self) -> int:
        """The message's number."""
        assert self.message is not None, "this reaction is to a message"
        return self.message.sequence_number

    @property
    def text(self) -> str:
        """What is wrong or why, in words."""
        return "" if self.why is None else self.why.text


def react(it: Standing, reaction: Reaction, what: What) -> None:
    """Do what the table says. Raises Forbidden where that is `error`."""
    _ACTS[reaction](it, what)


# ── logging on ─────────────────────────────────────────────────────────────────────────────────


def _ask(it: Standing, what: What) -> None:
    logon = what.the
    it.logon = logon
    it.become(State.DECIDING, it.deadline_ns)
    key = SessionKey(
        logon.begin_string, logon.text(tags.SENDER_COMP_ID), logon.text(tags.SENDER_SUB_ID)
    )
    wrong = logon_fault(it, logon, what.now_ns)
    is_reset = is_reset_logon(logon)
    it.happened.append(LogonAsked(key, logon, is_reset, "" if wrong is None else wrong.text))


def _answer(it: Standing, what: What) -> None:
    logon, next_out = _agree(it, what)
    is_reset = is_reset_logon(logon)
    if is_reset:
        it.reset()
    it.incoming.done(what.number)
    it.say_logon(is_reset, _our_next_expected(it, logon), what.now_ns)
    it.become(State.ACTIVE)
    _be_up(it, logon, what.now_ns)
    if not is_reset:
        _resend_by_logon(it, logon, next_out)


def _answer_gap(it: Standing, what: What) -> None:
    logon, next_out = _agree(it, what)
    it.incoming.done(what.number)
    it.say_logon(False, _our_next_expected(it, logon), what.now_ns)
    _be_up(it, logon, what.now_ns)
    _resend_by_logon(it, logon, next_out)
    if tags.NEXT_EXPECTED_MSG_SEQ_NUM in logon.values:  # ours tells them what we lack
        it.incoming.asked_to = it.incoming.missing_to()
        it.await_gap(what.now_ns)
    else:
        it.ask_resend(what.now_ns)


def _up(it: Standing, what: What) -> None:
    logon = what.the
    next_out = it.outgoing.next_out
    if is_reset_logon(logon) and not it.has_reset:
        it.reset()
        it.outgoing.next_out = next_out = 2  # our Logon was the first message of the new count
    it.incoming.done(what.number)
    it.become(State.ACTIVE)
    _be_up(it, logon, what.now_ns)
    _resend_by_logon(it, logon, next_out)


def _up_gap(it: Standing, what: What) -> None:
    logon = what.the
    it.incoming.done(what.number)
    _be_up(it, logon, what.now_ns)
    _resend_by_logon(it, logon, it.outgoing.next_out)
    it.ask_resend(what.now_ns)


def _reset(it: Standing, what: What) -> None:
    logon = what.the
    it.reset()
    it.incoming.done(what.number)
    it.say_logon(True, _our_next_expected(it, logon), what.now_ns)
    it.become(State.ACTIVE)
    it.happened.append(WasReset())


def _agree(it: Standing, what: What) -> tuple[Message, int]:
    """Take the terms of a Logon; return it, and our next number as the counterpart must know it."""
    logon = what.the
    it.heartbeat_s = logon.number(tags.HEART_BT_INT) or 0
    if logon.begin_string == FIXT11:
        it.appl_ver_id = logon.text(tags.DEFAULT_APPL_VER_ID)
    return logon, it.outgoing.next_out


def _be_up(it: Standing, logon: Message, now_ns: int) -> None:
    it.was_up = True
    it.heard_ns = now_ns
    it.happened.append(LoggedOn(it.key, logon, is_reset_logon(logon), it.appl_ver_id))


def _our_next_expected(it: Standing, logon: Message) -> int | None:
    """Return our NextExpectedMsgSeqNum: said to those who say theirs."""
    return it.incoming.expected if tags.NEXT_EXPECTED_MSG_SEQ_NUM in logon.values else None


def _resend_by_logon(it: Standing, logon: Message, next_out: int) -> None:
    """NextExpectedMsgSeqNum asks for what is missing as a ResendRequest would."""
    first = logon.number(tags.NEXT_EXPECTED_MSG_SEQ_NUM)
    if first is not None and first < next_out:
        it.happened.append(ResendAsked(first, next_out - 1))


# ── messages in the session ────────────────────────────────────────────────────────────────────


def _count(it: Standing, what: What) -> None:
    _done(it, what)


def _echo(it: Standing, what: What) -> None:
    _done(it, what)
    fields = [(tags.TEST_REQ_ID, what.the.values[tags.TEST_REQ_ID])]
    it.say_raw(MsgType.HEARTBEAT, body(fields), what.now_ns)


def _resend(it: Standing, what: What) -> None:
    request = what.the
    _done(it, what)
    newest = it.outgoing.next_out - 1
    fault = request.fault or content_fault(request) or _unsent(request, newest)
    if fault is not None:
        it.say_reject(request, fault, what.now_ns)
        return
    first, last = request.number(tags.BEGIN_SEQ_NO) or 0, request.number(tags.END_SEQ_NO) or 0
    it.happened.append(ResendAsked(first, min(last or newest, newest)))


def _unsent(request: Message, newest: int) -> Fault | None:
    first = request.number(tags.BEGIN_SEQ_NO) or 0
    if first <= newest:
        return None
    text = f"BeginSeqNo (7) {first} was not sent yet; the last was {newest}"
    return Fault(RejectReason.VALUE_INCORRECT, tags.BEGIN_SEQ_NO, text)


def _resend_gap(it: Standing, what: What) -> None:
    _resend(it, what)
    it.ask_resend(what.now_ns)


def _tell(it: Standing, what: What) -> None:
    _done(it, what)
    it.happened.append(Refused(what.the.number(tags.REF_SEQ_NUM) or 0, what.the))


def _jump(it: Standing, what: What) -> None:
    it.incoming.jump(what.the.number(tags.NEW_SEQ_NO) or 0)
    _progress(it, what)


def _reject(it: Standing, what: What) -> None:
    it.say_reject(what.the, what.why or _ALREADY_UP, what.now_ns)
    if not is_reset_mode(what.the):
        _done_in_turn(it, what)


_ALREADY_UP = Fault(RejectReason.OTHER, tags.MSG_TYPE, "the session is logged on already")


def _deliver(it: Standing, what: What) -> None:
    message, incoming = what.the, it.incoming
    number = incoming.expected
    incoming.deliver(number)
    _done(it, what)
    is_duplicate = message.is_yes(tags.POSS_DUP_FLAG)
    it.happened.append(Received(message, number, is_duplicate, incoming.epoch))


def _queue(it: Standing, what: What) -> None:
    it.incoming.queue(what.number, what.the)


def _queue_gap(it: Standing, what: What) -> None:
    _queue(it, what)
    it.ask_resend(what.now_ns)


# ── time and the driver ────────────────────────────────────────────────────────────────────────


def _test(it: Standing, what: What) -> None:
    it.tested_ns = what.now_ns
    it.say(MsgType.TEST_REQUEST, [(tags.TEST_REQ_ID, what.now_ns)], what.now_ns)


def _beat(it: Standing, what: What) -> None:
    it.say(MsgType.HEARTBEAT, [], what.now_ns)


def _send(it: Standing, what: What) -> None:
    it.said_ns = what.now_ns


def _error(it: Standing, what: What) -> None:
    raise Forbidden(f"a session that is {it.state} at {what.now_ns} does not allow this")


def _never(it: Standing, _what: What) -> None:
    raise AssertionError(f"this cannot happen to a session that is {it.state}")


# ── ends ───────────────────────────────────────────────────────────────────────────────────────


def _ignore(_it: Standing, _what: What) -> None:
    """Nothing: the number, if there is one, is not counted either."""


def _close(it: Standing, what: What) -> None:
    it.close(what.text or f"MsgType (35) {what.the.msg_type} came where a Logon was expected")


def _bye(it: Standing, what: What) -> None:
    _done_in_turn(it, what)
    it.say_logout(what.text, what.now_ns)
    it.close(what.text)


def _logout(it: Standing, what: What) -> None:
    it.say_logout(what.text, what.now_ns)
    it.become(State.LOGGING_OUT, what.now_ns + it.settings.logout_timeout_ns)


def _rebuff(it: Standing, what: What) -> None:
    _reject(it, what)
    _logout(it, what)


def _farewell(it: Standing, what: What) -> None:
    it.say_logout("", what.now_ns)
    _end(it, what)


def _end(it: Standing, what: What) -> None:
    _done_in_turn(it, what)
    quoted = what.the.text(tags.TEXT)
    it.close(quoted or "the counterpart logged out", is_quoted=bool(quoted))


# ── what they share ────────────────────────────────────────────────────────────────────────────


def _done(it: Standing, what: What) -> None:
    """Count a message: its turn is now, or it needs nothing more when it comes."""
    incoming = it.incoming
    before = incoming.expected
    incoming.done(what.number)
    if incoming.expected != before:
        _progress(it, what)


def _done_in_turn(it: Standing, what: What) -> None:
    """Count a message whose turn it is; one that came early is left for its turn, or the next logon."""
    if what.message is not None and what.number == it.incoming.expected:
        _done(it, what)


def _progress(it: Standing, what: What) -> None:
    """A message that was missing has come: the others get as long again."""
    if it.state is State.GAP:
        it.await_gap(what.now_ns)


_ACTS: dict[Reaction, Callable[[Standing, What], None]] = {
    Reaction.ASK: _ask,
    Reaction.ANSWER: _answer,
    Reaction.ANSWER_GAP: _answer_gap,
    Reaction.UP: _up,
    Reaction.UP_GAP: _up_gap,
    Reaction.RESET: _reset,
    Reaction.COUNT: _count,
    Reaction.ECHO: _echo,
    Reaction.RESEND: _resend,
    Reaction.RESEND_GAP: _resend_gap,
    Reaction.TELL: _tell,
    Reaction.JUMP: _jump,
    Reaction.REJECT: _reject,
    Reaction.DELIVER: _deliver,
    Reaction.QUEUE: _queue,
    Reaction.QUEUE_GAP: _queue_gap,
    Reaction.TEST: _test,
    Reaction.BEAT: _beat,
    Reaction.SEND: _send,
    Reaction.ERROR: _error,
    Reaction.NEVER: _never,
    Reaction.IGNORE: _ignore,
    Reaction.HOLD: _ignore,
    Reaction.CLOSE: _close,
    Reaction.BYE: _bye,
    Reaction.LOGOUT: _logout,
    Reaction.REBUFF: _rebuff,
    Reaction.FAREWELL: _farewell,
    Reaction.END: _end,
}
