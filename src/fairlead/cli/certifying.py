"""How the commands for certificates are spelled: tls init, tls client, tls revoke."""

import os
from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer()
tls = typer.Typer(help="The private authority and its certificates.", no_args_is_help=True)
commands.add_typer(tls, name="tls")

Data = Annotated[
    str | None, typer.Option(help="The data folder; the certificates are in `tls` there.")
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="A TOML file of settings.")]


@tls.command()
def init(
    data: Data = None,
    config: ConfigFile = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="A host name or address the server is reached by (repeat it)."),
    ] = None,
) -> None:
    """Make an authority and the server's certificate; again: what of them is due."""
    from fairlead.commands import certificates

    certificates.init(_config_file(config), os.environ, _flags(data), name or [])


@tls.command()
def client(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="Whom the certificate names.")],
    output: Annotated[Path, typer.Option(help="A new file for key and certificate.")],
    data: Data = None,
    config: ConfigFile = None,
) -> None:
    """Issue a client certificate with a new key, valid for 90 days."""
    from fairlead.commands import certificates

    certificates.client(_config_file(config), os.environ, _flags(data), key_id, output)


@tls.command()
def revoke(
    certificate: Annotated[Path, typer.Argument(metavar="FILE", help="The certificate.")],
    data: Data = None,
    config: ConfigFile = None,
) -> None:
    """Revoke a client certificate; a running system knows within a second."""
    from fairlead.commands import certificates

    certificates.revoke(_config_file(config), os.environ, _flags(data), certificate)


def _flags(data: str | None) -> dict[str, object]:
    return {} if data is None else {"data": data}


def _config_file(flag: Path | None) -> Path | None:
    named = os.environ.get("FAIRLEAD_CONFIG")
    return flag or (Path(named) if named else None)
