"""What every request must be before anything here looks at it (contract section 7).

A web page must not be able to trade on somebody's loopback: the body is declared JSON, the host is
one of ours, the origin is ours. Headers and body are bounded here, time and connections in
protocol.py. Wraps any ASGI application; never grants anything (no CORS).
"""

import ipaddress
import re
from collections.abc import Callable, Iterable

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from fairlead.gateway.answers import (
    JSON,
    Answer,
    Replay,
    json_answer,
    message_answer,
    refuse_upgrade,
    send_answer,
)
from fairlead.gateway.rendering import invalid
from fairlead.gateway.wrong import BODY, cut

CLOSE = (b"connection", b"close")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::([0-9]{1,5}))?").fullmatch
_SINGLE = (b"host", b"origin", b"content-type", b"content-length")
_REMEMBERED_MAX = 64
_DEFAULT_PORT = {"http": "80", "ws": "80", "https": "443", "wss": "443"}
_HTTP_OF = {"http": "http", "ws": "http", "https": "https", "wss": "https"}


class BorderSettings(msgspec.Struct, frozen=True):
    """`host_names`: names we are reached by besides loopback names and the listen address.

    `origins`: whole origins (`https://desk.example:8443`) whose pages may use us besides our own.
    """

    host_names: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    body_bytes_max: int = 65_536
    headers_max: int = 100


class Border:
    """Lets through to `app` only what is allowed, with its whole body already read.

    `listen`: the (host, port) pairs that the server listens on.
    """

    def __init__(
        self,
        app: ASGIApp,
        listen: Iterable[tuple[str, int]],
        new_trace_id: Callable[[], str],
        settings: BorderSettings | None = None,
    ) -> None:
        self._app = app
        self._new_trace_id = new_trace_id
        self._settings = settings or BorderSettings()
        addresses = list(listen)
        self._names = {name.lower() for name in self._settings.host_names}
        self._names.update(host.lower() for host, _ in addresses)
        self._ports = {str(port) for _, port in addresses}
        self._origins = {origin.lower() for origin in self._settings.origins}
        self._good_hosts: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse one request or upgrade."""
        pairs: list[tuple[bytes, bytes]] = scope["headers"]
        headers = dict(pairs)
        refusal = self._refusal(scope, pairs, headers)
        if scope["type"] == "websocket":
            if refusal is None:
                await self._app(scope, receive, send)
            else:
                await refuse_upgrade(refusal, scope, receive, send)
            return
        if refusal is not None:
            await send_answer(_closing(refusal) if b"expect" in headers else refusal, scope, send)
            return
        is_told = b"content-length" in headers or b"transfer-encoding" in headers
        if (
            not is_told and scope["http_version"] != "2"
        ):  # there only its frames say whether it has one
            await self._app(scope, receive, send)
            return
        body = await self._body(headers, receive)
        if isinstance(body, bytes) and body and not is_told:
            body = _check_content_type(headers.get(b"content-type")) or body
        if isinstance(body, bytes):
            await self._app(scope, Replay(body, receive), send)
        elif body is not None:
            await send_answer(body, scope, send)

    # ── who asks, and how ────────────────────────────────────────────────────────────────────────

    def _refusal(
        self, scope: Scope, pairs: list[tuple[bytes, bytes]], headers: dict[bytes, bytes]
    ) -> Answer | None:
        if len(pairs) > self._settings.headers_max:
            most = self._settings.headers_max
            return message_answer(431, f"{len(pairs)} headers, send at most {most}")
        if len(headers) != len(pairs):
            for name in _SINGLE:
                if sum(each == name for each, _ in pairs) > 1:
                    return message_answer(400, f"{name.decode()}: is sent more than once")
        host = headers.get(b"host")
        if host is None:
            if scope["http_version"] != "1.0":
                return message_answer(400, "host: is missing, HTTP/1.1 requires it")
        elif host not in self._good_hosts:
            refusal = self._check_host(host)
            if refusal is not None:
                return refusal
        origin = headers.get(b"origin")
        if origin is not None and not self._is_our_origin(scope, origin, host):
            text = f"origin {cut(origin.decode('latin-1'))} is neither ours nor configured"
            return message_answer(403, text)
        length = headers.get(b"content-length")
        if (length is not None and length != b"0") or b"transfer-encoding" in headers:
            return _check_content_type(headers.get(b"content-type"))
        return None

    def _check_host(self, host: bytes) -> Answer | None:
        text = host.decode("latin-1")
        match = _HOST(text)
        if match is None:
            return message_answer(400, f"host: {cut(text)} is not a host name with a port")
        name = match[1].strip("[]").lower()
        if name not in self._names and not _is_loopback(name):
            text = f"host: {cut(text)} is not served here, use a loopback name or a configured one"
            return message_answer(421, text)
        if len(self._good_hosts) < _REMEMBERED_MAX:
            self._good_hosts.add(host)
        return None

    def _is_our_origin(self, scope: Scope, origin: bytes, host: bytes | None) -> bool:
        """Whether the page came from us: the same host and port, or another name for our port."""
        text = origin.decode("latin-1").lower()
        if text in self._origins:
            return True
        scheme, _, authority = text.partition("://")
        match = _HOST(authority)
        if match is None or scheme != _HTTP_OF[scope["scheme"]]:
            return False
        port = match[2] or _DEFAULT_PORT[scheme]
        name = match[1].strip("[]")
        if host is not None:
            ours = _HOST(host.decode("latin-1").lower())
            assert ours is not None  # the host has been checked
            if name == ours[1].strip("[]") and port == (ours[2] or _DEFAULT_PORT[scheme]):
                return True
        return port in self._ports and (name in self._names or _is_loopback(name))

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes | Answer | None:
        """Return the whole body, the answer when it is too long, None when the client has gone."""
        most = self._settings.body_bytes_max
        length = headers.get(b"content-length")
        if length is not None and int(length) > most:
            return self._too_long(headers)
        message = await receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body", False):
            parts = [body]
            size = len(body)
            while message.get("more_body", False) and size <= most:
                message = await receive()
                parts.append(message.get("body", b""))
                size += len(parts[-1])
            body = b"".join(parts)
        if message["type"] == "http.disconnect":
            return None
        return body if len(body) <= most else self._too_long(headers)

    def _too_long(self, headers: dict[bytes, bytes]) -> Answer:
        """A 400 and not a 413: a client of the contract knows how to read it (and closes nothing)."""
        text = f"is longer than {self._settings.body_bytes_max} bytes, send less"
        answer = json_answer(400, invalid([(BODY, text)], self._new_trace_id()))
        return _closing(answer) if b"expect" in headers else answer


def _check_content_type(value: bytes | None) -> Answer | None:
    if value == JSON:
        return None
    media_type, _, parameter = (value or b"").lower().partition(b";")
    name, _, charset = parameter.partition(b"=")
    is_utf8 = not parameter.strip() or (
        name.strip() == b"charset" and charset.strip().strip(b'"') == b"utf-8"
    )
    if media_type.strip() == JSON and is_utf8:
        return None
    sent = "is missing" if value is None else f"{cut(value.decode('latin-1'))} is not taken"
    return message_answer(415, f"content-type: {sent}, send application/json in UTF-8")


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _closing(answer: Answer) -> Answer:
    """A body that the client holds back will not come: the connection cannot be used again."""
    return msgspec.structs.replace(answer, headers=(*answer.headers, CLOSE))
