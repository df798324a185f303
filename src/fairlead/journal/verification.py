"""What `verify` found. Must never look for anything itself."""

import msgspec

DIFFERENCES_MAX = 100  # told in words; the others are counted


class Verification(msgspec.Struct):
    """What was looked at, and every difference found: the first in words, all of them counted."""

    frames: int = 0
    reports: int = 0
    orders: int = 0
    unsettled: int = 0
    fills: int = 0
    accounts: int = 0
    balances: int = 0
    positions: int = 0
    difference_count: int = 0
    differences: list[str] = msgspec.field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether the journal says the same everywhere."""
        return self.difference_count == 0

    def differs(self, text: str) -> None:
        """Count a difference and keep its words while there are few."""
        self.difference_count += 1
        if len(self.differences) < DIFFERENCES_MAX:
            self.differences.append(text)
