"""TLS listeners: bounds of handshakes, and certificates that are judged at every request and message."""

import asyncio
import json
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from fairlead.gateway.listeners import ListenError, ListenerSettings, SecureListeners
from fairlead.gateway.peers import NOT_COUNTED, Peer, peer_certificate
from fairlead.gateway.protocol import Limits
from fairlead.gateway.secure import TlsLimits
from fairlead.gateway.websocket.wire import WIRE, Counted, WebSocketProtocol
from fairlead.tls import folder as files
from fairlead.tls import refusing
from tests.gateway.http2_client import client_context, http2
from tests.gateway.wire import Wire, request
from tests.gateway.wire import connected as connected_to
from tests.tls.authorities import Certificate, Desk

pytestmark = pytest.mark.asyncio

GET = request("GET", "/")
PATIENT = Limits(request_timeout_s=60, stop_timeout_s=5)


class Follower:
    """The client's side of a WebSocket: keeps what came and how it ended."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.ends: list[str] = []

    def start(self) -> None: ...

    def writable(self) -> None: ...

    def stop(self) -> None: ...

    def received(self, messages: list[bytes]) -> None:
        self.messages += messages

    def ended(self, why: str) -> None:
        self.ends.append(why)


class Application:
    """Says whose certificate a request came with; follows what is upgraded."""

    def __init__(self) -> None:
        self.follower = Follower()
        self.peers: list[Peer | None] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = peer_certificate(scope)
        self.peers.append(peer)
        if scope["type"] == "websocket":
            wire: WebSocketProtocol = scope["extensions"][WIRE]
            wire.accept(lambda _: cast(Any, self.follower), Counted())
            return
        body = json.dumps(None if peer is None else peer.fingerprint).encode()
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Served:
    """Both listeners over one application. `active`: fingerprints that count."""

    def __init__(self, desk: Desk, settings: ListenerSettings, *, is_asked: bool) -> None:
        self.now_ns = time.time_ns()
        self.desk = desk
        self.active: set[str] = set()
        self.broken: Exception | None = None  # what judging a certificate raises
        self.application = Application()
        is_active = self._is_active if is_asked else None
        anywhere = ("127.0.0.1", 0)
        self.listeners = SecureListeners(
            anywhere, anywhere, settings, is_active, now_ns=lambda: self.now_ns
        )
        self.https = str(self.listeners.https)
        self.https_clients = str(self.listeners.https_clients)

    def _is_active(self, peer: Peer) -> bool:
        if self.broken is not None:
            raise self.broken
        return peer.fingerprint in self.active

    def context(self, certificate: Certificate | None = None, *alpn: str) -> ssl.SSLContext:
        context = client_context(self.desk.authorities, *alpn)
        if certificate is not None:
            context.load_cert_chain(certificate.path)
        return context

    def registered(self, name: str) -> Certificate:
        """A certificate that counts until it is taken out of `active`."""
        certificate = self.desk.client(name)
        self.active.add(certificate.fingerprint)
        return certificate


NEVER_S = 3_600.0


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    is_asked: bool = True,
    limits: Limits = PATIENT,
    judge_s: float = NEVER_S,
    desk: Desk | None = None,
    **bounds: float,
) -> AsyncIterator[Served]:
    """Serve. `judge_s`: when silent connections are judged, never unless a test is about that."""
    desk = desk or Desk(folder)
    tls = TlsLimits(**cast(Any, bounds))
    settings = ListenerSettings(desk.folder, connections=limits, tls=tls, judge_s=judge_s)
    served = Served(desk, settings, is_asked=is_asked)
    await served.listeners.start(served.application)
    try:
        yield served
    finally:
        await served.listeners.stop()


def host_of(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("https://").rpartition(":")
    return host, int(port)


def connected(url: str, context: ssl.SSLContext | None) -> AbstractAsyncContextManager[Wire]:
    return connected_to(host_of(url), context)


def stream(url: str, context: ssl.SSLContext) -> connect:
    return connect(url.replace("https://", "wss://"), ssl=context, proxy=None)


# ── who it is ────────────────────────────────────────────────────────────────────────────────────


async def test_every_request_and_upgrade_says_whose_certificate_it_came_with(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as served:
        one = served.registered("flk_one")
        async with connected(served.https_clients, served.context(one)) as wire:
            for _ in range(2):
                await wire.send(GET)
                assert (await wire.answer()).json == one.fingerprint
        async with http2(served.https_clients, served.context(one, "h2")) as client:
            for _ in range(2):
                assert await client.get() == (200, json.dumps(one.fingerprint).encode())
        async with stream(served.https_clients, served.context(one)):
            pass
        (peer,) = set(served.application.peers)
        assert peer is not None
        assert (peer.key_id, peer.serial_number) == ("flk_one", one.certificate.serial_number)
        assert peer.not_after_ns == one.certificate.not_valid_after_utc.timestamp() * 1e9
        assert len(served.application.peers) == 5


async def test_the_other_listener_asks_nobody_and_believes_nobody(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        one = served.registered("one")
        async with connected(served.https, served.context(one)) as wire:
            await wire.send(GET)
            assert (await wire.answer()).json is None
        async with stream(served.https, served.context()):
            pass
        assert served.application.peers == [None, None]


# ── judged again at every request and message ────────────────────────────────────────────────────


async def test_a_good_certificate_that_is_not_registered_gets_401(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        unknown = served.desk.client("unknown")
        async with connected(served.https_clients, served.context(unknown)) as wire:
            await wire.send(GET)
            answer = await wire.answer()
            assert (answer.status, answer.json) == (401, {"message": NOT_COUNTED})
        async with http2(served.https_clients, served.context(unknown, "h2")) as client:
            assert (await client.get())[0] == 401
        with pytest.raises(InvalidStatus) as refused:
            async with stream(served.https_clients, served.context(unknown)):
                pass
        assert refused.value.response.status_code == 401
        assert served.application.peers == []


async def test_no_request_passes_on_a_kept_connection_once_a_certificate_does_not_count(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as served:
        one = served.registered("one")
        async with (
            connected(served.https_clients, served.context(one)) as wire,
            http2(served.https_clients, served.context(one, "h2")) as client,
        ):
            await wire.send(GET)
            assert (await wire.answer()).status == 200
            assert (await client.get())[0] == 200
            served.active.clear()
            await wire.send(GET)
            again = client.request()
            await client.flush()
            assert (await wire.answer()).status == 401
            assert (await client.answer(again))[0] == 401
        assert len(served.application.peers) == 2


async def test_no_message_passes_once_a_certificate_does_not_count(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        one = served.registered("one")
        async with stream(served.https_clients, served.context(one)) as client:
            await client.send("first")
            await arrived(served, client, b"first")
            served.active.clear()
            with suppress(ConnectionClosedError):
                await client.send("second")
            with pytest.raises(ConnectionClosedError) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4401, NOT_COUNTED)
        assert served.application.follower.messages == [b"first"]
        assert served.application.follower.ends == ["unauthorized"]


async def arrived(served: Served, client: ClientConnection, message: bytes) -> None:
    """Wait until the application has a message: a pong comes after what was sent before."""
    await (await client.ping())
    assert served.application.follower.messages == [message]


async def test_when_judging_fails_the_loop_is_told_at_once(tmp_path: Path) -> None:
    loop, cause = asyncio.get_running_loop(), RuntimeError("nobody can be judged")
    told: asyncio.Future[BaseException] = loop.create_future()
    loop.set_exception_handler(lambda _, context: told.set_result(context["exception"]))
    async with serving(tmp_path, judge_s=0.05) as served:
        one = served.registered("one")
        async with connected(served.https_clients, served.context(one)) as idle:
            await idle.send(GET)
            assert (await idle.answer()).status == 200
            served.broken = cause
            async with asyncio.timeout(60):
                assert await told is cause
            served.broken = None


async def test_silent_connections_are_closed_too_and_others_are_not(tmp_path: Path) -> None:
    async with serving(tmp_path, judge_s=0.05) as served:
        one, two = served.registered("one"), served.registered("two")
        async with (
            connected(served.https_clients, served.context(one)) as idle,
            http2(served.https_clients, served.context(one, "h2")) as idle_http2,
            stream(served.https_clients, served.context(one)) as idle_stream,
            connected(served.https_clients, served.context(two)) as other,
        ):
            await idle.send(GET)
            assert (await idle.answer()).status == 200
            assert (await idle_http2.get())[0] == 200
            served.active.discard(one.fingerprint)
            assert await idle.is_closed()
            await idle_http2.until_closed()
            with pytest.raises(ConnectionClosedError):
                await idle_stream.recv()
            await other.send(GET)
            assert (await other.answer()).status == 200


async def test_one_that_never_counted_is_told_so_however_late_it_asks(tmp_path: Path) -> None:
    """A client that takes its time between handshake and request is not closed without a word."""
    async with serving(tmp_path, judge_s=0.05) as served:
        unknown, other = served.desk.client("unknown"), served.registered("other")
        async with (
            connected(served.https_clients, served.context(unknown)) as late,
            connected(served.https_clients, served.context(other)) as judged,
        ):
            await judged.send(GET)
            assert (await judged.answer()).status == 200
            served.active.clear()
            assert await judged.is_closed()
            await late.send(GET)
            assert (await late.answer()).status == 401


async def test_one_that_came_before_the_news_of_its_certificate_ends_with_it_like_any_other(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, judge_s=0.05) as served:
        early = served.desk.client("early")
        async with (
            connected(served.https_clients, served.context(early)) as wire,
            http2(served.https_clients, served.context(early, "h2")) as client,
        ):
            await wire.send(GET)
            assert (await wire.answer()).status == 401
            assert (await client.get())[0] == 401
            served.active.add(early.fingerprint)
            await wire.send(GET)
            assert (await wire.answer()).status == 200
            assert (await client.get())[0] == 200
            served.active.clear()
            assert await wire.is_closed()
            await client.until_closed()


async def test_a_certificate_counts_until_it_ends(tmp_path: Path) -> None:
    """Nobody keeps a connection beyond the end of its certificate."""
    async with serving(tmp_path, is_asked=False) as served:
        one = served.desk.client("one")
        async with connected(served.https_clients, served.context(one)) as wire:
            await wire.send(GET)
            assert (await wire.answer()).status == 200
            served.now_ns = int(one.certificate.not_valid_after_utc.timestamp()) * 10**9
            await wire.send(GET)
            assert (await wire.answer()).status == 401


# ── handshakes ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01", GET])
async def test_a_handshake_that_does_not_end_is_ended(tmp_path: Path, sent: bytes) -> None:
    async with serving(tmp_path, handshake_timeout_s=0.3) as served:
        async with connected(served.https, None) as wire:
            await wire.send(sent)
            with suppress(ConnectionError):
                await wire.reader.read()
        assert served.application.peers == []


async def test_idle_handshakes_keep_nobody_out_for_longer_than_their_time(tmp_path: Path) -> None:
    async with serving(tmp_path, handshakes_max=2, handshake_timeout_s=60) as served:
        async with connected(served.https, None) as one, connected(served.https, None) as two:
            async with connected(served.https, None) as third:
                assert await third.is_closed()
            one.writer.transport.abort()
            two.writer.transport.abort()
        while True:
            try:
                async with connected(served.https, served.context()) as wire:
                    await wire.send(GET)
                    assert (await wire.answer()).status == 200
                    break
            except OSError:
                continue  # the server has not seen yet that they are gone


async def test_more_connections_than_allowed_are_closed(tmp_path: Path) -> None:
    limits = Limits(connections_max=2, request_timeout_s=60)
    async with serving(tmp_path, limits=limits) as served:
        context = served.context()
        async with connected(served.https, context), connected(served.https, context):
            with pytest.raises(OSError):  # noqa: PT011 - closed or reset, as the kernel has it
                await asyncio.open_connection(*host_of(served.https), ssl=context)


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
async def test_who_is_idle_gives_way_to_who_comes(tmp_path: Path, protocol: str) -> None:
    limits = Limits(connections_max=1, request_timeout_s=60)
    async with serving(tmp_path, limits=limits) as served:
        if protocol == "h2":
            authorities = served.desk.authorities
            async with http2(served.https, client_context(authorities, "h2")) as idle:
                assert (await idle.get())[0] == 200
                async with connected(served.https, served.context()) as wire:
                    await wire.send(GET)
                    assert (await wire.answer()).status == 200
                await idle.until_closed()
            return
        async with connected(served.https, served.context()) as idle_wire:
            await idle_wire.send(GET)
            assert (await idle_wire.answer()).status == 200
            async with connected(served.https, served.context()) as wire:
                await wire.send(GET)
                assert (await wire.answer()).status == 200
            assert await idle_wire.is_closed()


async def test_a_refused_client_harms_no_other(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        one = served.registered("one")
        async with connected(served.https_clients, served.context(one)) as wire:
            for _ in range(5):
                async with connected(served.https_clients, served.context()) as refused:
                    with pytest.raises(ssl.SSLError):
                        await refused.reader.read()
            await wire.send(GET)
            assert (await wire.answer()).status == 200


async def counted(served: Served, refused: Counter[str]) -> None:
    """Wait until exactly these handshakes are counted, which is a moment after the client is gone."""
    async with asyncio.timeout(20):
        while served.listeners.refused.total() < refused.total():  # noqa: ASYNC110 - a count tells nobody
            await asyncio.sleep(0)
    assert served.listeners.refused == refused


async def test_refused_handshakes_are_counted_by_why(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.revoke(gone := desk.client("gone"))
    refused: Counter[str] = Counter()
    async with serving(tmp_path, desk=desk) as served:
        for shown, reason in (
            (None, refusing.NO_CERTIFICATE),
            (desk.expired(), refusing.EXPIRED),
            (desk.of_another_authority(), refusing.UNKNOWN_AUTHORITY),
            (desk.for_servers(), refusing.WRONG_USE),
            (desk.for_any_use(), refusing.WRONG_USE),
            (gone, refusing.REVOKED),
        ):
            async with connected(served.https_clients, served.context(shown)) as wire:
                with suppress(ssl.SSLError):
                    await wire.reader.read()
            await counted(served, refused := refused + Counter([reason]))
        async with connected(served.https_clients, None) as wire:
            await wire.send(GET)
            await wire.reader.read()
        await counted(served, refused + Counter([refusing.PROTOCOL]))


async def test_a_certificate_that_openssl_alone_can_read_is_refused(tmp_path: Path) -> None:
    """One with a name of a kind that nobody reads (x400Address), signed by our authority."""
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with serving(tmp_path) as served:
        one = served.registered("one")
        async with connected(served.https_clients, served.context(one)) as wire:
            odd = served.desk.with_names("odd", b"\x30\x04\xa3\x02\x05\x00")
            async with connected(served.https_clients, served.context(odd)) as refused:
                with suppress(ssl.SSLError):
                    await refused.reader.read()
            await counted(served, Counter([refusing.CERTIFICATE_WRONG]))
            await wire.send(GET)
            assert (await wire.answer()).status == 200
    assert not told


async def test_a_handshake_that_is_late_is_counted(tmp_path: Path) -> None:
    async with serving(tmp_path, handshake_timeout_s=0.1) as served:
        async with connected(served.https_clients, None) as wire:
            await wire.reader.read()
        await counted(served, Counter([refusing.TIMEOUT]))


# ── start and stop ───────────────────────────────────────────────────────────────────────────────


async def test_either_listener_may_be_missing(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    settings = ListenerSettings(desk.folder)
    for listen, clients_listen in (
        (("127.0.0.1", 0), None),
        (None, ("127.0.0.1", 0)),
        (None, None),
    ):
        listeners = SecureListeners(listen, clients_listen, settings)
        given = (listen is not None, clients_listen is not None)
        assert (listeners.https is not None, listeners.https_clients is not None) == given
        assert len(listeners.addresses) == sum(given)
        await listeners.start(Application())
        await listeners.stop()


async def test_what_cannot_be_bound_leaves_nothing_behind(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        taken = host_of(served.https)
        settings = ListenerSettings(served.desk.folder)
        with pytest.raises(ListenError, match=f"cannot listen on 127.0.0.1:{taken[1]} for TLS"):
            SecureListeners(("127.0.0.1", 0), taken, settings)


async def test_what_is_due_is_renewed_when_it_starts(tmp_path: Path) -> None:
    """An installation that was off for a month has a list that has ended: it is signed anew."""
    desk = Desk(tmp_path)
    long_ago_ns = time.time_ns() - 40 * 86_400 * 1_000_000_000
    (desk.folder / files.REVOKED).unlink()
    desk.keep(long_ago_ns)
    settings = ListenerSettings(desk.folder)
    listeners = SecureListeners(
        None, ("127.0.0.1", 0), settings, renew=lambda: desk.keep(time.time_ns())
    )
    await listeners.start(Application())
    try:
        context = client_context(desk.authorities)
        context.load_cert_chain(desk.client("one").path)
        async with connected(str(listeners.https_clients), context) as wire:
            await wire.send(GET)
            assert (await wire.answer()).status == 200
    finally:
        await listeners.stop()


async def test_what_ends_soon_is_said(tmp_path: Path) -> None:
    """A list that nobody here can sign anew would in its end keep everybody out."""
    desk = Desk(tmp_path)
    day_ns = 86_400 * 1_000_000_000
    anywhere = ("127.0.0.1", 0)
    for days, expected in ((20, []), (25, ["revoked.pem"]), (395, ["revoked.pem", "server.pem"])):
        now_ns = time.time_ns() + days * day_ns
        with capture_logs() as logs:
            listeners = SecureListeners(
                None, anywhere, ListenerSettings(desk.folder), now_ns=lambda now=now_ns: now
            )
        await listeners.stop()
        said = [Path(each["path"]).name for each in logs if each["event"] == "tls_ends_soon"]
        assert sorted(said) == expected
