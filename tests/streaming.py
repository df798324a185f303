"""A client of the WebSocket API for tests, over the public `websockets` library, every number exact."""

import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Self
from urllib.parse import quote

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.system import Json, encoded, exact, order

WAIT_S = 40.0
OPENING = [
    "SERVER_INFO",
    "SYMBOLS_SNAPSHOT",
    "ORDER_EXEC_REPORT_SNAPSHOT",
    "BALANCE_SNAPSHOT",
    "POSITION_SNAPSHOT",
]
RESUMED = [name for name in OPENING if name != "ORDER_EXEC_REPORT_SNAPSHOT"]


def address(url: str, path: str = "/v1/ws", resume: Mapping[str, int] | None = None) -> str:
    """Return where a client connects, with what it has seen of which account."""
    seen = "&".join(
        f"from={sequence}:{quote(name, safe='')}" for name, sequence in (resume or {}).items()
    )
    return url.replace("http://", "ws://") + path + (f"?{seen}" if seen else "")


class Stream:
    """One connection. `messages` is all that came, but for SERVER_INFO after the opening."""

    def __init__(
        self,
        url: str,
        path: str = "/v1/ws",
        resume: Mapping[str, int] | None = None,
        accounts: int = 2,
    ) -> None:
        self._stack = ExitStack()
        # Without a bound, or with some messages unread nothing more would be read, and no end either.
        opened = connect(address(url, path, resume), proxy=None, max_size=None, max_queue=None)
        self._socket = self._stack.enter_context(opened)
        self._accounts = accounts
        self.messages: list[Json] = []
        self.infos: list[Json] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()

    def kill(self) -> None:
        """End it without a goodbye."""
        self._socket.socket.shutdown(socket.SHUT_RDWR)
        self.close()

    def send(self, kind: str, **fields: object) -> bytes:
        """Send a message of this type; return it."""
        message = encoded({"type": kind} | fields)
        self.send_text(message.decode())
        return message

    def send_text(self, text: str) -> None:
        self._socket.send(text)

    def send_binary(self, data: bytes) -> None:
        self._socket.send(data)

    def place(self, client_order_id: str, **changes: object) -> None:
        self.send("ORDER_NEW_SINGLE_REQUEST", **order(client_order_id, **changes))

    def next(self, timeout_s: float = WAIT_S) -> Json:
        """Read one message. Raises ConnectionClosed."""
        text = self._socket.recv(timeout_s)
        assert isinstance(text, str)
        message = exact(text.encode())
        if message["type"] == "SERVER_INFO" and len(self.infos) >= self._accounts:
            self.infos.append(message)
        else:
            if message["type"] == "SERVER_INFO":
                self.infos.append(message)
            self.messages.append(message)
        return message

    def wait(self, is_it: Callable[[Json], object], what: str) -> Json:
        """Read on until such a message comes."""
        deadline = time.monotonic() + WAIT_S
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                message = self.next(left_s)
            except TimeoutError:
                break
            if is_it(message):
                return message
        raise AssertionError(f"did not come: {what}; the last: {self.messages[-5:]}")

    def opening(self) -> dict[str, dict[str, Json]]:
        """Read until every account has its snapshots; return them by account and type."""
        seen: dict[str, dict[str, Json]] = {}
        while len(seen) < self._accounts or not all(
            "POSITION_SNAPSHOT" in s for s in seen.values()
        ):
            message = self.next()
            if message["type"] in OPENING:
                seen.setdefault(message["exchange_id"], {}).setdefault(message["type"], message)
        return seen

    def report(self, client_order_id: str, *statuses: str) -> Json:
        """Return the first report with which the order had one of these statuses; read on for it."""

        def is_it(message: Json) -> bool:
            return (
                message["type"] == "ORDER_EXEC_REPORT_UPDATE"
                and message["client_order_id"] == client_order_id
                and message["status"] in statuses
            )

        for message in self.messages:
            if is_it(message):
                return message
        return self.wait(is_it, f"{client_order_id} {' or '.join(statuses)}")

    def reject(self) -> Json:
        """Read on until a refusal."""
        return self.wait(lambda each: each["type"] == "MESSAGE_REJECT", "a refusal")

    def closed(self) -> tuple[int, str]:
        """Read to the end; return how the server closed, as (code, reason)."""
        try:
            while True:
                self.next()
        except ConnectionClosed as error:
            return (1006, "") if error.rcvd is None else (error.rcvd.code, error.rcvd.reason)

    def updates(self, account: str = "SIM") -> list[Json]:
        """The updates of an account so far, in the order in which they came."""
        return [
            each
            for each in self.messages
            if each["type"].endswith("_UPDATE") and each["exchange_id"] == account
        ]
