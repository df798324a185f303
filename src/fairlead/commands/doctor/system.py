"""The running system, the address it serves, the exchange it needs and that exchange's clock."""

import errno
import http.client
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fairlead.client.address import Address
from fairlead.commands.credentials import client_settings
from fairlead.commands.doctor.patient import Patient
from fairlead.commands.doctor.problems import Fine, Result, finding
from fairlead.config import Listen
from fairlead.endpoint import ENDPOINT_FILE
from fairlead.gateway.server import bind
from fairlead.venues.sim_messages import FrameError, Ping, Pong, exchange_messages, frame

_TIMEOUT_S = 3.0
_CLOCK_QUESTIONS = 3
_LISTENING = "0A"  # proc(5), net/tcp


def endpoint(patient: Patient) -> Iterator[Result]:
    """Compare endpoint.json with who has the folder."""
    path, found, holder = patient.folder / ENDPOINT_FILE, patient.endpoint, patient.holder
    if isinstance(found, str):
        yield finding("endpoint_wrong", found, path=path)
    elif holder is not None and patient.running is None:
        text = f"process {holder.pid} has the folder, and {path} does not say where it serves"
        yield finding("lock_without_system", text, pid=holder.pid)
    elif holder is None and found is not None:
        text = f"{path} says {found.url} of process {found.pid}, and nobody has the folder"
        yield finding("endpoint_stale", text, folder=patient.folder)


def health(patient: Patient) -> Iterator[Result]:
    """Ask the running system how it is."""
    running = patient.running
    if running is None:
        return
    try:
        status, answer = _asked(running.url, "/health/ready")
    except (OSError, http.client.HTTPException, ValueError) as error:
        text = f"{running.url} of process {running.pid} does not answer: {error}"
        yield finding("system_silent", text, pid=running.pid)
        return
    if status != 200:
        yield finding("system_not_ready", f"{running.url} says {json.dumps(answer)}")
    else:
        yield Fine("system", f"process {running.pid} serves {running.url} and is ready")
    for account in answer["accounts"]:
        if account["state"] != "reconciled":
            text = f"{account['exchange_id']} is {account['state'] or 'unknown'}"
            yield finding("account_not_reconciled", text)


def listen(patient: Patient) -> Iterator[Result]:
    """Say whether the addresses can be served, unless our own system does."""
    config, running = patient.config, patient.running
    yield from _address(config.listen, None if running is None else running.url, "--listen")
    if config.fix.listen is not None:
        fix = None if running is None or running.fix is None else f"fix://{running.fix}"
        yield from _address(config.fix.listen, fix, "--fix")


def _address(address: Listen, served: str | None, flag: str) -> Iterator[Result]:
    """`served`: where our own system serves it, as a URL."""
    if served is not None and urlsplit(served).port == address.port:
        yield Fine("address", f"{address} is served by this folder's system")
        return
    try:
        bind(address.host, address.port).close()
    except OSError as error:
        text = f"{address}: {error.strerror or error}"
        if error.errno == errno.EADDRINUSE:
            yield finding("listen_busy", f"{text}{_by_whom(address.port)}", flag=flag)
        elif error.errno in (errno.EACCES, errno.EPERM):
            yield finding("listen_forbidden", text, flag=flag)
        else:
            yield finding("listen_unavailable", text, flag=flag)
    else:
        yield Fine("address", f"{address} is free")


def exchange_clock(patient: Patient) -> Iterator[Result]:
    """Ask the exchange for its time, and compare it with ours."""
    settings = patient.config.exchange.settings
    allowed_ns = min(settings.request_window_ms, settings.request_future_ms) * 10**6 // 2
    address, running = patient.config.exchange_address, patient.running
    if address is not None:
        named = f"the exchange at tcp://{address}"
        try:
            offset_ns, error_ns = _offset(lambda: _time_by_dialect(address))
        except (OSError, FrameError) as error:
            yield finding("exchange_unreachable", f"{named} does not answer: {error}")
            return
    elif running is not None and running.operator_url is not None:
        named, url = "the embedded exchange", running.operator_url
        try:
            offset_ns, error_ns = _offset(lambda: _time_by_operator(url))
        except (OSError, http.client.HTTPException, ValueError):
            return  # `health` says that the system is silent
    else:
        return
    text = f"the clock of {named} is {_ms(offset_ns)} ahead of ours, ± {_ms(error_ns)}"
    if abs(offset_ns) - error_ns > allowed_ns:
        yield finding("clock_offset", f"{text}; expected within {_ms(allowed_ns)}")
    else:
        yield Fine("exchange's clock", text)


def _offset(ask: Callable[[], int]) -> tuple[int, int]:
    """Return (theirs minus ours, how much that may be wrong), from the quickest of some answers."""
    best: tuple[int, int] | None = None
    for _ in range(_CLOCK_QUESTIONS):
        before_ns = time.time_ns()
        theirs_ns = ask()
        after_ns = time.time_ns()
        error_ns = (after_ns - before_ns) // 2
        if best is None or error_ns < best[1]:
            best = theirs_ns - before_ns - error_ns, error_ns
    assert best is not None
    return best


def _time_by_dialect(address: Listen) -> int:
    with socket.create_connection((address.host, address.port), _TIMEOUT_S) as connection:
        connection.sendall(frame(Ping(1, time.time_ns())))
        reader = exchange_messages()
        while data := connection.recv(65_536):
            for message in reader.feed(data):
                if isinstance(message, Pong):
                    return message.time_ns
    raise ConnectionError("it closed the connection")


def _time_by_operator(url: str) -> int:
    return int(_asked(url, "/operator/health")[1]["time_ns"])


def _asked(url: str, path: str) -> tuple[int, Any]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
    try:
        headers = client_settings(url).headers("GET", Address.of(url).authority, path)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def _by_whom(port: int) -> str:
    """Name the process that listens on the port, as far as this user may see it (proc(5))."""
    sockets = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            held = {os.readlink(each) for each in (process / "fd").iterdir()}
            if held & sockets:
                return f", by process {process.name} ({(process / 'comm').read_text().strip()})"
        except OSError:
            continue  # not ours to see, or gone
    return ""


def _ms(duration_ns: int) -> str:
    return f"{duration_ns / 1e6:.1f} ms"
