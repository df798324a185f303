"""The exchange in a process of its own: `fairlead exchange`.

Listens for the byte dialect on one address and for the operator on another, says both in
`endpoint.json`, and runs until it is told to stop. Reads the wall clock for the exchange.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path

import msgspec
import uvicorn
from starlette.types import ASGIApp

from fairlead.core.exact import use_exact_decimals
from fairlead.disk.whereabouts import FileGone, Whereabouts, opened_database
from fairlead.exchange.build import Setup, build_exchange
from fairlead.exchange.operator import operator_app
from fairlead.exchange.store_file import FILE_NAME, StoreError

ENDPOINT_FILE = "endpoint.json"
_POLL_S = 0.005


Guard = Callable[[ASGIApp, tuple[str, int]], ASGIApp]


class Endpoint(msgspec.Struct, frozen=True):
    """Where the exchange can be reached; `endpoint.json`."""

    url: str
    operator_url: str
    pid: int


def _announce(endpoint: Endpoint) -> None:
    sys.stderr.write(f"exchange {endpoint.url}, operator {endpoint.operator_url}\n")


async def serve(
    setup: Setup,
    listen: tuple[str, int],
    operator_listen: tuple[str, int],
    guard: Guard | None = None,
    stop: asyncio.Event | None = None,
    started: Callable[[Endpoint], None] = _announce,
) -> None:
    """Serve an exchange until SIGTERM, SIGINT or `stop`.

    `guard` wraps the operator's application, given the address it is reached by: what keeps other
    origins and foreign hosts out is not the exchange's. `started` is called once both listen; by default it
    says where on standard error.
    A port of 0 lets the system choose. `endpoint.json` in the folder appears once both listen.
    Raises StoreError, FileGone, TapeError, or OSError if an address cannot be had.
    """
    assert setup.folder is not None
    use_exact_decimals()
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    exchange = build_exchange(setup, time.time_ns)
    (setup.folder / ENDPOINT_FILE).unlink(missing_ok=True)  # that of a process that is gone
    failures: list[StoreError | FileGone] = []

    def fail(error: StoreError | FileGone) -> None:
        failures.append(error)
        stop.set()

    exchange.on_failure = fail
    whereabouts = Whereabouts(fail)
    try:
        whereabouts.add(opened_database(setup.folder / FILE_NAME))
        exchange.start()
        server = await loop.create_server(exchange.connection, *listen)
        operator_socket = _bind(*operator_listen)
        app: ASGIApp = operator_app(exchange)
        operator = _Server(
            uvicorn.Config(
                guard(app, operator_socket.getsockname()[:2]) if guard else app,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=2,
            )
        )
        with contextlib.suppress(NotImplementedError):
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stop.set)
        operator_task = asyncio.create_task(operator.serve([operator_socket]))
        while not operator.started:
            if operator_task.done():
                await operator_task  # raises what went wrong
            await asyncio.sleep(_POLL_S)
        endpoint = Endpoint(
            f"tcp://{_address(server.sockets[0])}",
            f"http://{_address(operator_socket)}",
            os.getpid(),
        )
        write_endpoint(setup.folder, endpoint)
        started(endpoint)
        whereabouts.start()
        await stop.wait()
        server.close()
        operator.should_exit = True
        await operator_task
        if failures:
            raise failures[0]
    finally:
        whereabouts.stop()
        exchange.close()


class _Server(uvicorn.Server):
    """Signals are `serve`'s."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signal handlers alone."""
        yield


def write_endpoint(folder: Path, endpoint: Endpoint) -> None:
    """Write `endpoint.json` so that a reader sees all of it or nothing."""
    half_written = folder / f".{ENDPOINT_FILE}.{endpoint.pid}"
    half_written.write_bytes(msgspec.json.encode(endpoint) + b"\n")
    half_written.replace(folder / ENDPOINT_FILE)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def _address(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
