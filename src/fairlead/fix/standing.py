"""How a session stands: its state, both directions' numbers, its times; and the messages it says itself.

Decides nothing: `hearing` finds out what happens, `states` says what is done then, `reactions` does it
with what is here.
"""

from fairlead.fix import tags
from fairlead.fix.codec import body
from fairlead.fix.frames import Frames
from fairlead.fix.happened import Ended, Happened
from fairlead.fix.message import Fault, Message
from fairlead.fix.numbers import Incoming, Outgoing, Trace
from fairlead.fix.settings import ANY_NUMBER, FIXT11, SECOND_NS, Record, SessionKey, SessionSettings
from fairlead.fix.states import State
from fairlead.fix.tags import MsgType
from fairlead.fix.times import TimeReader

NOBODY = SessionKey("", "")
UP = frozenset({State.ACTIVE, State.GAP})


class Standing:
    """Everything that a session knows, changing in place."""

    def __init__(self, settings: SessionSettings, now_ns: int, trace: Trace | None) -> None:
        self.settings = settings
        self.trace = trace
        self.state = State.AWAITING
        self.key = NOBODY
        self.appl_ver_id = ""
        self.was_up = False
        self.is_over = False  # the last batch was taken
        self.frames = Frames(settings.bounds.body_bytes_most)
        self.incoming = Incoming(1, settings.bounds)
        self.outgoing = Outgoing(NOBODY, Record(), settings.comp_id, "")
        self.happened: list[Happened] = []
        self.logon: Message | None = None  # the Logon that the application thinks about
        self.has_reset = False  # an initiator's Logon asked for new numbers
        self.terms = b""  # fields that the application adds to our Logon
        self.heartbeat_s = 0
        self.heard_ns = now_ns  # the last message of the session, not the last byte
        self.said_ns = now_ns
        self.tested_ns: int | None = None  # since when a TestRequest is unanswered
        self.deadline_ns: int | None = now_ns + settings.logon_timeout_ns  # of the state
        self.time_in_order = (b"", 0)  # the last SendingTime found right, and when
        self.times = TimeReader()
        self.orig_times = TimeReader()
        self.theirs = b""  # CompIDs as they must stand in what comes in
        self.ours = settings.comp_id.encode("latin-1")

    def bind(self, key: SessionKey, record: Record, comp_sub_id: str) -> None:
        """Become the session of `key` as the store remembers it."""
        self.key = key
        self.theirs = key.comp_id.encode("latin-1")
        next_in = record.next_in
        if next_in == ANY_NUMBER:
            next_in = 1 if self.logon is None else self.logon.sequence_number
        self.incoming = Incoming(next_in, self.settings.bounds)
        self.outgoing = Outgoing(key, record, self.settings.comp_id, comp_sub_id)

    def become(self, state: State, deadline_ns: int | None = None) -> None:
        """Change state; `deadline_ns` is when it is too late to be still in it."""
        self.state = state
        self.deadline_ns = deadline_ns

    def close(self, text: str, *, is_quoted: bool = False) -> None:
        """End the session; what was said goes out, then the connection is closed."""
        self.become(State.CLOSED)
        self.happened.append(Ended(text, self.was_up, is_quoted))

    def told(self) -> list[Happened]:
        """Return what happened since the last time."""
        happened = self.happened
        if happened:
            self.happened = []
        return happened

    def reset(self) -> None:
        """Both numbers begin with 1 again."""
        self.incoming.reset()
        self.outgoing.reset()

    # ── what the session says itself ───────────────────────────────────────────────────────────

    def say(
        self, msg_type: MsgType, fields: list[tuple[int, bytes | str | int]], now_ns: int
    ) -> None:
        """Say a message of the session."""
        self.say_raw(msg_type, body(fields), now_ns)

    def say_raw(self, msg_type: MsgType, content: bytes, now_ns: int) -> None:
        """Say a message of the session whose fields are bytes already."""
        self.said_ns = now_ns
        self.outgoing.admin(msg_type, content, now_ns)

    def say_logon(self, is_reset: bool, next_expected: int | None, now_ns: int) -> None:
        """Say our Logon: the first, or the answer."""
        fields: list[tuple[int, bytes | str | int]] = [
            (tags.ENCRYPT_METHOD, 0),
            (tags.HEART_BT_INT, self.heartbeat_s),
        ]
        if is_reset:
            fields.append((tags.RESET_SEQ_NUM_FLAG, "Y"))
        if next_expected is not None:
            fields.append((tags.NEXT_EXPECTED_MSG_SEQ_NUM, next_expected))
        if self.key.begin_string == FIXT11:
            fields.append((tags.DEFAULT_APPL_VER_ID, self.appl_ver_id))
        self.say_raw(MsgType.LOGON, body(fields) + self.terms, now_ns)

    def say_reject(self, message: Message, fault: Fault, now_ns: int) -> None:
        """Say that a message is rejected, which one and why."""
        fields: list[tuple[int, bytes | str | int]] = [(tags.REF_SEQ_NUM, message.sequence_number)]
        if fault.tag is not None:
            fields.append((tags.REF_TAG_ID, fault.tag))
        if message.msg_type:
            fields.append((tags.REF_MSG_TYPE, message.msg_type.encode("latin-1")))
        fields.append((tags.SESSION_REJECT_REASON, int(fault.reason)))
        fields.append((tags.TEXT, printable(fault.text)))
        self.say(MsgType.REJECT, fields, now_ns)

    def say_logout(self, text: str, now_ns: int) -> None:
        """Say Logout; an empty text is left out."""
        self.say(MsgType.LOGOUT, [(tags.TEXT, printable(text))] if text else [], now_ns)

    def ask_resend(self, now_ns: int) -> None:
        """Ask for the gap that begins with the expected number, once: then wait for it to be filled."""
        last = self.incoming.missing_to()
        self.incoming.asked_to = last
        fields: list[tuple[int, bytes | str | int]] = [
            (tags.BEGIN_SEQ_NO, self.incoming.expected),
            (tags.END_SEQ_NO, last),
        ]
        self.say(MsgType.RESEND_REQUEST, fields, now_ns)
        self.await_gap(now_ns)

    def await_gap(self, now_ns: int) -> None:
        """Be in GAP until the missing messages are here, for so long without any of them."""
        self.become(State.GAP, now_ns + self.settings.gap_timeout_ns)

    # ── times ──────────────────────────────────────────────────────────────────────────────────

    @property
    def silent_at_ns(self) -> int:
        """When the counterpart has been silent, or has not answered a test, for too long.

        A fifth more than the interval: that is what a heartbeat may take to arrive.
        """
        since_ns = self.heard_ns if self.tested_ns is None else self.tested_ns
        return since_ns + self.heartbeat_s * SECOND_NS * 6 // 5

    @property
    def idle_at_ns(self) -> int:
        """When we have been silent for so long that a heartbeat is due."""
        return self.said_ns + self.heartbeat_s * SECOND_NS

    @property
    def due_ns(self) -> int | None:
        """The first moment at which time alone makes something happen."""
        if self.state not in UP:
            return self.deadline_ns
        due_ns = min(self.silent_at_ns, self.idle_at_ns)
        return due_ns if self.deadline_ns is None else min(due_ns, self.deadline_ns)


def printable(text: str) -> bytes:
    """Return `text` as a value that no other text can break out of: printable ASCII, the rest as `?`."""
    return "".join(each if " " <= each <= "~" else "?" for each in text).encode() or b"?"
