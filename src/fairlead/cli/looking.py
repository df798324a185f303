"""How the commands that look are spelled: status, orders, history, fills, balances, positions, …"""

from typing import Annotated

import typer

from fairlead.cli.options import (
    AnyAccount,
    MaybeOrderId,
    OrderId,
    Refresh,
    Where,
    checked_since,
    of_a_system,
)
from fairlead.commands.ending import Ended, ExitCode

commands = typer.Typer()

Since = Annotated[
    str, typer.Option(callback=checked_since, help="A UTC time, or 30s, 5m, 2h, 1d ago.")
]


@commands.command()
@of_a_system
def status(
    where: Where,
    order_id: OrderId,
    account: AnyAccount = None,
) -> None:
    """Show an order's whole story: every report about it, with the time each took."""
    from fairlead.commands import look

    look.status(where.system(), order_id, account)


@commands.command()
@of_a_system
def orders(
    where: Where,
    order_id: MaybeOrderId = None,
    account: AnyAccount = None,
    since: Annotated[
        str | None, typer.Option(callback=checked_since, help="As history --since.")
    ] = None,
    refresh: Refresh = None,
) -> None:
    """Show the open orders; with ID as status, with --since as history."""
    from fairlead.commands import look

    if sum(each is not None for each in (order_id, since, refresh)) > 1:
        raise Ended(ExitCode.USAGE, "give at most one of: ID, --since, --refresh")
    system = where.system()
    if order_id is not None:
        look.status(system, order_id, account)
    elif since is not None:
        look.history(system, account, since, None)
    else:
        look.orders(system, account, refresh)


@commands.command()
@of_a_system
def history(
    where: Where,
    account: AnyAccount = None,
    since: Since = "1d",
    until: Annotated[
        str | None, typer.Option(callback=checked_since, help="Likewise; else now.")
    ] = None,
) -> None:
    """Show the orders that changed since a time, ended ones too; 1d ago if not said."""
    from fairlead.commands import look

    look.history(where.system(), account, since, until)


@commands.command()
@of_a_system
def fills(
    where: Where,
    account: AnyAccount = None,
    since: Since = "1d",
    limit: Annotated[int, typer.Option(help="At most so many, the newest.", min=1)] = 1_000,
) -> None:
    """Show the newest fills since a time, oldest first; 1d ago if not said."""
    from fairlead.commands import look

    look.fills(where.system(), account, since, limit)


@commands.command()
@of_a_system
def balances(
    where: Where,
    account: AnyAccount = None,
    refresh: Refresh = None,
) -> None:
    """Show what the accounts have."""
    from fairlead.commands import look

    look.balances(where.system(), account, refresh)


@commands.command()
@of_a_system
def positions(
    where: Where,
    account: AnyAccount = None,
    refresh: Refresh = None,
) -> None:
    """Show the accounts' positions."""
    from fairlead.commands import look

    look.positions(where.system(), account, refresh)


@commands.command()
@of_a_system
def watch(
    where: Where,
    account: AnyAccount = None,
) -> None:
    """Watch orders, fills, balances and positions as they change, until Ctrl-C."""
    from fairlead.commands import watch

    watch.watch(where.system(), account)


@commands.command()
@of_a_system
def instruments(
    where: Where,
    account: AnyAccount = None,
) -> None:
    """Show the markets and the rules that orders in them must keep."""
    from fairlead.commands import look

    look.instruments(where.system(), account)
