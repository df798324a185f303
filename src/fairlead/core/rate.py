"""A token bucket in whole numbers: so many per second, with as many saved up as one second gives."""

SECOND_NS = 1_000_000_000


class Bucket:
    """Time is steady ns and an argument; a bucket starts full."""

    def __init__(self, per_second: int, capacity: int | None = None) -> None:
        self.per_second = per_second
        self.capacity = capacity or per_second
        self._credit = self.capacity * SECOND_NS  # tokens × ns
        self._at_ns: int | None = None
        self._closed_until_ns = 0

    def take(self, now_ns: int, reserve: int = 0) -> bool:
        """Take one token, leaving at least `reserve` in the bucket; False if there are too few."""
        if not self.has(now_ns, reserve):
            return False
        self.spend()
        return True

    def spend(self) -> None:
        """Take one token of those that `has` found at this moment."""
        self._credit -= SECOND_NS

    def has(self, now_ns: int, reserve: int = 0) -> bool:
        """Return whether `take` would succeed."""
        self._refill(now_ns)
        return now_ns >= self._closed_until_ns and self._credit >= (reserve + 1) * SECOND_NS

    def wait_ns(self, now_ns: int, reserve: int = 0) -> int:
        """Return how long until `take` may succeed, 0 if it would now."""
        self._refill(now_ns)
        lacking = (reserve + 1) * SECOND_NS - self._credit
        until_filled_ns = -(-lacking // self.per_second) if lacking > 0 else 0
        return max(until_filled_ns, self._closed_until_ns - now_ns, 0)

    def set_rate(self, now_ns: int, per_second: int, capacity: int) -> None:
        """Give `per_second` from now on and save up at most `capacity`; what is more is forgotten."""
        self._refill(now_ns)
        self.per_second = per_second
        self.capacity = capacity
        self._credit = min(self._credit, capacity * SECOND_NS)

    def leave(self, tokens: int) -> None:
        """Forget all but `tokens` of what was saved up."""
        self._credit = min(self._credit, tokens * SECOND_NS)

    def close_until(self, until_ns: int) -> None:
        """Give nothing before `until_ns`: the exchange said so."""
        self._closed_until_ns = max(self._closed_until_ns, until_ns)

    def _refill(self, now_ns: int) -> None:
        if self._at_ns is None:
            self._at_ns = now_ns
        elif now_ns > self._at_ns:
            earned = (now_ns - self._at_ns) * self.per_second
            self._credit = min(self.capacity * SECOND_NS, self._credit + earned)
            self._at_ns = now_ns
