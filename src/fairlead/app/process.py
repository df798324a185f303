"""The process: serves until a signal or a fatal cause, and ends with an exit code.

Installs the handlers of signals and of the event loop. Must never build a part; `system.py` does.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import structlog

from fairlead.app.system import SYSTEM_WALL, System
from fairlead.config import Config
from fairlead.core.exact import use_exact_decimals
from fairlead.edge.clock import Wall
from fairlead.endpoint import Endpoint
from fairlead.supervisor import Supervisor

if TYPE_CHECKING:
    from fairlead.control.people.passwords import Cost

log = structlog.get_logger()

EXIT_OK = 0
EXIT_FATAL = 70  # EX_SOFTWARE of sysexits.h

OnReady = Callable[[System, Endpoint], Awaitable[None] | None]


async def run(
    config: Config,
    on_ready: OnReady | None = None,
    supervisor: Supervisor | None = None,
    wall: Wall = SYSTEM_WALL,
    password_cost: "Cost | None" = None,
) -> int:
    """Serve until SIGINT, SIGTERM or a fatal error; return the exit code (0, or 70 when fatal).

    `on_ready` is called with the system, and awaited if it is a coroutine, beside the serving. `supervisor`
    is told that we serve, and then that we are alive for as long as the pump is.
    Raises what `System.start` raises.
    """
    use_exact_decimals()
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, stopping.set)
    system = System(config, wall, password_cost)
    fatal = system.fatal
    loop.set_exception_handler(fatal.on_loop_error)
    endpoint = await system.start()
    log.info("serving", url=endpoint.url, fix=endpoint.fix, data=endpoint.data, pid=endpoint.pid)
    beside: list[asyncio.Task[None]] = []
    if on_ready is not None:
        beside.append(asyncio.create_task(_call(on_ready, system, endpoint)))
    if supervisor is not None:
        supervisor.serving(endpoint.url)
        beside.append(asyncio.create_task(supervisor.keep_told(system.pulse())))
    for task in beside:
        task.add_done_callback(_ended_beside)
    fatal.cause.add_done_callback(lambda _: stopping.set())
    await stopping.wait()
    if supervisor is not None:
        supervisor.stopping()
    for task in beside:
        task.cancel()
    if beside:
        await asyncio.wait(beside)
    await system.stop()
    if fatal.cause.done():
        cause = fatal.cause.result()
        sys.stderr.write(f"fairlead: stopped: {type(cause).__name__}: {cause}\n")
        return EXIT_FATAL
    log.info("stopped")
    return EXIT_OK


async def _call(on_ready: OnReady, system: System, endpoint: Endpoint) -> None:
    result = on_ready(system, endpoint)
    if result is not None:
        await result


def _ended_beside(task: asyncio.Task[None]) -> None:
    """Say what went wrong beside the serving, which goes on, and stops as ever."""
    cause = None if task.cancelled() else task.exception()
    if cause is not None:
        log.error("failed beside the serving", cause=f"{type(cause).__name__}: {cause}")
