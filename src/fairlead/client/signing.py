"""Signing a request instead of sending a secret along. Values in, values out; see docs/reference/signing.md.

`cryptography` is imported when a request is signed by Ed25519.
"""

import hashlib
import hmac
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_PEM = "-----BEGIN"


class SigningKey(msgspec.Struct, frozen=True):
    """A key that signs; `kid` is its public id (`flk_…`).

    `secret`: of HMAC the secret (`fl_live_…`), of Ed25519 the private key in PEM.
    """

    kid: str
    secret: str

    def __repr__(self) -> str:
        """Name the key; never show its secret."""
        return f"SigningKey({self.kid!r})"


def signed_headers(
    key: SigningKey,
    method: str,
    host: str,
    target: str,
    body: bytes,
    *,
    timestamp_ms: int,
    nonce: str,
) -> dict[str, str]:
    """Return the headers that sign a request; `target` is its path with the query, as it is sent.

    `nonce`: at least 16 characters that no request had before. Raises ValueError if the private key is
    not one of Ed25519.
    """
    hashed = hashlib.sha256(body).hexdigest()
    text = "\n".join(("FL1", method, host, target, hashed, f"{timestamp_ms:013}", nonce, key.kid))
    return {
        "Host": host,
        "X-Fairlead-Key": key.kid,
        "X-Fairlead-Timestamp": f"{timestamp_ms:013}",
        "X-Fairlead-Nonce": nonce,
        "X-Fairlead-Signature": _signature(key.secret, text.encode()).hex(),
    }


def _signature(secret: str, text: bytes) -> bytes:
    if secret.lstrip().startswith(_PEM):
        return _private_key(secret).sign(text)
    return hmac.digest(secret.encode(), text, "sha256")


@lru_cache(16)
def _private_key(pem: str) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(pem.encode(), None)
    if not isinstance(key, Ed25519PrivateKey):
        text = "the signing key is not a private key of Ed25519"
        raise ValueError(text)  # noqa: TRY004 - a wrong text, not a wrong type
    return key
