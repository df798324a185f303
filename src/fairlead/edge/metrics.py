"""What an edge counts and measures, cheap enough for the order path.

Plain numbers here; `EdgeCollector` turns them into Prometheus families when they are scraped. All
durations are measured in steady ns and shown in seconds.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

_BOUNDS_US = (
    50, 100, 200, 300, 500, 750, 1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 50_000,
    100_000, 250_000, 500_000, 1_000_000, 5_000_000,
)  # fmt: skip
_BOUNDS_NS = tuple(bound * 1_000 for bound in _BOUNDS_US)


class Durations:
    """A histogram of durations: counts per bound, and the sum."""

    def __init__(self) -> None:
        self.counts = [0] * (len(_BOUNDS_NS) + 1)
        self.sum_ns = 0

    def add(self, duration_ns: int) -> None:
        """Count one duration."""
        self.counts[bisect_left(_BOUNDS_NS, duration_ns)] += 1
        self.sum_ns += duration_ns

    def family(self, name: str, text: str) -> HistogramMetricFamily:
        """Return it as a Prometheus histogram."""
        family = HistogramMetricFamily(name, text)
        family.add_metric([], self.buckets(), self.sum_ns / 1e9)
        return family

    def buckets(self) -> list[tuple[str, float]]:
        """Return (upper bound in seconds, count up to it), as Prometheus wants them."""
        total = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*_BOUNDS_US, None), self.counts, strict=True):
            total += count
            buckets.append(("+Inf" if bound is None else repr(bound / 1e6), total))
        return buckets


class EdgeMetrics:
    """The numbers of one sequencer. `hops` are the legs of an order's way, by name."""

    def __init__(self) -> None:
        self.commit = Durations()
        self.decide = Durations()
        self.batch_messages = 0
        self.batches = 0
        self.loop_lag = Durations()
        self.hops = {name: Durations() for name in ("accept", "exchange", "answer")}
        self.orders_ended: Counter[tuple[str, str]] = Counter()
        self.alarms: Counter[tuple[str, str]] = Counter()


class EdgeCollector(Collector):
    """Gives `EdgeMetrics` and the present state to Prometheus."""

    def __init__(
        self,
        metrics: EdgeMetrics,
        gauges: Callable[[], Iterable[tuple[str, str, dict[str, float]]]],
        reconciliation: Callable[[], Iterable[Metric]] = tuple,
        *,
        accounts: Callable[[], Collection[str]],
    ) -> None:
        """`accounts`: those that are here; of one that has gone no series stays."""
        self._metrics = metrics
        self._accounts = accounts
        self._gauges = gauges
        self._reconciliation = reconciliation

    def collect(self) -> Iterator[Metric]:
        """Return every metric as it is now."""
        metrics = self._metrics
        yield metrics.commit.family("fairlead_commit_seconds", "Time of one journal commit.")
        yield metrics.decide.family("fairlead_decide_seconds", "Time to decide one batch.")
        yield metrics.loop_lag.family("fairlead_loop_lag_seconds", "How late the event loop runs.")
        hops = HistogramMetricFamily(
            "fairlead_order_hop_seconds", "Legs of an order's way.", labels=["hop"]
        )
        for name, durations in metrics.hops.items():
            hops.add_metric([name], durations.buckets(), durations.sum_ns / 1e9)
        yield hops
        yield CounterMetricFamily(
            "fairlead_batches", "Batches committed or answered.", value=metrics.batches
        )
        yield CounterMetricFamily(
            "fairlead_messages", "Messages decided.", value=metrics.batch_messages
        )
        yield _counter(
            "fairlead_orders_status", "Reports by status reached and reason.",
            ("status", "reason"), metrics.orders_ended,
        )  # fmt: skip
        here = self._accounts()
        for raised in [raised for raised in metrics.alarms if raised[0] not in here]:
            del metrics.alarms[raised]
        yield _counter("fairlead_alarms", "Alarms raised.", ("account", "code"), metrics.alarms)
        for name, text, values in self._gauges():
            gauge = GaugeMetricFamily(name, text, labels=["account"])
            for account, value in values.items():
                gauge.add_metric([account], value)
            yield gauge
        yield from self._reconciliation()


def _counter(
    name: str, text: str, labels: tuple[str, str], counts: Counter[tuple[str, str]]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in sorted(counts.items()):
        family.add_metric(list(values), count)
    return family
