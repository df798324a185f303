"""A gateway on a real socket over a scripted edge, one for all tests of a module."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry
from starlette.types import Receive, Scope, Send

from fairlead.core.exact import use_exact_decimals
from fairlead.gateway.border import BorderSettings
from fairlead.gateway.callers import Caller
from fairlead.gateway.health import Readiness
from fairlead.gateway.protocol import Limits
from fairlead.gateway.server import HttpServer, address_of, bind, gateway_app
from tests.gateway.scripted_edge import ScriptedEdge
from tests.gateway.wire import Address


class Gateway(NamedTuple):
    address: Address
    edge: ScriptedEdge
    registry: CollectorRegistry
    readiness: list[Readiness]


async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
    """Stands for another application behind the same border; says what it got."""
    body = (await receive())["body"] if scope["method"] == "POST" else b""
    text = scope["raw_path"] + b" " + body
    headers = [(b"content-length", b"%d" % len(text))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})


LIMITS = Limits(
    connections_max=20,
    head_bytes_max=4_096,
    request_bytes_max=200_000,
    request_timeout_s=1.0,
    stop_timeout_s=2,
)
BORDER = BorderSettings(
    host_names=frozenset({"desk.example"}),
    origins=frozenset({"https://console.example:8443"}),
    headers_max=30,
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Gateway]:
    use_exact_decimals()
    bound = bind("127.0.0.1", 0)
    edge, registry = ScriptedEdge(), CollectorRegistry()
    readiness: list[Readiness] = [Readiness(True, ())]

    async def current(_: Caller | None) -> Readiness:
        return readiness[0]

    app = gateway_app(
        {"local": edge},
        (address_of(bound),),
        current,
        lambda _: registry.collect(),
        border=BORDER,
        mounts={b"/exchange": mounted},
    )
    server = HttpServer(app, bound, LIMITS)
    await server.start()
    yield Gateway(server.address, edge, registry, readiness)
    await server.stop()


@pytest.fixture
def gateway(running: Gateway) -> Gateway:
    """The module's gateway with a fresh script."""
    running.edge.__init__()  # type: ignore[misc]
    running.readiness[0] = Readiness(True, ())
    return running
