"""Orders found at the exchange that are not ours: taken up, so that their fills and locks are understood."""

from fairlead.core.account import Account
from fairlead.core.deciding import Deciding
from fairlead.core.model import ExecInst, Order, Origin, Reason, Stage
from fairlead.core.orphans import alarm_foreign
from fairlead.core.reports import Cause
from fairlead.core.venue_messages import VenueOrder, VenueOrderState

CLIENT_ID_LENGTH_MOST = 128


def adopt(deciding: Deciding, account: Account, news: VenueOrder) -> Order | None:
    """Return the order taken up, or None: it left nothing behind, or cannot be understood."""
    if news.state is not VenueOrderState.OPEN and not news.quantity_filled:
        return None
    order_named = f"order {news.exchange_order_id} in {news.symbol_exchange}, which is not ours,"
    instrument = account.instrument(None, news.symbol_exchange)
    if instrument is None:
        text = f"{order_named} is not followed: the instrument is unknown"
        alarm_foreign(deciding, account, news.exchange_order_id, text)
        return None
    free = (
        client_order_id
        for client_order_id in client_ids(news)
        if deciding.orders.by_client_id(account.name, client_order_id) is None
    )
    client_order_id = next(free, None)
    if client_order_id is None:
        text = f"{order_named} is not followed: {', '.join(client_ids(news))} are taken"
        alarm_foreign(deciding, account, news.exchange_order_id, text)
        return None
    number = deciding.next_number
    deciding.next_number += 1
    order = deciding.open(
        Order(
            number=number,
            account=account.name,
            client_order_id=client_order_id,
            venue_client_id=_venue_client_id(deciding, account, news),
            symbol=instrument.symbol,
            symbol_exchange=instrument.symbol_exchange,
            base=instrument.base,
            quote=instrument.quote,
            side=news.side,
            price=news.price,
            quantity=news.quantity,
            time_in_force=news.time_in_force,
            time_in_force_text=news.time_in_force.value,
            expire_time_ns=news.expire_time_ns,
            exec_inst=(ExecInst.DO_NOT_INCREASE,) if news.reduce_only else (),
            origin=Origin.EXTERNAL,
            caller="",
            time_order_ns=news.time_ns,
            stage=Stage.WORKING,
            exchange_order_id=news.exchange_order_id,
            reason=news.reason,
            error_message=None if news.reason is None else _why(news),
            kind=instrument.kind,
        ),
        Cause.ADOPTED,
    )
    text = f"order {order.client_order_id} in {order.symbol}: {order.error_message}"
    if news.reason is Reason.LIQUIDATION:
        deciding.alarm(account, "liquidation", number, text)
    elif news.reason is Reason.AUTO_DELEVERAGING:
        deciding.alarm(account, "auto_deleveraging", number, text)
    return order


def _why(news: VenueOrder) -> str:
    """Return in words why the exchange made the order itself."""
    if news.reason is Reason.AUTO_DELEVERAGING:
        why = "the exchange closes a position that profits, for another account could not pay"
    else:
        why = "the exchange closes a position whose margin is used up"
    return f"{news.reason}: {news.text or why}"


def client_ids(news: VenueOrder) -> list[str]:
    """Return the client ids an adopted order may get, best first: the exchange's, else made of its id."""
    made = [
        f"external-{news.exchange_order_id}",
        f"external-{news.symbol_exchange}-{news.exchange_order_id}",
    ]
    theirs = news.venue_client_id or ""
    is_usable = theirs.isascii() and theirs.isprintable() and len(theirs) <= CLIENT_ID_LENGTH_MOST
    return [theirs, *made] if theirs and is_usable else made


def _venue_client_id(deciding: Deciding, account: Account, news: VenueOrder) -> str:
    theirs = news.venue_client_id
    if theirs and deciding.orders.by_venue_client_id(account.name, theirs) is None:
        return theirs
    return f"external-{news.exchange_order_id}"
