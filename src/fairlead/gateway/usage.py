"""What callers use, counted as it happens: a few additions for each request, written elsewhere.

Counts per key and account; a day's counts are kept apart from the next one's until they are written. For
the event loop's thread.
"""

import time
from collections.abc import Callable

from fairlead.control.addresses import Address
from fairlead.control.keys import ApiKey
from fairlead.control.usage import USES_MAX, Batch, Use, Used, day_of

REST = "rest"
WEBSOCKET, FIX = "websocket", "fix"  # what keeps a connection for a caller
_MINUTE = 60 * 1_000_000_000
_IPV4 = 4
_MS = 1_000_000  # ns
_Place = tuple[str, str, str, str]  # subscription, day, key, account


class KeyUsage:
    """What one key has used since it was last asked."""

    __slots__ = ("_counts", "_uses", "kid", "subscription")

    def __init__(self, subscription: str, kid: str) -> None:
        self.subscription = subscription
        self.kid = kid
        self._counts: dict[str, list[int]] = {}  # account → requests, orders
        # By address as a number, protocol, certificate and minute: when last, and the address.
        self._uses: dict[tuple[int, str, str, int], tuple[int, Address]] = {}

    def count(self, account: str, orders: int = 0) -> None:
        """Count one request about this account."""
        counts = self._counts.get(account)
        if counts is None:
            counts = self._counts[account] = [0, 0]
        counts[0] += 1
        counts[1] += orders

    def see(self, address: Address, protocol: str, certificate: str, now_ns: int) -> None:
        """Note that the key is used, from where and how; of many places the last ones."""
        number = int(address)
        place = (
            number if address.version == _IPV4 else -1 - number,
            protocol,
            certificate,
            now_ns // _MINUTE,
        )
        uses = self._uses
        if len(uses) == USES_MAX and place not in uses:
            del uses[min(uses, key=lambda each: uses[each][0])]
        uses[place] = (now_ns, address)

    def take(self) -> dict[str, list[int]]:
        """Return requests and orders by account, and begin anew."""
        taken, self._counts = self._counts, {}
        return taken

    def take_uses(self) -> list[Use]:
        """Return what was seen, and begin anew."""
        taken, self._uses = self._uses, {}
        return [
            Use(self.kid, time_ns, str(address), protocol, certificate)
            for (_, protocol, certificate, _), (time_ns, address) in taken.items()
        ]


class Usage:
    """What every key has used and nobody has written yet."""

    def __init__(
        self,
        now_ns: Callable[[], int],
        steady_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._steady_ns = steady_ns
        self._now_ns = now_ns
        self._keys: dict[str, KeyUsage] = {}
        self._connected: dict[object, tuple[KeyUsage, str]] = {}
        self._since_ns: dict[object, int] = {}
        self._times: dict[tuple[KeyUsage, str], int] = {}  # ns that were connected
        self._waiting: dict[_Place, dict[str, int]] = {}
        self._day = day_of(now_ns())
        self._batch: Batch | None = None
        self._number = 0

    def of(self, key: ApiKey) -> KeyUsage:
        """Return where this key's requests are counted."""
        return self._keys.setdefault(key.kid, KeyUsage(key.subscription, key.kid))

    def connected(self, used: KeyUsage, protocol: str) -> Callable[[], None]:
        """Count the time of a connection of the key from now on; return how to stop."""
        token = object()
        self._connected[token] = (used, protocol)
        self._since_ns[token] = self._steady_ns()

        def stop() -> None:
            if token in self._connected:
                self._add_time(token)
                del self._connected[token], self._since_ns[token]

        return stop

    def take(self) -> Batch | None:
        """Return what is to be written, the same until `written` is called; None: nothing is."""
        self._settle()
        uses: list[Use] = []
        if self._batch is None:  # else they wait where they are bounded
            uses = [each for used in self._keys.values() for each in used.take_uses()]
        if self._batch is None and (self._waiting or uses):
            self._number += 1
            rows = (
                Used(subscription=subscription, day=day, kid=kid, account=account, **counts)
                for (subscription, day, kid, account), counts in self._waiting.items()
            )
            self._batch = Batch(self._number, tuple(rows), tuple(uses))
            self._waiting = {}
        return self._batch

    def written(self) -> None:
        """Forget what was taken: it is durable."""
        self._batch = None

    def _settle(self) -> None:
        """Put what was counted since the last time to its day: the one that was then."""
        for token in self._connected:
            self._add_time(token)
        for used in self._keys.values():
            for account, (requests, orders) in used.take().items():
                row = self._row(used, account)
                row["requests"] += requests
                row["orders"] += orders
        for (used, protocol), time_ns in self._times.items():
            if time_ns >= _MS:
                self._row(used, "")[f"{protocol}_ms"] += time_ns // _MS
        # What is less than a millisecond stays for the next time.
        self._times = {key: ns % _MS for key, ns in self._times.items() if ns % _MS}
        self._day = day_of(self._now_ns())

    def _row(self, used: KeyUsage, account: str) -> dict[str, int]:
        place = (used.subscription, self._day, used.kid, account)
        nothing = {"requests": 0, "orders": 0, "websocket_ms": 0, "fix_ms": 0}
        return self._waiting.setdefault(place, nothing)

    def _add_time(self, token: object) -> None:
        now_ns = self._steady_ns()
        key = self._connected[token]
        self._times[key] = self._times.get(key, 0) + now_ns - self._since_ns[token]
        self._since_ns[token] = now_ns
