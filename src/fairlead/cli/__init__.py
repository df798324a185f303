"""How the commands are spelled: `fairlead COMMAND …`. What they do is in `fairlead.commands`.

One file per area, each with its `commands`; here they become one program. Every command imports what
it needs when it runs. A command fails with one line on stderr and an exit code of
`commands.ending.ExitCode`.
"""

import gc
import sys

import typer

from fairlead.cli import (
    accounts,
    certifying,
    checking,
    faulting,
    fix_logging,
    keeping,
    keys,
    looking,
    maintaining,
    metering,
    operating,
    people,
    serving,
    subscriptions,
    trading,
)
from fairlead.commands.ending import Ended
from fairlead.control.key_text import hidden

EXIT_CODES = (
    "Exit codes: 0 done; 1 refused, or a check does not hold; 2 wrong command line or configuration;"
    " 3 no system there, or it cannot now; 4 unknown, it may have been done; 5 not yet, what was"
    " waited for has not come in time; 70 fatal; 130 Ctrl-C."
)

_GC_THRESHOLDS = (100_000, 50, 100)  # importing makes much and leaves no garbage

program = typer.Typer(
    name="fairlead",
    help="An execution management system: no order lost, none placed twice.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
_AREAS = {
    "Serving": serving,
    "Trading": trading,
    "Looking": looking,
    "FIX": fix_logging,
    "Accounts": accounts,
    "Operating": operating,
    "Simulated exchange": faulting,
    "Checking": checking,
    "Keeping": maintaining,
    "Certificates": certifying,
    "API keys": keys,
    "People": people,
    "Usage": metering,
    "Subscriptions": subscriptions,
    "Control plane": keeping,
}
for title, area in _AREAS.items():
    for spelled in (*area.commands.registered_commands, *area.commands.registered_groups):
        spelled.rich_help_panel = title
    program.add_typer(area.commands)


def main() -> None:
    """Run the command line."""
    gc.set_threshold(*_GC_THRESHOLDS)  # a system that serves sets its own: `interpreter.tuned`
    try:
        program()
    except Ended as ended:
        for line in ended.text.splitlines():
            sys.stderr.write(f"fairlead: {hidden(line)}\n")
        sys.exit(ended.code)
