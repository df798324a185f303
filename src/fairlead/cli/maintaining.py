"""How the commands that keep a system are spelled: doctor, config show, backup, restore."""

import os
from pathlib import Path
from typing import Annotated

import typer

from fairlead.cli.options import AsJson

commands = typer.Typer()
config = typer.Typer(help="What is set, and where it comes from.", no_args_is_help=True)
commands.add_typer(config, name="config")

Data = Annotated[Path, typer.Option(help="The data folder; it may be running.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="A TOML file of settings.")]


@commands.command()
def doctor(
    data: Annotated[str | None, typer.Option(help="The data folder to look at.")] = None,
    config_file: ConfigFile = None,
    is_full: Annotated[
        bool, typer.Option("--full", help="Verify all of the journal, not only its end.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look for what would keep a system from working, and say what to do; 1 if there is any."""
    from fairlead.commands.doctor import packages
    from fairlead.commands.doctor.telling import tell

    try:
        from fairlead.commands.doctor import examine
    except ModuleNotFoundError:  # of a package that is missing nothing else can be looked at
        tell(list(packages.installed()), as_json=as_json)
        raise
    flags = {} if data is None else {"data": data}
    file = _config_file(config_file)
    examine.doctor(file, os.environ, flags, is_full=is_full, as_json=as_json)


@config.command("show", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def show_config(
    context: typer.Context,
    config_file: ConfigFile = None,
    is_changed_only: Annotated[
        bool, typer.Option("--changed", help="Only what is not its default.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show every setting, its value and where that comes from; takes the flags of `up` too."""
    from fairlead.commands import settings

    settings.show_config(
        _config_file(config_file),
        os.environ,
        context.args,
        is_changed_only=is_changed_only,
        as_json=as_json,
    )


@commands.command()
def backup(
    target: Annotated[
        Path, typer.Argument(metavar="TARGET", help="A new folder, or a new file NAME.tar.")
    ],
    data: Data = Path("data"),
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Back a data folder up, also that of a running system."""
    from fairlead.commands.backup import taking

    taking.backup(data, target, _config_file(config_file), as_json=as_json)


@commands.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="BACKUP", help="What `backup` wrote.")],
    data: Annotated[Path, typer.Option(help="The folder to make, new or empty.")],
    config_file: Annotated[
        Path | None,
        typer.Option("--config", help="Settings: an empty database by control.url is filled."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a data folder from a backup, checked and verified."""
    from fairlead.commands.backup import restoring

    restoring.restore(source, data, _config_file(config_file), as_json=as_json)


def _config_file(flag: Path | None) -> Path | None:
    named = os.environ.get("FAIRLEAD_CONFIG")
    return flag or (Path(named) if named else None)
