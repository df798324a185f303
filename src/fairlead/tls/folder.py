"""The folder of `fairlead tls init`: its files, their modes, and keeping them in date.

    ca.pem                the issuing certificate and the root: what both sides trust
    server.pem            the server's key, its certificate and the issuing one (0600)
    revoked.pem           the list of revoked client certificates
    ca/root.pem, .key     the root; its key is needed by nothing that runs, so take it offline
    ca/issuing.pem, .key  the intermediate

Every file is replaced as a whole, the authority appears at once: a process killed at any point
leaves nothing half-made. Must never write a key that others can read.
"""

import fcntl
import os
import shutil
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar, cast

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from fairlead.tls import authority
from fairlead.tls.authority import Issuer, PrivateKey, Revoked

AUTHORITIES, SERVER, REVOKED = "ca.pem", "server.pem", "revoked.pem"
ROOT_KEY = "ca/root.key"
_CA, _NEW_CA = "ca", ".ca-new"
_ROOT, _ISSUING, _ISSUING_KEY = "ca/root.pem", "ca/issuing.pem", "ca/issuing.key"
_OWN_NAMES = ("localhost", "127.0.0.1", "::1")
_PRIVATE, _PUBLIC = 0o600, 0o644
_DAY_S = 86_400
_Parsed = TypeVar("_Parsed")


class FolderError(ValueError):
    """The folder cannot be used as it is; the text says which file, and what to do."""


class Made(msgspec.Struct, frozen=True):
    """One file that was written, and why."""

    path: Path
    why: str


def init(folder: Path, names: Sequence[str], now_ns: int) -> list[Made]:
    """Make what is missing or due: authority, server certificate, revoked list.

    `names`: host names and addresses the server is reached by besides those of this machine for itself;
    none: those it has. Returns what was written, nothing when all is in date. Raises FolderError,
    OSError, and ValueError for a name that is none.
    """
    asked = [str(authority.general_name(name).value) for name in names]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made: list[Made] = []
    with _locked(folder):
        if not (folder / _CA).exists():
            made += _make_authority(folder, now_ns)
        issuer = load_issuer(folder, now_ns)
        root = _certificate(folder / _ROOT)
        authorities = authority.pem(issuer.certificate, root)
        if _read(folder / AUTHORITIES) != authorities:
            _write(folder / AUTHORITIES, authorities, _PUBLIC)
            made.append(Made(folder / AUTHORITIES, "what clients and the listener trust"))
        wanted = asked or _names_of(_server(folder / SERVER))
        made += _renew_server(folder, issuer, list(dict.fromkeys([*wanted, *_OWN_NAMES])), now_ns)
        made += _renew_revoked(folder, issuer, now_ns)
    return made


def renew(folder: Path, now_ns: int) -> list[Made]:
    """Make anew what is due before long: server certificate, for its own names, and revoked list.

    Does nothing where the authority's key is elsewhere. Raises FolderError and OSError.
    """
    if not can_renew(folder):
        return []
    with _locked(folder):
        issuer = load_issuer(folder, now_ns)
        names = _names_of(_server(folder / SERVER))
        made = _renew_server(folder, issuer, names, now_ns) if names else []
        return made + _renew_revoked(folder, issuer, now_ns)


def can_renew(folder: Path) -> bool:
    """Whether the authority's key is in the folder."""
    return (folder / _ISSUING_KEY).exists()


def revoke(folder: Path, serial_number: int, now_ns: int) -> bool:
    """Put a certificate on the list of revoked ones; False if it is there already.

    A listener takes the new list within a second. Raises FolderError and OSError.
    """
    with _locked(folder):
        issuer = load_issuer(folder, now_ns)
        revocations = _revocations(folder, issuer)
        known = authority.revoked_in(revocations) if revocations is not None else []
        if any(each.serial_number == serial_number for each in known):
            return False
        entries = [*known, Revoked(serial_number, now_ns)]
        _write_revoked(folder, issuer, entries, revocations, now_ns)
        return True


def write_new(path: Path, content: bytes) -> None:
    """Write a file that only the owner can read. Raises FileExistsError when there is one."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    with open(descriptor, "wb") as file:
        file.write(content)


def load_issuer(folder: Path, now_ns: int) -> Issuer:
    """Return the issuing authority of a folder. Raises FolderError, naming the file."""
    path = folder / _ISSUING_KEY
    for private in (folder / _CA, path):
        _check_mode(private)
    certificate = _certificate(folder / _ISSUING)
    if _seconds_left(certificate, now_ns) <= 0:
        raise FolderError(
            f"{folder / _ISSUING} ended on {certificate.not_valid_after_utc:%Y-%m-%d}; move {folder}"
            " away and run `fairlead tls init` again: every client needs a new certificate then"
        )
    key = _parsed(path, lambda text: serialization.load_pem_private_key(text, None), "private key")
    if key.public_key() != certificate.public_key():
        raise FolderError(f"{path} is not the key of {folder / _ISSUING}; restore both together")
    return Issuer(certificate, cast(PrivateKey, key))


# ── the authority ────────────────────────────────────────────────────────────────────────────────


def _make_authority(folder: Path, now_ns: int) -> list[Made]:
    """Make root and intermediate in a folder aside, which then takes its name."""
    root = authority.make_root(now_ns)
    issuer = authority.make_intermediate(root, now_ns)
    aside = folder / _NEW_CA
    shutil.rmtree(aside, ignore_errors=True)  # of a process that was killed: nobody has its keys
    aside.mkdir(mode=0o700)
    for name, content, mode in (
        (_ROOT, authority.pem(root.certificate), _PUBLIC),
        (ROOT_KEY, authority.key_pem(root.key), _PRIVATE),
        (_ISSUING, authority.pem(issuer.certificate), _PUBLIC),
        (_ISSUING_KEY, authority.key_pem(issuer.key), _PRIVATE),
    ):
        _write(aside / Path(name).name, content, mode)
    aside.rename(folder / _CA)
    _sync(folder)
    return [
        Made(folder / _ROOT, f"a new root until {_until(root.certificate)}"),
        Made(folder / ROOT_KEY, "its key: take it offline, nothing that runs needs it"),
        Made(folder / _ISSUING, f"the issuing authority until {_until(issuer.certificate)}"),
        Made(folder / _ISSUING_KEY, "its key: it signs certificates and the revoked list"),
    ]


# ── the server's certificate ─────────────────────────────────────────────────────────────────────


def _renew_server(folder: Path, issuer: Issuer, names: Sequence[str], now_ns: int) -> list[Made]:
    path = folder / SERVER
    why = _why_new_server(_server(path), issuer, names, now_ns)
    if not why:
        return []
    key = authority.new_key()
    certificate = authority.issue_server(issuer, names, key.public_key(), now_ns)
    content = authority.key_pem(key) + authority.pem(certificate, issuer.certificate)
    _write(path, content, _PRIVATE)
    return [Made(path, f"{why}: {', '.join(names)}, until {_until(certificate)}")]


def _why_new_server(
    certificate: x509.Certificate | None, issuer: Issuer, names: Sequence[str], now_ns: int
) -> str:
    if certificate is None:
        return "the server's key and certificate"
    if set(_names_of(certificate)) != set(names):
        return "for other names"
    if certificate.issuer != issuer.certificate.subject:
        return "by the authority of this folder"
    if _seconds_left(certificate, now_ns) < authority.SERVER_DAYS * _DAY_S / 3:
        return "renewed"
    return ""


def _server(path: Path) -> x509.Certificate | None:
    """Return the server's certificate if there is one that goes with its key."""
    if not path.exists():
        return None
    _check_mode(path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)
    except ssl.SSLError:
        return None
    return _certificate(path)


def _names_of(certificate: x509.Certificate | None) -> list[str]:
    if certificate is None:
        return []
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(each.value) for each in found]


# ── the list of revoked certificates ─────────────────────────────────────────────────────────────


def _renew_revoked(folder: Path, issuer: Issuer, now_ns: int) -> list[Made]:
    revocations = _revocations(folder, issuer)
    if revocations is None:
        why = "the list of revoked client certificates"
        entries: list[Revoked] = []
    else:
        until = revocations.next_update_utc
        assert until is not None, "ours always says until when it counts"
        if until.timestamp() - now_ns / 1e9 > authority.REVOKED_LIST_DAYS * _DAY_S / 2:
            return []
        why = "renewed"
        entries = authority.revoked_in(revocations)
    _write_revoked(folder, issuer, entries, revocations, now_ns)
    return [Made(folder / REVOKED, why)]


def _write_revoked(
    folder: Path,
    issuer: Issuer,
    entries: Sequence[Revoked],
    before: x509.CertificateRevocationList | None,
    now_ns: int,
) -> None:
    number = 1
    if before is not None:
        number += before.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    revocations = authority.revoked_list(issuer, entries, number, now_ns)
    _write(folder / REVOKED, authority.pem(revocations), _PUBLIC)


def _revocations(folder: Path, issuer: Issuer) -> x509.CertificateRevocationList | None:
    """Return the list, None if there is none. One that cannot be read is never replaced by an empty one."""
    path = folder / REVOKED
    if not path.exists():
        return None
    revocations = _parsed(path, x509.load_pem_x509_crl, "list of revoked certificates")
    if not revocations.is_signature_valid(issuer.key.public_key()):
        raise FolderError(
            f"{path} is not signed by {folder / _ISSUING}; restore both together, so that no revoked"
            " certificate is taken again"
        )
    return revocations


# ── files ────────────────────────────────────────────────────────────────────────────────────────


def _certificate(path: Path) -> x509.Certificate:
    """Return the first certificate of a file."""
    return _parsed(path, lambda text: x509.load_pem_x509_certificates(text)[0], "certificate")


def _parsed(path: Path, parse: Callable[[bytes], _Parsed], what: str) -> _Parsed:
    try:
        return parse(path.read_bytes())
    except FileNotFoundError:
        raise FolderError(
            f"{path} is missing: `fairlead tls init` makes an authority, or restore it"
        ) from None
    except ValueError:
        raise FolderError(f"{path} holds no {what} in PEM; restore it") from None


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _check_mode(path: Path) -> None:
    try:
        mode = path.stat().st_mode & 0o777
    except FileNotFoundError:
        return
    if mode & 0o077:
        right = "700" if path.is_dir() else "600"
        raise FolderError(f"{path} is open to others (mode {mode:o}); chmod {right} it")


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file as a whole, durably; it never has another mode."""
    aside = path.with_name(f".{path.name}.new")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    aside.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time change the folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _seconds_left(certificate: x509.Certificate, now_ns: int) -> float:
    return certificate.not_valid_after_utc.timestamp() - now_ns / 1e9


def _until(certificate: x509.Certificate) -> str:
    moment: datetime = certificate.not_valid_after_utc.astimezone(UTC)
    return f"{moment:%Y-%m-%d}"
