"""How the commands of operators are spelled: reconciliation, in-doubt, halt, …"""

from typing import TYPE_CHECKING, Annotated

import typer

from fairlead.cli.options import (
    Account,
    AccountName,
    AnyAccount,
    AsJson,
    CaFile,
    DataOf,
    OrderId,
    Shown,
    Url,
    system_of,
)
from fairlead.commands.ending import Ended, ExitCode

if TYPE_CHECKING:
    from fairlead.commands.system import System

commands = typer.Typer()
in_doubt = typer.Typer(help="Orders that need an operator: in doubt, unsettled, cancels given up.")
commands.add_typer(in_doubt, name="in-doubt", invoke_without_command=True)


@commands.command()
def reconciliation(
    account: AnyAccount = None,
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
    ca_file: CaFile = None,
    certificate: Shown = None,
) -> None:
    """Show through which trade each account is reconciled, its last sweep, and its drifts."""
    from fairlead.commands import operate

    operate.reconciliation(system_of(url, data, as_json, ca_file, certificate), account)


@in_doubt.callback(invoke_without_command=True)
def _in_doubt(
    context: typer.Context,
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
    ca_file: CaFile = None,
    certificate: Shown = None,
) -> None:
    """List the orders that need an operator: in doubt, unsettled, cancels given up."""
    if context.invoked_subcommand is None:
        list_in_doubt(as_json, url, data, ca_file, certificate)
    elif as_json or url or data or ca_file or certificate:
        raise Ended(ExitCode.USAGE, f"give options after in-doubt {context.invoked_subcommand}")


@in_doubt.command("list")
def list_in_doubt(
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
    ca_file: CaFile = None,
    certificate: Shown = None,
) -> None:
    """List them, saying what is the matter."""
    from fairlead.commands import operate

    operate.attention(system_of(url, data, as_json, ca_file, certificate))


@in_doubt.command()
def resolve(
    order_id: OrderId,
    resolution: Annotated[str, typer.Argument(help="never-reached, canceled or working.")],
    account: Account = "SIM",
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
    ca_file: CaFile = None,
    certificate: Shown = None,
) -> None:
    """Declare what became of an order, having looked at the exchange."""
    from fairlead.commands import operate

    operate.resolve(
        system_of(url, data, as_json, ca_file, certificate), account, order_id, resolution
    )


@commands.command()
def halt(
    account: AccountName,
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
    ca_file: CaFile = None,
    certificate: Shown = None,
) -> None:
    """Let an account only cancel; its open orders stay."""
    _set_mode(account, "HALTED", system_of(url, data, as_json, ca_file, certificate))


@commands.command("reduce")
def reduce_(
    account: AccountName,
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
    ca_file: CaFile = None,
    certificate: Shown = None,
) -> None:
    """Let an account only send orders that reduce."""
    _set_mode(account, "REDUCING", system_of(url, data, as_json, ca_file, certificate))


@commands.command()
def resume(
    account: AccountName,
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
    ca_file: CaFile = None,
    certificate: Shown = None,
) -> None:
    """Let an account trade again."""
    _set_mode(account, "ACTIVE", system_of(url, data, as_json, ca_file, certificate))


def _set_mode(account: str, mode: str, system: "System") -> None:
    from fairlead.client import AccountMode
    from fairlead.commands import operate

    operate.set_mode(system, account, AccountMode(mode))
