"""A TCP relay between a client and a system that loses what a test tells it to lose.

Only POSTs are meddled with; questions pass. Nothing is ever sent twice by it.
"""

import socket
import threading
from contextlib import suppress
from enum import Enum
from urllib.parse import urlsplit


class Loss(Enum):
    """What becomes of a POST."""

    NOTHING = "passes"
    REQUEST = "the request never arrives, the client hears nothing"
    REQUEST_CUT = "the request never arrives, the connection is closed"
    LATE = "the request arrives when the client has begun to ask"
    ANSWER = "it arrives, its answer never does"
    ANSWER_CUT = "it arrives, the connection is closed instead of an answer"
    ANSWER_HALF = "it arrives, half of its answer comes, then the connection is closed"


class Proxy:
    """Relays `url` at an address of its own; `loss` may be changed at any time."""

    def __init__(self, url: str, loss: Loss = Loss.NOTHING) -> None:
        self.loss = loss
        self.posts = 0
        self.is_holding = threading.Event()  # a POST was met with a loss
        self._target = url
        self._is_asked = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = {self._listener}
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._accept)

    def close(self) -> None:
        """Cut everything and wait until it is gone."""
        self._is_asked.set()
        for each in list(self._open):
            _end(each)
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(client)
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        """Relay one connection: one request at a time, then its answer."""
        target = urlsplit(self._target)
        try:
            with client, socket.create_connection((target.hostname, target.port)) as system:
                self._open.add(system)
                while request := _message(client):
                    if not self._relay(request, client, system):
                        return
        except OSError:
            return  # one of the two has gone, or the test has ended
        finally:
            self._open.discard(client)

    def _relay(self, request: bytes, client: socket.socket, system: socket.socket) -> bool:
        """Return whether the connection goes on."""
        is_post = request.startswith(b"POST")
        self.posts += is_post
        loss = self.loss if is_post else Loss.NOTHING
        if not is_post:
            self._is_asked.set()
        if loss is not Loss.NOTHING:
            self.is_holding.set()
        if loss is Loss.REQUEST:
            client.recv(1)  # until the client has given up
            return False
        if loss is Loss.REQUEST_CUT:
            return False
        if loss is Loss.LATE:
            self._is_asked.clear()
            self._is_asked.wait(30)
        system.sendall(request)
        answer = _message(system)
        if loss in (Loss.ANSWER, Loss.LATE):
            client.recv(1)
            return False
        if loss is Loss.ANSWER_CUT:
            return False
        if loss is Loss.ANSWER_HALF:
            client.sendall(answer[: len(answer) // 2])
            return False
        client.sendall(answer)
        return bool(answer)


def _message(source: socket.socket) -> bytes:
    """Return one HTTP message with a Content-Length (or none); empty when the other side has ended."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = source.recv(65_536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    while len(body) < length:
        part = source.recv(65_536)
        if not part:
            return b""
        body += part
    return head + b"\r\n\r\n" + body


def _end(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
