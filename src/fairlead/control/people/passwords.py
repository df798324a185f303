"""Passwords: which are refused, and how the others are kept.

Kept as Argon2id, with its parameters in the text, so that later ones may be dearer. Checking one takes
some 50 ms and 64 MiB, which is the point; whoever calls this bounds how many are checked at once.
"""

import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from fairlead.control.keys import Denied

CHARACTERS_MIN, CHARACTERS_MAX = 8, 128
_HASHER = (
    PasswordHasher()
)  # Argon2id with RFC 9106's second recommendation: 64 MiB, 3 passes, 4 lanes


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


def hash_of(password: str) -> str:
    """Return what is kept of a password."""
    return _HASHER.hash(_plain(password))


def fits(password: str, kept: str | None) -> bool:
    """Whether it is the password that was kept; takes as long where none was (None)."""
    try:
        _HASHER.verify(_nobodys() if kept is None else kept, _plain(password))
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


def _plain(password: str) -> str:
    """Return the one form of a text that keyboards write in several."""
    return unicodedata.normalize("NFKC", password)


@cache
def _common() -> frozenset[str]:
    """Return the passwords that people choose most, in small letters."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # 30 ms, for those who set a password

    return frozenset(FREQUENCY_LISTS["passwords"])


@cache
def _nobodys() -> str:
    return _HASHER.hash("the password of nobody")
