"""One connection's session, acceptor or initiator: bytes and time in, bytes and what happened out.

Finds out what happens and does what `states.REACTIONS` says, nothing else. Knows no socket, clock,
thread or store: how it is driven is in the package's docstring.
"""

from collections.abc import Iterable, Sequence

from fairlead.fix import tags
from fairlead.fix.codec import decode
from fairlead.fix.frames import Skipped
from fairlead.fix.happened import Garbled, Happened, Received
from fairlead.fix.hearing import hear, logon_fault, said
from fairlead.fix.judging import due, is_reset_logon
from fairlead.fix.message import Fault, Message
from fairlead.fix.numbers import Trace, resendings
from fairlead.fix.reactions import Forbidden, What, react
from fairlead.fix.settings import Batch, Record, Role, Sent, SessionKey, SessionSettings
from fairlead.fix.standing import UP, Standing
from fairlead.fix.states import REACTIONS, Happening, State

__all__ = ["Forbidden", "Session"]

_RESENDING = frozenset({State.ACTIVE, State.GAP, State.LOGGING_OUT})
_DEAF = frozenset({State.DECIDING, State.CLOSED})  # no message is taken
_GAP = State.GAP
_TOO_LATE = {
    State.AWAITING: "no Logon came in time",
    State.DECIDING: "the Logon was not decided on in time",
    State.LOGON_SENT: "the Logon was not answered in time",
    State.GAP: "messages that were asked for did not come",
    State.LOGGING_OUT: "the Logout was not answered in time",
}


class Session:
    """A session from its connection to its end.

    Whatever sends something only adds it to the next `flush`. Methods that return what happened
    return all that has happened since the last one did.
    """

    def __init__(self, settings: SessionSettings, now_ns: int, trace: Trace | None = None) -> None:
        """Begin with a connection. `trace` is called with every message heard, for a log."""
        self._it = Standing(settings, now_ns, trace)

    @classmethod
    def initiate(
        cls,
        settings: SessionSettings,
        key: SessionKey,
        record: Record,
        now_ns: int,
        *,
        heartbeat_s: int = 30,
        is_reset: bool = False,
        appl_ver_id: str = "",
        terms: bytes = b"",
        trace: Trace | None = None,
    ) -> "Session":
        """Return an initiator's session that has said its Logon; `terms` are fields to add to it."""
        assert settings.role is Role.INITIATOR, settings.role
        session = cls(settings, now_ns, trace)
        it = session._it
        it.bind(key, record, "")
        it.become(State.LOGON_SENT, it.deadline_ns)
        it.appl_ver_id, it.heartbeat_s, it.terms = appl_ver_id, heartbeat_s, terms
        it.has_reset = is_reset
        if is_reset:
            it.reset()
        it.say_logon(is_reset, None, now_ns)
        return session

    # ── to read ────────────────────────────────────────────────────────────────────────────────

    @property
    def state(self) -> State:
        """Where the session is."""
        return self._it.state

    @property
    def is_up(self) -> bool:
        """Whether application messages may be sent."""
        return self._it.state in UP

    @property
    def key(self) -> SessionKey:
        """Which session it is; empty before `accept`."""
        return self._it.key

    @property
    def appl_ver_id(self) -> str:
        """ApplVerID under FIXT.1.1, empty under FIX.4.4."""
        return self._it.appl_ver_id

    @property
    def next_out(self) -> int:
        """The number of our next message."""
        return self._it.outgoing.next_out

    @property
    def next_in(self) -> int:
        """The number that is expected next."""
        return self._it.incoming.expected

    @property
    def due_ns(self) -> int | None:
        """When `tick` has something to do; None when it never will."""
        return self._it.due_ns

    # ── from the connection and the clock ──────────────────────────────────────────────────────

    def receive(self, data: bytes, now_ns: int) -> list[Happened]:
        """Take bytes that came in."""
        it = self._it
        if it.state is State.CLOSED:
            return it.told()
        it.frames.feed(data)
        if it.state is State.DECIDING:
            most = it.settings.bounds.held_bytes_most
            if it.frames.waiting_bytes > most:
                it.close(f"more than {most} bytes came before the Logon was answered")
        return self._take(now_ns)

    def tick(self, now_ns: int) -> list[Happened]:
        """Do what is due by now. Call it at `due_ns`, or whenever time has passed."""
        it = self._it
        if it.deadline_ns is not None and now_ns >= it.deadline_ns:
            self._react(Happening.LATE, None, now_ns, said(_TOO_LATE[it.state]))
        if it.state in UP and now_ns >= it.silent_at_ns:
            if it.tested_ns is None:
                self._react(Happening.SILENT, None, now_ns)
            else:
                self._react(Happening.DEAD, None, now_ns, said("a TestRequest was not answered"))
        if it.state in UP and now_ns >= it.idle_at_ns:
            self._react(Happening.IDLE, None, now_ns)
        return it.told()

    def lost(self, now_ns: int) -> list[Happened]:
        """Note that the connection is gone."""
        self._react(Happening.LOST, None, now_ns, said("the connection was lost"))
        return self._it.told()

    # ── from the application ───────────────────────────────────────────────────────────────────

    def accept(
        self, key: SessionKey, record: Record, now_ns: int, terms: bytes = b""
    ) -> list[Happened]:
        """Answer `LogonAsked`: it is the session of `key`, of which the store has `record`.

        `terms` are fields to add to our Logon. A Logon with something wrong is refused all the same,
        with a Logout that says why. Raises Forbidden when nothing is asked. Does nothing when the
        session has ended meanwhile.
        """
        it = self._it
        logon = it.logon
        if it.state is not State.DECIDING or logon is None:
            self._react(Happening.ACCEPT, None, now_ns)
            return it.told()
        it.bind(key, record, logon.text(tags.TARGET_SUB_ID))
        it.terms = terms
        fault = logon_fault(it, logon, now_ns)
        if fault is not None:
            self._react(Happening.ACCEPT_WRONG, logon, now_ns, fault)
        elif logon.sequence_number > it.incoming.expected and not is_reset_logon(logon):
            self._react(Happening.ACCEPT_HIGH, logon, now_ns)
        else:
            self._react(Happening.ACCEPT, logon, now_ns)
        return self._take(now_ns)

    def refuse(self, text: str, now_ns: int) -> list[Happened]:
        """Answer `LogonAsked`: no. The connection ends without a word; `text` is only told.

        For a counterpart whose session is not known: a Logout would use up a number of somebody's.
        """
        self._react(Happening.REFUSE, None, now_ns, said(text))
        return self._it.told()

    def refuse_known(
        self, key: SessionKey, record: Record, text: str, now_ns: int
    ) -> list[Happened]:
        """Answer `LogonAsked`: no, by a Logout with `text` under the next number of that session."""
        it = self._it
        if it.state is State.DECIDING and it.logon is not None:
            it.bind(key, record, it.logon.text(tags.TARGET_SUB_ID))
        self._react(Happening.REFUSE_KNOWN, it.logon, now_ns, said(text))
        return it.told()

    def send(self, msg_type: str, content: bytes, now_ns: int, cursor: bytes | None = None) -> int:
        """Send an application message and return its number; `cursor` is stored with it.

        `content` is fields as `codec.body` makes them, without header and trailer. Raises Forbidden
        when the session is not up.
        """
        number = self.send_all(msg_type, (content,), now_ns)
        if cursor is not None:
            self.keep(cursor)
        return number

    def send_all(self, msg_type: str, contents: Sequence[bytes], now_ns: int) -> int:
        """Send application messages of one type, as `send` does, and return the first one's number."""
        self._react(Happening.SEND, None, now_ns)
        return self._it.outgoing.application(msg_type, contents, now_ns)

    def keep(self, cursor: bytes, *, has_begun: bool = False) -> None:
        """Store the application's cursor with the next flush, without a message.

        `has_begun`: it holds what did not exist before, which no power loss may take back.
        """
        self._it.outgoing.keep(cursor, has_begun=has_begun)

    def reject(self, message: Message, fault: Fault, now_ns: int) -> None:
        """Answer an application message with a Reject (3). Raises Forbidden when not up."""
        self._react(Happening.SEND, None, now_ns)
        self._it.say_reject(message, fault, now_ns)

    def dealt(self, received: Received) -> None:
        """Note that what a message led to is durable: it will not be asked for again."""
        self._it.incoming.deal(received.number, received.epoch)

    def resend(self, first: int, last: int, sent: Iterable[Sent], now_ns: int) -> None:
        """Answer `ResendAsked`, whole or one part after the other: with `sent`, and gap fills for the rest.

        Does nothing when the session has ended meanwhile, or was reset.
        """
        it = self._it
        last = min(last, it.outgoing.next_out - 1)
        if it.state not in _RESENDING or first > last:
            return
        it.said_ns = now_ns
        for each in resendings(first, last, sent):
            if isinstance(each, Sent):
                it.outgoing.again(each, now_ns)
            else:
                it.outgoing.gap_fill(*each, now_ns)

    def log_out(self, text: str, now_ns: int) -> list[Happened]:
        """End the session in an orderly way; `Ended` comes when the counterpart has answered."""
        self._react(Happening.LOG_OUT, None, now_ns, said(text))
        return self._it.told()

    def flush(self) -> Batch:
        """Return what is to be stored and then written.

        After the last batch of a session there is nothing more: its numbers may by then belong to
        another connection.
        """
        it = self._it
        if it.is_over:
            return Batch(None, b"", True)
        it.is_over = it.state is State.CLOSED
        return it.outgoing.flush(it.incoming.durable, it.is_over)

    # ── what comes in ──────────────────────────────────────────────────────────────────────────

    def _take(self, now_ns: int) -> list[Happened]:
        """Go through the frames that are here, as long as the state lets messages in."""
        it = self._it
        frames, trace, fields_most = it.frames, it.trace, it.settings.bounds.fields_most
        while it.state not in _DEAF:
            frame = frames.next()
            if frame is None:
                break
            if isinstance(frame, bytes):
                if trace is not None:
                    trace(frame)
                message = decode(frame, fields_most)
                happening, fault = hear(it, message, now_ns)
                self._react(happening, message, now_ns, fault)
                if it.state is _GAP:
                    self._catch_up(now_ns)
            elif isinstance(frame, Skipped):
                it.happened.append(Garbled(frame.reason))
                self._react(Happening.GARBLED, None, now_ns, said(frame.reason))
            else:
                self._react(Happening.OVERSIZE, None, now_ns, said(frame.reason))
        return it.told()

    def _catch_up(self, now_ns: int) -> None:
        """Take queued messages whose turn has come; ask for what is still missing behind them."""
        it = self._it
        while it.state is State.GAP:
            message = it.incoming.turn()
            if message is None:
                break
            happening, fault = due(message, it.incoming.expected)
            self._react(happening, message, now_ns, fault)
        if it.state is State.GAP and it.incoming.expected > it.incoming.asked_to:
            if it.incoming.is_whole:
                it.become(State.ACTIVE)
            else:
                it.ask_resend(now_ns)

    def _react(
        self, happening: Happening, message: Message | None, now_ns: int, why: Fault | None = None
    ) -> None:
        it = self._it
        react(it, REACTIONS[it.state, happening], What(now_ns, message, why))
