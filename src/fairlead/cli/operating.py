"""How the commands of operators are spelled: reconciliation, in-doubt, halt, …"""

from typing import TYPE_CHECKING, Annotated

import typer

from fairlead.cli.options import Account, AccountName, AnyAccount, OrderId, Where, of_a_system
from fairlead.commands.ending import Ended, ExitCode

if TYPE_CHECKING:
    from fairlead.commands.system import System

commands = typer.Typer()
in_doubt = typer.Typer(help="Orders that need an operator: in doubt, unsettled, cancels given up.")
commands.add_typer(in_doubt, name="in-doubt", invoke_without_command=True)


@commands.command()
@of_a_system
def reconciliation(
    where: Where,
    account: AnyAccount = None,
) -> None:
    """Show through which trade each account is reconciled, its last sweep, and its drifts."""
    from fairlead.commands import operate

    operate.reconciliation(where.system(), account)


@in_doubt.callback(invoke_without_command=True)
@of_a_system
def _in_doubt(
    where: Where,
    context: typer.Context,
) -> None:
    """List the orders that need an operator: in doubt, unsettled, cancels given up."""
    if context.invoked_subcommand is None:
        _attention(where)
    elif where.is_said:
        raise Ended(ExitCode.USAGE, f"give options after in-doubt {context.invoked_subcommand}")


@in_doubt.command("list")
@of_a_system
def list_in_doubt(
    where: Where,
) -> None:
    """List them, saying what is the matter."""
    _attention(where)


@in_doubt.command()
@of_a_system
def resolve(
    where: Where,
    order_id: OrderId,
    resolution: Annotated[str, typer.Argument(help="never-reached, canceled or working.")],
    account: Account = "SIM",
) -> None:
    """Declare what became of an order, having looked at the exchange."""
    from fairlead.commands import operate

    operate.resolve(where.system(), account, order_id, resolution)


@commands.command()
@of_a_system
def halt(
    where: Where,
    account: AccountName,
) -> None:
    """Let an account only cancel; its open orders stay."""
    _set_mode(account, "HALTED", where.system())


@commands.command("reduce")
@of_a_system
def reduce_(
    where: Where,
    account: AccountName,
) -> None:
    """Let an account only send orders that reduce."""
    _set_mode(account, "REDUCING", where.system())


@commands.command()
@of_a_system
def resume(
    where: Where,
    account: AccountName,
) -> None:
    """Let an account trade again."""
    _set_mode(account, "ACTIVE", where.system())


def _set_mode(account: str, mode: str, system: "System") -> None:
    from fairlead.client import AccountMode
    from fairlead.commands import operate

    operate.set_mode(system, account, AccountMode(mode))


def _attention(where: Where) -> None:
    from fairlead.commands import operate

    operate.attention(where.system())
