"""Who gives way when a listener has as many HTTP connections as it may: who is idle, the longest first.

So nobody keeps others out by connections that ask nothing. Those of WebSocket are no HTTP any more: they
are bounded by themselves, for each subscription.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol

from fairlead.gateway.websocket.wire import WebSocketProtocol


class Guest(Protocol):
    """An HTTP connection as it is seen from here."""

    transport: asyncio.Transport

    def idle_until(self) -> float | None:
        """Return when it will be closed for being idle, by the loop's time; None while it is not idle."""
        ...

    def leave(self) -> None:
        """Close it, as one that is idle."""
        ...


def has_room(connections: Iterable[Any], others_max: int) -> bool:
    """Whether there are at most so many, WebSocket aside; one more may be made good by one that leaves."""
    http: list[Guest] = [each for each in connections if not isinstance(each, WebSocketProtocol)]
    guests = [each for each in http if not each.transport.is_closing()]
    if len(guests) <= others_max:
        return True
    idle = [(until, each) for each in guests if (until := each.idle_until()) is not None]
    if not idle:
        return False
    min(idle, key=lambda found: found[0])[1].leave()
    return True
