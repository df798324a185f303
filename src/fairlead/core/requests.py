"""Request: what a client asks of the engine, and what an operator does. `replies` answer it.

Frozen, tagged, serialisable structs that name their account. Must never hold behaviour.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from fairlead.core.model import AccountMode, ExecInst, Side, TimeInForce

LOCAL = "local"  # the subscription until a control plane names others


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What every message carries: whose it is."""

    account: str
    subscription: str = LOCAL


class PlaceOrder(Message, frozen=True, kw_only=True, tag="place"):
    """A new order whose form has been checked; at least one of the two symbols is given.

    `or_oms`: a GOOD_TILL_TIME_EXCHANGE order becomes GOOD_TILL_TIME_OMS at an exchange that cannot end
    it. `echo` comes back with the order, for the protocol that took it.
    `session` names the client's session it came over (empty: none, as by REST); see `core/sessions.py`.
    """

    client_order_id: str
    symbol: str | None
    symbol_exchange: str | None
    side: Side
    price: Decimal
    quantity: Decimal
    time_in_force: TimeInForce
    time_in_force_text: str
    expire_time_ns: int | None = None
    exec_inst: tuple[ExecInst, ...] = ()
    caller: str = ""
    or_oms: bool = False
    echo: str = ""
    session: str = ""


class CheckOrder(Message, frozen=True, kw_only=True, tag="check"):
    """What the checks say of this order now; nothing is stored or sent, and its id is not used up."""

    order: PlaceOrder


class CancelOrder(Message, frozen=True, kw_only=True, tag="cancel"):
    """Cancel one order by exactly one of its ids."""

    client_order_id: str | None = None
    exchange_order_id: str | None = None


class CancelAll(Message, frozen=True, kw_only=True, tag="cancel_all"):
    """Cancel every order of the account that is not final."""


class EndSession(Message, frozen=True, kw_only=True, tag="end_session"):
    """The client's session is over: cancel its orders with CANCEL_ON_DISCONNECT; a `CancelAllReply` says
    how many.

    The last word of the session: whoever submits it submits no order of the session after it.
    """

    session: str


class SetMode(Message, frozen=True, kw_only=True, tag="set_mode"):
    """Make the account active, reducing or halted; survives restarts."""

    mode: AccountMode


class Resolution(StrEnum):
    """What an operator may declare an order in doubt to be."""

    NEVER_REACHED = "NEVER_REACHED"  # REJECTED: it is not at the exchange
    CANCELED = "CANCELED"  # it was there and is closed; later fills still count
    WORKING = "WORKING"  # it is in the book


class ResolveOrder(Message, frozen=True, kw_only=True, tag="resolve"):
    """An operator's word on an order in doubt, or on one that waits for fills that do not come."""

    client_order_id: str
    resolution: Resolution


# Queries pass through the same inbox, so that nobody sees what might not survive.


class QueryOrder(Message, frozen=True, kw_only=True, tag="query_order"):
    """The current order; `account` may be empty: then the newest of that client id is meant."""

    client_order_id: str


class QueryOrders(Message, frozen=True, kw_only=True, tag="query_orders"):
    """Orders that are not final; `account` may be empty, meaning all."""


class QueryAttention(Message, frozen=True, kw_only=True, tag="query_attention"):
    """Orders an operator should look at: in doubt, unsettled past their deadline, cancels given up."""


class QueryBalances(Message, frozen=True, kw_only=True, tag="query_balances"):
    """Balances; `account` may be empty, meaning all."""


class QueryPositions(Message, frozen=True, kw_only=True, tag="query_positions"):
    """Positions that are not flat; `account` may be empty, meaning all. Spot accounts have none."""


class QueryAccounts(Message, frozen=True, kw_only=True, tag="query_accounts"):
    """State of the accounts; `account` may be empty, meaning all."""


class QueryReconciliation(Message, frozen=True, kw_only=True, tag="query_reconciliation"):
    """How accounts stand with their exchange; `account` may be empty, meaning all."""


class QueryInstruments(Message, frozen=True, kw_only=True, tag="query_instruments"):
    """Instruments of the account's exchange; `account` may be empty, meaning all."""


class QuerySnapshot(Message, frozen=True, kw_only=True, tag="query_snapshot"):
    """Open orders, balances and positions of one account, with the sequence as of which they hold."""


Request = (
    PlaceOrder
    | CheckOrder
    | CancelOrder
    | CancelAll
    | EndSession
    | SetMode
    | ResolveOrder
    | QueryOrder
    | QueryOrders
    | QueryAttention
    | QueryBalances
    | QueryPositions
    | QueryAccounts
    | QueryReconciliation
    | QueryInstruments
    | QuerySnapshot
)
