"""Who is refused, counted by why and never by whom: labels stay few.

Two kinds: callers, refused once they are heard, and TLS handshakes, which end before anybody is.
"""

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from fairlead.tls.refusing import HANDSHAKE_REASONS

NO_KEY = "no_key"
INVALID_KEY = "invalid_key"
KEY_EXPIRED = "key_expired"
IP_NOT_ALLOWED = "ip_not_allowed"
SCOPE_MISSING = "scope_missing"
ACCOUNT_NOT_ALLOWED = "account_not_allowed"
RATE_EXCEEDED = "rate_exceeded"
ATTEMPTS_EXCEEDED = "attempts_exceeded"
CALLER_REASONS = (
    NO_KEY, INVALID_KEY, KEY_EXPIRED, IP_NOT_ALLOWED, SCOPE_MISSING, ACCOUNT_NOT_ALLOWED, RATE_EXCEEDED,
    ATTEMPTS_EXCEEDED,
)  # fmt: skip


class RefusedCollector(Collector):
    """Reads the numbers when they are asked for; a reason that has not occurred is 0."""

    def __init__(self, callers: Mapping[str, int], handshakes: Mapping[str, int]) -> None:
        self._callers = callers
        self._handshakes = handshakes

    def collect(self) -> Iterator[Metric]:
        """Return both metrics as they are now."""
        text = "Requests and connections of callers that were refused, by why."
        yield _family("fairlead_callers_refused", text, self._callers, CALLER_REASONS)
        text = "TLS handshakes that were refused or did not end, by why."
        yield _family("fairlead_tls_refused", text, self._handshakes, HANDSHAKE_REASONS)


def _family(
    name: str, text: str, counts: Mapping[str, int], reasons: tuple[str, ...]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=["reason"])
    for reason in reasons:
        family.add_metric([reason], counts.get(reason, 0))
    return family
