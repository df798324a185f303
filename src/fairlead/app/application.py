"""What HTTP serves, put together: each API is given the parts of the system that it asks.

Must never start or stop a part; `system.py` does.
"""

import dataclasses

from starlette.types import ASGIApp, Receive, Scope, Send

from fairlead.app.listening import Listening
from fairlead.app.metrics import Metrics
from fairlead.app.people import People
from fairlead.app.plane import ControlPlane
from fairlead.app.tenants import Tenants
from fairlead.config import Config
from fairlead.core.port import EdgePort
from fairlead.edge.clock import Wall
from fairlead.exchange.operator import operator_app
from fairlead.exchange.server import Exchange
from fairlead.gateway.answers import CALLER
from fairlead.gateway.callers import Access, Caller
from fairlead.gateway.management.accounts import AccountsApi
from fairlead.gateway.management.api import ManagementApi
from fairlead.gateway.management.certificates import CertificatesApi
from fairlead.gateway.management.endpoints import EndpointsApi
from fairlead.gateway.management.exchanges import ExchangesApi
from fairlead.gateway.management.usage import UsageApi
from fairlead.gateway.proxies import Proxies
from fairlead.gateway.routing import for_the_owner
from fairlead.gateway.server import gateway_app, new_trace_id


@dataclasses.dataclass(frozen=True)
class Parts:
    """The parts that are asked. `exchange` None: it runs elsewhere. `url`: by which people reach us."""

    config: Config
    wall: Wall
    access: Access
    proxies: Proxies
    plane: ControlPlane
    tenants: Tenants
    listening: Listening
    people: People
    metrics: Metrics
    exchange: Exchange | None
    url: str


def application(parts: Parts) -> ASGIApp:
    """Return what every HTTP listener serves."""
    config, access, tenants = parts.config, parts.access, parts.tenants

    async def websocket(scope: Scope, receive: Receive, send: Send) -> None:
        await tenants.of(scope.get(CALLER)).websocket(scope, receive, send)

    def people(behind: ASGIApp) -> ASGIApp:
        return parts.people.front(behind, parts.url, access, tenants.ports)

    mounts: dict[bytes, ASGIApp] = {}
    if parts.exchange is not None:
        mounts[b"/operator"] = for_the_owner(operator_app(parts.exchange))
    return gateway_app(
        tenants.ports,
        parts.listening.http_addresses,
        tenants.readiness,
        parts.metrics.of,
        rest=config.http.rest,
        border=config.http.border,
        mounts=mounts,
        websocket=websocket,
        access=access,
        management=_management(parts),
        people=people,
        proxies=parts.proxies,
    )


def _management(parts: Parts) -> ManagementApi:
    access, plane, tenants = parts.access, parts.plane, parts.tenants

    def port_of(caller: Caller) -> EdgePort:
        return tenants.ports[caller.subscription]

    listeners, public_url = parts.listening.listeners, parts.config.http.public_url
    return ManagementApi(
        AccountsApi(lambda caller: plane.keeper_of(caller.subscription), access, new_trace_id),
        ExchangesApi(),
        EndpointsApi(listeners, port_of, access, new_trace_id, public_url),
        UsageApi(plane.usage, access, parts.wall.now_ns),
        CertificatesApi(plane.certificates_of, plane.look, access),
    )
