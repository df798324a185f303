"""kill -9 while the control plane changes: nothing told is lost, nothing half-made, rotation goes on."""

import os
import time
from pathlib import Path

import pytest

from tests.broken import AUDITED_LATER, broken
from tests.crash.management import ACTIONS, Campaign

KILLS = int(os.environ.get("KILLS", "200"))


def test_a_few_kills(tmp_path: Path, database_url: str | None) -> None:
    """The same as the long run, short enough for every day."""
    campaign = Campaign(tmp_path, database_url, seed=7)
    campaign.run(kills=2)
    while not campaign.done.keys() >= set(ACTIONS):  # a life may have been short
        campaign.run(kills=1)


def test_a_system_that_tells_the_audit_later_is_caught(tmp_path: Path) -> None:
    command = broken(tmp_path / "broken", AUDITED_LATER)
    with pytest.raises(AssertionError):
        Campaign(tmp_path, None, seed=7, command=command).run(kills=10)


@pytest.mark.soak
def test_kills_at_any_moment_lose_nothing_and_leave_nothing_half_made(
    tmp_path: Path, database_url: str | None
) -> None:
    seed = int(os.environ.get("CRASH_SEED", str(time.time_ns() % 1_000_000)))
    print(f"\nCRASH_SEED={seed} KILLS={KILLS}")
    campaign = Campaign(tmp_path, database_url, seed)
    campaign.run(KILLS)
    print("  ".join(f"{name} {count}" for name, count in sorted(campaign.done.items())))
    assert campaign.done.keys() >= set(ACTIONS)
