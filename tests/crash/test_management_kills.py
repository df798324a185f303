"""kill -9 while the control plane changes: nothing told is lost, nothing half-made, rotation goes on."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broken import AUDITED_LATER, broken
from tests.crash.management import ACTIONS, Campaign
from tests.postgresql import Server, running_server

KILLS = int(os.environ.get("KILLS", "200"))
DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str | None:
    if request.param == "sqlite":
        return None
    server: Server = request.getfixturevalue("postgresql")
    return server.new_database()


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
