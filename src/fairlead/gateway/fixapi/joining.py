"""A client's way to the edge while its key gets accounts: nothing is asked before they are followed.

An order at an account that the session does not follow would be told to nobody, neither now nor at the
next logon. So where a key may use more, its requests wait until it is known what there is now.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from fairlead.core.port import EdgePort, Prepare
from fairlead.core.replies import Reply
from fairlead.core.requests import EndSession, PlaceOrder, QueryAccounts, Request
from fairlead.gateway.fixapi.flow import Flow
from fairlead.gateway.relay import Relay

_WHY = "accounts"  # reading is held


class Joining(Relay):
    """The `EdgePort` of one client.

    `follow` is called with what the edge answers about its accounts, and returns whether the session goes
    on; `start` has work done beside everything else.
    """

    def __init__(
        self,
        port: EdgePort,
        flow: Flow,
        start: Callable[[Coroutine[Any, Any, None]], None],
        follow: Callable[[Reply], bool],
    ) -> None:
        super().__init__(port)
        self._flow = flow
        self._start = start
        self._follow = follow
        self._is_known = asyncio.Event()
        self._is_known.set()
        self._is_due = False
        self._is_over = False

    def look(self) -> None:
        """Have what is open now followed before the next request is made; meanwhile none is taken."""
        self._is_due = True
        if self._is_known.is_set():
            self._is_known.clear()
            self._flow.hold_reading(_WHY)
            self._start(self._look())

    async def _look(self) -> None:
        try:
            while self._is_due and not self._is_over:
                self._is_due = False
                self._is_over = not self._follow(await self._port.submit(QueryAccounts(account="")))
        except ConnectionError:  # the edge is stopping, and we after it
            self._is_over = True
        self._is_known.set()
        self._flow.let_go_reading(_WHY)

    async def submit(self, request: Request, prepare: Prepare | None = None) -> Reply:
        """See `EdgePort.submit`. Of a session that has ended meanwhile no order is placed."""
        if type(request) is not EndSession:
            while not self._is_known.is_set():
                await self._is_known.wait()
            if self._is_over and type(request) is PlaceOrder:
                raise ConnectionError("the session is over")  # it is asked for again, and told then
        return await self._port.submit(request, prepare)
