"""How the log is written: events with fields, as JSON lines or as text, to stderr or to a file.

What libraries log is written the same way. An error's traceback is in JSON; text has the place alone, and
neither has the values of local variables: keys and passwords could be among them.
"""

import logging
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, TextIO

import structlog

from fairlead.config import LogConfig
from fairlead.control.key_text import hidden


def configure(config: LogConfig) -> None:
    """Set the log up for the whole process; call it once, before the parts are built.

    With a file, SIGHUP has it opened anew, for programs that rename it. Raises OSError when the file
    cannot be opened.
    """
    stream: TextIO | LogFile = sys.stderr
    if config.file is not None:
        stream = LogFile(config.file, config.file_bytes_max, config.file_count)
        signal.signal(signal.SIGHUP, stream.reopen_later)
    level = logging.getLevelNamesMapping()[config.level.upper()]
    is_text = config.format == "text"
    renderer: structlog.typing.Processor
    if is_text:
        renderer = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    else:
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _with_the_place if is_text else structlog.processors.format_exc_info,
            renderer,
            _without_secrets,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[_OfLibraries()], force=True)


class _OfLibraries(logging.Handler):
    """Passes on what libraries log: `logger` says which one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as one event."""
        log = structlog.get_logger()
        try:
            text = record.getMessage()
            log.log(record.levelno, text, logger=record.name, exc_info=record.exc_info or None)
        except (TypeError, ValueError):  # the text and its arguments do not fit
            self.handleError(record)


def _with_the_place(
    _: Any, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Put FILE:LINE, where an error was raised, in the place of its traceback."""
    told = event.pop("exc_info", None)
    error = told[1] if isinstance(told, tuple) else told
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)
        event.setdefault("cause", repr(error))
        if frames:
            event["raised_at"] = f"{frames[-1].filename}:{frames[-1].lineno}"
    return event


def _without_secrets(_: Any, __: str, line: Any) -> str:
    """Return a line, which the renderer has made, without keys that somebody put where names belong."""
    assert isinstance(line, str)
    return hidden(line)


class LogFile:
    """A text file to append lines to, renamed when it is large enough.

    What cannot be written goes to stderr: a full disk must not stop orders.
    """

    def __init__(self, path: Path, bytes_max: int, count: int) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._count = count
        self._must_reopen = False
        self._turn = threading.RLock()  # two threads may log; a signal may come amid a write
        self._open()

    def isatty(self) -> bool:
        """Say that it is a file."""
        return False

    def write(self, text: str) -> int:
        """Append `text` and have it seen; return its length."""
        with self._turn:
            try:
                if self._must_reopen:
                    self._file.close()
                    self._open()
                elif self._count and self._file.tell() >= self._bytes_max:
                    self._rotate()
                self._file.write(text.encode())
            except (OSError, ValueError) as error:  # ValueError: an opening before has failed
                sys.stderr.write(f"{self._path}: {error}: {text}")
        return len(text)

    def flush(self) -> None:
        """Do nothing: every write is passed on at once."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def reopen_later(self, *_: object) -> None:
        """Have the next line go to a file newly opened under the name; safe in a signal handler."""
        self._must_reopen = True

    def _open(self) -> None:
        self._file = self._path.open("ab", buffering=0)
        self._must_reopen = False

    def _rotate(self) -> None:
        self._file.close()
        for number in range(self._count, 0, -1):
            older = self._path if number == 1 else self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
