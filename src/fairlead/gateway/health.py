"""Whether we live, whether we are ready, and the numbers that say how we do (contract 3.2)."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric

from fairlead.gateway.answers import Answer, Call, json_answer
from fairlead.gateway.routing import Methods


class AccountHealth(msgspec.Struct, frozen=True):
    """One account: `state` is `reconciled`, or says why it is not; empty when nobody knows yet."""

    exchange_id: str
    state: str


class Readiness(msgspec.Struct, frozen=True):
    """What the composition root knows about being ready."""

    journal_writable: bool
    accounts: tuple[AccountHealth, ...]

    @property
    def is_ready(self) -> bool:
        """Whether the journal takes writes and every account is reconciled or reported as not."""
        return self.journal_writable and all(account.state for account in self.accounts)


class HealthApi:
    """Handlers of `/health/live`, `/health/ready` and `/metrics`; `routes` is for a `Router`."""

    def __init__(
        self, readiness: Callable[[], Awaitable[Readiness]], registry: CollectorRegistry
    ) -> None:
        self._readiness = readiness
        self._registry = registry
        self.routes: dict[bytes, Methods] = {
            b"/health/live": {"GET": self.live},
            b"/health/ready": {"GET": self.ready},
            b"/metrics": {"GET": self.metrics},
        }

    async def live(self, _: Call) -> Answer:
        """Answer at all."""
        return json_answer(200, {"status": "live"})

    async def ready(self, _: Call) -> Answer:
        """Answer 200 when ready, else 503; the body says about what."""
        readiness = await self._readiness()
        is_ready = readiness.is_ready
        body = {
            "status": "ready" if is_ready else "not ready",
            "journal": "writable" if readiness.journal_writable else "not writable",
            "accounts": readiness.accounts,
        }
        return json_answer(200 if is_ready else 503, body)

    async def metrics(self, _: Call) -> Answer:
        """Render every metric, letting the loop do other work after each."""
        parts = []
        for family in self._registry.collect():
            parts.append(generate_latest(_One(family)))
            await asyncio.sleep(0)
        return Answer(200, b"".join(parts), CONTENT_TYPE_PLAIN_0_0_4.encode())


class _One(CollectorRegistry):
    """A registry of one metric that has been collected."""

    def __init__(self, family: Metric) -> None:
        super().__init__()
        self._family = family

    def collect(self) -> Iterator[Metric]:  # type: ignore[override, unused-ignore]
        """Give the metric."""
        yield self._family
