"""Passwords: which are refused, and how the others are kept.

Kept as Argon2id, with its parameters in the text, so that later ones may be dearer. Checking one takes
some 50 ms and 64 MiB, which is the point; whoever calls this bounds how many are checked at once.
"""

import unicodedata
from functools import cache

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from fairlead.control.keys import Denied

CHARACTERS_MIN, CHARACTERS_MAX = 8, 128


class Cost(msgspec.Struct, frozen=True):
    """What checking a password costs, by default as RFC 9106's second recommendation has it."""

    passes: int = 3
    memory_kib: int = 65_536
    lanes: int = 4


COST = Cost()


class Passwords:
    """Keeps and checks passwords, each as dear as the next."""

    def __init__(self, cost: Cost = COST) -> None:
        self._hasher = PasswordHasher(cost.passes, cost.memory_kib, cost.lanes)
        self._nobodys: str | None = None

    def hash_of(self, password: str) -> str:
        """Return what is kept of a password."""
        return self._hasher.hash(_plain(password))

    def fits(self, password: str, kept: str | None) -> bool:
        """Whether it is the password that was kept; takes as long where none was (None)."""
        nobodys = self._nobody()  # in either case: it is made at the first call
        try:
            self._hasher.verify(nobodys if kept is None else kept, _plain(password))
        except (VerificationError, InvalidHashError):
            return False
        return kept is not None

    def _nobody(self) -> str:
        if self._nobodys is None:
            self._nobodys = self._hasher.hash("the password of nobody")
        return self._nobodys


def password_wrong(password: str, email: str) -> Denied | None:
    """Say why a password is refused."""
    plain = _plain(password)
    if not CHARACTERS_MIN <= len(plain) <= CHARACTERS_MAX:
        text = (
            f"the password has {len(plain)} characters; give {CHARACTERS_MIN} to {CHARACTERS_MAX}"
        )
        return Denied("password_weak", text)
    folded = plain.casefold()
    own = {email.casefold(), email.casefold().partition("@")[0], "fairlead"}
    if folded in _common() or folded.strip("0123456789!") in own:
        return Denied(
            "password_weak",
            "the password is one that everybody tries first; give several unrelated words, or have a"
            " password manager make one",
        )
    return None


def _plain(password: str) -> str:
    """Return the one form of a text that keyboards write in several."""
    return unicodedata.normalize("NFKC", password)


@cache
def _common() -> frozenset[str]:
    """Return the passwords that people choose most, in small letters."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # 30 ms, for those who set a password

    return frozenset(FREQUENCY_LISTS["passwords"])
