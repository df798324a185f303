"""The key-encryption key's file: made once, whole, and refused whenever somebody else might have it."""

import os
import stat
from pathlib import Path

import pytest

from fairlead.control.key_file import KeyFile, KeyRefused


@pytest.fixture
def key_file(tmp_path: Path) -> KeyFile:
    (tmp_path / "data").mkdir()
    made = KeyFile.beside(tmp_path / "data")
    made.create()
    return made


def test_the_key_lies_beside_the_data_folder_and_its_owner_alone_can_read_it(
    tmp_path: Path, key_file: KeyFile
) -> None:
    assert key_file.path == tmp_path / "data.key"
    assert stat.S_IMODE(key_file.path.stat().st_mode) == 0o400
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["data.key"]


@pytest.mark.parametrize("name", [".", "../data", "inner/.."])
def test_a_folder_of_any_spelling_has_its_key_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path / "data")
    assert KeyFile.beside(Path(name)).path == tmp_path / "data.key"


def test_a_key_that_is_there_stays(key_file: KeyFile) -> None:
    before = key_file.path.read_bytes()
    key_file.create()
    assert key_file.path.read_bytes() == before


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o660, 0o602, 0o410, 0o777])
def test_a_key_that_others_may_use_is_refused(key_file: KeyFile, mode: int) -> None:
    key_file.path.chmod(mode)
    with pytest.raises(KeyRefused, match=f"has mode {mode:04o}.*chmod 0400"):
        key_file.keys()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_key_of_another_user_is_refused(key_file: KeyFile) -> None:
    os.chown(key_file.path, 65534, -1)
    with pytest.raises(KeyRefused, match="belongs to user 65534"):
        key_file.keys()


def test_a_missing_key_is_refused(key_file: KeyFile) -> None:
    key_file.path.unlink()
    with pytest.raises(KeyRefused, match=r"data\.key: the key-encryption key is missing"):
        key_file.keys()


@pytest.mark.parametrize(
    "content", [b"", b"ab" * 31, b"ab" * 33, b"AB" * 32, b"zz" * 32, b"ab" * 32 + b"\n\n"]
)
def test_what_is_no_key_is_refused_and_not_repeated(key_file: KeyFile, content: bytes) -> None:
    key_file.path.unlink()
    key_file.path.write_bytes(content)
    key_file.path.chmod(0o400)
    with pytest.raises(KeyRefused, match="is not a key; expected 64 hexadecimal digits") as caught:
        key_file.keys()
    assert not content or content.decode().strip() not in str(caught.value)


def test_a_folder_in_the_place_of_the_key_is_refused(key_file: KeyFile) -> None:
    key_file.path.unlink()
    key_file.path.mkdir(mode=0o700)
    with pytest.raises(KeyRefused, match="is not a file"):
        key_file.keys()


@pytest.mark.parametrize("name", ["data/key", "data/inner/key", "link/key"])
def test_a_key_in_the_data_folder_is_refused_and_none_is_made_there(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "data/inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "data")
    key_file = KeyFile(tmp_path / name, tmp_path / "data")
    for use in (key_file.create, key_file.keys, key_file.begin_rotation):
        with pytest.raises(KeyRefused, match="lies in the data folder"):
            use()
    assert not (tmp_path / name).exists()


def test_a_link_into_the_data_folder_is_refused(tmp_path: Path, key_file: KeyFile) -> None:
    key_file.path.rename(tmp_path / "data/hidden")
    key_file.path.symlink_to(tmp_path / "data/hidden")
    with pytest.raises(KeyRefused, match="lies in the data folder"):
        key_file.keys()


def test_a_key_is_never_shown(key_file: KeyFile) -> None:
    key = key_file.newest()
    assert repr(key) == f"Key({key.name})"
    assert key.octets.hex() not in f"{key} {key_file.keys()}"


def test_a_rotation_keeps_both_keys_until_it_ends(key_file: KeyFile) -> None:
    old = key_file.newest()
    new = key_file.begin_rotation()
    assert key_file.begin_rotation() == new  # goes on with the one that was begun
    assert key_file.keys() == {old.name: old, new.name: new}
    assert key_file.newest() == new
    assert key_file.is_rotating(new)
    assert not key_file.is_rotating(old)
    key_file.end_rotation(new)
    assert not key_file.is_rotating(new)
    assert key_file.keys() == {new.name: new}
    assert stat.S_IMODE(key_file.path.stat().st_mode) == 0o400
