"""What fails in one client's TLS connection ends that connection and nothing else, on both event loops."""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop
from cryptography import x509
from structlog.testing import capture_logs
from websockets.exceptions import ConnectionClosedError

from fairlead.app.fatal import Fatal
from fairlead.gateway.fixapi.acceptor import FixConnection
from fairlead.gateway.secure import SecureAcceptor, Security
from fairlead.gateway.server import address_of, bind
from fairlead.tls import refusing
from tests.gateway.http2_client import client_context
from tests.gateway.test_secure import GET, connected, counted, serving, stream
from tests.gateway.wire import Wire
from tests.tls.authorities import Desk

Run = Callable[[Any], None]
LONG = b"x" * (6 << 20)  # more than the kernel's buffers take


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    return cast(Any, asyncio.run if request.param == "asyncio" else uvloop.run)


class Handler:
    """The process's handler of what the loop catches, and what it was told."""

    def __init__(self) -> None:
        self.fatal = Fatal()
        self.told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        asyncio.get_running_loop().set_exception_handler(self._on_error)

    def _on_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.told.put_nowait(context)
        self.fatal.on_loop_error(loop, context)


class Failing(FixConnection):
    """A client's connection that fails where its client says, and else says the same as it."""

    def __init__(self) -> None:
        self._where = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._where = data.decode()
        self._fail("data_received")
        for each in (LONG, LONG) if self._where.endswith("_writing") else (data,):
            self._transport.write(each)  # asyncio hands the first on, and pauses at the second

    def eof_received(self) -> None:
        self._fail("eof_received")

    def pause_writing(self) -> None:
        self._fail("pause_writing")

    def resume_writing(self) -> None:
        self._fail("resume_writing")

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("connection_lost")

    def _fail(self, where: str) -> None:
        if self._where == where:
            raise ValueError(where)


@asynccontextmanager
async def accepting(desk: Desk, context: Callable[[], ssl.SSLContext]) -> AsyncIterator[Security]:
    """Accept `Failing` connections at the address in `desk.path / "address"`."""
    bound = bind("127.0.0.1", 0)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
    security = Security(context)
    acceptor = SecureAcceptor(
        bound, security, 8, lambda _: False, lambda _, __: Failing(), lambda: None
    )
    host, port = address_of(bound)
    (desk.path / "address").write_text(f"https://{host}:{port}")
    try:
        yield security
    finally:
        acceptor.close()
        await acceptor.wait_closed()
        bound.close()


def server_context(desk: Desk) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(desk.folder / "server.pem")
    return context


@asynccontextmanager
async def client(desk: Desk) -> AsyncIterator[Wire]:
    url = (desk.path / "address").read_text()
    async with connected(url, client_context(desk.authorities)) as wire:
        yield wire


async def says_the_same(wire: Wire) -> None:
    await wire.send(b"hello")
    assert await wire.reader.readexactly(5) == b"hello"


async def until_closed(wire: Wire) -> None:
    with suppress(OSError):
        while await wire.reader.read(1 << 16):
            pass


@pytest.mark.parametrize(
    "where", ["data_received", "eof_received", "pause_writing", "resume_writing", "connection_lost"]
)
def test_a_protocol_that_fails_loses_its_connection_and_no_other_is_harmed(
    tmp_path: Path, run: Run, where: str
) -> None:
    desk = Desk(tmp_path)

    async def story() -> None:
        handler = Handler()
        context = server_context(desk)
        async with accepting(desk, lambda: context), client(desk) as other:
            await says_the_same(other)
            with capture_logs() as logs:
                async with client(desk) as wire:
                    await wire.send(where.encode())
                    if where in ("eof_received", "connection_lost"):
                        await wire.reader.readexactly(len(where))
                        wire.writer.close()
                    await until_closed(wire)
                told = await handler.told.get()
            assert (str(told["exception"]), type(told["protocol"])) == (where, Failing)
            assert [(each["event"], each["log_level"]) for each in logs] == [("loop", "error")]
            assert logs[0]["exc_info"] is told["exception"]
            assert handler.told.empty()
            assert not handler.fatal.cause.done()
            await says_the_same(other)

    run(story())


def test_a_websocket_that_fails_loses_its_connection_and_no_other_is_harmed(
    tmp_path: Path, run: Run
) -> None:
    """The HTTP connection has become another one since its handshake."""

    async def story() -> None:
        handler = Handler()
        async with serving(tmp_path) as served:
            one, two = served.registered("one"), served.registered("two")
            async with (
                connected(served.https_clients, served.context(two)) as other,
                stream(served.https_clients, served.context(one)) as client,
            ):
                served.broken = ValueError("cannot judge")
                await client.send("hello")
                with pytest.raises(ConnectionClosedError):
                    await client.recv()
                assert (await handler.told.get())["exception"] is served.broken
                assert served.application.follower.ends == ["lost"]
                served.broken = None
                await other.send(GET)
                assert (await other.answer()).status == 200
        assert not handler.fatal.cause.done()

    run(story())


def test_a_connection_that_cannot_begin_is_closed_and_counted(tmp_path: Path, run: Run) -> None:
    async def story() -> None:
        handler = Handler()
        async with serving(tmp_path) as served:
            one = served.registered("one")
            served.broken = ValueError("cannot judge")
            with capture_logs() as logs:
                async with connected(served.https_clients, served.context(one)) as wire:
                    await until_closed(wire)
            await counted(served, Counter([refusing.FAILED]))
            assert [each["event"] for each in logs] == ["tls_failed"]
            served.broken = None
            async with connected(served.https_clients, served.context(one)) as wire:
                await wire.send(GET)
                assert (await wire.answer()).status == 200
        assert handler.told.empty()

    run(story())


def test_a_certificate_that_nobody_can_judge_is_refused_as_our_failure(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_: bytes) -> x509.Certificate:
        raise LookupError("an error that cryptography does not document")

    async def story() -> None:
        handler = Handler()
        async with serving(tmp_path) as served:
            one = served.registered("one")
            with monkeypatch.context() as patch, capture_logs() as logs:
                patch.setattr(x509, "load_der_x509_certificate", unreadable)
                async with connected(served.https_clients, served.context(one)) as wire:
                    await until_closed(wire)
                await counted(served, Counter([refusing.FAILED]))
            (said,) = logs
            assert said["event"] == "tls_failed"
            assert isinstance(said["exc_info"].__cause__, LookupError)
            async with connected(served.https_clients, served.context(one)) as wire:
                await wire.send(GET)
                assert (await wire.answer()).status == 200
        assert handler.told.empty()

    run(story())


def test_without_a_context_a_connection_is_closed_and_the_next_one_served(
    tmp_path: Path, run: Run
) -> None:
    desk = Desk(tmp_path)

    async def story() -> None:
        handler = Handler()
        contexts = [server_context(desk)]  # there is none for the first connection
        told = [ValueError("no context")]

        def context() -> ssl.SSLContext:
            if told:
                raise told.pop()
            return contexts[0]

        async with accepting(desk, context) as security:
            with capture_logs() as logs, suppress(OSError):
                async with client(desk) as wire:
                    await until_closed(wire)
            assert [each["event"] for each in logs] == ["tls_failed"]
            assert security.refused == Counter([refusing.FAILED])
            async with client(desk) as wire:
                await says_the_same(wire)
        assert handler.told.empty()

    run(story())
