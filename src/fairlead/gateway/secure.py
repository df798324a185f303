"""The side of a TLS listener that is the same for every protocol: accepting, and handshakes within bounds.

Where clients show certificates, connections whose certificate does not count any more are closed. Must
never hand a connection to a protocol before its handshake is done.
"""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from fairlead.gateway.fence import Fence
from fairlead.gateway.lasting import lasting
from fairlead.gateway.peers import IsActive, state_of
from fairlead.tls.contexts import REFUSALS
from fairlead.tls.refusing import FAILED, FULL, TIMEOUT, reason_of

log = structlog.get_logger()

_NO_FILES_S = 0.1


ProtocolOf = Callable[[asyncio.Transport, dict[str, Any]], asyncio.Protocol]


class TlsLimits(msgspec.Struct, frozen=True):
    """What handshakes may cost. `handshakes_max`: at a time; a further connection is closed."""

    handshake_timeout_s: float = 10.0
    handshakes_max: int = 256


class Security(msgspec.Struct, frozen=True):
    """What makes a listener a TLS listener.

    `context` returns the context of the moment. `is_active`: asked of every client certificate at every
    request; None on a listener that asks for none. `judge_s`: how often silent connections are judged too.
    """

    context: Callable[[], ssl.SSLContext]
    is_active: IsActive | None = None
    limits: TlsLimits = TlsLimits()
    judge_s: float = 0.25
    refused: Counter[str] = msgspec.field(default_factory=Counter)  # by tls/refusing.py's reasons


class SecureAcceptor:
    """Accepts on one bound socket until it is closed; stands in for asyncio's server.

    `is_full` is told how many handshakes are not done; then a further connection is closed.
    `protocol_of` makes the protocol of a connection from its transport and state. `judge` closes what
    does not count any more; it is called again and again where certificates are asked for.
    """

    def __init__(
        self,
        bound: socket.socket,
        security: Security,
        backlog: int,
        is_full: Callable[[int], bool],
        protocol_of: ProtocolOf,
        judge: Callable[[], None],
    ) -> None:
        self._bound = bound
        self._security = security
        self._is_full = is_full
        self._protocol_of = protocol_of
        self._loop = asyncio.get_running_loop()
        self._handshakes: set[asyncio.Task[None]] = set()
        bound.listen(backlog)
        self._tasks = [lasting(self._accept())]
        if security.is_active is not None:
            self._tasks.append(lasting(self._judge(judge)))

    def close(self) -> None:
        """Accept nothing more, and give up handshakes that are not done. Leaves the socket."""
        for task in (*self._tasks, *self._handshakes):
            task.cancel()

    async def wait_closed(self) -> None:
        """Return when nothing of it runs any more; what failed has been told to the loop."""
        await asyncio.gather(*self._tasks, *self._handshakes, return_exceptions=True)

    async def _accept(self) -> None:
        while True:
            try:
                client, _ = await self._loop.sock_accept(self._bound)
            except OSError as error:  # no file left, or a client that went away
                log.warning("tls_accept", cause=str(error))
                await asyncio.sleep(_NO_FILES_S)
                continue
            waiting = len(self._handshakes)
            if waiting >= self._security.limits.handshakes_max or self._is_full(waiting):
                self._security.refused[FULL] += 1
                client.close()
                continue
            task = asyncio.create_task(self._shake_hands(client))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _shake_hands(self, client: socket.socket) -> None:
        timeout_s = self._security.limits.handshake_timeout_s
        until = self._loop.time() + timeout_s
        refusals: list[ssl.SSLError] = []
        REFUSALS.set(refusals)  # in this task's context
        try:
            await self._loop.connect_accepted_socket(
                lambda: Fence(self._protocol, self._failed),
                client,
                ssl=self._security.context(),
                ssl_handshake_timeout=timeout_s,
                ssl_shutdown_timeout=timeout_s,
            )
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            cause = refusals[0] if refusals else error
            is_late = not refusals and self._loop.time() >= until
            reason = TIMEOUT if is_late else reason_of(cause)
            if reason == FAILED:
                self._failed(cause)
                return
            self._security.refused[reason] += 1
            log.debug("tls_refused", reason=reason, cause=str(cause) or type(cause).__name__)
        except Exception as error:  # noqa: BLE001 - an error of ours, and the others are served on
            self._failed(error)
            client.close()

    def _failed(self, cause: Exception) -> None:
        """Count and log what kept a client out who is not to blame."""
        self._security.refused[FAILED] += 1
        log.error("tls_failed", exc_info=cause)

    def _protocol(self, transport: asyncio.Transport) -> asyncio.Protocol:
        state: dict[str, Any] = {}
        if self._security.is_active is not None:
            connection: ssl.SSLObject = transport.get_extra_info("ssl_object")
            shown = connection.getpeercert(binary_form=True)
            assert shown is not None, "the handshake requires a certificate"
            state = state_of(shown, self._security.is_active)
        return self._protocol_of(transport, state)

    async def _judge(self, judge: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(self._security.judge_s)
            judge()
