"""The TLS listeners: HTTP without client certificates, HTTP with, FIX with.

Both of HTTP serve the application of the plain listener. Browsers would ask their users for a
certificate on the second, so it is never the console's.
"""

import asyncio
import contextlib
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import structlog
from starlette.types import ASGIApp

from fairlead.control.errors import ControlError
from fairlead.gateway.http2 import Http2Limits
from fairlead.gateway.lasting import lasting
from fairlead.gateway.management.endpoints import Listener
from fairlead.gateway.peers import IsActive, Peer, PeerGate
from fairlead.gateway.protocol import Limits
from fairlead.gateway.secure import Security, TlsLimits
from fairlead.gateway.server import HttpServer, address_of, bind
from fairlead.gateway.websocket.hub import WebSocketSettings
from fairlead.tls.contexts import ContextFiles, Contexts
from fairlead.tls.folder import AUTHORITIES, REVOKED, SERVER, FolderError, Made

Address = tuple[str, int]
Renew = Callable[[], Sequence[Made]]

log = structlog.get_logger()

_RENEW_S = 6 * 3_600.0
_HOUR_NS = 3_600 * 1_000_000_000
_SOON_NS = 7 * 86_400 * 1_000_000_000


class ListenError(Exception):
    """An address cannot be listened on; the text says which, and why."""


class TlsFiles(msgspec.Struct, frozen=True):
    """Where certificates are; what is None is in the folder that `fairlead tls init` makes."""

    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None
    revoked: Path | None = None


class ListenerSettings(msgspec.Struct, frozen=True):
    """What the listeners show and bear. `folder`: that of `fairlead tls init`."""

    folder: Path
    files: TlsFiles = TlsFiles()
    version_min: str = "TLSv1.2"
    connections: Limits = Limits()
    tls: TlsLimits = TlsLimits()
    http2: Http2Limits = Http2Limits()
    websocket: WebSocketSettings = WebSocketSettings()
    judge_s: float = 0.25


class FixListener(msgspec.Struct, frozen=True):
    """Where FIX is served over TLS, for whoever serves it."""

    bound: socket.socket
    security: Security


class SecureListeners:
    """The TLS listeners of a system, from binding to stop; each may be missing. `fix` is not started here.

    While one serves, the files of `fairlead tls init` are kept in date.
    """

    def __init__(
        self,
        listen: Address | None,
        clients_listen: Address | None,
        settings: ListenerSettings,
        is_active: IsActive | None = None,
        fix_listen: Address | None = None,
        now_ns: Callable[[], int] = time.time_ns,
        renew: Renew = lambda: (),
    ) -> None:
        """Read the certificates and bind. Raises FolderError and ListenError; then nothing is bound.

        A client's certificate counts, at every request and message, while it is in date, not on the list
        of revoked ones, and `is_active` (given its fingerprint and key) says so. `renew` makes anew which
        files are due and returns them; it blocks, and is called now, then in a thread.
        """
        self._settings = settings
        self._is_active = is_active
        self._now_ns = now_ns
        self._make_anew = renew
        self._due = asyncio.Event()
        self._is_stopping = False
        self._keeping: asyncio.Task[None] | None = None
        self._servers: list[HttpServer] = []
        self._plan: list[tuple[socket.socket, Security]] = []
        self.refused: Counter[str] = Counter()  # handshakes, by tls/refusing.py's reasons
        self.https: str | None = None
        self.https_clients: str | None = None
        self.fix: FixListener | None = None
        self._contexts: list[Contexts] = []
        if listen is None and clients_listen is None and fix_listen is None:
            return
        self._renew()
        try:
            if listen is not None:
                contexts = Contexts(files_shown(settings), time.monotonic_ns, settings.version_min)
                self._contexts.append(contexts)
                security = Security(contexts.current, None, settings.tls, refused=self.refused)
                self.https = self._planned(listen, security)
            if clients_listen is not None:
                self.https_clients = self._planned(clients_listen, self._asking(("h2", "http/1.1")))
            if fix_listen is not None:
                security = self._asking(())
                self.fix = FixListener(_bound(fix_listen), security)
            self._warn()
        except BaseException:
            self._close()
            raise

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Return where HTTP listens."""
        return tuple(address_of(bound) for bound, _ in self._plan)

    @property
    def listening(self) -> list[Listener]:
        """Return every address, with what is spoken there."""
        listening = [
            Listener("https", *address_of(bound), asks=security.is_active is not None)
            for bound, security in self._plan
        ]
        if self.fix is not None:
            listening.append(Listener("fixs", *address_of(self.fix.bound), asks=True))
        return listening

    async def start(self, app: ASGIApp) -> None:
        """Serve this application."""
        settings = self._settings
        if self._plan or self.fix is not None:
            self._keeping = lasting(self._keep())
        for bound, security in self._plan:
            gated = app if security.is_active is None else PeerGate(app)
            server = HttpServer(
                gated, bound, settings.connections, settings.websocket, security, settings.http2
            )
            self._servers.append(server)
            await server.start()

    async def stop(self) -> None:
        """Accept nothing more, let running requests finish within the bound, close everything."""
        for server in self._servers:
            await server.stop()
        if self._keeping is not None:
            self._is_stopping = True
            self._due.set()
            await asyncio.wait([self._keeping])
        self._close()

    def look(self) -> None:
        """Have the files looked at: they, or what they are made of, may have changed."""
        self._look_anew()
        self._due.set()

    def _look_anew(self) -> None:
        for contexts in self._contexts:
            contexts.look_anew()

    def _close(self) -> None:
        for bound, _ in self._plan:
            bound.close()
        if self.fix is not None:
            self.fix.bound.close()

    def _planned(self, address: Address, security: Security) -> str:
        bound = _bound(address)
        self._plan.append((bound, security))
        host, port = address_of(bound)
        return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"

    def _asking(self, alpn: tuple[str, ...]) -> Security:
        """Return what a listener that asks for certificates shows, asks and judges by."""
        contexts = Contexts(files_asked(self._settings, alpn), time.monotonic_ns)
        self._contexts.append(contexts)

        def counts(peer: Peer) -> bool:
            if peer.not_after_ns <= self._now_ns() or contexts.is_revoked(peer.serial_number):
                return False
            return self._is_active is None or self._is_active(peer)

        settings = self._settings
        return Security(
            contexts.current, counts, settings.tls, settings.judge_s, refused=self.refused
        )

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RENEW_S):
                    await self._due.wait()
            if self._is_stopping:
                return
            self._due.clear()
            await asyncio.get_running_loop().run_in_executor(None, self._renew)
            self._look_anew()
            try:
                self._warn()
            except (ValueError, OSError) as error:
                log.warning("tls_files", text=str(error))

    def _renew(self) -> None:
        try:
            for made in self._make_anew():
                log.info("tls_renewed", path=str(made.path), why=made.why)
        except (ControlError, FolderError, OSError) as error:
            log.warning("tls_renew", cause=str(error))

    def _warn(self) -> None:
        """Say what ends soon: a certificate of the user's own, or a list whose authority is elsewhere."""
        for contexts in self._contexts:
            for path, until_ns in contexts.ends().items():
                left_ns = until_ns - self._now_ns()
                if left_ns < _SOON_NS:
                    log.warning("tls_ends_soon", path=str(path), hours_left=left_ns // _HOUR_NS)


def files_shown(settings: ListenerSettings) -> ContextFiles:
    """Return what a listener shows."""
    files, folder = settings.files, settings.folder
    return ContextFiles(files.certificate or folder / SERVER, files.key)


def files_asked(settings: ListenerSettings, alpn: tuple[str, ...]) -> ContextFiles:
    """Return what a listener shows and asks for that takes nobody without a certificate."""
    files, folder = settings.files, settings.folder
    return msgspec.structs.replace(
        files_shown(settings),
        authorities=files.authorities or folder / AUTHORITIES,
        revoked=files.revoked or folder / REVOKED,
        alpn=alpn,
    )


def _bound(address: Address) -> socket.socket:
    host, port = address
    try:
        return bind(host, port)
    except OSError as error:
        raise ListenError(f"cannot listen on {host}:{port} for TLS: {error.strerror}") from None
