"""What the exchange states of an account: that it is connected, its rules, balances, positions and prices.

A statement is believed as the newest, and where both sides can be compared a difference is measured.
"""

from fairlead.core import orphans
from fairlead.core.account import RECONCILING, Account
from fairlead.core.cancelling import send_cancel
from fairlead.core.deciding import MS, Deciding
from fairlead.core.doubt import ask
from fairlead.core.drifting import is_comparable, measure_drift
from fairlead.core.model import ZERO, Position, Updater
from fairlead.core.positions import flattened
from fairlead.core.venue_messages import (
    VenueBalancesStated,
    VenueClock,
    VenueConnected,
    VenueDisconnected,
    VenueInstrumentsListed,
    VenuePosition,
    VenuePositionsStated,
    VenueTickersStated,
)


def connected(deciding: Deciding, account: Account, news: VenueConnected) -> None:
    """The account is logged in: statements start anew, and held cancels go out."""
    account.is_connected = True
    account.abilities = news.abilities
    account.trouble = RECONCILING
    if news.cursor_first and not account.fills_cursor:
        account.fills_cursor = news.cursor_first
        account.is_dirty = True
    account.ledger.session_started()
    account.positions.session_started()
    for order in deciding.orders.of_account(account.name):
        if order.cancel_pending:
            send_cancel(deciding, order)
        if order.in_doubt_ns is not None:
            deciding.flight(order.number).asks = 0
            ask(deciding, order)


def disconnected(_: Deciding, account: Account, news: VenueDisconnected) -> None:
    """Mark the account unreachable; what was asked gets its own answers."""
    account.is_connected = False
    account.is_reconciled = False
    account.trouble = f"disconnected: {news.text}"


def clock_compared(deciding: Deciding, account: Account, news: VenueClock) -> None:
    """Tell an operator, once, when our clock and the exchange's are apart by half of its request window."""
    assert account.abilities is not None, "clocks are compared after a connection"
    window_ms = account.abilities.request_window_ms
    is_off = window_ms is not None and abs(news.offset_ns) > window_ms * MS // 2
    if is_off and not account.is_clock_off:
        way = "behind" if news.offset_ns > 0 else "ahead of"
        text = (
            f"this machine's clock is {abs(news.offset_ns) // MS} ms {way} the exchange's; requests carry"
            " the exchange's time, but expiries kept here and the times in reports are off by as much"
        )
        deciding.alarm(account, "clock_off", None, text)
    account.is_clock_off = is_off


def instruments_listed(deciding: Deciding, account: Account, news: VenueInstrumentsListed) -> None:
    """Take the exchange's rules as they are now."""
    for symbol in account.take_instruments(news.instruments):
        deciding.alarm(
            account, "instrument_ambiguous", None, f"{symbol} is ambiguous and was left out"
        )


def balances_stated(deciding: Deciding, account: Account, news: VenueBalancesStated) -> None:
    """Take the exchange's balances; a complete statement makes assets it does not name zero."""
    now_ns = deciding.now.utc_ns
    if not account.is_loaded and not news.is_complete:
        return  # the first load is a whole one
    updated_by = Updater.EXCHANGE if account.is_loaded else Updater.INITIALIZATION
    ledger = account.ledger
    can_compare = not news.is_movement and is_comparable(
        deciding, account, is_swept=news.is_complete
    )
    changed_count = len(ledger.changed)
    named = set()
    for stated in news.balances:
        asset = account.asset(stated.asset_exchange)
        named.add(asset)
        drift = ledger.stated(
            asset, stated.asset_exchange, stated.total, stated.locked,
            news.exchange_ordinal, updated_by, now_ns,
        )  # fmt: skip
        if drift is not None and can_compare:
            measure_drift(deciding, account, asset, drift, is_swept=news.is_complete)
    if news.is_complete:
        for balance in ledger.balances():
            if balance.asset not in named:
                ledger.stated(
                    balance.asset, balance.asset_exchange, ZERO, ZERO,
                    news.exchange_ordinal, updated_by, now_ns,
                )  # fmt: skip
        account.sweeps.found.balances_moved += len(ledger.changed) - changed_count
        if not account.is_loaded:
            account.is_loaded = True
            account.is_dirty = True


def positions_stated(deciding: Deciding, account: Account, news: VenuePositionsStated) -> None:
    """Take the exchange's positions; a complete statement makes those that it does not name flat."""
    positions = account.positions
    can_compare = is_comparable(deciding, account, is_swept=news.is_complete)
    changed_count = len(positions.changed)
    named = set()
    for each in news.positions:
        stated = _position(deciding, account, news, each)
        if stated is None:
            continue
        named.add(stated.symbol)
        drift = positions.stated(stated)
        account.position_moved(stated.symbol, deciding.now.utc_ns)
        if drift is not None and can_compare:
            measure_drift(
                deciding, account, stated.symbol, drift,
                is_position=True, is_swept=news.is_complete,
            )  # fmt: skip
    if news.is_complete:
        for position in positions.open():
            if position.symbol not in named:
                positions.stated(flattened(position, news.exchange_ordinal, deciding.now.utc_ns))
                account.position_moved(position.symbol, deciding.now.utc_ns)
        account.sweeps.found.positions_moved += len(positions.changed) - changed_count


def _position(
    deciding: Deciding, account: Account, news: VenuePositionsStated, stated: VenuePosition
) -> Position | None:
    """Return what is stated in our words, None (and an alarm) where the instrument is unknown."""
    instrument = account.instrument(None, stated.symbol_exchange)
    if instrument is None:
        if stated.quantity:
            name = f"position {stated.symbol_exchange}"
            text = f"the {name} is not followed: the instrument is unknown"
            orphans.alarm_foreign(deciding, account, name, text)
        return None
    return Position(
        instrument.symbol, instrument.symbol_exchange, instrument.quote, stated.side, stated.quantity,
        stated.entry_price, stated.mark_price, stated.unrealized, stated.leverage, stated.is_cross,
        stated.liquidation_price,
        Updater.EXCHANGE if account.is_loaded else Updater.INITIALIZATION,
        deciding.now.utc_ns, news.exchange_ordinal,
    )  # fmt: skip


def tickers_stated(deciding: Deciding, account: Account, news: VenueTickersStated) -> None:
    """Remember what the exchange's markets quote."""
    account.rates.heard(news.tickers, deciding.now.steady_ns)
