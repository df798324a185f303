"""A counterpart by FIX: the leaf package's initiator, which drops, comes back, resets, is slow, and trades.

Its own store never fails: what it said and heard it knows. What it is told is judged by `stream_laws`.
"""

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import assert_never

from fairlead.core.model import ExecInst
from fairlead.core.requests import PlaceOrder
from fairlead.fix.codec import body
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
from fairlead.fix.message import Message
from fairlead.fix.session import Session
from fairlead.fix.settings import FIX44, Record, Role, Sent, SessionKey, SessionSettings
from fairlead.fix.states import State
from fairlead.gateway.fixapi import words
from fairlead.gateway.fixapi.telling import Terms
from fairlead.simulation.clock import TrueClock
from fairlead.simulation.conversation import Conversation
from fairlead.simulation.gate import Gate
from fairlead.simulation.law import Law
from fairlead.simulation.laws import Laws
from fairlead.simulation.loop import NS, Process, VirtualLoop
from fairlead.simulation.network import MS
from fairlead.simulation.orders import Orders
from fairlead.simulation.pipes import Plain
from fairlead.simulation.stream_laws import Heard
from fairlead.simulation.truth import Truth

_CONNECT_NS = 500 * MS
_SLOW_MS_MAX = 1_500
_HEARTBEAT_S = 1
_AWAY_NS = 4 * NS  # by then the server has noticed that a connection is dead
_ACTS = {
    "rest": 30, "place": 30, "burst": 3, "cancel": 8, "cancel_all": 1, "status": 3, "mass_status": 1,
    "slow": 3, "drop": 5, "stay_away": 1, "log_out": 2,
}  # fmt: skip
_MASS = "mass"
_UNKNOWN_ID, _NOT_AVAILABLE = "1", "4"  # BusinessRejectReason (380)
_POLL_S = 0.05
_POLLS_MAX = 600


class FixClient:
    """One counterpart, over all of its connections."""

    def __init__(
        self,
        name: str,
        gate: Gate,
        loop: VirtualLoop,
        clock: TrueClock,
        random: Random,
        laws: Laws,
        truth: Truth,
        orders: dict[str, Orders],
        conversation: Conversation,
    ) -> None:
        """`orders` are what it may order, by account."""
        self.name = name
        self._gate = gate
        self._loop = loop
        self._clock = clock
        self._random = random
        self._laws = laws
        self._orders = orders
        self._conversation = conversation
        self._heard = Heard(name, tuple(orders), laws, truth)
        self._process = Process(name)
        self._way = gate.fix(self._process, Plain(name, conversation))
        self._settings = SessionSettings(name, Role.INITIATOR)
        self._key = SessionKey(FIX44, gate.settings.fix.comp_id)
        self._terms = Terms(is_true_exec_type=bool(random.randrange(2)))
        self._record = Record()
        self._sent: dict[int, Sent] = {}
        self._line: _Line | None = None
        self._session: Session | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._dialled_ns = 0
        self._is_begun = False
        self._resets_always = not random.randrange(3)
        self._is_reset_due = False
        self._away_until_ns = 0
        self._is_mass_status_due = False
        self._count = 0
        self._placed: list[PlaceOrder] = []
        self._unanswered: dict[str, int] = {}  # an id that the answer has → number of the request

    async def live(self, duration_ns: int) -> None:
        """Act until the time is over."""
        end_ns = self._loop.now_ns + duration_ns
        while self._loop.now_ns < end_ns:
            pause_us = self._random.randrange(self._gate.settings.pause_ms_max * 1_000)
            await asyncio.sleep(pause_us / 1e6)
            if self._tend():
                (act,) = self._random.choices(list(_ACTS), list(_ACTS.values()))
                getattr(self, f"_{act}")()

    async def finish(self) -> None:
        """Have every report and answer, see that all is right, log out. The world is calm.

        What a session missed of an account that was away, a mass status tells.
        """
        if self._laws.have_gone:
            self._is_mass_status_due = True
        for _ in range(_POLLS_MAX):
            if self._tend() and self._is_caught_up():
                break
            await asyncio.sleep(_POLL_S)
        else:
            state = "no session" if self._session is None else self._session.state
            text = f"{self.name} ({state}) does not catch up; unanswered: {list(self._unanswered)}"
            law = Law.FIX_ANSWERED if self._heard.is_caught_up() else Law.FIX_ONCE
            self._laws.breaks(law, text)
        self._heard.judge()
        self._log_out()

    def _is_caught_up(self) -> bool:
        if self._session is None or self._session.state is not State.ACTIVE:
            return False
        if self._is_mass_status_due:
            self._mass_status()
            return False
        return self._heard.is_caught_up() and not self._unanswered

    # ── the connection ───────────────────────────────────────────────────────────────────────────

    def _tend(self) -> bool:
        """See that there is a connection; whether the session is up."""
        line = self._line
        if line is not None and line.is_unanswered(self._loop.now_ns - self._dialled_ns):
            line.give_up()
            line = None
        if line is None or line.is_over:
            if self._loop.now_ns < self._away_until_ns:
                return False
            self._dialled_ns = self._loop.now_ns
            self._line = line = _Line(self)
            line.give_up = self._way(line, line.failed)
        return self._session is not None and self._session.is_up

    def connected(self) -> None:
        """Say Logon: the first one, one that goes on, or one that resets.

        Who does not always reset does so only when his last connection is surely over: beside it he
        would get a transient session, whose numbers nobody knows afterwards.
        """
        is_reset = self._is_reset_due or self._resets_always
        if is_reset or not self._is_begun:
            self._is_begun = True
            self._heard.beginning()
        if is_reset:
            self._laws.count("FIX session reset")
            self._is_mass_status_due = True
            if any(each.startswith(_MASS) for each in self._unanswered):
                # The server has counted them as told, and a reset gives up what was on its way.
                self._heard.lose_answer()
            self._unanswered.clear()  # what was asked may never have arrived
        terms = [(words.TRUE_EXEC_TYPE, "Y")] if self._terms.is_true_exec_type else []
        self._conversation.note(self.name, f"Logon, reset {is_reset}, from {self._record}")
        self._session = Session.initiate(
            self._settings, self._key, self._record, self._clock(),
            heartbeat_s=_HEARTBEAT_S, is_reset=is_reset, terms=body(terms),
        )  # fmt: skip
        self._flush()

    def hear(self, data: bytes) -> None:
        """Take bytes."""
        if self._session is not None:
            self._work(self._session.receive(data, self._clock()))

    def lost(self) -> None:
        """The connection is gone."""
        if self._session is not None:
            self._work(self._session.lost(self._clock()))
        self._session = None

    def _tick(self) -> None:
        self._timer = None
        if self._session is not None:
            self._work(self._session.tick(self._clock()))

    def _work(self, happened: Sequence[Happened]) -> None:
        session = self._session
        assert session is not None
        for what in happened:
            match what:
                case LoggedOn():
                    self._logged_on()
                case Received():
                    self._take(what.message)
                    session.dealt(what)
                case ResendAsked():
                    self._laws.count("FIX gap of ours filled")
                    kept = [
                        self._sent[n] for n in range(what.first, what.last + 1) if n in self._sent
                    ]
                    session.resend(what.first, what.last, kept, self._clock())
                case Refused():
                    text = f"{what.number} is rejected: {what.message.text(58)}"
                    self._laws.breaks(Law.FIX_ANSWERED, f"{self.name}: {text}")
                case Garbled():
                    self._laws.breaks(Law.FIX_ONCE, f"{self.name}: {what.reason}")
                case Ended():
                    self._conversation.note(self.name, f"ended: {what.text}")
                case LogonAsked() | WasReset():
                    raise AssertionError(what)
                case _:
                    assert_never(what)
        if session.state is State.GAP:
            self._laws.count("FIX gap heard")
        self._flush()

    def _logged_on(self) -> None:
        self._conversation.note(self.name, "logged on")
        self._laws.count("FIX logon")
        self._is_reset_due = False
        self._heard.logged_on()

    def _flush(self) -> None:
        """Keep what was said, then write it."""
        session, line = self._session, self._line
        assert session is not None
        batch = session.flush()
        changes = batch.changes
        if changes is not None:
            if changes.is_reset:
                self._sent.clear()
            self._record = Record(changes.next_out, changes.next_in)
            self._sent.update({each.number: each for each in changes.sent})
        if line is not None and line.transport is not None:
            if batch.data and not line.transport.is_closing():
                line.transport.write(batch.data)
            if batch.is_last:
                line.transport.close()
        self._arm(session)

    def _arm(self, session: Session) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if session.due_ns is not None:
            wait_s = max(0, session.due_ns - self._clock()) / NS
            self._timer = self._loop.call_later(wait_s, self._tick)

    # ── what is heard ────────────────────────────────────────────────────────────────────────────

    def _take(self, message: Message) -> None:
        kind = message.msg_type
        self._conversation.note(self.name, f"← {message.sequence_number} {kind} {_shown(message)}")
        match kind:
            case "8":
                self._heard.report(message, self._terms)
                self._answered(message.text(790) or message.text(584) or message.text(11), message)
            case "9" | "r":
                self._answered(message.text(11), message)
            case "j" if message.text(380) == _UNKNOWN_ID:  # its account has gone
                self._answered(self._named_by(message.text(45)), message)
            case "j" if message.text(380) == _NOT_AVAILABLE:  # nobody could look: it is asked again
                named = self._named_by(message.text(45))
                self._is_mass_status_due |= named.startswith(_MASS)
                self._laws.count("FIX request that nobody could look for")
                self._answered(named, message)
            case _:
                text = f"{kind} {message.text(58)}"
                self._laws.breaks(Law.FIX_ANSWERED, f"{self.name} is told {text}")

    def _named_by(self, number: str) -> str:
        """Return the id of the request that was sent under a number; none if it is answered already."""
        return next((own for own, sent in self._unanswered.items() if str(sent) == number), "")

    def _answered(self, named: str, message: Message) -> None:
        if message.text(584) and message.text(912) != "Y":
            return
        self._unanswered.pop(named, None)

    # ── acts ─────────────────────────────────────────────────────────────────────────────────────

    def _rest(self) -> None:
        """Only listen."""

    def _place(self) -> None:
        request = self._random.choice(list(self._orders.values())).new(self._instructions)
        self._placed.append(request)
        self._unanswered[request.client_order_id] = self._say("D", self._fields(request))

    def _burst(self) -> None:
        """Place many and drop in the middle of what comes of it."""
        for _ in range(self._random.randrange(3, 15)):
            self._place()
        self._loop.call_later(self._random.randrange(1, 30) / 1_000, self._drop)

    def _cancel(self) -> None:
        if self._placed:
            request = self._random.choice(self._placed[-15:])
            self._say("F", [
                (11, self._new_id()), (41, request.client_order_id), (207, request.account),
                (60, self._time()),
            ])  # fmt: skip

    def _cancel_all(self) -> None:
        own, account = self._new_id(), self._random.choice(list(self._orders))
        fields = [(11, own), (530, "7"), (207, account), (60, self._time())]
        self._unanswered[own] = self._say("q", fields)

    def _status(self) -> None:
        if self._placed:
            request, own = self._random.choice(self._placed), self._new_id()
            fields = [(11, request.client_order_id), (207, request.account), (54, "1"), (790, own)]
            self._unanswered[own] = self._say("H", fields)

    def _mass_status(self) -> None:
        if not any(each.startswith(_MASS) for each in self._unanswered):
            self._is_mass_status_due = False  # what is asked now tells of who is here now
            own = self._new_id(_MASS)
            self._unanswered[own] = self._say("AF", [(584, own), (585, "7")])

    def _slow(self) -> None:
        """Read nothing for a while."""
        line = self._line
        if line is not None and line.transport is not None:
            self._conversation.note(self.name, "reads nothing")
            self._laws.count("slow client")
            line.transport.pause_reading()
            wait_s = self._random.randrange(1, _SLOW_MS_MAX) / 1_000
            self._loop.call_later(wait_s, line.transport.resume_reading)

    def _drop(self) -> None:
        if self._line is not None and self._line.transport is not None:
            self._conversation.note(self.name, "drops the connection")
            self._line.transport.abort()

    def _stay_away(self) -> None:
        """Leave for long, and forget the numbers."""
        self._drop()
        self._is_reset_due = True
        self._away_until_ns = self._loop.now_ns + _AWAY_NS

    def _log_out(self) -> None:
        if self._session is not None:
            self._conversation.note(self.name, "logs out")
            self._work(self._session.log_out("enough", self._clock()))

    def _instructions(self) -> tuple[ExecInst, ...]:
        return () if self._random.randrange(3) else (ExecInst.CANCEL_ON_DISCONNECT,)

    def _say(self, msg_type: str, fields: list[tuple[int, str]]) -> int:
        assert self._session is not None
        number = self._session.send(msg_type, body(fields), self._clock())
        self._conversation.note(self.name, f"→ {number} {msg_type} {fields}")
        self._flush()
        return number

    def _fields(self, request: PlaceOrder) -> list[tuple[int, str]]:
        assert request.symbol is not None
        fields = [
            (11, request.client_order_id), (207, request.account), (48, request.symbol),
            (22, words.CONTRACT_SYMBOL), (55, request.symbol), (60, self._time()), (40, "2"),
            (54, words.SIDE_LETTERS[request.side]), (44, f"{request.price:f}"),
            (38, f"{request.quantity:f}"), (59, words.TIME_IN_FORCE_LETTERS[request.time_in_force]),
        ]  # fmt: skip
        if request.expire_time_ns is not None:
            fields.append((126, words.utc_timestamp(request.expire_time_ns)))
        if request.exec_inst:
            letters = [words.EXEC_INST_LETTERS[each] for each in request.exec_inst]
            fields.append((18, " ".join(letters)))
        return fields

    def _new_id(self, kind: str = "ask") -> str:
        self._count += 1
        return f"{kind}-{self.name}-{self._count}"

    def _time(self) -> str:
        return words.utc_timestamp(self._clock())


class _Line(asyncio.Protocol):
    """The counterpart's side of one connection."""

    def __init__(self, client: FixClient) -> None:
        self.is_over = False
        self.transport: asyncio.Transport | None = None
        self.give_up: Callable[[], None] = lambda: None
        self._client = client

    def is_unanswered(self, waited_ns: int) -> bool:
        """Whether nobody has answered the attempt for so long that nobody will."""
        return self.transport is None and not self.is_over and waited_ns > _CONNECT_NS

    def failed(self, _error: OSError) -> None:
        """Nobody listens."""
        self.is_over = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Log on."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._client.connected()

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self._client.hear(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """Pass it on."""
        if not self.is_over:
            self.is_over = True
            self._client.lost()


def _shown(message: Message) -> str:
    text = message.text
    return f"17={text(17)} 11={text(11)} 39={text(39)} 14={text(14)} 43={text(43)} 58={text(58)}"
