"""How the commands on accounts are spelled: accounts, accounts list, set, delete."""

from pathlib import Path
from typing import Annotated

import typer

from fairlead.cli.keeping import ConfigFile, Data, Subscription, config_of, flags_of
from fairlead.cli.options import AsJson, Where, of_a_system
from fairlead.commands.ending import Ended, ExitCode
from fairlead.core.requests import LOCAL

commands = typer.Typer()
accounts = typer.Typer(
    help="Logins at exchanges: without a command whether they are reconciled.",
    invoke_without_command=True,
)
commands.add_typer(accounts, name="accounts")

Name = Annotated[str, typer.Argument(metavar="EXCHANGE_ID", help="SIM, or with a tag SIM/ALICE.")]
Names = Annotated[
    list[str] | None, typer.Argument(metavar="[EXCHANGE_ID]...", help="All of them, or none.")
]


@accounts.callback()
@of_a_system
def states(where: Where, context: typer.Context) -> None:
    """Show the accounts and whether they are reconciled."""
    if context.invoked_subcommand is None:
        from fairlead.commands import operate

        operate.accounts(where.system())
    elif where.is_said:
        raise Ended(ExitCode.USAGE, f"give options after accounts {context.invoked_subcommand}")


@accounts.command("list")
def list_accounts(
    subscription: Subscription = LOCAL,
    data: Data = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the accounts that are kept, whether the system runs or not; secrets masked."""
    from fairlead.commands import accounts as work

    work.listed(config_of(config_file), flags_of(data), subscription, as_json=as_json)


@accounts.command("set")
def set_account(
    name: Name,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A file of parameters, else standard input: NAME=VALUE lines."),
    ] = None,
    subscription: Subscription = LOCAL,
    data: Data = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Add an account or replace all its parameters; a running system connects it at once."""
    from fairlead.commands import accounts as work

    chosen = config_of(config_file)
    work.put(chosen, flags_of(data), subscription, name, source, as_json=as_json)


@accounts.command("delete")
def delete(
    names: Names = None,
    is_all: Annotated[bool, typer.Option("--all", help="Every account there is.")] = False,
    subscription: Subscription = LOCAL,
    data: Data = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Erase accounts' credentials and close their connections; open orders stay at the exchange."""
    from fairlead.commands import accounts as work

    wanted = None if is_all else names or []
    work.delete(config_of(config_file), flags_of(data), subscription, wanted, as_json=as_json)
