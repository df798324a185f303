"""The exchange accounts of a subscription: set, deleted, listed. Each change, done or refused, is audited.

Parameters are sealed by the vault, as one secret. One login is one account, in all subscriptions: two
would share one rate budget and adopt each other's orders. A deleted account keeps the fingerprint of its
login alone, so that its name is not given to another login while orders of the former are unsettled.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection, Row, select

from fairlead.control.audit import Actor, Audit, Entry
from fairlead.control.keys import Denied
from fairlead.control.logins import (
    Account,
    Pairs,
    fingerprint,
    name_wrong,
    read_parameters,
    shown,
)
from fairlead.control.store import Store
from fairlead.control.tables import ACCOUNTS
from fairlead.control.vault import Place, SealBroken, Vault

log = structlog.get_logger()
ACCOUNTS_MAX = 1_000  # of a subscription, deleted ones left out
_PURPOSE = "account logins"
ByName = Mapping[str, Mapping[str, Account]]


class Kept(msgspec.Struct, frozen=True):
    """What is kept of an account, deleted or not."""

    exchange_id: str
    is_deleted: bool
    is_configured: bool
    version: int


class Set(msgspec.Struct, frozen=True):
    """An account that was set. `is_new`: there was none of this name."""

    account: Account
    is_new: bool


class Accounts:
    """The accounts of one subscription."""

    def __init__(self, store: Store, vault: Vault, audit: Audit, subscription: str) -> None:
        self._store = store
        self._vault = vault
        self._audit = audit
        self.subscription = subscription

    # ── looking ──────────────────────────────────────────────────────────────────────────────────

    def listed(self) -> list[Account]:
        """Return the accounts by name, their secrets opened. Raises ControlError."""
        with self._store.read() as connection:
            held = self._all().where(ACCOUNTS.c.parameters.is_not(None))
            return [self._account(connection, row) for row in connection.execute(held)]

    def kept(self) -> list[Kept]:
        """Return what is kept, deleted accounts too; nothing is opened. Raises ControlError."""
        with self._store.read() as connection:
            return [_kept(row) for row in connection.execute(self._all())]

    def changes_login(self, name: str, given: Pairs) -> bool:
        """Whether setting the account so would put another login in the place of one. Raises ControlError."""
        parameters = name_wrong(name) or read_parameters(name, given)
        if isinstance(parameters, Denied):
            return False
        with self._store.read() as connection:
            row = self._row(connection, name)
            return row is not None and row.login != self._login(connection, name, parameters)

    # ── changing ─────────────────────────────────────────────────────────────────────────────────

    def put(
        self,
        actor: Actor,
        name: str,
        given: Pairs,
        now_ns: int,
        *,
        may_change_login: bool,
        is_configured: bool = False,
    ) -> Set | Denied:
        """Add an account, or replace all its parameters. Raises ControlError.

        `may_change_login`: no order is unsettled that was placed by this name, and none can be meanwhile.
        """
        with self._audit.change() as change:
            result = self._put(
                change,
                actor,
                name,
                given,
                now_ns,
                may_change_login=may_change_login,
                is_configured=is_configured,
            )
            if isinstance(result, Denied):
                target = shown(name, quoted=False)
                self._audit.refuse(change, actor, "account.set", target, result, now_ns)
        if isinstance(result, Set) and not result.is_new:
            self._store.forget_deleted()
        return result

    def _put(
        self,
        change: Connection,
        actor: Actor,
        name: str,
        given: Pairs,
        now_ns: int,
        *,
        may_change_login: bool,
        is_configured: bool,
    ) -> Set | Denied:
        parameters = name_wrong(name) or read_parameters(name, given)
        if isinstance(parameters, Denied):
            return parameters
        login = self._login(change, name, parameters)
        row = self._row(change, name)
        denied = self._taken(change, name, login)
        if row is not None and row.login != login and not may_change_login:
            denied = denied or _unsettled(name)
        is_new = row is None or row.parameters is None
        if is_new and denied is None:
            denied = self._too_many(change)
        if denied is not None:
            return denied
        before = None if is_new else self._account(change, row)
        if before is not None and before.parameters == parameters:
            return Set(before, is_new=False)
        account = Account(
            exchange_id=name,
            parameters=parameters,
            login=login,
            is_configured=is_configured if is_new else row.is_configured,
            created_ns=now_ns if is_new else row.created_ns,
            version=1 if row is None else row.version + 1,
        )
        self._write(change, account, exists=row is not None)
        entry = Entry(
            action="account.add" if is_new else "account.update",
            target=name,
            before=None if before is None else _audited(before),
            after=_audited(account),
        )
        self._audit.append(change, actor, entry, now_ns)
        return Set(account, is_new=is_new)

    def delete(
        self,
        actor: Actor,
        names: Sequence[str],
        now_ns: int,
        open_orders: Mapping[str, int] | None = None,
    ) -> list[str] | Denied:
        """Delete accounts, all of them or none; return their names. Raises ControlError.

        `open_orders`: how many each leaves at its exchange, where that is known; for the audit.
        """
        names = list(dict.fromkeys(names))
        with self._audit.change() as change:
            rows = {row.exchange_id: row for row in self._held(change)}
            missing = [name for name in names if name not in rows]
            if missing:
                text = f"there is no account {', '.join(shown(name) for name in missing)}"
                denied = Denied("account_unknown", f"{text}; nothing was deleted")
                target = shown(missing[0], quoted=False)
                return self._audit.refuse(change, actor, "account.delete", target, denied, now_ns)
            for name in names:
                self._erase(change, actor, rows[name], now_ns, open_orders)
        self._store.forget_deleted()
        return names

    def delete_all(
        self,
        actor: Actor,
        now_ns: int,
        open_orders: Mapping[str, int] | None = None,
        among: frozenset[str] | None = None,
    ) -> list[str]:
        """Delete every account, with `among` of those; return their names. Raises ControlError."""
        with self._audit.change() as change:
            held = self._held(change)
            rows = [row for row in held if among is None or row.exchange_id in among]
            for row in rows:
                self._erase(change, actor, row, now_ns, open_orders)
        self._store.forget_deleted()
        return [row.exchange_id for row in rows]

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────

    def _erase(
        self,
        change: Connection,
        actor: Actor,
        row: Row[Any],
        now_ns: int,
        open_orders: Mapping[str, int] | None,
    ) -> None:
        before = _audited(self._account(change, row))
        name = row.exchange_id
        of_it = ACCOUNTS.update().filter_by(subscription=self.subscription, exchange_id=name)
        change.execute(of_it.values(parameters=None, version=row.version + 1))
        left = "unknown" if open_orders is None else open_orders.get(name, 0)
        after = {"credentials": "erased", "orders_left_open_at_the_exchange": left}
        entry = Entry(action="account.delete", target=name, before=before, after=after)
        self._audit.append(change, actor, entry, now_ns)

    def _write(self, change: Connection, account: Account, *, exists: bool) -> None:
        place = _place(self.subscription, account.exchange_id, account.version)
        sealed = self._vault.seal(change, place, msgspec.json.encode(account.parameters))
        values = {
            "parameters": sealed,
            "login": account.login,
            "is_configured": account.is_configured,
            "created_ns": account.created_ns,
            "version": account.version,
        }
        key = {"subscription": self.subscription, "exchange_id": account.exchange_id}
        if exists:
            change.execute(ACCOUNTS.update().filter_by(**key).values(**values))
        else:
            change.execute(ACCOUNTS.insert().values(**key, **values))

    def _taken(self, change: Connection, name: str, login: bytes) -> Denied | None:
        """Say that another account, of whatever subscription, has this login; never which."""
        held = select(ACCOUNTS).where(ACCOUNTS.c.login == login, ACCOUNTS.c.parameters.is_not(None))
        for row in change.execute(held):
            if (row.subscription, row.exchange_id) != (self.subscription, name):
                text = (
                    f"the login of {name} is that of another account already; one login is one account,"
                    " delete the other first"
                )
                return Denied("login_taken", text)
        return None

    def _too_many(self, change: Connection) -> Denied | None:
        if len(self._held(change)) < ACCOUNTS_MAX:
            return None
        return Denied("accounts_too_many", f"there are {ACCOUNTS_MAX} accounts; delete one first")

    def _login(self, connection: Connection, name: str, parameters: Mapping[str, str]) -> bytes:
        return fingerprint(self._vault.shared(connection, _PURPOSE), name, parameters)

    def _all(self) -> Any:
        of_us = select(ACCOUNTS).where(ACCOUNTS.c.subscription == self.subscription)
        return of_us.order_by(ACCOUNTS.c.exchange_id)

    def _held(self, connection: Connection) -> Sequence[Row[Any]]:
        held: Sequence[Row[Any]] = connection.execute(
            self._all().where(ACCOUNTS.c.parameters.is_not(None))
        ).all()
        return held

    def _row(self, connection: Connection, name: str) -> Any:
        return connection.execute(self._all().where(ACCOUNTS.c.exchange_id == name)).first()

    def _account(self, connection: Connection, row: Row[Any]) -> Account:
        return _opened(self._vault, connection, row)


def all_accounts(store: Store, vault: Vault, known: ByName) -> ByName:
    """Return the accounts of every subscription, by its name and theirs. Raises ControlError.

    `known`: those that were returned before; of them only what has changed is opened. What does not open is
    logged, and as it was known before.
    """
    found: dict[str, dict[str, Account]] = {}
    with store.read() as connection:
        held = select(ACCOUNTS).where(ACCOUNTS.c.parameters.is_not(None))
        for row in connection.execute(held.order_by(ACCOUNTS.c.exchange_id)):
            account = known.get(row.subscription, {}).get(row.exchange_id)
            if account is None or account.version != row.version:
                try:
                    account = _opened(vault, connection, row)
                except SealBroken as broken:  # of one account: the others and the keys go on
                    log.error(  # noqa: TRY400 - no trace
                        "account cannot be opened", account=row.exchange_id, cause=str(broken)
                    )
            if account is not None:
                found.setdefault(row.subscription, {})[row.exchange_id] = account
    return found


def _opened(vault: Vault, connection: Connection, row: Row[Any]) -> Account:
    place = _place(row.subscription, row.exchange_id, row.version)
    plain = vault.open(connection, place, row.parameters)
    return Account(
        exchange_id=row.exchange_id,
        parameters=msgspec.json.decode(plain, type=dict[str, str]),
        login=row.login,
        is_configured=row.is_configured,
        created_ns=row.created_ns,
        version=row.version,
    )


def _place(subscription: str, name: str, version: int) -> Place:
    return Place(subscription, "account", name, "parameters", version)


def _unsettled(name: str) -> Denied:
    return Denied(
        "orders_unsettled",
        f"the login of {name} cannot change while orders placed by the present one may be unsettled:"
        " cancel them and wait until they have ended, or give the new login another name",
    )


def _audited(account: Account) -> dict[str, object]:
    return {"parameters": account.masked, "version": account.version}


def _kept(row: Row[Any]) -> Kept:
    return Kept(row.exchange_id, row.parameters is None, row.is_configured, row.version)
