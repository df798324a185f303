"""Live, ready, metrics."""

import pytest
from prometheus_client import Counter
from prometheus_client.parser import text_string_to_metric_families

from fairlead.gateway.health import AccountHealth, Readiness
from tests.gateway.conftest import Gateway
from tests.gateway.wire import ask, request

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_live(gateway: Gateway) -> None:
    assert (await ask(gateway.address, request("GET", "/health/live"))).json == {"status": "live"}


@pytest.mark.parametrize(
    ("readiness", "status"),
    [
        (Readiness(True, ()), 200),
        (Readiness(True, (AccountHealth("SIM", "reconciled"),)), 200),
        (Readiness(True, (AccountHealth("SIM", "not connected"),)), 200),
        (Readiness(True, (AccountHealth("SIM", ""),)), 503),
        (Readiness(False, (AccountHealth("SIM", "reconciled"),)), 503),
    ],
)
async def test_ready(gateway: Gateway, readiness: Readiness, status: int) -> None:
    gateway.readiness[0] = readiness
    answer = await ask(gateway.address, request("GET", "/health/ready"))
    assert answer.status == status
    assert answer.json["status"] == ("ready" if status == 200 else "not ready")
    assert len(answer.json["accounts"]) == len(readiness.accounts)


async def test_metrics_are_those_of_the_registry(gateway: Gateway) -> None:
    Counter("orders", "Orders placed.", ["status"], registry=gateway.registry).labels("NEW").inc(3)
    Counter("commits", "Commits.", registry=gateway.registry).inc()
    answer = await ask(gateway.address, request("GET", "/metrics"))
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.body.decode())
    samples = {sample.name: sample.value for family in families for sample in family.samples}
    assert (samples["orders_total"], samples["commits_total"]) == (3, 1)
