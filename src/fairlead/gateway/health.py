"""Whether we live, whether we are ready, and the numbers that say how we do (contract 3.2).

Who says whose they are hears of their own subscription alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric

from fairlead.gateway.answers import Answer, Call, json_answer
from fairlead.gateway.callers import Caller
from fairlead.gateway.routing import Methods


class AccountHealth(msgspec.Struct, frozen=True):
    """One account: `state` is `reconciled`, or says why it is not; empty when nobody knows yet."""

    exchange_id: str
    state: str


class Readiness(msgspec.Struct, frozen=True):
    """What the composition root knows about being ready.

    `is_told`: whether whoever asks hears of the accounts, and not only of the sum of them.
    """

    journal_writable: bool
    accounts: tuple[AccountHealth, ...]
    is_told: bool = True

    @property
    def is_ready(self) -> bool:
        """Whether the journal takes writes and every account is reconciled or reported as not."""
        return self.journal_writable and all(account.state for account in self.accounts)


GetReadiness = Callable[[Caller | None], Awaitable[Readiness]]
GetMetrics = Callable[[Caller | None], Iterable[Metric]]


class HealthApi:
    """Handlers of `/health/live`, `/health/ready` and `/metrics`; `routes` is for a `Router`.

    Both functions are asked on behalf of a caller, None: of somebody who has not said whose they are.
    """

    def __init__(self, readiness: GetReadiness, metrics: GetMetrics) -> None:
        self._readiness = readiness
        self._metrics = metrics
        self.routes: dict[bytes, Methods] = {
            b"/health/live": {"GET": self.live},
            b"/health/ready": {"GET": self.ready},
            b"/metrics": {"GET": self.metrics},
        }

    async def live(self, _: Call) -> Answer:
        """Answer at all."""
        return json_answer(200, {"status": "live"})

    async def ready(self, call: Call) -> Answer:
        """Answer 200 when ready, else 503; the body says about what."""
        readiness = await self._readiness(call.caller)
        is_ready = readiness.is_ready
        body = {
            "status": "ready" if is_ready else "not ready",
            "journal": "writable" if readiness.journal_writable else "not writable",
            "accounts": readiness.accounts if readiness.is_told else (),
        }
        return json_answer(200 if is_ready else 503, body)

    async def metrics(self, call: Call) -> Answer:
        """Render every metric that is the caller's, letting the loop do other work after each."""
        parts = []
        for family in self._metrics(call.caller):
            parts.append(rendered(family))
            await asyncio.sleep(0)
        return Answer(200, b"".join(parts), CONTENT_TYPE_PLAIN_0_0_4.encode())


def rendered(family: Metric) -> bytes:
    """Return a metric in Prometheus' text format."""
    return generate_latest(_One(family))


def of_subscription(name: str, families: Iterable[Metric]) -> Iterator[Metric]:
    """Give metrics as those of one subscription: every series gets its label."""
    for family in families:
        family.samples = [
            sample._replace(labels={**sample.labels, "subscription": name})
            for sample in family.samples
        ]
        yield family


class _One(CollectorRegistry):
    """A registry of one metric that has been collected."""

    def __init__(self, family: Metric) -> None:
        super().__init__()
        self._family = family

    def collect(self) -> Iterator[Metric]:  # type: ignore[override, unused-ignore]
        """Give the metric."""
        yield self._family
