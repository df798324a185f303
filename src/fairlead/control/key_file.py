"""The key-encryption key: 32 bytes in a file of their own, outside the data folder, for its owner's eyes.

A second file beside it, NAME.next, is there while a rotation is under way. Both are always whole.
Must never keep a key in memory longer than a call, write one into the data folder, or name one in an
error; a key is named by the beginning of a hash of it.
"""

import contextlib
import hashlib
import os
import re
import secrets
import stat
from pathlib import Path

import msgspec

from fairlead.control.errors import ControlError
from fairlead.disk.folders import make_folder

KEY_BYTES = 32
_FORM = re.compile(rb"[0-9a-f]{64}\n?").fullmatch
_FILE_BYTES_MAX = 128
_RIGHT = f"expected {2 * KEY_BYTES} hexadecimal digits in a file that only its owner can read"


class KeyRefused(ControlError):
    """The file of the key-encryption key is missing, not safe, or not a key."""


class Key(msgspec.Struct, frozen=True):
    """A key-encryption key and its name, which says nothing about it."""

    name: str
    octets: bytes

    def __repr__(self) -> str:
        """Name the key; never show it."""
        return f"Key({self.name})"


class KeyFile:
    """Where the key-encryption key of one installation is kept."""

    def __init__(self, path: Path, data: Path) -> None:
        self.path = Path(os.path.abspath(path))
        self._next = self.path.with_name(self.path.name + ".next")
        self._data = data

    @classmethod
    def beside(cls, data: Path) -> "KeyFile":
        """Return the place of the key of a data folder for which none is named: DATA.key."""
        folder = Path(os.path.abspath(data))
        return cls(folder.with_name(f"{folder.name}.key"), data)

    def exists(self) -> bool:
        """Whether there is a file at its place, whatever it is."""
        return self.path.exists()

    def create(self) -> None:
        """Make a new key, durably, unless there is one. Raises KeyRefused and OSError.

        The caller holds the store's change.
        """
        refuse_data_folder(self.path, self._data)
        _write_new(self.path, secrets.token_bytes(KEY_BYTES))

    def keys(self) -> dict[str, Key]:
        """Return the key by its name, and the next one while a rotation is under way.

        Raises KeyRefused.
        """
        refuse_data_folder(self.path, self._data)
        following: list[Key] = []
        with contextlib.suppress(
            FileNotFoundError
        ):  # looked at first: a rotation may end meanwhile
            following.append(read_key(self._next))
        return {key.name: key for key in [read_key(self.path), *following]}

    def newest(self) -> Key:
        """Return the key that new data keys are wrapped by. Raises KeyRefused."""
        return [*self.keys().values()][-1]

    def begin_rotation(self) -> Key:
        """Make the next key, durably, unless a rotation has made it; return it. Raises KeyRefused.

        The caller holds the store's change, so that no other rotation begins or ends meanwhile.
        """
        self.keys()
        _write_new(self._next, secrets.token_bytes(KEY_BYTES))
        return self.newest()

    def is_rotating(self, key: Key) -> bool:
        """Whether the rotation that made this next key is under way still. Raises KeyRefused."""
        return self._next.exists() and self.newest() == key

    def end_rotation(self, key: Key) -> None:
        """Put the next key in the place of the old one, which is gone then. Raises KeyRefused.

        The caller holds the store's change, in which nothing is wrapped by the old one any more.
        """
        assert self.is_rotating(key), "a rotation ends with the key that it began with"
        self._next.replace(self.path)
        _fsync_folder(self.path.parent)

    @property
    def place(self) -> str:
        """Return where the key is, for people."""
        return str(self.path)

    def said_after_rotation(self, name: str) -> str:
        """Return what people should know."""
        return (
            f"{self.path} holds a new key, {name}; the old key is gone:"
            " backups made before can only be read with a copy of it"
        )


def refuse_data_folder(path: Path, data: Path) -> None:
    """Raise KeyRefused for a key in the data folder."""
    if path.resolve().is_relative_to(data.resolve()):
        raise KeyRefused(
            f"{path}: lies in the data folder {data}, where a backup would take the key"
            " along with what it locks; keep it elsewhere and name it by control.key_file"
        )


def read_key(path: Path, *, is_credential: bool = False) -> Key:
    """Return the key in a file. Raises KeyRefused; FileNotFoundError only for NAME.next.

    `is_credential`: systemd lets root's group read one where an access control list says who may.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        if path.suffix == ".next":
            raise
        raise KeyRefused(
            f"{path}: the key-encryption key is missing, and without it no stored secret can be read;"
            " put it back, or name its place by control.key_file"
        ) from None
    except OSError as error:
        raise KeyRefused(f"{path}: {error.strerror}; {_RIGHT}") from None
    try:
        _refuse_unsafe(path, os.fstat(descriptor), is_credential=is_credential)
        content = os.read(descriptor, _FILE_BYTES_MAX)
    finally:
        os.close(descriptor)
    if not _FORM(content):
        raise KeyRefused(f"{path}: is not a key; {_RIGHT}")
    octets = bytes.fromhex(content.decode())
    return Key(hashlib.sha256(b"fairlead key-encryption key\0" + octets).hexdigest()[:16], octets)


def _refuse_unsafe(path: Path, found: os.stat_result, *, is_credential: bool) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise KeyRefused(f"{path}: is not a file; {_RIGHT}")
    mode = stat.S_IMODE(found.st_mode)
    is_listed = is_credential and (found.st_uid, found.st_gid) == (0, 0)
    if mode & (0o037 if is_listed else 0o077):
        raise KeyRefused(
            f"{path}: has mode {mode:04o}, so others than its owner may use it; chmod 0400 {path}"
        )
    if found.st_uid not in (0, os.geteuid()):
        raise KeyRefused(
            f"{path}: belongs to user {found.st_uid}, who could put another in its place;"
            f" it must belong to user {os.geteuid()} or 0"
        )


def _write_new(path: Path, octets: bytes) -> None:
    """Write a key to a file that does not exist, whole or not at all; one that exists stays.

    The caller holds the store's change: a draft that is there is of a process that was killed.
    """
    draft = path.with_name(f".{path.name}.draft")
    make_folder(path.parent)
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
    try:
        with open(descriptor, "wb") as file:
            file.write(octets.hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    _fsync_folder(path.parent)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
