"""What the FIX acceptor counts, and how Prometheus is told."""

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class FixMetrics:
    """Plain numbers since the start of the process."""

    def __init__(self) -> None:
        self.received: Counter[str] = Counter()  # application messages, by type
        self.sent: Counter[str] = Counter()
        self.logons: Counter[str] = Counter()  # by outcome: accepted, refused
        self.resent = 0
        self.garbled = 0
        self.slow_clients = 0


class FixCollector(Collector):
    """Gives `FixMetrics` to Prometheus; `present` returns the connections and the sessions that are up."""

    def __init__(self, metrics: FixMetrics, present: Callable[[], tuple[int, int]]) -> None:
        self._metrics = metrics
        self._present = present

    def collect(self) -> Iterator[Metric]:
        """Return every metric as it is now."""
        metrics = self._metrics
        connections, sessions = self._present()
        yield GaugeMetricFamily("fairlead_fix_connections", "FIX connections.", value=connections)
        yield GaugeMetricFamily("fairlead_fix_sessions", "FIX sessions logged on.", value=sessions)
        for name, text, label, counts in (
            ("fairlead_fix_received", "FIX application messages received.", "type", metrics.received),
            ("fairlead_fix_sent", "FIX application messages sent, without repetitions.", "type",
             metrics.sent),
            ("fairlead_fix_logons", "FIX logons decided.", "outcome", metrics.logons),
        ):  # fmt: skip
            family = CounterMetricFamily(name, text, labels=[label])
            for value, count in counts.items():
                family.add_metric([value], count)
            yield family
        for name, text, count in (
            ("fairlead_fix_resent", "FIX messages sent again on request.", metrics.resent),
            ("fairlead_fix_garbled", "Times that bytes were ignored as no FIX message.", metrics.garbled),
            ("fairlead_fix_slow_clients", "FIX clients cut off because they read nothing.",
             metrics.slow_clients),
        ):  # fmt: skip
            yield CounterMetricFamily(name, text, value=count)
