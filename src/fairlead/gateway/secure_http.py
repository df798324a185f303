"""HTTP behind TLS: h2 goes to http2.py, all else to the protocols of a plain listener."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.server import ServerState

from fairlead.gateway.crowding import has_room
from fairlead.gateway.http2 import Http2Limits, Http2Protocol
from fairlead.gateway.peers import NOT_COUNTED, UNAUTHORIZED, has_ended
from fairlead.gateway.protocol import Limits
from fairlead.gateway.secure import SecureAcceptor, Security
from fairlead.gateway.websocket.wire import WebSocketProtocol


def http_acceptor(
    bound: socket.socket,
    security: Security,
    config: Config,
    server_state: ServerState,
    limits: Limits,
    http2: Http2Limits,
) -> SecureAcceptor:
    """Return what accepts for uvicorn's server, whose connections are in `server_state`."""
    loop = asyncio.get_running_loop()
    make_http1: Callable[..., asyncio.Protocol] = config.http_protocol_class

    def protocol_of(transport: asyncio.Transport, state: dict[str, Any]) -> asyncio.Protocol:
        connection: ssl.SSLObject = transport.get_extra_info("ssl_object")
        if connection.selected_alpn_protocol() == "h2":
            return Http2Protocol(config, server_state, state, limits, http2, loop)
        return make_http1(config=config, server_state=server_state, app_state=state, _loop=loop)

    def is_full(handshakes: int) -> bool:
        others_max = limits.connections_max - 1 - handshakes
        return others_max < 0 or not has_room(server_state.connections, others_max)

    def judge() -> None:
        for connection in cast(set[Any], server_state.connections).copy():
            if has_ended(connection.app_state):
                if isinstance(connection, WebSocketProtocol):
                    connection.close(UNAUTHORIZED, NOT_COUNTED)
                else:
                    connection.shutdown()

    return SecureAcceptor(bound, security, limits.backlog, is_full, protocol_of, judge)
