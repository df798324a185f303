"""The WAL as a file: what is written is begun to be written out, synced, and measured."""

import os
import shutil
from pathlib import Path

import pytest

from fairlead.disk import anew
from fairlead.journal import CommitFailed, Journal, JournalReader, verify
from fairlead.journal import wal as wal_module
from fairlead.journal.opening import FILE_NAME
from fairlead.journal.wal import Wal
from tests.journal.bookkeeper import Bookkeeper

WAL_NAME = f"{FILE_NAME}-wal"


class FailingWal(Wal):
    """A disk that cannot write any more."""

    def sync(self) -> None:
        if self.frames:
            raise OSError(5, "Input/output error")


class FailingJournal(Journal):
    wal_class = FailingWal


class CountingWal(Wal):
    """Counts syncs."""

    syncs = 0

    def sync(self) -> None:
        super().sync()
        self.syncs += 1


class CountingJournal(Journal):
    wal_class = CountingWal
    _wal: CountingWal


def test_each_commit_is_synced_once_and_what_is_found_at_a_start_too(tmp_path: Path) -> None:
    with CountingJournal.open(tmp_path) as journal:
        assert journal._wal.syncs == 1, "what a killed process left may only be written"
        books = Bookkeeper(journal)
        books.open("a")
        books.commit()
        books.open("b")
        books.commit()
        assert journal._wal.syncs == 3


def test_what_is_found_at_a_start_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an earlier process could not bring to the disk, the system may take for written."""
    written: list[tuple[int, int]] = []
    pwrite = os.pwrite

    def note(file: int, data: bytes, at: int) -> int:
        if os.path.samestat(os.fstat(file), (folder / WAL_NAME).stat()):
            written.append((at, at + len(data)))
        return pwrite(file, data, at)

    folder = tmp_path / "killed"
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        for number in range(20):
            books.open(f"order-{number}")
            books.commit()
        folder.mkdir()
        for file in (FILE_NAME, WAL_NAME):
            shutil.copyfile(tmp_path / file, folder / file)
        before = (folder / WAL_NAME).read_bytes()
    monkeypatch.setattr(anew, "_ANEW_BYTES", 10_000)
    monkeypatch.setattr(os, "pwrite", note)
    with Journal.open(folder) as journal:
        assert [start for start, _ in written[1:]] == [end for _, end in written[:-1]]
        assert written[0][0] == 0
        assert written[-1][1] == 32 + journal._wal.frames * journal._wal.frame_bytes
        assert (folder / WAL_NAME).read_bytes() == before
    assert verify(folder).holds


def test_a_sync_that_fails_ends_the_journal(tmp_path: Path) -> None:
    with FailingJournal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.open("a")
        with pytest.raises(CommitFailed, match="the last unit was not made durable: OSError"):
            books.commit()
        with pytest.raises(CommitFailed, match="the last unit was not"):  # and it stays failed
            books.commit()
    assert verify(tmp_path).differences == []


def test_readers_see_what_is_written_and_not_synced(tmp_path: Path) -> None:
    with FailingJournal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.open("a")
        with pytest.raises(CommitFailed):
            books.commit()
        with JournalReader(tmp_path) as reader:
            assert reader.reports_after("SIM", 0, 10), "so whoever shows it must wait for the sync"


def test_where_the_system_cannot_be_told_to_begin_a_commit_is_synced_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wal_module, "_sync_file_range", None)
    with CountingJournal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.open("a")
        books.commit()
        assert journal._wal.syncs == 2


def test_it_knows_its_length_and_how_much_is_not_copied(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        wal = journal._wal
        assert wal.uncopied_bytes == wal.frames * wal.frame_bytes
        books = Bookkeeper(journal)
        books.open("a")
        books.commit()
        assert wal.size == 32 + wal.frames * wal.frame_bytes
        assert wal.size == os.stat(tmp_path / "journal.sqlite-wal").st_size
        assert journal.wal_bytes == wal.uncopied_bytes > 0
        journal.checkpoint("PASSIVE")
        assert journal.wal_bytes == 0
