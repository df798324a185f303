"""Before a database is opened there is room for the index of its WAL."""

import errno
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fairlead.disk.room import see_room
from fairlead.journal import Journal, JournalReader
from fairlead.journal.opening import FILE_NAME
from tests.disk.full import disk_of_small_blocks, fill, make_room


def database(folder: Path) -> Path:
    path = folder / "some.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE things (thing)")
    return path


def test_a_full_disk_has_none_and_one_with_space_has(tmp_path: Path) -> None:
    with disk_of_small_blocks(tmp_path) as folder:
        path = database(folder)
        fill(folder)
        with pytest.raises(OSError, match="its disk is full, opening it takes 288 KiB") as refused:
            see_room(path, is_writer=True)
        assert refused.value.errno == errno.ENOSPC
        with pytest.raises(OSError, match="opening it takes 32 KiB"):
            see_room(path, is_writer=False)
        make_room(folder)
        see_room(path, is_writer=True)
        assert {each.name for each in folder.iterdir()} == {path.name, "lost+found"}


def test_a_journal_that_is_open_has_its_room_on_a_full_disk(tmp_path: Path) -> None:
    """Else what is decided there, or whoever looks at it, could be the first to touch a block."""
    with disk_of_small_blocks(tmp_path) as folder, Journal.open(folder / "data") as journal:
        fill(folder)
        path = journal.folder / FILE_NAME
        assert Path(f"{path}-shm").stat().st_blocks * 512 >= 32 << 10
        see_room(path, is_writer=False)
        with JournalReader(journal.folder) as reader:
            assert reader.reports_after("SIM", 0, 10) == []


def test_a_large_wal_takes_a_larger_index(tmp_path: Path) -> None:
    with disk_of_small_blocks(tmp_path) as folder:
        path = database(folder)
        with Path(f"{path}-wal").open("wb") as wal:
            wal.truncate(400 << 20)
        fill(folder)
        with pytest.raises(OSError, match="opening it takes 1056 KiB"):
            see_room(path, is_writer=False)


def test_other_trouble_is_left_to_the_opening(tmp_path: Path) -> None:
    see_room(tmp_path / "no folder" / "some.sqlite", is_writer=True)
