"""One client's session as the edge knows it: a name on its orders, and an end that comes last.

A protocol that keeps connections, as WebSocket, places its orders through one `Session` per
connection. Nothing of the session can reach the edge after its end; what its end does is decided in
`core/sessions.py`. Must never decide anything about an order.
"""

import asyncio

import msgspec

from fairlead.core.model import ExecInst
from fairlead.core.port import EdgePort
from fairlead.core.replies import Reply
from fairlead.core.requests import EndSession, PlaceOrder


class Session:
    """Begins when made. `name` may be used again, by a client that comes back, once `end` has returned."""

    def __init__(self, port: EdgePort, name: str) -> None:
        assert name, "an empty name means no session"
        self.name = name
        self._port = port
        self._accounts: dict[str, None] = {}  # where it placed orders that end with it
        self._is_ended = False

    def place(self, request: PlaceOrder) -> "asyncio.Future[Reply]":
        """Submit a new order as one of this session, see `EdgePort.submit`; its place is fixed on return.

        Raises ConnectionError when the session has ended: nothing was placed.
        """
        if self._is_ended:
            raise ConnectionError(f"session {self.name} has ended")
        if ExecInst.CANCEL_ON_DISCONNECT in request.exec_inst:
            self._accounts[request.account] = None
        # Nothing waits from here to the inbox but what began before, so `end` cannot come between.
        return asyncio.ensure_future(
            self._port.submit(msgspec.structs.replace(request, session=self.name))
        )

    async def end(self) -> None:
        """End the session: its orders with CANCEL_ON_DISCONNECT are cancelled, durably on return.

        Does nothing the second time. When the edge is stopping, its next start cancels them.
        """
        if self._is_ended:
            return
        self._is_ended = True
        ends = [EndSession(account=account, session=self.name) for account in self._accounts]
        try:
            await asyncio.gather(*(self._port.submit(each) for each in ends))
        except ConnectionError:
            return  # sessions end with the process: the next one begins by cancelling
