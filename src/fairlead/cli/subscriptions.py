"""How the commands on subscriptions are spelled: subscriptions create, list."""

from typing import Annotated

import typer

from fairlead.cli.keeping import ConfigFile, Data, config_of, flags_of
from fairlead.cli.options import AsJson

commands = typer.Typer()
subscriptions = typer.Typer(
    help="Who has accounts, keys and orders of their own.", no_args_is_help=True
)
commands.add_typer(subscriptions, name="subscriptions")


@subscriptions.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="a-z, 0-9 and -: desk-2.")],
    data: Data = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a subscription; a running system that asks for keys serves it."""
    from fairlead.commands import subscriptions as work

    work.create(config_of(config_file), flags_of(data), name, as_json=as_json)


@subscriptions.command("list")
def list_subscriptions(
    data: Data = None, config_file: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Show every subscription, `local` first."""
    from fairlead.commands import subscriptions as work

    work.listed(config_of(config_file), flags_of(data), as_json=as_json)
