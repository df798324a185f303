"""Ends a process by SIGKILL at a chosen line of the control plane's code, as a power switch might.

The child is forked from a server process that has imported everything, so that every line can be tried:
what a child imports itself, `pytest` or a driver, would cost more than all that it then does.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from sqlalchemy import Engine, event

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "fairlead.control.control",
        "fairlead.control.rotation",
        "fairlead.config.importing",
        "alembic",
        "sqlalchemy.dialects.postgresql.psycopg",
        "sqlalchemy.dialects.sqlite",
        "tests.control.conftest",  # what the modules of the actions import
    ]
)
_OURS = (os.path.join("fairlead", "control", ""), os.path.join("fairlead", "config", ""))
_TIMEOUT_S = 60


def killed_at(line: int, action: Callable[..., None], *arguments: object) -> bool:
    """Run `action` in another process that dies before the `line`-th line of ours; whether it did.

    False: it came to its end before. `action` is a function of a module, its arguments can be pickled.
    """
    process = _CONTEXT.Process(target=_run, args=(line, action, arguments))
    process.start()
    process.join(_TIMEOUT_S)
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return process.exitcode != 0


def killed_at_statement(
    number: int,
    open_it: Callable[..., Any],
    action: Callable[..., None],
    *arguments: object,
) -> bool:
    """Run `action`, of what `open_it` returns, in a process that dies at its so-manieth statement or commit.

    As `killed_at`: before the database is told, in whatever thread. Cheaper, where lines between two
    statements leave nothing behind.
    """
    process = _CONTEXT.Process(target=_run_statements, args=(number, open_it, action, arguments))
    process.start()
    process.join(_TIMEOUT_S)
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return process.exitcode != 0


def _run_statements(
    number: int,
    open_it: Callable[..., Any],
    action: Callable[..., None],
    arguments: tuple[object, ...],
) -> None:
    opened = open_it(*arguments)
    left = number

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", count)
    event.listen(Engine, "commit", count)
    action(opened, *arguments)


def _run(line: int, action: Callable[..., None], arguments: tuple[object, ...]) -> None:
    left = line

    def count(frame: FrameType, what: str, _: Any) -> Any:
        nonlocal left
        if not any(folder in frame.f_code.co_filename for folder in _OURS):
            return None
        if what == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return count

    sys.settrace(count)
    action(*arguments)
    sys.settrace(None)
