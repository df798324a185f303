"""Before every handler: who calls, by header, query or certificate, and whether the route is for them.

Stands between border and router. Every route has its scope here; one that has none cannot be served.
The management API needs a key always, also where the trading API is open to all.
Before a credential is proven every refusal reads the same. The key in a query string goes no further:
handlers, logs and answers never see it.
"""

from collections.abc import Iterable, Mapping
from urllib.parse import unquote_plus

from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from fairlead.control.keys import Scope
from fairlead.core.replies import Refusal, Refused
from fairlead.gateway.answers import (
    CALLER,
    Answer,
    Header,
    message_answer,
    refuse_upgrade,
    send_answer,
)
from fairlead.gateway.callers import INVALID, Access, Caller, agreed
from fairlead.gateway.peers import Peer, peer_certificate

HEADER = b"x-coinapi-key"
_PARAMETER = "apikey"
_RETRY_AFTER: Header = (b"retry-after", b"1")
_STATUS = {Refusal.UNAUTHENTICATED: 401, Refusal.FORBIDDEN: 403, Refusal.RATE_EXCEEDED: 429}
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
    b"/v1/exchanges": _READ,
    b"/v1/locations": _READ,
    b"/v1/endpoints": _READ,
    b"/v1/usage": _READ,
    b"/metrics": _READ,
    b"/health/live": _OPEN,
    b"/health/ready": _OPEN,
    b"/openapi.json": _OPEN,
    b"/openapi-management.json": _OPEN,
}
KEYED = frozenset({
    b"/v1/exchanges", b"/v1/locations", b"/v1/endpoints", b"/v1/usage",
})  # of the management API: never open  # fmt: skip
UPGRADE = Scope.READ  # WebSocket; what a message needs is decided at the port
MOUNTED = Scope.MANAGE  # other applications, and whatever no route is declared for


def undeclared(routes: Iterable[tuple[bytes, str]]) -> list[tuple[bytes, str]]:
    """Return the routes, as (path, method), that have no scope here."""
    return [(path, method) for path, method in routes if method not in ROUTES.get(path, {})]


class Gate:
    """An ASGI application before `app`. `access` None: open mode, and nobody is known."""

    def __init__(self, app: ASGIApp, access: Access | None, prefixes: Iterable[bytes]) -> None:
        self._app = app
        self._access = access
        self._prefixes = tuple(prefixes)

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Pass on what is allowed, with its caller."""
        keys = [value.decode("latin-1") for name, value in scope["headers"] if name == HEADER]
        query: bytes = scope["query_string"]
        if b"apikey" in query.lower() or b"%" in query:
            rest, named = _without_keys(query)
            if named:
                scope = dict(scope, query_string=rest)
                keys += named
        route = self._route(scope)
        is_keyed = route in KEYED
        peer = peer_certificate(scope)
        if self._asks(is_keyed=is_keyed, peer=peer):
            needed = _needed(scope, route)
            if needed is not PUBLIC:
                access = self._access
                caller = None if access is None else _identified(access, keys, peer, scope)
                if access is None or caller is None:
                    is_shown = bool(keys) or peer is not None
                    refused: Refused | None = _nobody(access, is_shown=is_shown)
                else:
                    refused = _refusal(access, caller, needed, is_charged=is_keyed)
                if refused is not None:
                    await _refuse(refused, scope, receive, send)
                    return
                scope = dict(scope, **{CALLER: caller})
            else:
                scope = self._known(scope, keys, peer)
        await self._app(scope, receive, send)

    def _known(self, scope: AsgiScope, keys: list[str], peer: Peer | None) -> AsgiScope:
        """Return the scope with its caller where nobody is asked; who says it hears more than others do."""
        access = self._access
        if access is None or not (keys or peer):
            return scope
        caller = _identified(access, keys, peer, scope)
        is_known = caller is not None and access.judge(caller, Scope.READ, "") is None
        return dict(scope, **{CALLER: caller}) if is_known else scope

    def _asks(self, *, is_keyed: bool, peer: Peer | None) -> bool:
        """Whether a request must say whose it is. In open mode a certificate does, wherever it is shown."""
        if is_keyed:
            return True
        access = self._access
        return access is not None and (not access.is_open or peer is not None)

    def _route(self, scope: AsgiScope) -> bytes | None:
        """Return the route of ROUTES that a request takes, None if none."""
        if scope["type"] == "websocket":
            return None
        path: bytes = scope["raw_path"]
        if path in ROUTES and path not in self._prefixes:
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


def _without_keys(query: bytes) -> tuple[bytes, list[str]]:
    """Return the query string without keys, and the keys, decoded."""
    rest, keys = [], []
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        if unquote_plus(name.decode("latin-1")).lower() == _PARAMETER:
            keys.append(unquote_plus(value.decode("latin-1")))
        else:
            rest.append(part)
    return b"&".join(rest), keys


def _identified(
    access: Access, keys: list[str], peer: Peer | None, scope: AsgiScope
) -> Caller | None:
    """Return the one caller that all credentials name; the one of the certificate where there is one."""
    client = scope["client"]
    if client is None:
        return None
    address = client[0]
    if peer is None and len(keys) == 1:  # as nearly always
        return access.identify(keys[0], address)
    claims = [] if peer is None else [access.identify_certificate(peer.fingerprint, address)]
    return agreed([*claims, *(access.identify(key, address) for key in keys)])


def _nobody(access: Access | None, *, is_shown: bool) -> Refused:
    """Return the refusal of who has proven nothing, which always reads alike."""
    if access is None:
        return Refused(Refusal.UNAUTHENTICATED, INVALID)
    return access.nobody(is_shown=is_shown)


def _refusal(
    access: Access, caller: Caller, needed: Scope | None, *, is_charged: bool
) -> Refused | None:
    """Return why not. `is_charged`: count it here, because nothing behind us asks the guarded port."""
    refused = access.refusal(caller, needed, "")
    if refused is None and is_charged:
        refused = access.charge(caller)
        if refused is None:
            access.count(caller, "")
    return refused


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
