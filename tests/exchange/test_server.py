"""The exchange through its byte dialect, over an in-memory pipe and a virtual clock."""

import asyncio
from decimal import Decimal
from pathlib import Path

import msgspec

from fairlead.core.model import Side, TimeInForce
from fairlead.exchange.matching import Matching
from fairlead.exchange.server import Exchange
from fairlead.exchange.settings import Settings
from fairlead.exchange.store import open_store
from fairlead.exchange.store_file import FILE_NAME
from fairlead.venues.sim_messages import (
    FILLS_PAGE,
    AskInstruments,
    AskOpenOrders,
    AskTickers,
    BalancesChanged,
    Execution,
    Instruments,
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
    Tickers,
    WireTicker,
    frame,
)
from tests.exchange.talk import BTC, Client, code_of, new_exchange, now_ns, pass_time, run, scenario

D = Decimal


def test_a_first_login_opens_an_account_and_only_its_private_key_opens_it_again() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        assert (await alice.balances())["USDT"] == (D(10_000_000), D(0))
        stranger = Client(exchange)
        answer = await stranger.ask(Login(1, now_ns(), "alice", "guess"))
        assert code_of(answer) is RefusalCode.LOGIN
        assert code_of(await stranger.ask(AskOpenOrders(2, now_ns()))) is RefusalCode.NOT_LOGGED_IN
        answer = await stranger.ask(Login(3, now_ns(), "alice", "secret"))
        assert isinstance(answer, LoggedIn)
        assert answer.request_window_ms == 5_000
        for request_id, key in enumerate(("", "house:fees", "a b", "x" * 129), start=4):
            answer = await stranger.ask(Login(request_id, now_ns(), key, "secret"))
            assert code_of(answer) is RefusalCode.LOGIN
        answer = await Client(exchange).ask(Login(1, now_ns(), "bob", ""))
        assert code_of(answer) is RefusalCode.LOGIN
        assert b"secret" not in exchange.matching.accounts["alice"].private_key_hash

    scenario(body)


def test_a_connection_keeps_its_account() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        answer = await alice.ask(Login(9, now_ns(), "bob", "secret"))
        assert code_of(answer) is RefusalCode.LOGIN
        assert isinstance(await alice.ask(Login(10, now_ns(), "alice", "secret")), LoggedIn)

    scenario(body)


def test_an_order_is_answered_before_its_events() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        bob = await Client(exchange).log_in("bob")
        await bob.ask(bob.order("maker", Side.SELL, quantity="1"))
        alice.send(order := alice.order("mine", quantity="2"))
        await pass_time(0)
        placed, execution = alice.heard[-2:]
        assert isinstance(placed, Placed)
        assert (placed.request_id, placed.client_id) == (order.request_id, "mine")
        assert isinstance(execution, Execution)
        assert execution.fill is not None
        assert execution.fill.exchange_order_id == placed.exchange_order_id
        assert execution.order.state is OrderState.OPEN
        assert bob.executions()[-1].order.state is OrderState.FILLED

    scenario(body)


def test_what_a_login_says_of_events_joins_the_stream() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        await alice.ask(alice.order("a"))
        other = Client(exchange)
        answer = await other.ask(Login(1, now_ns(), "alice", "secret"))
        assert isinstance(answer, LoggedIn)
        assert answer.last_event == 1
        await alice.ask(alice.order("b"))
        assert [each.event for each in alice.executions()] == [1, 2]
        assert [each.event for each in other.executions()] == [2], "each connection hears it"
        other.hang_up()
        await pass_time(0)
        await alice.ask(alice.order("c"))
        assert [each.event for each in other.executions()] == [2]
        assert len(exchange.connections) == 1

    scenario(body)


def test_a_cancel_states_the_order_and_cannot_be_done_twice() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        await alice.ask(alice.order("a"))
        answer = await alice.ask(alice.cancel("a"))
        assert isinstance(answer, Stated)
        assert answer.order.state is OrderState.CANCELED
        assert alice.executions()[-1].order == answer.order
        assert code_of(await alice.ask(alice.cancel("a"))) is RefusalCode.CANCEL
        assert code_of(await alice.ask(alice.cancel("b"))) is RefusalCode.ORDER_UNKNOWN
        by_id = msgspec.structs.replace(
            alice.cancel("zz"), exchange_order_id=answer.order.exchange_order_id
        )
        assert code_of(await alice.ask(by_id)) is RefusalCode.CANCEL
        elsewhere = msgspec.structs.replace(alice.cancel("a"), symbol="ETH/USDT")
        assert code_of(await alice.ask(elsewhere)) is RefusalCode.ORDER_UNKNOWN

    scenario(body)


def test_a_query_finds_open_and_closed_orders_by_either_id_and_only_ones_own() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        bob = await Client(exchange).log_in("bob")
        await alice.ask(alice.order("a"))
        found = await alice.ask(alice.query("a"))
        assert isinstance(found, Stated)
        exchange_order_id = found.order.exchange_order_id
        by_id = msgspec.structs.replace(alice.query(""), exchange_order_id=exchange_order_id)
        assert await alice.ask(by_id) == Stated(by_id.request_id, found.order)
        theirs = msgspec.structs.replace(bob.query(""), exchange_order_id=exchange_order_id)
        assert code_of(await bob.ask(theirs)) is RefusalCode.ORDER_UNKNOWN
        # Placed, canceled and asked about within one batch.
        alice.send(alice.cancel("a"), alice.order("a", price="90"), query := alice.query("a"))
        await pass_time(0)
        (answer,) = alice.answers(query.request_id)
        assert isinstance(answer, Stated)
        assert answer.order.price == D(90)
        alice.send(alice.cancel("a"), query := alice.query("a"))
        await pass_time(0)
        (answer,) = alice.answers(query.request_id)
        assert isinstance(answer, Stated)
        assert answer.order.state is OrderState.CANCELED

    scenario(body)


def test_fills_are_paged_and_say_which_is_the_last() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        bob = await Client(exchange).log_in("bob")
        total = FILLS_PAGE + 7
        await alice.ask(alice.order("big", Side.SELL, "100", str(total * 0 + 90)))
        bob.send(*(bob.order(f"b{index}", quantity="0.05") for index in range(total)))
        await pass_time(0)
        first = await alice.fills()
        assert ([first.fills[0].ordinal, first.fills[-1].ordinal], first.is_last) == (
            [1, FILLS_PAGE],
            False,
        )
        second = await alice.fills(FILLS_PAGE)
        assert (len(second.fills), second.is_last) == (7, True)
        for after in (total, 10**18):
            page = await alice.fills(after)
            assert (page.fills, page.is_last) == ((), True)
        assert (await alice.fills(-5)).fills[0].ordinal == 1

    scenario(body)


def test_requests_outside_the_window_are_refused_and_nothing_is_done() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        for age_ms, is_taken in (
            (299, True),
            (300, True),
            (301, False),
            (-1000, True),
            (-1001, False),
        ):
            sent_ns = now_ns() - age_ms * 10**6
            order = msgspec.structs.replace(alice.order(f"a{age_ms}"), sent_ns=sent_ns)
            answer = await alice.ask(order)
            if is_taken:
                assert isinstance(answer, Placed), age_ms
            else:
                assert code_of(answer) is RefusalCode.WINDOW
        assert len((await alice.open_orders()).orders) == 3
        late_login = Login(1, now_ns() - 10**9, "bob", "secret")
        assert code_of(await Client(exchange).ask(late_login)) is RefusalCode.WINDOW
        assert await alice.ask(Ping(99, 0)) == Pong(99, now_ns())

    scenario(body, Settings(request_window_ms=300))


def test_too_many_requests_are_refused_with_the_time_to_wait() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        await pass_time(2_000)
        alice.send(*(alice.order(f"a{index}", quantity="0.1") for index in range(12)))
        await pass_time(0)
        refusals = [each for each in alice.heard if isinstance(each, Refused)]
        assert [each.code for each in refusals] == [RefusalCode.RATE] * 2
        assert refusals[0].retry_after_ms == 100
        await pass_time(100)
        assert isinstance(await alice.ask(alice.order("later", quantity="0.1")), Placed)
        assert code_of(await alice.ask(alice.order("again"))) is RefusalCode.RATE
        bob = await Client(exchange).log_in("bob")
        assert isinstance(await bob.ask(bob.order("b")), Placed), "each account has its own"

    scenario(body, Settings(requests_per_second=10))


def test_an_order_expires_by_itself_at_its_time() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        expire_ns = now_ns() + 1_000 * 10**6
        gtt = TimeInForce.GOOD_TILL_TIME_EXCHANGE
        await alice.ask(alice.order("long", time_in_force=gtt, expire_time_ns=expire_ns + 10**9))
        await alice.ask(alice.order("a", time_in_force=gtt, expire_time_ns=expire_ns))
        await pass_time(998)
        assert len(alice.executions()) == 2
        await pass_time(5)
        expired = alice.executions()[-1]
        assert (expired.order.client_id, expired.order.state) == ("a", OrderState.EXPIRED)
        assert expire_ns <= expired.time_ns <= expire_ns + 10**6
        await pass_time(1_000)
        assert alice.executions()[-1].order.client_id == "long"

    scenario(body)


def test_a_batch_is_one_commit_and_is_stored_before_it_is_answered(tmp_path: Path) -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        before = exchange.store.commits
        alice.send(*(alice.order(f"a{index}", quantity="0.1") for index in range(10)))
        await pass_time(0)
        assert exchange.store.commits == before + 1
        assert len(alice.executions()) == 10

    scenario(body, folder=tmp_path)
    store = open_store(tmp_path / FILE_NAME)
    matching = Matching(Settings())
    store.restore(matching)
    assert len(matching.open_orders) == 10
    store.close()


def test_accounts_orders_and_counters_survive_a_restart(tmp_path: Path) -> None:
    async def first(exchange: Exchange, alice: Client) -> None:
        await alice.ask(alice.order("a"))

    async def second(exchange: Exchange, alice: Client) -> None:
        assert isinstance(alice.heard[0], LoggedIn)
        assert alice.heard[0].last_event == 1
        listed = await alice.open_orders()
        assert [order.client_id for order in listed.orders] == ["a"]
        await alice.ask(alice.cancel("a"))
        assert alice.executions()[-1].event == 2
        stranger = Client(exchange)
        answer = await stranger.ask(Login(1, now_ns(), "alice", "guess"))
        assert code_of(answer) is RefusalCode.LOGIN

    scenario(first, folder=tmp_path)
    scenario(second, folder=tmp_path)


def test_instruments_are_told_and_a_changed_tick_is_pushed() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        answer = await alice.ask(AskInstruments(5, now_ns()))
        assert isinstance(answer, Instruments)
        assert [each.symbol for each in answer.instruments] == [
            "SIM_SPOT_BTC_USDT",
            "SIM_SPOT_ETH_USDT",
            "SIM_SPOT_ETH_BTC",
            "SIM_SPOT_XRP_USDT",
        ]
        exchange.set_tick(BTC, D("0.5"))
        await pass_time(0)
        pushed = alice.heard[-1]
        assert isinstance(pushed, InstrumentsChanged)
        assert pushed.instruments[0].price_tick == D("0.5")
        refusal = await alice.ask(alice.order("a", price="100.01"))
        assert code_of(refusal) is RefusalCode.PRICE

    scenario(body)


def test_tickers_are_the_best_quotes_as_they_are() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        await alice.ask(alice.order("a", price="99"))
        answer = await alice.ask(AskTickers(5, now_ns()))
        assert isinstance(answer, Tickers)
        assert [ticker.symbol for ticker in answer.tickers] == list(exchange.matching.markets)
        by_symbol = {ticker.symbol: ticker for ticker in answer.tickers}
        assert by_symbol[BTC] == WireTicker(BTC, D(99), None)
        assert by_symbol["ETH/USDT"] == WireTicker("ETH/USDT", None, None)

    scenario(body)


def test_an_adjusted_balance_is_told_on_the_stream() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        account = exchange.matching.accounts["alice"]
        assert exchange.adjust(account, "BTC", D(5))
        await pass_time(0)
        told = alice.heard[-1]
        assert isinstance(told, BalancesChanged)
        assert (told.event, told.balances[0].total) == (1, D(105))

    scenario(body)


def test_bytes_of_another_dialect_close_the_connection() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x00\x01\xc1", b"\xff\xff\xff\xff"):
            stranger = Client(exchange)
            stranger.send_bytes(data)
            await pass_time(0)
            assert stranger.closed
        assert not alice.closed

    scenario(body)


def test_a_message_may_come_in_pieces() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        order = alice.order("a")
        for byte in frame(order):
            alice.send_bytes(bytes([byte]))
            await pass_time(0)
        assert isinstance(alice.answers(order.request_id)[0], Placed)

    scenario(body)


def test_more_connections_than_there_is_room_for_are_closed() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        second, third = Client(exchange), Client(exchange)
        await pass_time(0)
        assert not second.closed
        assert third.closed
        second.hang_up()
        await pass_time(0)
        fourth = Client(exchange)
        await pass_time(0)
        assert not fourth.closed

    scenario(body, Settings(connections_max=2))


def test_a_reader_that_does_not_read_is_dropped() -> None:
    async def body(exchange: Exchange, alice: Client) -> None:
        slow = await Client(exchange).log_in("alice")
        slow._end.pause_reading()
        for index in range(2_000):
            alice.send(alice.order(f"a{index}", quantity="0.1"))
            if index % 100 == 0:
                await pass_time(0)
        await pass_time(0)
        assert not alice.closed
        slow._end.resume_reading()
        await pass_time(0)
        assert slow.closed
        assert len(exchange.connections) == 1

    scenario(body, Settings(output_bytes_max=64 * 1024))


def test_a_store_that_cannot_be_written_stops_the_exchange(tmp_path: Path) -> None:
    async def whole() -> None:
        exchange = new_exchange(tmp_path)
        failures: list[Exception] = []
        exchange.on_failure = failures.append
        alice = await Client(exchange).log_in()
        exchange.store._connection.execute("PRAGMA max_page_count = 1")  # the disk is full
        alice.send(*(alice.order(f"a{index}", quantity="0.1") for index in range(100)))
        await pass_time(0)
        assert "full" in str(failures[0])
        assert alice.closed
        assert len(alice.heard) == 1, "nothing was acknowledged"
        late = Client(exchange)
        await pass_time(0)
        assert late.closed
        exchange.close()

    run(whole())


def test_the_same_requests_at_the_same_times_give_the_same_bytes() -> None:
    def conversation() -> list[bytes]:
        said: list[bytes] = []

        async def body(exchange: Exchange, alice: Client) -> None:
            bob = await Client(exchange).log_in("bob")
            for index in range(50):
                alice.send(alice.order(f"a{index}", Side.SELL, str(100 + index % 7)))
                bob.send(bob.order(f"b{index}", Side.BUY, str(103 - index % 5)))
                await pass_time(index % 3)
            for client in (alice, bob):
                said.extend(frame(message) for message in client.heard)

        scenario(body)
        return said

    assert conversation() == conversation()


def test_a_real_socket_carries_the_same_dialect() -> None:
    async def whole() -> None:
        from fairlead.core.exact import use_exact_decimals
        from fairlead.venues.sim_messages import exchange_messages

        use_exact_decimals()
        exchange = Exchange(Settings(), lambda: 10**18, None, identity="x7")
        exchange.start()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(exchange.connection, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()[:2]
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(frame(Login(1, 10**18, "alice", "secret")))
        heard = exchange_messages().feed(await reader.read(4096))
        assert heard == [LoggedIn(1, 0, 5_000, 10**18, "x7")]
        writer.close()
        await writer.wait_closed()
        server.close()
        exchange.close()
        await asyncio.sleep(0)

    asyncio.run(whole())
