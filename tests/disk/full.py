"""A disk that is full, and whose blocks are smaller than SQLite's pages."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.disk.failing import mounted, needs_disks

_DISK_BYTES = 16 << 20
_FILLER = "filler"


def fill(folder: Path) -> None:
    """Leave no room at all."""
    with (folder / _FILLER).open("wb", buffering=0) as file:
        for piece in (1 << 20, 1 << 10, 1):
            try:
                while file.write(bytes(piece)):
                    continue
            except OSError:
                continue


def make_room(folder: Path) -> None:
    (folder / _FILLER).unlink()


@contextmanager
def disk_of_small_blocks(place: Path) -> Iterator[Path]:
    """Give a folder of `place` where a disk of 16 MB is mounted; skips where none may be made."""
    needs_disks()
    folder, image = place / "disk", place / "image"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(_DISK_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-b", "1024", image], check=True)
    with mounted("-o", "loop", str(image), str(folder)):
        yield folder
