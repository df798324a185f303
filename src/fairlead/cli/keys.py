"""How the commands on API keys are spelled: keys create, list, show, edit, disable, enable, revoke."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fairlead.cli.keeping import ConfigFile, Data, Subscription, config_of, flags_of
from fairlead.cli.options import AsJson
from fairlead.core.requests import LOCAL

if TYPE_CHECKING:
    from fairlead.control.keys import Act

commands = typer.Typer()
keys = typer.Typer(help="API keys: who may do what.", no_args_is_help=True)
commands.add_typer(keys, name="keys")

Name = Annotated[str, typer.Argument(metavar="KEY", help="Its public id flk_…, or its label.")]
Scopes = Annotated[
    list[str] | None,
    typer.Option("--scope", help="trade, withdraw, manage (repeat it); read is always there."),
]
Accounts = Annotated[
    list[str] | None, typer.Option("--account", help="Only this account (repeat it).")
]
Addresses = Annotated[
    list[str] | None,
    typer.Option("--address", help="Only from here, such as 192.0.2.0/24 (repeat it)."),
]
Days = Annotated[int | None, typer.Option(help="It expires after so many days.")]
PublicKey = Annotated[
    Path | None,
    typer.Option(
        "--public-key",
        metavar="FILE",
        help="For --kind ed25519: the public key in PEM; - is standard input.",
    ),
]
NeverExpires = Annotated[bool, typer.Option("--never-expires", help="It has no end.")]


@keys.command("create")
def create(
    label: Annotated[str, typer.Argument(help="A-Z, a-z and 0-9, each at least once: Bot1.")],
    kind: Annotated[
        Literal["bearer", "hmac", "ed25519"],
        typer.Option(help="Whether requests carry its secret, or a signature."),
    ] = "bearer",
    public_key: PublicKey = None,
    scope: Scopes = None,
    account: Accounts = None,
    address: Addresses = None,
    days: Days = None,
    never_expires: NeverExpires = False,
    is_test: Annotated[bool, typer.Option("--test", help="Its secret begins fl_test_.")] = False,
    subscription: Subscription = LOCAL,
    data: Data = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and show its secret, once; it expires after 90 days unless told otherwise."""
    from fairlead.commands import keys as work
    from fairlead.control.key_changes import Wanted
    from fairlead.control.keys import DAYS_DEFAULT, Kind

    wanted = Wanted(
        label=label,
        kind=Kind(kind),
        public_key=None if public_key is None else work.read_file(public_key),
        scopes=scope or (),
        accounts=account or None,
        addresses=address or None,
        days=None if never_expires else DAYS_DEFAULT if days is None else days,
    )
    work.create(
        config_of(config_file),
        flags_of(data),
        subscription,
        wanted,
        is_test=is_test,
        as_json=as_json,
    )


@keys.command("list")
def list_keys(
    subscription: Subscription = LOCAL,
    data: Data = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show every key, revoked ones too."""
    from fairlead.commands import keys as work

    work.listed(config_of(config_file), flags_of(data), subscription, as_json=as_json)


@keys.command("show")
def show_key(
    name: Name,
    subscription: Subscription = LOCAL,
    data: Data = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show one key; its secret nobody can show."""
    from fairlead.commands import keys as work

    work.shown(config_of(config_file), flags_of(data), subscription, name, as_json=as_json)


@keys.command("edit")
def edit(
    name: Name,
    scope: Scopes = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="No scope but read.")] = False,
    account: Accounts = None,
    all_accounts: Annotated[
        bool, typer.Option("--all-accounts", help="No limit of those.")
    ] = False,
    address: Addresses = None,
    all_addresses: Annotated[bool, typer.Option("--all-addresses", help="From anywhere.")] = False,
    days: Days = None,
    never_expires: NeverExpires = False,
    version: Annotated[
        int | None, typer.Option(help="Only if it is at this version still (`keys show`).")
    ] = None,
    subscription: Subscription = LOCAL,
    data: Data = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Change what is named and leave the rest; the end counts from now."""
    from msgspec import UNSET

    from fairlead.commands import keys as work
    from fairlead.control.key_changes import Edit

    change = Edit(
        scopes=scope or (() if read_only else UNSET),
        accounts=account or (None if all_accounts else UNSET),
        addresses=address or (None if all_addresses else UNSET),
        days=None if never_expires else UNSET if days is None else days,
        version=version,
    )
    work.edit(config_of(config_file), flags_of(data), subscription, name, change, as_json=as_json)


@keys.command("disable")
def disable(
    name: Name,
    subscription: Subscription = LOCAL,
    data: Data = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Let nobody use a key until it is enabled again."""
    from fairlead.control.keys import Act

    _move(name, Act.DISABLE, subscription, data, config_file, as_json=as_json)


@keys.command("enable")
def enable(
    name: Name,
    subscription: Subscription = LOCAL,
    data: Data = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Let a disabled key be used again."""
    from fairlead.control.keys import Act

    _move(name, Act.ENABLE, subscription, data, config_file, as_json=as_json)


@keys.command("revoke")
def revoke(
    name: Name,
    subscription: Subscription = LOCAL,
    data: Data = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Take a key back for ever; it stays in the list, and its label is free again."""
    from fairlead.control.keys import Act

    _move(name, Act.REVOKE, subscription, data, config_file, as_json=as_json)


def _move(
    name: str,
    act: "Act",
    subscription: str,
    data: Data,
    config_file: ConfigFile,
    *,
    as_json: bool,
) -> None:
    from fairlead.commands import keys as work

    work.move(config_of(config_file), flags_of(data), subscription, name, act, as_json=as_json)
