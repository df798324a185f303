"""Screens that refresh: one table, read anew every so often, until Ctrl-C.

On a terminal only. A read that fails is said below the last table, and tried again.
"""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from fairlead.commands import show
from fairlead.commands.ending import Ended, ExitCode

if TYPE_CHECKING:
    from rich.console import RenderableType


def refreshed(read: Callable[[], show.Table], every_s: float, *, as_json: bool) -> None:
    """Keep the table that `read` returns on the terminal. Raises Ended when there is none, or nothing yet."""
    if as_json:
        raise Ended(ExitCode.USAGE, "--refresh draws a screen; leave it or --json out")
    if not sys.stdout.isatty():
        raise Ended(ExitCode.USAGE, "--refresh needs a terminal; leave it out in a pipe")
    from rich.live import Live

    table = read()  # what is wrong from the beginning ends the command
    trouble = ""
    try:
        with Live(auto_refresh=False, screen=True, vertical_overflow="crop") as live:
            while True:
                live.update(_screen(table, every_s, trouble), refresh=True)
                time.sleep(every_s)
                try:
                    table, trouble = read(), ""
                except Ended as ended:
                    trouble = ended.text
    except KeyboardInterrupt:
        return


def _screen(table: show.Table, every_s: float, trouble: str) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    when = time.strftime("%H:%M:%S")
    foot = Text(f"{when}, every {every_s:g} s, Ctrl-C ends", style="dim")
    said = [Text(trouble, style="red")] if trouble else []
    lines = show.styled(table)
    for line in lines:
        line.no_wrap = True
    return Group(foot, *said, *lines)
