"""The folder of `fairlead tls init`: its files, their modes, and keeping them in date.

    ca.pem            the issuing certificate and the root: what both sides trust
    server.pem        the server's key, its certificate and the issuing one (0600)
    revoked.pem       the list of revoked client certificates
    ca/root.pem, .key the root; its key is needed by nothing that runs, so take it offline

Who issues and what is revoked is handed in: the key that issues is never here. Every file is replaced as a
whole, the root appears at once: a process killed at any point leaves nothing half-made. Must never write a
key that others can read.
"""

import fcntl
import os
import re
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

from fairlead.tls.authority import (
    REVOKED_LIST_DAYS,
    SERVER_DAYS,
    Authority,
    Issuer,
    PrivateKey,
    Revoked,
    general_name,
    issue_server,
    key_pem,
    make_root,
    new_key,
    pem,
    revoked_list,
)

AUTHORITIES, SERVER, REVOKED = "ca.pem", "server.pem", "revoked.pem"
ROOT_KEY = "ca/root.key"
_CA, _NEW_CA, _ROOT = "ca", ".ca-new", "ca/root.pem"
PUBLIC_FILES = (AUTHORITIES, SERVER, REVOKED, _ROOT)  # with what of each may be anywhere
_OWN_NAMES = ("localhost", "127.0.0.1", "::1")
_PRIVATE, _PUBLIC = 0o600, 0o644
_DAY_S = 86_400
_PEM = re.compile(rb"-----BEGIN [A-Z0-9 ]+-----.*?-----END [A-Z0-9 ]+-----", re.DOTALL)
_Parsed = TypeVar("_Parsed")


class FolderError(ValueError):
    """The folder cannot be used as it is; the text says which file, and what to do."""


class Made(msgspec.Struct, frozen=True):
    """One file that was written, and why."""

    path: Path
    why: str


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time change the folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def root_of(folder: Path, now_ns: int) -> tuple[Issuer, list[Made]]:
    """Return the root with its key, new ones where there is none; to be called under the lock.

    Raises FolderError, naming the file, and OSError.
    """
    made = [] if (folder / _CA).exists() else _make_root(folder, now_ns)
    for private in (folder / _CA, folder / ROOT_KEY):
        _check_mode(private)
    certificate = _certificate(folder / _ROOT)
    path = folder / ROOT_KEY
    key = _parsed(path, lambda text: serialization.load_pem_private_key(text, None), "private key")
    if key.public_key() != certificate.public_key():
        raise FolderError(f"{path} is not the key of {folder / _ROOT}; restore both together")
    root = Issuer(certificate, cast(PrivateKey, key))
    if root.ends_ns <= now_ns:
        raise FolderError(
            f"{folder / _ROOT} ended on {_until(certificate)}; move {folder / _CA} away for a new root:"
            " whoever trusts the old one must be given the new one then"
        )
    return root, made


def keep_in_date(
    folder: Path,
    authority: Authority,
    revoked: Sequence[Revoked],
    names: Sequence[str] | None,
    now_ns: int,
) -> list[Made]:
    """Make what is missing or due; to be called under the lock.

    `names`: host names and addresses the server is reached by besides those of this machine for itself;
    none: those it has. None: a server's certificate is renewed, and made where it has lost its key, else
    never. Returns what was written,
    nothing when all is in date. Raises FolderError, OSError, and ValueError for a name that is none.
    """
    made: list[Made] = []
    if _read(folder / AUTHORITIES) != authority.chain:
        _write(folder / AUTHORITIES, authority.chain, _PUBLIC)
        made.append(Made(folder / AUTHORITIES, "what clients and the listener trust"))
    has = _names_of(_any_certificate(folder / SERVER))
    wanted = plain_names(names or ()) or has
    if names is not None or has:
        of_all = list(dict.fromkeys([*wanted, *_OWN_NAMES]))
        made += _renew_server(folder, authority.issuer, of_all, now_ns)
    return made + _renew_revoked(folder, authority.issuer, revoked, now_ns)


def plain_names(names: Sequence[str]) -> list[str]:
    """Return host names and addresses as certificates write them. Raises ValueError."""
    return [str(general_name(name).value) for name in names]


def public_part(content: bytes) -> bytes:
    """Return what of a file's PEM is no private key."""
    parts = _PEM.findall(content)
    return b"".join(part + b"\n" for part in parts if b"PRIVATE KEY" not in part.split(b"\n", 1)[0])


def is_kept(folder: Path) -> bool:
    """Whether `fairlead tls init` was run here, so that a running system renews what is due."""
    return (folder / _CA).exists()


def write_new(path: Path, content: bytes) -> None:
    """Write a file that only the owner can read. Raises FileExistsError when there is one."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    with open(descriptor, "wb") as file:
        file.write(content)


# ── the root ─────────────────────────────────────────────────────────────────────────────────────


def _make_root(folder: Path, now_ns: int) -> list[Made]:
    """Make the root in a folder aside, which then takes its name."""
    root = make_root(now_ns)
    aside = folder / _NEW_CA
    shutil.rmtree(aside, ignore_errors=True)  # of a process that was killed: nobody has its key
    aside.mkdir(mode=0o700)
    _write(aside / Path(_ROOT).name, pem(root.certificate), _PUBLIC)
    _write(aside / Path(ROOT_KEY).name, key_pem(root.key), _PRIVATE)
    aside.rename(folder / _CA)
    _sync(folder)
    return [
        Made(folder / _ROOT, f"a new root until {_until(root.certificate)}"),
        Made(folder / ROOT_KEY, "its key: take it offline, nothing that runs needs it"),
    ]


# ── the server's certificate ─────────────────────────────────────────────────────────────────────


def _renew_server(folder: Path, issuer: Issuer, names: Sequence[str], now_ns: int) -> list[Made]:
    path = folder / SERVER
    why = _why_new_server(_server(path), issuer, names, now_ns)
    if not why:
        return []
    key = new_key()
    certificate = issue_server(issuer, names, key.public_key(), now_ns)
    content = key_pem(key) + pem(certificate, issuer.certificate)
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
        return "by the authority that issues"
    if _seconds_left(certificate, now_ns) < SERVER_DAYS * _DAY_S / 3:
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


def _any_certificate(path: Path) -> x509.Certificate | None:
    """Return the certificate that stands there, also without its key, as a backup leaves it."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (FileNotFoundError, ValueError):
        return None


def _names_of(certificate: x509.Certificate | None) -> list[str]:
    if certificate is None:
        return []
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(each.value) for each in found]


# ── the list of revoked certificates ─────────────────────────────────────────────────────────────


def _renew_revoked(
    folder: Path, issuer: Issuer, revoked: Sequence[Revoked], now_ns: int
) -> list[Made]:
    path = folder / REVOKED
    before = _revocations(path, issuer)
    why = _why_new_revoked(before, revoked, now_ns)
    if not why:
        return []
    number = now_ns // 1_000_000
    if before is not None:
        last = before.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        number = max(number, last + 1)
    _write(path, pem(revoked_list(issuer, revoked, number, now_ns)), _PUBLIC)
    return [Made(path, why)]


def _why_new_revoked(
    before: x509.CertificateRevocationList | None, revoked: Sequence[Revoked], now_ns: int
) -> str:
    if before is None:
        return "the list of revoked client certificates"
    if {each.serial_number for each in before} != {each.serial_number for each in revoked}:
        return "with what is revoked now"
    until = before.next_update_utc
    assert until is not None, "ours always says until when it counts"
    if until.timestamp() - now_ns / 1e9 < REVOKED_LIST_DAYS * _DAY_S / 2:
        return "renewed"
    return ""


def _revocations(path: Path, issuer: Issuer) -> x509.CertificateRevocationList | None:
    """Return the list that is there; None for none, and for one that this authority has not signed."""
    try:
        revocations = x509.load_pem_x509_crl(path.read_bytes())
        return revocations if revocations.is_signature_valid(issuer.key.public_key()) else None
    except (FileNotFoundError, ValueError):
        return None


# ── files ────────────────────────────────────────────────────────────────────────────────────────


def _certificate(path: Path) -> x509.Certificate:
    """Return the first certificate of a file."""
    return _parsed(path, lambda text: x509.load_pem_x509_certificates(text)[0], "certificate")


def _parsed(path: Path, parse: Callable[[bytes], _Parsed], what: str) -> _Parsed:
    try:
        return parse(path.read_bytes())
    except FileNotFoundError:
        raise FolderError(
            f"{path} is missing; put it back for as long as `fairlead tls init` runs"
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


def _seconds_left(certificate: x509.Certificate, now_ns: int) -> float:
    return certificate.not_valid_after_utc.timestamp() - now_ns / 1e9


def _until(certificate: x509.Certificate) -> str:
    moment: datetime = certificate.not_valid_after_utc.astimezone(UTC)
    return f"{moment:%Y-%m-%d}"
