"""Drift: how far the exchange's statement is from our own bookkeeping as of the same event.

The statement is taken all the same; a drift that sweep after sweep finds anew means that something is
booked wrongly, and an operator is told.
"""

from decimal import Decimal

from fairlead.core import orphans
from fairlead.core.account import Account
from fairlead.core.deciding import Deciding
from fairlead.core.model import Order
from fairlead.core.order import missing_quantity


def is_comparable(deciding: Deciding, account: Account, *, is_swept: bool) -> bool:
    """Whether nothing is under way that one side may have counted and the other not.

    Fills known to be missing are looked for in a sweep only: no other statement counts for staying,
    and the stream brings too many to go through the orders each time.
    """
    return (
        account.is_loaded
        and not account.ledger.is_in_flight
        and not orphans.has_orphans(deciding, account.name)
        and not (is_swept and any(map(_is_fill_awaited, deciding.orders.of_account(account.name))))
    )


def _is_fill_awaited(order: Order) -> bool:
    """Whether a fill is known to be missing, and not for so long that somebody was told."""
    return missing_quantity(order) and order.attention is None


def measure_drift(
    deciding: Deciding,
    account: Account,
    name: str,
    drift: Decimal,
    *,
    is_position: bool = False,
    is_swept: bool,
) -> None:
    """Take note of a drift; raise an alarm once it stays."""
    most = deciding.settings.drift_sweeps_most
    if account.drifts.measure(
        name, drift, is_position=is_position, is_swept=is_swept, sweeps_most=most
    ):
        what = "position in" if is_position else "balance of"
        text = (
            f"the {what} {name} was {drift:+f} from our bookkeeping at the exchange, and not the same"
            f" in {most} sweeps in a row; the exchange's figure is taken"
        )
        deciding.alarm(account, "drift_stays", None, text)
