"""The page on the FIX session: how it behaves, and its state table."""

from fairlead.fix.settings import SECOND_NS, SessionSettings
from fairlead.fix.states import REACTIONS, Happening, Reaction, State
from fairlead.fix.store import LEAP, SENT_MOST
from fairlead.fix.tags import RejectReason
from tools.pages.text import NOTE, row, table

_STATES: dict[State, str] = {
    State.AWAITING: "connected, no Logon yet: where an acceptor begins",
    State.DECIDING: "a Logon has come, the application looks up who it is; what follows is held back",
    State.LOGON_SENT: "where an initiator begins",
    State.ACTIVE: "logged on, every message so far is here",
    State.GAP: "logged on; messages are missing, they were asked for, later ones wait for them",
    State.LOGGING_OUT: "our Logout is not yet answered",
    State.CLOSED: "the end: what was said goes out, then the connection is closed",
}

_HAPPENINGS: dict[Happening, str] = {
    Happening.GARBLED: "bytes that are no message: BeginString, BodyLength, MsgType not first; wrong length"
    " or checksum",
    Happening.OVERSIZE: "a BodyLength (9) beyond the bound",
    Happening.WRONG_VERSION: "another BeginString (8) than the session's",
    Happening.NO_NUMBER: "no MsgSeqNum (34)",
    Happening.MISADDRESSED: "another SenderCompID (49) or TargetCompID (56)",
    Happening.TIME_OFF: "SendingTime (52) too far from our clock, or before OrigSendingTime (122)",
    Happening.LOW: "MsgSeqNum lower than expected, no PossDupFlag (43)",
    Happening.LOW_DUPLICATE: "the same with PossDupFlag Y",
    Happening.HIGH: "MsgSeqNum higher than expected, of any message but the next three",
    Happening.HIGH_RESEND_REQUEST: "the same of a ResendRequest (2)",
    Happening.HIGH_LOGON: "the same of a Logon (A)",
    Happening.HIGH_LOGOUT: "the same of a Logout (5)",
    Happening.MALFORMED: "the expected number, and a field that is wrong",
    Happening.LOGON: "Logon",
    Happening.RESET_LOGON: "Logon with ResetSeqNumFlag (141) Y, whatever its number",
    Happening.HEARTBEAT: "Heartbeat (0)",
    Happening.TEST_REQUEST: "TestRequest (1)",
    Happening.RESEND_REQUEST: "ResendRequest (2)",
    Happening.REJECT: "Reject (3)",
    Happening.GAP_FILL: "SequenceReset (4) with GapFillFlag (123) Y",
    Happening.SEQUENCE_RESET: "SequenceReset without it, whatever its number",
    Happening.SEQUENCE_RESET_BACK: "the same, to a NewSeqNo (36) lower than expected",
    Happening.LOGOUT: "Logout (5)",
    Happening.APPLICATION: "any other message",
    Happening.LATE: "the state's time is over",
    Happening.SILENT: "nothing was heard for 1.2 heartbeat intervals",
    Happening.DEAD: "nor for another 1.2 after a TestRequest",
    Happening.IDLE: "nothing was said for a heartbeat interval",
    Happening.ACCEPT: "the application accepts the Logon",
    Happening.ACCEPT_HIGH: "the same, and its number is higher than expected",
    Happening.ACCEPT_WRONG: "the same, but something is wrong with it: number too low, terms, a field",
    Happening.REFUSE: "the application refuses the Logon of somebody unknown",
    Happening.REFUSE_KNOWN: "the application refuses the Logon of a session that it knows",
    Happening.SEND: "the application sends a message",
    Happening.LOG_OUT: "the application ends the session",
    Happening.LOST: "the connection is gone",
}

_REACTIONS: dict[Reaction, str] = {
    Reaction.IGNORE: "nothing; the number is not counted",
    Reaction.HOLD: "the bytes wait until the application has decided; too many close the connection",
    Reaction.CLOSE: "close the connection without a word",
    Reaction.BYE: "Logout that says why (58), then close",
    Reaction.REBUFF: "Reject, Logout that says why; the number is counted; wait for the answer",
    Reaction.ASK: "ask the application who it is",
    Reaction.ANSWER: "answer with our Logon: the session is up",
    Reaction.ANSWER_GAP: "the same, then ask for what is missing (ResendRequest)",
    Reaction.UP: "the session is up",
    Reaction.UP_GAP: "the same, then ask for what is missing",
    Reaction.RESET: "both numbers begin with 1 again, what was stored is void; answer: Logon, 141=Y",
    Reaction.COUNT: "count it",
    Reaction.ECHO: "Heartbeat with the TestReqID (112)",
    Reaction.RESEND: "send again what is asked for: stored application messages with PossDupFlag, gap"
    " fills for the rest; Reject if the range makes no sense",
    Reaction.RESEND_GAP: "the same, and ask for what is missing before it",
    Reaction.TELL: "tell the application which of its messages was rejected",
    Reaction.JUMP: "expect NewSeqNo next; what came early before it is void; a gap that it covers is closed",
    Reaction.REJECT: "Reject that names message, tag and reason; count it, unless it is a SequenceReset"
    " without GapFillFlag",
    Reaction.DELIVER: "give it to the application",
    Reaction.QUEUE: "keep it until its turn comes",
    Reaction.QUEUE_GAP: "the same, and ask for what is missing before it, once",
    Reaction.FAREWELL: "answer with Logout, then close",
    Reaction.END: "close: both have said Logout",
    Reaction.TEST: "TestRequest",
    Reaction.BEAT: "Heartbeat",
    Reaction.SEND: "send it under the next number",
    Reaction.LOGOUT: "Logout, then wait for the answer",
    Reaction.ERROR: "a mistake of the program that drives the session: it is told so, nothing happens",
    Reaction.NEVER: "cannot happen",
}

_REASONS: dict[RejectReason, str] = {
    RejectReason.INVALID_TAG_NUMBER: "a field that is not `tag=value` with a tag number (no leading zero)",
    RejectReason.REQUIRED_TAG_MISSING: "a required field of the header or of a session message;"
    " OrigSendingTime (122) of a duplicate",
    RejectReason.TAG_WITHOUT_VALUE: "a field without a value",
    RejectReason.VALUE_INCORRECT: "a number or range that makes no sense where it stands",
    RejectReason.INCORRECT_DATA_FORMAT: "not a number, a time, Y or N where one must be; a wrong length of a"
    " data field",
    RejectReason.COMP_ID_PROBLEM: "SenderCompID or TargetCompID, with a Logout",
    RejectReason.SENDING_TIME_ACCURACY: "SendingTime or OrigSendingTime, with a Logout",
    RejectReason.INVALID_MSG_TYPE: "a MsgType (35) that FIX does not have",
    RejectReason.TAG_MORE_THAN_ONCE: "a field twice, outside a repeating group",
    RejectReason.TAG_OUT_OF_ORDER: "a field of the header in the body, or of the trailer before it",
    RejectReason.GROUP_COUNT_WRONG: "a repeating group with another number of entries than it says",
    RejectReason.OTHER: "a Logon in a session that is up; too many fields",
}


def fix_session() -> str:
    """Return the page."""
    settings = SessionSettings("")
    bounds = settings.bounds
    return _PAGE.format(
        note=NOTE,
        states="\n".join(table(["state", "what it is"], ([each, _STATES[each]] for each in State))),
        happenings="\n".join(
            table(["row", "what happens"], ([each, _HAPPENINGS[each]] for each in Happening))
        ),
        cells="\n".join(_cells()),
        reactions="\n".join(
            table(["word", "what is done"], ([_word(each), _REACTIONS[each]] for each in Reaction))
        ),
        reasons="\n".join(
            table(["373", "of what"], ([str(each.value), text] for each, text in _REASONS.items()))
        ),
        accuracy_s=settings.time_accuracy_ns // SECOND_NS,
        least_s=settings.heartbeat_s_least,
        most_s=settings.heartbeat_s_most,
        logon_s=settings.logon_timeout_ns // SECOND_NS,
        logout_s=settings.logout_timeout_ns // SECOND_NS,
        gap_s=settings.gap_timeout_ns // SECOND_NS,
        body_bytes=f"{bounds.body_bytes_most:,}",
        fields=f"{bounds.fields_most:,}",
        queued=f"{bounds.queued_most:,}",
        queued_bytes=f"{bounds.queued_bytes_most:,}",
        held_bytes=f"{bounds.held_bytes_most:,}",
        sent=f"{SENT_MOST:,}",
        leap=f"{LEAP:,}",
    )


def _cells() -> list[str]:
    return [
        row(["", *State]),
        row(["---"] * (len(State) + 1)),
        *(
            row([f"**{each}**", *(_word(REACTIONS[state, each]) for state in State)])
            for each in Happening
        ),
    ]


def _word(reaction: Reaction) -> str:
    return "–" if reaction is Reaction.NEVER else reaction.value


_PAGE = """\
# FIX session

{note}

How a connection by FIX behaves below orders and reports: logging on, sequence numbers, gaps, heartbeats,
logging out. FIX.4.4, and FIXT.1.1 with DefaultApplVerID (1137) `7` (FIX.5.0) or `9` (5.0SP2).

## In short

- The first message is a Logon, within {logon_s} s: EncryptMethod (98) 0, HeartBtInt (108)
  {least_s} to {most_s}.
- Sequence numbers persist from connection to connection. ResetSeqNumFlag (141) Y in a Logon begins
  anew with 1, at any time.
- A gap in what a client sends is asked for once, with one ResendRequest for exactly what is missing. Up
  to {queued} messages that came too early are kept meanwhile, in up to {queued_bytes} bytes. A gap in
  which nothing comes for {gap_s} s ends the session.
- A client's message is remembered as received when what it led to is durable. After a crash it may be
  asked for again, and then comes with PossDupFlag (43) Y.
- What a client missed is sent again on a ResendRequest, or on NextExpectedMsgSeqNum (789) in its Logon:
  the last {sent} application messages at least, with PossDupFlag Y and OrigSendingTime (122); gap fills
  for session messages and for what is older.
- Every number is durable before its message leaves: `kill -9` neither repeats nor skips one. After a
  power loss ours go on {leap} higher
  ([0018](../decisions/0018-fix-numbers-leap-instead-of-syncing.md)); a client that asks for the gap gets
  what is still there, and a gap fill.
- SendingTime (52) may be {accuracy_s} s off. Our Logout is to be answered within {logout_s} s.
- Bounds: a body of {body_bytes} bytes, {fields} fields, {held_bytes} bytes while a Logon is being decided on.

## The state table

In a state (column) something happens (row): the session does what the cell says. What a message is, is
found in the order of the rows: whether it is one; whether it belongs to this session and time; whether it
is its turn; whether its fields are right; what it says.

{cells}

### Words

{reactions}

### States

{states}

### What happens

{happenings}

## Reject

A message whose turn it is and that has one of these wrong is answered with a Reject (3): RefSeqNum (45),
RefTagID (371) where it is one tag, RefMsgType (372), SessionRejectReason (373), Text (58). Its number counts
as received.

{reasons}

A garbled message is ignored and its number not counted, as FIX prescribes: the next one shows the gap.
"""
