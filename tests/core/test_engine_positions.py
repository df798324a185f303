"""Perpetuals as conversations: positions moved by fills and statements, margin, reduce-only, liquidation."""

from decimal import Decimal

import msgspec
import pytest

from fairlead.core.model import (
    AccountMode,
    ExecInst,
    Origin,
    Position,
    Reason,
    Side,
    Stage,
    Updater,
)
from fairlead.core.reconciliation import Drift
from fairlead.core.reports import PositionReport
from fairlead.core.requests import QueryBalances, QueryPositions, QueryReconciliation, QuerySnapshot
from fairlead.core.venue_messages import (
    VenueAssetBalance,
    VenueBalancesStated,
    VenueConnected,
    VenueInstrumentsListed,
    VenuePlace,
    VenuePosition,
    VenuePositionsStated,
)
from tests.core.conversation import CANCELED, FILLED, OPEN, Conversation, placed, started
from tests.core.words import BTC_PERP, D

PERP = {"symbol": BTC_PERP.symbol}
AT_PERP = {"symbol_exchange": BTC_PERP.symbol_exchange}
REDUCE_ONLY = (ExecInst.DO_NOT_INCREASE,)


def word(signed: str, entry: str = "100", **changes: object) -> VenuePosition:
    """Return the exchange's word on the position, at leverage 10."""
    quantity = D(signed)
    side = Side.SELL if quantity < 0 else Side.BUY
    return msgspec.structs.replace(
        VenuePosition(
            BTC_PERP.symbol_exchange, side, abs(quantity), D(entry), D(100),
            (100 - D(entry)) * quantity, D(10), True, None,
        ),
        **changes,
    )  # fmt: skip


def states_positions(
    talk: Conversation, *words: VenuePosition, ordinal: int = 0, is_complete: bool = True
) -> None:
    talk.hear(
        VenuePositionsStated(
            account="SIM",
            positions=words,
            exchange_ordinal=ordinal,
            time_ns=talk.now.utc_ns,
            is_complete=is_complete,
        )
    )


def trading(**changes: object) -> Conversation:
    """Return a conversation whose exchange has stated a flat position with leverage 10, at event 10."""
    talk = started(**changes)
    states_positions(talk, word("0", "0"), ordinal=10)
    talk.states_balances(ordinal=10, USDT="1000")
    return talk


def working(
    talk: Conversation, name: str = "a", exchange_order_id: str = "X1", **changes: object
) -> VenuePlace:
    """Have an order for 2 contracts at 100 in the book of the perpetual."""
    request = placed(talk, name, **PERP, **changes)
    talk.accepts(request, exchange_order_id)
    talk.states(
        exchange_order_id, OPEN, client_order_id=name,
        side=request.side, quantity=request.quantity, **AT_PERP,
    )  # fmt: skip
    return request


def held(talk: Conversation) -> tuple[Decimal, Decimal] | None:
    """Return (signed quantity, entry price) as a client is told."""
    ((_, positions),) = talk.say(QueryPositions(account="SIM")).reply.accounts
    if not positions:
        return None
    (position,) = positions
    assert isinstance(position, Position)
    return position.signed_quantity, position.entry_price


def usdt(talk: Conversation) -> tuple[Decimal, Decimal, Decimal]:
    """Return (total, locked, traded) as a client is told."""
    ((_, balances),) = talk.say(QueryBalances(account="SIM")).reply.accounts
    (balance,) = (each for each in balances if each.asset == "USDT")
    return balance.total, balance.locked, balance.traded


# ── orders and fills ─────────────────────────────────────────────────────────────────────────────


def test_an_order_locks_its_margin_and_a_fill_moves_the_position_not_the_base() -> None:
    talk = trading()
    working(talk)
    assert usdt(talk) == (1000, 20, 0)
    talk.fills("X1", "0.5", exchange_ordinal=11, fee=D("0.05"), **AT_PERP)
    assert held(talk) == (D("0.5"), 100)
    assert usdt(talk) == (D("999.95"), 15 + 5, 0), "the order's, and the position's"
    ((_, balances),) = talk.say(QueryBalances(account="SIM")).reply.accounts
    assert {balance.asset: balance.total for balance in balances}["BTC"] == 0
    talk.states("X1", CANCELED, "0.5", **AT_PERP)
    assert usdt(talk) == (D("999.95"), 5, 0)


def test_what_a_fill_realizes_less_its_fee_moves_the_quote() -> None:
    talk = trading()
    states_positions(talk, word("2", "90"), ordinal=11)
    working(talk, side=Side.SELL)
    talk.fills(
        "X1", "2", side=Side.SELL, exchange_ordinal=12, fee=D("0.2"), realized=D(20), **AT_PERP
    )
    assert held(talk) is None
    assert usdt(talk) == (D("1019.8"), 0, 20)
    assert talk.order().fills[0].realized == 20


def test_a_sale_turns_the_position_around() -> None:
    talk = trading()
    states_positions(talk, word("0.5", "90"), ordinal=11)
    working(talk, side=Side.SELL)
    talk.fills("X1", "2", side=Side.SELL, exchange_ordinal=12, realized=D(5), **AT_PERP)
    assert held(talk) == (D("-1.5"), 100)


def test_positions_are_reported_with_dense_sequences_and_durable() -> None:
    talk = trading()
    working(talk)
    talk.fills("X1", "0.5", exchange_ordinal=11, **AT_PERP)
    reports = [report for report, _ in talk.reports if isinstance(report, PositionReport)]
    assert [report.position.quantity for report in reports] == [D("0.5")]
    sequences = [report.sequence for report, _ in talk.reports]
    assert sequences == list(range(1, len(sequences) + 1))
    following = talk.restart()
    following.connects()
    ((_, (position,)),) = following.say(QueryPositions(account="SIM")).reply.accounts
    assert (position.quantity, position.leverage) == (D("0.5"), 10)


def test_one_report_says_what_a_fill_and_its_statement_made_of_the_position() -> None:
    talk = trading()
    working(talk)
    talk.reports.clear()
    with talk.together():
        talk.fills("X1", "0.5", exchange_ordinal=11, **AT_PERP)
        states_positions(talk, word("0.5", liquidation_price=D(90)), ordinal=11, is_complete=False)
    (report,) = (report for report, _ in talk.reports if isinstance(report, PositionReport))
    assert report.position.liquidation_price == 90
    assert report.position.updated_by is Updater.EXCHANGE


def test_a_snapshot_has_the_positions() -> None:
    talk = trading()
    assert talk.say(QuerySnapshot(account="SIM")).reply.positions == ()
    states_positions(talk, word("2", "90"), ordinal=11)
    snapshot = talk.say(QuerySnapshot(account="SIM")).reply
    assert [position.quantity for position in snapshot.positions] == [2]


def test_a_snapshot_in_the_batch_of_a_fill_is_as_of_the_report_of_its_position() -> None:
    talk = trading()
    working(talk)
    talk.reports.clear()
    with talk.together():
        talk.fills("X1", "0.5", exchange_ordinal=11, **AT_PERP)
        snapshot = talk.say(QuerySnapshot(account="SIM"))
    stated = talk.reports[-1][0]
    assert isinstance(stated, PositionReport)
    assert snapshot.reply.positions == (stated.position,)
    assert snapshot.reply.sequence == stated.sequence


def test_what_the_exchange_locks_for_the_position_is_locked() -> None:
    talk = trading()
    working(talk)
    talk.fills("X1", "2", exchange_ordinal=11, **AT_PERP)
    balances = (VenueAssetBalance("USDT", D(1000), D(21)),)
    talk.hear(
        VenueBalancesStated(
            account="SIM", balances=balances, exchange_ordinal=11, time_ns=0, is_complete=False
        )
    )
    assert usdt(talk) == (1000, 21, 0)
    refused = talk.place("b", **PERP, quantity=D(98)).order
    assert refused.error_message == (
        "insufficient_balance: needs 980 USDT, 979 available;"
        " the most that amount_order can be at this price is 97.9"
    )


# ── reduce only, reducing ────────────────────────────────────────────────────────────────────────


def test_an_order_that_may_only_reduce_locks_nothing_and_says_so_to_the_exchange() -> None:
    talk = trading()
    states_positions(talk, word("2"), ordinal=11)
    request = working(talk, side=Side.SELL, exec_inst=REDUCE_ONLY)
    assert request.exec_inst == REDUCE_ONLY
    assert usdt(talk) == (1000, 20, 0), "the position's"


def test_on_spot_it_is_refused_naming_what_is_supported() -> None:
    refused = trading().place(exec_inst=REDUCE_ONLY)
    assert refused.refusal == "NOT_SUPPORTED"
    assert refused.reply.findings == (
        (
            "exec_inst",
            "DO_NOT_INCREASE is not supported by SIM in SPOT markets; supported: MAKER_OR_CANCEL",
        ),
    )


def test_a_reducing_account_counts_the_orders_that_reduce_already() -> None:
    talk = trading()
    states_positions(talk, word("2"), ordinal=11)
    working(talk, "open", "X1", side=Side.SELL, quantity=D("1.5"))
    working(talk, "bought", "X2", side=Side.BUY, quantity=D(1))
    talk.set_mode(AccountMode.REDUCING)
    rejected = talk.place("much", **PERP, side=Side.SELL, quantity=D("0.6")).order
    assert (rejected.stage, rejected.reason) == (Stage.REJECTED, Reason.ACCOUNT_REDUCING)
    assert rejected.error_message == (
        "account_reducing: SIM is reducing;"
        " only SELL orders of at most 0.5 pass in SIM_PERP_BTC_USDT"
    )
    placed(talk, "right", **PERP, side=Side.SELL, quantity=D("0.5"))
    talk.states("X1", CANCELED, client_order_id="open", side=Side.SELL, **AT_PERP)
    placed(talk, "more", **PERP, side=Side.SELL, quantity=D("1.5"))
    assert talk.place("spot", side=Side.BUY).order.error_message == (
        "account_reducing: SIM is reducing; only SELL orders pass"
    )


# ── statements ───────────────────────────────────────────────────────────────────────────────────


def test_a_whole_statement_flattens_what_it_leaves_out() -> None:
    talk = trading()
    states_positions(talk, word("2"), ordinal=11)
    states_positions(talk, ordinal=12)
    assert held(talk) is None


def test_positions_stated_before_the_balances_are_told_with_them() -> None:
    talk = Conversation()
    talk.hear(VenueConnected(account="SIM", abilities=talk.abilities))
    talk.hear(VenueInstrumentsListed(account="SIM", instruments=(BTC_PERP,)))
    states_positions(talk, word("1"), ordinal=3)
    assert talk.reports == []
    talk.states_balances(ordinal=3, USDT="1000")
    (report,) = (report for report, _ in talk.reports if isinstance(report, PositionReport))
    assert report.position.updated_by is Updater.INITIALIZATION


def test_a_position_in_an_unknown_instrument_is_an_alarm_and_not_followed() -> None:
    talk = trading()
    unknown = word("1", symbol_exchange="ETH-PERP")
    states_positions(talk, unknown, word("0", "0", symbol_exchange="XRP-PERP"), ordinal=11)
    states_positions(talk, unknown, ordinal=12)
    assert talk.alarm_texts == ["the position ETH-PERP is not followed: the instrument is unknown"]
    assert held(talk) is None


def test_the_drift_of_a_position_is_measured_and_named() -> None:
    talk = trading()
    for ordinal in (11, 12, 13):
        states_positions(talk, word(str(ordinal)), ordinal=ordinal)
    (stands,) = talk.say(QueryReconciliation(account="SIM")).reply.accounts
    assert stands.drifts == (Drift(BTC_PERP.symbol, True, D(1), 3, True),)
    assert talk.alarm_texts == [
        "the position in SIM_PERP_BTC_USDT was +1 from our bookkeeping at the exchange, and not the"
        " same in 3 sweeps in a row; the exchange's figure is taken"
    ]


# ── what the exchange does itself ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("reason", [Reason.LIQUIDATION, Reason.AUTO_DELEVERAGING])
@pytest.mark.parametrize("is_fill_first", [False, True])
def test_an_order_that_the_exchange_made_is_external_says_why_and_is_an_alarm(
    reason: Reason, is_fill_first: bool
) -> None:
    talk = trading()
    states_positions(talk, word("2"), ordinal=11)
    changes = {"client_order_id": None, "side": Side.SELL, **AT_PERP}
    order = talk.word(
        "L1", FILLED, "2", reason=reason, reduce_only=True, text="margin used up", **changes
    )
    with talk.together():
        if not is_fill_first:
            talk.hear(order)
        talk.fills("L1", "2", exchange_ordinal=12, realized=D(-30), **changes)
        talk.hear(order)
        states_positions(talk, word("0", "0"), ordinal=12, is_complete=False)
    followed = talk.order("external-L1")
    assert (followed.origin, followed.reason) == (Origin.EXTERNAL, reason)
    assert followed.stage is Stage.FILLED
    assert followed.exec_inst == REDUCE_ONLY
    assert followed.error_message == f"{reason}: margin used up"
    assert talk.alarms == [reason.value]
    assert talk.alarm_texts == [f"order external-L1 in SIM_PERP_BTC_USDT: {reason}: margin used up"]
    assert held(talk) is None
    assert usdt(talk) == (970, 0, 30)


def test_why_is_said_also_where_the_exchange_has_no_words_for_it() -> None:
    talk = trading()
    for name, reason in (("L1", Reason.LIQUIDATION), ("L2", Reason.AUTO_DELEVERAGING)):
        changes = {"client_order_id": None, "side": Side.SELL, "reason": reason, **AT_PERP}
        talk.states(name, OPEN, **changes)
    assert [talk.order(f"external-{name}").error_message for name in ("L1", "L2")] == [
        "liquidation: the exchange closes a position whose margin is used up",
        "auto_deleveraging: the exchange closes a position that profits, for another account could"
        " not pay",
    ]
