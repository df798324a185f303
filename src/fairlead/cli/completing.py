"""What a shell may complete by asking the running system: accounts, markets, ids of open orders.

Quick and silent: where nobody answers at once there is nothing to complete.
"""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from fairlead.client.calls import Call

Found = TypeVar("Found")


def account_names(context: typer.Context, incomplete: str) -> list[str]:
    """Return the accounts that begin so."""
    from fairlead.client import calls

    found = _asked(context, calls.accounts())
    return _beginning(incomplete, (each.exchange_id for each in found))


def symbols(context: typer.Context, incomplete: str) -> list[str]:
    """Return the markets that begin so, by our symbols."""
    from fairlead.client import calls

    found = _asked(context, calls.instruments())
    return _beginning(incomplete, (row.symbol_id_coinapi for each in found for row in each.data))


def order_ids(context: typer.Context, incomplete: str) -> list[str]:
    """Return the ids of open orders that begin so."""
    from fairlead.client import calls

    found = _asked(context, calls.open_orders())
    return _beginning(incomplete, (each.client_order_id for each in found))


def _asked(context: typer.Context, call: "Call[tuple[Found, ...]]") -> "tuple[Found, ...]":
    """Return what the system that the command line names answers; nothing when it does not."""
    from msgspec.structs import replace

    from fairlead.client import Client, ClientError
    from fairlead.commands.ending import Ended
    from fairlead.commands.system import find

    try:
        given = context.params
        files = (given.get("ca_file"), given.get("certificate"))
        system = find(given.get("url"), given.get("data"), os.environ, files)
        settings = replace(system.settings, timeout_s=1.0, connect_timeout_s=0.3)
        with Client(system.url, settings) as client:
            return client.run(call)
    except (Ended, ClientError):
        return ()


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete)})
