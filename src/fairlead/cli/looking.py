"""How the commands that look are spelled: status, orders, history, fills, balances, positions, …"""

from typing import Annotated

import typer

from fairlead.cli.options import (
    AnyAccount,
    AsJson,
    CaFile,
    DataOf,
    MaybeOrderId,
    OrderId,
    Refresh,
    Shown,
    Url,
    system_of,
)
from fairlead.commands.ending import Ended, ExitCode

commands = typer.Typer()

Since = Annotated[str, typer.Option(help="A UTC time, or 30s, 5m, 2h, 1d ago.")]


@commands.command()
def status(
    order_id: OrderId,
    account: AnyAccount = None,
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
    ca_file: CaFile = None,
    certificate: Shown = None,
) -> None:
    """Show an order's whole story: every report about it, with the time each took."""
    from fairlead.commands import look

    look.status(system_of(url, data, as_json, ca_file, certificate), order_id, account)


@commands.command()
def orders(
    order_id: MaybeOrderId = None,
    account: AnyAccount = None,
    since: Annotated[str | None, typer.Option(help="As history --since.")] = None,
    refresh: Refresh = None,
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
    ca_file: CaFile = None,
    certificate: Shown = None,
) -> None:
    """Show the open orders; with ID as status, with --since as history."""
    from fairlead.commands import look

    if sum(each is not None for each in (order_id, since, refresh)) > 1:
        raise Ended(ExitCode.USAGE, "give at most one of: ID, --since, --refresh")
    system = system_of(url, data, as_json, ca_file, certificate)
    if order_id is not None:
        look.status(system, order_id, account)
    elif since is not None:
        look.history(system, account, since, None)
    else:
        look.orders(system, account, refresh)


@commands.command()
def history(
    account: AnyAccount = None,
    since: Since = "1d",
    until: Annotated[str | None, typer.Option(help="Likewise; else now.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
    ca_file: CaFile = None,
    certificate: Shown = None,
) -> None:
    """Show the orders that changed since a time, ended ones too; 1d ago if not said."""
    from fairlead.commands import look

    look.history(system_of(url, data, as_json, ca_file, certificate), account, since, until)


@commands.command()
def fills(
    account: AnyAccount = None,
    since: Since = "1d",
    limit: Annotated[int, typer.Option(help="At most so many, the newest.", min=1)] = 1_000,
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
    ca_file: CaFile = None,
    certificate: Shown = None,
) -> None:
    """Show the newest fills since a time, oldest first; 1d ago if not said."""
    from fairlead.commands import look

    look.fills(system_of(url, data, as_json, ca_file, certificate), account, since, limit)


@commands.command()
def balances(
    account: AnyAccount = None,
    refresh: Refresh = None,
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
    ca_file: CaFile = None,
    certificate: Shown = None,
) -> None:
    """Show what the accounts have."""
    from fairlead.commands import look

    look.balances(system_of(url, data, as_json, ca_file, certificate), account, refresh)


@commands.command()
def positions(
    account: AnyAccount = None,
    refresh: Refresh = None,
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
    ca_file: CaFile = None,
    certificate: Shown = None,
) -> None:
    """Show the accounts' positions."""
    from fairlead.commands import look

    look.positions(system_of(url, data, as_json, ca_file, certificate), account, refresh)


@commands.command()
def watch(
    account: AnyAccount = None,
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
    ca_file: CaFile = None,
    certificate: Shown = None,
) -> None:
    """Watch orders, fills, balances and positions as they change, until Ctrl-C."""
    from fairlead.commands import watch

    watch.watch(system_of(url, data, as_json, ca_file, certificate), account)


@commands.command()
def instruments(
    account: AnyAccount = None,
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
    ca_file: CaFile = None,
    certificate: Shown = None,
) -> None:
    """Show the markets and the rules that orders in them must keep."""
    from fairlead.commands import look

    look.instruments(system_of(url, data, as_json, ca_file, certificate), account)
