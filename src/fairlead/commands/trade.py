"""order, cancel, cancel-all: what changes something at an exchange.

An order is sent once, by the client library; when no answer comes it is asked about, and said as it is
known.
"""

import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from fairlead.client import ExecInst, NewOrder, OrderReport, Side, Status, calls
from fairlead.client.numbers import NS_PER_S, time_text
from fairlead.commands import lives, show
from fairlead.commands.ending import Ended, ExitCode
from fairlead.commands.progress import waiting
from fairlead.commands.system import System

TIMES_IN_FORCE = {
    "gtc": "GOOD_TILL_CANCEL",
    "gtt": "GOOD_TILL_TIME_EXCHANGE",
    "gtt-oms": "GOOD_TILL_TIME_OMS",
    "ioc": "IMMEDIATE_OR_CANCEL",
    "fok": "FILL_OR_KILL",
}
ANSWER_S = 10.0  # how long the outcome of sending is waited for, if not said
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """A new order as it was typed."""

    side: str
    quantity: str
    symbol: str
    price: str
    account: str
    time_in_force: str | None = None
    post_only: bool = False
    reduce_only: bool = False
    client_order_id: str | None = None
    expire: str | None = None


def new_order(ticket: Ticket) -> NewOrder:
    """Return the order for `ticket`; numbers stay as they were typed."""
    is_ours = re.fullmatch(r"[A-Z0-9]+_(SPOT|FTS|PERP|OPT)_.+", ticket.symbol)
    given = ticket.time_in_force or ("gtc" if ticket.expire is None else "gtt")
    name = ticket.client_order_id
    return NewOrder(
        exchange_id=ticket.account,
        client_order_id=f"cli-{secrets.token_hex(8)}" if name is None else name,
        symbol_id_coinapi=ticket.symbol if is_ours else None,
        symbol_id_exchange=None if is_ours else ticket.symbol,
        side=Side(ticket.side.upper()),
        time_in_force=time_in_force(given) or given,
        amount_order=ticket.quantity,
        price=ticket.price,
        expire_time=None if ticket.expire is None else moment(ticket.expire, time.time_ns()),
        exec_inst=tuple(_instructions(ticket)),
    )


def time_in_force(text: str) -> str | None:
    """Return the API's name of a time in force, typed short or as it is; None: it is none."""
    name = TIMES_IN_FORCE.get(text.lower(), text.upper())
    return name if name in (*TIMES_IN_FORCE.values(), "GOOD_TILL_TIME_OEML") else None


def _instructions(ticket: Ticket) -> Iterator[ExecInst]:
    if ticket.post_only:
        yield ExecInst.MAKER_OR_CANCEL
    if ticket.reduce_only:
        yield ExecInst.DO_NOT_INCREASE


def moment(text: str, now_ns: int) -> str:
    """Return a time of the API: `text` as it is, or from now for +30s, +5m, +2h, +1d."""
    match = re.fullmatch(r"([+-])([0-9]{1,9})([smhd])", text)
    if match is None:
        return text
    distance_ns = int(match[2]) * _UNITS_S[match[3]] * NS_PER_S
    return time_text(now_ns + distance_ns if match[1] == "+" else max(0, now_ns - distance_ns))


def ago(text: str, now_ns: int) -> str:
    """Return a time of the API: `text` as it is, or before now for 30s, 5m, 2h, 1d."""
    return moment(f"-{text}" if text[-1:] in _UNITS_S else text, now_ns)


# ── placing ──────────────────────────────────────────────────────────────────────────────────────


def order(system: System, ticket: Ticket, *, wait: bool, timeout_s: float | None) -> None:
    """Send one order and print its life; with `wait`, once it is final.

    Raises Ended when it was not accepted, is in doubt, or is not final in time.
    """
    placed = new_order(ticket)
    name, account = placed.client_order_id, placed.exchange_id

    def work() -> OrderReport:
        report = system.client.place_and_wait(placed, timeout_s or ANSWER_S)
        if wait and not report.is_final:
            with waiting(f"{name} of {account} is {report.status}; Ctrl-C ends the waiting only"):
                report = system.client.wait_until_final(name, account, timeout_s)
        return report

    with _saying(f"ask again with: fairlead status {name} --account {account}"):
        report = system.do(work)
    _tell(system, report)
    if report.status is Status.REJECTED:
        raise Ended(ExitCode.REFUSED, f"rejected: {report.error_message}")


def dry_run(system: System, ticket: Ticket) -> None:
    """Print what every check says of an order; nothing is sent. Raises Ended if it would not be."""
    made = system.do(calls.check(new_order(ticket)))
    if not system.is_told():
        show.print_table(lives.checks(made))
    if not made.would_be_sent:
        failed = next((each for each in made.checks if each.result == "FAILED"), None)
        why = "a check could not be made" if failed is None else f"{failed.check}: {failed.message}"
        raise Ended(ExitCode.REFUSED, f"it would not be sent: {why}")
    if not system.as_json:
        show.out("it would be sent")


# ── cancelling ───────────────────────────────────────────────────────────────────────────────────

_CANCEL_AGAIN = "look with: fairlead orders, and cancel again if need be, which does no harm"


def cancel(
    system: System,
    account: str,
    client_order_id: str | None,
    exchange_order_id: str | None,
    *,
    is_all: bool = False,
) -> None:
    """Cancel one order by one of its ids. Raises Ended."""
    if sum((client_order_id is not None, exchange_order_id is not None, is_all)) != 1:
        raise Ended(ExitCode.USAGE, "give exactly one of: ID, --exchange-order-id ID, --all")
    with _saying(_CANCEL_AGAIN):
        report = system.do(calls.cancel(account, client_order_id, exchange_order_id))
    _tell(system, report)


def cancel_all(system: System, account: str) -> None:
    """Cancel every order of an account that is not final. Raises Ended."""
    with _saying(_CANCEL_AGAIN):
        requested = system.do(calls.cancel_all(account))
    if not system.is_told():
        show.out(f"{account}: {requested.message}")


def _tell(system: System, report: OrderReport) -> None:
    if not system.is_told():
        for line in lives.life(report):
            show.out(line)


@contextmanager
def _saying(advice: str) -> Iterator[None]:
    """Add what to do next to what is not known yet."""
    try:
        yield
    except Ended as ended:
        if ended.code not in (ExitCode.UNKNOWN, ExitCode.NOT_YET):
            raise
        raise Ended(ended.code, f"{ended.text}; {advice}") from None
