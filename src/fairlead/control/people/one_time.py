"""What proves somebody once: codes of a second factor (RFC 6238), recovery codes, links, codes by mail.

Values only; that a code is used once is for those to see who keep what was used.
"""

import hashlib
import hmac
import secrets

import pyotp
import segno

STEP_S = 30
_STEP_NS = STEP_S * 1_000_000_000
_STEPS_PAST = 1  # accepted beside the current one; never a future one
ISSUER = "Fairlead"
_SECRET_CHARACTERS = 32
_BASE32 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
RECOVERY_CODES = 10
MAIL_CODE_DIGITS = 8
_RECOVERY_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # none that is read as another
_RECOVERY_CHARACTERS = 16  # 80 bits
_TOKEN_BYTES = 32
_TOKEN_CHARACTERS_MAX = 64


# ── a second factor ──────────────────────────────────────────────────────────────────────────────


def new_totp_secret() -> str:
    """Return a new secret of 160 bits, as authenticators take it."""
    return pyotp.random_base32(_SECRET_CHARACTERS)


def totp_uri(secret: str, email: str) -> str:
    """Return what an authenticator reads from a picture."""
    return pyotp.TOTP(secret, interval=STEP_S).provisioning_uri(name=email, issuer_name=ISSUER)


def picture(uri: str) -> str:
    """Return a QR code as an SVG element, dark on light whatever the page's colours."""
    return segno.make(uri, error="m").svg_inline(scale=4, border=4, light="#fff", dark="#000")


def totp_step(secret: str, code: str, now_ns: int, last_step: int) -> int | None:
    """Return the time step that a code is of: the current one or the one before, after `last_step`.

    None for all other codes. Whoever accepts it stores it as the last, so that none is accepted twice.
    """
    current = step_at(now_ns)
    found = None
    for step in range(current - _STEPS_PAST, current + 1):
        is_right = hmac.compare_digest(totp_code(secret, step).encode(), code.encode())
        if is_right and step > last_step:
            found = step
    return found


def step_at(now_ns: int) -> int:
    """Return the time step of a moment."""
    return now_ns // _STEP_NS


def is_totp_secret(text: str) -> bool:
    """Whether it is written as `new_totp_secret` writes one."""
    return len(text) == _SECRET_CHARACTERS and set(text) <= _BASE32


def totp_code(secret: str, step: int) -> str:
    """Return the six digits of a time step."""
    return pyotp.HOTP(secret).at(step)


# ── codes and tokens that are kept as hashes ─────────────────────────────────────────────────────


def new_recovery_codes() -> list[str]:
    """Return new recovery codes, `XXXX-XXXX-XXXX-XXXX`."""
    return [_recovery_code() for _ in range(RECOVERY_CODES)]


def _recovery_code() -> str:
    text = "".join(secrets.choice(_RECOVERY_ALPHABET) for _ in range(_RECOVERY_CHARACTERS))
    return "-".join(text[at : at + 4] for at in range(0, _RECOVERY_CHARACTERS, 4))


def new_mail_code() -> str:
    """Return a code for a mail."""
    return f"{secrets.randbelow(10**MAIL_CODE_DIGITS):0{MAIL_CODE_DIGITS}d}"


def code_hash(key: bytes, code: str) -> bytes:
    """Return what is kept of a code, under a key of the vault: a code alone would be guessed from a hash.

    However it was typed: in capitals or not, with spaces or dashes.
    """
    plain = "".join(each for each in code.upper() if each not in " -")
    return hmac.digest(key, plain.encode(), hashlib.sha256)


def new_token() -> str:
    """Return a new token of 256 bits: for a cookie, or a link."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def token_hash(token: str) -> bytes:
    """Return what is kept of a token, nothing of what cannot be one."""
    if len(token) > _TOKEN_CHARACTERS_MAX:
        return b""
    return hashlib.sha256(token.encode()).digest()
