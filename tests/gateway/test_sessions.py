"""A session at a real edge: its name is on its orders, its end comes last, and the next process knows."""

from pathlib import Path

import pytest

from fairlead.core.model import ExecInst, Order, Stage
from fairlead.core.replies import OrderReply
from fairlead.core.requests import EndSession, QueryOrder
from fairlead.core.venue_messages import Outcome, VenueCancel, VenuePlace
from fairlead.gateway.sessions import Session
from tests.core.words import make_request
from tests.edge.desk import answer
from tests.edge.test_edge import Port
from tests.gateway.scripted_edge import ScriptedEdge

pytestmark = pytest.mark.asyncio
COD = (ExecInst.CANCEL_ON_DISCONNECT,)


async def placed(port: Port, session: Session, name: str, exec_inst: tuple[ExecInst, ...]) -> Order:
    """Place an order over the session and have the exchange accept it."""
    placing = session.place(make_request(name, exec_inst=exec_inst))
    request = await port.link.next_sent(VenuePlace)
    port.link.hear([answer(request, Outcome.DONE, exchange_order_id=f"X-{name}")])
    reply = await placing
    assert isinstance(reply, OrderReply)
    return reply.order


async def order_of(port: Port, name: str) -> Order:
    reply = await port.edge.submit(QueryOrder(account="SIM", client_order_id=name))
    assert isinstance(reply, OrderReply)
    return reply.order


async def test_its_orders_carry_its_name_and_end_with_it(tmp_path: Path) -> None:
    async with Port(tmp_path) as port:
        await port.connect()
        session, other = Session(port.edge, "ws:1"), Session(port.edge, "ws:2")
        assert (await placed(port, session, "goes", COD)).session == "ws:1"
        await placed(port, session, "stays", ())
        await placed(port, other, "others", COD)
        await session.end()
        cancel = await port.link.next_sent(VenueCancel)
        assert cancel.exchange_order_id == "X-goes"
        assert port.link.waiting.empty()
        pending = [
            name
            for name in ("goes", "stays", "others")
            if (await order_of(port, name)).cancel_pending
        ]
        assert pending == ["goes"]


async def test_what_was_submitted_before_the_end_ends_and_nothing_comes_after_it(
    tmp_path: Path,
) -> None:
    async with Port(tmp_path) as port:
        await port.connect()
        session = Session(port.edge, "ws:1")
        before = session.place(make_request("before", exec_inst=COD))
        place = await port.link.next_sent(VenuePlace)
        await session.end()
        with pytest.raises(ConnectionError, match="session ws:1 has ended"):
            session.place(make_request("behind", exec_inst=COD))
        cancel = await port.link.next_sent(VenueCancel)
        assert place.number == cancel.number
        port.link.hear([answer(place, Outcome.DONE, exchange_order_id="X1")])
        assert (await before).order.cancel_pending


async def test_what_waits_to_be_decided_when_it_ends_is_never_sent(tmp_path: Path) -> None:
    async with Port(tmp_path) as port:
        await port.connect()
        session = Session(port.edge, "ws:1")
        before = session.place(make_request("before", exec_inst=COD))
        await session.end()  # the order is in the inbox
        reply = await before
        assert isinstance(reply, OrderReply)
        assert reply.order.stage is Stage.CANCELED
        assert port.link.waiting.empty()


async def test_its_end_is_told_once_and_only_where_an_order_ends_with_it() -> None:
    edge = ScriptedEdge()
    session = Session(edge, "ws:1")
    for account, exec_inst in (("SIM", COD), ("SIM", COD), ("SIM/B", COD), ("SIM/C", ())):
        await session.place(make_request(account=account, exec_inst=exec_inst))
    edge.asked.clear()
    await session.end()
    await session.end()
    assert edge.asked == [
        EndSession(account="SIM", session="ws:1"),
        EndSession(account="SIM/B", session="ws:1"),
    ]


async def test_a_client_that_comes_back_under_its_name_begins_anew(tmp_path: Path) -> None:
    async with Port(tmp_path) as port:
        await port.connect()
        first = Session(port.edge, "fix:CLIENT")
        await first.end()
        await placed(port, Session(port.edge, "fix:CLIENT"), "later", COD)
        assert not (await order_of(port, "later")).cancel_pending


async def test_when_the_process_ends_first_the_next_one_cancels(tmp_path: Path) -> None:
    async with Port(tmp_path) as port:
        await port.connect()
        session = Session(port.edge, "ws:1")
        await placed(port, session, "goes", COD)
        await placed(port, session, "stays", ())
    await session.end()  # says nothing: nobody is there
    async with Port(tmp_path) as port:
        assert (await order_of(port, "goes")).cancel_pending
        cancel = await port.link.next_sent(VenueCancel)
        assert cancel.exchange_order_id == "X-goes"
        assert not (await order_of(port, "stays")).cancel_pending
