"""How faults are spelled: what the simulated exchange does wrong on command."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from fairlead.cli.options import AsJson, DataOf
from fairlead.commands.ending import Ended, ExitCode

if TYPE_CHECKING:
    from fairlead.commands.system import System

commands = typer.Typer()
faults = typer.Typer(help="What the simulated exchange does wrong on command.")
commands.add_typer(faults, name="faults", invoke_without_command=True)

OperatorUrl = Annotated[
    str | None,
    typer.Option("--operator-url", help="The exchange's operator address; else --data's."),
]


@faults.callback(invoke_without_command=True)
def _faults(
    context: typer.Context,
    as_json: AsJson = False,
    operator_url: OperatorUrl = None,
    data: DataOf = None,
) -> None:
    """List, set and clear what the simulated exchange does wrong on command."""
    if context.invoked_subcommand is None:
        list_faults(as_json, operator_url, data)
    elif as_json or operator_url or data:
        raise Ended(ExitCode.USAGE, f"give options after faults {context.invoked_subcommand}")


@faults.command("list")
def list_faults(
    as_json: AsJson = False, operator_url: OperatorUrl = None, data: DataOf = None
) -> None:
    """List the faults that can still bite."""
    from fairlead.commands import faulting

    faulting.listed(_operator(operator_url, data, as_json))


@faults.command()
def kinds(as_json: AsJson = False, operator_url: OperatorUrl = None, data: DataOf = None) -> None:
    """List every kind of fault, and what it takes."""
    from fairlead.commands import faulting

    faulting.kinds(_operator(operator_url, data, as_json))


@faults.command("set")
def set_fault(
    name: Annotated[str, typer.Argument(metavar="KIND", help="See faults kinds.")],
    parameters: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="requests=place,cancel count=3 skip=1 …"),
    ] = None,
    as_json: AsJson = False,
    operator_url: OperatorUrl = None,
    data: DataOf = None,
) -> None:
    """Command a fault."""
    from fairlead.commands import faulting

    faulting.commanded(_operator(operator_url, data, as_json), name, parameters or [])


@faults.command()
def clear(
    fault_id: Annotated[
        int | None, typer.Argument(metavar="[FAULT]", help="Its number; else all.", min=1)
    ] = None,
    as_json: AsJson = False,
    operator_url: OperatorUrl = None,
    data: DataOf = None,
) -> None:
    """End one fault, or all, and show again what they hid."""
    from fairlead.commands import faulting

    faulting.cleared(_operator(operator_url, data, as_json), fault_id)


def _operator(url: str | None, data: str | None, as_json: bool) -> "System":
    from fairlead.commands.system import find_operator

    return find_operator(url, data, os.environ, as_json=as_json)
