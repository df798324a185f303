"""Through which timestamp signed requests may have been taken: kept on disk for the process that comes next.

Written before the first request beyond it is taken, some seconds ahead, so that it is written once in that
time however much is signed. Whoever starts takes nothing up to it: a clock that was put back while nobody
served brings no request back.
"""

import os
from pathlib import Path

from fairlead.control.errors import ControlError

MARK_FILE = "signed-through"
_DIGITS_MAX = 16


class Mark:
    """The mark of one data folder, milliseconds since 1970."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / MARK_FILE

    def read(self) -> int:
        """Return it, 0 where none was ever set. Raises ControlError and OSError."""
        try:
            text = self._path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return 0
        except UnicodeDecodeError:
            text = ""
        if not text.isdigit() or len(text) > _DIGITS_MAX:
            raise ControlError(
                f"{self._path}: is no time in milliseconds; put the file back as it was, or remove it when"
                " this machine's clock has not been put back"
            )
        return int(text)

    def write(self, through_ms: int) -> None:
        """Set it, durably. Raises OSError."""
        draft = self._path.with_name(f".{self._path.name}.draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(f"{through_ms}\n")
            file.flush()
            os.fsync(descriptor)
        draft.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
