"""A FIX client over a real socket that keeps its session through connections, made without our codec.

It does what a careful counterpart does: checks every number, asks for what is missing, answers resend
and test requests, and fails when a number comes twice without PossDupFlag. `told` are the application
messages in order, each number once.
"""

import re
import select
import socket
import ssl
import time
from collections.abc import Callable
from typing import Self

from tests.fix.spoken import Field, heard, raw, stamp

Said = dict[int, str]
SERVER = "CoinAPI.OEML.FIX"
WAIT_S = 40.0
_ADMIN = frozenset("0123456A") - {"3"}


class FixParty:
    """One session's client. `address` is HOST:PORT and may change with the server's next life."""

    def __init__(
        self,
        address: str,
        *,
        begin_string: str = "FIX.4.4",
        comp_id: str = "OMS.FIX.CLIENT",
        sub_id: str = "",
        appl_ver_id: str = "9",
        heartbeat_s: int = 30,
        receive_bytes: int | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """`receive_bytes`: how much the system takes in for a client that reads nothing.

        `context`: speak TLS, with what certificate it has.
        """
        self._context = context
        self.now_ns: Callable[[], int] = (
            time.time_ns
        )  # what SendingTime says; as the server's clock
        self.address = address
        self.comp_id = comp_id
        self.next_out = self.next_in = 1
        self.told: list[Said] = []
        self.is_over = False
        self.farewell = ""
        self._begin_string = begin_string
        self._sub_id = sub_id
        self._appl_ver_id = appl_ver_id
        self._heartbeat_s = heartbeat_s
        self._receive_bytes = receive_bytes
        self._socket: socket.socket | None = None
        self._bytes = b""
        self._inbox: list[Said] = []
        self._early: dict[int, Said] = {}  # heartbeats: they are never said again
        self._sent: dict[int, tuple[str, tuple[Field, ...]]] = {}
        self._asked_for = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    # ── the session ──────────────────────────────────────────────────────────────────────────────

    def log_on(self, *fields: Field, is_reset: bool = False) -> Said:
        """Connect, log on and return the server's Logon."""
        self.connect()
        if is_reset:
            self.next_out = self.next_in = 1
            self._sent.clear()
            fields = (*fields, (141, "Y"))
        if self._begin_string == "FIXT.1.1":
            fields = (*fields, (1137, self._appl_ver_id))
        self._send("A", self._number(), (98, 0), (108, self._heartbeat_s), *fields)
        return self.wait(lambda said: said[35] == "A", "the Logon is answered")

    def connect(self) -> None:
        """Connect, and say nothing."""
        host, _, port = self.address.rpartition(":")
        self._socket = socket.socket()
        self._socket.settimeout(WAIT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._receive_bytes is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_bytes)
        self._socket.connect((host, int(port)))
        if self._context is not None:
            self._socket = self._context.wrap_socket(self._socket, server_hostname=host)
        self._bytes = b""
        self._inbox.clear()
        self._early.clear()
        self._asked_for = 0
        self.is_over = False

    def log_out(self) -> None:
        """End the session in an orderly way."""
        self.say("5")
        self.wait_for_end()

    def wait_for_end(self) -> None:
        """Wait until the server has closed the connection."""
        deadline = time.monotonic() + WAIT_S
        while not self.is_over:
            assert time.monotonic() < deadline, "the connection stays"
            self.read()
        self.drop()

    def drop(self) -> None:
        """Hang up without a word."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def say(self, msg_type: str, *fields: Field) -> int:
        """Send a message and return its number."""
        number = self._number()
        if msg_type not in _ADMIN:
            self._sent[number] = (msg_type, fields)
        self._send(msg_type, number, *fields)
        return number

    def say_many(self, messages: list[tuple[str, tuple[Field, ...]]]) -> None:
        """Send several messages in one piece."""
        data = b""
        for msg_type, fields in messages:
            number = self._number()
            self._sent[number] = (msg_type, fields)
            data += self._message(msg_type, number, *fields)
        self._write(data)

    def send_bytes(self, data: bytes) -> None:
        """Send anything."""
        self._write(data)

    def message(self, msg_type: str, number: int, *fields: Field) -> bytes:
        """Return a message of this session as bytes, not counted."""
        return self._message(msg_type, number, *fields)

    # ── what the server says ─────────────────────────────────────────────────────────────────────

    def wait(self, condition: Callable[[Said], bool], what: str) -> Said:
        """Return the next message that fulfils `condition`; those before it are let pass."""
        deadline = time.monotonic() + WAIT_S
        while True:
            while self._inbox:
                said = self._inbox.pop(0)
                if condition(said):
                    return said
            assert not self.is_over, f"the connection ended before: {what}; {self.farewell}"
            assert time.monotonic() < deadline, f"not within {WAIT_S} s: {what}; {self.told[-3:]}"
            self.read()

    def report(self, client_order_id: str, status: str) -> Said:
        """Return the next ExecutionReport about an order that shows this status."""
        return self.wait(
            lambda said: said[35] == "8" and said.get(11) == client_order_id and said[39] == status,
            f"{client_order_id} is {status}",
        )

    def next_of(self, msg_type: str) -> Said:
        """Return the next message of this type."""
        return self.wait(lambda said: said[35] == msg_type, f"a message of type {msg_type}")

    def synchronise(self) -> None:
        """Wait until the server has answered everything that was said so far."""
        token = f"sync{self.next_out}"
        self.say("1", (112, token))
        self.wait(lambda said: said.get(112) == token, "the TestRequest is answered")

    def reports_of(self, client_order_id: str) -> list[Said]:
        """Return the ExecutionReports about an order so far."""
        return [said for said in self.told if said[35] == "8" and said.get(11) == client_order_id]

    def has_more(self, wait_s: float) -> bool:
        """Whether something is there to be waited for, or comes in this time."""
        if not self._inbox and not self.is_over:
            assert self._socket is not None, "not connected"
            if select.select([self._socket], [], [], wait_s)[0]:
                self.read()
        return bool(self._inbox)

    def forget(self) -> None:
        """Wait for nothing that is here already; `told` has it still."""
        self._inbox.clear()

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    def _number(self) -> int:
        self.next_out += 1
        return self.next_out - 1

    def _message(
        self, msg_type: str, number: int, *fields: Field, marks: tuple[Field, ...] = ()
    ) -> bytes:
        header: list[Field] = [(35, msg_type), (49, self.comp_id), (56, SERVER), (34, number)]
        if self._sub_id:
            header.append((50, self._sub_id))
        return raw([*header, *marks, (52, stamp(self.now_ns())), *fields], self._begin_string)

    def _send(
        self, msg_type: str, number: int, *fields: Field, marks: tuple[Field, ...] = ()
    ) -> None:
        self._write(self._message(msg_type, number, *fields, marks=marks))

    def _write(self, data: bytes) -> None:
        assert self._socket is not None, "not connected"
        self._socket.sendall(data)

    def read(self) -> None:
        """Take what comes next, or the end."""
        assert self._socket is not None, "not connected"
        try:
            data = self._socket.recv(1 << 16)
        except ConnectionError:
            data = b""
        if not data:
            self.is_over = True
            return
        self._bytes += data
        whole, self._bytes = _whole(self._bytes)
        for said in heard(whole):
            self._take(said)

    def _take(self, said: Said) -> None:
        number, msg_type = int(said[34]), said[35]
        assert said[49] == SERVER, said
        assert said[56] == self.comp_id, said
        if msg_type == "4" and said.get(123) != "Y":
            self.next_in = int(said[36])
            return
        if msg_type == "2":
            self._resend(int(said[7]), int(said[16]))
        if msg_type == "A" and said.get(141) == "Y":
            self.next_in = number
        if number > self.next_in:
            if msg_type in "A5":
                self._inbox.append(said)
            elif msg_type == "0":
                self._early[number] = said
            if not self._asked_for:
                self._asked_for = number
                self.say("2", (7, self.next_in), (16, 0))
            return
        if number < self.next_in:
            assert said.get(43) == "Y", (
                f"number {number} came twice, {self.next_in} is next: {said}"
            )
            return
        self.next_in = number + 1
        if self._asked_for and self.next_in > self._asked_for:
            self._asked_for = 0
        if msg_type == "4":
            self.next_in = int(said[36])
        elif msg_type == "1":
            self.say("0", (112, said[112]))
        elif msg_type == "5":
            self.farewell = said.get(58, "")
        if msg_type not in _ADMIN:
            self.told.append(said)
        self._inbox.append(said)
        for early in sorted(self._early):
            if early <= self.next_in:
                self._inbox.append(self._early.pop(early))
                self.next_in = max(self.next_in, early + 1)

    def _resend(self, first: int, last: int) -> None:
        """Say again what the server asks for; a gap fill stands for the rest."""
        last = last or self.next_out - 1
        at = first
        while at <= last:
            marks: tuple[Field, ...] = ((43, "Y"), (122, stamp(self.now_ns())))
            if at in self._sent:
                msg_type, fields = self._sent[at]
                self._send(msg_type, at, *fields, marks=marks)
                at += 1
                continue
            end = at
            while end <= last and end not in self._sent:
                end += 1
            self._send("4", at, (123, "Y"), (36, end), marks=marks)
            at = end


def _whole(data: bytes) -> tuple[bytes, bytes]:
    """Divide bytes into whole frames and the beginning of one."""
    at = 0
    while found := re.compile(rb"8=FIXT?\.\d\.\d\x019=(\d+)\x01").match(data, at):
        end = found.end() + int(found[1]) + 7
        if end > len(data):
            break
        at = end
    return data[:at], data[at:]


# ── messages ─────────────────────────────────────────────────────────────────────────────────────


def now_text() -> str:
    """Return now as FIX writes it."""
    return stamp(time.time_ns())


def order(client_order_id: str, **changes: object) -> tuple[Field, ...]:
    """Return a NewOrderSingle that rests far below the market; `_38=…` changes a field, None removes it."""
    fields: dict[int, object] = {
        11: client_order_id,
        583: client_order_id,
        207: "SIM",
        48: "BTC/USDT",
        22: "8",
        55: "BTC/USDT",
        60: now_text(),
        40: "2",
        54: "1",
        44: "20000.00",
        38: "0.01",
        59: "1",
    } | {int(name[1:]): value for name, value in changes.items()}
    return tuple((tag, value) for tag, value in fields.items() if value is not None)


def cancel(cancel_id: str, client_order_id: str, account: str = "SIM") -> tuple[Field, ...]:
    """Return an OrderCancelRequest."""
    return ((11, cancel_id), (41, client_order_id), (207, account), (60, now_text()))


def mass_cancel(cancel_id: str, account: str = "SIM") -> tuple[Field, ...]:
    """Return an OrderMassCancelRequest."""
    return ((11, cancel_id), (530, 7), (207, account), (60, now_text()))
