"""What sweeps found and how far bookkeeping and exchange differ: for people to see, never to decide by.

Kept in memory only; what an account must remember of its reconciliation is in its record.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from fairlead.core.model import ZERO


class SweepCause(StrEnum):
    """Why a sweep was started."""

    CONNECTED = "CONNECTED"
    PERIODIC = "PERIODIC"
    STREAM_GAP = "STREAM_GAP"  # the account's stream skipped something
    WANTED = "WANTED"  # something about an order or a fill was not known
    RETRY = "RETRY"  # the one before failed


class Found(msgspec.Struct):
    """What a sweep brought that was not known; it counts while the sweep goes on."""

    orders_adopted: int = 0
    orders_asked: int = 0  # thought open and not listed
    fills_booked: int = 0
    balances_moved: int = 0
    positions_moved: int = 0


class Sweep(msgspec.Struct, frozen=True):
    """A sweep that has ended. `time_ns` is UTC; `trouble` says why it failed, None if it did not."""

    time_ns: int
    cause: SweepCause
    duration_ns: int
    trouble: str | None
    found: Found


class SweepLog:
    """The sweeps of one account: the one under way, the last one, how many there were.

    `step` says what is being asked for, None between sweeps.
    """

    def __init__(self) -> None:
        self.step: str | None = None
        self.found = Found()
        self.last: Sweep | None = None
        self.succeeded = 0
        self.failed = 0
        self._cause = SweepCause.CONNECTED
        self._start_utc_ns = 0
        self._start_ns = 0

    def started(self, cause: SweepCause, utc_ns: int, steady_ns: int) -> None:
        """Begin to count for a new sweep."""
        self.found = Found()
        self._cause = cause
        self._start_utc_ns = utc_ns
        self._start_ns = steady_ns

    def ended(self, trouble: str | None, steady_ns: int) -> None:
        """Keep what the sweep under way came to."""
        self.step = None
        found = msgspec.structs.replace(self.found)
        duration_ns = steady_ns - self._start_ns
        self.last = Sweep(self._start_utc_ns, self._cause, duration_ns, trouble, found)
        if trouble is None:
            self.succeeded += 1
        else:
            self.failed += 1


class Drift(msgspec.Struct, frozen=True):
    """How far the exchange's statement was from our bookkeeping, as of the same event.

    `name` is an asset, or the symbol of a position. `sweeps` counts those in a row that found a drift;
    `stays` once there were so many that an operator was told.
    """

    name: str
    is_position: bool
    drift: Decimal
    sweeps: int
    stays: bool


class _Measured(msgspec.Struct):
    drift: Decimal = ZERO
    sweeps: int = 0
    stays: bool = False


class Drifts:
    """The drifts of one account, by whether it is a position's, and name."""

    def __init__(self) -> None:
        self._measured: dict[tuple[bool, str], _Measured] = {}

    def measure(
        self, name: str, drift: Decimal, *, is_position: bool, is_swept: bool, sweeps_most: int
    ) -> bool:
        """Take a drift; say whether it stays since just now: `sweeps_most` sweeps in a row found one.

        Only what a sweep measures counts for staying, and only a sweep without a drift ends it.
        """
        found = self._measured.get((is_position, name))
        if found is None:
            if not drift:
                return False
            found = self._measured[is_position, name] = _Measured()
        found.drift = drift
        if not is_swept:
            return False
        if not drift:
            found.sweeps, found.stays = 0, False
            return False
        found.sweeps += 1
        if found.stays or found.sweeps < sweeps_most:
            return False
        found.stays = True
        return True

    def all(self) -> tuple[Drift, ...]:
        """Return every drift that was ever measured, as it is now, balances first."""
        return tuple(
            Drift(name, is_position, found.drift, found.sweeps, found.stays)
            for (is_position, name), found in sorted(self._measured.items())
        )


class Reconciliation(msgspec.Struct, frozen=True):
    """How an account stands with its exchange; times are UTC ns, None when it never happened.

    Every fill up to `reconciled_trade_id` was booked at `reconciled_time_ns`. `step` says what the sweep
    under way is asking for. `drifts` are those that are not zero. `sequence` is that of its last report.
    """

    account: str
    connected: bool
    reconciled: bool
    trouble: str | None
    reconciled_time_ns: int | None
    reconciled_trade_id: str | None
    step: str | None
    sweeps_succeeded: int
    sweeps_failed: int
    last_sweep: Sweep | None
    drifts: tuple[Drift, ...]
    sequence: int = 0
