"""Before every handler: who calls, by header, query, signature or certificate, and what for.

Stands between border and router. Every route has its scope here; one that has none cannot be served.
The management API needs a key always, also where the trading API is open to all.
Before a credential is proven every refusal reads the same. The key in a query string goes no further:
handlers, logs and answers never see it.
"""

from collections.abc import Iterable, Mapping

import msgspec
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from fairlead.control.addresses import Address
from fairlead.control.keys import Scope
from fairlead.core.replies import Refusal, Refused
from fairlead.gateway.answers import (
    CALLER,
    Answer,
    Header,
    Replay,
    message_answer,
    read_body,
    refuse_upgrade,
    send_answer,
)
from fairlead.gateway.callers import INVALID, Access, Caller, agreed
from fairlead.gateway.credentials import Shown, shown_by, signed_request
from fairlead.gateway.peers import Peer, peer_certificate
from fairlead.gateway.proxies import Proxies, peer_address
from fairlead.gateway.usage import WEBSOCKET

_RETRY_AFTER: Header = (b"retry-after", b"1")
_STATUS = {Refusal.UNAUTHENTICATED: 401, Refusal.FORBIDDEN: 403, Refusal.RATE_EXCEEDED: 429}
_UNKNOWN = Refused(Refusal.UNAUTHENTICATED, INVALID)  # where nobody is known
PUBLIC = None  # nobody is asked who they are

_READ: Mapping[str, Scope | None] = {"GET": Scope.READ}
_TRADE: Mapping[str, Scope | None] = {"POST": Scope.TRADE}
_MANAGE: Mapping[str, Scope | None] = {"POST": Scope.MANAGE}
_OPEN: Mapping[str, Scope | None] = {"GET": PUBLIC}
ROUTES: Mapping[bytes, Mapping[str, Scope | None]] = {
    b"/v1/orders": {**_READ, **_TRADE},
    b"/v1/orders/check": {"POST": Scope.READ},
    b"/v1/orders/cancel": _TRADE,
    b"/v1/orders/cancel/all": _TRADE,
    b"/v1/orders/history": _READ,
    b"/v1/orders/status/": _READ,
    b"/v1/orders/story/": _READ,
    b"/v1/orders/history/": _READ,
    b"/v1/balances": _READ,
    b"/v1/positions": _READ,
    b"/v1/accounts/reconciliation": _READ,
    b"/v1/operator/accounts": _READ,
    b"/v1/operator/attention": _READ,
    b"/v1/operator/instruments": _READ,
    b"/v1/operator/resolve": _MANAGE,
    b"/v1/operator/mode": _MANAGE,
    b"/v1/accounts": {**_READ, "POST": Scope.MANAGE, "DELETE": Scope.MANAGE},
    b"/v1/accounts/all": {"DELETE": Scope.MANAGE},
    b"/v1/exchanges": _READ,
    b"/v1/locations": _READ,
    b"/v1/endpoints": _READ,
    b"/v1/usage": _READ,
    b"/v1/certificate/pem": {"GET": Scope.MANAGE},
    b"/v1/certificate/csr": _MANAGE,
    b"/v1/certificate/crl": _READ,
    b"/v1/certificate/ca": _READ,
    b"/v1/certificates": _READ,
    b"/v1/certificates/": {"DELETE": Scope.MANAGE},
    b"/metrics": _READ,
    b"/health/live": _OPEN,
    b"/health/ready": _OPEN,
    b"/openapi.json": _OPEN,
    b"/openapi-management.json": _OPEN,
}
KEYED = frozenset({
    b"/v1/accounts", b"/v1/accounts/all",
    b"/v1/exchanges", b"/v1/locations", b"/v1/endpoints", b"/v1/usage", b"/v1/certificate/pem",
    b"/v1/certificate/csr", b"/v1/certificate/crl", b"/v1/certificate/ca", b"/v1/certificates",
    b"/v1/certificates/",
})  # of the management API: never open  # fmt: skip
UPGRADE = Scope.READ  # WebSocket; what a message needs is decided at the port
MOUNTED = Scope.MANAGE  # other applications, and whatever no route is declared for


def undeclared(routes: Iterable[tuple[bytes, str]]) -> list[tuple[bytes, str]]:
    """Return the routes, as (path, method), that have no scope here."""
    return [(path, method) for path, method in routes if method not in ROUTES.get(path, {})]


class Gate:
    """An ASGI application before `app`. `access` None: open mode, and nobody is known."""

    def __init__(
        self,
        app: ASGIApp,
        access: Access | None,
        prefixes: Iterable[bytes],
        proxies: Proxies | None = None,
    ) -> None:
        self._app = app
        self._access = access
        self._prefixes = tuple(prefixes)
        self._whole = ROUTES.keys() - set(self._prefixes)
        self._proxies = proxies or Proxies()

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Pass on what is allowed, with its caller."""
        shown = shown_by(scope)
        passed = scope
        if shown.query != scope["query_string"]:
            passed = dict(scope, query_string=shown.query)
        route = self._route(scope)
        is_keyed = route in KEYED
        peer = peer_certificate(scope)
        if self._asks(shown, peer, is_keyed=is_keyed):
            body = b""
            if shown.signed and scope["type"] == "http":
                body = await read_body(receive)  # what the border has read and bounded
                receive = Replay(body, receive)
            needed = _needed(scope, route)
            caller, address = self._heard(shown, peer, scope, body)
            if caller is not None and scope["type"] == "websocket":
                caller = msgspec.structs.replace(caller, protocol=WEBSOCKET)
            if needed is not PUBLIC:
                refused = self._refusal(caller, address, shown, peer, needed, is_keyed=is_keyed)
                if refused is not None:
                    await _refuse(refused, scope, receive, send)
                    return
                passed = dict(passed, **{CALLER: caller})
            elif self._may_read(caller):  # nobody is asked; who says it hears more than others do
                passed = dict(passed, **{CALLER: caller})
        await self._app(passed, receive, send)

    def _heard(
        self, shown: Shown, peer: Peer | None, scope: AsgiScope, body: bytes
    ) -> tuple[Caller | None, Address | None]:
        """Return the one caller that all credentials prove, if there is one, and from where it is heard.

        It is that of the certificate where there is one. Of a trusted proxy that says what cannot be read
        the proxy's own address is returned, and nobody.
        """
        access, client = self._access, scope["client"]
        if client is None:
            return None, None
        near = peer_address(client[0])
        address = self._proxies.origin(near, shown.forwarded)
        if address is None or access is None:
            return None, near
        if peer is None and not shown.signed and len(shown.keys) == 1:  # as nearly always
            return access.identify(shown.keys[0], address), address
        claims = [] if peer is None else [access.identify_certificate(peer.fingerprint, address)]
        claims += [access.identify(key, address) for key in shown.keys]
        if shown.signed:
            # Beside a secret it is refused, and uses up no nonce.
            signed = None if shown.keys else signed_request(shown, scope, body)
            claims.append(None if signed is None else access.identify_signed(signed, address))
        return agreed(claims), address

    def _refusal(
        self,
        caller: Caller | None,
        address: Address | None,
        shown: Shown,
        peer: Peer | None,
        needed: Scope | None,
        *,
        is_keyed: bool,
    ) -> Refused | None:
        """Return why not; before somebody is proven it always reads alike.

        `is_keyed`: count the request here, because nothing behind us asks the guarded port.
        """
        access = self._access
        if access is None or address is None:
            return _UNKNOWN
        if caller is None:
            return access.nobody(address, is_shown=peer is not None or shown.is_credential)
        refused = access.refusal(caller, needed, "")
        if refused is None and is_keyed:
            refused = access.charge(caller)
            if refused is None:
                access.count(caller, "")
        return refused

    def _may_read(self, caller: Caller | None) -> bool:
        access = self._access
        if access is None or caller is None:
            return False
        return access.judge(caller, Scope.READ, "") is None

    def _asks(self, shown: Shown, peer: Peer | None, *, is_keyed: bool) -> bool:
        """Whether a request must say whose it is. In open mode one does that shows any credential."""
        if is_keyed:
            return True
        access = self._access
        if access is None:
            return False
        return not access.is_open or peer is not None or shown.is_credential

    def _route(self, scope: AsgiScope) -> bytes | None:
        """Return the route of ROUTES that a request takes, None if none."""
        if scope["type"] == "websocket":
            return None
        path: bytes = scope["raw_path"]
        if path in self._whole:
            return path
        return next((each for each in self._prefixes if path.startswith(each)), None)


def _needed(scope: AsgiScope, route: bytes | None) -> Scope | None:
    """Return the scope that a request needs, PUBLIC if none."""
    if scope["type"] == "websocket":
        return UPGRADE
    if route is None:
        return MOUNTED
    method: str = scope["method"]
    return ROUTES[route].get("GET" if method == "HEAD" else method, Scope.READ)


async def _refuse(refused: Refused, scope: AsgiScope, receive: Receive, send: Send) -> None:
    answer = answer_of(refused)
    if scope["type"] == "websocket":
        await refuse_upgrade(answer, scope, receive, send)
    else:
        await send_answer(answer, scope, send)


def answer_of(refused: Refused) -> Answer:
    """Return how a refusal of a caller reads by HTTP (contract 3.1)."""
    headers = (_RETRY_AFTER,) if refused.refusal is Refusal.RATE_EXCEEDED else ()
    return message_answer(_STATUS[refused.refusal], refused.message, *headers)
