"""The key-encryption key by whoever keeps it: one port, and which of those behind it is asked.

key_file     a file of ours beside the data folder, or where control.key_file says
credential   systemd's credentials of the service: $CREDENTIALS_DIRECTORY/fairlead-vault-key
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from fairlead.control.credential import NAME, VARIABLE, Credential
from fairlead.control.key_file import Key, KeyFile


class KeyKeeper(Protocol):
    """What the vault asks of it. Every call raises KeyRefused when the key is missing or not safe."""

    @property
    def place(self) -> str:
        """Return where the key is, for people."""
        ...

    def exists(self) -> bool:
        """Whether there is something at its place, whatever it is."""
        ...

    def create(self) -> None:
        """Make a new key, durably, unless there is one."""
        ...

    def keys(self) -> dict[str, Key]:
        """Return the key by its name, and the next one while a rotation is under way."""
        ...

    def newest(self) -> Key:
        """Return the key that new data keys are wrapped by."""
        ...

    def begin_rotation(self) -> Key:
        """Return the next key, which is there for as long as a rotation is under way."""
        ...

    def is_rotating(self, key: Key) -> bool:
        """Whether the rotation that this next key began is under way still."""
        ...

    def end_rotation(self, key: Key) -> None:
        """Take note that nothing is wrapped by the old key any more."""
        ...

    def said_after_rotation(self, name: str) -> str:
        """Return what people should know of the key of this name once it is the only one."""
        ...


def keeper_of(data: Path, key_path: Path | None, environment: Mapping[str, str]) -> KeyKeeper:
    """Return who keeps the key of a data folder: who is named, the service's credentials, or DATA.key."""
    if key_path is not None:
        return KeyFile(key_path, data)
    credentials = environment.get(VARIABLE)
    if credentials and (Path(credentials) / NAME).exists():
        return Credential(Path(credentials), data)
    return KeyFile.beside(data)
