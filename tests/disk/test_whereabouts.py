"""A file that is open and no longer at its path is noticed, whatever became of it."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from fairlead.disk.whereabouts import FileGone, OpenFile, Whereabouts, opened, opened_database

pytestmark = pytest.mark.asyncio


def delete(path: Path) -> None:
    path.unlink()


def move(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))


def replace(path: Path) -> None:
    """By a copy, as whoever restores a backup does."""
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)


def move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("other"))


def put_a_file_for_the_folder(path: Path) -> None:
    move_folder(path)
    path.parent.write_bytes(b"")


def lead_in_a_circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


async def gone(files: tuple[OpenFile, ...], change: Callable[[], None]) -> FileGone:
    """Return what is said after `change`; before it, that nothing is."""
    told: asyncio.Future[FileGone] = asyncio.get_running_loop().create_future()
    whereabouts = Whereabouts(told.set_result)
    whereabouts.add(files)
    whereabouts._on_look()
    assert not told.done()
    change()
    try:
        return await told
    finally:
        whereabouts.stop()


@pytest.mark.parametrize(
    "change",
    [delete, move, replace, move_folder, put_a_file_for_the_folder, lead_in_a_circle],
    ids=lambda each: each.__name__,
)
async def test_a_file_that_is_no_more_the_one_that_is_open_is_named(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    first, second = folder / "first", folder / "second"
    for path in (first, second):
        path.write_bytes(b"content")
    with first.open("rb"), second.open("rb"):
        files = opened(first, second)
        cause = await gone(files, lambda: change(second))
    named = second if second.parent.is_dir() else first
    assert str(cause).startswith(f"{named}: was deleted, moved or replaced while it was open")


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
async def test_of_a_database_each_file_is_looked_at(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "some.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE things (thing)")
        files = opened_database(path)
        cause = await gone(files, Path(f"{path}{suffix}").unlink)
    assert str(cause).startswith(f"{path}{suffix}: ")


async def test_a_file_that_cannot_be_looked_at_is_not_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes a permission away has taken nothing that was written."""
    told: list[FileGone] = []
    path = tmp_path / "file"
    path.write_bytes(b"")
    whereabouts = Whereabouts(told.append)
    whereabouts.add(opened(path))

    def refuse(path: Path) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", refuse)
        whereabouts._on_look()
    assert told == []
    path.unlink()
    whereabouts._on_look()
    assert len(told) == 1
    whereabouts.stop()


async def test_nothing_is_looked_at_once_it_is_stopped_or_has_spoken(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    told: list[FileGone] = []
    path = tmp_path / "file"
    path.write_bytes(b"")
    whereabouts = Whereabouts(told.append)
    whereabouts.add(opened(path))
    whereabouts.stop()
    whereabouts.start()
    assert whereabouts._look is not None
    assert whereabouts._look.when() <= loop.time() + 1
    whereabouts.stop()
    assert whereabouts._look.cancelled()
    path.unlink()
    whereabouts._on_look()
    assert len(told) == 1
    assert whereabouts._look.cancelled()
