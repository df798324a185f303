"""What a client is given: a fresh key pair and its certificate, as text. The private key is not kept.

The order is the contract's (section 6): PUBLIC KEY, PRIVATE KEY (PKCS#8), CERTIFICATE.
"""

from typing import cast

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from fairlead.tls.authority import (
    Issuer,
    LeafKey,
    check_public_key,
    fingerprint,
    issue_client,
    key_pem,
    new_key,
    pem,
)


class Issued(msgspec.Struct, frozen=True):
    """What is remembered of a client certificate; its private key is not."""

    fingerprint: str
    serial_number: int
    key_id: str
    not_after_ns: int


def client_text(issuer: Issuer, key_id: str, now_ns: int) -> tuple[str, Issued]:
    """Return a new key pair with its certificate as text, and what to remember. Raises ValueError."""
    key = new_key()
    certificate = issue_client(issuer, key_id, key.public_key(), now_ns)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    text = (public + key_pem(key) + pem(certificate)).decode("ascii")
    return text, remembered(certificate, key_id)


def client_of_request(
    issuer: Issuer, key_id: str, request: bytes, now_ns: int
) -> tuple[str, Issued]:
    """Return the certificate for a PKCS#10 request as text, and what to remember.

    Of the request only the public key counts, and that its sender holds the private one. Raises
    ValueError when it cannot be read or proven.
    """
    asked = x509.load_pem_x509_csr(request)
    if not asked.is_signature_valid:
        raise ValueError("the request is not signed by the private key of its public key")
    public_key = asked.public_key()
    check_public_key(public_key)
    certificate = issue_client(issuer, key_id, cast(LeafKey, public_key), now_ns)
    return pem(certificate).decode("ascii"), remembered(certificate, key_id)


def remembered(certificate: x509.Certificate, key_id: str) -> Issued:
    """Return what is remembered of a certificate."""
    der = certificate.public_bytes(serialization.Encoding.DER)
    until_ns = int(certificate.not_valid_after_utc.timestamp()) * 1_000_000_000
    return Issued(fingerprint(der), certificate.serial_number, key_id, until_ns)
