"""What could not be synced is brought to the disk by whoever finds it."""

import os
from pathlib import Path

import pytest

from fairlead.disk import anew
from tests.disk.failing import failing_disk


def test_what_could_not_be_synced_is_on_the_disk_once_it_is_written_anew(tmp_path: Path) -> None:
    with failing_disk(tmp_path) as disk:
        wal = disk.folder / "wal"
        wal.write_bytes(b"")
        content = os.urandom(100_000)
        with wal.open("r+b", buffering=0) as file:
            disk.fail()
            file.write(content)
            with pytest.raises(OSError, match=r"No space left|Input/output error"):
                anew.sync(file.fileno())
            disk.mend()
            anew.sync(file.fileno())
        assert wal.read_bytes() == content
        with disk.without_power(tmp_path) as left:
            assert (left / "wal").read_bytes() != content, "so a sync alone does not do"
        anew.bring_to_disk(wal)
        with disk.without_power(tmp_path) as left:
            assert (left / "wal").read_bytes() == content


def test_every_byte_is_written_again_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[int, int]] = []
    pwrite = os.pwrite

    def note(file: int, data: bytes, at: int) -> int:
        count = pwrite(file, data[:700], at)  # a system may write less than it is given
        written.append((at, at + count))
        return count

    synced: list[os.stat_result] = []
    fsync = os.fsync

    def note_folder(file: int) -> None:
        synced.append(os.fstat(file))
        fsync(file)

    wal = tmp_path / "wal"
    content = os.urandom(10_000)
    wal.write_bytes(content)
    monkeypatch.setattr(anew, "_ANEW_BYTES", 1_000)
    monkeypatch.setattr(os, "pwrite", note)
    monkeypatch.setattr(os, "fsync", note_folder)
    anew.bring_to_disk(wal)
    assert [start for start, _ in written] == [0, *(end for _, end in written[:-1])]
    assert written[-1][1] == len(content)
    assert wal.read_bytes() == content
    assert any(os.path.samestat(each, tmp_path.stat()) for each in synced), "it may be in no folder"


def test_where_there_is_no_wal_none_is_made(tmp_path: Path) -> None:
    anew.bring_to_disk(tmp_path / "wal")
    assert not list(tmp_path.iterdir())
