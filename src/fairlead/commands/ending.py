"""How a command ends: the exit codes, and the error that carries one with its words."""

from enum import IntEnum
from pathlib import Path

from fairlead.disk.folders import why_not


class ExitCode(IntEnum):
    """What a script can act on; docs/reference/exit-codes.md is made from it."""

    DONE = 0
    REFUSED = 1  # understood and not done, or a check that does not hold
    USAGE = 2  # the command line or the configuration is wrong; nothing was tried
    UNREACHABLE = 3  # no system there, or it cannot now; nothing was changed
    UNKNOWN = 4  # it may have been done: ask, never send again under another id
    NOT_YET = 5  # what was waited for has not come in time; it still may
    FATAL = 70  # the system could not start or had to stop


class Ended(Exception):
    """A command ends here: `text` is for people, one line, on stderr."""

    def __init__(self, code: ExitCode, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def said(error: Exception) -> str:
    """Return an error in words: one of the operating system names the file and why, not a number."""
    if type(error).__str__ is not OSError.__str__:
        return str(error)
    assert isinstance(error, OSError)
    if not isinstance(error.filename, str | Path):
        return str(error)
    path = Path(error.filename)
    is_told = isinstance(error, FileNotFoundError | IsADirectoryError | FileExistsError)
    return f"{path}: {error.strerror if is_told else why_not(path, error)}"
