"""What an API key is: its public side, its rights, its states, and how its form is checked.

    state       suspend     disable     enable      edit        revoke
    ACTIVE      SUSPENDED   DISABLED    -           ACTIVE      REVOKED
    SUSPENDED   -           -           ACTIVE      SUSPENDED   REVOKED
    DISABLED    -           -           ACTIVE      DISABLED    REVOKED
    EXPIRED     -           -           -           ACTIVE*     REVOKED      * when it is given a later end
    REVOKED     -           -           -           -           -

EXPIRED is not stored: an active key is expired once its time has come. SUSPENDED is what a key becomes that
its owner's second factor no longer stands for; to enable it is to grant it, as with a disabled one. Values
only; never a secret.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from fairlead.control.account_text import is_account
from fairlead.control.addresses import AddressWrong, read_networks

LABEL_FORM = re.compile(r"(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])[A-Za-z0-9]{3,32}", re.ASCII).fullmatch
DAY_NS = 24 * 3_600 * 1_000_000_000
DAYS_DEFAULT = 90
DAYS_MAX = 3_650
ACCOUNTS_MAX = 1_000


class Scope(StrEnum):
    """What a key may do; READ every key may."""

    READ = "read"
    TRADE = "trade"
    WITHDRAW = "withdraw"
    MANAGE = "manage"


class Kind(StrEnum):
    """How a key is proven; chosen when it is made."""

    BEARER = "bearer"  # its secret is sent
    HMAC = "hmac"  # each request is signed with its secret, which we keep sealed
    ED25519 = "ed25519"  # each request is signed with a private key that we never see


class State(StrEnum):
    """Whether a key can be used."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DISABLED = "disabled"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Act(StrEnum):
    """What may be done to a key."""

    SUSPEND = "suspend"
    DISABLE = "disable"
    ENABLE = "enable"
    EDIT = "edit"
    REVOKE = "revoke"


NEXT: Mapping[tuple[State, Act], State] = {
    (State.ACTIVE, Act.SUSPEND): State.SUSPENDED,
    (State.ACTIVE, Act.DISABLE): State.DISABLED,
    (State.ACTIVE, Act.EDIT): State.ACTIVE,
    (State.ACTIVE, Act.REVOKE): State.REVOKED,
    (State.SUSPENDED, Act.ENABLE): State.ACTIVE,
    (State.SUSPENDED, Act.EDIT): State.SUSPENDED,
    (State.SUSPENDED, Act.REVOKE): State.REVOKED,
    (State.DISABLED, Act.ENABLE): State.ACTIVE,
    (State.DISABLED, Act.EDIT): State.DISABLED,
    (State.DISABLED, Act.REVOKE): State.REVOKED,
    (State.EXPIRED, Act.EDIT): State.ACTIVE,
    (State.EXPIRED, Act.REVOKE): State.REVOKED,
}


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """What a key may do, for which accounts, from where; None: all of them."""

    scopes: tuple[Scope, ...] = (Scope.READ,)
    accounts: tuple[str, ...] | None = None
    addresses: tuple[str, ...] | None = None


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as everybody may see it. `expires_ns` None: never. `version` grows with every change."""

    kid: str
    subscription: str
    label: str
    stored_state: State
    rights: Rights
    created_ns: int
    expires_ns: int | None
    version: int
    kind: Kind = Kind.BEARER

    def state(self, now_ns: int) -> State:
        """Return the state at a moment."""
        is_over = self.expires_ns is not None and now_ns >= self.expires_ns
        return State.EXPIRED if self.stored_state is State.ACTIVE and is_over else self.stored_state


class Usable(msgspec.Struct, frozen=True):
    """A key that can be used, and what it is proven by.

    `proof`: the SHA-256 of a bearer's secret, the secret of HMAC, the 32 bytes of an Ed25519 public key.
    """

    key: ApiKey
    proof: bytes

    def __repr__(self) -> str:
        """Name the key; never show what proves it."""
        return f"Usable({self.key.kid})"


class Denied(msgspec.Struct, frozen=True):
    """What was asked for is refused: `code` for programs, `message` says why and what would be right.

    `findings`: the same by field, where fields are what is wrong.
    """

    code: str
    message: str
    findings: tuple[tuple[str, str], ...] = ()


def label_wrong(label: str) -> Denied | None:
    """Say what a label lacks."""
    if LABEL_FORM(label):
        return None
    wants = {
        "a letter A to Z": re.search("[A-Z]", label),
        "a letter a to z": re.search("[a-z]", label),
        "a digit": re.search("[0-9]", label),
        "3 to 32 characters": 3 <= len(label) <= 32,
        "nothing but A to Z, a to z and 0 to 9": re.fullmatch("[A-Za-z0-9]*", label),
    }
    missing = [text for text, is_there in wants.items() if not is_there]
    return Denied("label_invalid", f"the label needs {', '.join(missing)}; Bot1 would do")


def read_rights(
    scopes: Sequence[str], accounts: Sequence[str] | None, addresses: Sequence[str] | None
) -> Rights | Denied:
    """Return rights in their plain form; None: all accounts, all addresses."""
    known = [each.value for each in Scope]
    wrong = [each for each in scopes if each not in known]
    if wrong:
        return Denied(
            "scope_unknown", f"{wrong[0][:40]} is no scope; expected of {', '.join(known)}"
        )
    granted = tuple(each for each in Scope if each is Scope.READ or each in scopes)
    if Scope.WITHDRAW in granted and addresses is None:
        return Denied(
            "withdraw_requires_trusted_ips",
            "scope withdraw needs addresses that the key is limited to",
        )
    try:
        networks = None if addresses is None else read_networks(addresses)
    except AddressWrong as wrong_address:
        return Denied("address_invalid", str(wrong_address))
    denied = None if accounts is None else _accounts_wrong(accounts)
    if denied is not None:
        return denied
    limited = None if accounts is None else tuple(sorted(set(accounts)))
    return Rights(scopes=granted, accounts=limited, addresses=networks)


def _accounts_wrong(accounts: Sequence[str]) -> Denied | None:
    if not 0 < len(accounts) <= ACCOUNTS_MAX:
        text = f"{len(accounts)} accounts; give 1 to {ACCOUNTS_MAX}, or allow all accounts"
        return Denied("account_invalid", text)
    for each in accounts:
        if not is_account(each):
            return Denied(
                "account_invalid", f"{each[:80]!r} is no account; expected SIM or SIM/ALICE"
            )
    return None
