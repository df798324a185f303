"""One FIX connection from the logon to the end: what a session tells, and what is done about it.

Knows a transport only as something that takes bytes; everything it waits for is the port's answers.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import assert_never
from urllib.parse import quote

import structlog

from fairlead.core import replies
from fairlead.core.port import EdgePort
from fairlead.core.replies import AccountsReply, Reply
from fairlead.core.reports import OrderReport
from fairlead.fix.happened import (
    Ended,
    Garbled,
    Happened,
    LoggedOn,
    LogonAsked,
    Received,
    Refused,
    ResendAsked,
    WasReset,
)
from fairlead.fix.message import Fault, Message
from fairlead.fix.settings import FIX50SP2, Batch, SessionKey
from fairlead.fix.states import State
from fairlead.gateway.feed import Item
from fairlead.gateway.fixapi import words
from fairlead.gateway.fixapi.cursor import encode_cursor
from fairlead.gateway.fixapi.desk import Desk
from fairlead.gateway.fixapi.flow import Flow, Wire
from fairlead.gateway.fixapi.following import Following
from fairlead.gateway.fixapi.joining import Joining
from fairlead.gateway.fixapi.keeping import KeptSession
from fairlead.gateway.fixapi.logon import Logon
from fairlead.gateway.fixapi.place import Place
from fairlead.gateway.fixapi.requests import Mouth, Requests
from fairlead.gateway.fixapi.resending import Resends
from fairlead.gateway.fixapi.statuses import MassStatuses
from fairlead.gateway.fixapi.telling import Terms
from fairlead.gateway.peers import Peer
from fairlead.gateway.usage import FIX

log = structlog.get_logger()
_HELD_S = 1.0
_STOPPING = "the server is stopping"
_NOT_ALLOWED = "the key does not allow this any more"
_LOG_ON_AGAIN = "the key may be used for more accounts now, log on again"


class Client:
    """The other side of one connection."""

    def __init__(
        self, desk: Desk, wire: Wire, peer: str, address: str = "", shown: Peer | None = None
    ) -> None:
        """`address`: from where it comes. `shown`: by which certificate, where one is asked for."""
        self._logon = Logon(desk, address, shown)
        self._port: EdgePort | None = None  # once it is known who calls
        self._joining: Joining | None = None  # the same, of who has a key
        self._unwatch: Callable[[], None] | None = None
        self._kept: KeptSession | None = None
        if desk.kept is not None:
            self._kept = KeptSession(desk.kept, self._logon.identity)
        self.session = desk.new_session(None if self._kept is None else self._kept.heard.append)
        self._desk = desk
        self._flow = Flow(wire, desk.settings.slow_client_s, self._too_slow)
        self._peer = peer
        self._loop = asyncio.get_running_loop()
        self._key: SessionKey | None = None  # once it is among the live ones
        self._place = Place()
        self._unwatch_accounts: Callable[[], None] | None = None
        self._terms = Terms()
        self._requests: Requests | None = None
        self._following: Following | None = None
        self._statuses: MassStatuses | None = None
        self._resends: Resends | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        self._arm()

    # ── the connection ───────────────────────────────────────────────────────────────────────────

    def received(self, data: bytes) -> None:
        """Take bytes that came in."""
        self._work(self.session.receive(data, self._desk.now_ns()))

    def lost(self) -> None:
        """Take note that the connection is gone."""
        self._flow.lost()
        self._work(self.session.lost(self._desk.now_ns()))

    def log_out(self, text: str) -> None:
        """End the session in an orderly way."""
        self._work(self.session.log_out(text, self._desk.now_ns()))

    def abort(self) -> None:
        """Cut the connection off."""
        self._flow.abort()

    def write(self, batch: Batch) -> None:
        """Send what is durable; close after the last of it."""
        if self._flow.write(batch.data) and self._kept is not None and batch.frames:
            self._kept.keep_sent(self.session.key, batch.frames, self._desk.now_ns())
        if batch.is_last:
            self._close()

    def pause_writing(self) -> None:
        """The client does not read what we send: tell nothing more, and soon cut it off."""
        self._flow.pause_writing()
        if self._following is not None:
            self._following.hold("writing")

    def resume_writing(self) -> None:
        """The client reads again."""
        self._flow.resume_writing()
        if self._following is not None:
            self._following.let_go("writing")

    def _too_slow(self) -> None:
        self._desk.metrics.slow_clients += 1
        log.warning("fix_client_too_slow", peer=self._peer, session=self._name())

    def _close(self) -> None:
        """Everything is said: close, whether or not it is read."""
        if self._timer is not None:
            self._timer.cancel()
        self._flow.close()
        if self._key is not None:
            self._desk.left(self._key)
            self._key = None

    # ── time ─────────────────────────────────────────────────────────────────────────────────────

    def _arm(self) -> None:
        """Have the session told the time when it is due; a timer that is too early does no harm."""
        due_ns = self.session.due_ns
        if due_ns is None or (self._timer is not None and self._timer_ns <= due_ns):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ns = due_ns
        wait_s = max(0, due_ns - self._desk.now_ns()) / 1e9
        self._timer = self._loop.call_later(wait_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._flow.is_reading_held:
            # We do not listen, so that nothing is heard says nothing about the client.
            self._timer = self._loop.call_later(_HELD_S, self._tick)
            return
        self._work(self.session.tick(self._desk.now_ns()))

    # ── what happened ────────────────────────────────────────────────────────────────────────────

    def _work(self, happened: Sequence[Happened]) -> None:
        if self._kept is not None:
            self._kept.keep_heard(self.session.key, self._desk.now_ns())
        for what in happened:
            match what:
                case Received():
                    self._take(what)
                case LogonAsked():
                    self._desk.start(self._decide(what))
                case LoggedOn():
                    self._logged_on(what)
                case WasReset():
                    self._keep()
                case ResendAsked():
                    assert self._resends is not None
                    self._resends.take(what)
                case Refused():
                    # Without its Text: what a client says in its own words is in no log.
                    log.warning("fix_message_rejected", session=self._name(), number=what.number)
                case Garbled():
                    self._desk.metrics.garbled += 1
                    if self._kept is not None:
                        self._kept.keep_ignored(what.reason, self._desk.now_ns())
                case Ended():
                    self._ended(what)
                case _:
                    assert_never(what)
        self._desk.changed(self)
        self._arm()

    async def _decide(self, asked: LogonAsked) -> None:
        """Let a client on, from where its session stands in the reports of each account."""
        wrong = self._logon.identify(asked.message)
        if wrong is not None:
            self._refuse(asked.key, wrong)
            return
        self._unwatch_accounts = self._desk.feed.watch(self._account_came)
        try:
            await self._let_on(asked)
        finally:
            if self._key is None:
                self._unwatch_accounts()

    async def _let_on(self, asked: LogonAsked) -> None:
        desk, logon = self._desk, self._logon
        port = self._port = desk.doors.of(logon.caller)
        if logon.caller is not None:
            self._port = self._joining = Joining(port, self._flow, desk.start, self._follow)
        try:
            reply = await logon.accounts(port)
        except ConnectionError:
            self._work(self.session.refuse(_STOPPING, desk.now_ns()))
            return
        if isinstance(reply, replies.Refused):
            self._refuse(asked.key, reply.message)
            return
        assert isinstance(reply, AccountsReply), reply
        if self.session.state is State.CLOSED:
            return
        key = logon.session(asked)
        if isinstance(key, str):
            self._refuse(logon.own(asked.key), key)
            return
        record = desk.store.record(key)
        present = {state.account: state.sequence for state in reply.accounts}
        self._place.begin(logon.kept(asked), asked.is_reset, present)
        desk.live[key] = self
        self._key = key
        self._work(self.session.accept(key, record, desk.now_ns()))

    def _follow(self, reply: Reply) -> bool:
        """Follow the accounts that are newly open; False if the session is over, or is now."""
        if isinstance(reply, replies.Refused) and self.session.is_up:
            self.log_out(f"{_LOG_ON_AGAIN}: {reply.message}")
        if not self.session.is_up:
            return False
        assert isinstance(reply, AccountsReply), reply
        for state in reply.accounts:
            self._account_came(state.account, state.sequence)
        return True

    def _account_came(self, account: str, sequence: int) -> None:
        """Follow an account that is new or back, unless it has been followed all the time."""
        if not self._desk.doors.is_open_to(self._logon.caller, account):
            return
        if self._following is None:
            self._place.came(account, sequence)
        elif account not in self._following.told:
            self._following.add(account, self._place.joined(account, sequence))
            self._keep()
            self._desk.changed(self)

    def _not_allowed(self) -> None:
        """End: the key is taken back, expired, or may do less than before."""
        self.log_out(_NOT_ALLOWED)

    def _refuse(self, key: SessionKey, text: str) -> None:
        desk = self._desk
        log.warning("fix_logon_refused", peer=self._peer, session=_name_of(key), text=text)
        if not self._logon.has_certificate:
            desk.metrics.logons["refused"] += 1  # else it is counted when it has ended
            self._work(self.session.refuse(text, desk.now_ns()))
            return
        # The handshake has proven who it is: say why, under a number of no other session.
        key = desk.transient(key)
        desk.live[key] = self
        self._key = key
        self._work(self.session.refuse_known(key, desk.store.record(key), text, desk.now_ns()))

    def _logged_on(self, logon: LoggedOn) -> None:
        desk, message = self._desk, logon.message
        self._terms = Terms(message.is_yes(words.TRUE_EXEC_TYPE))
        following = Following(desk.feed, self._place.told, self._tell)
        ends_with_session = desk.settings.cancel_on_disconnect
        if message.get(words.CANCEL_ON_DISCONNECT) is not None:
            ends_with_session = message.is_yes(words.CANCEL_ON_DISCONNECT)
        mouth = Mouth(
            name=self._name(),
            terms=self._terms,
            ends_with_session=ends_with_session,
            has_report_id=logon.appl_ver_id == FIX50SP2,
            told=following.told,
            say=self._say,
            reject=self._reject,
            dealt=self._dealt,
        )
        assert self._port is not None
        self._requests = Requests(desk, self._port, mouth, self._on_load)
        self._statuses = MassStatuses(
            desk, self._port, self.session, mouth, self._place.asked, self._turn, self._keep
        )
        self._resends = Resends(desk, self, following, self._turn)
        self._following = following
        if not self._flow.is_writable:
            following.hold("writing")
        desk.metrics.logons["accepted"] += 1
        log.info(
            "fix_logged_on", peer=self._peer, session=self._name(), is_reset=logon.is_reset,
            appl_ver_id=logon.appl_ver_id, is_true_exec_type=self._terms.is_true_exec_type,
            ends_with_session=ends_with_session,
        )  # fmt: skip
        self._keep()
        following.start()
        access, caller, joining = desk.doors.access, self._logon.caller, self._joining
        if caller is not None and access is not None and joining is not None:
            self._unwatch = access.watch(caller, FIX, self._not_allowed, joining.look)

    def _ended(self, ended: Ended) -> None:
        if self._unwatch is not None:
            self._unwatch()
        if self._unwatch_accounts is not None:
            self._unwatch_accounts()
        if self._following is not None:
            self._following.close()
        if self._requests is not None:
            self._requests.end()
        if not ended.was_up and self._key is not None:
            self._desk.metrics.logons["refused"] += 1
        # What a client says in its own words may be a secret, and is in no log.
        text = "the client logged out" if ended.is_quoted else ended.text
        log.info("fix_ended", peer=self._peer, session=self._name(), text=text, was_up=ended.was_up)

    def _name(self) -> str:
        """Return the session's name, by which its orders know it."""
        return _name_of(self.session.key)

    # ── requests ─────────────────────────────────────────────────────────────────────────────────

    def _take(self, received: Received) -> None:
        requests, statuses = self._requests, self._statuses
        assert requests is not None, "nothing is delivered before the logon"
        assert statuses is not None
        msg_type = received.message.msg_type
        if requests.take(received):
            self._desk.metrics.received[msg_type] += 1
        elif msg_type == words.ORDER_MASS_STATUS_REQUEST:
            self._desk.metrics.received[msg_type] += 1
            statuses.take(received, requests)
        else:
            self._desk.metrics.received["other"] += 1
            requests.refuse_type(received)

    def _on_load(self, is_full: bool) -> None:
        if is_full:
            self._flow.hold_reading("load")
        else:
            self._flow.let_go_reading("load")

    def _say(self, msg_type: str, body: bytes) -> bool:
        if not self.session.is_up:
            return False
        self.session.send(msg_type, body, self._desk.now_ns())
        self._desk.changed(self)
        return True

    def _reject(self, message: Message, fault: Fault) -> bool:
        if not self.session.is_up:
            return False
        self.session.reject(message, fault, self._desk.now_ns())
        self._desk.changed(self)
        return True

    def _dealt(self, received: Received) -> None:
        self.session.dealt(received)
        self._desk.changed(self)

    # ── reports ──────────────────────────────────────────────────────────────────────────────────

    def _tell(self, items: Sequence[Item]) -> bool:
        """Make reports into messages, and keep how far we have come; False if nothing can be said now."""
        session, requests = self.session, self._requests
        if not session.is_up or requests is None:
            return False
        now_ns = self._desk.now_ns()
        reports = self._desk.reports
        encoder = reports.true if self._terms.is_true_exec_type else reports.usual
        bodies: list[bytes] = []
        has_told = False
        for item in items:
            report, order = item.released.report, item.released.order
            if order is None or type(report) is not OrderReport:
                continue
            has_told = True
            bodies.append(item.encoded(encoder, encoder))
            if requests.has_cancels:  # what is said of one comes right after the report
                session.send_all(words.EXECUTION_REPORT, bodies, now_ns)
                bodies.clear()
            requests.heard(report, order)
        if bodies:
            session.send_all(words.EXECUTION_REPORT, bodies, now_ns)
        if has_told:
            self._keep()
            self._desk.changed(self)
        return True

    def _keep(self) -> None:
        """Have the place in the reports stored with what was said."""
        assert self._following is not None
        cursor, has_begun = self._place.cursor(self._following.told)
        self.session.keep(encode_cursor(cursor), has_begun=has_begun)

    # ── what takes longer ────────────────────────────────────────────────────────────────────────

    async def _turn(self) -> None:
        """Let the others have theirs, and wait until the client takes more."""
        await asyncio.sleep(0)
        await self._flow.writable()


def _name_of(key: SessionKey) -> str:
    parts = (key.begin_string, key.comp_id, key.sub_id, key.identity)
    return "fix:" + ":".join(quote(part, safe="") for part in parts)
