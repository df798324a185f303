"""The process behind `tests/forked.py`: has imported the libraries of others, and forks for each command.

Nothing of ours is imported before the fork. So a command imports our modules itself, in its own order, and
starts from the same line as the installed script; only the libraries are there already. `fairlead` as such
is started by the pages of the documentation, by `tests/commands/test_serving.py`, under strace and where a
test needs an interpreter of its own.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import time
from typing import Any

MESSAGE_BYTES_MAX = 1 << 20
# The largest; one that is not there is imported by whoever needs it, like all others.
LIBRARIES = (
    *("asyncio", "concurrent.futures.thread", "email.message", "http.client", "http.server"),
    *("logging.handlers", "sqlite3", "ssl", "tomllib", "urllib.request"),
    *("aiosmtplib", "argon2", "httptools", "msgspec", "prometheus_client", "pyotp", "segno", "structlog"),
    *("typer", "typer.main", "typer.rich_utils", "uvicorn.lifespan.off"),
    *("uvicorn.protocols.http.httptools_impl", "uvloop"),
    *("cryptography.x509", "cryptography.x509.verification"),
    *("cryptography.hazmat.primitives.ciphers.aead", "cryptography.hazmat.primitives.kdf.hkdf"),
    *("cryptography.hazmat.primitives.serialization", "encodings.idna"),
    *("h2.config", "h2.connection", "h2.events", "h2.exceptions", "h2.settings"),
    *("psycopg", "sqlalchemy", "sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite"),
    *("starlette.applications", "starlette.responses", "starlette.routing", "uvicorn", "uvicorn.config"),
    *("websockets.extensions.permessage_deflate", "websockets.frames", "websockets.server"),
)  # fmt: skip

Request = dict[str, Any]


def serve(requests: socket.socket) -> Request:
    """Fork for each request; return it in a child alone, which is to run its command."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it goes with those who ask
    while True:
        message, files, _, _ = socket.recv_fds(requests, MESSAGE_BYTES_MAX, 4)
        _bury()
        if not message:
            sys.exit()
        if os.fork() == 0:
            requests.close()
            return _attended(json.loads(message), files)
        for each in files:
            os.close(each)


def _bury() -> None:
    """Take leave of the children that have ended: so what they used is counted as ours."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            continue


def _attended(request: Request, files: list[int]) -> Request:
    """Fork once more: this process tells how the command ended, the child, which returns, becomes it."""
    *streams, told = files
    child = os.fork()
    if child != 0:
        os.write(told, b"%d\n" % child)
        for each in streams:
            os.close(each)
        _, status = os.waitpid(child, 0)
        os.write(told, b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.close(told)
    for number, each in enumerate(streams):
        os.dup2(each, number)
        os.close(each)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    return request


def _interpret() -> None:
    """Run the script, or the statements after `-c`, as the interpreter would."""
    if sys.argv[0] == "-c":
        statements = sys.argv.pop(1)
        exec(statements, {"__name__": "__main__"})
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")


def main() -> None:
    """Serve on the inherited socket whose number is the one argument."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    for name in LIBRARIES:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    gc.freeze()  # what is not touched is not copied
    request = serve(requests)
    sys.argv = request["command"]
    is_of_tests = sys.argv[0] == sys.executable
    if is_of_tests:
        del sys.argv[0]
    sys.path[0] = os.path.dirname(sys.argv[0])
    exec(request["first"], {})
    if is_of_tests:
        _interpret()
        return

    from fairlead.cli import main as fairlead

    sys.exit(fairlead())


if __name__ == "__main__":
    main()
