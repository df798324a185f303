"""How the commands that trade are spelled: order, cancel, cancel-all."""

from enum import StrEnum
from typing import Annotated

import typer

from fairlead.cli.completing import symbols
from fairlead.cli.options import (
    Account,
    AnyAccount,
    MaybeAccountName,
    MaybeOrderId,
    Where,
    checked_expiry,
    checked_number,
    of_a_system,
)

commands = typer.Typer()


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


def _checked_tif(value: str | None) -> str | None:
    """Return a time in force as it was typed; raises BadParameter."""
    from fairlead.commands.trade import TIMES_IN_FORCE, time_in_force

    if value is not None and time_in_force(value) is None:
        names = ", ".join(f"{short} ({name})" for short, name in TIMES_IN_FORCE.items())
        raise typer.BadParameter(f"{value!r} is not one of: {names}.")
    return value


@commands.command()
@of_a_system
def order(
    where: Where,
    side: Annotated[Side, typer.Argument(case_sensitive=False)],
    quantity: str,
    symbol: Annotated[
        str,
        typer.Argument(
            help="SIM_SPOT_BTC_USDT, or the exchange's: BTC/USDT.", autocompletion=symbols
        ),
    ],
    price: str,
    account: Account = "SIM",
    tif: Annotated[
        str | None,
        typer.Option(callback=_checked_tif, help="gtc (default), gtt, gtt-oms, ioc or fok."),
    ] = None,
    expire: Annotated[
        str | None,
        typer.Option(callback=checked_expiry, help="A UTC time, or from now: +30s, +5m, +2h, +1d."),
    ] = None,
    post_only: Annotated[
        bool, typer.Option("--post-only", help="Reject rather than take from the book.")
    ] = False,
    reduce_only: Annotated[
        bool,
        typer.Option("--reduce-only", help="Reject or cancel what would not close a position."),
    ] = False,
    order_id: Annotated[
        str | None, typer.Option("--id", help="Your id for it; the same id is placed once.")
    ] = None,
    is_waiting: Annotated[
        bool, typer.Option("--wait", help="Wait until it is filled, canceled or rejected.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.1,
            callback=checked_number,
            help="How long to wait for its outcome (10), or with --wait for its end (no limit).",
        ),
    ] = None,
    is_dry: Annotated[
        bool, typer.Option("--dry-run", help="Show every check's result; send nothing.")
    ] = False,
) -> None:
    """Send one limit order and show what became of it."""
    from fairlead.commands import trade

    ticket = trade.Ticket(
        side=side,
        quantity=quantity,
        symbol=symbol,
        price=price,
        account=account,
        time_in_force=tif,
        post_only=post_only,
        reduce_only=reduce_only,
        client_order_id=order_id,
        expire=expire,
    )
    system = where.system()
    if is_dry:
        trade.dry_run(system, ticket)
    else:
        trade.order(system, ticket, wait=is_waiting, timeout_s=timeout)


@commands.command()
@of_a_system
def cancel(
    where: Where,
    order_id: MaybeOrderId = None,
    account: Account = "SIM",
    exchange_order_id: Annotated[str | None, typer.Option(help="The exchange's id for it.")] = None,
    is_all: Annotated[bool, typer.Option("--all", help="As cancel-all.")] = False,
) -> None:
    """Cancel one order, by your id for it or the exchange's."""
    from fairlead.commands import trade

    system = where.system()
    if is_all and order_id is None and exchange_order_id is None:
        trade.cancel_all(system, account)
    else:
        trade.cancel(system, account, order_id, exchange_order_id, is_all=is_all)


@commands.command()
@of_a_system
def cancel_all(
    where: Where,
    named: MaybeAccountName = None,
    account: AnyAccount = None,
) -> None:
    """Cancel every order of an account; without one, of SIM."""
    from fairlead.commands import trade

    if named is not None and account not in (None, named):
        text = f"{named} and --account {account} are two accounts; give one"
        raise typer.BadParameter(text, param_hint="ACCOUNT")
    account = account if named is None else named
    trade.cancel_all(where.system(), "SIM" if account is None else account)
