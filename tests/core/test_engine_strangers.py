"""Orders at the exchange that are not ours: adopted and followed; their fills kept until they are known."""

import pytest

from fairlead.core.deciding import EngineSettings
from fairlead.core.model import Order, Origin, Side, Stage
from fairlead.core.requests import QueryOrders
from fairlead.core.venue_messages import (
    VenueAssetBalance,
    VenueBalancesStated,
    VenueCancel,
    VenueConnected,
    VenueFillsListed,
    VenueInstrumentsListed,
    VenueOpenOrdersListed,
    VenueQuery,
)
from tests.core.conversation import (
    CANCELED,
    FILLED,
    OPEN,
    Conversation,
    placed,
    started,
    working,
)
from tests.core.words import ABILITIES, BTC_USDT, ETH_BTC, D


def open_orders(talk: Conversation) -> list[Order]:
    return list(talk.say(QueryOrders(account="SIM")).reply.orders)


# ── adopted ──────────────────────────────────────────────────────────────────────────────────────


def test_an_order_placed_elsewhere_starts_at_new_and_is_reported() -> None:
    talk = started()
    talk.states("X9", OPEN, client_order_id=None, side=Side.SELL, quantity=D(3), time_ns=7)
    order = talk.order("external-X9")
    assert (order.origin, order.side, order.quantity) == (Origin.EXTERNAL, Side.SELL, 3)
    assert (order.symbol, order.exchange_order_id, order.time_order_ns) == (
        "SIM_SPOT_BTC_USDT",
        "X9",
        7,
    )
    assert (talk.history("external-X9"), talk.causes("external-X9")) == ("NEW", "ADOPTED")
    assert talk.available("BTC") == 997
    assert open_orders(talk) == [order]
    assert talk.sent == []


def test_partly_filled_its_fills_are_fetched() -> None:
    talk = started()
    sweeps = talk.sweeps
    talk.states("X9", OPEN, "0.5", client_order_id=None)
    assert talk.sweeps == sweeps + 1
    talk.fills("X9", "0.5", client_order_id=None, from_page=True)
    assert talk.history("external-X9") == "NEW PARTIALLY_FILLED"


def test_it_keeps_the_client_id_it_has_at_the_exchange() -> None:
    talk = started()
    talk.states("X9", OPEN, venue_client_id="their-own")
    assert talk.order("their-own").venue_client_id == "their-own"
    talk.fills("X9", "2", venue_client_id="their-own")
    assert talk.history("their-own") == "NEW FILLED"
    assert talk.place("their-own").refusal == "CONFLICT"


@pytest.mark.parametrize("theirs", ["", "ümlaut", "x" * 129, "tab\tbed"])
def test_a_client_id_that_no_client_of_ours_could_have_is_not_taken_over(theirs: str) -> None:
    talk = started()
    talk.states("X9", OPEN, venue_client_id=theirs)
    assert talk.order("external-X9").exchange_order_id == "X9"


def test_a_client_id_that_a_client_of_ours_uses_is_left_to_it() -> None:
    talk = started()
    working(talk, "mine")
    talk.states("X1", CANCELED, client_order_id="mine")
    assert not talk.is_in_memory("mine")
    talk.states("X9", OPEN, venue_client_id="mine")
    assert talk.order("external-X9").venue_client_id == "mine"


def test_strangers_may_use_a_client_id_again() -> None:
    talk = started()
    for number in (7, 8, 9):
        talk.states(f"X{number}", OPEN, venue_client_id="same")
    assert {order.client_order_id for order in open_orders(talk)} == {
        "same",
        "external-X8",
        "external-X9",
    }
    for number in (7, 8, 9):
        talk.fills(f"X{number}", "1", venue_client_id="same")
        talk.states(f"X{number}", CANCELED, "1", venue_client_id="same")
    assert open_orders(talk) == []
    assert talk.alarms == []


def test_a_fill_under_a_client_id_used_again_waits_for_its_own_order() -> None:
    talk = started()
    talk.states("X7", OPEN, venue_client_id="same")
    talk.fills("X8", "1", venue_client_id="same")
    assert talk.order("same").quantity_filled == 0
    query = talk.next_sent(VenueQuery)
    assert query.exchange_order_id == "X8"
    talk.states("X8", OPEN, "1", venue_client_id="same", asked=query)
    assert talk.order("external-X8").quantity_filled == 1


def test_exchanges_may_count_ids_per_market() -> None:
    talk = started()
    talk.states("7", OPEN, client_order_id=None)
    talk.states("7", OPEN, client_order_id=None, symbol_exchange="ETH-XBT")
    bitcoin, ether = open_orders(talk)
    assert (bitcoin.client_order_id, ether.client_order_id) == ("external-7", "external-ETH-XBT-7")
    talk.fills("7", "2", client_order_id=None, symbol_exchange="ETH-XBT")
    assert talk.status("external-ETH-XBT-7") == "FILLED"
    talk.states("7", CANCELED, client_order_id=None)
    assert open_orders(talk) == []
    talk.states("7", OPEN, client_order_id=None)
    talk.states("7", CANCELED, client_order_id=None, symbol_exchange="ETH-XBT")
    assert open_orders(talk) == []  # both were known, and over


def test_when_every_name_is_taken_it_is_not_followed_and_an_alarm_says_so_once() -> None:
    talk = started()
    placed(talk, "external-X9")
    placed(talk, "external-BTC-USDT-X9")
    talk.states("X9", OPEN, client_order_id=None)
    talk.states("X9", OPEN, client_order_id=None)
    assert talk.alarms == ["order_foreign"]
    assert talk.alarm_texts == [
        "order X9 in BTC-USDT, which is not ours, is not followed:"
        " external-X9, external-BTC-USDT-X9 are taken"
    ]


def test_one_in_an_instrument_nobody_knows_is_an_alarm_once_per_order() -> None:
    talk = started(settings=EngineSettings(orphan_orders_most=2))
    for _ in range(2):
        talk.states("X9", OPEN, client_order_id=None, symbol_exchange="XRP-USDT")
    assert talk.alarms == ["order_foreign"]
    for number in (10, 11, 11):
        talk.states(f"X{number}", OPEN, client_order_id=None, symbol_exchange="XRP-USDT")
    assert talk.alarms == ["order_foreign"] * 3
    assert open_orders(talk) == []


def test_one_that_came_and_went_without_effect_is_nothing() -> None:
    talk = started()
    talk.states("X9", CANCELED, client_order_id=None)
    assert open_orders(talk) == []
    assert talk.memory.orders == {}


def test_one_that_is_over_with_fills_is_taken_up_for_them() -> None:
    talk = started()
    talk.states("X9", FILLED, "2", client_order_id=None)
    talk.fills("X9", "2", client_order_id=None, from_page=True)
    assert talk.history("external-X9") == "NEW FILLED"
    assert not talk.is_in_memory("external-X9")


def test_it_can_be_cancelled_by_either_id_and_its_fills_move_balances() -> None:
    talk = started()
    talk.states("X9", OPEN, client_order_id=None)
    talk.cancel("external-X9")
    assert talk.next_sent(VenueCancel).exchange_order_id == "X9"
    talk.fills("X9", "2", client_order_id=None)
    assert talk.available() == 99_800


def test_it_survives_a_restart_as_what_it_is() -> None:
    talk = started()
    talk.states("X9", OPEN, client_order_id=None)
    following = talk.restart()
    following.connects()
    following.states("X9", OPEN, client_order_id=None)
    (order,) = open_orders(following)
    assert order.origin is Origin.EXTERNAL
    following.states("X9", CANCELED, client_order_id=None)
    following.states("X9", OPEN, client_order_id=None)
    assert open_orders(following) == []


def test_a_list_of_open_orders_adopts_what_is_new_and_ends_nothing() -> None:
    talk = started()
    working(talk)
    listed = (
        talk.word("X8", OPEN, client_order_id=None),
        talk.word("X9", OPEN, client_order_id=None),
    )
    talk.hear(VenueOpenOrdersListed(account="SIM", orders=listed))
    assert [order.exchange_order_id for order in open_orders(talk)] == ["X1", "X8", "X9"]


def test_our_own_order_is_known_by_our_id_even_after_everything_was_forgotten() -> None:
    talk = started()
    talk.refuses(placed(talk), "no")
    assert not talk.is_in_memory()
    talk.states("X1", OPEN)
    assert [order.origin for order in open_orders(talk)] == [Origin.CLIENT]


# ── two orders under one client id ───────────────────────────────────────────────────────────────


def test_two_exchange_orders_under_one_of_our_ids_raise_an_alarm_and_both_are_followed() -> None:
    talk = started()
    working(talk)
    talk.states("X2", OPEN)
    assert talk.alarms == ["order_doubled"]
    assert talk.alarm_texts == [
        "order a is X1 at the exchange, which also has X2 under the same client id"
    ]
    mine, second = open_orders(talk)
    assert (mine.client_order_id, mine.exchange_order_id) == ("a", "X1")
    assert (second.origin, second.exchange_order_id) == (Origin.EXTERNAL, "X2")
    talk.fills("X1", "0.5")
    talk.fills("X2", "2")
    talk.states("X2", FILLED, "2")
    assert talk.order().quantity_filled == D("0.5")
    assert [order.exchange_order_id for order in open_orders(talk)] == ["X1"]
    assert talk.available("BTC") == D("1002.5")
    assert talk.alarms == ["order_doubled"]


def test_the_second_s_fill_may_be_first_to_be_heard() -> None:
    talk = started()
    working(talk)
    talk.fills("X2", "2")
    talk.states("X2", FILLED, "2", asked=talk.next_sent(VenueQuery))
    assert talk.order().quantity_filled == 0
    assert talk.alarms == ["order_doubled"]
    assert talk.available("BTC") == 1002


def test_an_answer_that_names_another_order_than_the_stream_raises_the_alarm() -> None:
    talk = started()
    request = placed(talk)
    talk.states("X1", OPEN)
    talk.accepts(request, "X2")
    assert talk.alarms == ["order_doubled"]
    assert talk.order().exchange_order_id == "X1"


def test_it_is_noticed_long_after_ours_is_over() -> None:
    talk = started()
    working(talk)
    talk.states("X1", CANCELED)
    following = talk.restart()
    following.connects()
    following.states("X2", OPEN)
    assert following.alarms == ["order_doubled"]
    assert following.status() == "CANCELED"


# ── fills without an order ───────────────────────────────────────────────────────────────────────


def test_a_fill_of_an_unknown_order_is_kept_asked_about_and_booked_with_its_order() -> None:
    talk = started()
    sweeps = talk.sweeps
    fill = talk.fills("X9", "0.5", client_order_id=None)
    talk.hear(fill)
    assert talk.memory.orders == {}
    assert talk.sweeps == sweeps + 1
    query = talk.next_sent(VenueQuery)
    assert (query.exchange_order_id, query.symbol_exchange) == ("X9", "BTC-USDT")
    assert talk.engine.has_orphans("SIM")
    assert not talk.engine.has_orphans("SIM/X")
    talk.states("X9", OPEN, "0.5", client_order_id=None, asked=query)
    assert talk.history("external-X9") == "NEW PARTIALLY_FILLED"
    assert not talk.engine.has_orphans("SIM")
    assert talk.available() == 99_800


def test_fill_and_order_in_one_batch_need_no_question() -> None:
    talk = started()
    sweeps = talk.sweeps
    with talk.together():
        talk.fills("X9", "2", client_order_id=None)
        talk.states("X9", FILLED, "2", client_order_id=None)
    assert talk.sent == []
    assert talk.sweeps == sweeps
    assert talk.history("external-X9") == "NEW FILLED"


def test_an_orphan_is_booked_once_though_it_comes_in_a_page_meanwhile() -> None:
    talk = started()
    fill = talk.fills("X9", "0.5", client_order_id=None)
    talk.sent.clear()
    word = talk.word("X9", OPEN, "0.5", client_order_id=None)
    with talk.together():
        talk.hear(word)
        talk.hear(VenueFillsListed(account="SIM", fills=(fill,), cursor="c", is_last=True))
    assert talk.order("external-X9").quantity_filled == D("0.5")


def test_a_fill_of_ours_that_only_later_could_be_told_is_booked_once() -> None:
    talk = started()
    request = placed(talk)
    fill = talk.fills("X1", "0.5", client_order_id=None)  # nobody knows yet that X1 is ours
    query = talk.next_sent(VenueQuery)
    talk.accepts(request, "X1")
    talk.hear(VenueFillsListed(account="SIM", fills=(fill,), cursor="c", is_last=True))
    assert talk.order().quantity_filled == D("0.5")
    assert talk.engine.has_orphans("SIM")
    talk.states("X1", OPEN, "0.5", asked=query)
    assert not talk.engine.has_orphans("SIM")
    assert talk.order().quantity_filled == D("0.5")


def test_a_sweep_asks_about_its_own_account_s_orphans() -> None:
    talk = started(accounts=("SIM", "SIM/ALICE"))
    talk.fills("X9", "0.5", client_order_id=None, account="SIM/ALICE")
    talk.next_sent(VenueQuery)
    assert talk.engine.ask_unlisted("SIM", set()) == set()
    assert len(talk.engine.ask_unlisted("SIM/ALICE", set())) == 1


def test_every_sweep_asks_again() -> None:
    talk = started()
    talk.fills("X9", "0.5", client_order_id=None)
    talk.loses(talk.next_sent(VenueQuery))
    assert len(talk.engine.ask_unlisted("SIM", set())) == 1
    with talk.together():
        pass
    talk.next_sent(VenueQuery)


def test_an_order_the_exchange_will_not_own_up_to_is_an_alarm_after_a_while_once() -> None:
    talk = started()
    talk.fills("X9", "0.5", client_order_id=None)
    talk.does_not_know(talk.next_sent(VenueQuery))
    assert talk.alarms == []
    talk.wait("30")
    for _ in range(2):
        talk.engine.ask_unlisted("SIM", set())
        with talk.together():
            pass
        talk.does_not_know(talk.next_sent(VenueQuery))
    assert talk.alarms == ["fills_orphaned"]
    assert talk.alarm_texts == [
        "1 fills belong to order X9, which the exchange does not know;"
        " asked again, it is taken for what they make of it"
    ]
    assert talk.engine.has_orphans("SIM")


def asked_again(talk: Conversation, after_s: str = "30") -> None:
    """Let a sweep ask about what nobody knows, and the exchange not know it either."""
    talk.wait(after_s)
    talk.engine.ask_unlisted("SIM", set())
    with talk.together():
        pass
    talk.does_not_know(talk.next_sent(VenueQuery))


def test_fills_whose_order_the_exchange_never_owns_up_to_are_the_order_themselves() -> None:
    talk = started()
    for trade_id, price in (("t1", 100), ("t2", 102), ("t3", 101)):
        talk.fills("X9", "0.5", client_order_id=None, trade_id=trade_id, price=D(price))
    talk.does_not_know(talk.next_sent(VenueQuery))
    asked_again(talk)
    asked_again(talk, after_s="0.2")
    assert talk.memory.orders == {}  # that was in the same breath
    asked_again(talk, after_s="1")
    order = talk.order("external-X9")
    assert (order.origin, order.exchange_order_id, order.stage) == (
        Origin.EXTERNAL,
        "X9",
        Stage.FILLED,
    )
    assert (order.price, order.quantity, order.quantity_filled) == (D(102), D("1.5"), D("1.5"))
    assert [fill.trade_id for fill in order.fills] == ["t1", "t2", "t3"]
    assert not talk.engine.has_orphans("SIM")
    assert talk.alarms == ["fills_orphaned"]
    following = talk.restart()
    following.connects()
    following.fills("X9", "0.5", client_order_id=None, trade_id="t2", price=D(102))
    assert following.sent == []  # it was booked
    following.states("X9", OPEN, "1.5", client_order_id=None)
    assert following.order("external-X9").stage is Stage.FILLED


def test_they_are_not_while_they_may_be_fills_of_an_order_of_ours() -> None:
    talk = started()
    request = placed(talk)
    talk.fills("X1", "0.5", client_order_id=None)
    talk.does_not_know(talk.next_sent(VenueQuery))
    talk.wait("30")
    talk.sent.clear()
    for after_s in ("0", "1", "1"):
        talk.wait(after_s)
        talk.engine.ask_unlisted("SIM", set())
        with talk.together():
            pass
        (query,) = [each for each in talk.sent if each.exchange_order_id == "X1"]
        talk.sent.clear()
        talk.does_not_know(query)
    assert talk.alarms == ["fills_orphaned"]
    assert [order.client_order_id for order in talk.memory.orders.values()] == ["a"]
    talk.accepts(request, "X1")
    talk.states("X1", OPEN, "0.5")
    assert talk.order().quantity_filled == D("0.5")


def test_nor_when_they_are_of_one_that_we_know() -> None:
    talk = started()
    request = placed(talk)
    talk.fills("X1", "0.5", client_order_id=None)
    talk.sent.clear()
    talk.accepts(request, "X1")
    for after_s in ("30", "1", "1"):
        talk.wait(after_s)
        talk.engine.ask_unlisted("SIM", set())
        with talk.together():
            pass
        _, query = talk.sent  # the first is about the order itself
        talk.sent.clear()
        talk.does_not_know(query)
    assert talk.alarms == ["fills_orphaned"]
    assert talk.status() == "ROUTED"
    talk.states("X1", OPEN, "0.5")
    assert talk.order().quantity_filled == D("0.5")
    assert talk.status() == "PARTIALLY_FILLED"


def test_not_found_about_nothing_we_know_is_nothing() -> None:
    talk = started()
    query = VenueQuery(
        account="SIM", request_id=99, number=0, symbol_exchange="BTC-USDT",
        venue_client_id="", exchange_order_id="X5",
    )  # fmt: skip
    talk.does_not_know(query)
    assert talk.alarms == []


def test_a_fill_in_an_unknown_instrument_is_an_alarm_and_not_waited_for() -> None:
    talk = started()
    for trade_id in ("t1", "t2"):
        talk.fills("X9", "1", trade_id, client_order_id=None, symbol_exchange="XRP-USDT")
    assert talk.alarms == ["order_foreign"]
    assert talk.alarm_texts == ["fill t1 is in XRP-USDT, which is unknown; it is not booked"]
    assert not talk.engine.has_orphans("SIM")
    assert talk.sent == []


def test_orphans_have_a_limit_and_those_beyond_it_are_fetched_again() -> None:
    talk = started(settings=EngineSettings(orphan_orders_most=1, orphan_fills_most=2))
    for number in range(3):
        talk.fills("X8", "0.1", f"t{number}", client_order_id=None)
    talk.fills("X9", "0.1", "t9", client_order_id=None)
    talk.sent.clear()
    talk.states("X8", OPEN, "0.3", client_order_id=None)
    assert len(talk.order("external-X8").fills) == 2
    talk.fills("X8", "0.1", "t2", client_order_id=None)
    assert len(talk.order("external-X8").fills) == 3


def test_disconnected_nobody_is_asked_about_orphans() -> None:
    talk = started()
    talk.disconnects()
    talk.fills("X9", "0.5", client_order_id=None)
    assert talk.sent == []
    assert talk.engine.has_orphans("SIM")


# ── the first load ───────────────────────────────────────────────────────────────────────────────


def first_connected() -> Conversation:
    """Return a conversation with an account that is connected and has never been loaded."""
    talk = Conversation()
    talk.hear(VenueConnected(account="SIM", abilities=ABILITIES))
    talk.hear(VenueInstrumentsListed(account="SIM", instruments=(BTC_USDT, ETH_BTC)))
    return talk


def test_the_history_before_the_first_load_is_not_ours() -> None:
    talk = first_connected()
    fills = tuple(talk.fill(f"X{n}", "1", client_order_id=None, from_page=True) for n in (1, 2))
    talk.hear(VenueFillsListed(account="SIM", fills=fills, cursor="c", is_last=True))
    assert not talk.engine.has_orphans("SIM")
    assert talk.sent == []


def test_open_orders_of_the_first_load_are_adopted_with_their_fills_and_nothing_is_traded() -> None:
    talk = first_connected()
    talk.states("X9", OPEN, "0.5", client_order_id=None)
    fill = talk.fill("X9", "0.5", client_order_id=None, from_page=True, exchange_ordinal=5)
    talk.hear(VenueFillsListed(account="SIM", fills=(fill,), cursor="c", is_last=True))
    assert [type(report).__name__ for report, _ in talk.reports].count("BalanceReport") == 0
    talk.hear(
        VenueBalancesStated(
            account="SIM",
            balances=(
                VenueAssetBalance("USDT", D(1000), D(150)),
                VenueAssetBalance("XBT", D(2), D(0)),
            ),
            exchange_ordinal=9,
            time_ns=0,
            is_complete=True,
        )
    )
    balances = {b.asset: b for b in talk.engine.account("SIM").ledger.balances()}
    assert (balances["USDT"].total, balances["USDT"].locked) == (1000, 150)
    assert {balance.traded for balance in balances.values()} == {0}
    assert {balance.updated_by for balance in balances.values()} == {"INITIALIZATION"}


def test_a_fill_of_the_stream_during_the_first_load_waits_for_its_order() -> None:
    talk = first_connected()
    talk.fills("X9", "2", client_order_id=None)
    talk.states("X9", FILLED, "2", client_order_id=None)
    assert talk.history("external-X9") == "NEW FILLED"


def test_a_partial_statement_is_no_first_load() -> None:
    talk = first_connected()
    talk.states_balances(ordinal=1, is_complete=False, USDT="5")
    assert not talk.engine.account("SIM").is_loaded
    assert talk.engine.account("SIM").ledger.balances() == ()


# ── balances ─────────────────────────────────────────────────────────────────────────────────────


def test_a_complete_statement_makes_what_it_does_not_name_zero() -> None:
    talk = started()
    talk.states_balances(USDT="5")
    balances = {b.asset: b for b in talk.engine.account("SIM").ledger.balances()}
    assert (balances["USDT"].total, balances["BTC"].total) == (5, 0)
    assert balances["BTC"].asset_exchange == "XBT"


def test_a_partial_one_leaves_it_as_it_is() -> None:
    talk = started()
    talk.states_balances(ordinal=1, is_complete=False, USDT="5")
    assert (talk.available(), talk.available("BTC")) == (5, 1000)


def test_statements_of_a_new_session_count_anew() -> None:
    talk = started()
    talk.states_balances(ordinal=500, USDT="5")
    talk.disconnects()
    talk.hear(VenueConnected(account="SIM", abilities=ABILITIES))
    talk.states_balances(ordinal=3, USDT="7")
    assert talk.available() == 7


# ── instruments ──────────────────────────────────────────────────────────────────────────────────


def test_an_ambiguous_instrument_is_left_out_with_an_alarm() -> None:
    talk = started()
    for _ in range(2):
        talk.hear(VenueInstrumentsListed(account="SIM", instruments=(BTC_USDT, BTC_USDT, ETH_BTC)))
    assert talk.alarms == ["instrument_ambiguous"]
    assert talk.alarm_texts == ["SIM_SPOT_BTC_USDT is ambiguous and was left out"]
    assert talk.place().refusal == "INVALID"
    assert (
        placed(talk, "b", symbol="SIM_SPOT_ETH_BTC", price=D("0.05")).symbol_exchange == "ETH-XBT"
    )


def test_an_open_order_outlives_its_instrument() -> None:
    talk = started()
    working(talk)
    talk.hear(VenueInstrumentsListed(account="SIM", instruments=(ETH_BTC,)))
    talk.fills("X1", "2")
    assert talk.order().stage is Stage.FILLED
