"""Who is at the other end of a TLS connection, and whether that still counts.

A certificate is judged at the handshake, and its fingerprint again at every request: it may have been
revoked or have ended since. Must never take an identity from anything that a client wrote.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from cryptography import x509
from starlette.types import ASGIApp, Receive, Scope, Send

from fairlead.gateway.answers import message_answer, refuse_upgrade, send_answer
from fairlead.tls.authority import fingerprint, key_id_of

_STANDING = "fairlead.standing"
UNAUTHORIZED = 4401  # the WebSocket close code for an identity that does not count any more
# Alike for one that is not known, as for one that was known once.
NOT_COUNTED = "the client certificate is unknown or does not count any more, connect with another"


class Peer(msgspec.Struct, frozen=True):
    """A client by its certificate; `fingerprint` is the SHA-256 of its DER bytes in lower-case hex."""

    fingerprint: str
    serial_number: int
    key_id: str | None
    not_after_ns: int


IsActive = Callable[[Peer], bool]


class _Standing:
    """Whether the certificate of a connection counts, and whether it ever did; all its scopes share it."""

    def __init__(self, peer: Peer, is_active: IsActive) -> None:
        self.peer = peer
        self._is_active = is_active
        self.has_counted = is_active(peer)

    def counts(self) -> bool:
        if not self._is_active(self.peer):
            return False
        self.has_counted = True
        return True


def peer_certificate(scope: Scope) -> Peer | None:
    """Return whose certificate a request or upgrade came with, None where none was asked for."""
    return peer_of(scope.get("state", {}))


def peer_of(connection_state: dict[str, Any]) -> Peer | None:
    """Return the same of a connection's state, of which every scope has a copy."""
    standing: _Standing | None = connection_state.get(_STANDING)
    return None if standing is None else standing.peer


def counts_still(connection_state: dict[str, Any]) -> bool:
    """Whether the certificate of a connection counts now; always where none was asked for."""
    standing: _Standing | None = connection_state.get(_STANDING)
    return standing is None or standing.counts()


def has_ended(connection_state: dict[str, Any]) -> bool:
    """Whether the certificate of a connection counted, when it was last asked about, and does not any more.

    One that has never counted is answered so, at each request: to close before would say nothing. It may
    come to count: a connection can be quicker than the news of its certificate.
    """
    standing: _Standing | None = connection_state.get(_STANDING)
    return standing is not None and not standing.counts() and standing.has_counted


def state_of(certificate_der: bytes, is_active: IsActive) -> dict[str, Any]:
    """Return the state of a connection whose client has shown this certificate."""
    certificate = x509.load_der_x509_certificate(certificate_der)
    until_ns = int(certificate.not_valid_after_utc.timestamp()) * 1_000_000_000
    peer = Peer(
        fingerprint(certificate_der), certificate.serial_number, key_id_of(certificate), until_ns
    )
    return {_STANDING: _Standing(peer, is_active)}


class PeerGate:
    """Passes on to `app` only what comes with a certificate that counts now; the rest gets 401."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse one request or upgrade."""
        state = scope["state"]
        if peer_of(state) is not None and counts_still(state):
            await self._app(scope, receive, send)
            return
        answer = message_answer(401, NOT_COUNTED)
        if scope["type"] == "websocket":
            await refuse_upgrade(answer, scope, receive, send)
        else:
            await send_answer(answer, scope, send)
