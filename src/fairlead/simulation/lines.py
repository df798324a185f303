"""A client's connection that it keeps: its orders go over it, and end with it where they ask to.

Half of the clients are as by WebSocket: every connection is a session of a new name, and the next one
is there before the end of the last was noticed. The other half are as by FIX: the name stays, and the
next connection begins when the last has ended.
"""

import asyncio
from random import Random

from fairlead.core.model import ExecInst
from fairlead.core.replies import Reply
from fairlead.core.requests import PlaceOrder
from fairlead.simulation.door import Connection, Door

_NOTICED_MS_MAX = 400  # until the server notices that a client has gone


class ClientLine:
    """Dials when there is something to place, again and again."""

    def __init__(self, client: str, door: Door, random: Random) -> None:
        self._client = client
        self._door = door
        self._random = random
        self._has_one_name = bool(random.randrange(2))
        self._count = 0
        self._connection: Connection | None = None
        self._is_ending = False

    def instructions(self) -> tuple[ExecInst, ...]:
        """Draw what a new order says of the end of its session."""
        match self._random.randrange(8):
            case 0 | 1 | 2:
                return (ExecInst.CANCEL_ON_DISCONNECT,)
            case 3:
                return (ExecInst.DO_NOT_CANCEL_ON_DISCONNECT,)
            case _:
                return ()

    async def place(self, request: PlaceOrder) -> Reply:
        """Place an order over the connection, or by a call of its own. Raises ConnectionError."""
        connection = self._dialled() if self._random.randrange(8) else None
        try:
            return await self._door.submit(self._client, request, connection)
        except ConnectionError:
            if self._connection is connection:
                self._connection = None
            raise

    async def hang_up(self) -> None:
        """End the connection, which the server notices soon; do nothing without one."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        self._is_ending = True
        if self._random.randrange(2):
            await asyncio.sleep(self._random.randrange(_NOTICED_MS_MAX) / 1_000)
        try:
            await self._door.hang_up(self._client, connection)
        except ConnectionError:
            return  # the server died first, and its sessions with it
        finally:
            self._is_ending = False

    def _dialled(self) -> Connection | None:
        if self._connection is None and not (self._is_ending and self._has_one_name):
            self._count += 1
            number = "" if self._has_one_name else f"-{self._count}"
            self._connection = self._door.dial(f"{self._client}{number}")
        return self._connection
