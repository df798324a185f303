"""Options that commands of several areas share, and how they find the running system."""

import os
from typing import Annotated

import typer

from fairlead.commands.client import Api, find

AsJson = Annotated[bool, typer.Option("--json", help="Print the API's own JSON, digits exact.")]
Url = Annotated[
    str | None, typer.Option(help="The system's address; else FAIRLEAD_URL, else --data.")
]
DataOf = Annotated[
    str | None,
    typer.Option("--data", help="The system's data folder, whose endpoint.json says the address."),
]
Account = Annotated[str, typer.Option(help="The account: SIM, SIM/ALICE.")]
AnyAccount = Annotated[str | None, typer.Option("--account", help="Only this account.")]


def api_of(url: str | None, data: str | None) -> Api:
    """Return the running system that a command means. Raises Ended."""
    return find(url, data, os.environ)
