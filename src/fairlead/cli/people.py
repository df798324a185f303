"""How the commands on people are spelled: users link, invite, list, remove; mail."""

from typing import Annotated

import typer

from fairlead.cli.keeping import ConfigFile, Data, Subscription, config_of, flags_of
from fairlead.cli.options import AsJson
from fairlead.core.requests import LOCAL

commands = typer.Typer()
users = typer.Typer(help="Users: who may sign in to the console.", no_args_is_help=True)
commands.add_typer(users, name="users")

Name = Annotated[str, typer.Argument(metavar="USER", help="The e-mail address, or the id usr_….")]


@users.command("link")
def link(
    data: Data = None,
    config_file: ConfigFile = None,
    subscription: Subscription = LOCAL,
    as_json: AsJson = False,
) -> None:
    """Show a link by which the first user is made: once, within a day; earlier ones are void."""
    from fairlead.commands import people as work

    work.link(config_of(config_file), flags_of(data), subscription, as_json=as_json)


@users.command("invite")
def invite(
    email: Annotated[str, typer.Argument(help="Whom the link is for.")],
    data: Data = None,
    config_file: ConfigFile = None,
    subscription: Subscription = LOCAL,
    as_json: AsJson = False,
) -> None:
    """Show a link by which somebody becomes a user: once, within seven days. It is not mailed."""
    from fairlead.commands import people as work

    work.invite(config_of(config_file), flags_of(data), subscription, email, as_json=as_json)


@users.command("list")
def list_users(
    data: Data = None,
    config_file: ConfigFile = None,
    subscription: Subscription = LOCAL,
    as_json: AsJson = False,
) -> None:
    """Show every user."""
    from fairlead.commands import people as work

    work.listed(config_of(config_file), flags_of(data), subscription, as_json=as_json)


@users.command("remove")
def remove(
    name: Name,
    data: Data = None,
    config_file: ConfigFile = None,
    subscription: Subscription = LOCAL,
    as_json: AsJson = False,
) -> None:
    """Remove a user, whose sessions end at once. The last one cannot be."""
    from fairlead.commands import people as work

    work.remove(config_of(config_file), flags_of(data), subscription, name, as_json=as_json)


@commands.command("mail")
def mail(
    count: Annotated[int, typer.Option("--last", min=1, help="So many letters.")] = 5,
    data: Data = None,
    config_file: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the last letters to people, where there is no mail server that they are given to."""
    from fairlead.commands import people as work

    work.mail(config_of(config_file), flags_of(data), count, as_json=as_json)
