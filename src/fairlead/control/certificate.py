"""What a client certificate is to us: a credential of one API key, with an end. Values only.

Its private key is nowhere here; of itself there is the fingerprint, the SHA-256 of its DER bytes in hex.
"""

from enum import StrEnum

import msgspec


class CertificateState(StrEnum):
    """Whether a certificate can be used, its key apart."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a certificate. `serial` in hex; `revoked_ns` None: it is not revoked."""

    fingerprint: str
    subscription: str
    kid: str
    serial: str
    created_ns: int
    not_after_ns: int
    revoked_ns: int | None

    def state(self, now_ns: int) -> CertificateState:
        """Return the state at a moment."""
        if self.revoked_ns is not None:
            return CertificateState.REVOKED
        is_over = now_ns >= self.not_after_ns
        return CertificateState.EXPIRED if is_over else CertificateState.ACTIVE
