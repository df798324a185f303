"""The audit: who did what, when, from where, with which factor, and what it changed; refusals too.

Rows are only ever appended, within the change that they tell of. Each is sealed by an HMAC, under a key
of the vault, over itself and the seal before it, so that none can be changed, taken out, put in or
moved. What was cut off at the end is noticed by the head: the last number and seal, kept in a file
outside the database. Must never hold a secret.
"""

import contextlib
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from fairlead.control.errors import ControlError
from fairlead.control.keys import Denied
from fairlead.control.names import HEAD_FILE
from fairlead.control.store import Store
from fairlead.control.tables import AUDIT
from fairlead.control.vault import Vault
from fairlead.control.whole_file import folder_locked, put_whole

_PURPOSE = "audit"
_FIRST = bytes(32)  # the seal before the first row
_SEALED = (
    *("subscription", "number", "time_ns", "actor", "action", "target"),
    *("address", "factor", "before", "after", "outcome"),
)
_DIFFERENCES_MAX = 100
_PAGE = 1_000


class Outcome(StrEnum):
    """Whether what was asked for was done."""

    DONE = "done"
    REFUSED = "refused"


class Actor(msgspec.Struct, frozen=True):
    """Who acts, from where, and how that was proven."""

    name: str
    address: str
    factor: str


def nobody(address: str) -> Actor:
    """Return who has proven nothing."""
    return Actor("-", address, "none")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to what. `before` and `after` hold what anybody may read, never a secret."""

    action: str
    target: str
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None
    outcome: Outcome = Outcome.DONE


class Head(msgspec.Struct, frozen=True):
    """The end of a subscription's audit, as it was last seen by this machine."""

    number: int
    seal: str


class Verified(msgspec.Struct, frozen=True):
    """What verifying found: rows that were read, and in words what is not as it was written."""

    rows: int
    differences: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether every row is there, as it was written."""
        return not self.differences


class Audit:
    """The audit of one subscription."""

    def __init__(self, store: Store, vault: Vault, subscription: str, data: Path) -> None:
        self._store = store
        self._vault = vault
        self.subscription = subscription
        self._heads = HeadFile(data / HEAD_FILE)

    @contextlib.contextmanager
    def change(self, *, is_told: bool = True) -> Iterator[Connection]:
        """Give the store's change; when it is committed, the head is carried out of the database.

        `is_told`: as in `Store.change`. Raises ControlError.
        """
        with self._store.change(is_told=is_told) as change:
            yield change
            row = self._last(change)
        if row is not None:
            try:
                self._heads.advance(self.subscription, Head(row.number, row.seal.hex()))
            except OSError as error:
                raise ControlError(
                    f"{error.filename}: {error.strerror}; what was asked for is done, and stands in the"
                    " audit; this file, which tells when rows are missing, must be writable"
                ) from None

    def append(self, change: Connection, actor: Actor, entry: Entry, now_ns: int) -> None:
        """Append a row to the audit, part of the change that it tells of (`change`)."""
        last = self._last(change)
        row = {
            "subscription": self.subscription,
            "number": 1 if last is None else last.number + 1,
            "time_ns": now_ns,
            "actor": actor.name,
            "action": entry.action,
            "target": entry.target,
            "address": actor.address,
            "factor": actor.factor,
            "before": _json(entry.before),
            "after": _json(entry.after),
            "outcome": str(entry.outcome),
        }
        key = self._vault.derived(change, self.subscription, _PURPOSE)
        seal = _seal(key, _FIRST if last is None else last.seal, row)
        change.execute(AUDIT.insert().values(**row, seal=seal))

    def refuse(
        self,
        change: Connection,
        actor: Actor,
        action: str,
        target: str,
        denied: Denied,
        now_ns: int,
    ) -> Denied:
        """Append that something was refused, in what would have been its change; return `denied`."""
        cause: Mapping[str, object] = {"code": denied.code}
        entry = Entry(action=action, target=target, after=cause, outcome=Outcome.REFUSED)
        self.append(change, actor, entry, now_ns)
        return denied

    def last(self, count: int) -> list[Row[Any]]:
        """Return the last `count` rows, in order. Raises ControlError."""
        with self._store.read() as connection:
            last = self._last(connection)
            return list(self._rows(connection, last.number - count if last else 0))

    def _rows(self, connection: Connection, after: int) -> Iterator[Row[Any]]:
        """Yield the rows after a number, in order."""
        while True:
            page = connection.execute(
                select(AUDIT)
                .where(AUDIT.c.subscription == self.subscription, AUDIT.c.number > after)
                .order_by(AUDIT.c.number)
                .limit(_PAGE)
            ).all()
            if not page:
                return
            yield from page
            after = page[-1].number

    def verify(self) -> Verified:
        """Return what is not as it was written: rows changed, missing, added, moved or cut off.

        Raises ControlError.
        """
        head = self._heads.read().get(self.subscription)
        finder = _Finder(head)
        with self._store.read() as connection:
            key = self._vault.derived(connection, self.subscription, _PURPOSE)
            for row in self._rows(connection, 0):
                finder.take(key, row)
        return finder.found()

    def _last(self, connection: Connection) -> Row[Any] | None:
        of_us = select(AUDIT).where(AUDIT.c.subscription == self.subscription)
        return connection.execute(of_us.order_by(AUDIT.c.number.desc()).limit(1)).first()


class _Finder:
    """Follows the chain; after a break it goes on from the row that is there."""

    def __init__(self, head: Head | None) -> None:
        self._head = head
        self._number = 0
        self._rows = 0
        self._seal = _FIRST
        self._is_head_seen = head is None
        self._differences: list[str] = []

    def take(self, key: bytes, row: Row[Any]) -> None:
        missing = row.number - self._number - 1
        if missing:
            self._say(f"before row {row.number}: {missing} missing")
        elif not hmac.compare_digest(_seal(key, self._seal, row._asdict()), row.seal):
            self._say(f"row {row.number}: is not as it was written, or what stood before it is not")
        if self._head == Head(row.number, row.seal.hex()):
            self._is_head_seen = True
        self._number, self._seal = row.number, row.seal
        self._rows += 1

    def found(self) -> Verified:
        if self._head is not None and self._number < self._head.number:
            cut = self._head.number - self._number
            self._say(f"after row {self._number}: {cut} missing, up to row {self._head.number}")
        elif self._head is not None and not self._is_head_seen:
            self._say(f"row {self._head.number}: is another one than this machine has seen there")
        return Verified(self._rows, tuple(self._differences))

    def _say(self, difference: str) -> None:
        if len(self._differences) < _DIFFERENCES_MAX:
            self._differences.append(difference)


class HeadFile:
    """The last number and seal of each subscription, in a file beside the database.

    It never falls behind what it has said: of two writers the later number stays.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, Head]:
        """Return what it says; nothing where there is no file. Raises ControlError."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Head])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            raise ControlError(f"{self._path}: {error}; put the file back as it was") from None

    def advance(self, subscription: str, head: Head) -> None:
        """Say a later head, durably. Raises ControlError and OSError."""
        with folder_locked(self._path.parent):
            heads = self.read()
            known = heads.get(subscription)
            if known is not None and known.number >= head.number:
                return
            content = msgspec.json.encode({**heads, subscription: head})
            put_whole(self._path, content + b"\n")


def _seal(key: bytes, before: bytes, row: Mapping[str, Any]) -> bytes:
    """Return the seal of a row that follows the seal `before`."""
    sealed = before + msgspec.json.encode([row[name] for name in _SEALED])
    return hmac.digest(key, sealed, hashlib.sha256)


def _json(value: Mapping[str, object] | None) -> str:
    return "" if value is None else msgspec.json.encode(value).decode()
