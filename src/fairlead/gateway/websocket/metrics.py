"""What the feed and the WebSocket API count, for Prometheus."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fairlead.gateway.feed import Feed
from fairlead.gateway.websocket.hub import WHYS, Hub


class WebSocketCollector(Collector):
    """Reads the numbers when they are asked for."""

    def __init__(self, feed: Feed, hub: Hub) -> None:
        self._feed = feed
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        """Return every metric as it is now."""
        feed, hub = self._feed, self._hub
        reports = CounterMetricFamily(
            "fairlead_feed_reports", "Reports given to those who follow them.", labels=["source"]
        )
        reports.add_metric(["ring"], feed.reports_from_ring)
        reports.add_metric(["journal"], feed.reports_from_journal)
        yield reports
        yield GaugeMetricFamily(
            "fairlead_feed_subscribers", "Accounts followed, by anybody.", value=feed.subscribers
        )
        yield GaugeMetricFamily(
            "fairlead_websocket_clients", "WebSocket clients.", value=len(hub.clients)
        )
        ended = CounterMetricFamily(
            "fairlead_websocket_ended", "WebSocket clients that are gone, by why.", labels=["why"]
        )
        for why in WHYS:
            ended.add_metric([why], hub.ended[why])
        yield ended
        yield GaugeMetricFamily(
            "fairlead_websocket_lag_reports",
            "Reports that the slowest WebSocket client is behind.",
            value=max((client.lag for client in hub.clients), default=0),
        )
        for name, text, count in (
            ("requests", "Messages of WebSocket clients.", hub.requests),
            ("rejects", "Of these, refused with MESSAGE_REJECT.", hub.rejects),
            ("messages", "Messages sent to WebSocket clients.", hub.messages_sent),
        ):
            yield CounterMetricFamily(f"fairlead_websocket_{name}", text, value=count)
