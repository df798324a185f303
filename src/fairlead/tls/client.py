"""What a client is given: a fresh key pair and its certificate, as text. The private key is not kept.

The order is the contract's (section 6): PUBLIC KEY, PRIVATE KEY (PKCS#8), CERTIFICATE.
"""

from typing import cast

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
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


def client_text(
    issuer: Issuer, key_id: str, now_ns: int, until_ns: int | None = None
) -> tuple[str, Issued]:
    """Return a new key pair with its certificate as text, and what to remember. Raises ValueError.

    `until_ns`: when it ends at the latest, see `issue_client`.
    """
    key = new_key()
    certificate = issue_client(issuer, key_id, key.public_key(), now_ns, until_ns)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    text = (public + key_pem(key) + pem(certificate)).decode("ascii")
    return text, remembered(certificate, key_id)


def client_of_request(
    issuer: Issuer, key_id: str, public_key: LeafKey, now_ns: int, until_ns: int | None = None
) -> tuple[str, Issued]:
    """Return the certificate for a public key as text, and what to remember. Raises ValueError."""
    certificate = issue_client(issuer, key_id, public_key, now_ns, until_ns)
    return pem(certificate).decode("ascii"), remembered(certificate, key_id)


def read_request(request: str) -> LeafKey:
    """Return the public key of a PKCS#10 request in PEM, which its sender has proven to hold.

    Nothing else in it counts. Raises ValueError, saying what would be right.
    """
    try:
        asked = x509.load_pem_x509_csr(request.encode())
        public_key = asked.public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):  # the last is no ValueError
        raise ValueError("is no certificate request (PKCS#10) in PEM") from None
    check_public_key(public_key)  # first: to check a signature by a giant key takes long
    try:
        is_proven = asked.is_signature_valid
    except (ValueError, UnsupportedAlgorithm):
        is_proven = False
    if not is_proven:
        raise ValueError("is not signed by the private key of its public key")
    return cast(LeafKey, public_key)


def remembered(certificate: x509.Certificate, key_id: str) -> Issued:
    """Return what is remembered of a certificate."""
    der = certificate.public_bytes(serialization.Encoding.DER)
    until_ns = int(certificate.not_valid_after_utc.timestamp()) * 1_000_000_000
    return Issued(fingerprint(der), certificate.serial_number, key_id, until_ns)
