"""How the command on usage is spelled."""

from typing import Annotated

import typer

from fairlead.cli.keeping import ConfigFile, Data, Subscription, config_of, flags_of
from fairlead.cli.options import AsJson
from fairlead.core.requests import LOCAL

commands = typer.Typer()
_DAY = "YYYY-MM-DD"


@commands.command()
def usage(
    key: Annotated[
        str | None, typer.Option(help="Only this key's: its public id flk_…, or its label.")
    ] = None,
    account: Annotated[str | None, typer.Option(help="Only of this account.")] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar=_DAY, help="From this day on, of UTC.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar=_DAY, help="Until this day, and with it.")
    ] = None,
    subscription: Subscription = LOCAL,
    data: Data = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what keys have used by day and account: requests, orders, time connected."""
    from fairlead.commands import usage as work

    asked = work.Asked(key, account, first, last)
    work.usage(config_of(config_file), flags_of(data), subscription, asked, as_json=as_json)
