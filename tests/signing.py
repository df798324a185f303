"""Signing a request by hand, as docs/reference/signing.md says; shares no code with the package."""

import hashlib
import hmac
import secrets
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Signer = str | Ed25519PrivateKey


def signed(
    kid: str,
    signer: Signer,
    method: str,
    host: str,
    target: str,
    body: bytes = b"",
    *,
    age_ms: int = 0,
    nonce: str | None = None,
) -> dict[str, str]:
    """Return the headers; `signer` is the secret of HMAC or the private key of Ed25519."""
    timestamp = str(time.time_ns() // 1_000_000 - age_ms)
    nonce = nonce or secrets.token_hex(16)
    lines = ["FL1", method, host, target, hashlib.sha256(body).hexdigest(), timestamp, nonce, kid]
    text = "\n".join(lines).encode()
    if isinstance(signer, str):
        signature = hmac.new(signer.encode(), text, hashlib.sha256).hexdigest()
    else:
        signature = signer.sign(text).hex()
    return {
        "Host": host,
        "X-Fairlead-Key": kid,
        "X-Fairlead-Timestamp": timestamp,
        "X-Fairlead-Nonce": nonce,
        "X-Fairlead-Signature": signature,
    }
