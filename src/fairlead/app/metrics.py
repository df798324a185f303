"""The numbers that a caller is given: those of the process, and those of the caller's own subscription."""

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from fairlead.app.tenants import Tenants
from fairlead.gateway.callers import Caller
from fairlead.gateway.fixapi.acceptor import FixServer, fix_collector
from fairlead.gateway.health import of_subscription


class Metrics:
    """Reads them when they are asked for."""

    def __init__(
        self, process: CollectorRegistry, tenants: Tenants, fix_servers: Sequence[FixServer]
    ) -> None:
        self._process = process
        self._tenants = tenants
        self._fix_servers = fix_servers

    def of(self, caller: Caller | None) -> Iterator[Metric]:
        """Yield the numbers of the process, and those of the caller's subscription; see `Tenants.of`."""
        tenant = self._tenants.of(caller)
        collectors = [*tenant.collectors()]
        if tenant.desk is not None:
            collectors.append(fix_collector(tenant.desk, self._fix_servers))
        yield from self._process.collect()
        for collector in collectors:
            yield from of_subscription(tenant.name, collector.collect())
