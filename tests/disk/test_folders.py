"""A folder that cannot be used is refused in words: which one, why, what would be right; nothing is made."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from fairlead.disk.folders import FolderUnusable, make_folder, why_not

RIGHT = "give a folder that can be made, or is there and can be written"


def refusal(folder: Path) -> str:
    with pytest.raises(FolderUnusable) as caught:
        make_folder(folder)
    return str(caught.value)


def test_a_folder_is_made_with_those_above_it_and_one_that_is_there_stays(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "a" / "b" / "file").touch()
    make_folder(tmp_path / "a" / "b")
    assert [each.name for each in (tmp_path / "a" / "b").iterdir()] == ["file"]


@pytest.mark.parametrize("below", ["", "x", "x/y"])
def test_a_file_on_the_way_is_named(tmp_path: Path, below: str) -> None:
    file = tmp_path / "file"
    file.touch()
    folder = file / below
    assert refusal(folder) == (
        f"the folder {folder} cannot be used: {file} is a file, not a folder; {RIGHT}"
    )


def test_a_name_that_is_too_long_is_said_to_be(tmp_path: Path) -> None:
    folder = tmp_path / "new" / ("x" * 300)
    assert refusal(folder) == f"the folder {folder} cannot be used: its name is too long; {RIGHT}"
    assert not (tmp_path / "new").exists()


def test_where_the_system_makes_no_folders_that_is_said() -> None:
    folder = Path("/proc/fairlead/data")
    assert refusal(folder).startswith(
        f"the folder {folder} cannot be used: no folder can be made in /proc;"
    )


@pytest.mark.parametrize("below", ["", "x"])
def test_a_file_system_that_is_read_only_is_said_to_be(tmp_path: Path, below: str) -> None:
    place = tmp_path / "still"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "none", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"may not mount a file system: {mounted.stderr.decode().strip()}")
    try:
        told = refusal(place / below)
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
    assert f"{place} is on a file system that is read-only; {RIGHT}" in told


def test_a_folder_of_somebody_else_is_said_to_be_theirs(tmp_path: Path) -> None:
    place = tmp_path / "theirs"
    place.mkdir(mode=0o555)
    cause = OSError(errno.EACCES, os.strerror(errno.EACCES))
    told = why_not(place / "x" / "y", cause)
    assert f"and {place} has mode 555 and belongs to " in told
    if os.geteuid():
        assert f"{place} has mode 555" in refusal(place)


def test_another_cause_is_told_with_its_place(tmp_path: Path) -> None:
    told = why_not(tmp_path / "x", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert told == f"No space left on device, in {tmp_path}"
