"""An answer that comes after newer reports: it tells of no state that is over, and no end is missed."""

import pytest
from msgspec.structs import replace

from fairlead.core.model import Order, Stage
from fairlead.core.reports import Cause, OrderReport
from fairlead.gateway.fixapi.meanwhile import Meanwhile
from tests.fix.spoken import NOW, Field, say
from tests.gateway.fixapi.wires import Said, Wire, turns
from tests.gateway.fixapi.world import CANCELED, OPEN, PENDING, World, cancel
from tests.gateway.orders import ORDER

pytestmark = pytest.mark.asyncio
STATUS: list[Field] = [(11, ORDER.client_order_id), (207, ORDER.account), (54, 1), (790, "asked")]
REQUESTS = {"H": say("H", 2, *STATUS, now_ns=NOW), "F": cancel("cancel", 2)}


class Asked:
    """A request whose answer is made, and on its way."""

    def __init__(self, world: World, wire: Wire) -> None:
        self._world = world
        self.wire = wire

    @classmethod
    async def begin(cls, world: World, msg_type: str, answer: Order) -> "Asked":
        client, wire = await world.log_on()
        world.hold()
        world.answers_with(answer, answer.sequence)
        client.received(REQUESTS[msg_type])
        await turns()
        return cls(world, wire)

    async def answer(self) -> Said:
        """Have the answer arrive; return what is said last."""
        await self._world.let_go()
        return self.wire.said[-1]


async def test_a_status_is_never_older_than_what_was_told(world: World) -> None:
    asked = await Asked.begin(world, "H", replace(OPEN, sequence=1))
    await world.tell(Cause.CANCELED, CANCELED, 2)
    said = await asked.answer()
    assert (said[790], said[39], said[150]) == ("asked", "4", "I")


async def test_a_status_may_be_newer_than_what_was_told(world: World) -> None:
    asked = await Asked.begin(world, "H", replace(CANCELED, sequence=2))
    await world.tell(Cause.ROUTED, OPEN, 1)
    assert (await asked.answer())[39] == "4"


async def test_a_cancel_that_ended_before_its_answer_is_answered_by_that_end(world: World) -> None:
    asked = await Asked.begin(world, "F", replace(PENDING, sequence=1))
    await world.tell(Cause.CANCEL_REQUESTED, PENDING, 1)
    await world.tell(Cause.CANCEL_ENDED, OPEN, 2)
    said = await asked.answer()
    assert (said[35], said[11], said[39]) == ("9", "cancel", "1")
    count = len(asked.wire.said)
    await world.tell(Cause.CANCEL_ENDED, OPEN, 3)  # another's cancel
    assert len(asked.wire.said) == count + 1


async def test_a_cancel_that_worked_before_its_answer_needs_none(world: World) -> None:
    asked = await Asked.begin(world, "F", replace(PENDING, sequence=1))
    await world.tell(Cause.CANCEL_REQUESTED, PENDING, 1)
    await world.tell(Cause.CANCELED, CANCELED, 2)
    said = await asked.answer()
    assert (said[35], said[39]) == ("8", "4")


async def test_a_second_cancel_is_refused_with_the_state_that_was_told(world: World) -> None:
    asked = await Asked.begin(world, "F", replace(PENDING, sequence=0))
    await world.tell(Cause.CANCELED, CANCELED, 1)
    said = await asked.answer()
    assert (said[35], said[39], said[102]) == ("9", "4", "0")


async def test_what_is_remembered_ends_with_the_requests_that_need_it() -> None:
    meanwhile = Meanwhile()
    later = replace(CANCELED, sequence=2)
    first, second = meanwhile.asking(), meanwhile.asking()
    assert not meanwhile.is_asked
    with first:
        meanwhile.heard(OrderReport(ORDER.account, 2, 1, NOW, Cause.CANCELED), later)
        for _ in range(5):  # others come and go
            with second:
                pass
            second = meanwhile.asking()
        assert meanwhile.newest(replace(OPEN, sequence=1)) is later
    for _ in range(2):
        with second:
            pass
        second = meanwhile.asking()
    assert meanwhile.newest(replace(OPEN, sequence=1)).stage is Stage.WORKING
    assert not meanwhile.is_asked
