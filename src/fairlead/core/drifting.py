"""Drift: how far the exchange's statement is from our own bookkeeping as of the same event.

The statement is taken all the same; a drift that sweep after sweep finds anew means that something is
booked wrongly, and an operator is told.
"""

from decimal import Decimal

from fairlead.core import orphans
from fairlead.core.account import Account
from fairlead.core.deciding import Deciding


def is_comparable(deciding: Deciding, account: Account) -> bool:
    """Whether nothing is under way that one side may have counted and the other not."""
    return (
        account.is_loaded
        and not account.ledger.is_in_flight
        and not orphans.has_orphans(deciding, account.name)
    )


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
