"""Certificates for tests: good ones, and those that must not be taken."""

import datetime as dt
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from fairlead.tls import authority, folder
from fairlead.tls.authority import Authority, Issuer, Revoked
from fairlead.tls.folder import Made

DAY_NS = 86_400 * 1_000_000_000


class Certificate(NamedTuple):
    """A certificate with its key in one file, as `load_cert_chain` and curl take it."""

    path: Path
    certificate: x509.Certificate

    @property
    def fingerprint(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex()


class Desk:
    """A folder of certificates, and clients' ones beside it. What is revoked is in `revoked`."""

    def __init__(self, path: Path, issued_by: Authority | None = None) -> None:
        """`issued_by`: who issues, if the folder is kept by a running system."""
        self.path = path
        self.folder = path / "tls"
        self.revoked: list[Revoked] = []
        now_ns = time.time_ns()
        if issued_by is None:
            with folder.locked(self.folder):
                root, _ = folder.root_of(self.folder, now_ns)
            issued_by = Authority(authority.make_intermediate(root, now_ns), root.certificate)
            self.issued_by = issued_by
            self.keep(now_ns, names=())
        self.issued_by = issued_by

    @property
    def issuer(self) -> Issuer:
        return self.issued_by.issuer

    @property
    def authorities(self) -> Path:
        return self.folder / folder.AUTHORITIES

    def keep(self, now_ns: int, names: Sequence[str] | None = None) -> list[Made]:
        with folder.locked(self.folder):
            return folder.keep_in_date(self.folder, self.issued_by, self.revoked, names, now_ns)

    def client(self, name: str, issuer: Issuer | None = None, now_ns: int = 0) -> Certificate:
        """A certificate for clients; `now_ns`: when it was issued, now unless said."""
        key = authority.new_key()
        certificate = authority.issue_client(
            issuer or self.issuer, name, key.public_key(), now_ns or time.time_ns()
        )
        return self._kept(name, key, certificate)

    def expired(self, name: str = "expired") -> Certificate:
        long_ago_ns = time.time_ns() - (authority.CLIENT_DAYS + 1) * DAY_NS
        return self.client(name, now_ns=long_ago_ns)

    def of_another_authority(self, name: str = "stranger") -> Certificate:
        now_ns = time.time_ns()
        return self.client(name, authority.make_intermediate(authority.make_root(now_ns), now_ns))

    def for_servers(self, name: str = "server") -> Certificate:
        """Ours, and in date, but for another use."""
        key = authority.new_key()
        certificate = authority.issue_server(
            self.issuer, ("localhost",), key.public_key(), time.time_ns()
        )
        return self._kept(name, key, certificate)

    def for_any_use(self, name: str = "unlimited") -> Certificate:
        """Signed by our authority's key without saying for what: nothing of ours issues such."""
        return self._signed(name)

    def with_names(self, name: str, names_der: bytes) -> Certificate:
        """For clients, signed by our authority's key, with this SubjectAltName."""
        for_clients = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH])
        oid = x509.SubjectAlternativeName.oid
        return self._signed(name, for_clients, x509.UnrecognizedExtension(oid, names_der))

    def revoke(self, certificate: Certificate) -> None:
        self.revoked.append(Revoked(certificate.certificate.serial_number, time.time_ns()))
        self.keep(time.time_ns())

    def _signed(self, name: str, *extensions: x509.ExtensionType) -> Certificate:
        key, issuer = authority.new_key(), self.issuer
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .issuer_name(issuer.certificate.subject)
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return self._kept(name, key, builder.sign(issuer.key, hashes.SHA256()))

    def _kept(
        self, name: str, key: authority.PrivateKey, certificate: x509.Certificate
    ) -> Certificate:
        path = self.path / f"{name}.pem"
        path.write_bytes(authority.key_pem(key) + authority.pem(certificate))
        return Certificate(path, certificate)
