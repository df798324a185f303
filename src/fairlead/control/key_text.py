"""How an API key is written: the public id `flk_…`, and the secret `fl_live_…` that proves it.

A secret ends in a checksum, so that a scanner recognises one offline and a mistyped one is refused
without a search. Only its SHA-256 is kept: it has 256 bits of chance, which nobody guesses from a hash.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_KID_CHARACTERS = 22
_RANDOM_CHARACTERS = 43
_CHECK_CHARACTERS = 6
LIVE, TEST = "fl_live_", "fl_test_"
SECRET_CHARACTERS = len(LIVE) + _RANDOM_CHARACTERS + _CHECK_CHARACTERS
_KID = re.compile("flk_[0-9A-Za-z]{22}", re.ASCII).fullmatch
_SECRET = re.compile("(fl_(?:live|test)_[0-9A-Za-z]{43})([0-9A-Za-z]{6})", re.ASCII).fullmatch


_ANYWHERE = re.compile("(fl_(?:live|test)_)[0-9A-Za-z]{4,}", re.ASCII)
_ANYWHERE_IN_BYTES = re.compile(rb"(fl_(?:live|test)_)[0-9A-Za-z]{4,}")
_BEGIN = "fl_"
_BEGIN_BYTES = b"fl_"


def hidden(text: str) -> str:
    """Return a text in which no secret can be read that somebody put into it by mistake."""
    return _ANYWHERE.sub(r"\1***", text) if _BEGIN in text else text


def hidden_in(data: bytes) -> bytes:
    """Return bytes in which, read as text, no such secret can be read."""
    return _ANYWHERE_IN_BYTES.sub(rb"\1***", data) if _BEGIN_BYTES in data else data


def new_kid() -> str:
    """Return a new public id of a key."""
    return new_id("flk_")


def new_id(prefix: str) -> str:
    """Return a new public id of something."""
    return prefix + _random(_KID_CHARACTERS)


def new_secret(*, is_test: bool = False) -> str:
    """Return a new secret with its checksum."""
    text = (TEST if is_test else LIVE) + _random(_RANDOM_CHARACTERS)
    return text + _checksum(text)


def is_kid(text: str) -> bool:
    """Whether `text` is written as a public id."""
    return _KID(text) is not None


def is_secret(text: str) -> bool:
    """Whether `text` is written as a secret, its checksum right."""
    match = _SECRET(text)
    return match is not None and _checksum(match[1]) == match[2]


def hash_of(secret: str) -> bytes:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def plain(text: str) -> str:
    """Return the beginning of a text from outside, as it can be shown to who gave it."""
    text = hidden(text)
    return "".join(each if each.isprintable() else "?" for each in text[:40])


def is_proven(secret: str, stored_hash: bytes) -> bool:
    """Whether this secret is the one that was hashed, in time that does not tell."""
    return hmac.compare_digest(hash_of(secret), stored_hash)


def _random(count: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(count))


def _checksum(text: str) -> str:
    """Return the CRC-32 of `text`, six digits to the base 62."""
    rest = zlib.crc32(text.encode())
    digits = ""
    for _ in range(_CHECK_CHARACTERS):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
