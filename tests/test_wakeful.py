"""When the cores are kept awake: while orders come one by one, and a moment longer."""

import asyncio
import struct
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from fairlead.app.wakeful import ALONE_LEAST, Wakeful
from tests.venues.talk import in_virtual_time

AWAKE, WHENEVER = 0, 2_000_000_000


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """A file that keeps every wish, one after another."""
    path = tmp_path / "cpu_dma_latency"
    path.touch()
    return path


def wishes(device: Path) -> list[int]:
    return [wish for (wish,) in struct.iter_unpack("=i", device.read_bytes())]


def told(story: Callable[[asyncio.AbstractEventLoop], Coroutine[None, None, None]]) -> None:
    in_virtual_time(story)


def test_orders_that_come_one_by_one_keep_the_cores_awake(device: Path) -> None:
    async def story(loop: asyncio.AbstractEventLoop) -> None:
        wakeful = Wakeful(loop, 100, device)
        for _ in range(ALONE_LEAST - 1):
            wakeful.saw(1)
        assert wishes(device) == []
        wakeful.saw(1)
        assert wishes(device) == [AWAKE]
        for _ in range(5):
            await asyncio.sleep(0.08)
            wakeful.saw(1)
        assert wishes(device) == [AWAKE]
        await asyncio.sleep(0.099)
        assert wakeful.is_holding
        await asyncio.sleep(0.002)
        assert wishes(device) == [AWAKE, WHENEVER]
        wakeful.saw(1)  # they still come alone
        assert wishes(device) == [AWAKE, WHENEVER, AWAKE]
        wakeful.close()

    told(story)


def test_orders_that_come_together_do_not(device: Path) -> None:
    async def story(loop: asyncio.AbstractEventLoop) -> None:
        wakeful = Wakeful(loop, 100, device)
        for _ in range(10):
            for _ in range(ALONE_LEAST - 1):
                wakeful.saw(1)
            wakeful.saw(2)
        assert wishes(device) == []
        wakeful.close()

    told(story)


def test_what_has_ended_wishes_nothing(device: Path) -> None:
    async def story(loop: asyncio.AbstractEventLoop) -> None:
        wakeful = Wakeful(loop, 100, device)
        for _ in range(ALONE_LEAST):
            wakeful.saw(1)
        wakeful.close()
        wakeful.close()
        await asyncio.sleep(1)
        wakeful.saw(1)
        assert wishes(device) == [AWAKE], "the system forgets a wish with its file"

    told(story)


@pytest.mark.parametrize("hold_ms", [0, 100])
def test_where_it_may_not_be_said_or_is_not_wanted_nothing_happens(
    tmp_path: Path, device: Path, hold_ms: int
) -> None:
    async def story(loop: asyncio.AbstractEventLoop) -> None:
        wakeful = Wakeful(loop, hold_ms, device if not hold_ms else tmp_path / "missing")
        for _ in range(ALONE_LEAST * 2):
            wakeful.saw(1)
        assert not wakeful.is_holding
        wakeful.close()

    told(story)
    assert wishes(device) == []
