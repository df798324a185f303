"""Options that commands of several areas share, and how they find the running system."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from fairlead.cli.completing import account_names, order_ids

if TYPE_CHECKING:
    from fairlead.commands.system import System

AsJson = Annotated[bool, typer.Option("--json", help="Print the API's own JSON, digits exact.")]
Url = Annotated[
    str | None, typer.Option(help="The system's address; else FAIRLEAD_URL, else --data.")
]
CaFile = Annotated[
    str | None,
    typer.Option(
        "--ca-file",
        metavar="FILE",
        help="Whom to trust over https, in PEM; else FAIRLEAD_CA_FILE, else whom the machine trusts.",
    ),
]
Shown = Annotated[
    str | None,
    typer.Option(
        "--certificate",
        metavar="FILE",
        help="Private key and certificate in PEM to show over https; else FAIRLEAD_CERTIFICATE.",
    ),
]
DataOf = Annotated[
    str | None,
    typer.Option("--data", help="The system's data folder, whose endpoint.json says the address."),
]
Account = Annotated[
    str, typer.Option(help="The account: SIM, SIM/ALICE.", autocompletion=account_names)
]
AnyAccount = Annotated[
    str | None,
    typer.Option("--account", help="Only this account.", autocompletion=account_names),
]
AccountName = Annotated[
    str, typer.Argument(metavar="ACCOUNT", help="SIM, SIM/ALICE.", autocompletion=account_names)
]
OrderId = Annotated[
    str, typer.Argument(metavar="ID", help="The id you gave it.", autocompletion=order_ids)
]
MaybeOrderId = Annotated[
    str | None,
    typer.Argument(metavar="[ID]", help="The id you gave it.", autocompletion=order_ids),
]
Refresh = Annotated[
    float | None,
    typer.Option("--refresh", metavar="SECONDS", min=0.1, help="Keep it on the screen, read anew."),
]


def system_of(
    url: str | None,
    data: str | None,
    as_json: bool,
    ca_file: str | None = None,
    certificate: str | None = None,
) -> "System":
    """Return the running system that a command means, called with these files. Raises Ended."""
    from fairlead.commands.system import find

    return find(url, data, os.environ, (ca_file, certificate), as_json=as_json)
