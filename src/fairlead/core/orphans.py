"""Fills of orders that nobody here knows: kept, asked about, never lost and never guessed at.

While one waits for its order no cursor passes it, so that a restart fetches it again. Must never book.
"""

from fairlead.core.account import Account
from fairlead.core.deciding import MS, Deciding, OrphanKey, Orphans
from fairlead.core.model import Order
from fairlead.core.unit import TradeKey
from fairlead.core.venue_messages import VenueFill, VenueOrder, VenueQuery


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


def not_found(deciding: Deciding, account: Account, asked: VenueQuery) -> None:
    """The exchange does not know the order of a fill it reported: after a while tell an operator."""
    key = (account.name, asked.symbol_exchange, asked.exchange_order_id or "")
    orphans = deciding.orphans.get(key)
    if orphans is None or orphans.is_alarmed:
        return
    if deciding.now.steady_ns - orphans.since_ns >= deciding.settings.settle_deadline_ms * MS:
        orphans.is_alarmed = True
        text = (
            f"{len(orphans.fills)} fills belong to order {asked.exchange_order_id},"
            " which the exchange does not know; they are not booked"
        )
        deciding.alarm(account, "fills_orphaned", None, text)


def alarm_foreign(deciding: Deciding, account: Account, exchange_order_id: str, text: str) -> None:
    """Tell an operator, once per order, of one that cannot be taken up."""
    if len(account.foreign_orders) >= deciding.settings.orphan_orders_most:
        account.foreign_orders.clear()
    if exchange_order_id not in account.foreign_orders:
        account.foreign_orders.add(exchange_order_id)
        deciding.alarm(account, "order_foreign", None, text)


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
