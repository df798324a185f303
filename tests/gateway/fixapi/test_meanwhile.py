"""An answer that comes after newer reports: it tells of no state that is over, and no end is missed."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from fairlead.core.exact import use_exact_decimals
from fairlead.core.model import AccountMode, Order, Stage
from fairlead.core.port import Released
from fairlead.core.replies import AccountsReply, AccountState, OrderReply, Reply
from fairlead.core.reports import Cause, OrderReport
from fairlead.core.requests import QueryAccounts, Request
from fairlead.fix.store import Store
from fairlead.gateway.feed import Feed
from fairlead.gateway.fixapi.client import Client
from fairlead.gateway.fixapi.desk import Desk
from fairlead.gateway.fixapi.meanwhile import Meanwhile
from fairlead.gateway.fixapi.settings import FixSettings
from tests.fix.spoken import NOW, Field, say, say_logon
from tests.gateway.fixapi.wires import Wire, turns
from tests.gateway.orders import ORDER
from tests.gateway.scripted_edge import ScriptedEdge

pytestmark = pytest.mark.asyncio
SETTINGS = FixSettings(comp_id="SERVER", log_messages=False)
OPEN = replace(ORDER, stage=Stage.WORKING, in_doubt_ns=None, cancel_pending=False)
PENDING = replace(OPEN, cancel_pending=True)
CANCELED = replace(OPEN, stage=Stage.CANCELED)
REQUESTS: dict[str, list[Field]] = {
    "H": [(11, ORDER.client_order_id), (207, ORDER.account), (54, 1), (790, "asked")],
    "F": [(11, "cancel"), (41, ORDER.client_order_id), (207, ORDER.account), (60, "20260101-00:00:00")],
}  # fmt: skip


class World:
    """An order, a client logged on, and an edge whose answers wait."""

    def __init__(self, store: Store) -> None:
        self.edge = ScriptedEdge()
        self.edge.script = self._answer
        self.answer = ORDER
        self.wire = Wire()
        self.desk = Desk(self.edge, Feed(self.edge), store, SETTINGS, lambda: NOW)

    def _answer(self, request: Request) -> Reply:
        if isinstance(request, QueryAccounts):
            state = AccountState(
                ORDER.account, AccountMode.ACTIVE, True, True, True, None, 0, 0, 0, None, None
            )
            return AccountsReply((state,))
        return OrderReply(self.answer)

    async def ask(self, msg_type: str, answer: Order) -> None:
        """Log on and ask; the answer is made, and on its way."""
        client = Client(self.desk, self.wire, "peer")
        client.received(say_logon(now_ns=NOW))
        await turns()
        self.edge.gate = asyncio.Event()
        self.answer = answer
        client.received(say(msg_type, 2, *REQUESTS[msg_type], now_ns=NOW))
        await turns()

    async def tell(self, cause: Cause, order: Order, sequence: int) -> Order:
        order = replace(order, sequence=sequence)
        report = OrderReport(order.account, sequence, order.number, NOW, cause)
        self.edge.release(Released(report, order))
        await turns()
        return order

    async def answered(self) -> dict[int, str]:
        """Have the answer arrive; return what is said last."""
        assert self.edge.gate is not None
        self.edge.gate.set()
        await turns()
        return self.wire.said[-1]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    use_exact_decimals()
    store = Store.open(tmp_path)
    yield World(store)
    store.close()


async def test_a_status_is_never_older_than_what_was_told(world: World) -> None:
    await world.ask("H", replace(OPEN, sequence=1))
    await world.tell(Cause.CANCELED, CANCELED, 2)
    said = await world.answered()
    assert (said[790], said[39], said[150]) == ("asked", "4", "I")


async def test_a_status_may_be_newer_than_what_was_told(world: World) -> None:
    await world.ask("H", replace(CANCELED, sequence=2))
    await world.tell(Cause.ROUTED, OPEN, 1)
    assert (await world.answered())[39] == "4"


async def test_a_cancel_that_ended_before_its_answer_is_answered_by_that_end(world: World) -> None:
    await world.ask("F", replace(PENDING, sequence=1))
    await world.tell(Cause.CANCEL_REQUESTED, PENDING, 1)
    await world.tell(Cause.CANCEL_ENDED, OPEN, 2)
    said = await world.answered()
    assert (said[35], said[11], said[39]) == ("9", "cancel", "1")
    count = len(world.wire.said)
    await world.tell(Cause.CANCEL_ENDED, OPEN, 3)  # another's cancel
    assert len(world.wire.said) == count + 1


async def test_a_cancel_that_worked_before_its_answer_needs_none(world: World) -> None:
    await world.ask("F", replace(PENDING, sequence=1))
    await world.tell(Cause.CANCEL_REQUESTED, PENDING, 1)
    await world.tell(Cause.CANCELED, CANCELED, 2)
    said = await world.answered()
    assert (said[35], said[39]) == ("8", "4")


async def test_a_second_cancel_is_refused_with_the_state_that_was_told(world: World) -> None:
    await world.ask("F", replace(PENDING, sequence=0))
    await world.tell(Cause.CANCELED, CANCELED, 1)
    said = await world.answered()
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
