"""The addresses of this process: bound before anything is built, served when all of it is there.

HTTP in the clear, HTTP over TLS, FIX in the clear and over TLS; all but the first may be missing. Must never
look into what it serves.
"""

import os
import socket
from pathlib import Path

from starlette.types import ASGIApp

from fairlead.config import Config, Listen
from fairlead.edge.clock import Wall
from fairlead.endpoint import Endpoint, url_of
from fairlead.gateway.callers import Access
from fairlead.gateway.fixapi.acceptor import FixServer
from fairlead.gateway.fixapi.entrance import Entrance
from fairlead.gateway.listeners import ListenerSettings, Renew, SecureListeners
from fairlead.gateway.management.endpoints import Listener
from fairlead.gateway.server import HttpServer, address_of, bind


class Listening:
    """The sockets, from binding to stop."""

    def __init__(self, config: Config) -> None:
        """Bind what is served in the clear.

        Raises OSError, its `filename` being the address; then nothing is bound.
        """
        self._config = config
        self._bound = _bind(config.listen)
        self._bound_fix: socket.socket | None = None
        try:
            if config.fix.listen is not None:
                self._bound_fix = _bind(config.fix.listen)
        except OSError:
            self._bound.close()
            raise
        self.address = address_of(self._bound)
        self._http: HttpServer | None = None
        self._secure: SecureListeners | None = None
        self._fix: FixServer | None = None
        self._fix_tls: FixServer | None = None

    @property
    def has_fix(self) -> bool:
        """Whether FIX is spoken anywhere."""
        return self._config.fix.listen is not None or self._config.fix.tls_listen is not None

    @property
    def secure(self) -> SecureListeners:
        """Return what listens with TLS; once it is bound."""
        assert self._secure is not None
        return self._secure

    @property
    def http_addresses(self) -> tuple[tuple[str, int], ...]:
        """Return where HTTP is served, the first one in the clear."""
        return (self.address, *self.secure.addresses)

    @property
    def fix_servers(self) -> list[FixServer]:
        """Return what serves FIX; once it is put behind an entrance."""
        return [each for each in (self._fix, self._fix_tls) if each is not None]

    @property
    def listeners(self) -> list[Listener]:
        """Return every address, with what is spoken there."""
        listeners = [Listener("http", *self.address), *self.secure.listening]
        if self._fix is not None:
            listeners.append(Listener("fix", *self._fix.address))
        return listeners

    def endpoint(self, data: Path, *, has_operator: bool) -> Endpoint:
        """Return where the process is reached. `has_operator`: the exchange's operator API is served too."""
        url = url_of("http", *self.address)
        return Endpoint(
            url,
            url if has_operator else None,
            os.getpid(),
            str(data.resolve()),
            _where(self._fix),
            self.secure.https,
            self.secure.https_clients,
            _where(self._fix_tls),
        )

    def bind_secure(self, access: Access, wall: Wall, renew: Renew) -> None:
        """Bind what is served over TLS. Raises FolderError and ListenError.

        `access` knows whose client certificates are in force; `renew` as in `SecureListeners`.
        """
        config = self._config
        settings = ListenerSettings(
            folder=config.tls_folder,
            files=config.tls.files,
            version_min=config.tls.version_min,
            connections=config.http.connections,
            tls=config.tls.limits,
            http2=config.http2,
            websocket=config.websocket,
        )
        listen, clients_listen, fix_listen = (
            None if each is None else (each.host, each.port)
            for each in (config.tls.listen, config.tls.clients_listen, config.fix.tls_listen)
        )
        self._secure = SecureListeners(
            listen,
            clients_listen,
            settings,
            lambda peer: access.is_in_force(peer.fingerprint),
            fix_listen,
            wall.now_ns,
            renew,
        )

    def put_fix_behind(self, entrance: Entrance) -> None:
        """Have FIX connections, once they are served, enter there."""
        if self._bound_fix is not None:
            self._fix = FixServer(entrance, self._bound_fix)
        secured = self.secure.fix
        if secured is not None:
            self._fix_tls = FixServer(entrance, secured.bound, secured.security)

    async def start(self, app: ASGIApp) -> None:
        """Serve this application, and FIX; when this returns, connections are accepted."""
        connections = self._config.http.connections
        self._http = HttpServer(app, self._bound, connections, self._config.websocket)
        await self._http.start()
        await self.secure.start(app)
        for fix in self.fix_servers:
            await fix.start()

    async def stop_http(self) -> None:
        """Accept no HTTP any more, let running requests finish within the bound."""
        if self._http is None:
            self._bound.close()
        else:
            await self._http.stop()
        if self._secure is not None:
            await self._secure.stop()

    async def stop_fix(self) -> None:
        """Accept no FIX any more, log everybody out."""
        for fix in self.fix_servers:
            await fix.stop()
        if self._fix is None and self._bound_fix is not None:
            self._bound_fix.close()


def _bind(listen: Listen) -> socket.socket:
    """Return a socket bound there. Raises OSError, its `filename` being the address."""
    try:
        return bind(listen.host, listen.port)
    except OSError as error:
        error.filename = str(listen)
        raise


def _where(server: FixServer | None) -> str | None:
    return None if server is None else str(Listen(*server.address))
