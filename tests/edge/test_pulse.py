"""The pulse of the pump: there while it works or has nothing to do, gone while it hangs or has stopped."""

import asyncio
from pathlib import Path

import pytest

from fairlead.core.venue_messages import VenuePlace
from fairlead.edge.pulse import Pulse
from tests.edge.desk import Desk, hold_syncs

pytestmark = pytest.mark.asyncio


async def test_it_beats_while_there_is_nothing_to_do_and_while_batches_pass(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        pulse = Pulse(desk.sequencer)
        await desk.connect()
        assert [pulse.beats() for _ in range(3)] == [True] * 3
        for number in range(3):
            desk.place(str(number))
            await desk.link.next_sent(VenuePlace)
            desk.place(f"waits-{number}")
            assert not desk.sequencer.is_idle
            assert pulse.beats(), "a batch passed since the last look"
            assert not pulse.beats(), "and none since this one, while something waits"
            await desk.link.next_sent(VenuePlace)


async def test_it_is_gone_while_a_commit_does_not_end(tmp_path: Path) -> None:
    async with Desk(tmp_path, in_thread=True) as desk:
        await desk.connect()
        pulse = Pulse(desk.sequencer)
        assert pulse.beats()
        _, may_end = hold_syncs(desk.journal)
        desk.place()
        for _ in range(3):
            await asyncio.sleep(0)
        assert pulse.beats(), "the batch was decided since the last look"
        assert [pulse.beats() for _ in range(3)] == [False] * 3
        may_end.set()
        await desk.link.next_sent(VenuePlace)
        assert pulse.beats()


async def test_it_is_gone_when_the_pump_has_stopped(tmp_path: Path) -> None:
    async with Desk(tmp_path) as desk:
        await desk.connect()
        pulse = Pulse(desk.sequencer)
        assert pulse.beats()
        desk.sequencer.stop(ConnectionError("shutting down"))
        assert not pulse.beats()
