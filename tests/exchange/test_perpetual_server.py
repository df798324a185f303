"""Perpetuals as a client sees them: requests, answers and the stream, also when it misbehaves."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from fairlead.core.model import Side, TimeInForce
from fairlead.exchange.faults import Fault, FaultName
from fairlead.exchange.server import Exchange
from fairlead.exchange.settings import PerpetualSettings
from fairlead.exchange.tape import Tape, ToEvent, events, open_tape
from fairlead.venues.sim_messages import (
    AskPositions,
    Execution,
    Place,
    Placed,
    Positions,
    PositionsChanged,
    RefusalCode,
    Refused,
    WireOrigin,
    WirePosition,
)
from tests.exchange.pit import BUY, PERP, SELL, SETTINGS, SPOT
from tests.exchange.talk import Client, now_ns, pass_time, run, scenario

HOURLY = msgspec.structs.replace(
    SETTINGS, perpetuals=PerpetualSettings(funding_interval_ms=3_600_000)
)
D = Decimal


def place(
    client: Client,
    client_id: str,
    side: Side,
    price: str,
    quantity: str,
    *,
    reduce_only: bool = False,
    symbol: str = PERP,
) -> Place:
    return Place(
        client.next_id(),
        now_ns(),
        client_id,
        symbol,
        side,
        D(price),
        D(quantity),
        TimeInForce.GOOD_TILL_CANCEL,
        False,
        None,
        reduce_only,
    )


async def positions(client: Client) -> Positions:
    answer = await client.ask(AskPositions(client.next_id(), now_ns()))
    assert isinstance(answer, Positions)
    return answer


async def held(client: Client) -> tuple[WirePosition, ...]:
    """Return the positions that are not flat; the flat ones only tell the leverage."""
    answer = await positions(client)
    assert [each.symbol for each in answer.positions] == [PERP]
    return tuple(each for each in answer.positions if each.quantity)


async def opened(exchange: Exchange, alice: Client) -> Client:
    """Let alice be long 2 at 100 against bob, the mark being 100."""
    bob = await Client(exchange).log_in("bob")
    exchange.set_mark(PERP, D(100))
    assert isinstance(await bob.ask(place(bob, "b", SELL, "100", "2")), Placed)
    assert isinstance(await alice.ask(place(alice, "a", BUY, "100", "2")), Placed)
    return bob


def changes(client: Client) -> list[PositionsChanged]:
    return [each for each in client.heard if isinstance(each, PositionsChanged)]


def test_positions_are_answered_with_the_event_they_are_as_of() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        assert await held(alice) == ()
        await opened(exchange, alice)
        exchange.set_mark(PERP, D(101))
        answer = await positions(alice)
        assert answer.event == alice.executions()[-1].event
        assert answer.positions == (
            WirePosition(PERP, BUY, D(2), D(100), D(101), D(2), D(10), True, None),
        )

    scenario(body, SETTINGS)


def test_a_reduce_only_order_is_refused_by_its_own_code() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        answer = await alice.ask(place(alice, "a", SELL, "100", "1", reduce_only=True))
        assert isinstance(answer, Refused)
        assert answer.code is RefusalCode.REDUCE_ONLY

    scenario(body, SETTINGS)


def test_funding_is_paid_by_time_alone() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        await opened(exchange, alice)
        await pass_time(3_600_000)
        (event,) = changes(alice)
        assert event.time_ns % (3600 * 10**9) == 0
        assert event.event == alice.executions()[-1].event + 1
        await pass_time(3_600_000)
        assert len(changes(alice)) == 2

    scenario(body, HOURLY)


def test_another_client_s_spot_order_can_move_the_index_and_so_liquidate() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        bob = await opened(exchange, alice)
        exchange.set_mark(PERP, None)
        alice_account = exchange.matching.accounts["alice"]
        exchange.adjust(alice_account, "USDT", D(30) - alice_account.holding("USDT").total)
        await bob.ask(place(bob, "bid", BUY, "80", "1", symbol=SPOT))
        assert await held(alice)
        await bob.ask(place(bob, "ask", SELL, "81", "1", symbol=SPOT))
        assert await held(alice) == ()
        order = alice.executions()[-1].order
        assert order.origin is WireOrigin.LIQUIDATION
        assert bob.executions()[-1].order.origin is WireOrigin.DELEVERAGING
        answer, told = next(
            (at, each) for at, each in enumerate(bob.heard) if isinstance(each, Execution)
            and each.order.client_id == "ask"
        )  # fmt: skip
        assert isinstance(bob.heard[answer - 1], Placed)
        assert told.order.symbol == SPOT

    scenario(body, SETTINGS)


def test_the_stream_s_faults_hit_changes_of_positions_too() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        await opened(exchange, alice)
        for name, times in (
            (FaultName.STREAM_DROPPED, 0),
            (FaultName.STREAM_DOUBLED, 2),
            (FaultName.STREAM_REORDERED, 1),
        ):
            alice.heard.clear()
            exchange.add_fault(Fault(name=name, account="alice"))
            exchange.pay_funding(PERP, None)
            await pass_time(0)
            reordered = name is FaultName.STREAM_REORDERED
            assert len(changes(alice)) == (0 if reordered else times)
            await pass_time(1_000)
            assert len(changes(alice)) == times

    scenario(body, SETTINGS)


@pytest.mark.parametrize(
    ("criteria", "is_hit"),
    [
        ({"symbol": PERP}, True),
        ({"symbol": "BTC/USDT"}, False),
        ({"symbol": PERP, "only_fills": True}, False),
        ({"symbol": PERP, "client_id_prefix": "a"}, False),
        ({"symbol": PERP, "side": BUY}, False),
    ],
)
def test_a_fault_of_a_market_hits_changes_of_its_positions(
    criteria: dict[str, object], is_hit: bool
) -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        await opened(exchange, alice)
        fault = msgspec.convert({"name": "stream_dropped", "account": "alice", **criteria}, Fault)
        exchange.add_fault(fault)
        exchange.pay_funding(PERP, None)
        await pass_time(0)
        assert len(changes(alice)) == (0 if is_hit else 1)

    scenario(body, SETTINGS)


def test_positions_can_go_unanswered() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.ANSWER_LOST, requests=("positions",)))
        asked = AskPositions(alice.next_id(), now_ns())
        alice.send(asked)
        await pass_time(0)
        assert alice.answers(asked.request_id) == []
        assert await held(alice) == ()

    scenario(body, SETTINGS)


def test_positions_are_settled_after_every_event_of_a_tape(tmp_path: Path) -> None:
    """One step over a fall and its recovery liquidates as many small steps would."""
    path = tmp_path / "quotes.csv"
    path.write_text(
        "timestamp,symbol,ask_size,ask,bid_size,bid\n"
        + "".join(
            f"2024-01-01T00:00:0{second}.000Z,BTC/USDT,1,{bid + 1},1,{bid}\n"
            for second, bid in enumerate((100, 80, 100))
        )
    )
    files = open_tape([str(path)], SETTINGS.instruments)
    tape = Tape(events(files, SETTINGS.instruments))

    async def body() -> None:
        exchange = Exchange(SETTINGS, now_ns, tape=tape)
        exchange.start()
        alice = await Client(exchange).log_in()
        await opened(exchange, alice)
        account = exchange.matching.accounts["alice"]
        exchange.adjust(account, "USDT", D(30) - account.holding("USDT").total)
        exchange.set_mark(PERP, None)
        assert exchange.advance_tape(ToEvent(3), 100)
        assert exchange.matching.markets[PERP].mark == D("100.50")
        assert await held(alice) == ()
        exchange.close()
        await pass_time(0)

    run(body())
