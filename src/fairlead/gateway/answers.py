"""What a call is and what answers it, independent of the server: values in, values out.

`send_answer` is the only thing here that waits.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

import msgspec
from starlette.types import Message, Receive, Scope, Send

from fairlead.control.key_text import hidden_in
from fairlead.gateway.callers import Caller
from fairlead.gateway.shapes import MessageError
from fairlead.gateway.wrong import FormError

JSON = b"application/json"
CALLER = "fairlead.caller"  # where an ASGI scope says who calls, once it is proven
Header = tuple[bytes, bytes]


class Call(msgspec.Struct, frozen=True):
    """One request. `tail` is the rest of the raw path after a route that ends in a parameter.

    `caller` is None in open mode, and where nobody is asked who they are. `server`: the address that the
    request came to.
    """

    method: str
    raw_path: bytes
    query: bytes
    http_version: str
    body: bytes
    tail: bytes = b""
    caller: Caller | None = None
    headers: Sequence[Header] = ()
    server: tuple[str, int] | None = None


class Answer(msgspec.Struct, frozen=True):
    """A whole answer."""

    status: int
    body: bytes
    media_type: bytes = JSON
    headers: tuple[Header, ...] = ()


class Stream(msgspec.Struct, frozen=True):
    """A 200 whose body is made while it is sent, in chunks of bounded size."""

    chunks: AsyncGenerator[bytes]


Handler = Callable[[Call], Awaitable[Answer | Stream]]

_ERRORS = 400  # and above: statuses of errors
_encode = msgspec.json.Encoder().encode


def json_answer(status: int, value: object, *headers: Header) -> Answer:
    """Return `value` as a JSON answer."""
    return Answer(status, _encode(value), JSON, headers)


def message_answer(status: int, message: str, *headers: Header) -> Answer:
    """Return the small error shape `{"message"}`."""
    return json_answer(status, MessageError(message), *headers)


def form_message(error: FormError) -> Answer:
    """Return a 400 in the small error shape (calls whose contract has no validation body)."""
    return message_answer(400, str(error))


SendWhole = Callable[[int, bytes, bytes], bool]
WHOLE = "fairlead.whole"  # extension: the server's way to send a whole answer in one write


async def send_answer(answer: Answer, scope: Scope, send: Send) -> None:
    """Send a whole answer: in one write where the server offers that, else by ASGI's two messages."""
    body = _told(answer)
    send_whole: SendWhole | None = scope.get("extensions", {}).get(WHOLE)
    if send_whole is not None and not answer.headers:
        head = b"content-type: %s\r\ncontent-length: %d\r\n" % (answer.media_type, len(body))
        if send_whole(answer.status, head, body):
            return
    headers = [
        (b"content-type", answer.media_type),
        (b"content-length", b"%d" % len(body)),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def refuse_upgrade(answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer an upgrade that is refused."""
    body = _told(answer)
    await receive()
    assert "websocket.http.response" in scope["extensions"]
    headers = [
        (b"content-type", answer.media_type),
        (b"content-length", b"%d" % len(body)),
        *answer.headers,
    ]
    start = {"type": "websocket.http.response.start", "status": answer.status, "headers": headers}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": body})


def _told(answer: Answer) -> bytes:
    """Return the body; errors repeat what was sent, so a secret in a wrong place is hidden there."""
    return answer.body if answer.status < _ERRORS else hidden_in(answer.body)


async def read_body(receive: Receive) -> bytes:
    """Return the whole body; its size is bounded by the border in front."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return body
    parts = [body]
    while message.get("more_body", False):
        message = await receive()
        parts.append(message.get("body", b""))
    return b"".join(parts)


class Replay:
    """Gives a body that has been read, then what the server has to say."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        """Be the `receive` of an ASGI application."""
        body = self._body
        if body is None:
            return await self._receive()
        self._body = None
        return {"type": "http.request", "body": body, "more_body": False}


def call_of(scope: Scope, body: bytes, tail: bytes = b"") -> Call:
    """Return the call that an ASGI scope describes."""
    return Call(
        scope["method"],
        scope["raw_path"],
        scope["query_string"],
        scope["http_version"],
        body,
        tail,
        scope.get(CALLER),
        scope["headers"],
        scope["server"],
    )
