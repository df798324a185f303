"""What both transports do with connections that fail: the peer says, to the byte, what a system would.

A peer answers each connection by a script and counts what it is sent: nothing that may change anything
comes twice.
"""

import inspect
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from fairlead.client import AsyncClient, Client, OutcomeUnknown, Unreachable
from tests.client.callers import MakeCaller
from tests.client.words import new_order

BODY = b'{"status": "live"}'
OK = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)
CLOSING = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (
    len(BODY),
    BODY,
)
SILENT = b""  # says nothing until the client has gone
CUT = None  # closes instead of an answer


class Peer:
    """Serves `script`: for each connection the answers to its requests, in turn; then it closes."""

    def __init__(self, *script: list[bytes | None]) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.is_closed = threading.Event()  # a connection has been closed by us
        self._script = list(script)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        for answers in self._script:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                for answer in answers:
                    if not self._answer(connection, answer):
                        break
            self.is_closed.set()

    def _answer(self, connection: socket.socket, answer: bytes | None) -> bool:
        request = b""
        while b"\r\n\r\n" not in request:
            part = connection.recv(65_536)
            if not part:
                return False
            request += part
        self.requests.append(request)
        if answer == SILENT:
            connection.recv(65_536)
            return False
        if answer is CUT:
            return False
        connection.sendall(answer)
        return True


MakePeer = Callable[..., Peer]


@pytest.fixture
def make_peer() -> Iterator[MakePeer]:
    peers: list[Peer] = []

    def make(*script: list[bytes | None]) -> Peer:
        peers.append(Peer(*script))
        return peers[-1]

    yield make
    for peer in peers:
        peer.close()


def test_a_connection_is_used_again(make_peer: MakePeer, make_caller: MakeCaller) -> None:
    peer = make_peer([OK] * 3)
    caller = make_caller(peer.url)
    for _ in range(3):
        caller.live()
    assert (peer.connections, len(peer.requests)) == (1, 3)


def test_a_connection_that_was_closed_meanwhile_is_not_written_to(
    make_peer: MakePeer, make_caller: MakeCaller
) -> None:
    peer = make_peer([OK], [CUT])
    caller = make_caller(peer.url)
    caller.live()
    assert peer.is_closed.wait(60)
    with pytest.raises(OutcomeUnknown):
        caller.place(new_order())
    assert [request[:4] for request in peer.requests] == [b"GET ", b"POST"]


def test_a_connection_that_the_system_ends_is_not_kept(
    make_peer: MakePeer, make_caller: MakeCaller
) -> None:
    peer = make_peer([CLOSING], [OK])
    caller = make_caller(peer.url)
    caller.live()
    caller.live()
    assert peer.connections == 2


def test_a_connection_idle_for_too_long_is_made_anew(
    make_peer: MakePeer, make_caller: MakeCaller
) -> None:
    peer = make_peer([OK, OK], [OK])
    caller = make_caller(peer.url, idle_s=0.0)
    caller.live()
    caller.live()
    assert peer.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        CUT,
        SILENT,
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 302 Found\r\nlocation: /v1/orders\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 307 Temporary Redirect\r\nlocation: /v1/orders\r\ncontent-length: 0\r\n\r\n",
    ],
    ids=["cut", "silent", "nonsense", "half", "empty", "302", "307"],
)
def test_an_order_is_sent_once_whatever_comes_back(
    answer: bytes | None, make_peer: MakePeer, make_caller: MakeCaller
) -> None:
    peer = make_peer([OK, answer], [OK], [OK])
    caller = make_caller(peer.url, timeout_s=1.0)
    caller.live()
    with pytest.raises(OutcomeUnknown) as caught:
        caller.place(new_order("x"))
    assert caught.value.client_order_id == "x"
    assert [request[:4] for request in peer.requests] == [b"GET ", b"POST"]


@pytest.mark.parametrize("answer", [SILENT, b"nonsense\r\n\r\n"], ids=["silent", "nonsense"])
def test_a_question_without_an_answer_changed_nothing(
    answer: bytes, make_peer: MakePeer, make_caller: MakeCaller
) -> None:
    peer = make_peer([answer], [answer])
    with pytest.raises(Unreachable, match="nothing was changed"):
        make_caller(peer.url, timeout_s=1.0).balances()


def test_a_question_is_asked_again_where_the_kept_connection_just_ended(
    make_peer: MakePeer, make_caller: MakeCaller
) -> None:
    peer = make_peer([OK, CUT], [OK])
    caller = make_caller(peer.url)
    caller.live()
    caller.live()
    assert len(peer.requests) == 3


def test_nobody_there(make_caller: MakeCaller) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, not listening: refused
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        for call in ("live", "balances"):
            with pytest.raises(Unreachable, match=f"no system answers at {url}"):
                getattr(make_caller(url), call)()
        with pytest.raises(Unreachable):
            make_caller(url).place(new_order())


@pytest.mark.parametrize(
    "url", ["127.0.0.1:1", "ftp://127.0.0.1:1", "http://", "http://h:x", "http://h:1/v1"]
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_an_address_that_is_none_is_refused(url: str, kind: type[Client | AsyncClient]) -> None:
    with pytest.raises(ValueError, match="is not http://HOST:PORT"):
        kind(url)


# ── one face ─────────────────────────────────────────────────────────────────────────────────────


def test_both_clients_have_the_same_calls_with_the_same_words() -> None:
    def calls_of(kind: type) -> dict[str, tuple[list[str], str | None]]:
        return {
            name: (list(inspect.signature(method).parameters), method.__doc__)
            for name, method in vars(kind).items()
            if inspect.isfunction(method) and not name.startswith("_")
        }

    sync, asynchronous = calls_of(Client), calls_of(AsyncClient)
    assert sync.keys() == asynchronous.keys() - {"stream"}  # which has no end to wait for
    assert {name for name in sync if sync[name] != asynchronous[name]} <= {"close"}
