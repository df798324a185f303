"""Pre-trade checks: every rule, every coded reason, and that the value a message names would be right."""

import re
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.core.ledger import Ledger
from fairlead.core.margin import Margin
from fairlead.core.model import (
    AccountMode,
    Balance,
    ExecInst,
    Instrument,
    InstrumentKind,
    Position,
    Reason,
    Side,
    TimeInForce,
    Updater,
)
from fairlead.core.requests import PlaceOrder
from fairlead.core.risk import (
    Exposure,
    check_abilities,
    check_combinations,
    check_expire_time,
    check_instrument,
    check_risk,
    plain,
    quantity_range,
)
from tests.core.words import ABILITIES, BTC_PERP, BTC_USDT, START_NS, D, make_request


def findings(price: str, quantity: str, **rules: str) -> list[tuple[str, str]]:
    changed = {name: D(text) for name, text in rules.items()}
    request = make_request(price=D(price), quantity=D(quantity))
    return check_instrument(request, msgspec.structs.replace(BTC_USDT, **changed))


def ledger(**totals: str) -> Ledger:
    return Ledger(
        Balance(asset, asset, D(total), D(0), D(0), Updater.EXCHANGE, START_NS)
        for asset, total in totals.items()
    )


# ── instrument rules ─────────────────────────────────────────────────────────────────────────────


def test_an_order_that_keeps_every_rule_has_no_findings() -> None:
    assert findings("100.01", "2.0001") == []


def test_limits_are_inclusive() -> None:
    assert findings("100", "0.1", quantity_min="0.1", notional_min="10") == []
    assert findings("100", "1000") == []


@pytest.mark.parametrize(
    ("price", "quantity", "rules", "field", "message"),
    [
        (
            "100.004", "2", {}, "price",
            "100.004 is not a multiple of the tick 0.01 of SIM_SPOT_BTC_USDT; the nearest is 100",
        ),
        (
            "0.001", "2000", {"quantity_max": "9999"}, "price",
            "0.001 is not a multiple of the tick 0.01 of SIM_SPOT_BTC_USDT; the nearest is 0.01",
        ),
        (
            "100", "2.00015", {}, "amount_order",
            "2.00015 is not a multiple of the size step 0.0001 of SIM_SPOT_BTC_USDT;"
            " the nearest is 2.0001",
        ),
        (
            "100", "0.5", {"quantity_min": "0.60005"}, "amount_order",
            "0.5 is below the least quantity 0.60005 of SIM_SPOT_BTC_USDT; the nearest is 0.6001",
        ),
        (
            "100", "7", {"quantity_max": "5.00019"}, "amount_order",
            "7 is above the most quantity 5.00019 of SIM_SPOT_BTC_USDT; the nearest is 5.0001",
        ),
        (
            "100", "0.05", {}, "amount_order",
            "0.05 at price 100 is worth 5 USDT, below the least notional 10 of SIM_SPOT_BTC_USDT;"
            " the nearest is 0.1",
        ),
        (
            "3", "1", {}, "amount_order",
            "1 at price 3 is worth 3 USDT, below the least notional 10 of SIM_SPOT_BTC_USDT;"
            " the nearest is 3.3334",
        ),
        (
            "0.01", "5", {"quantity_max": "20"}, "amount_order",
            "5 at price 0.01 is worth 0.05 USDT, below the least notional 10 of SIM_SPOT_BTC_USDT;"
            " no amount_order is valid at price 0.01",
        ),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named_with_the_value_and_the_nearest(
    price: str, quantity: str, rules: dict[str, str], field: str, message: str
) -> None:
    assert findings(price, quantity, **rules) == [(field, message)]


def test_every_broken_rule_is_named() -> None:
    found = findings("1.005", "0.00005")
    assert [field for field, _ in found] == ["price", *["amount_order"] * 3]
    nearest = [text.rpartition("the nearest is ")[2] for _, text in found]
    assert nearest == ["1", "10", "10", "10"]


def parts(digits: int, most: int) -> st.SearchStrategy[Decimal]:
    return st.builds(
        lambda number, exponent: Decimal(number).scaleb(-exponent),
        st.integers(1, most),
        st.integers(0, digits),
    )


RULES = st.builds(
    lambda tick, step, least, most, notional: msgspec.structs.replace(
        BTC_USDT,
        price_tick=tick,
        quantity_step=step,
        quantity_min=min(least, most),
        quantity_max=max(least, most),
        notional_min=notional,
    ),
    parts(8, 50), parts(8, 50), parts(8, 1000), parts(2, 100_000), st.just(D(0)) | parts(8, 10_000),
)  # fmt: skip


@given(rules=RULES, price=parts(10, 10**7), quantity=parts(10, 10**7))
def test_the_named_nearest_values_together_keep_every_rule(
    rules: Instrument, price: Decimal, quantity: Decimal
) -> None:
    request = make_request(price=price, quantity=quantity)
    found = check_instrument(request, rules)
    named: dict[str, str] = {}
    for field, text in found:
        assert (
            plain(getattr(request, {"price": "price", "amount_order": "quantity"}[field])) in text
        )
        match = re.search(r"the nearest is ([0-9.]+)$", text)
        if match is None:
            assert "no amount_order is valid" in text
            least, most = quantity_range(D(named.get("price", str(price))), rules)
            assert least > most
            return
        assert named.setdefault(field, match.group(1)) == match.group(1)
    right = make_request(
        price=D(named.get("price", str(price))),
        quantity=D(named.get("amount_order", str(quantity))),
    )
    assert check_instrument(right, rules) == []


@given(rules=RULES, price=parts(10, 10**7), quantity=parts(10, 10**7))
def test_an_order_without_findings_keeps_every_rule(
    rules: Instrument, price: Decimal, quantity: Decimal
) -> None:
    if check_instrument(make_request(price=price, quantity=quantity), rules):
        return
    assert price % rules.price_tick == 0
    assert quantity % rules.quantity_step == 0
    assert rules.quantity_min <= quantity <= rules.quantity_max
    assert price * quantity >= rules.notional_min


@pytest.mark.parametrize(
    ("value", "text"),
    [("1E+3", "1000"), ("1.500", "1.5"), ("1E-8", "0.00000001"), ("100", "100"), ("0.0", "0")],
)
def test_numbers_in_messages_are_plain(value: str, text: str) -> None:
    assert plain(D(value)) == text


# ── what the exchange supports ───────────────────────────────────────────────────────────────────


def abilities_findings(request: PlaceOrder, *supported: ExecInst) -> list[tuple[str, str]]:
    abilities = msgspec.structs.replace(
        ABILITIES,
        time_in_force=frozenset({TimeInForce.GOOD_TILL_CANCEL, TimeInForce.FILL_OR_KILL}),
        exec_inst=frozenset(supported),
        exec_inst_perpetual=frozenset(),
    )
    unsupported = check_abilities(request, abilities, InstrumentKind.SPOT)
    return unsupported + check_combinations(request)


def test_an_unsupported_time_in_force_is_named_as_sent_with_what_is_supported() -> None:
    request = make_request(
        time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL, time_in_force_text="IMMEDIATE_OR_CANCEL"
    )
    assert abilities_findings(request) == [
        (
            "time_in_force",
            "IMMEDIATE_OR_CANCEL is not supported by SIM;"
            " supported: FILL_OR_KILL, GOOD_TILL_CANCEL",
        )
    ]


def test_our_own_expiry_needs_only_good_till_cancel() -> None:
    request = make_request(time_in_force=TimeInForce.GOOD_TILL_TIME_OMS)
    assert abilities_findings(request) == []
    abilities = msgspec.structs.replace(ABILITIES, time_in_force=frozenset())
    ((field, text),) = check_abilities(request, abilities, InstrumentKind.SPOT)
    assert (field, text) == (
        "time_in_force",
        "GOOD_TILL_TIME_OMS is not supported by SIM; supported: none",
    )


def test_every_unsupported_instruction_is_named() -> None:
    request = make_request(exec_inst=(ExecInst.AUCTION_ONLY, ExecInst.DO_NOT_INCREASE))
    assert abilities_findings(request, ExecInst.MAKER_OR_CANCEL) == [
        ("exec_inst", "AUCTION_ONLY is not supported by SIM; supported: MAKER_OR_CANCEL"),
        ("exec_inst", "DO_NOT_INCREASE is not supported by SIM; supported: MAKER_OR_CANCEL"),
    ]


def test_post_only_cannot_be_immediate() -> None:
    request = make_request(
        time_in_force=TimeInForce.FILL_OR_KILL, exec_inst=(ExecInst.MAKER_OR_CANCEL,)
    )
    ((field, text),) = abilities_findings(request, ExecInst.MAKER_OR_CANCEL)
    assert field == "exec_inst"
    assert text.startswith("MAKER_OR_CANCEL cannot be combined with time_in_force FILL_OR_KILL")


def test_instructions_that_contradict_one_another_are_refused() -> None:
    both = (ExecInst.CANCEL_ON_DISCONNECT, ExecInst.DO_NOT_CANCEL_ON_DISCONNECT)
    ((field, text),) = abilities_findings(make_request(exec_inst=both), *both)
    assert (field, text) == (
        "exec_inst",
        "CANCEL_ON_DISCONNECT contradicts DO_NOT_CANCEL_ON_DISCONNECT; give one of the two",
    )


@pytest.mark.parametrize(
    ("expire_time_ns", "late"),
    [(None, None), (START_NS + 1, None), (START_NS, 0), (START_NS - 2_500_000_000, 2500)],
)
def test_an_expire_time_in_the_past_is_refused(
    expire_time_ns: int | None, late: int | None
) -> None:
    expected = (
        []
        if late is None
        else [("expire_time", f"lies {late} ms in the past; give a time in the future")]
    )
    assert check_expire_time(make_request(expire_time_ns=expire_time_ns), START_NS) == expected


# ── risk ─────────────────────────────────────────────────────────────────────────────────────────


def risk(
    request: PlaceOrder,
    mode: AccountMode = AccountMode.ACTIVE,
    is_over_rate: bool = False,
    **totals: str,
) -> tuple[Reason, str] | None:
    held = ledger(**(totals or {"USDT": "1000", "BTC": "1000"}))
    return check_risk(request, BTC_USDT, held, mode, is_over_rate)


@pytest.mark.parametrize(
    ("side", "totals"), [(Side.BUY, {"USDT": "200"}), (Side.SELL, {"BTC": "2"})]
)
def test_all_that_is_available_may_be_spent(side: Side, totals: dict[str, str]) -> None:
    assert risk(make_request(side=side), **totals) is None


def test_a_buy_needs_price_times_quantity_of_quote() -> None:
    assert risk(make_request(), USDT="199.99", BTC="50") == (
        Reason.INSUFFICIENT_BALANCE,
        "insufficient_balance: needs 200 USDT, 199.99 available;"
        " the most that amount_order can be at this price is 1.9999",
    )


def test_a_sell_needs_its_quantity_of_base() -> None:
    assert risk(make_request(side=Side.SELL), USDT="50", BTC="1.50005") == (
        Reason.INSUFFICIENT_BALANCE,
        "insufficient_balance: needs 2 BTC, 1.50005 available;"
        " the most that amount_order can be at this price is 1.5",
    )


def test_an_unknown_asset_has_nothing_available() -> None:
    assert risk(make_request(), ETH="1") == (
        Reason.INSUFFICIENT_BALANCE,
        "insufficient_balance: needs 200 USDT, 0 available;"
        " not enough for 0.1, the least that amount_order can be at this price",
    )


@given(
    side=st.sampled_from(list(Side)),
    price=st.integers(1, 10**6).map(lambda cents: Decimal(cents) / 100),
    available=st.integers(-5, 10**9).map(lambda units: Decimal(units) / 10**4),
)
def test_the_most_that_is_named_passes_and_a_step_more_does_not(
    side: Side, price: Decimal, available: Decimal
) -> None:
    asset = "USDT" if side is Side.BUY else "BTC"
    held = {asset: str(available)}
    request = make_request(side=side, price=price, quantity=D(10**6))
    refused = risk(request, **held)
    if refused is None:
        return
    match = re.search(r"amount_order can be at this price is ([0-9.]+)$", refused[1])
    least, highest = quantity_range(price, BTC_USDT)
    if match is None:
        small = msgspec.structs.replace(request, quantity=least)
        assert least > highest or risk(small, **held) is not None
        return
    most = msgspec.structs.replace(request, quantity=D(match.group(1)))
    assert risk(most, **held) is None
    assert check_instrument(most, BTC_USDT) == []
    more = msgspec.structs.replace(request, quantity=most.quantity + BTC_USDT.quantity_step)
    assert more.quantity > highest or risk(more, **held) is not None


def test_over_the_order_rate() -> None:
    assert risk(make_request(), is_over_rate=True) == (
        Reason.ORDER_RATE,
        "order_rate_exceeded: the account's order rate is used up; send again in a second",
    )


def test_a_reducing_account_sells_only() -> None:
    assert risk(make_request(side=Side.SELL), AccountMode.REDUCING) is None
    assert risk(make_request(), AccountMode.REDUCING) == (
        Reason.ACCOUNT_REDUCING,
        "account_reducing: SIM is reducing; only SELL orders pass",
    )


@pytest.mark.parametrize("side", list(Side))
def test_a_halted_account_places_nothing(side: Side) -> None:
    assert risk(make_request(side=side), AccountMode.HALTED) == (
        Reason.ACCOUNT_HALTED,
        "account_halted: SIM is halted; only cancels pass",
    )


def test_the_checks_come_in_the_order_of_the_contract() -> None:
    request = make_request()
    poor = risk(request, AccountMode.HALTED, is_over_rate=True, USDT="1")
    fast = risk(request, AccountMode.HALTED, is_over_rate=True)
    reducing = risk(request, AccountMode.REDUCING, is_over_rate=True)
    assert [found and found[0] for found in (poor, fast, reducing)] == [
        Reason.INSUFFICIENT_BALANCE,
        Reason.ORDER_RATE,
        Reason.ORDER_RATE,
    ]


# ── perpetuals ───────────────────────────────────────────────────────────────────────────────────


def test_reduce_only_is_supported_where_there_are_positions_to_reduce() -> None:
    request = make_request(exec_inst=(ExecInst.DO_NOT_INCREASE,))
    assert check_abilities(request, ABILITIES, InstrumentKind.PERPETUAL) == []
    assert check_abilities(request, ABILITIES, InstrumentKind.SPOT) == [
        (
            "exec_inst",
            "DO_NOT_INCREASE is not supported by SIM in SPOT markets; supported: MAKER_OR_CANCEL",
        )
    ]
    request = make_request(exec_inst=(ExecInst.AUCTION_ONLY,))
    ((_, text),) = check_abilities(request, ABILITIES, InstrumentKind.PERPETUAL)
    assert text == (
        "AUCTION_ONLY is not supported by SIM in PERPETUAL markets;"
        " supported: DO_NOT_INCREASE, MAKER_OR_CANCEL"
    )


def perpetual_risk(
    request: PlaceOrder,
    held: str = "0",
    *,
    reducing: str = "0",
    mode: AccountMode = AccountMode.ACTIVE,
    usdt: str = "1000",
) -> tuple[Reason, str] | None:
    margin = Margin("USDT")
    side = Side.SELL if D(held) < 0 else Side.BUY
    margin.put_position(
        Position(
            BTC_PERP.symbol, BTC_PERP.symbol_exchange, "USDT", side, abs(D(held)), D(100), D(100),
            D(0), D(10), True, None, Updater.EXCHANGE, 0,
        )
    )  # fmt: skip
    exposure = Exposure(D(held), margin, D(reducing))
    return check_risk(request, BTC_PERP, ledger(USDT=usdt), mode, False, exposure)


@pytest.mark.parametrize("side", list(Side))
def test_an_order_in_a_perpetual_needs_its_margin_on_either_side(side: Side) -> None:
    assert perpetual_risk(make_request(side=side), usdt="20") is None
    assert perpetual_risk(make_request(side=side), usdt="19.9") == (
        Reason.INSUFFICIENT_BALANCE,
        "insufficient_balance: needs 20 USDT, 19.9 available;"
        " the most that amount_order can be at this price is 1.99",
    )


def test_the_most_that_an_order_in_a_perpetual_can_be_passes() -> None:
    for cents in range(100, 300, 7):
        usdt = str(D(cents) / 100 + 17)
        refused = perpetual_risk(make_request(quantity=D(900)), usdt=usdt)
        assert refused is not None
        most = D(refused[1].rsplit(" ", 1)[1])
        assert perpetual_risk(make_request(quantity=most), usdt=usdt) is None
        more = most + BTC_PERP.quantity_step
        assert perpetual_risk(make_request(quantity=more), usdt=usdt) is not None


def test_what_reduces_needs_no_margin_and_what_goes_beyond_does() -> None:
    request = make_request(side=Side.SELL, quantity=D(5))
    assert perpetual_risk(request, "5", usdt="0") is None
    refused = perpetual_risk(request, "3", usdt="10.01")
    assert refused is not None
    assert refused[1] == (
        "insufficient_balance: needs 20 USDT, 10.01 available;"
        " the most that amount_order can be at this price is 4.001"
    )


def test_what_may_only_reduce_needs_no_margin() -> None:
    request = make_request(exec_inst=(ExecInst.DO_NOT_INCREASE,))
    assert perpetual_risk(request, "-2", usdt="0") is None
    assert perpetual_risk(request, "-2", usdt="-5") is None


def reducing_risk(side: Side, quantity: str, held: str, reducing: str = "0") -> str | None:
    found = perpetual_risk(
        make_request(side=side, quantity=D(quantity)),
        held,
        reducing=reducing,
        mode=AccountMode.REDUCING,
    )
    if found is None:
        return None
    assert found[0] is Reason.ACCOUNT_REDUCING
    return found[1].removeprefix("account_reducing: SIM is reducing; ")


def test_reducing_passes_what_takes_from_the_position_and_no_more() -> None:
    assert reducing_risk(Side.SELL, "2", "2") is None
    assert reducing_risk(Side.BUY, "2", "-2") is None
    only = "only SELL orders of at most 2 pass in SIM_PERP_BTC_USDT"
    assert reducing_risk(Side.SELL, "2.0001", "2") == only
    assert reducing_risk(Side.BUY, "1", "2") == only
    only = "only BUY orders of at most 0.5 pass in SIM_PERP_BTC_USDT"
    assert reducing_risk(Side.BUY, "1", "-2", "1.5") == only
    assert reducing_risk(Side.BUY, "0.5", "-2", "1.5") is None


@pytest.mark.parametrize("side", list(Side))
def test_reducing_passes_nothing_where_nothing_is_left_to_reduce(side: Side) -> None:
    flat = "there is no position in SIM_PERP_BTC_USDT, so no order reduces it"
    assert reducing_risk(side, "1", "0") == flat
    closed = "open orders may close the whole position in SIM_PERP_BTC_USDT already"
    assert reducing_risk(side, "1", "2", "2") == closed
    assert reducing_risk(side, "1", "-2", "3") == closed
