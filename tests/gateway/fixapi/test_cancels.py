"""Whoever asked for a cancel is told when it comes to nothing, whatever else is on its way meanwhile."""

import asyncio
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from fairlead.core.model import Order
from fairlead.core.port import Released
from fairlead.core.reports import Cause
from fairlead.gateway.fixapi import cancels
from fairlead.gateway.fixapi.cancels import Cancels
from tests.fix.spoken import NOW, say
from tests.gateway.fixapi.wires import turns
from tests.gateway.fixapi.world import CANCELED, FILLED, OPEN, PENDING, World, cancel, told

pytestmark = pytest.mark.asyncio


class Journal:
    """Holds back what is read of it until `is_open` is set."""

    def __init__(self, world: World) -> None:
        self.is_open = asyncio.Event()
        self._page = world.edge.reports_page
        world.edge.reports_page = self._held  # type: ignore[method-assign]

    async def _held(self, account: str, after_sequence: int, limit: int) -> Sequence[Released]:
        await self.is_open.wait()
        return await self._page(account, after_sequence, limit)


async def test_reports_that_are_told_after_the_answer_and_are_older_end_no_cancel(
    world: World,
) -> None:
    client, _ = await world.log_on()
    await world.tell(Cause.WORKING, OPEN, 1)
    client.received(say("5", 2, now_ns=NOW))
    await turns()
    await world.tell(Cause.TRADE, OPEN, 2)  # while the client is away
    journal = Journal(world)
    world.answers_with(PENDING, 3)
    _, wire = await world.log_on(3, cancel("c", 4))
    await world.tell(Cause.CANCEL_REQUESTED, PENDING, 3)
    journal.is_open.set()
    await turns()
    assert [said[39] for said in told(wire, "8")] == ["1", "6"]
    assert told(wire, "9") == []
    await world.tell(Cause.CANCEL_ENDED, OPEN, 4)
    assert [(said[11], said[39], said[102]) for said in told(wire, "9")] == [("c", "1", "99")]


async def test_both_of_two_cancels_at_once_are_told(world: World) -> None:
    client, wire = await world.log_on()
    await world.tell(Cause.WORKING, OPEN, 1)
    world.answers_with(PENDING, 2)
    client.received(cancel("c1", 2) + cancel("c2", 3))
    await turns()
    await world.tell(Cause.CANCEL_REQUESTED, PENDING, 2)
    await world.tell(Cause.CANCEL_ENDED, OPEN, 3)
    assert [said[11] for said in told(wire, "9")] == ["c1", "c2"]
    await world.tell(Cause.CANCEL_ENDED, OPEN, 4)  # another's
    assert len(told(wire, "9")) == 2


async def test_a_cancel_that_joins_one_that_is_told_already_takes_nobodys_place(
    world: World,
) -> None:
    client, wire = await world.log_on()
    await world.tell(Cause.WORKING, OPEN, 1)
    world.answers_with(PENDING, 2)
    client.received(cancel("c1", 2))
    await turns()
    await world.tell(Cause.CANCEL_REQUESTED, PENDING, 2)
    world.hold()
    world.answers_with(PENDING, 3)
    client.received(cancel("c2", 3))
    await turns()
    await world.tell(Cause.TRADE, PENDING, 3)
    await world.let_go()
    await world.tell(Cause.CANCEL_ENDED, FILLED, 4)
    assert [(said[11], said[39], said[102]) for said in told(wire, "9")] == [
        ("c1", "2", "0"),
        ("c2", "2", "0"),
    ]


async def test_cancels_that_worked_are_told_by_the_report_alone(world: World) -> None:
    client, wire = await world.log_on()
    await world.tell(Cause.WORKING, OPEN, 1)
    world.answers_with(PENDING, 2)
    client.received(cancel("c1", 2) + cancel("c2", 3))
    await turns()
    await world.tell(Cause.CANCEL_REQUESTED, PENDING, 2)
    await world.tell(Cause.CANCELED, CANCELED, 3)
    assert [said[39] for said in told(wire, "8")] == ["1", "6", "4"]
    assert told(wire, "9") == []


@pytest.mark.parametrize(
    ("reports", "status", "reason"),
    [
        ([(Cause.CANCEL_ENDED, OPEN)], "1", "99"),
        ([(Cause.CANCEL_ENDED, OPEN), (Cause.CANCEL_REQUESTED, PENDING)], "6", "3"),
        ([(Cause.CANCEL_ENDED, FILLED)], "2", "0"),
        ([(Cause.TRADE, PENDING)], "6", "3"),
    ],
    ids=["ended", "ended-and-another", "filled", "still-pending"],
)
async def test_a_cancel_beside_another_is_answered_as_that_one_stands_by_now(
    world: World, reports: list[tuple[Cause, Order]], status: str, reason: str
) -> None:
    client, wire = await world.log_on()
    await world.tell(Cause.CANCEL_REQUESTED, PENDING, 1)
    world.hold()
    world.answers_with(PENDING, 1)
    client.received(cancel("c", 2))
    await turns()
    for sequence, (cause, order) in enumerate(reports, 2):
        await world.tell(cause, order, sequence)
    await world.let_go()
    assert [(said[11], said[39], said[102]) for said in told(wire, "9")] == [("c", status, reason)]


async def test_what_is_awaited_is_bounded_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancels, "_MOST", 3)
    other = replace(PENDING, client_order_id="other")
    awaited = Cancels()
    for cancel_id in ("a", "b"):
        awaited.add(cancel_id, replace(PENDING, sequence=5))
    for cancel_id in ("c", "d"):
        awaited.add(cancel_id, replace(other, sequence=5))
    assert awaited.count == 3
    assert awaited.take_ended(replace(OPEN, sequence=5)) == []
    assert awaited.take_ended(replace(OPEN, sequence=6)) == ["a", "b"]
    assert awaited.count == 1
    awaited.add("e", replace(PENDING, sequence=7))
    assert awaited.take_ended(replace(other, sequence=8, cancel_pending=False)) == ["c"]
    assert awaited.take_ended(replace(OPEN, sequence=8)) == ["e"]
    awaited.add("f", PENDING)
    awaited.clear()
    assert (awaited.count, awaited.take_ended(replace(OPEN, sequence=9))) == (0, [])
