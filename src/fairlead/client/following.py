"""Following accounts over connections that end: what was told, where to go on, how long to wait. No IO.

What was told is known by its sequence, so the next connection asks for what came after it, and nothing
is told twice. A connection that ends within its first snapshots has told nothing to go on from.
"""

from collections.abc import Mapping
from urllib.parse import quote

from fairlead.client.events import (
    BalanceUpdate,
    OrderUpdate,
    PositionsSnapshot,
    PositionUpdate,
    Told,
    read,
)

PATH = "/v1/ws"
_RETRY_S = 0.1
_RETRY_LONGEST_S = 5.0


class Following:
    """One stream, from its first connection to its last."""

    def __init__(
        self, exchange_id: str | None = None, after: Mapping[str, int] | None = None
    ) -> None:
        """`exchange_id`: follow this account only. `after`: by account, the sequence already known."""
        self._only = exchange_id
        self._seen = dict(after or {})
        self._retry_s = _RETRY_S

    @property
    def path(self) -> str:
        """Return what to connect to now, so that it goes on from what was told."""
        seen = "&".join(
            f"from={sequence}:{quote(account, safe='')}" for account, sequence in self._seen.items()
        )
        return f"{PATH}?{seen}" if seen else PATH

    def take(self, message: bytes) -> Told | None:
        """Return what a message tells, None when it is nothing new. Raises msgspec.MsgspecError."""
        self._retry_s = _RETRY_S
        told = read(message)
        if told is None or self._only not in (None, told.exchange_id):
            return None
        if isinstance(told, OrderUpdate | BalanceUpdate | PositionUpdate):
            if told.sequence <= self._seen.get(told.exchange_id, 0):
                return None
            self._seen[told.exchange_id] = told.sequence
        elif isinstance(told, PositionsSnapshot):  # the last of an opening: all before is told
            self._seen[told.exchange_id] = told.sequence
        return told

    def retry_s(self) -> float:
        """Return how long to wait before the next connection: longer each time nothing was told."""
        retry_s, self._retry_s = self._retry_s, min(2 * self._retry_s, _RETRY_LONGEST_S)
        return retry_s
