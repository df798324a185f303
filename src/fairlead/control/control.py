"""An open control plane: database, vault, audit, keys, accounts; of one subscription so far."""

from pathlib import Path
from types import TracebackType
from typing import Self

from fairlead.control.accounts import Accounts
from fairlead.control.audit import Audit
from fairlead.control.key_file import KeyFile
from fairlead.control.keyring import Keyring
from fairlead.control.store import Store
from fairlead.control.vault import Vault, open_vault


class Control:
    """What everything here works on. For any thread; its calls block."""

    def __init__(self, store: Store, vault: Vault, key_file: KeyFile, audit: Audit) -> None:
        self.store = store
        self.vault = vault
        self.key_file = key_file
        self.audit = audit
        self.keyring = Keyring(store, audit, audit.subscription)
        self.accounts = Accounts(store, vault, audit, audit.subscription)

    @classmethod
    def open(
        cls, data: Path, url: str | None, key_path: Path | None, subscription: str, now_ns: int
    ) -> Self:
        """Open it, make what is missing at a first start. Raises ControlError and OSError.

        `url` None: SQLite in the data folder. `key_path` None: the key is DATA.key, beside the folder.
        """
        key_file = KeyFile.beside(data) if key_path is None else KeyFile(key_path, data)
        store = Store.open(data, url)
        try:
            vault = open_vault(store, key_file, subscription, now_ns)
        except BaseException:
            store.close()
            raise
        return cls(store, vault, key_file, Audit(store, vault, subscription, data))

    def close(self) -> None:
        """Give the database back."""
        self.store.close()

    def __enter__(self) -> Self:
        """Close it at the end of a `with`."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()
