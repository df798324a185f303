"""Copying the exchange's store while the exchange works, for whoever asks the operator API.

Only the exchange itself can: its file is locked for as long as it runs. The copy is made in a thread, a
few pages at a time, and sent from a file that no folder names any more.
"""

import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from fairlead.exchange.store import Store
from fairlead.exchange.store_file import FILE_NAME

FOLDER_PREFIX = ".copy-"  # what is left of a copy that a kill cut short begins so
_CHUNK_BYTES = 1 << 18  # read and sent at once


def copied(store: Store, folder: Path) -> tuple[BinaryIO, int]:
    """Return an open copy of `store`, made in `folder`, and its size; closing it ends its existence.

    Raises StoreError and OSError.
    """
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX, dir=folder) as temporary:
        path = Path(temporary) / FILE_NAME
        store.copy_into(path)
        copy = path.open("rb")
        return copy, os.fstat(copy.fileno()).st_size


async def chunks(copy: BinaryIO) -> AsyncIterator[bytes]:
    """Yield a file's content a piece at a time, and close it."""
    with copy:
        while chunk := copy.read(_CHUNK_BYTES):
            yield chunk
