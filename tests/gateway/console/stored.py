"""What the control plane has stored about people, told line by line, and what a call has changed of it.

A line says what matters of a row; ids, hashes and sealed values are left out but for whether they changed.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import select

from fairlead.control.control import Control
from fairlead.control.people.post import Sink
from fairlead.control.tables import (
    AUDIT,
    CERTIFICATES,
    CHALLENGES,
    KEYS,
    LINKS,
    RECOVERY_CODES,
    SESSIONS,
    USERS,
)

Lines = Counter[str]


def stored(control: Control, sink: Sink | None = None) -> Lines:
    """Return what is stored now, each row as a line; with letters where there is a sink."""
    lines: Lines = Counter()
    with control.store.read() as connection:
        for table, told in _TOLD.items():
            rows = connection.execute(select(table)).all()
            lines.update(line for row in rows if (line := told(row)))
    for letter in [] if sink is None else sink.letters():
        lines[f"letter to {letter.to}: {letter.subject}"] += 1
    return lines


def changed(before: Lines, after: Lines) -> list[str]:
    """Return the lines that are gone, and those that have come."""
    gone = [f"- {line}" for line in (before - after).elements()]
    return sorted(gone) + sorted(f"+ {line}" for line in (after - before).elements())


def everything(control: Control) -> bytes:
    """Return all that is in the tables of people and keys, for looking for what must not be there."""
    with control.store.read() as connection:
        rows = [tuple(row) for table in _TOLD for row in connection.execute(select(table))]
    return repr(rows).encode()


def _user(row: Any) -> str:
    factor = "no second factor" if row.totp is None else "second factor"
    gone = "" if row.removed_ns is None else ", removed"
    return f"user {row.email}: {factor}, phrase {row.phrase!r}{gone}"


def _key(row: Any) -> str:
    rights = msgspec.json.decode(row.rights)
    accounts = rights["accounts"] or ["all accounts"]
    addresses = rights["addresses"] or ["all addresses"]
    words = " ".join([*rights["scopes"], "·", *accounts, "·", *addresses])
    return f"key {row.label} v{row.version}: {row.state}, {words}"


def _challenge(row: Any) -> str:
    return f"challenge {row.action}: {row.tries_left} tries left"


def _session(row: Any) -> str:
    return f"session {row.stage} from {row.address}"


def _audited(row: Any) -> str:
    code = msgspec.json.decode(row.after).get("code", "") if row.after else ""
    return " ".join(f"audit {row.action} {row.outcome} by {row.factor} {code}".split())


def _certificate(row: Any) -> str:
    return f"certificate: {row.state}"


def _recovery_code(_: Any) -> str:
    return "recovery code"


def _link(row: Any) -> str:
    return f"link for {row.email or 'the first user'}"


_TOLD: dict[Any, Callable[[Any], str]] = {
    USERS: _user,
    KEYS: _key,
    CHALLENGES: _challenge,
    SESSIONS: _session,
    AUDIT: _audited,
    CERTIFICATES: _certificate,
    RECOVERY_CODES: _recovery_code,
    LINKS: _link,
}
