"""How the commands for certificates are spelled: tls init; certificates issue, list, revoke."""

from pathlib import Path
from typing import Annotated

import typer

from fairlead.cli.keeping import ConfigFile, Data, Subscription, config_of, flags_of
from fairlead.cli.options import AsJson
from fairlead.core.requests import LOCAL

commands = typer.Typer()
tls = typer.Typer(help="The private authority and the server's certificate.", no_args_is_help=True)
certificates = typer.Typer(
    help="Client certificates: each a credential of an API key.", no_args_is_help=True
)
commands.add_typer(tls, name="tls")
commands.add_typer(certificates, name="certificates")


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
    from fairlead.commands import certificates as work

    work.init(config_of(config), flags_of(data), name or [])


@certificates.command("issue")
def issue(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its public id flk_…, or its label.")],
    output: Annotated[Path, typer.Option(help="A new file for private key and certificate.")],
    csr: Annotated[
        Path | None,
        typer.Option(help="A request (PKCS#10, PEM) for a private key that stays where it is."),
    ] = None,
    subscription: Subscription = LOCAL,
    data: Data = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Issue a certificate for a key: it may what the key may, for 90 days or until the key ends."""
    from fairlead.commands import certificates as work

    work.issue(
        config_of(config_file), flags_of(data), subscription, key, output, csr, as_json=as_json
    )


@certificates.command("list")
def list_certificates(
    key: Annotated[
        str | None, typer.Option(help="Only this key's: its public id flk_…, or its label.")
    ] = None,
    subscription: Subscription = LOCAL,
    data: Data = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show every certificate, revoked and ended ones too, the newest first."""
    from fairlead.commands import certificates as work

    work.listed(config_of(config_file), flags_of(data), subscription, key, as_json=as_json)


@certificates.command("revoke")
def revoke(
    certificate: Annotated[
        str, typer.Argument(metavar="CERTIFICATE", help="Its SHA-256, or a file that holds it.")
    ],
    subscription: Subscription = LOCAL,
    data: Data = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Take a certificate back for ever; a running system ends its connections."""
    from fairlead.commands import certificates as work

    work.revoke(config_of(config_file), flags_of(data), subscription, certificate, as_json=as_json)
