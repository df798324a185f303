"""An open control plane: what all subscriptions share, and what one of them has of it."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from fairlead.control.accounts import Accounts
from fairlead.control.audit import Audit
from fairlead.control.authorities import Authorities
from fairlead.control.certificates import Certificates
from fairlead.control.errors import SubscriptionUnknown
from fairlead.control.key_keeper import KeyKeeper, keeper_of
from fairlead.control.key_text import plain
from fairlead.control.keyring import Keyring
from fairlead.control.people.challenges import Challenges
from fairlead.control.people.passwords import COST, Cost, Passwords
from fairlead.control.people.proofs import Proofs
from fairlead.control.people.resets import Resets
from fairlead.control.people.sessions import Sessions
from fairlead.control.people.users import Users
from fairlead.control.store import Store
from fairlead.control.subscriptions import Subscriptions
from fairlead.control.vault import Vault, open_vault
from fairlead.core.requests import LOCAL


class Control:
    """What everything here works on. For any thread; its calls block."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        keeper: KeyKeeper,
        data: Path,
        subscription: str,
        passwords: Passwords,
    ) -> None:
        self.store = store
        self._passwords = passwords
        self.vault = vault
        self.keeper = keeper
        self.audit = audit = Audit(store, vault, subscription, data)
        self.data = data
        self.keyring = Keyring(store, vault, audit, audit.subscription)
        of_all = Audit(store, vault, LOCAL, data)
        self.subscriptions = Subscriptions(store, vault, of_all)
        self.authorities = Authorities(vault, of_all)
        self.certificates = Certificates(store, audit, self.keyring, self.authorities)
        self.accounts = Accounts(store, vault, audit, audit.subscription)
        self.users = Users(store, audit, self.keyring, passwords)
        self.sessions = Sessions(store, vault, self._audit_of, passwords)
        self.proofs = Proofs(store, audit, self.sessions, passwords)
        self.challenges = Challenges(store, vault, audit, self.sessions)
        self.resets = Resets(store, vault, audit, self.sessions, passwords)

    @classmethod
    def open(
        cls,
        data: Path,
        url: str | None,
        key_path: Path | None,
        subscription: str,
        now_ns: int,
        cost: Cost = COST,
    ) -> Self:
        """Open it, make what is missing at a first start. Raises ControlError and OSError.

        SubscriptionUnknown if there is no such one; `local` there is always. `url` None: SQLite in the
        data folder. `key_path` None: the key is a credential of the service, or DATA.key, beside the folder.
        `cost`: of the passwords that are kept from now on.
        """
        keeper = keeper_of(data, key_path, os.environ)
        store = Store.open(data, url)
        try:
            vault = open_vault(store, keeper, now_ns)
            control = cls(store, vault, keeper, data, LOCAL, Passwords(cost))
            return control if subscription == LOCAL else control.of(subscription)
        except BaseException:
            store.close()
            raise

    def of(self, subscription: str) -> Self:
        """Return the same control plane as another subscription has it; close one of them.

        Raises SubscriptionUnknown, and other ControlErrors.
        """
        names = [each.name for each in self.subscriptions.listed()]
        if subscription not in names:
            raise SubscriptionUnknown(
                f"there is no subscription {plain(subscription)!r}; there is {', '.join(names)}"
                " (`fairlead subscriptions create` makes another)"
            )
        parts = (self.store, self.vault, self.keeper, self.data, subscription, self._passwords)
        return type(self)(*parts)

    def _audit_of(self, subscription: str) -> Audit:
        return Audit(self.store, self.vault, subscription, self.data)

    def accounts_of(self, subscription: str) -> Accounts:
        """Return the accounts of a subscription that there is; asks the database nothing."""
        audit = Audit(self.store, self.vault, subscription, self.data)
        return Accounts(self.store, self.vault, audit, subscription)

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
