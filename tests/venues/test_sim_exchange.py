"""The dialect and the real exchange, over a pipe and over a socket: the same words, the same reports."""

import asyncio
from decimal import Decimal
from random import Random

import pytest

from fairlead.core.exact import use_exact_decimals
from fairlead.core.model import ExecInst, Liquidity, Side, TimeInForce
from fairlead.core.venue_messages import (
    Outcome,
    VenueAnswer,
    VenueBalances,
    VenueBalancesStated,
    VenueCancel,
    VenueConnected,
    VenueDisconnected,
    VenueFill,
    VenueFillsListed,
    VenueFillsSince,
    VenueInstruments,
    VenueInstrumentsListed,
    VenueNotFound,
    VenueOpenOrders,
    VenueOpenOrdersListed,
    VenueOrder,
    VenueOrderState,
    VenuePlace,
    VenueQuery,
)
from fairlead.exchange.server import Exchange
from fairlead.exchange.settings import INSTRUMENTS, Settings
from fairlead.venues.link import Link, Tcp
from fairlead.venues.pipe import Pipe
from fairlead.venues.sim import SimDialect
from tests.venues.talk import START_NS, SYMBOL, Inbox

PRICE = Decimal("30000.00")


class Client:
    """One account at the exchange."""

    def __init__(self, account, connect, private_key="private"):
        self.account = account
        self.inbox = Inbox()
        self.told = []
        self._request_id = 0
        loop = asyncio.get_running_loop()
        self.link = Link(
            account,
            SimDialect(account, account, private_key),
            connect,
            self.inbox,
            loop=loop,
            now_ns=lambda: START_NS,
            random=Random(1),
        )
        self.link.start()

    async def ask(self, kind, **words):
        """Ask, and return what came up to and with the answer."""
        self._request_id += 1
        self.link.send(kind(account=self.account, request_id=self._request_id, **words))
        await self.inbox.until(VenueAnswer)
        return self.take()

    async def until(self, kind, count=1):
        await self.inbox.until(kind, count)
        return self.take()

    def take(self):
        taken = self.inbox.take()
        self.told.extend(taken)
        return taken

    async def place(self, client_id, side=Side.BUY, price=PRICE, quantity="0.5", **more):
        words = {"time_in_force": TimeInForce.GOOD_TILL_CANCEL, "expire_time_ns": None}
        words |= {"exec_inst": ()} | more
        self.link.send(
            VenuePlace(
                account=self.account,
                request_id=self._next(),
                number=1,
                venue_client_id=client_id,
                symbol_exchange=SYMBOL,
                side=side,
                price=price,
                quantity=Decimal(quantity),
                **words,
            )
        )
        answers = await self.inbox.until(VenueAnswer)
        if answers[0].outcome is Outcome.DONE:
            await self.inbox.until(VenueBalancesStated)
        return self.take()

    def _next(self):
        self._request_id += 1
        return self._request_id

    async def about(self, kind, client_id, exchange_order_id=None):
        return await self.ask(
            kind,
            number=1,
            symbol_exchange=SYMBOL,
            venue_client_id=client_id,
            exchange_order_id=exchange_order_id,
        )

    async def close(self):
        self.link.close()
        await self.link.wait_closed()


def kinds(reports):
    return [type(report) for report in reports]


async def a_day(connect):
    """Trade through every message; return what the two accounts were told."""
    alice, bob = Client("SIM/ALICE", connect), Client("SIM/BOB", connect)
    for client in (alice, bob):
        assert kinds(await client.until(VenueConnected)) == [VenueConnected]

    listed, answer = await alice.ask(VenueInstruments)
    assert listed == VenueInstrumentsListed(
        account="SIM/ALICE", request_id=1, instruments=INSTRUMENTS
    )
    assert answer.outcome is Outcome.DONE

    done, order, stated = await alice.place("a1", exec_inst=(ExecInst.MAKER_OR_CANCEL,))
    assert done.outcome is Outcome.DONE
    assert order.exchange_order_id == done.exchange_order_id
    assert (order.state, order.exchange_ordinal) == (VenueOrderState.OPEN, 2)
    assert [(b.asset_exchange, b.locked) for b in stated.balances] == [("USDT", Decimal(15000))]

    (refused,) = await bob.place("b0", Side.SELL, exec_inst=(ExecInst.MAKER_OR_CANCEL,))
    assert refused.outcome is Outcome.REFUSED

    reports = await bob.place("b1", Side.SELL, quantity="0.2")
    assert kinds(reports)[:3] == [VenueAnswer, VenueFill, VenueOrder]
    fill, order, _ = await alice.until(VenueBalancesStated)
    assert isinstance(fill, VenueFill)
    assert fill.trade_id == reports[1].trade_id
    assert (fill.liquidity, reports[1].liquidity) == (Liquidity.MAKER, Liquidity.TAKER)
    assert order.quantity_filled == fill.quantity == Decimal("0.2")

    listed, _ = await alice.ask(VenueOpenOrders)
    assert kinds([listed]) == [VenueOpenOrdersListed]
    assert listed.orders == (order,)

    stated, _ = await alice.about(VenueQuery, "a1")
    assert (stated.state, stated.asked.venue_client_id) == (VenueOrderState.OPEN, "a1")
    not_found, done = await alice.about(VenueQuery, "nobody's")
    assert isinstance(not_found, VenueNotFound)
    assert done.outcome is Outcome.DONE
    (unknown,) = await alice.about(VenueCancel, "nobody's")
    assert (unknown.outcome, unknown.order_unknown) == (Outcome.REFUSED, True)

    canceled, done = (await alice.about(VenueCancel, "a1"))[:2]
    assert isinstance(canceled, VenueOrder)
    assert canceled.state is VenueOrderState.CANCELED
    assert done.outcome is Outcome.DONE
    if VenueBalancesStated not in kinds(alice.told[-3:]):
        await alice.until(VenueBalancesStated)
    (too_late,) = await alice.about(VenueCancel, "a1", done.exchange_order_id)
    assert (too_late.outcome, too_late.order_unknown) == (Outcome.REFUSED, False)

    page, _ = await alice.ask(VenueFillsSince, cursor="")
    assert isinstance(page, VenueFillsListed)
    assert [f.trade_id for f in page.fills] == [fill.trade_id]
    assert (page.cursor, page.is_last) == ("1@x7", True)
    page, _ = await alice.ask(VenueFillsSince, cursor=page.cursor)
    assert (page.fills, page.cursor) == ((), "1@x7")

    stated, _ = await alice.ask(VenueBalances)
    assert stated.is_complete
    totals = {b.asset_exchange: (b.total, b.locked) for b in stated.balances}
    assert totals["USDT"] == (Decimal(10000000) - 6000, Decimal(0))

    thief = Client("SIM/ALICE", connect, private_key="wrong")
    (disconnected,) = await thief.until(VenueDisconnected)
    assert disconnected.refused_login
    for client in (alice, bob, thief):
        await client.close()
    return [report for client in (alice, bob) for report in client.told]


async def over_pipe():
    loop = asyncio.get_running_loop()
    exchange = Exchange(Settings(), lambda: START_NS, identity="x7")
    exchange.start()
    try:
        return await a_day(Pipe(loop, exchange.connection))
    finally:
        exchange.close()


async def over_tcp():
    loop = asyncio.get_running_loop()
    exchange = Exchange(Settings(), lambda: START_NS, identity="x7")
    exchange.start()
    server = await loop.create_server(exchange.connection, "127.0.0.1", 0)
    try:
        return await a_day(Tcp(loop, "127.0.0.1", server.sockets[0].getsockname()[1]))
    finally:
        server.close()
        exchange.close()


async def _exactly(story):
    use_exact_decimals()
    return await story()


@pytest.mark.parametrize("way", [over_pipe, over_tcp])
def test_a_day_at_the_exchange(way):
    asyncio.run(_exactly(way))


def test_pipe_and_socket_tell_the_same():
    assert asyncio.run(_exactly(over_pipe)) == asyncio.run(_exactly(over_tcp))
