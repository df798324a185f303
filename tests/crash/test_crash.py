"""kill -9 under load: nothing is lost, nothing is doubled (KILLS=200 make crash-test)."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from fairlead.journal.errors import JournalTorn
from tests.broken import COMMITTED_LATER, broken
from tests.crash.campaign import COMPARED_EVERY, TAME_LIVES, Campaign
from tests.crash.stages import Caught

KILLS = int(os.environ.get("KILLS", "200"))
EACH_STAGE = 20 if KILLS >= 200 else max(3, KILLS // 10)


def test_a_few_kills(tmp_path: Path) -> None:
    """The same as the long run, short enough for every day."""
    campaign = Campaign(tmp_path, kills=4, each_stage=0, seed=7, lives=TAME_LIVES)
    asyncio.run(campaign.run())
    assert campaign.tally.kills == 4
    assert campaign.tally.compared


def test_a_system_that_commits_too_late_is_caught(tmp_path: Path) -> None:
    command = broken(tmp_path / "broken", COMMITTED_LATER)
    campaign = Campaign(tmp_path, kills=10, each_stage=0, seed=7, lives=TAME_LIVES, command=command)
    # Whichever check is first: the journal after a kill, which may not even make sense, what a client was
    # told, an order not found.
    caught = (AssertionError, JournalTorn)
    with pytest.raises(caught, match=r"journal|Told\(|ORDER_ID_NOT_FOUND"):
        asyncio.run(campaign.run())


@pytest.mark.soak
def test_kills_at_every_stage_lose_and_double_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("CRASH_SEED", str(time.time_ns() % 1_000_000)))
    print(f"\nCRASH_SEED={seed} KILLS={KILLS}, each stage at least {EACH_STAGE}")
    campaign = Campaign(tmp_path, kills=KILLS, each_stage=EACH_STAGE, seed=seed)
    began = time.monotonic()
    asyncio.run(campaign.run())
    print(campaign.tally.table(campaign.load, time.monotonic() - began))
    assert campaign.tally.kills >= KILLS
    assert all(campaign.tally.kills_by_stage[stage] >= EACH_STAGE for stage in Caught)
    assert len(campaign.tally.compared) > KILLS // COMPARED_EVERY
