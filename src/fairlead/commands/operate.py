"""accounts, reconciliation, in-doubt, halt, reduce, resume: what an operator asks and says."""

from typing import Any, cast

from fairlead.client import AccountMode, calls
from fairlead.client.shapes import Account, Reconciliation, Resolution
from fairlead.commands import lives, show
from fairlead.commands.ending import Ended, ExitCode
from fairlead.commands.show import number
from fairlead.commands.system import System

RESOLUTIONS = {
    "never-reached": "NEVER_REACHED",
    "canceled": "CANCELED",
    "working": "WORKING",
}
_ACCOUNT_COLUMNS = show.columns(
    "account", "mode", "state", "open#", "in doubt#", "sequence#", "reconciled"
)
_RECONCILIATION_COLUMNS = show.columns(
    *("account", "state", "through trade", "age#", "last sweep", "why", "took ms#", "found"),
    *("sweeps#", "failed#"),
)
_DRIFT_COLUMNS = show.columns("account", "drift of", "is#", "sweeps#", "")


def accounts(system: System) -> None:
    """Print every account's state. Raises Ended."""
    states = system.do(calls.accounts())
    if system.is_told():
        return
    rows = [
        [
            state.exchange_id,
            state.mode,
            account_state(state),
            str(state.orders_open),
            str(state.orders_in_doubt),
            str(state.sequence),
            show.short_time(state.reconciled_time or "never"),
        ]
        for state in states
    ]
    show.table(_ACCOUNT_COLUMNS, rows, "no accounts")


def account_state(state: Account | Reconciliation) -> str:
    """Return one account's connection in words."""
    return state.trouble or "reconciled"


# ── reconciliation ───────────────────────────────────────────────────────────────────────────────


def reconciliation(system: System, account: str | None) -> None:
    """Print how the accounts stand with their exchanges, and what does not agree. Raises Ended."""
    stands = system.do(calls.reconciliation(account))
    if system.is_told():
        return
    show.table(_RECONCILIATION_COLUMNS, [_stand_row(each) for each in stands], "no accounts")
    drifts = [
        [
            each.exchange_id,
            drift.id,
            number(drift.drift),
            str(drift.sweeps),
            "stays: an operator should look" if drift.stays else "",
        ]
        for each in stands
        for drift in each.drifts
    ]
    if drifts:
        show.out()
        show.table(_DRIFT_COLUMNS, drifts, "")


def _stand_row(stand: Reconciliation) -> list[str]:
    sweep = stand.last_sweep
    return [
        stand.exchange_id,
        account_state(stand),
        stand.reconciled_trade_id or "-",
        show.age(stand.reconciled_age_ms),
        "never" if sweep is None else show.short_time(sweep.time),
        "-" if sweep is None else sweep.cause,
        "-" if sweep is None else str(sweep.duration_ms),
        _found(stand),
        str(stand.sweeps_succeeded),
        str(stand.sweeps_failed),
    ]


def _found(stand: Reconciliation) -> str:
    """Return what the last sweep found that we did not know."""
    sweep = stand.last_sweep
    if sweep is None:
        return "-"
    if not sweep.succeeded:
        return f"failed: {sweep.trouble}"
    found = sweep.found
    counts = {
        "orders adopted": found.orders_adopted,
        "orders asked about": found.orders_asked,
        "fills booked": found.fills_booked,
        "balances moved": found.balances_moved,
        "positions moved": found.positions_moved,
    }
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing new"


# ── what needs an operator ───────────────────────────────────────────────────────────────────────


def attention(system: System) -> None:
    """Print the orders that need an operator, and what is the matter. Raises Ended."""
    found = system.do(calls.attention())
    if system.is_told():
        return
    columns = (show.Column("what is the matter"), *lives.ORDER_COLUMNS)
    rows = [[each.trouble, *lives.order_row(each.order)] for each in found]
    show.table(columns, rows, "no order needs attention")


def resolve(system: System, account: str, client_order_id: str, resolution: str) -> None:
    """Declare what became of an order. Raises Ended."""
    meant = RESOLUTIONS.get(resolution.lower().replace("_", "-"))
    if meant is None:
        right = ", ".join(RESOLUTIONS)
        raise Ended(ExitCode.USAGE, f"resolution {resolution} is not one of {right}")
    _told(system, calls.resolve(account, client_order_id, cast(Resolution, meant)))
    if not system.is_told():
        show.out(f"{client_order_id} of {account} resolved as {meant}")


def set_mode(system: System, account: str, mode: AccountMode) -> None:
    """Make an account active, reducing or halted. Raises Ended."""
    _told(system, calls.set_mode(account, mode))
    if not system.is_told():
        show.out(f"{account} is {mode}")


def _told(system: System, call: calls.Call[Any]) -> None:
    try:
        system.do(call)
    except Ended as ended:
        if ended.code is not ExitCode.UNKNOWN:
            raise
        text = (
            f"{ended.text}; it may have been done: look with: fairlead accounts, and say it again"
        )
        raise Ended(ended.code, text) from None
