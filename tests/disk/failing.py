"""A disk whose syncs fail, for real: a file system in a file, in memory that has run out.

What Linux could not write it takes for written from then on: every reader sees it, no later sync writes it,
and it is gone with the power.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_DISK_BYTES = 24 << 20
_MEMORY = "40m"


class FailingDisk:
    """A disk of 24 MB, mounted at `folder`; `memory` is what it is written to."""

    def __init__(self, folder: Path, memory: Path) -> None:
        self.folder = folder
        self._image = memory / "image"
        self._filler = memory / "filler"

    def fail(self) -> None:
        """From now on nothing can be written where nothing was before."""
        with self._filler.open("wb", buffering=0) as file:
            for piece in (1 << 20, 1 << 12):
                try:
                    while True:
                        file.write(bytes(piece))
                except OSError:
                    continue

    def mend(self) -> None:
        """Take writes again."""
        self._filler.unlink()

    @contextmanager
    def without_power(self, place: Path) -> Iterator[Path]:
        """Give, in a folder of `place`, what would be left on the disk were the power gone now."""
        image, folder = place / "copy", place / "left"
        folder.mkdir(exist_ok=True)
        shutil.copyfile(self._image, image)
        try:
            with mounted("-o", "loop", str(image), str(folder)):
                yield folder
        finally:
            image.unlink()


@contextmanager
def failing_disk(place: Path) -> Iterator[FailingDisk]:
    """Give one in folders of `place`; skips where none may be made."""
    needs_disks()
    folder, memory = place / "disk", place / "memory"
    folder.mkdir()
    memory.mkdir()
    with mounted("-t", "tmpfs", "-o", f"size={_MEMORY}", "tmpfs", str(memory)):
        disk = FailingDisk(folder, memory)
        with disk._image.open("wb") as file:
            file.truncate(_DISK_BYTES)
        # Its own blocks are there from the start, so that only what files hold can fail. Without a journal
        # ext4 syncs data and not, with it, that an extent has become written: so no extents either.
        options = ["-O", "^has_journal,^extent,^64bit", "-E", "lazy_itable_init=0,nodiscard"]
        subprocess.run(["mkfs.ext4", "-q", "-b", "4096", *options, disk._image], check=True)
        with mounted("-o", "loop", str(disk._image), str(folder)):
            yield disk


def needs_disks() -> None:
    """Skip where no disk can be made."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("only root, with mkfs.ext4, can make a disk")


@contextmanager
def mounted(*arguments: str) -> Iterator[None]:
    """Have something mounted meanwhile; skips where that may not be."""
    tried = subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"cannot mount here: {tried.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", arguments[-1]], check=True)
