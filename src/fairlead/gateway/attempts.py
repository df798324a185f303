"""How often somebody at one address may try without proving who they are.

Only those who have proven nothing are counted and refused: whoever has a good key at the same address
never notices. Bounded: of too many addresses those that tried longest ago are forgotten.
"""

from collections import OrderedDict
from collections.abc import Callable

from fairlead.control.addresses import Address, subscriber_of

ATTEMPTS_PER_MIN = 300
_ADDRESSES_MAX = 10_000
_MIN_NS = 60 * 1_000_000_000


class Attempts:
    """One bucket for each address, of IPv6 for each /64."""

    def __init__(self, now_ns: Callable[[], int], per_min: int = ATTEMPTS_PER_MIN) -> None:
        self._now_ns = now_ns
        self._per_min = per_min
        self._buckets: OrderedDict[tuple[int, int], tuple[float, int]] = OrderedDict()

    def is_one_too_many(self, address: Address) -> bool:
        """Count an attempt that proved nothing; whether there were too many."""
        subscriber = subscriber_of(address)
        now_ns = self._now_ns()
        left, filled_ns = self._buckets.pop(subscriber, (self._per_min, now_ns))
        gained = max(0, now_ns - filled_ns) * self._per_min / _MIN_NS
        left = min(float(self._per_min), left + gained)
        is_over = left < 1
        self._buckets[subscriber] = (left if is_over else left - 1, now_ns)
        if len(self._buckets) > _ADDRESSES_MAX:
            self._buckets.popitem(last=False)
        return is_over
