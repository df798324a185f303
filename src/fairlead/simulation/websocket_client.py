"""A client of the WebSocket API: follows every account, drops and resumes, is slow, and trades.

Its side of the protocol is `websockets`' sans-IO client. What it is sent is judged by `stream_laws`.
"""

import asyncio
import json
from collections.abc import Callable
from random import Random
from urllib.parse import quote

from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from fairlead.core.model import ExecInst
from fairlead.core.requests import PlaceOrder
from fairlead.gateway.times import time_text
from fairlead.simulation.conversation import Conversation
from fairlead.simulation.gate import Gate
from fairlead.simulation.law import Law
from fairlead.simulation.laws import Laws
from fairlead.simulation.loop import NS, Process, VirtualLoop
from fairlead.simulation.network import MS
from fairlead.simulation.orders import Orders
from fairlead.simulation.pipes import Plain
from fairlead.simulation.stream_laws import Joined
from fairlead.simulation.truth import Shown, Truth, read_json

_SILENT_NS = 3 * NS  # SERVER_INFO comes each second
_CONNECT_NS = 500 * MS
_SLOW_MS_MAX = 1_500
_ACTS = {
    "rest": 30, "place": 30, "burst": 3, "cancel": 8, "cancel_all": 1, "slow": 4, "drop": 5, "leave": 2,
}  # fmt: skip
_POLL_S = 0.05
_POLLS_MAX = 1_000


class WebSocketClient:
    """One client, over all of its connections."""

    def __init__(
        self,
        name: str,
        gate: Gate,
        loop: VirtualLoop,
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
        self._random = random
        self._laws = laws
        self._orders = orders
        self._conversation = conversation
        self._joined = {account: Joined(name, account, laws, truth) for account in orders}
        self._process = Process(name)
        self._way = gate.websocket(self._process, Plain(name, conversation))
        self._line: _Line | None = None
        self._asked: dict[str, int] = {}
        self._placed: list[PlaceOrder] = []

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
        """Have everything, and see that it is right; then leave. The world is calm and at rest."""
        for _ in range(_POLLS_MAX):
            if self._tend() and all(each.is_caught_up() for each in self._joined.values()):
                break
            await asyncio.sleep(_POLL_S)
        else:
            self._laws.breaks(Law.STREAMED, f"{self.name} does not catch up in a calm world")
        for joined in self._joined.values():
            joined.judge()
        self._leave()

    # ── the connection ───────────────────────────────────────────────────────────────────────────

    def _tend(self) -> bool:
        """See that there is a connection; whether it can be used now."""
        line = self._line
        if line is not None and line.is_dead(self._loop.now_ns):
            line.abort()
            line = None
        if line is None or line.is_over:
            self._dial()
            return False
        return line.is_open

    def _dial(self) -> None:
        for joined in self._joined.values():
            joined.disconnected()
        self._asked = {}
        for account, joined in self._joined.items():
            asked = self._from(joined)
            if asked is not None:
                self._asked[account] = asked
        query = "&".join(
            f"from={sequence}:{quote(account, safe='')}"
            for account, sequence in self._asked.items()
        )
        path = self._random.choice(["/", "/v1", "/v1/ws"])
        self._conversation.note(self.name, f"dials {path}?{query}")
        self._line = _Line(f"{path}?{query}" if query else path, self._hear, self._loop)
        self._line.give_up = self._way(self._line, self._line.failed)

    def _from(self, joined: Joined) -> int | None:
        """Draw from where to resume: where it was, mostly."""
        if joined.position is None:
            return None
        match self._random.randrange(16):
            case 0:
                return None
            case 1:
                return joined.position + 1_000_000
            case 2:
                joined.position = 0  # it has forgotten all that it knew
                return 0
            case _:
                return joined.position

    def _hear(self, data: bytes) -> None:
        message = read_json(data)
        kind = message["type"]
        if kind == "SERVER_INFO" and message["is_running"] and "resumed" not in message:
            return
        if kind == "MESSAGE_REJECT":
            self._conversation.note(self.name, f"{kind} {message['message']}")
            self._laws.count("refused by WebSocket")
            return
        account = message["exchange_id"]
        self._conversation.note(self.name, f"{kind} {account} {message['sequence']}")
        self._take(kind, message, account)

    def _take(self, kind: str, message: Shown, account: str) -> None:
        joined = self._joined[account]
        match kind:
            case "SERVER_INFO" if not message["is_running"]:
                self._asked.pop(account, None)
                joined.ended(message)
            case "SERVER_INFO":
                reports_max = self._gate.settings.websocket.resume_reports_max
                joined.opened(message, self._asked.get(account), reports_max)
            case "SYMBOLS_SNAPSHOT":
                pass
            case "ORDER_EXEC_REPORT_SNAPSHOT":
                joined.order_snapshot(message)
            case "BALANCE_SNAPSHOT":
                joined.balance_snapshot(message)
            case "POSITION_SNAPSHOT":
                joined.position_snapshot(message)
            case _:
                joined.update(message)

    # ── acts ─────────────────────────────────────────────────────────────────────────────────────

    def _rest(self) -> None:
        """Only listen."""

    def _place(self) -> None:
        request = self._random.choice(list(self._orders.values())).new(self._instructions)
        self._placed.append(request)
        self._say(_place(request))

    def _burst(self) -> None:
        """Place many and drop in the middle of what comes of it."""
        for _ in range(self._random.randrange(3, 15)):
            self._place()
        self._loop.call_later(self._random.randrange(1, 30) / 1_000, self._drop)

    def _cancel(self) -> None:
        if self._placed:
            request = self._random.choice(self._placed[-15:])
            message = {"exchange_id": request.account, "client_order_id": request.client_order_id}
            self._say({"type": "ORDER_CANCEL_SINGLE_REQUEST", **message})

    def _cancel_all(self) -> None:
        account = self._random.choice(list(self._orders))
        self._say({"type": "ORDER_CANCEL_ALL_REQUEST", "exchange_id": account})

    def _slow(self) -> None:
        """Read nothing for a while."""
        if self._line is not None:
            self._conversation.note(self.name, "reads nothing")
            self._laws.count("slow client")
            self._line.pause(self._random.randrange(1, _SLOW_MS_MAX) / 1_000)

    def _drop(self) -> None:
        if self._line is not None:
            self._conversation.note(self.name, "drops the connection")
            self._line.abort()

    def _leave(self) -> None:
        if self._line is not None:
            self._conversation.note(self.name, "leaves")
            self._line.leave()

    def _instructions(self) -> tuple[ExecInst, ...]:
        return () if self._random.randrange(3) else (ExecInst.CANCEL_ON_DISCONNECT,)

    def _say(self, message: Shown) -> None:
        if self._line is not None:
            self._conversation.note(self.name, message)
            self._line.say(json.dumps(message).encode())


class _Line(asyncio.Protocol):
    """The client's side of one connection."""

    def __init__(self, target: str, hear: Callable[[bytes], None], loop: VirtualLoop) -> None:
        self.is_open = False
        self.is_over = False
        self.give_up: Callable[[], None] = lambda: None
        self._hear = hear
        self._loop = loop
        self._protocol = ClientProtocol(parse_uri(f"ws://localhost{target}"), max_size=None)
        self._transport: asyncio.Transport | None = None
        self._heard_ns = loop.now_ns
        self._is_paused = False

    def is_dead(self, now_ns: int) -> bool:
        """Whether nothing has come for so long that nothing will."""
        limit_ns = _SILENT_NS if self.is_open else _CONNECT_NS
        return not self.is_over and not self._is_paused and now_ns - self._heard_ns > limit_ns

    def failed(self, _error: OSError) -> None:
        """Nobody listens."""
        self.is_over = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask to be upgraded."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._protocol.send_request(self._protocol.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Hear whole messages."""
        self._heard_ns = self._loop.now_ns
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                self.is_open = self._protocol.state is State.OPEN
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT and not self.is_over:
                self._hear(bytes(event.data))
        assert self._protocol.parser_exc is None, self._protocol.parser_exc
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """It is over."""
        self.is_open = False
        self.is_over = True

    def pause(self, duration_s: float) -> None:
        """Read nothing for a while."""
        if self._transport is not None and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
            self._loop.call_later(duration_s, self._read_on)

    def _read_on(self) -> None:
        self._is_paused = False
        self._heard_ns = self._loop.now_ns
        if self._transport is not None:
            self._transport.resume_reading()

    def say(self, message: bytes) -> None:
        """Send a text message."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_text(message)
            self._flush()

    def leave(self) -> None:
        """End the connection in an orderly way."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
            self._flush()

    def abort(self) -> None:
        """End the connection at once, and hear no more of it."""
        self.give_up()
        self.is_open = False
        self.is_over = True
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        assert self._transport is not None
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()


def _place(request: PlaceOrder) -> Shown:
    """Return the message that asks for an order."""
    symbol = {"symbol_id_coinapi": request.symbol}
    if request.symbol_exchange is not None:
        symbol["symbol_id_exchange"] = request.symbol_exchange
    message: Shown = {
        "type": "ORDER_NEW_SINGLE_REQUEST",
        "exchange_id": request.account,
        "client_order_id": request.client_order_id,
        **symbol,
        "amount_order": f"{request.quantity:f}",
        "price": f"{request.price:f}",
        "side": request.side.value,
        "order_type": "LIMIT",
        "time_in_force": request.time_in_force.value,
    }
    if request.expire_time_ns is not None:
        message["expire_time"] = time_text(request.expire_time_ns)
    if request.exec_inst:
        message["exec_inst"] = [each.value for each in request.exec_inst]
    return message
