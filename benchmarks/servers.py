"""The two servers under load, each a process of its own on the server's core.

The system is what is shipped: `fairlead up` with its defaults, the simulated exchange embedded, two
accounts and no participants. The baseline is below; `python -m benchmarks.servers BODY_BYTES PORT_FILE`.
"""

import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
import sysconfig
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

from benchmarks.load import LoadFailed

HOST = "127.0.0.1"
PROGRAM = Path(sysconfig.get_path("scripts")) / "fairlead"
START_TIMEOUT_S = 60.0
_POLL_S = 0.002


class Running(msgspec.Struct, frozen=True):
    """A server that serves. Times are of the monotonic clock, in ns: process started, serving.

    `fix`: where it takes FIX, None where it does not. `headers`: what every request must carry.
    """

    process_id: int
    address: tuple[str, int]
    started_ns: int
    serving_ns: int
    fix: tuple[str, int] | None = None
    headers: bytes = b""


@contextlib.contextmanager
def keyed_system(core: int, data: Path) -> Iterator[Running]:
    """Run the system as `system` does, but with keys: with scope, accounts and addresses of its own."""
    config = data.with_name(f"{data.name}.toml")
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text('authentication = "keys"\n')
    made = subprocess.run(
        [
            *(str(PROGRAM), "keys", "create", "Bench1", "--data", str(data), "--json"),
            *("--scope", "trade", "--account", "SIM", "--account", "SIM/ALICE"),
            *("--address", "127.0.0.0/8"),
        ],
        check=True,
        capture_output=True,
    )
    headers = f"x-coinapi-key: {msgspec.json.decode(made.stdout)['secret']}\r\n".encode()
    with system(core, data, "--config", str(config)) as server:
        yield msgspec.structs.replace(server, headers=headers)


def system(core: int, data: Path, *flags: str) -> contextlib.AbstractContextManager[Running]:
    """Run the system on `core` for the length of the block."""
    command = [
        str(PROGRAM),
        "up",
        "--data",
        str(data),
        "--listen",
        f"{HOST}:0",
        "--fix",
        f"{HOST}:0",
        "--no-participants",
    ]
    command += ["--account", "SIM", "--account", "SIM/ALICE", *flags]
    endpoint = data / "endpoint.json"

    def ports(process_id: int) -> tuple[int, int | None] | None:
        try:
            said = msgspec.json.decode(endpoint.read_bytes())
        except FileNotFoundError:
            return None
        if said["pid"] != process_id:
            return None
        return int(said["url"].rpartition(":")[2]), int(said["fix"].rpartition(":")[2])

    return _running(core, command, data.with_name(f"{data.name}.log"), ports)


def echo(core: int, body_bytes: int, folder: Path) -> contextlib.AbstractContextManager[Running]:
    """Run the baseline on `core` for the length of the block."""
    return bare(core, folder, "benchmarks.servers", str(body_bytes))


def bare(
    core: int, folder: Path, module: str, *arguments: str, python: str = sys.executable
) -> contextlib.AbstractContextManager[Running]:
    """Run `python -m MODULE ARGUMENTS… PORT_FILE` on `core` for the length of the block.

    The module writes its port into the file, with a newline, once it serves.
    """
    port_file = folder / f"{module}.port"
    port_file.unlink(missing_ok=True)
    command = [python, "-m", module, *arguments, str(port_file)]

    def ports(_: int) -> tuple[int, int | None] | None:
        text = port_file.read_text() if port_file.exists() else ""
        return (int(text), None) if text.endswith("\n") else None

    return _running(core, command, folder / f"{module}.log", ports)


@contextlib.contextmanager
def _running(
    core: int, command: list[str], log: Path, ports: Callable[[int], tuple[int, int | None] | None]
) -> Iterator[Running]:
    own_cores = os.sched_getaffinity(0)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        os.sched_setaffinity(0, {core})  # the child inherits it
        started_ns = time.monotonic_ns()
        try:
            process = subprocess.Popen(command, stdout=output, stderr=output)
        finally:
            os.sched_setaffinity(0, own_cores)
    try:
        found = ports(process.pid)
        while found is None:
            if process.poll() is not None:
                text = log.read_text(errors="replace")
                raise RuntimeError(f"{' '.join(command)} ended:\n{text}")
            if time.monotonic_ns() - started_ns > START_TIMEOUT_S * 1e9:
                raise TimeoutError(f"{' '.join(command)} does not serve")
            time.sleep(_POLL_S)
            found = ports(process.pid)
        port, fix_port = found
        fix = None if fix_port is None else (HOST, fix_port)
        yield Running(process.pid, (HOST, port), started_ns, time.monotonic_ns(), fix)
    except (OSError, LoadFailed):
        sys.stderr.write(log.read_text(errors="replace"))  # it may say why
        raise
    finally:
        process.terminate()
        process.wait()


async def serve(server: asyncio.Server, port_file: Path) -> None:
    """Be a bare server: say where, and serve until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    port_file.write_text(f"{server.sockets[0].getsockname()[1]}\n")  # noqa: ASYNC240 - at the start
    await stopping.wait()
    server.close()


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

    async def answer(request: Request) -> Response:
        order = decode(await request.body())
        length = len(order.exchange_id) + len(order.side) + len(order.time_in_force)
        if length not in pad:
            pad[length] = "." * max(0, body_bytes - len(encode(order)))
        order.pad = pad[length]
        return Response(encode(order), media_type="application/json")

    return Starlette(routes=[Route("/v1/orders", answer, methods=["POST"])])


async def _serve_echo(body_bytes: int, port_file: Path) -> None:
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
    port = server.servers[0].sockets[0].getsockname()[1]
    port_file.write_text(f"{port}\n")  # noqa: ASYNC240 - before anything is served
    await serving


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvloop.run(_serve_echo(int(sys.argv[1]), Path(sys.argv[2])))
