"""Accounts that come, go and come back while all the others trade on.

An account that goes takes its unsettled orders out of memory: they stay as they are at the exchange and
in the journal, nobody sees, asks about or cancels them, and no timer of theirs means anything. What had
not been sent is withdrawn, what was on its way is in doubt. When the account comes back its orders are
taken up as after a restart; there is no other recovery. An account of the journal that a process does not
have is one that has gone.
"""

from collections.abc import Iterable

from fairlead.core import placing, sessions
from fairlead.core.account import Account
from fairlead.core.deciding import Absent, Deciding
from fairlead.core.model import Order, Reason, Stage
from fairlead.core.replies import Refusal, Refused
from fairlead.core.reports import Cause
from fairlead.core.unit import AccountRecord


def restart(deciding: Deciding, orders: Iterable[Order], here: set[str]) -> None:
    """Take up what was under way when the last process ended, of the accounts that are here."""
    orders = list(orders)
    _load(deciding, orders)
    for order in orders:
        if order.account in here:
            sessions.restart(deciding, placing.restart(deciding, order))
    for name in list(deciding.accounts):
        if name not in here:
            absent = _set_aside(deciding, name)
            absent.are_sessions_over = True


def come(deciding: Deciding, name: str) -> None:
    """Take the account up, as new or as it was when it went; nothing if it is here."""
    if name in deciding.accounts:
        return
    absent = deciding.absent.pop(name, None)
    rate = deciding.settings.order_rate_per_s
    if absent is None:
        deciding.accounts[name] = account = Account(AccountRecord(name), rate)
        deciding.set_presence(account, is_here=True)
        return
    left = absent.account
    account = Account(left.record(), rate, left.ledger.balances(), left.positions.all())
    deciding.accounts[name] = account
    deciding.set_presence(account, is_here=True)
    _load(deciding, absent.orders)
    for before in absent.orders:
        order = placing.restart(deciding, before)
        if absent.are_sessions_over or order.session in absent.sessions_over:
            sessions.restart(deciding, order)


def go(deciding: Deciding, name: str) -> None:
    """Let the account go, with the end of the batch; nothing if it is not here."""
    account = deciding.accounts.get(name)
    if account is not None:
        _set_aside(deciding, name)
        deciding.set_presence(account, is_here=False)


def fills_cursor(deciding: Deciding, name: str) -> str:
    """Return up to where the account's fills are booked, here or not; empty where nothing is known of it."""
    absent = deciding.absent.get(name)
    account = deciding.accounts.get(name) if absent is None else absent.account
    return "" if account is None else account.fills_cursor


def is_unsettled(deciding: Deciding, name: str) -> bool:
    """Whether something is still owed to an order of the account, here or not."""
    absent = deciding.absent.get(name)
    if absent is not None:
        return bool(absent.orders)
    return any(not order.is_settled for order in deciding.orders.of_account(name))


def _load(deciding: Deciding, orders: Iterable[Order]) -> None:
    for order in orders:
        deciding.orders.put(order)
        deciding.accounts[order.account].ledger.order_loaded(order)


def _set_aside(deciding: Deciding, name: str) -> Absent:
    """Take the account's orders out of memory, each as what it is now that nobody follows it."""
    orders = [_laid_down(deciding, order) for order in list(deciding.orders.of_account(name))]
    left = [order for order in orders if not order.is_settled]
    for order in left:
        deciding.let_go(order.number)
    for key in [key for key in deciding.orphans if key[0] == name]:
        del deciding.orphans[key]  # no cursor has passed them: they are fetched again
    deciding.orphans_new = [key for key in deciding.orphans_new if key[0] != name]
    absent = deciding.absent[name] = Absent(deciding.accounts[name], left)
    deciding.going.append(name)
    return absent


def _laid_down(deciding: Deciding, order: Order) -> Order:
    """Withdraw what was not sent, doubt what was and is not answered; tell whoever waits for it."""
    if order.stage is Stage.RECEIVED:
        text = f"exchange_id {order.account} is no account of this server any more"
        return placing.reject(deciding, order, Reason.NOT_SENT, f"{Reason.NOT_SENT}: {text}")
    if order.stage is Stage.ROUTING and order.in_doubt_ns is None:
        order = deciding.report(order, Cause.IN_DOUBT)
    flight = deciding.flights.get(order.number)
    if flight is not None:
        for token in flight.waiters:
            deciding.answer(token, _in_doubt_refusal(order))
        flight.waiters = []
    return order


def _in_doubt_refusal(order: Order) -> Refused:
    text = (
        f"exchange_id {order.account} is no account of this server any more, and the exchange had not"
        f" answered: order {order.client_order_id} is in doubt until the account is back"
    )
    return Refused(Refusal.IN_DOUBT, text, order=order)
