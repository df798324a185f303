"""What an edge counts, as Prometheus reads it."""

from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from fairlead.edge.metrics import Durations, EdgeCollector, EdgeMetrics

MS = 1_000_000


def scraped(
    metrics: EdgeMetrics, accounts: Sequence[str] = ("SIM", "SIM/ALICE"), **gauges: dict[str, float]
) -> str:
    registry = CollectorRegistry()
    registry.register(
        EdgeCollector(
            metrics,
            lambda: ((name, "A gauge.", values) for name, values in gauges.items()),
            accounts=lambda: accounts,
        )
    )
    return generate_latest(registry).decode()


def test_a_duration_is_counted_under_every_bound_it_keeps() -> None:
    durations = Durations()
    for duration_ns in (0, 50_000, 50_001, 3 * MS, 60_000 * MS):
        durations.add(duration_ns)
    buckets = dict(durations.buckets())
    assert buckets["5e-05"] == 2
    assert buckets["0.0001"] == 3
    assert buckets["0.002"] == 3
    assert buckets["0.003"] == 4
    assert buckets["5.0"] == 4
    assert buckets["+Inf"] == 5
    assert durations.sum_ns == 60_003 * MS + 100_001


def test_everything_is_scraped_in_seconds_and_by_name() -> None:
    metrics = EdgeMetrics()
    metrics.commit.add(2 * MS)
    metrics.hops["exchange"].add(500 * MS)
    metrics.batches, metrics.batch_messages = 3, 7
    metrics.orders_ended["REJECTED", "order_rate_exceeded"] += 2
    metrics.alarms["SIM", "order_doubled"] += 1
    text = scraped(metrics, fairlead_orders_in_doubt={"SIM": 1, "SIM/ALICE": 0})
    for line in (
        'fairlead_commit_seconds_bucket{le="0.002"} 1.0',
        "fairlead_commit_seconds_sum 0.002",
        'fairlead_order_hop_seconds_sum{hop="exchange"} 0.5',
        "fairlead_batches_total 3.0",
        "fairlead_messages_total 7.0",
        'fairlead_orders_status_total{reason="order_rate_exceeded",status="REJECTED"} 2.0',
        'fairlead_alarms_total{account="SIM",code="order_doubled"} 1.0',
        'fairlead_orders_in_doubt{account="SIM"} 1.0',
        'fairlead_orders_in_doubt{account="SIM/ALICE"} 0.0',
    ):
        assert line in text.splitlines(), line


def test_of_an_account_that_has_gone_no_alarms_are_told() -> None:
    metrics = EdgeMetrics()
    metrics.alarms["SIM", "order_doubled"] += 1
    metrics.alarms["SIM/ALICE", "order_doubled"] += 1
    assert 'fairlead_alarms_total{account="SIM/ALICE",code="order_doubled"} 1.0' in scraped(metrics)
    gone = scraped(metrics, ["SIM"])
    assert "SIM/ALICE" not in gone
    assert 'fairlead_alarms_total{account="SIM",code="order_doubled"} 1.0' in gone
    assert "SIM/ALICE" not in scraped(metrics)  # nor of the one that takes its name


@pytest.mark.parametrize("hop", ["accept", "exchange", "answer"])
def test_every_leg_of_an_order_s_way_is_there_from_the_start(hop: str) -> None:
    assert f'fairlead_order_hop_seconds_count{{hop="{hop}"}} 0.0' in scraped(EdgeMetrics())
