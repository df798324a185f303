"""The two servers under load, each a process of its own on the server's core.

    python -m benchmarks.servers echo BODY_BYTES      the baseline
    python -m benchmarks.servers fairlead DIR         the system, simulated exchange embedded

Each prints its port when it serves, and ends at SIGTERM.
"""

import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fairlead import app
from fairlead.config.model import AccountConfig, Config, ExchangeConfig, Listen
from fairlead.exchange.settings import Settings

HOST = "127.0.0.1"


class Running(msgspec.Struct, frozen=True):
    """A server that serves. Times are of the monotonic clock, in ns: process started, serving."""

    process_id: int
    address: tuple[str, int]
    started_ns: int
    serving_ns: int


@contextlib.contextmanager
def running(core: int, *arguments: str) -> Iterator[Running]:
    """Start a server on `core`, and end it when the block ends."""
    command = [sys.executable, "-m", "benchmarks.servers", *arguments]
    own_cores = os.sched_getaffinity(0)
    started_ns = time.monotonic_ns()
    os.sched_setaffinity(0, {core})  # the child inherits it
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
    finally:
        os.sched_setaffinity(0, own_cores)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(command)} ended with {process.wait()}")
        yield Running(process.pid, (HOST, int(line)), started_ns, time.monotonic_ns())
    finally:
        process.terminate()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


# ── the baseline ─────────────────────────────────────────────────────────────────────────────────


class EchoOrder(msgspec.Struct):
    """An order's body; `pad` makes the answer as long as one of ours."""

    exchange_id: str
    client_order_id: str
    symbol_id_coinapi: str
    amount_order: Decimal
    price: Decimal
    side: str
    order_type: str
    time_in_force: str
    pad: str = ""


def echo_app(body_bytes: int) -> Starlette:
    """Return an application that decodes an order and answers with it, in `body_bytes` bytes."""
    decode = msgspec.json.Decoder(EchoOrder).decode
    encode = msgspec.json.Encoder(decimal_format="number").encode
    pad: dict[int, str] = {}

    async def echo(request: Request) -> Response:
        order = decode(await request.body())
        length = len(order.exchange_id) + len(order.side) + len(order.time_in_force)
        if length not in pad:
            pad[length] = "." * max(0, body_bytes - len(encode(order)))
        order.pad = pad[length]
        return Response(encode(order), media_type="application/json")

    return Starlette(routes=[Route("/v1/orders", echo, methods=["POST"])])


async def _serve_echo(body_bytes: int, tell_port: Callable[[int], None]) -> None:
    server = uvicorn.Server(
        uvicorn.Config(
            echo_app(body_bytes),
            host=HOST,
            port=0,
            http="httptools",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=2_048,
            timeout_keep_alive=75,
        )
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.005)
    gc.set_threshold(50_000, 50, 1_000_000)  # as ours
    gc.collect()
    gc.freeze()
    tell_port(server.servers[0].sockets[0].getsockname()[1])
    await serving


# ── the system ───────────────────────────────────────────────────────────────────────────────────


def configuration(data: Path) -> Config:
    """Return the shipped configuration with two accounts, a rich exchange and no participants."""
    accounts = tuple(
        AccountConfig(name, {"PublicApiKey": f"public-{number}", "PrivateApiKey": "private"})
        for number, name in enumerate(("SIM", "SIM/ALICE"))
    )
    rich = tuple((asset, Decimal(10**9)) for asset in ("BTC", "ETH", "USDT"))
    exchange = ExchangeConfig(participants=False, settings=Settings(starting_balances=rich))
    return Config(data=data, listen=Listen(HOST, 0), accounts=accounts, exchange=exchange)


async def _serve_fairlead(data: Path, tell_port: Callable[[int], None]) -> int:
    def on_ready(endpoint: app.Endpoint) -> None:
        tell_port(int(endpoint.url.rpartition(":")[2]))

    return await app.run(configuration(data), on_ready)


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM."""
    name, argument = arguments
    starter = os.dup(1)
    os.dup2(2, 1)  # the log goes to standard output: let nobody wait for a full pipe

    def tell_port(port: int) -> None:
        os.write(starter, b"%d\n" % port)

    if name == "echo":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        uvloop.run(_serve_echo(int(argument), tell_port))
        return 0
    return uvloop.run(_serve_fairlead(Path(argument), tell_port))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
