"""How fix-log is spelled: FIX messages for people."""

import os
from typing import Annotated

import typer

from fairlead.cli.options import DataOf
from fairlead.core.requests import LOCAL

commands = typer.Typer()


@commands.command("fix-log")
def fix_log(
    file: Annotated[
        str | None,
        typer.Argument(metavar="[FILE|-]", help="A message log or raw FIX; - is stdin."),
    ] = None,
    session: Annotated[
        str | None, typer.Option(help="Only this session: FIX.4.4:CLIENT, or CLIENT.")
    ] = None,
    last: Annotated[int | None, typer.Option(min=1, help="Only the last so many.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with what is added, until Ctrl-C.")
    ] = False,
    fields: Annotated[bool, typer.Option("--fields", help="Each field on its own line.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON object for each message.")
    ] = False,
    subscription: Annotated[
        str, typer.Option(help="Whose messages, see `fairlead subscriptions list`.")
    ] = LOCAL,
    data: DataOf = None,
) -> None:
    """Show the messages of the FIX API, or FIX in a file, readable and without passwords."""
    from fairlead.commands import fix_log
    from fairlead.commands.fix_lines import Form

    form = Form.JSON if as_json else Form.FIELDS if fields else Form.LINE
    wanted = fix_log.Wanted(session, last, follow, form)
    fix_log.fix_log(fix_log.source_of(file, data, os.environ, subscription, follow=follow), wanted)
