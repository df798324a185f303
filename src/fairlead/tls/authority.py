"""The authority: root → intermediate → leaves, and the list of revoked certificates.

Values in, values out; the time is an argument. Must never read a file, a clock or a database.
Everything of ours is P-256 with SHA-256, in the profile of RFC 5280. A server certificate lives 397
days because stock clients refuse longer ones.
"""

import ipaddress
import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = ec.EllipticCurvePrivateKey
LeafKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

ROOT_DAYS = 7_300  # twice as long as who issues, so that the root outlives it
INTERMEDIATE_DAYS = 3_650
SERVER_DAYS = 397
CLIENT_DAYS = 90
REVOKED_LIST_DAYS = 30
_SKEW = timedelta(minutes=5)  # a certificate is valid for clocks that are slow by this
_RSA_BITS_LEAST, _RSA_BITS_MOST = 2_048, 4_096  # more would only cost each handshake time
_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII).fullmatch
KEY_URI = "urn:fairlead:key:"


class Issuer(msgspec.Struct, frozen=True):
    """A certificate that signs others, with its key. `repr` shows neither."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def ends_ns(self) -> int:
        """Return until when it can sign."""
        return int(self.certificate.not_valid_after_utc.timestamp()) * 1_000_000_000

    def __repr__(self) -> str:
        """Name the subject alone."""
        return f"Issuer({self.certificate.subject.rfc4514_string()!r})"


class Authority(msgspec.Struct, frozen=True):
    """Who issues, and the root that its certificate was issued by."""

    issuer: Issuer
    root: x509.Certificate

    @property
    def chain(self) -> bytes:
        """Return what clients and listeners trust, as text: the issuing certificate and the root."""
        return pem(self.issuer.certificate, self.root)


class Revoked(msgspec.Struct, frozen=True):
    """One certificate that must not be taken any more, and since when."""

    serial_number: int
    since_ns: int


def make_root(now_ns: int) -> Issuer:
    """Return a new root: it signs intermediates, and its key can be kept offline."""
    key = new_key()
    name = _name(f"Fairlead root {secrets.token_hex(4)}")
    until = _moment(now_ns) + timedelta(days=ROOT_DAYS)
    builder = _builder(name, name, key.public_key(), now_ns, until)
    return Issuer(_authority(builder, 1, key.public_key()).sign(key, hashes.SHA256()), key)


def make_intermediate(root: Issuer, now_ns: int) -> Issuer:
    """Return a new intermediate: it signs leaves and the list of revoked ones, and no authority."""
    key = new_key()
    name = _name(f"Fairlead issuing {secrets.token_hex(4)}")
    builder = _issued(root, name, key.public_key(), now_ns, INTERMEDIATE_DAYS)
    return Issuer(
        _authority(builder, 0, root.key.public_key()).sign(root.key, hashes.SHA256()), key
    )


def issue_server(
    issuer: Issuer, names: Sequence[str], public_key: LeafKey, now_ns: int
) -> x509.Certificate:
    """Return a certificate for a server reached by these host names and addresses, the first its CN.

    Raises ValueError for no name, and for one that is neither.
    """
    if not names:
        raise ValueError("no name, give at least one host name or address")
    alternatives = x509.SubjectAlternativeName([general_name(name) for name in names])
    subject = _name(names[0][:64])
    usage = ExtendedKeyUsageOID.SERVER_AUTH
    builder = _leaf(issuer, subject, public_key, now_ns, SERVER_DAYS, usage)
    return builder.add_extension(alternatives, critical=False).sign(issuer.key, hashes.SHA256())


def issue_client(
    issuer: Issuer, key_id: str, public_key: LeafKey, now_ns: int, until_ns: int | None = None
) -> x509.Certificate:
    """Return a certificate for the holder of an API key, named in the SAN as `urn:fairlead:key:ID`.

    It can authenticate clients and nothing else, and ends after 90 days, with its issuer or at `until_ns`,
    whichever comes first. Subject and names come from here alone. Raises ValueError for an id that is no
    name, or a public key that is not taken.
    """
    if not _KEY_ID(key_id):
        raise ValueError(f"key id {key_id!r}: expected 1 to 64 letters, digits and _ . -")
    builder = _leaf(
        issuer,
        _name(key_id),
        public_key,
        now_ns,
        CLIENT_DAYS,
        ExtendedKeyUsageOID.CLIENT_AUTH,
        until_ns,
    )
    uri = x509.UniformResourceIdentifier(KEY_URI + key_id)
    alternatives = x509.SubjectAlternativeName([uri])
    return builder.add_extension(alternatives, critical=False).sign(issuer.key, hashes.SHA256())


def revoked_list(
    issuer: Issuer, revoked: Iterable[Revoked], number: int, now_ns: int
) -> x509.CertificateRevocationList:
    """Return a signed list; `number` grows with every list of an issuer."""
    now = _moment(now_ns)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(now - _SKEW)
        .next_update(now + timedelta(days=REVOKED_LIST_DAYS))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(_authority_key(issuer.key.public_key()), critical=False)
    )
    for one in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(one.serial_number)
            .revocation_date(_moment(one.since_ns))
            .build()
        )
    return builder.sign(issuer.key, hashes.SHA256())


def revoked_in(revocations: x509.CertificateRevocationList) -> list[Revoked]:
    """Return what a list holds, in its order."""
    return [
        Revoked(each.serial_number, int(each.revocation_date_utc.timestamp()) * 1_000_000_000)
        for each in revocations
    ]


def fingerprint(certificate_der: bytes) -> str:
    """Return the SHA-256 of a certificate's DER bytes in lower-case hex: how it is known to us."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(certificate_der)
    return digest.finalize().hex()


def key_id_of(certificate: x509.Certificate) -> str | None:
    """Return the API key that a client certificate names, None when it names none."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return None
    for uri in found.value.get_values_for_type(x509.UniformResourceIdentifier):
        if uri.startswith(KEY_URI):
            return uri.removeprefix(KEY_URI)
    return None


def new_key() -> PrivateKey:
    """Return a new P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def pem(*parts: x509.Certificate | x509.CertificateRevocationList) -> bytes:
    """Return certificates and lists as text, one after another."""
    return b"".join(part.public_bytes(serialization.Encoding.PEM) for part in parts)


def key_pem(key: PrivateKey) -> bytes:
    """Return a private key as PKCS#8 text, not encrypted: where it goes is the caller's care."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def general_name(name: str) -> x509.GeneralName:
    """Return a host name or an address as certificates write it. Raises ValueError."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if not re.fullmatch(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", name, re.ASCII):
        raise ValueError(f"name {name!r}: expected a host name or an address such as 127.0.0.1")
    return x509.DNSName(name.lower())


# ── what certificates have in common ─────────────────────────────────────────────────────────────


def _builder(
    issuer_name: x509.Name, subject: x509.Name, public_key: LeafKey, now_ns: int, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer_name)
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(secrets.randbits(128) or 1)
        .not_valid_before(_moment(now_ns) - _SKEW)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _issued(
    issuer: Issuer,
    subject: x509.Name,
    public_key: LeafKey,
    now_ns: int,
    days: int,
    until_ns: int | None = None,
) -> x509.CertificateBuilder:
    """Return the beginning of a certificate that ends with its issuer, or at `until_ns`, at the latest."""
    ends = [_moment(now_ns) + timedelta(days=days), issuer.certificate.not_valid_after_utc]
    if until_ns is not None:
        ends.append(_moment(until_ns))
    return _builder(issuer.certificate.subject, subject, public_key, now_ns, min(ends))


def _leaf(
    issuer: Issuer,
    subject: x509.Name,
    public_key: LeafKey,
    now_ns: int,
    days: int,
    usage: x509.ObjectIdentifier,
    until_ns: int | None = None,
) -> x509.CertificateBuilder:
    check_public_key(public_key)
    return (
        _issued(issuer, subject, public_key, now_ns, days, until_ns)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(_authority_key(issuer.key.public_key()), critical=False)
    )


def check_public_key(public_key: object) -> None:
    """Raise ValueError unless this is a P-256 key, or an RSA key of 2048 to 4096 bits."""
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        if isinstance(public_key.curve, ec.SECP256R1):
            return
    elif isinstance(public_key, rsa.RSAPublicKey) and (
        _RSA_BITS_LEAST <= public_key.key_size <= _RSA_BITS_MOST
    ):
        return
    raise ValueError("the public key is neither P-256 nor RSA of 2048 to 4096 bits")


def _authority(
    builder: x509.CertificateBuilder, path_length: int, signer: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return (
        builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=path_length), critical=True
        )
        .add_extension(_key_usage(is_authority=True), critical=True)
        .add_extension(_authority_key(signer), critical=False)
    )


def _authority_key(key: ec.EllipticCurvePublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _moment(now_ns: int) -> datetime:
    return datetime.fromtimestamp(now_ns // 1_000_000_000, UTC)
