"""The file layer: real SQLite files, of which a crash leaves what had reached the disk.

A crash leaves the state after the last finished sync plus an arbitrary prefix of the later writes.
SQLite in WAL mode writes and syncs in a known order (https://sqlite.org/walformat.html,
https://sqlite.org/atomiccommit.html): a commit (of a unit, or of its application to the tables)
appends to the WAL, or begins it anew, and the journal syncs it after each unit;
a checkpoint writes pages into the database, then syncs that. So the images of both are composed from
the files before and after, cut anywhere. `SimulatedJournal` is the shipped journal; it is only
interrupted.

A sync that fails leaves a hole: what it was to bring to the disk is shown to every reader from then on, and
is skipped by later syncs, until it is written again.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NoReturn

import msgspec

from fairlead.core.reports import Report
from fairlead.core.unit import Unit
from fairlead.journal.journal import Journal, Prepared
from fairlead.journal.opening import FILE_NAME
from fairlead.journal.rows import decode_frame
from fairlead.journal.wal import HEADER_BYTES, Wal
from fairlead.simulation.crashes import CrashKind, CrashPlan, Tidying

_HOLE_NAME = f"{FILE_NAME}-hole"
_RAM = Path("/dev/shm")  # noqa: S108 - a fast disk; every world has a folder of its own there


class Image(msgspec.Struct, frozen=True):
    """What a crash leaves: the bytes of the database and of its WAL.

    `hole`: from where to where the latter is only in the memory of a machine that goes on.
    """

    database: bytes
    wal: bytes
    hole: tuple[int, int] | None = None


class Disk:
    """A world's folders: one for each life of the journal, made from the image of the last."""

    def __init__(self) -> None:
        self.root = Path(
            tempfile.mkdtemp(prefix="fairlead-world-", dir=_RAM if _RAM.is_dir() else None)
        )
        self._lives = 0

    def folder(self, name: str, image: Image | None) -> Path:
        """Return a new folder with the image in it."""
        self._lives += 1
        folder = self.root / f"{name}-{self._lives}"
        folder.mkdir()
        if image is not None:
            (folder / FILE_NAME).write_bytes(image.database)
            (folder / f"{FILE_NAME}-wal").write_bytes(image.wal)
            (folder / _HOLE_NAME).write_bytes(msgspec.json.encode(image.hole))
        return folder

    def remove(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.root, ignore_errors=True)


def read_image(folder: Path) -> Image:
    """Return the files as they are."""
    wal = folder / f"{FILE_NAME}-wal"
    return Image((folder / FILE_NAME).read_bytes(), wal.read_bytes() if wal.exists() else b"")


def torn_commit(before: Image, after: Image, random: Random) -> Image:
    """Return what is left of a commit that was writing: a prefix of what it wrote to the WAL."""
    old, new = before.wal, after.wal
    start = next(
        (at for at in range(0, len(new), 512) if old[at : at + 512] != new[at : at + 512]), len(new)
    )
    cut = random.randrange(start, len(new) + 1)
    return Image(before.database, new[:cut] + old[cut:])


def torn_checkpoint(before: Image, after: Image, page_size: int, random: Random) -> Image:
    """Return what is left of a checkpoint: some pages written, the WAL as it was."""
    old, new = before.database, after.database
    changed = [
        at
        for at in range(0, len(new), page_size)
        if old[at : at + page_size] != new[at : at + page_size]
    ]
    written = bytearray(old)
    if changed:
        count = random.randrange(len(changed) + 1)
        for at in changed[:count]:
            _put(written, at, new[at : at + page_size])
        if count < len(changed):
            at = changed[count]
            _put(written, at, new[at : at + random.randrange(page_size)])
    return Image(bytes(written), before.wal)


def _put(written: bytearray, at: int, data: bytes) -> None:
    if at > len(written):
        written.extend(bytes(at - len(written)))
    written[at : at + len(data)] = data


Die = Callable[[CrashKind, Image], NoReturn]


class SimulatedWal(Wal):
    """The shipped file, which knows what of it the power may take."""

    is_neglected = False  # a unit was written before the last one was synced
    _is_unit_synced = True
    _safe_bytes: int | None = None  # of the file; None: all of it

    def __init__(self, journal: Path, page_size: int) -> None:
        """Open the files of `journal`, which an earlier life may have left with a hole."""
        super().__init__(journal, page_size)
        kept = journal.with_name(_HOLE_NAME)
        self.hole: tuple[int, int] | None = None
        if kept.exists():
            self.hole = msgspec.json.decode(kept.read_bytes(), type=tuple[int, int] | None)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Take note of what is written within the block."""
        before = self.frames
        yield
        if self._safe_bytes is None and self.frames != before:
            is_begun_anew = self.frames < before
            self._safe_bytes = HEADER_BYTES + (0 if is_begun_anew else before) * self.frame_bytes

    def begin_sync(self) -> None:
        """Take note that a unit was written."""
        self.is_neglected |= not self._is_unit_synced
        self._is_unit_synced = False
        super().begin_sync()

    def sync(self) -> None:
        """Take note that nothing can be lost any more, but for an old hole."""
        super().sync()
        self._is_unit_synced = True
        self._safe_bytes = None

    def sync_anew(self) -> None:
        """Take note that nothing can be lost any more at all."""
        super().sync_anew()
        self.hole = None

    def fail_sync(self) -> None:
        """Fail: all that was to be synced is a hole."""
        start = HEADER_BYTES if self._safe_bytes is None else self._safe_bytes
        self.hole = (start if self.hole is None else min(start, self.hole[0]), self.size)
        self._is_unit_synced = True
        self._safe_bytes = None

    def is_copied(self) -> None:
        """Somebody has synced it, and copied it into the database."""
        self._is_unit_synced = True
        self._safe_bytes = self.hole = None

    def without_power(self, wal: bytes, random: Random) -> bytes:
        """Return what the disk has of the file: all that was synced, and a prefix of the rest."""
        if self._safe_bytes is not None:
            kept = random.randrange(min(self._safe_bytes, len(wal)), len(wal) + 1)
            wal = wal[:kept] + bytes(len(wal) - kept)
        if self.hole is not None:
            start, end = self.hole
            wal = wal[:start] + bytes(min(end, len(wal)) - min(start, len(wal))) + wal[end:]
        return wal


class SimulatedJournal(Journal):
    """The shipped journal, which the plan may interrupt once it was `endangered`."""

    wal_class = SimulatedWal
    _wal: SimulatedWal
    _plan: CrashPlan | None = None
    _ends: CrashKind | None = None  # how the commit under way ends the process

    def endanger(
        self, plan: CrashPlan, random: Random, die: Die, committed: Callable[[Unit], None]
    ) -> None:
        """From now on crash as planned; `committed` is told of every unit that is on disk."""
        self._plan = plan
        self._random = random
        self._die = die
        self._committed = committed
        self._before = self._begun = read_image(self.folder)

    def survives(self, image: Image, *, is_power_failure: bool) -> Image:
        """Return what is left of `image`: without a sync at each commit, nothing since the start."""
        if self._wal.is_neglected:
            return self._begun
        if is_power_failure:
            return Image(image.database, self._wal.without_power(image.wal, self._random))
        return Image(image.database, image.wal, self._wal.hole)

    def write(self, prepared: Prepared) -> None:
        """Write a unit, and perhaps not live to see it durable."""
        assert self._plan is not None
        self._ends = self._plan.at_commit()
        if self._ends is not None:
            self._before = read_image(self.folder)
        if self._ends is CrashKind.COMMIT_BEFORE:
            self._die(self._ends, self._before)
        with self._wal.writing():
            super().write(prepared)
        self._written = prepared.unit

    def sync(self) -> None:
        """Make it durable, and perhaps not live to tell."""
        if self._ends is CrashKind.COMMIT_TORN:
            self._die(self._ends, torn_commit(self._before, read_image(self.folder), self._random))
        if self._ends is not None and self.commit_count % 2:
            self._wal.fail_sync()
        else:
            super().sync()
        if self._ends is not None:
            self._die(self._ends, read_image(self.folder))
        self._committed(self._written)

    def apply(self) -> None:
        """Let the tables follow the log, and perhaps be interrupted."""
        kind = None
        if self._plan is not None and self._tail.last != self._tail.base:
            kind = self._plan.at_apply()
        before = read_image(self.folder) if kind is not None else None
        with self._wal.writing():
            super().apply()
        if kind is None or before is None:
            return
        after = read_image(self.folder)
        self._die(
            kind, after if kind is CrashKind.APPLIED else torn_commit(before, after, self._random)
        )

    def tidy_if_due(self) -> bool:
        """Tidy when the plan says so, however little there is."""
        assert self._plan is not None
        match self._plan.at_tidy():
            case None:
                return False
            case Tidying.APPLY:
                self.apply()
            case Tidying.CHECKPOINT:
                self._checkpoint(self._plan.at_checkpoint())
        return True

    def _checkpoint(self, kind: CrashKind | None) -> None:
        before = read_image(self.folder) if kind is not None else None
        self.checkpoint("TRUNCATE" if self._random.randrange(2) else "PASSIVE")
        self._wal.is_copied()  # https://sqlite.org/wal.html#checkpointing: synced before it is copied
        if kind is not None and before is not None:
            after = read_image(self.folder)
            if kind is CrashKind.CHECKPOINT:
                after = torn_checkpoint(before, after, self._page_size, self._random)
            self._die(kind, after)

    def abandon(self) -> None:
        """Let go of the files of a process that is dead."""
        self._connection.close()
        self._wal.close()
        self._lock.release()


class Observer:
    """Reads what is on the disk, by a connection of its own: what a crash now would leave."""

    def __init__(self, folder: Path) -> None:
        path = (folder / FILE_NAME).absolute().as_uri()
        self._connection = sqlite3.connect(f"{path}?mode=ro", uri=True, isolation_level=None)
        self._batch = 0

    def new_reports(self) -> list[list[Report]]:
        """Return the reports of every commit since this was last asked."""
        rows = self._connection.execute(
            "SELECT batch, data FROM frames WHERE batch > ? ORDER BY batch", (self._batch,)
        ).fetchall()
        if rows:
            self._batch = rows[-1][0]
        return [decode_frame(data).reports for _, data in rows]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
