"""Raw path → handler. Paths are matched undecoded: an id in one may hold anything, encoded.

Answers 404 and 405 itself. Streams are sent from here, because only here is the connection.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing

from starlette.types import ASGIApp, Receive, Scope, Send

from fairlead.core.requests import LOCAL
from fairlead.gateway.answers import (
    CALLER,
    JSON,
    Answer,
    Handler,
    Stream,
    call_of,
    message_answer,
    read_body,
    refuse_upgrade,
    send_answer,
)
from fairlead.gateway.callers import Caller
from fairlead.gateway.wrong import cut

Methods = Mapping[str, Handler]
_SPOOL_MAX = 1 << 20  # bytes of an answer to HTTP/1.0 kept in memory before it goes to a file
_SPOOL_PART = 1 << 16


class Router:
    """An ASGI application over tables of handlers.

    `exact`: whole raw path → method → handler. `prefixes`: (raw path ending in `/`, methods), whose
    handler gets the rest of the path; tried in order after `exact`. `mounts`: raw path prefix →
    another ASGI application, which gets the scope as it is. `websocket` gets every upgrade; without
    one they are refused.
    """

    def __init__(
        self,
        exact: Mapping[bytes, Methods],
        prefixes: tuple[tuple[bytes, Methods], ...] = (),
        mounts: Mapping[bytes, ASGIApp] | None = None,
        websocket: ASGIApp | None = None,
    ) -> None:
        self._exact = exact
        self._prefixes = prefixes
        self._mounts = tuple((mounts or {}).items())
        self._websocket = websocket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or upgrade."""
        if scope["type"] == "websocket":
            await self._upgrade(scope, receive, send)
            return
        assert scope["type"] == "http", scope["type"]
        raw_path: bytes = scope["raw_path"]
        methods, tail = self._find(raw_path)
        if methods is None:
            await self._elsewhere(raw_path, scope, receive, send)
            return
        method: str = scope["method"]
        handler = methods.get("GET" if method == "HEAD" else method)
        if handler is None:
            await send_answer(_not_allowed(method, raw_path, methods), scope, send)
            return
        body = await read_body(receive) if method == "POST" else b""
        answer = await handler(call_of(scope, body, tail))
        if isinstance(answer, Answer):
            await send_answer(answer, scope, send)
        else:
            await _send_stream(answer, scope, receive, send)

    def _find(self, raw_path: bytes) -> tuple[Methods | None, bytes]:
        methods = self._exact.get(raw_path)
        if methods is not None:
            return methods, b""
        for prefix, methods in self._prefixes:
            if raw_path.startswith(prefix):
                return methods, raw_path[len(prefix) :]
        return None, b""

    async def _elsewhere(self, raw_path: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        for prefix, app in self._mounts:
            if raw_path == prefix or raw_path.startswith(prefix + b"/"):
                await app(scope, receive, send)
                return
        await send_answer(nothing_at(raw_path), scope, send)

    async def _upgrade(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._websocket is not None:
            await self._websocket(scope, receive, send)
            return
        answer = message_answer(404, "there is no WebSocket here")
        await refuse_upgrade(answer, scope, receive, send)


def nothing_at(raw_path: bytes) -> Answer:
    """Return the answer where no handler is."""
    return message_answer(404, f"there is nothing at {_path(raw_path)}, see /openapi.json")


def for_the_owner(app: ASGIApp) -> ASGIApp:
    """Return what shows everybody's accounts, for keys of `local` alone; for others it is not there."""

    async def owners(scope: Scope, receive: Receive, send: Send) -> None:
        caller: Caller | None = scope.get(CALLER)
        if caller is None or caller.subscription == LOCAL:
            await app(scope, receive, send)
        else:
            await send_answer(nothing_at(scope["raw_path"]), scope, send)

    return owners


def _not_allowed(method: str, raw_path: bytes, methods: Methods) -> Answer:
    allowed = ", ".join([*methods, "HEAD"] if "GET" in methods else methods)
    return message_answer(
        405,
        f"{cut(method)} is not possible at {_path(raw_path)}, use {allowed}",
        (b"allow", allowed.encode()),
    )


def _path(raw_path: bytes) -> str:
    return cut(raw_path.decode("ascii", "replace"))


# ── streams ──────────────────────────────────────────────────────────────────────────────────────


async def _send_stream(stream: Stream, scope: Scope, receive: Receive, send: Send) -> None:
    """Send chunk by chunk; stop reading what is streamed as soon as the client has gone."""
    if scope["method"] == "HEAD":
        await send_answer(Answer(200, b""), scope, send)
        return
    if scope["http_version"] == "1.0":
        await _send_spooled(stream.chunks, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", JSON)]})
    gone = asyncio.ensure_future(_disconnect(receive))
    try:
        async with aclosing(stream.chunks) as chunks:
            async for chunk in chunks:
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
    finally:
        gone.cancel()
    await send({"type": "http.response.body", "body": b""})


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_spooled(chunks: AsyncIterator[bytes], send: Send) -> None:
    """HTTP/1.0 knows no chunks: learn the length first, in a file when it is long."""
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_MAX) as spool:
        async for chunk in chunks:
            spool.write(chunk)
        length = spool.tell()
        spool.seek(0)
        headers = [(b"content-type", JSON), (b"content-length", b"%d" % length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while part := spool.read(_SPOOL_PART):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def joined(*tables: Mapping[bytes, Methods]) -> dict[bytes, Methods]:
    """Return the tables as one; no path may be in two of them."""
    table: dict[bytes, Methods] = {}
    for each in tables:
        assert not table.keys() & each.keys(), table.keys() & each.keys()
        table.update(each)
    return table
