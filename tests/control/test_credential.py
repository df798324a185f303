"""The key-encryption key as a credential of the service: taken as systemd gives it, and never written."""

import os
import stat
from pathlib import Path

import pytest

from fairlead.control import credential
from fairlead.control.control import Control
from fairlead.control.credential import NAME, NEXT_NAME, Credential
from fairlead.control.key_changes import Wanted
from fairlead.control.key_file import KeyFile, KeyRefused
from fairlead.control.key_keeper import keeper_of
from fairlead.control.keys import Kind
from fairlead.control.rotation import rotate
from tests.commands.terminal import fairlead
from tests.control.conftest import OWNER


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The credentials of a service, with a key."""
    made = tmp_path / "credentials"
    made.mkdir(mode=0o700)
    give(made, NAME, "ab" * 32)
    return made


def give(folder: Path, name: str, text: str, mode: int = 0o400) -> None:
    path = folder / name
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(mode)


def environment(folder: Path) -> dict[str, str]:
    return {credential.VARIABLE: str(folder)}


def test_who_is_asked_for_the_key(tmp_path: Path, folder: Path) -> None:
    data = tmp_path / "data"
    assert isinstance(keeper_of(data, None, environment(folder)), Credential)
    for keeper in (
        keeper_of(data, None, {}),
        keeper_of(data, None, environment(tmp_path)),  # credentials, but not this one
        keeper_of(data, tmp_path / "own.key", environment(folder)),  # named in the settings
    ):
        assert isinstance(keeper, KeyFile)
    assert keeper_of(data, None, {}).place == str(tmp_path / "data.key")


def test_a_control_plane_is_locked_by_the_credential_and_no_key_is_made(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    monkeypatch.setenv(credential.VARIABLE, str(folder))
    for label in ("Bot1", "Bot2"):
        with Control.open(data, None, None, "local", 1) as control:
            wanted = Wanted(label=label, kind=Kind.HMAC, days=1)
            control.keyring.create(OWNER, wanted, 1)
            assert {each.key.label for each in control.keyring.usable()} >= {label}
    assert not (tmp_path / "data.key").exists()
    assert [each.name for each in folder.iterdir()] == [NAME]
    for file in (each for each in data.rglob("*") if each.is_file()):
        assert b"ab" * 32 not in file.read_bytes()
        assert bytes.fromhex("ab" * 32) not in file.read_bytes()


def test_without_the_credential_it_stays_locked(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    monkeypatch.setenv(credential.VARIABLE, str(folder))
    Control.open(data, None, None, "local", 1).close()
    give(folder, NAME, "cd" * 32)
    with pytest.raises(KeyRefused, match="put that one back"):
        Control.open(data, None, None, "local", 1)
    monkeypatch.delenv(credential.VARIABLE)
    with pytest.raises(KeyRefused, match="is missing"):
        Control.open(data, None, None, "local", 1)
    assert not (tmp_path / "data.key").exists()


@pytest.mark.parametrize("mode", [0o404, 0o440, 0o444, 0o460, 0o600 | 0o007])
def test_a_credential_that_others_may_read_is_refused(
    tmp_path: Path, folder: Path, mode: int
) -> None:
    give(folder, NAME, "ab" * 32, mode)
    keeper = Credential(folder, tmp_path / "data")
    is_listed = (
        mode == 0o440 and os.stat(folder / NAME).st_uid == 0 == os.stat(folder / NAME).st_gid
    )
    if is_listed:  # as systemd hands one out with an access control list
        assert len(keeper.keys()) == 1
    else:
        with pytest.raises(KeyRefused, match=f"has mode {mode:04o}"):
            keeper.keys()


@pytest.mark.parametrize("text", ["", "ab" * 31, "AB" * 32, "zz" * 32, "ab" * 32 + "x"])
def test_what_is_no_key_is_refused_and_not_repeated(
    tmp_path: Path, folder: Path, text: str
) -> None:
    give(folder, NAME, text)
    with pytest.raises(KeyRefused, match="is not a key") as caught:
        Credential(folder, tmp_path / "data").keys()
    assert not text or text not in str(caught.value)


def test_a_credential_in_the_data_folder_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(KeyRefused, match="lies in the data folder"):
        Credential(folder, tmp_path).keys()
    with pytest.raises(KeyRefused, match="give it to the service"):
        Credential(folder, tmp_path).create()


def test_a_rotation_takes_the_next_credential_and_ends_with_it_in_the_first_ones_place(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    monkeypatch.setenv(credential.VARIABLE, str(folder))
    with Control.open(data, None, None, "local", 1) as control:
        made = control.keyring.create(OWNER, Wanted(label="Bot1", kind=Kind.HMAC, days=1), 1)
        with pytest.raises(KeyRefused, match="there is no next key; make one by"):
            rotate(control, OWNER, 1)
        give(folder, NEXT_NAME, "ab" * 32)
        with pytest.raises(KeyRefused, match=r"is the key .* of now"):
            rotate(control, OWNER, 1)
        give(folder, NEXT_NAME, "cd" * 32)
        rotated = rotate(control, OWNER, 1)
        assert rotated.data_keys == 1
        assert rotate(control, OWNER, 1).data_keys == 0  # said again, nothing is left to do
        assert f"give {NEXT_NAME} to the service as {NAME}" in control.keeper.said_after_rotation(
            rotated.key_name
        )
    give(folder, NAME, "cd" * 32)
    (folder / NEXT_NAME).unlink()
    with Control.open(data, None, None, "local", 1) as control:
        assert [each.key for each in control.keyring.usable()] == [made.key]  # type: ignore[union-attr]
    assert stat.S_IMODE((folder / NAME).stat().st_mode) == 0o400


def test_commands_take_the_credentials_of_the_service(tmp_path: Path, folder: Path) -> None:
    words = ("keys", "create", "Bot1", "--kind", "hmac", "--data", "data")
    assert fairlead(*words, folder=tmp_path, environment=environment(folder)).code == 0
    assert not (tmp_path / "data.key").exists()
    refused = fairlead("keys", "list", "--data", "data", folder=tmp_path)
    assert refused.code == 70
    assert "the key-encryption key is missing" in refused.err
