"""Why the process must stop: the first cause that any part told of.

Must never stop anything: whoever runs the system waits for the cause, and does.
"""

import asyncio
from typing import Any

import structlog

from fairlead.gateway.fixapi.acceptor import FixConnection
from fairlead.gateway.http2 import Http2Protocol
from fairlead.gateway.protocol import BoundedProtocol
from fairlead.gateway.websocket.wire import WebSocketProtocol

log = structlog.get_logger()

_OF_CLIENTS = BoundedProtocol | Http2Protocol | WebSocketProtocol | FixConnection


class Fatal:
    """`cause` resolves when it is known. For one event loop."""

    def __init__(self) -> None:
        self.cause: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    def tell(self, cause: BaseException) -> None:
        """Take what a part cannot go on after; only the first cause counts, each is logged."""
        log.error("fatal", cause=f"{type(cause).__name__}: {cause}", exc_info=cause)
        if not self.cause.done():
            self.cause.set_result(cause)

    def on_loop_error(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take what the loop caught: an error of ours stops the process, one of a client does not."""
        cause = context.get("exception")
        text = context.get("message")
        if cause is None or isinstance(cause, OSError):
            log.warning("loop", text=text, cause=repr(cause))
        elif isinstance(context.get("protocol"), _OF_CLIENTS):
            log.error("loop", text=text, cause=repr(cause), exc_info=cause)
        else:
            self.tell(cause)
