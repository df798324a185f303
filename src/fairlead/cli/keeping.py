"""How the commands of the control plane are spelled: vault, audit."""

import os
from pathlib import Path
from typing import Annotated

import typer

from fairlead.cli.options import AsJson
from fairlead.core.requests import LOCAL

commands = typer.Typer()
vault = typer.Typer(help="The key that locks stored secrets.", no_args_is_help=True)
audit = typer.Typer(help="Who did what.", no_args_is_help=True)
commands.add_typer(vault, name="vault")
commands.add_typer(audit, name="audit")

Data = Annotated[str | None, typer.Option(help="The data folder; it may be running.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="A TOML file of settings.")]
Subscription = Annotated[
    str, typer.Option("--subscription", help="Whose, see `fairlead subscriptions list`.")
]


@vault.command("rotate")
def rotate_vault(
    data: Data = None, config_file: ConfigFile = None, as_json: AsJson = False
) -> None:
    """Make a new key-encryption key and lock everything by it; goes on where it was interrupted."""
    from fairlead.commands import keeping

    keeping.rotate_vault(config_of(config_file), flags_of(data), as_json=as_json)


@audit.command("verify")
def verify_audit(
    subscription: Subscription = LOCAL,
    data: Data = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Find rows that were changed, taken out, added or cut off; 1 if there are any."""
    from fairlead.commands import keeping

    keeping.verify_audit(config_of(config_file), flags_of(data), subscription, as_json=as_json)


@audit.command("list")
def list_audit(
    subscription: Subscription = LOCAL,
    data: Data = None,
    config_file: ConfigFile = None,
    last: Annotated[int, typer.Option(min=1, max=100_000, help="So many, from the end.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show the last rows: who, when, from where, what, and whether it was refused."""
    from fairlead.commands import keeping

    keeping.list_audit(config_of(config_file), flags_of(data), subscription, last, as_json=as_json)


def flags_of(data: str | None) -> dict[str, object]:
    """Return the settings that the flags give."""
    return {} if data is None else {"data": data}


def config_of(flag: Path | None) -> Path | None:
    """Return the configuration file that is named."""
    named = os.environ.get("FAIRLEAD_CONFIG")
    return flag or (Path(named) if named else None)
