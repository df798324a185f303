"""Fills of orders that nobody here knows: kept, asked about, never lost and never guessed at.

While one waits for its order no cursor passes it, so that a restart fetches it again. When the exchange goes
on not to know the order, an operator is told, and then the fills themselves are the order. Must never book.
"""

from fairlead.core.account import Account
from fairlead.core.deciding import MS, Deciding, OrphanKey, Orphans
from fairlead.core.model import ZERO, Order, Side, TimeInForce
from fairlead.core.unit import TradeKey
from fairlead.core.venue_messages import VenueFill, VenueOrder, VenueOrderState, VenueQuery


def keep(deciding: Deciding, account: Account, news: VenueFill) -> None:
    """Keep a fill until its order is known; at the first load the past is not ours.

    A fill in an instrument that the exchange does not list cannot be booked: an alarm says so.
    """
    if not account.is_loaded and news.from_page:
        return
    if account.instruments and account.instrument(None, news.symbol_exchange) is None:
        text = (
            f"fill {news.trade_id} is in {news.symbol_exchange}, which is unknown; it is not booked"
        )
        alarm_foreign(deciding, account, news.exchange_order_id, text)
        return
    key = _key(news)
    orphans = deciding.orphans.get(key)
    if orphans is None:
        if len(deciding.orphans) >= deciding.settings.orphan_orders_most:
            return  # it is fetched again: the cursor stays behind
        orphans = deciding.orphans[key] = Orphans([], deciding.now.steady_ns)
        deciding.orphans_new.append(key)
    is_new = all(fill.trade_id != news.trade_id for fill in orphans.fills)
    if is_new and len(orphans.fills) < deciding.settings.orphan_fills_most:
        orphans.fills.append(news)


def take(deciding: Deciding, order: Order) -> list[VenueFill]:
    """Remove and return the fills of an order that is known now."""
    key = (order.account, order.symbol_exchange, order.exchange_order_id or "")
    orphans = deciding.orphans.pop(key, None)
    return [] if orphans is None else orphans.fills


def has_orphans(deciding: Deciding, account: str) -> bool:
    """Whether fills of the account wait for their order, so that no cursor may pass them."""
    return any(key[0] == account for key in deciding.orphans)


def trades_of(deciding: Deciding, news: VenueOrder) -> set[TradeKey]:
    """Return the trades that hearing of this order would book."""
    orphans = deciding.orphans.get(_key(news))
    fills = [] if orphans is None else orphans.fills
    return {TradeKey(fill.account, fill.symbol_exchange, fill.trade_id) for fill in fills}


def ask_new(deciding: Deciding) -> None:
    """Ask for the orders of fills that came with this batch, unless it brought the order too."""
    for key in deciding.orphans_new:
        if key in deciding.orphans:
            _ask(deciding, deciding.orphans[key])
            deciding.sweep(key[0])
    deciding.orphans_new.clear()


def ask_again(deciding: Deciding, account: str) -> None:
    """Ask for the orders of all fills that still wait; a sweep does."""
    for key, orphans in deciding.orphans.items():
        if key[0] == account:
            _ask(deciding, orphans)


def not_found(deciding: Deciding, account: Account, asked: VenueQuery) -> VenueOrder | None:
    """The exchange does not know the order of fills it reported: after a while tell an operator.

    Returns the order that its fills make, once that was to no avail; None as long as they may be of an order
    that we know: there is one in this market of which the exchange has not told its id, or it is this one.
    """
    orphans = deciding.orphans.get(_key_asked(asked))
    if orphans is None:
        return None
    now_ns, settings = deciding.now.steady_ns, deciding.settings
    if orphans.alarmed_ns is None:
        if now_ns - orphans.since_ns >= settings.settle_deadline_ms * MS:
            orphans.alarmed_ns = now_ns
            text = (
                f"{len(orphans.fills)} fills belong to order {asked.exchange_order_id}, which the exchange"
                " does not know; asked again, it is taken for what they make of it"
            )
            deciding.alarm(account, "fills_orphaned", None, text)
        return None
    if now_ns < orphans.alarmed_ns + settings.ask_delay_ms * MS:
        return None  # asked in the same breath
    return None if _may_be_ours(deciding, asked) else made_of_fills(deciding, asked)


def made_of_fills(deciding: Deciding, asked: VenueQuery) -> VenueOrder | None:
    """Return the order that `asked` asked about as its fills make it: filled, with all of them.

    None if there are none. Its price is the worst at which it was filled.
    """
    orphans = deciding.orphans.get(_key_asked(asked))
    if orphans is None:
        return None
    first = orphans.fills[0]
    prices = [fill.price for fill in orphans.fills]
    quantity = sum((fill.quantity for fill in orphans.fills), ZERO)
    return VenueOrder(
        account=first.account,
        exchange_order_id=first.exchange_order_id,
        venue_client_id=first.venue_client_id,
        symbol_exchange=first.symbol_exchange,
        side=first.side,
        price=max(prices) if first.side is Side.BUY else min(prices),
        quantity=quantity,
        quantity_filled=quantity,
        time_in_force=TimeInForce.GOOD_TILL_CANCEL,
        expire_time_ns=None,
        state=VenueOrderState.FILLED,
        time_ns=first.time_ns,
        asked=asked,
    )


def alarm_foreign(deciding: Deciding, account: Account, exchange_order_id: str, text: str) -> None:
    """Tell an operator, once per order, of one that cannot be taken up."""
    if len(account.foreign_orders) >= deciding.settings.orphan_orders_most:
        account.foreign_orders.clear()
    if exchange_order_id not in account.foreign_orders:
        account.foreign_orders.add(exchange_order_id)
        deciding.alarm(account, "order_foreign", None, text)


def _may_be_ours(deciding: Deciding, asked: VenueQuery) -> bool:
    return any(
        order.exchange_order_id in (None, asked.exchange_order_id)
        and order.symbol_exchange == asked.symbol_exchange
        for order in deciding.orders.of_account(asked.account)
    )


def _key_asked(asked: VenueQuery) -> OrphanKey:
    return asked.account, asked.symbol_exchange, asked.exchange_order_id or ""


def _key(news: VenueFill | VenueOrder) -> OrphanKey:
    return news.account, news.symbol_exchange, news.exchange_order_id


def _ask(deciding: Deciding, orphans: Orphans) -> None:
    fill = orphans.fills[0]
    if deciding.accounts[fill.account].is_connected:
        deciding.ask_venue(
            VenueQuery(
                account=fill.account,
                request_id=deciding.request_id(),
                number=0,
                symbol_exchange=fill.symbol_exchange,
                venue_client_id=fill.venue_client_id or "",
                exchange_order_id=fill.exchange_order_id,
            )
        )
