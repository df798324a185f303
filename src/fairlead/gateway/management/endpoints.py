"""`GET /v1/endpoints`: by which addresses the accounts are traded, one row per account and protocol.

An address is given as the client can use it. Where we listen on the address that the client came to, or on
every address, it is called by the name that the client called it by.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from fairlead.control.account_text import exchange_of
from fairlead.control.exchanges import EXCHANGES
from fairlead.core.port import EdgePort
from fairlead.core.replies import AccountsReply
from fairlead.core.requests import QueryAccounts
from fairlead.gateway.answers import Answer, Call, json_answer, message_answer
from fairlead.gateway.callers import Access, Caller
from fairlead.gateway.forms import read_exchange_id
from fairlead.gateway.management import shapes
from fairlead.gateway.queries import Query
from fairlead.gateway.rendering import invalid
from fairlead.gateway.routing import Methods
from fairlead.gateway.wrong import FormError

Schema = Literal["http", "https", "fix", "fixs"]
_NAME = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::[0-9]{1,5})?").fullmatch
_STREAM: dict[Schema, shapes.EndpointSchema] = {"http": "ws", "https": "wss"}
_STREAM_PATH = "/v1/ws"
_PORTS: dict[Schema, int] = {"http": 80, "https": 443}


class Listener(msgspec.Struct, frozen=True):
    """A numeric address that is listened on. `asks`: it takes nobody without a client certificate."""

    schema: Schema
    host: str
    port: int
    asks: bool = False


class EndpointsApi:
    """The call. Of two TLS listeners a client is told the one that it asked by, else the one that asks none
    for a certificate.
    """

    def __init__(
        self,
        listeners: Sequence[Listener],
        port_of: Callable[[Caller], EdgePort],
        access: Access,
        new_trace_id: Callable[[], str],
        public_url: str | None = None,
    ) -> None:
        """`port_of`: the port that answers for all accounts of a caller's subscription.

        `public_url`: by which clients reach HTTP, whatever is listened on.
        """
        self._listeners = listeners
        self._public_url = public_url
        self._port_of = port_of
        self._access = access
        self._new_trace_id = new_trace_id
        self.routes: dict[bytes, Methods] = {b"/v1/endpoints": {"GET": self.endpoints}}
        self.prefixes: tuple[tuple[bytes, Methods], ...] = ()

    async def endpoints(self, call: Call) -> Answer:
        """GET /v1/endpoints"""
        assert call.caller is not None, "management needs a key"
        try:
            query = Query(call.query)
            wanted = query.repeated("filter_exchange_id", read_exchange_id)
            query.check()
        except FormError as error:
            return json_answer(400, invalid(error.findings, self._new_trace_id()))
        try:
            accounts = await self._accounts(call.caller)
        except ConnectionError:
            return message_answer(503, "the gateway is stopping, try again", (b"retry-after", b"1"))
        if wanted:
            accounts = [each for each in accounts if each in wanted]
        places = [(each.schema, f"{_host(each, call)}:{each.port}") for each in self._told(call)]
        if self._public_url is not None:
            others = [place for place in places if place[0] not in _STREAM]
            places = [_public(self._public_url), *others]
        rows = [row for account in accounts for place in places for row in _rows(account, *place)]
        return json_answer(200, rows)

    async def _accounts(self, caller: Caller) -> list[str]:
        """Return the accounts that the caller may follow. Raises ConnectionError."""
        reply = await self._port_of(caller).submit(QueryAccounts(account=""))
        assert isinstance(reply, AccountsReply), reply
        allowed = self._access.accounts(caller)
        names = [state.account for state in reply.accounts]
        return names if allowed is None else [name for name in names if name in allowed]

    def _told(self, call: Call) -> Iterator[Listener]:
        """Return the listeners that this client is told of, one per schema."""
        asked_port = None if call.server is None else call.server[1]

        def preference(listener: Listener) -> tuple[bool, bool]:
            return listener.port != asked_port, listener.asks

        for schema in ("http", "https", "fix", "fixs"):
            of_schema = [each for each in self._listeners if each.schema == schema]
            if of_schema:
                yield min(of_schema, key=preference)


def _public(url: str) -> tuple[Schema, str]:
    parts = urlsplit(url)
    schema: Schema = "https" if parts.scheme == "https" else "http"
    return schema, parts.netloc if parts.port else f"{parts.netloc}:{_PORTS[schema]}"


def _rows(account: str, schema: Schema, at: str) -> Iterator[shapes.AccountEndpoint]:
    location_id = EXCHANGES[exchange_of(account)].location_id
    yield shapes.AccountEndpoint(account, location_id, schema, at, f"{schema}://{at}")
    stream = _STREAM.get(schema)
    if stream is not None:
        url = f"{stream}://{at}{_STREAM_PATH}"
        yield shapes.AccountEndpoint(account, location_id, stream, at, url)


# ── what an address is called ────────────────────────────────────────────────────────────────────


def _host(listener: Listener, call: Call) -> str:
    """Return the host by which this client reaches a listener, as it stands in a URL."""
    came_to = None if call.server is None else _plain(call.server[0])
    host = _plain(listener.host)
    is_everywhere = ipaddress.ip_address(host).is_unspecified
    called = next((value for name, value in call.headers if name == b"host"), b"")
    match = _NAME(called)
    if match is not None and (is_everywhere or host == came_to):
        return match[1].decode("ascii").lower()
    if is_everywhere and came_to is not None:
        host = came_to
    return f"[{host}]" if ":" in host else host


def _plain(host: str) -> str:
    """Return a numeric address in its one form; an IPv4 one that came by IPv6 as IPv4."""
    address = ipaddress.ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
