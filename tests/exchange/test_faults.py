"""Every fault as a client sees it through the byte dialect, under a virtual clock."""

from decimal import Decimal

import msgspec
import pytest

from fairlead.core.model import Side
from fairlead.exchange.faults import KINDS, Fault, FaultError, FaultName, How
from fairlead.exchange.ledger import total_holdings
from fairlead.exchange.server import Exchange
from fairlead.exchange.settings import Settings
from fairlead.venues.sim_messages import (
    AskBalances,
    Balances,
    BalancesChanged,
    InstrumentsChanged,
    LoggedIn,
    Login,
    OrderState,
    Ping,
    Placed,
    Pong,
    RefusalCode,
    Refused,
    Stated,
)
from tests.exchange.talk import BTC, Client, code_of, now_ns, pass_time, scenario

D = Decimal


async def silent(client: Client, message: object) -> None:
    """Send a request that must not be answered now."""
    client.send(message)  # type: ignore[arg-type]
    await pass_time(0)
    assert client.answers(message.request_id) == []  # type: ignore[attr-defined]


async def open_ids(client: Client) -> list[str]:
    return [order.client_id for order in (await client.open_orders()).orders]


# ── on the way in ────────────────────────────────────────────────────────────────────────────────


def test_a_lost_request_is_never_carried_out_nor_answered() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.REQUEST_LOST))
        await silent(alice, alice.order("a"))
        await pass_time(60_000)
        assert await open_ids(alice) == []
        assert isinstance(await alice.ask(alice.order("b")), Placed), "only once"

    scenario(body)


@pytest.mark.parametrize(("delay_ms", "is_taken"), [(250, True), (350, False)])
def test_a_late_request_arrives_within_its_window_or_not(delay_ms: int, is_taken: bool) -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.REQUEST_LATE, delay_ms=delay_ms))
        order = alice.order("a")
        await silent(alice, order)
        assert await open_ids(alice) == []
        await pass_time(delay_ms + 1)
        (answer,) = alice.answers(order.request_id)
        if is_taken:
            assert isinstance(answer, Placed)
        else:
            assert code_of(answer) is RefusalCode.WINDOW
        assert await open_ids(alice) == (["a"] if is_taken else [])

    scenario(body, Settings(request_window_ms=300))


def test_a_late_request_arrives_also_when_its_connection_is_gone() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.REQUEST_LATE, delay_ms=100))
        await silent(alice, alice.order("a"))
        alice.hang_up()
        await pass_time(200)
        again = await Client(exchange).log_in("alice")
        assert await open_ids(again) == ["a"]

    scenario(body)


def test_an_internal_error_may_mean_that_nothing_was_done() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.INTERNAL_ERROR))
        assert code_of(await alice.ask(alice.order("a"))) is RefusalCode.INTERNAL
        assert await open_ids(alice) == []

    scenario(body)


def test_in_maintenance_orders_are_refused_and_the_rest_is_answered() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.MAINTENANCE, how=How.REFUSED, duration_ms=1_000))
        for index in range(3):
            assert code_of(await alice.ask(alice.order(f"a{index}"))) is RefusalCode.MAINTENANCE
        assert await open_ids(alice) == []
        await pass_time(1_000)
        assert isinstance(await alice.ask(alice.order("a")), Placed)

    scenario(body)


def test_a_silent_maintenance_answers_nothing() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        active = exchange.add_fault(Fault(name=FaultName.MAINTENANCE, how=How.SILENT))
        await silent(alice, alice.order("a"))
        await silent(alice, alice.cancel("a"))
        assert exchange.misbehavior.remove(active.fault_id)
        assert await open_ids(alice) == []

    scenario(body)


def test_a_rate_limit_says_when_to_come_again() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(
            Fault(name=FaultName.RATE_LIMITED, retry_after_ms=750, requests=("cancel",))
        )
        assert isinstance(await alice.ask(alice.order("a")), Placed)
        answer = await alice.ask(alice.cancel("a"))
        assert isinstance(answer, Refused)
        assert (answer.code, answer.retry_after_ms) == (RefusalCode.RATE, 750)
        assert isinstance(await alice.ask(alice.cancel("a")), Stated)

    scenario(body)


def test_a_refused_cancel_leaves_the_order_open() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.CANCEL_REFUSED, count=2))
        await alice.ask(alice.order("a"))
        for _ in range(2):
            assert code_of(await alice.ask(alice.cancel("a"))) is RefusalCode.CANCEL
            assert await open_ids(alice) == ["a"]
        assert isinstance(await alice.ask(alice.cancel("a")), Stated)

    scenario(body)


# ── on the way out ───────────────────────────────────────────────────────────────────────────────


def test_a_lost_answer_leaves_the_order_placed_and_the_stream_telling() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.ANSWER_LOST, requests=("place", "query")))
        await silent(alice, alice.order("a"))
        assert [each.order.client_id for each in alice.executions()] == ["a"]
        assert isinstance(await alice.ask(alice.query("a")), Stated)

    scenario(body)


def test_a_late_answer_comes_after_what_happened_meanwhile() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.ANSWER_LATE, delay_ms=300))
        order = alice.order("a")
        await silent(alice, order)
        await alice.ask(alice.cancel("a"))
        await pass_time(301)
        assert isinstance(alice.heard[-1], Placed)
        assert alice.heard[-1].request_id == order.request_id

    scenario(body)


def test_a_doubled_answer_comes_twice() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.ANSWER_DOUBLED))
        alice.send(order := alice.order("a"))
        await pass_time(0)
        assert len(alice.answers(order.request_id)) == 2
        assert await open_ids(alice) == ["a"]

    scenario(body)


def test_accepted_and_then_silence_spares_refusals() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.ACCEPTED_THEN_SILENCE))
        assert code_of(await alice.ask(alice.order("a", price="0"))) is RefusalCode.PRICE
        await silent(alice, alice.order("b"))
        assert await open_ids(alice) == ["b"]

    scenario(body)


def test_an_internal_error_may_mean_that_it_was_done() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(
            Fault(name=FaultName.ERROR_AFTER_ACCEPTING, requests=("place", "cancel"), count=2)
        )
        assert code_of(await alice.ask(alice.order("a"))) is RefusalCode.INTERNAL
        assert await open_ids(alice) == ["a"]
        assert code_of(await alice.ask(alice.cancel("a"))) is RefusalCode.INTERNAL
        assert await open_ids(alice) == []

    scenario(body)


def test_a_truncated_frame_breaks_what_follows() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.TRUNCATED_FRAME))
        heard = len(alice.heard)
        for index in range(20):
            alice.send(alice.order(f"a{index}", quantity="0.1"))
            await pass_time(0)
        assert alice.broken is not None or len(alice.heard) < heard + 40
        assert len(exchange.matching.open_orders) == 20

    scenario(body)


def test_garbage_comes_in_place_of_an_answer() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.GARBAGE))
        alice.send(alice.order("a"))
        await pass_time(0)
        assert alice.broken is not None
        assert len(exchange.matching.open_orders) == 1

    scenario(body)


@pytest.mark.parametrize(
    ("how", "is_done"),
    [(How.ON_REQUEST, False), (How.BEFORE_ANSWER, True), (How.MID_ANSWER, True)],
)
def test_a_disconnect_comes_at_the_request_or_at_the_answer(how: How, is_done: bool) -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.DISCONNECT, how=how, skip=2))
        for index in range(2):
            assert isinstance(await alice.ask(alice.order(f"a{index}")), Placed)
        await silent(alice, alice.order("last"))
        assert alice.closed
        assert alice.broken is None
        again = await Client(exchange).log_in("alice")
        assert ("last" in await open_ids(again)) is is_done
        assert not again.closed

    scenario(body)


def test_a_disconnect_now_closes_the_connections_of_the_account() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        bob = await Client(exchange).log_in("bob")
        exchange.add_fault(Fault(name=FaultName.DISCONNECT, how=How.NOW, account="bob"))
        await pass_time(0)
        assert bob.closed
        assert not alice.closed
        exchange.add_fault(Fault(name=FaultName.DISCONNECT, how=How.NOW))
        await pass_time(0)
        assert alice.closed
        assert isinstance((await Client(exchange).log_in("alice")).heard[0], LoggedIn)

    scenario(body)


# ── what the exchange says of orders ─────────────────────────────────────────────────────────────


def test_a_fill_may_come_before_the_answer() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.FILL_BEFORE_ANSWER, share=D("0.25")))
        alice.send(order := alice.order("a", quantity="2"))
        await pass_time(0)
        kinds = [type(each).__name__ for each in alice.heard[-3:]]
        assert kinds == ["Execution", "Execution", "Placed"]
        fill = alice.executions()[-1].fill
        assert fill is not None
        assert (fill.quantity, fill.client_id) == (D("0.5"), "a")
        assert len(alice.answers(order.request_id)) == 1

    scenario(body)


def test_a_share_of_all_fills_the_order_whole_before_its_answer() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.FILL_BEFORE_ANSWER, share=D(1)))
        await alice.ask(alice.order("a", quantity="2"))
        assert alice.executions()[-1].order.state is OrderState.FILLED
        assert await open_ids(alice) == []

    scenario(body)


def test_a_fill_may_be_told_after_the_cancel_that_came_after_it() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.FILL_AFTER_CANCEL, share=D("0.5"), delay_ms=400))
        await alice.ask(alice.order("a", quantity="2"))
        answer = await alice.ask(alice.cancel("a"))
        assert isinstance(answer, Stated)
        assert (answer.order.state, answer.order.filled) == (OrderState.CANCELED, D(1))
        assert [each.fill for each in alice.executions()] == [None, None]
        page = await alice.fills()
        assert (page.fills, page.is_last) == ((), True), "the page does not tell it either"
        await pass_time(401)
        told = alice.executions()[-1]
        assert told.fill is not None
        assert (told.fill.quantity, told.event) == (D(1), 2)
        assert [each.event for each in alice.executions()] == [1, 3, 2]
        assert (await alice.fills()).fills == (told.fill,)

    scenario(body)


def test_a_cancel_that_comes_after_a_whole_fill_is_refused() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.FILL_AFTER_CANCEL, share=D(1)))
        await alice.ask(alice.order("a"))
        assert code_of(await alice.ask(alice.cancel("a"))) is RefusalCode.CANCEL
        answer = await alice.ask(alice.query("a"))
        assert isinstance(answer, Stated)
        assert answer.order.state is OrderState.FILLED

    scenario(body)


def test_a_hidden_order_is_missing_from_answers_for_a_while_and_trades() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(
            Fault(name=FaultName.ORDER_HIDDEN, hide_ms=700, client_id_prefix="secret")
        )
        await alice.ask(alice.order("seen"))
        placed = await alice.ask(alice.order("secret-1"))
        assert isinstance(placed, Placed)
        assert await open_ids(alice) == ["seen"]
        assert code_of(await alice.ask(alice.query("secret-1"))) is RefusalCode.ORDER_UNKNOWN
        by_id = msgspec.structs.replace(alice.query(""), exchange_order_id=placed.exchange_order_id)
        assert code_of(await alice.ask(by_id)) is RefusalCode.ORDER_UNKNOWN
        await pass_time(701)
        assert await open_ids(alice) == ["seen", "secret-1"]
        assert isinstance(await alice.ask(alice.query("secret-1")), Stated)

    scenario(body)


@pytest.mark.parametrize("is_current", [False, True])
def test_a_stale_list_shows_the_open_orders_of_before(is_current: bool) -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        await alice.ask(alice.order("old"))
        active = exchange.add_fault(Fault(name=FaultName.STALE_OPEN_ORDERS, is_current=is_current))
        await alice.ask(alice.order("new"))
        await alice.ask(alice.cancel("old"))
        for _ in range(2):
            listed = await alice.open_orders()
            assert [order.client_id for order in listed.orders] == ["old"]
            assert listed.event == (3 if is_current else 1)
        exchange.misbehavior.remove(active.fault_id)
        assert await open_ids(alice) == ["new"]

    scenario(body)


# ── the stream ───────────────────────────────────────────────────────────────────────────────────


async def place_some(client: Client, count: int) -> None:
    for _ in range(count):
        await client.ask(client.order(f"o{client.next_id()}", quantity="0.1"))


def test_a_dropped_event_is_a_gap() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.STREAM_DROPPED, skip=1, count=2))
        await place_some(alice, 5)
        assert [each.event for each in alice.executions()] == [1, 4, 5]

    scenario(body)


def test_a_doubled_event_comes_twice() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.STREAM_DOUBLED, skip=1))
        await place_some(alice, 3)
        assert [each.event for each in alice.executions()] == [1, 2, 2, 3]

    scenario(body)


def test_a_reordered_event_comes_after_later_ones() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.STREAM_REORDERED, frames=2))
        await place_some(alice, 4)
        assert [each.event for each in alice.executions()] == [2, 3, 1, 4]
        await pass_time(1_000)
        assert len(alice.executions()) == 4

    scenario(body)


def test_a_reordered_event_does_not_wait_for_ever() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.STREAM_REORDERED, frames=5, delay_ms=100))
        await place_some(alice, 2)
        assert [each.event for each in alice.executions()] == [2]
        await pass_time(101)
        assert [each.event for each in alice.executions()] == [2, 1]

    scenario(body)


def test_a_silent_stream_answers_requests_and_pings() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        bob = await Client(exchange).log_in("bob")
        exchange.add_fault(Fault(name=FaultName.STREAM_SILENT, account="alice", duration_ms=1_000))
        await place_some(alice, 3)
        await place_some(bob, 1)
        exchange.adjust(exchange.matching.accounts["alice"], "BTC", D(1))
        assert isinstance(await alice.ask(Ping(999, now_ns())), Pong)
        assert alice.executions() == []
        assert not any(isinstance(each, BalancesChanged) for each in alice.heard)
        assert len(bob.executions()) == 1
        await pass_time(1_000)
        await place_some(alice, 1)
        assert [each.event for each in alice.executions()] == [5]

    scenario(body)


def test_only_fills_may_be_dropped() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.STREAM_DROPPED, only_fills=True, account="alice"))
        bob = await Client(exchange).log_in("bob")
        await alice.ask(alice.order("a", Side.SELL, quantity="2"))
        await bob.ask(bob.order("b"))
        await bob.ask(bob.order("c"))
        assert [each.event for each in alice.executions()] == [1, 3]

    scenario(body)


# ── the rules and the commands ───────────────────────────────────────────────────────────────────


def test_a_changed_tick_is_pushed_and_enforced() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.TICK_CHANGED, symbol=BTC, tick=D("0.25")))
        await pass_time(0)
        assert isinstance(alice.heard[-1], InstrumentsChanged)
        assert code_of(await alice.ask(alice.order("a", price="100.1"))) is RefusalCode.PRICE
        assert exchange.misbehavior.listed(now_ns()) == []

    scenario(body)


def test_a_fault_keeps_to_its_criteria() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        bob = await Client(exchange).log_in("bob")
        exchange.add_fault(
            Fault(
                name=FaultName.INTERNAL_ERROR,
                account="bob",
                symbol=BTC,
                side=Side.SELL,
                client_id_prefix="x",
                requests=("place",),
            )
        )
        assert isinstance(await alice.ask(alice.order("x1", Side.SELL, "200")), Placed)
        assert isinstance(await bob.ask(bob.order("x1")), Placed)
        assert isinstance(await bob.ask(bob.order("y1", Side.SELL, "200")), Placed)
        assert isinstance(await bob.ask(bob.cancel("x1")), Stated)
        assert code_of(await bob.ask(bob.order("x2", Side.SELL, "200"))) is RefusalCode.INTERNAL

    scenario(body)


def test_one_in_some_is_drawn_from_the_seed() -> None:
    def hits() -> list[int]:
        found: list[int] = []

        async def body(exchange: Exchange, alice: Client) -> None:
            exchange.add_fault(Fault(name=FaultName.INTERNAL_ERROR, one_in=3, count=None))
            for index in range(60):
                answer = await alice.ask(alice.order(f"a{index}", quantity="0.1"))
                if isinstance(answer, Refused):
                    found.append(index)

        scenario(body)
        return found

    first = hits()
    assert hits() == first
    assert 5 < len(first) < 40


def test_a_login_may_go_wrong_too() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.ANSWER_LOST, requests=("login",)))
        stranger = Client(exchange)
        await silent(stranger, Login(1, now_ns(), "carol", "secret"))
        assert isinstance(await stranger.ask(AskBalances(2, now_ns())), Balances)

    scenario(body)


def test_faults_are_listed_until_they_are_over_or_cleared() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.ORDER_HIDDEN))
        exchange.add_fault(Fault(name=FaultName.STREAM_SILENT, duration_ms=100))
        exchange.add_fault(Fault(name=FaultName.ANSWER_LOST, requests=("ping",)))
        assert len(exchange.misbehavior.listed(now_ns())) == 3
        await pass_time(101)
        assert len(exchange.misbehavior.listed(now_ns())) == 2
        await alice.ask(alice.order("a"))
        assert await open_ids(alice) == []
        exchange.misbehavior.clear()
        assert await open_ids(alice) == ["a"]
        assert exchange.misbehavior.listed(now_ns()) == []
        assert not exchange.misbehavior.is_active

    scenario(body)


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        (Fault(name=FaultName.ANSWER_LOST, account="nobody"), "account"),
        (Fault(name=FaultName.ANSWER_LOST, account="house:fees"), "account"),
        (Fault(name=FaultName.ANSWER_LOST, symbol="DOGE"), "symbol"),
        (Fault(name=FaultName.ANSWER_LOST, requests=("stream",)), "requests"),
        (Fault(name=FaultName.ANSWER_LOST, requests=()), "requests"),
        (Fault(name=FaultName.ANSWER_LOST, delay_ms=1), "delay_ms"),
        (Fault(name=FaultName.ANSWER_LATE, delay_ms=-1), "delay_ms"),
        (Fault(name=FaultName.ANSWER_LATE, count=0), "count"),
        (Fault(name=FaultName.ANSWER_LATE, one_in=0), "one_in"),
        (Fault(name=FaultName.ANSWER_LATE, skip=-1), "skip"),
        (Fault(name=FaultName.ANSWER_LATE, duration_ms=0), "duration_ms"),
        (Fault(name=FaultName.ANSWER_LATE, only_fills=True), "only_fills"),
        (Fault(name=FaultName.STREAM_DROPPED, requests=("place",)), "requests"),
        (Fault(name=FaultName.STREAM_REORDERED, frames=0), "frames"),
        (Fault(name=FaultName.FILL_AFTER_CANCEL, share=D(2)), "share"),
        (Fault(name=FaultName.FILL_AFTER_CANCEL, share=D("NaN")), "share"),
        (Fault(name=FaultName.MAINTENANCE), "how"),
        (Fault(name=FaultName.MAINTENANCE, how=How.NOW), "how"),
        (Fault(name=FaultName.DISCONNECT), "how"),
        (Fault(name=FaultName.ANSWER_LOST, how=How.NOW), "how"),
        (Fault(name=FaultName.TICK_CHANGED, tick=D(1)), "symbol"),
        (Fault(name=FaultName.TICK_CHANGED, symbol=BTC), "tick"),
        (Fault(name=FaultName.TICK_CHANGED, symbol=BTC, tick=D(0)), "tick"),
        (Fault(name=FaultName.TICK_CHANGED, symbol=BTC, tick=D("NaN")), "tick"),
        (Fault(name=FaultName.TICK_CHANGED, symbol=BTC, tick=D("1E-13")), "tick"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused_by_field(fault: Fault, field: str) -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        with pytest.raises(FaultError) as caught:
            exchange.add_fault(fault)
        assert caught.value.field == field
        assert exchange.misbehavior.listed(now_ns()) == []

    scenario(body)


def test_whatever_goes_wrong_the_ledger_stays_right() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        bob = await Client(exchange).log_in("bob")
        for name in FaultName:
            how = {FaultName.MAINTENANCE: How.REFUSED, FaultName.DISCONNECT: How.BEFORE_ANSWER}
            if name is not FaultName.TICK_CHANGED:
                exchange.add_fault(Fault(name=name, one_in=5, count=10, how=how.get(name)))
        for index in range(200):
            clients = [c for c in (alice, bob) if not c.closed and c.broken is None]
            if len(clients) < 2:
                alice, bob = Client(exchange), Client(exchange)
                alice.send(Login(1, now_ns(), "alice", "secret"))
                bob.send(Login(1, now_ns(), "bob", "secret"))
            alice.send(alice.order(f"a{index}", Side.SELL, str(100 + index % 3)))
            bob.send(bob.order(f"b{index}", Side.BUY, str(102 - index % 3)))
            alice.send(alice.cancel(f"a{index - 1}"))
            await pass_time(50)
        accounts = exchange.matching.accounts.values()
        assert all(total == 0 for total in total_holdings(accounts).values())
        assert not exchange.matching.markets[BTC].book.is_crossed()

    scenario(body)


def test_every_kind_is_in_the_table_and_in_the_documents() -> None:
    from pathlib import Path

    text = (Path(__file__).parents[2] / "docs" / "reference" / "faults.md").read_text()
    assert set(KINDS) == set(FaultName)
    for name, kind in KINDS.items():
        assert f"| `{name.value}` |" in text
        for parameter in kind.parameters:
            assert f"`{parameter}`" in text


def test_a_login_that_arrives_after_its_connection_is_gone_is_not_listened_to() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        exchange.add_fault(Fault(name=FaultName.REQUEST_LATE, requests=("login",), delay_ms=100))
        stranger = Client(exchange)
        await silent(stranger, Login(1, now_ns(), "carol", "secret"))
        stranger.hang_up()
        await pass_time(200)
        assert "carol" in exchange.matching.accounts
        assert len(exchange.connections) == len(exchange._streams) == 1

    scenario(body)
