"""The HTTP server: what it serves, on which socket, from start to stop."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Callable, Generator, Mapping
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from fairlead.core.port import EdgePort
from fairlead.gateway.border import Border, BorderSettings
from fairlead.gateway.callers import Access
from fairlead.gateway.gate import KEYED, Gate, undeclared
from fairlead.gateway.guard import Doors
from fairlead.gateway.health import GetMetrics, GetReadiness, HealthApi
from fairlead.gateway.http2 import Http2Limits
from fairlead.gateway.management.api import ManagementApi
from fairlead.gateway.management.openapi import management_document
from fairlead.gateway.openapi import document_route
from fairlead.gateway.openapi_trading import trading_document
from fairlead.gateway.protocol import Limits, bounded
from fairlead.gateway.proxies import Proxies
from fairlead.gateway.rest import RestApi, RestSettings
from fairlead.gateway.routing import Router, joined
from fairlead.gateway.secure import Security
from fairlead.gateway.secure_http import http_acceptor
from fairlead.gateway.websocket.hub import WebSocketSettings
from fairlead.gateway.websocket.wire import websocket_protocol

_POLL_S = 0.005


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to `host` (a name or an address) and `port` (0: any free one).

    It does not listen yet: connections are refused until the server starts. Raises OSError.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound


def address_of(bound: socket.socket) -> tuple[str, int]:
    """Return the numeric host and the real port of a bound socket."""
    host, port = bound.getsockname()[:2]
    return str(host), int(port)


def gateway_app(
    ports: Mapping[str, EdgePort],
    listen: tuple[tuple[str, int], ...],
    readiness: GetReadiness,
    metrics: GetMetrics,
    *,
    rest: RestSettings | None = None,
    border: BorderSettings | None = None,
    mounts: Mapping[bytes, ASGIApp] | None = None,
    websocket: ASGIApp | None = None,
    access: Access | None = None,
    management: ManagementApi | None = None,
    people: Callable[[ASGIApp], ASGIApp] | None = None,
    proxies: Proxies | None = None,
) -> ASGIApp:
    """Return everything a gateway serves, behind its border and its gate.

    `ports`: by subscription, see `Doors`. `listen`: the addresses it is reached by. `mounts`: raw path
    prefix → another ASGI application, which is behind the same border and gate. `access` None: open mode,
    nobody is asked who they are, and nobody may use the management API, whose callers an access of open
    mode knows. `people`: what answers people's calls and stands before the gate, given what is behind it.
    `proxies`: who is trusted to say from where a request came.
    """
    rest_api = RestApi(Doors(ports, access), new_trace_id, rest)
    health_api = HealthApi(readiness, metrics)
    management = management or ManagementApi()
    documents = joined(
        document_route(b"/openapi.json", trading_document()),
        document_route(b"/openapi-management.json", management_document()),
    )
    routes = joined(rest_api.routes, management.routes, health_api.routes, documents)
    prefixes = (*rest_api.prefixes, *management.prefixes)
    router = Router(routes, prefixes, mounts, websocket)
    served = [*routes.items(), *prefixes]
    missing = undeclared((path, method) for path, methods in served for method in methods)
    assert not missing, f"routes without a scope in gateway/gate.py: {missing}"
    managed = {path for path, _ in (*management.routes.items(), *management.prefixes)}
    assert managed <= KEYED, f"management without a key, see gateway/gate.py: {managed - KEYED}"
    gate = Gate(router, access, [prefix for prefix, _ in prefixes], proxies)
    inner = gate if people is None else people(gate)
    return Border(inner, listen, new_trace_id, border)


def new_trace_id() -> str:
    """Return a W3C trace context id, by which an answer is found again."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"


class HttpServer:
    """Serves one ASGI application on one bound socket, from `start` to `stop`."""

    def __init__(
        self,
        app: ASGIApp,
        bound: socket.socket,
        limits: Limits | None = None,
        websocket: WebSocketSettings | None = None,
        security: Security | None = None,
        http2: Http2Limits | None = None,
    ) -> None:
        """`security`: what makes it a TLS listener, with `http2` for clients that offer it."""
        limits = limits or Limits()
        self.address = address_of(bound)
        self._bound = bound
        self._server = _Server(
            uvicorn.Config(
                app,  # type: ignore[arg-type, unused-ignore]
                http=bounded(limits),
                ws=websocket_protocol(websocket or WebSocketSettings()),
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=limits.backlog,
                timeout_keep_alive=limits.keep_alive_s,
                timeout_graceful_shutdown=limits.stop_timeout_s,
            ),
            limits,
            security,
            http2 or Http2Limits(),
        )
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen; when this returns, connections are accepted."""
        assert self._serving is None, "a server starts once"
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._bound]))
        while not self._server.started:
            if self._serving.done():
                await self._serving  # raises what went wrong
            await asyncio.sleep(_POLL_S)

    async def stop(self) -> None:
        """Accept nothing more, let running requests finish within the bound, close everything."""
        if self._serving is None:
            self._bound.close()
            return
        self._server.should_exit = True
        await self._serving


class _Server(uvicorn.Server):
    """Signals are the composition root's; a TLS listener accepts by itself."""

    def __init__(
        self,
        config: uvicorn.Config,
        limits: Limits,
        security: Security | None,
        http2: Http2Limits,
    ) -> None:
        super().__init__(config)
        self._http2 = http2
        self._limits = limits
        self._security = security

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        if self._security is None:
            await super().startup(sockets)
            return
        assert sockets is not None
        acceptors = [
            http_acceptor(
                bound, self._security, self.config, self.server_state, self._limits, self._http2
            )
            for bound in sockets
        ]
        self.servers = cast(list[asyncio.base_events.Server], acceptors)
        self.started = True

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the process's signal handlers alone."""
        yield
