"""How the commands are spelled: `fairlead COMMAND …`. What they do is in `fairlead.commands`.

One file per area, each with its `commands`; here they become one program. Every command imports what
it needs when it runs. A command fails with one line on stderr and an exit code of
`commands.ending.ExitCode`.
"""

import sys

import typer

from fairlead.cli import checking, maintaining, operating, serving, trading
from fairlead.commands.ending import Ended

program = typer.Typer(
    name="fairlead",
    help="An execution management system: no order lost, none placed twice.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for area in (serving, trading, operating, checking, maintaining):
    program.add_typer(area.commands)


def main() -> None:
    """Run the command line."""
    try:
        program()
    except Ended as ended:
        for line in ended.text.splitlines():
            sys.stderr.write(f"fairlead: {line}\n")
        sys.exit(ended.code)
