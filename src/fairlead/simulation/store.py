"""The FIX store on the world's disk: a real SQLite file, of which a crash leaves what it may.

The store commits without a sync (docs/decisions/0018): the end of the process keeps all that was
committed; a power failure leaves the last sync and any prefix of what was written later, which SQLite in
WAL mode appends to one file as long as it makes no checkpoint. `SimulatedStore` is the shipped store; it
is only watched and interrupted.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import NoReturn

from fairlead.fix.opening import FILE_NAME
from fairlead.fix.settings import Batch
from fairlead.fix.store import Store
from fairlead.simulation.crashes import STORE_KINDS, CrashKind
from fairlead.simulation.disk import Image

_COMMITS_MAX = 60


class StoreCrashes:
    """When commits of the FIX store end the process: `most` times in a world."""

    def __init__(self, random: Random, most: int) -> None:
        self._random = random
        self._left = most
        self._countdown = 0

    def started(self) -> None:
        """A process began: plan its end."""
        # Half of the time soon: while sessions come back.
        self._countdown = self._random.randrange(1, self._random.choice([5, _COMMITS_MAX]))

    def stop(self) -> None:
        """Plan no more."""
        self._left = 0

    def at_commit(self) -> CrashKind | None:
        """Say how this commit ends the process, if it does."""
        if not self._left:
            return None
        self._countdown -= 1
        if self._countdown > 0:
            return None
        self._left -= 1
        return self._random.choice(STORE_KINDS)


class SimulatedStore(Store):
    """The shipped store, which may be interrupted once it was `endangered`."""

    _crashes: StoreCrashes | None = None
    _is_syncing = False

    def endanger(
        self, folder: Path, crashes: StoreCrashes, die: Callable[[CrashKind], NoReturn]
    ) -> None:
        """From now on crash as planned. What opening did is synced."""
        self._folder = folder
        self._crashes = crashes
        self._die = die
        self._connection.execute("PRAGMA wal_autocheckpoint = 0")
        self._synced_size = len(self._image().wal)

    def survives(self, random: Random, *, is_power_failure: bool) -> Image:
        """Return what is left of the files if the process ends now."""
        image = self._image()
        if not is_power_failure:
            return image
        kept = random.randrange(self._synced_size, len(image.wal) + 1)
        return Image(image.database, image.wal[:kept])

    def commit(self, batches: Iterable[Batch]) -> None:
        """Store the batches, and perhaps not live to tell."""
        batches = list(batches)
        kind = None
        if self._crashes is not None and any(batch.changes is not None for batch in batches):
            kind = self._crashes.at_commit()
        if kind is CrashKind.STORE_BEFORE:
            self._die(kind)
        self._is_syncing = False
        super().commit(batches)
        if self._is_syncing:
            self._synced_size = len(self._image().wal)
        if kind is CrashKind.STORE_AFTER:
            self._die(kind)

    def _sync_commits(self, *, is_on: bool) -> None:
        """Take note that a commit is synced."""
        self._is_syncing = self._is_syncing or is_on
        super()._sync_commits(is_on=is_on)

    def _image(self) -> Image:
        wal = self._folder / f"{FILE_NAME}-wal"
        return Image((self._folder / FILE_NAME).read_bytes(), wal.read_bytes())


def restore(folder: Path, image: Image) -> None:
    """Put what a crash left into a new folder."""
    (folder / FILE_NAME).write_bytes(image.database)
    (folder / f"{FILE_NAME}-wal").write_bytes(image.wal)
