"""A small file that is always whole: written aside, durably, and then put in the place of the former one.

For its owner's eyes. Whoever reads it needs no lock; writers keep one another out by the folder's.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fairlead.disk.folders import make_folder


@contextmanager
def folder_locked(folder: Path) -> Iterator[None]:
    """Keep other writers out, of whatever process; what was put is durable at the end. Raises OSError."""
    make_folder(folder)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_whole(path: Path, content: bytes) -> None:
    """Put a file in the place of the former one, which stays if that fails. Raises OSError.

    The caller holds the folder's lock.
    """
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
