"""up, exchange: the commands that serve until they are told to stop."""

import errno
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import uvloop
from starlette.types import ASGIApp

from fairlead.app.process import run
from fairlead.app.system import System
from fairlead.commands import demo, logs, show
from fairlead.commands.credentials import SECRET
from fairlead.commands.ending import Ended, ExitCode, said
from fairlead.commands.limits import open_files_needed, raise_open_files
from fairlead.config import Config, ConfigError, ExchangeConfig, LogConfig, load, load_exchange
from fairlead.config.loading import KEYS
from fairlead.control.errors import ControlError
from fairlead.disk.whereabouts import FileGone
from fairlead.endpoint import Endpoint
from fairlead.exchange.build import Setup
from fairlead.exchange.serve import serve
from fairlead.exchange.store_file import StoreError
from fairlead.exchange.tape_line import TapeError
from fairlead.fix.store import StoreError as FixStoreError
from fairlead.gateway.border import Border
from fairlead.gateway.listeners import ListenError
from fairlead.gateway.server import new_trace_id
from fairlead.journal.errors import JournalError
from fairlead.supervisor import supervisor_of
from fairlead.tls.folder import FolderError

_Loaded = TypeVar("_Loaded", Config, ExchangeConfig)
_CANNOT_START = (
    *(ControlError, JournalError, StoreError, FixStoreError, TapeError, FolderError),
    *(FileGone, ListenError, OSError, sqlite3.Error),
)


def up(config_file: Path | None, flags: Mapping[str, object], *, is_demo: bool) -> None:
    """Serve the whole system. Raises Ended."""
    began_ns = time.monotonic_ns()
    config = _loaded(partial(load, config_file, os.environ, flags))
    log = config.log
    if is_demo and log == LogConfig():
        log = LogConfig(level="warning", format="text")  # the page is for people
    try:
        logs.configure(log)
    except OSError as error:
        text = f"log.file {log.file}: {error.strerror}; give a file in a folder that can be written"
        raise Ended(ExitCode.USAGE, text) from None
    raise_open_files(open_files_needed(config))

    async def on_ready(system: System, endpoint: Endpoint) -> None:
        if is_demo:
            await _demonstrate(system, endpoint, config, began_ns)
            last = f"Console {endpoint.url}/console/\nServing {endpoint.url}, Ctrl-C stops it."
        else:
            urls = [each for each in (endpoint.url, endpoint.https, endpoint.https_clients) if each]
            fixes = [each for each in (endpoint.fix, endpoint.fix_tls) if each]
            fix = f", FIX at {' and '.join(fixes)}" if fixes else ""
            served = f"{' and '.join(urls)}{fix}"
            last = f"fairlead serves {served}, data in {config.data}; Ctrl-C stops it"
        await _show_first_user(system)
        show.out(last)
        show.flush()

    supervisor = supervisor_of(os.environ)
    try:
        code = uvloop.run(run(config, on_ready, supervisor))
    except _CANNOT_START as error:
        raise Ended(ExitCode.FATAL, _why_not(error, config)) from None
    finally:
        if supervisor is not None:
            supervisor.close()
    if code != ExitCode.DONE:
        raise SystemExit(code)  # the cause has been said
    if is_demo:
        show.out("\nStopped. Open orders stay at the exchange; the next start finds them.")


async def _demonstrate(system: System, endpoint: Endpoint, config: Config, began_ns: int) -> None:
    """Show the page, where keys are asked for by one of its own, unless the environment names one."""
    if config.authentication != KEYS or os.environ.get(SECRET):
        await demo.show_one_order(endpoint, config, began_ns)
        return
    try:
        async with system.demonstration_key() as secret:
            await demo.show_one_order(endpoint, config, began_ns, secret)
    except ControlError as error:
        show.out(f"the demonstration's key cannot be made, or revoked: {error}")


async def _show_first_user(system: System) -> None:
    """Say how the first user is made, until there is one.

    The link is for the eyes before a terminal: what is no terminal may be a log, which must not have it.
    """
    try:
        if not sys.stdout.isatty():
            if not await system.has_users():
                show.out("there is no user yet; `fairlead users link` makes the link for the first")
            return
        link = await system.first_user_link()
    except ControlError as error:
        show.out(f"the first user cannot be made now: {error}")
        return
    if link is not None:
        text = "There is no user yet. Whoever opens this link becomes the first, within a day:"
        show.out(f"{text}\n  {link}\n")


def exchange(config_file: Path | None, flags: Mapping[str, object]) -> None:
    """Serve the simulated exchange in a process of its own. Raises Ended."""
    config = _loaded(partial(load_exchange, config_file, os.environ, flags))
    try:
        uvloop.run(
            serve(
                setup_of(config),
                (config.listen.host, config.listen.port),
                (config.operator_listen.host, config.operator_listen.port),
                _guarded,
            )
        )
    except _CANNOT_START as error:
        raise Ended(ExitCode.FATAL, said(error)) from None


def setup_of(config: ExchangeConfig) -> Setup:
    """Return what an exchange in a process of its own is started with."""
    return Setup(
        folder=config.data,
        seed=config.seed,
        participants=config.participants,
        market_tape=config.market_tape,
        tape_speed=config.market_speed,
        settings=config.settings,
    )


def _guarded(application: ASGIApp, address: tuple[str, int]) -> ASGIApp:
    """Keep other origins and foreign hosts out of the operator API."""
    return Border(application, (address,), new_trace_id)


def _loaded(read: Callable[[], _Loaded]) -> _Loaded:
    try:
        return read()
    except ConfigError as error:
        raise Ended(ExitCode.USAGE, "\n".join(error.findings)) from None


def _why_not(error: Exception, config: Config) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        listen, flag = (config.listen, "--listen")
        if config.fix.listen is not None and error.filename == str(config.fix.listen):
            listen, flag = config.fix.listen, "--fix"
        return (
            f"cannot listen on {listen}: something else does; stop that, or give"
            f" {flag} {listen.host}:0 for any free port"
        )
    return said(error)
