"""How the commands that keep a system are spelled: backup, restore."""

import os
from pathlib import Path
from typing import Annotated

import typer

from fairlead.cli.options import AsJson

commands = typer.Typer()

Data = Annotated[Path, typer.Option(help="The data folder; it may be running.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="A TOML file of settings.")]


@commands.command()
def backup(
    target: Annotated[
        Path, typer.Argument(metavar="TARGET", help="A new folder, or a new file NAME.tar.")
    ],
    data: Data = Path("data"),
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Back a data folder up, also that of a running system."""
    from fairlead.commands.backup import taking

    taking.backup(data, target, _config_file(config), as_json=as_json)


@commands.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="BACKUP", help="What `backup` wrote.")],
    data: Annotated[Path, typer.Option(help="The folder to make, new or empty.")],
    as_json: AsJson = False,
) -> None:
    """Make a data folder from a backup, checked and verified."""
    from fairlead.commands.backup import restoring

    restoring.restore(source, data, as_json=as_json)


def _config_file(flag: Path | None) -> Path | None:
    named = os.environ.get("FAIRLEAD_CONFIG")
    return flag or (Path(named) if named else None)
