"""A gateway on a real socket with its management API, over a scripted edge, and keys for it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from fairlead.control.errors import StoreUnusable
from fairlead.control.key_text import hash_of, new_kid, new_secret
from fairlead.control.keys import ApiKey, Rights, Scope, State, Usable
from fairlead.control.usage import UsageAsked, Used
from fairlead.gateway.border import BorderSettings
from fairlead.gateway.callers import Access, Caller
from fairlead.gateway.health import Readiness
from fairlead.gateway.management.api import ManagementApi
from fairlead.gateway.management.endpoints import EndpointsApi, Listener
from fairlead.gateway.management.exchanges import ExchangesApi
from fairlead.gateway.management.usage import UsageApi
from fairlead.gateway.server import HttpServer, address_of, bind, gateway_app
from tests.gateway.scripted_edge import ScriptedEdge
from tests.gateway.wire import Address, Answered, ask, request

KEYS: dict[str, tuple[tuple[Scope, ...], tuple[str, ...] | None]] = {
    "read": ((Scope.READ,), None),
    "trade": ((Scope.READ, Scope.TRADE), None),
    "manage": ((Scope.READ, Scope.MANAGE), None),
    "alice": ((Scope.READ,), ("SIM/ALICE",)),
}
REQUESTS_PER_S = 50
DAY_NOW_NS = 1_795_780_800 * 1_000_000_000  # noon of 2026-11-27
# Where the gateway says that it listens, besides where it does.
LISTENERS = (
    Listener("https", "10.0.0.5", 3443),
    Listener("https", "0.0.0.0", 3444, asks=True),
    Listener("fix", "::1", 3401),
    Listener("fixs", "::", 3301, asks=True),
)


class Managed(NamedTuple):
    """`secrets` by the names of KEYS. The clock stands still until it is moved."""

    address: Address
    edge: ScriptedEdge
    secrets: dict[str, str]
    clock: list[int]
    book: "Book"
    kids: dict[str, str]

    async def ask(self, method: str, target: str, key: str | None, *headers: str) -> Answered:
        """Ask with the key of that name, None: without any."""
        named = () if key is None else (f"X-CoinAPI-Key: {self.secrets.get(key, key)}",)
        return await ask(self.address, request(method, target, None, *named, *headers), method)


class Book:
    """Where usage is read: answers with `rows`, keeps what it was asked."""

    def __init__(self) -> None:
        self.rows: list[Used] = []
        self.asked: list[UsageAsked] = []
        self.is_lost = False

    async def read(self, asked: UsageAsked, limit: int) -> list[Used]:
        self.asked.append(asked)
        if self.is_lost:
            raise StoreUnusable("the connection is lost")
        return self.rows[:limit]


async def _ready(_: Caller | None) -> Readiness:
    return Readiness(True, ())


def api_key(scopes: Sequence[Scope], accounts: tuple[str, ...] | None) -> ApiKey:
    return ApiKey(
        kid=new_kid(),
        subscription="local",
        label="Bot1",
        stored_state=State.ACTIVE,
        rights=Rights(scopes=tuple(scopes), accounts=accounts),
        created_ns=0,
        expires_ns=None,
        version=1,
    )


@asynccontextmanager
async def managed(*, is_open: bool, is_known: bool = True) -> AsyncIterator[Managed]:
    """Serve: in open mode if `is_open`; `is_known`: management knows its keys."""
    bound = bind("127.0.0.1", 0)
    edge, clock, book = ScriptedEdge(), [0], Book()
    access = Access(lambda: clock[0], REQUESTS_PER_S, is_open=is_open)
    secrets = {name: new_secret() for name in KEYS}
    keys = {name: api_key(*KEYS[name]) for name in KEYS}
    access.replace([Usable(keys[name], hash_of(secret)) for name, secret in secrets.items()])
    kids = {name: key.kid for name, key in keys.items()}
    listeners = [*LISTENERS, Listener("http", *address_of(bound))]
    endpoints = EndpointsApi(listeners, lambda _: edge, access, lambda: "trace")
    usage = UsageApi(book.read, access, lambda: DAY_NOW_NS)
    app = gateway_app(
        {"local": edge},
        (address_of(bound),),
        _ready,
        lambda _: (),
        access=access if is_known else None,
        management=ManagementApi(ExchangesApi(), endpoints, usage),
        border=BorderSettings(host_names=frozenset({"ems.example"})),
    )
    server = HttpServer(app, bound)
    await server.start()
    try:
        yield Managed(server.address, edge, secrets, clock, book, kids)
    finally:
        await server.stop()
