"""Who may upgrade, and from where a client resumes; an ASGI application behind border and router."""

import re
import secrets
import socket
import uuid
from collections.abc import Callable

from starlette.types import Receive, Scope, Send

import fairlead
from fairlead.core.port import EdgePort
from fairlead.core.requests import LOCAL
from fairlead.gateway.answers import CALLER, Answer, message_answer, refuse_upgrade
from fairlead.gateway.callers import Access
from fairlead.gateway.feed import Feed
from fairlead.gateway.forms import read_exchange_id
from fairlead.gateway.queries import Query
from fairlead.gateway.websocket.client import Client, Connection
from fairlead.gateway.websocket.hub import Hub, WebSocketSettings
from fairlead.gateway.websocket.messages import Server
from fairlead.gateway.websocket.wire import WIRE, Counted, WebSocketProtocol
from fairlead.gateway.wrong import FormError, Wrong, cut

PATHS = (b"/", b"/v1", b"/v1/ws")
_SEQUENCE = re.compile("[0-9]{1,18}").fullmatch
_RETRY_AFTER = (b"retry-after", b"1")


class WebSocketApi:
    """One for each gateway."""

    def __init__(
        self,
        port: EdgePort,
        feed: Feed,
        now_ns: Callable[[], int],
        settings: WebSocketSettings | None = None,
        *,
        omit_nulls: bool = False,
        access: Access | None = None,
        subscription: str = LOCAL,
        new_token: Callable[[], str] = lambda: secrets.token_hex(16),
        server: Server | None = None,
    ) -> None:
        """`subscription`: whose port this is. `server` is who serves, by default this process."""
        self.settings = settings or WebSocketSettings()
        self._counted = Counted()
        server = server or _this_process(now_ns())
        self.hub = Hub(
            port,
            feed,
            server,
            now_ns,
            new_token,
            self.settings,
            omit_nulls=omit_nulls,
            access=access,
            subscription=subscription,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Upgrade, or refuse."""
        wire: WebSocketProtocol = scope["extensions"][WIRE]
        resume = self._resume(scope)
        if isinstance(resume, Answer):
            await refuse_upgrade(resume, scope, receive, send)
            return

        def client(connection: Connection) -> Client:
            return Client(self.hub, connection, resume, scope.get(CALLER))

        wire.accept(client, self._counted)

    async def stop(self) -> None:
        """Wait for what the clients' ends have caused; their connections are closed by the server."""
        await self.hub.stop()

    def _resume(self, scope: Scope) -> dict[str, int] | Answer:
        """Return, by account, the sequence from which it goes on, or why there is no upgrade."""
        if scope["raw_path"] not in PATHS:
            path = cut(scope["raw_path"].decode("ascii", "replace"))
            text = f"there is no WebSocket at {path}, use /v1/ws"
            return message_answer(404, text)
        try:
            query = Query(scope["query_string"])
            wanted = query.repeated("from", _read_from)
            query.check()
        except FormError as error:
            return message_answer(400, str(error))
        resume = dict(wanted)
        if len(resume) < len(wanted):
            return message_answer(400, "from: names an account twice, give each once")
        if self._counted.open >= self.settings.clients_max:
            text = f"there are {self.settings.clients_max} clients, try again"
            return message_answer(503, text, _RETRY_AFTER)
        return resume


def _this_process(now_ns: int) -> Server:
    return Server(
        instance_guid=str(uuid.uuid4()),
        version=fairlead.__version__,
        name="fairlead",
        dns_name=socket.gethostname(),
        start_ns=now_ns,
    )


def _read_from(value: object) -> tuple[str, int]:
    sequence, _, account = str(value).partition(":")
    if not _SEQUENCE(sequence):
        raise Wrong(f"{cut(str(value))} is not SEQUENCE:EXCHANGE_ID, such as 57:SIM%2FALICE")
    return read_exchange_id(account), int(sequence)
