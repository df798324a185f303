"""What a request shows of who sends it: keys by header and query, a signature, hops. Bytes in, values out.

Must never decide anything: whether it proves somebody is callers.py's.
"""

from typing import NamedTuple
from urllib.parse import unquote_plus

from starlette.types import Scope

from fairlead.gateway import proxies
from fairlead.gateway.signing import SignedRequest

HEADER = b"x-coinapi-key"
KEY_HEADERS = (HEADER, b"x-fairlead-key")  # either says that a program calls, not a person
TARGET = "fairlead.target"  # extension: the request's target as it was sent
_PARAMETER = "apikey"
_OURS = b"x-fairlead-"
_SIGNED = (b"x-fairlead-key", b"x-fairlead-timestamp", b"x-fairlead-nonce", b"x-fairlead-signature")


class Shown(NamedTuple):
    """`query`: without keys; nothing behind the gate sees one. `signed`: the parts of a signature."""

    keys: list[str]
    signed: list[tuple[bytes, bytes]]
    forwarded: list[bytes]
    query: bytes

    @property
    def is_credential(self) -> bool:
        """Whether any of it says who calls: an empty key, as clients send that have none, does not."""
        return bool(self.signed) or any(self.keys)


def shown_by(scope: Scope) -> Shown:
    """Return what a request shows."""
    keys, signed, forwarded = [], [], []
    for name, value in scope["headers"]:
        if name[:2] != b"x-":
            continue
        if name == HEADER:
            keys.append(value.decode("latin-1"))
        elif name[: len(_OURS)] == _OURS:
            if name in _SIGNED:
                signed.append((name, value))
        elif name == proxies.HEADER:
            forwarded.append(value)
    query: bytes = scope["query_string"]
    if b"apikey" in query.lower() or b"%" in query:
        query, named = _without_keys(query)
        keys += named
    return Shown(keys, signed, forwarded, query)


def signed_request(shown: Shown, scope: Scope, body: bytes) -> SignedRequest | None:
    """Return the signed request; None unless each part of the signature, and the host, is there once."""
    parts = dict(shown.signed)
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(parts) != len(_SIGNED) or len(shown.signed) != len(_SIGNED) or len(hosts) != 1:
        return None
    kid, timestamp, nonce, signature = (parts[name] for name in _SIGNED)
    method = "GET" if scope["type"] == "websocket" else scope["method"]
    return SignedRequest(
        method=method.encode("latin-1"),
        host=hosts[0],
        target=_target(scope),
        body=body,
        kid=kid,
        timestamp=timestamp,
        nonce=nonce,
        signature=signature,
    )


def _target(scope: Scope) -> bytes:
    sent: bytes | None = scope.get("extensions", {}).get(TARGET)
    if sent is not None:
        return sent
    query: bytes = scope["query_string"]
    raw_path: bytes = scope["raw_path"]
    return b"%s?%s" % (raw_path, query) if query else raw_path


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
