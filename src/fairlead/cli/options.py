"""Options that commands of several areas share, and how they find the running system."""

import functools
import inspect
import math
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Concatenate, NamedTuple, ParamSpec

import typer

from fairlead.cli.completing import account_names, order_ids

if TYPE_CHECKING:
    from fairlead.commands.system import System


_DISTANCE_DIGITS = {"s": 9, "m": 8, "h": 6, "d": 5}  # at most some 270 years


def checked_number(value: float | None) -> float | None:
    """Return a number; raises BadParameter for nan and inf, which are in every range or none."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no number of seconds; give one such as 10 or 0.5.")
    return value


def checked_since(value: str | None) -> str | None:
    """Return a time, or how long ago it was; raises BadParameter."""
    return _checked_time(value, "[0-9]{1,9}[smhd]", "how long ago: 30s, 5m, 2h, 1d")


def checked_expiry(value: str | None) -> str | None:
    """Return a time, or how far it is; raises BadParameter."""
    return _checked_time(value, "[+-][0-9]{1,9}[smhd]", "from now: +30s, +5m, +2h, +1d")


def _checked_time(value: str | None, distance: str, distances: str) -> str | None:
    if value is None:
        return value
    if re.fullmatch(distance, value, re.ASCII):
        if len(value.strip("+-smhd")) > _DISTANCE_DIGITS[value[-1]]:
            raise typer.BadParameter(f"{value!r} is longer than time is counted; give a time.")
        return value
    from fairlead.gateway.times import read_time
    from fairlead.gateway.wrong import Wrong

    try:
        read_time(value)
    except Wrong as wrong:
        raise typer.BadParameter(f"{wrong}, or {distances}.") from None
    return value


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
MaybeAccountName = Annotated[
    str | None,
    typer.Argument(metavar="[ACCOUNT]", help="As --account.", autocompletion=account_names),
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
    typer.Option(
        "--refresh",
        metavar="SECONDS",
        min=0.1,
        callback=checked_number,
        help="Keep it on the screen, read anew.",
    ),
]


class Where(NamedTuple):
    """Which running system a command means, and how it shows what it finds there."""

    as_json: AsJson = False
    url: Url = None
    data: DataOf = None
    ca_file: CaFile = None
    certificate: Shown = None

    @property
    def is_said(self) -> bool:
        """Whether any of it was given."""
        return self != Where()

    def system(self) -> "System":
        """Return the running system. Raises Ended."""
        from fairlead.commands.system import find

        files = (self.ca_file, self.certificate)
        return find(self.url, self.data, os.environ, files, as_json=self.as_json)


_Own = ParamSpec("_Own")


def of_a_system(command: Callable[Concatenate[Where, _Own], None]) -> Callable[..., None]:
    """Return a command as it is spelled: with the options of a `Where` after its own, which become one."""
    _, *own = inspect.signature(command).parameters.values()
    shared = inspect.signature(Where).parameters.values()
    named = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*own, *shared)]

    @functools.wraps(command)
    def spelled(*_: _Own.args, **given: _Own.kwargs) -> None:
        where = Where(**{each: given.pop(each) for each in Where._fields})  # type: ignore[arg-type]
        command(where, **given)  # type: ignore[call-arg]

    spelled.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    spelled.__annotations__ = {each.name: each.annotation for each in named}
    return spelled
