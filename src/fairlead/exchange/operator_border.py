"""The border of the operator's API: bodies in, JSON out, and what the names in them mean."""

from collections.abc import AsyncIterator, Callable
from decimal import Decimal

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from fairlead.exchange.operator_forms import OperatorError, Page
from fairlead.exchange.orders import Account
from fairlead.exchange.server import Exchange
from fairlead.exchange.session import instruments_of
from fairlead.exchange.store import PAGE_ROWS

BODY_BYTES_MAX = 64 * 1024

# Returns at most so many rows, each with its cursor, behind the one of this cursor.
Rows = Callable[[str | None, int], list[tuple[str, bytes]]]

_encode = msgspec.json.Encoder().encode


def encode(content: object) -> bytes:
    """Return `content` as JSON; numbers with their exact digits, never in exponent form."""
    return _encode(_plain(msgspec.to_builtins(content, builtin_types=(Decimal,), str_keys=True)))


def _plain(value: object) -> object:
    match value:
        case Decimal():
            return msgspec.Raw(f"{value or abs(value):f}")
        case dict():
            return {name: _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return value


async def read_body(request: Request) -> bytes:
    """Return the body, which must be short."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise OperatorError("", f"{len(body)} bytes", f"at most {BODY_BYTES_MAX} bytes", 413)
    return body


def json_answer(content: object, status: int = 200) -> Response:
    """Return `content` as JSON with exact numbers."""
    return Response(encode(content), status, media_type="application/json")


def listed(name: str, page: Page, read: Rows) -> Response:
    """Return a list as one JSON object: a page of it, or streamed whole, a page in memory."""
    if page.limit is None:
        read(page.after, 1)  # refuses a bad `after` before the answer has begun
        body = _stream(name, page.after, read)
        return StreamingResponse(body, media_type="application/json")
    found = read(page.after, page.limit)
    cursor = found[-1][0] if len(found) == page.limit else None
    text = b",".join(row for _, row in found)
    return Response(
        b'{"%s":[%s],"next":%s}' % (name.encode(), text, encode(cursor)),
        media_type="application/json",
    )


async def _stream(name: str, after: str | None, read: Rows) -> AsyncIterator[bytes]:
    """Yield the whole list as one JSON object, a page at a time."""
    yield b'{"%s":[' % name.encode()
    separator = b""
    while found := read(after, PAGE_ROWS):
        yield separator + b",".join(row for _, row in found)
        separator = b","
        after = found[-1][0]
    yield b'],"next":null}'


def account_named(exchange: Exchange, public_key: str | None) -> Account | None:
    """Return the account of this public key, None for None; refuse one that is not there."""
    if public_key is None:
        return None
    account = exchange.matching.accounts.get(public_key)
    if account is None:
        raise OperatorError("account", public_key, "the public key of an account", 404)
    return account


def symbol_named(exchange: Exchange, symbol: str) -> str:
    """Return the exchange's symbol, of that or ours."""
    for instrument in instruments_of(exchange.matching):
        if symbol in (instrument.symbol, instrument.symbol_exchange):
            return instrument.symbol_exchange
    known = ", ".join(exchange.matching.markets)
    raise OperatorError("symbol", symbol, f"one of {known}")


def refuse(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's
    """Answer a request that is refused."""
    assert isinstance(error, OperatorError)
    content = {"field": error.field, "value": error.value, "message": str(error)}
    return json_answer(content, error.status)


def http_error(request: Request, error: Exception) -> Response:
    """Answer what is not there, or not with this method."""
    assert isinstance(error, HTTPException)
    content = {"field": "", "value": request.url.path, "message": error.detail}
    return json_answer(content, error.status_code)
