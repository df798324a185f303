"""watch: live orders, fills, balances and positions, on a screen or line by line, until Ctrl-C.

A system that restarts is found again, and what happened meanwhile is told then.
"""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING

from fairlead.client import AsyncClient, ClientError, Unreachable, calls
from fairlead.client.events import AccountInfo, Connected, Disconnected, Event
from fairlead.commands import show
from fairlead.commands.board import Board, state_of
from fairlead.commands.show import Table
from fairlead.commands.system import System

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_DRAW_S = 0.1  # a screen is drawn at most so often
_ROWS_MOST = 8  # of fills, balances, positions; orders get the rest of the screen
_ORDERS_LEAST = 5


def watch(system: System, account: str | None) -> None:
    """Show what happens until Ctrl-C. Raises Ended when nobody is there at the beginning."""
    if account is not None:
        system.do(calls.accounts(account))  # of an unknown one nothing would ever be told
    is_screen = sys.stdout.isatty() and not system.as_json
    try:
        asyncio.run(_on_screen(system, account) if is_screen else _by_line(system, account))
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        show.write_nowhere()
    except ClientError as error:
        raise system.ended(error) from None


class _Heard:
    """The last message as it came."""

    message = b""

    def hear(self, message: bytes) -> None:
        """Take the next one."""
        self.message = message


@asynccontextmanager
async def _events(
    system: System, account: str | None, heard: _Heard
) -> AsyncIterator[AsyncGenerator[Event, None]]:
    async with (
        AsyncClient(system.url, system.client.settings) as client,
        aclosing(client.stream(account, on_message=heard.hear)) as events,
    ):
        yield _reached(events)


async def _reached(events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """Yield the events. Raises Unreachable when nobody is there at the beginning."""
    is_first = True
    async for event in events:
        if is_first and isinstance(event, Disconnected):
            raise Unreachable(event.text)
        is_first = False
        yield event


def _words(event: Connected | Disconnected) -> str:
    if isinstance(event, Connected):
        return f"connected to {event.url}"
    return f"{event.text}; trying again"


# ── line by line ─────────────────────────────────────────────────────────────────────────────────


async def _by_line(system: System, account: str | None) -> None:
    """Print a line for each thing that happens; with --json the API's own messages."""
    board, heard = Board(), _Heard()
    async with _events(system, account, heard) as events:
        async for event in events:
            if isinstance(event, Connected | Disconnected):
                if system.as_json:
                    sys.stderr.write(f"fairlead: {_words(event)}\n")
                else:
                    _say(_words(event))
                continue
            lines = board.take(event)
            if not system.as_json:
                for line in lines:
                    _say(line)
            elif lines or not isinstance(event, AccountInfo):  # which comes every second
                show.out(heard.message.decode())
            show.flush()


def _say(text: str) -> None:
    show.out(f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())}  {text}")
    show.flush()


# ── on a screen ──────────────────────────────────────────────────────────────────────────────────


class _Screen:
    """What is drawn, and whether it is new."""

    def __init__(self, url: str) -> None:
        self.board = Board()
        self.is_new = True
        self._url = url
        self._trouble = ""

    def take(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, Connected):
            self._trouble = ""
        elif isinstance(event, Disconnected):
            self._trouble = _words(event)
        else:
            self.board.take(event)
        self.is_new = True

    def drawn(self, height: int) -> "RenderableType":
        """Return the screen, at most `height` lines where that is possible."""
        from rich.console import Group
        from rich.text import Text

        board = self.board
        rest = [
            *_section("Fills", board.fills(), _ROWS_MOST),
            *_section("Balances", board.balances(), _ROWS_MOST),
            *_section("Positions", board.positions(), _ROWS_MOST),
        ]
        when = time.strftime("%H:%M:%S")
        lines = [Text(f"{when}  {self._url}, Ctrl-C ends", style="dim")]
        if self._trouble:
            lines.append(Text(self._trouble, style="red"))
        for name, info in sorted(board.accounts.items()):
            state = state_of(info)
            style = "green" if state == "reconciled" and not self._trouble else "yellow"
            lines.append(Text.assemble(f"{name}  ", (state, style)))
        room = max(_ORDERS_LEAST, height - len(lines) - len(rest) - 4)
        lines += [*_section("Open orders", board.orders(), room), *rest]
        for line in lines:
            line.no_wrap = True
        return Group(*lines)


async def _on_screen(system: System, account: str | None) -> None:
    """Keep everything on the terminal."""
    from rich.live import Live

    screen = _Screen(system.url)
    reading = asyncio.create_task(_read(system, account, screen))
    try:
        with Live(auto_refresh=False, screen=True, vertical_overflow="crop") as live:
            while not reading.done():
                if screen.is_new:
                    screen.is_new = False
                    live.update(screen.drawn(live.console.height), refresh=True)
                await asyncio.wait([reading], timeout=_DRAW_S)
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading


async def _read(system: System, account: str | None, screen: _Screen) -> None:
    async with _events(system, account, _Heard()) as events:
        async for event in events:
            screen.take(event)


def _section(title: str, table: Table, rows_most: int) -> "list[Text]":
    """Return a table under its title, cut to its first rows."""
    from rich.text import Text

    count = len(table.rows)
    shown = Table(table.columns, table.rows[:rows_most], table.empty)
    more = [Text(f"and {count - rows_most} more", style="dim")] if count > rows_most else []
    heading = Text(f"{title} {count or ''}".rstrip(), style="bold reverse")
    return [Text(), heading, *show.styled(shown), *more]
