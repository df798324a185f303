"""The key-encryption key as a credential that systemd hands to the service (LoadCredentialEncrypted=).

systemd decrypts it, with the machine's TPM if it has one, into memory that this service alone can read. It is
theirs: nothing is written here. A rotation takes the next key from a second credential, and ends when whoever
manages the service puts that one in the first one's place.
"""

from pathlib import Path

from fairlead.control.key_file import Key, KeyRefused, read_key, refuse_data_folder

VARIABLE = "CREDENTIALS_DIRECTORY"  # systemd.exec(5)
NAME = "fairlead-vault-key"
NEXT_NAME = "fairlead-vault-key-next"
_MAKE = f"make one by `openssl rand -hex 32` and give it to the service as credential {NEXT_NAME}"


class Credential:
    """The credentials of one service, which change only with its restart."""

    def __init__(self, folder: Path, data: Path) -> None:
        self._path = folder.absolute() / NAME
        self._next = folder.absolute() / NEXT_NAME
        self._data = data

    @property
    def place(self) -> str:
        """Return where the key is, for people."""
        return str(self._path)

    def exists(self) -> bool:
        """Whether there is something at its place, whatever it is."""
        return self._path.exists()

    def create(self) -> None:
        """Refuse: what systemd hands out is not made here. Raises KeyRefused."""
        raise KeyRefused(f"{self._path}: the credential is missing; give it to the service")

    def keys(self) -> dict[str, Key]:
        """Return the key by its name, and the next one where there is one. Raises KeyRefused."""
        refuse_data_folder(self._path, self._data)
        paths = [self._path, *([self._next] if self._next.exists() else [])]
        found = [read_key(path, is_credential=True) for path in paths]
        return {key.name: key for key in found}

    def newest(self) -> Key:
        """Return the key that new data keys are wrapped by. Raises KeyRefused."""
        return [*self.keys().values()][-1]

    def begin_rotation(self) -> Key:
        """Return the next key. Raises KeyRefused where there is none, or the same again."""
        keys = self.keys()
        if not self._next.exists():
            raise KeyRefused(f"{self._next}: there is no next key; {_MAKE}")
        if len(keys) == 1:
            raise KeyRefused(f"{self._next}: is the key {self.newest().name} of now; {_MAKE}")
        return self.newest()

    def is_rotating(self, key: Key) -> bool:
        """Whether this next key is still the newest. Raises KeyRefused."""
        return self._next.exists() and self.newest() == key

    def end_rotation(self, key: Key) -> None:
        """Do nothing: the old key goes when whoever manages the service takes it away."""

    def said_after_rotation(self, name: str) -> str:
        """Return what is left to do."""
        return (
            f"key {name} locks everything now: give {NEXT_NAME} to the service as {NAME},"
            " take the old one away, and restart it"
        )
