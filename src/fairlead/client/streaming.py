"""A stream of events over aiohttp's WebSocket: connect, read, and connect again, for ever.

A message is read when the next event is asked for, so of what a slow reader has not asked for a bounded
part waits here and the rest in the system's journal. aiohttp and asyncio are imported when it begins.
"""

from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

import msgspec

from fairlead.client import calls
from fairlead.client.address import Address, words
from fairlead.client.errors import Unreachable
from fairlead.client.events import Connected, Disconnected, Event
from fairlead.client.following import Following
from fairlead.client.settings import Settings

if TYPE_CHECKING:
    import aiohttp

OnMessage = Callable[[bytes], None]
_MESSAGE_BYTES_MAX = 1 << 28  # a snapshot of some 200,000 open orders
_CLOSE_S = 1.0
_PASSING = frozenset({408, 429, 490})  # refusals of now; and every 5xx


async def streamed(
    session: "aiohttp.ClientSession",
    address: Address,
    settings: Settings,
    following: Following,
    on_message: OnMessage | None,
) -> AsyncGenerator[Event, None]:
    """Yield events for ever; see `AsyncClient.stream` for what it raises."""
    import asyncio

    import aiohttp

    while True:
        try:
            socket = await _connected(session, address, settings, following.path)
        except Unreachable as error:
            text = str(error)
        else:
            yield Connected(address.url)
            try:
                while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                    event = _taken(following, message.data)
                    if event is None:
                        continue
                    if on_message is not None:
                        on_message(message.data)
                    yield event
                text = _goodbye(message.type, message.data, message.extra)
            finally:
                await socket.close()
        retry_s = following.retry_s()
        yield Disconnected(text, retry_s)
        await asyncio.sleep(retry_s)


async def _connected(
    session: "aiohttp.ClientSession", address: Address, settings: Settings, path: str
) -> "aiohttp.ClientWebSocketResponse[bool]":
    """Return an open connection. Raises Unreachable when there is none now, Refused when there never is."""
    import asyncio

    import aiohttp
    from yarl import URL

    try:
        async with asyncio.timeout(settings.connect_timeout_s + settings.timeout_s):
            return await session.ws_connect(
                URL(address.url + path, encoded=True),
                headers=settings.headers("GET", address.authority, path),
                heartbeat=settings.timeout_s,
                timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_S),
                max_msg_size=_MESSAGE_BYTES_MAX,
                decode_text=False,
            )
    except aiohttp.WSServerHandshakeError as error:
        text = f"{address.url} does not stream: {error.status}"
        if error.status in _PASSING or error.status >= 500:
            raise Unreachable(text, was_reached=True) from error
        raise calls.refused(error.status, text) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unreachable(f"no system answers at {address.url} ({words(error)})") from error


def _taken(following: Following, message: bytes) -> Event | None:
    try:
        return following.take(message)
    except msgspec.MsgspecError as error:
        text = f"a message of the stream cannot be read: {error}"
        raise Unreachable(text, was_reached=True) from error


def _goodbye(kind: "aiohttp.WSMsgType", data: object, reason: object) -> str:
    """Return why a connection has ended, by what came last over it."""
    import aiohttp

    if kind is aiohttp.WSMsgType.CLOSE:
        return f"the system closed the connection: {data} {reason or ''}".rstrip()
    if isinstance(data, BaseException):
        return f"the connection ended: {words(data)}"
    return "the connection was lost"
