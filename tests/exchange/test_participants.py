from collections import Counter
from decimal import Decimal
from random import Random

import msgspec
import pytest

from fairlead.core.exact import use_exact_decimals
from fairlead.core.model import ZERO, Instrument, Side
from fairlead.exchange.clearing import Clearing
from fairlead.exchange.ledger import total_holdings
from fairlead.exchange.market import CancelHouse, MarketAction, PlaceHouse
from fairlead.exchange.matching import Matching
from fairlead.exchange.movement import Movement
from fairlead.exchange.participants import MAKER, TAKER, Participants, ParticipantSettings
from fairlead.exchange.settings import INSTRUMENTS, PERPETUAL_BTC_USDT, Settings
from tests.exchange.pit import check_always

SECOND_NS = 10**9
START_NS = 1_700_000_000 * SECOND_NS
PRICED = INSTRUMENTS[:3]  # nobody says what an XRP is worth
BY_SYMBOL = {instrument.symbol_exchange: instrument for instrument in PRICED}


@pytest.fixture(autouse=True)
def exact() -> None:
    use_exact_decimals()


def participants(seed: int = 1, settings: ParticipantSettings | None = None) -> Participants:
    return Participants(INSTRUMENTS, Random(seed), START_NS, settings)


def run(market: Participants, acts: int) -> list[MarketAction]:
    return [action for _ in range(acts) for action in market.act(market.next_time_ns())]


def test_same_seed_gives_the_same_actions_and_another_seed_others() -> None:
    assert run(participants(7), 200) == run(participants(7), 200)
    assert run(participants(7), 200) != run(participants(8), 200)


def test_first_beat_quotes_every_instrument_on_both_sides() -> None:
    placed = [action for action in participants().act(START_NS) if isinstance(action, PlaceHouse)]
    makers = Counter((each.symbol, each.side) for each in placed if each.participant == MAKER)
    assert makers == {(symbol, side): 3 for symbol in BY_SYMBOL for side in Side}


def test_levels_stand_at_their_distance_from_the_fair_price_bids_down_asks_up() -> None:
    market = participants()
    placed = [action for action in market.act(START_NS) if isinstance(action, PlaceHouse)]
    prices = {
        side: [
            each.price
            for each in placed
            if (each.symbol, each.side, each.participant) == ("BTC/USDT", side, MAKER)
        ]
        for side in Side
    }
    # 40,000 less and more 0.05 %, 0.10 %, 0.15 %
    assert prices[Side.BUY] == [Decimal("39980.00"), Decimal("39960.00"), Decimal("39940.00")]
    assert prices[Side.SELL] == [Decimal("40020.00"), Decimal("40040.00"), Decimal("40060.00")]
    # 0.03125 less and more 0.05 % is 0.031234375 and 0.031265625
    eth_btc = [each.price for each in placed if each.symbol == "ETH/BTC"][:2]
    assert eth_btc == [Decimal("0.03123"), Decimal("0.03127")]


def test_every_order_keeps_the_instruments_rules() -> None:
    for action in run(participants(3), 600):
        if isinstance(action, PlaceHouse):
            rules = BY_SYMBOL[action.symbol]
            assert type(action.price) is type(action.quantity) is Decimal
            assert action.price % rules.price_tick == ZERO
            assert action.quantity % rules.quantity_step == ZERO
            assert rules.quantity_min <= action.quantity <= rules.quantity_max
            assert action.price * action.quantity >= rules.notional_min


def test_there_is_never_a_profit_in_going_round_the_three_pairs() -> None:
    market = participants(11)
    best: dict[tuple[str, Side], Decimal] = {}
    prices = set()
    for _ in range(3_000):
        quoted = set()
        for action in market.act(market.next_time_ns()):
            if isinstance(action, PlaceHouse) and action.participant == MAKER:
                key = (action.symbol, action.side)
                if key not in quoted:  # the first of a side is the best
                    quoted.add(key)
                    best[key] = action.price
        assert quoted, "every beat quotes"
        for symbol in BY_SYMBOL:
            assert best[symbol, Side.BUY] < best[symbol, Side.SELL]
        # USDT → BTC → ETH → USDT and the other way round never ends with more than it began.
        assert best["ETH/USDT", Side.BUY] <= (
            best["BTC/USDT", Side.SELL] * best["ETH/BTC", Side.SELL]
        )
        assert (
            best["BTC/USDT", Side.BUY] * best["ETH/BTC", Side.BUY] <= (best["ETH/USDT", Side.SELL])
        )
        prices.add(best["BTC/USDT", Side.BUY])
    assert len(prices) > 500, "the market moves"
    assert Decimal(36_000) < min(prices) < Decimal(39_900) < max(prices) < Decimal(44_000)


def test_default_is_at_most_20_actions_a_second() -> None:
    actions = run(participants(), 800)  # 600 s
    assert 10 * 600 < len(actions) <= 20 * 600


def test_open_orders_are_bounded_and_every_cancel_names_one() -> None:
    market = participants(5)
    resting: set[str] = set()
    for action in run(market, 500):
        if isinstance(action, CancelHouse):
            resting.remove(action.key)
        elif isinstance(action, PlaceHouse) and not action.immediate:
            assert action.key not in resting
            resting.add(action.key)
        assert len(resting) <= 18


def test_nothing_happens_before_the_beat() -> None:
    market = participants()
    assert market.act(START_NS - 1) == []
    market.act(START_NS)
    assert market.next_time_ns() == START_NS + 750_000_000
    assert market.act(START_NS + 749_999_999) == []


def test_missed_beats_are_left_out_and_the_whole_market_is_quoted_again() -> None:
    market = participants()
    market.act(START_NS)
    late_ns = START_NS + 3600 * SECOND_NS
    actions = market.act(late_ns)
    assert {each.symbol for each in actions if isinstance(each, PlaceHouse)} == set(BY_SYMBOL)
    assert len([each for each in actions if isinstance(each, CancelHouse)]) == 18
    assert market.next_time_ns() == late_ns + 750_000_000


def test_changed_tick_is_kept_from_the_next_act_on() -> None:
    market = participants()
    market.act(START_NS)
    coarse = Decimal("0.5")
    market.change_instruments(
        msgspec.structs.replace(each, price_tick=coarse)
        if each.symbol_exchange == "BTC/USDT"
        else each
        for each in INSTRUMENTS
    )
    prices = [
        each.price
        for each in run(market, 30)
        if isinstance(each, PlaceHouse) and each.symbol == "BTC/USDT"
    ]
    assert prices
    assert all(price % coarse == ZERO for price in prices)


def test_bids_below_the_first_tick_are_left_out() -> None:
    market = Participants(
        [msgspec.structs.replace(INSTRUMENTS[0], price_tick=Decimal(100_000))], Random(1), START_NS
    )
    sides = {
        each.side
        for each in market.act(START_NS)
        if isinstance(each, PlaceHouse) and each.participant == MAKER
    }
    assert sides == {Side.SELL}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"levels": 0}, "levels 0 is not at least 1"),
        ({"order_worth_min": 9, "order_worth_max": 8}, "order_worth_max 8 is below"),
        ({"level_ppm": 200_000}, "levels reach 600500 ppm"),
        ({"step_ppm_max": 375}, "expected at most 374"),
        ({"taker_chance_percent": 101}, "taker_chance_percent 101 is not 0 to 100"),
    ],
)
def test_settings_that_make_no_market_are_refused(changed: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ParticipantSettings(**changed)  # type: ignore[arg-type]


def test_an_instrument_with_an_asset_of_unknown_worth_is_left_alone() -> None:
    settings = ParticipantSettings(worths=(("BTC", 40_000), ("USDT", 1)))
    actions = participants(1, settings).act(START_NS)
    assert {each.symbol for each in actions if isinstance(each, PlaceHouse)} == {"BTC/USDT"}


def test_in_the_exchange_they_trade_keep_both_sides_and_go_and_come_with_the_switch() -> None:
    matching = Matching(Settings(instruments=PRICED))
    market = participants(2)
    movement = Movement(matching, market, None)
    for _ in range(600):
        movement.act(market.next_time_ns())
        for book in (each.book for each in matching.markets.values()):
            assert not book.is_crossed()
            assert book.bids.best() is not None
            assert book.asks.best() is not None
    assert all(each.trades > 20 for each in matching.markets.values())
    assert matching.events == [], "nothing of a house order is told"
    assert not any(total_holdings(matching.accounts.values()).values())
    assert {f"house:{MAKER}", f"house:{TAKER}"} < set(matching.accounts)
    off_ns = market.next_time_ns()
    movement.switch_participants(False, off_ns)
    assert movement.next_time_ns() is None
    for each in matching.markets.values():
        assert each.book.bids.best() is None
        assert each.book.asks.best() is None
    movement.switch_participants(True, off_ns + 60 * SECOND_NS)
    movement.act(off_ns + 60 * SECOND_NS)
    for each in matching.markets.values():
        assert each.book.bids.best() is not None
        assert each.book.asks.best() is not None


# ── perpetuals ───────────────────────────────────────────────────────────────────────────────────

WITH_PERPETUAL = (*INSTRUMENTS[:3], PERPETUAL_BTC_USDT)


def test_spot_is_the_same_whether_or_not_there_are_perpetuals() -> None:
    def spot(instruments: tuple[Instrument, ...]) -> list[tuple[object, ...]]:
        market = Participants(instruments, Random(3), START_NS)
        return [
            (each.time_ns, each.symbol, each.side, each.price, each.quantity, each.immediate)
            for each in run(market, 300)
            if isinstance(each, PlaceHouse) and each.symbol != "BTC-PERP"
        ]

    assert spot(INSTRUMENTS[:3]) == spot(WITH_PERPETUAL)


def test_a_perpetual_is_quoted_with_its_spot_market_at_a_small_moving_premium() -> None:
    market = Participants(WITH_PERPETUAL, Random(3), START_NS)
    premiums = []
    for _ in range(900):
        symbols = {
            each.symbol
            for each in market.act(market.next_time_ns())
            if isinstance(each, PlaceHouse)
        }
        assert ("BTC-PERP" in symbols) == ("BTC/USDT" in symbols)
        spot, perpetual = (
            market.fair_price(each) for each in (WITH_PERPETUAL[0], WITH_PERPETUAL[3])
        )
        premiums.append(float(perpetual / spot - 1) * 1e6)
    assert min(premiums) < -20
    assert max(premiums) > 20
    assert max(map(abs, premiums)) < 500


def test_a_perpetual_without_a_spot_market_has_a_turn_of_its_own() -> None:
    market = Participants((PERPETUAL_BTC_USDT,), Random(3), START_NS)
    symbols = {each.symbol for each in run(market, 5) if isinstance(each, PlaceHouse)}
    assert symbols == {"BTC-PERP"}


def test_they_trade_perpetuals_with_one_another_and_stop_with_the_switch() -> None:
    use_exact_decimals()
    settings = Settings(instruments=WITH_PERPETUAL)
    matching = Matching(settings)
    clearing = Clearing(matching, settings.perpetuals)
    market = Participants(WITH_PERPETUAL, Random(2), START_NS)
    movement = Movement(matching, market, None)
    perpetual = matching.markets["BTC-PERP"]
    for _ in range(600):
        now_ns = market.next_time_ns()
        movement.act(now_ns)
        clearing.settle(now_ns)
        assert perpetual.book.bids.best() is not None
        assert perpetual.book.asks.best() is not None
        assert perpetual.mark is not None
        check_always(matching)
    assert perpetual.trades > 20
    assert clearing.rate(perpetual) != ZERO
    movement.switch_participants(False, market.next_time_ns())
    assert perpetual.book.bids.best() is None
