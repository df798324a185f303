"""tls init; certificates issue, list, revoke: the private authority, and credentials that it signs."""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fairlead.commands import show
from fairlead.commands.ending import Ended, ExitCode
from fairlead.commands.keeping import configured, granted, opened, owner
from fairlead.control import tls_files
from fairlead.control.certificate import Certificate
from fairlead.control.control import Control
from fairlead.control.keys import Denied
from fairlead.tls import folder as files
from fairlead.tls.authority import fingerprint

_COLUMNS = show.columns("certificate", "key", "state", "issued", "ends")


def init(config_file: Path | None, flags: Mapping[str, object], names: Sequence[str]) -> None:
    """Make the authority and the server's certificate, or what of them is due. Raises Ended."""
    folder = configured(config_file, flags).tls_folder
    try:
        files.plain_names(names)
        with opened(config_file, flags) as control:
            made = tls_files.init(control, folder, names, owner(), time.time_ns())
            if made:
                control.store.tell()  # the files that were written after what is stored
    except ValueError as error:
        raise Ended(ExitCode.REFUSED, str(error)) from None
    for each in made:
        show.out(f"{each.path}: {each.why}")
    if not made:
        show.out(f"{folder}: all is in date")


def issue(
    config_file: Path | None,
    flags: Mapping[str, object],
    subscription: str,
    key: str,
    output: Path,
    csr: Path | None,
    *,
    as_json: bool,
) -> None:
    """Issue a certificate into a new file, with a new private key unless `csr` is for one. Raises Ended."""
    request = None if csr is None else _read(csr)
    if output.exists():
        raise Ended(ExitCode.REFUSED, f"{output} is there already; give another file")
    with opened(config_file, flags, subscription) as control:
        made = granted(control.certificates.issue(owner(), key, time.time_ns(), request))
        try:
            files.write_new(output, made.text.encode())
        except OSError as error:
            control.certificates.revoke(owner(), made.certificate.fingerprint, time.time_ns())
            text = f"{output}: {error.strerror}; the certificate is revoked"
            raise Ended(ExitCode.REFUSED, text) from None
    if as_json:
        show.out(json.dumps({**_shown(made.certificate), "file": str(output)}))
        return
    what = "key and certificate" if request is None else "certificate"
    of = made.certificate
    show.out(
        f"{output}: {what} of {of.kid} until {_time(of.not_after_ns)}; SHA-256 {of.fingerprint}"
    )


def listed(
    config_file: Path | None,
    flags: Mapping[str, object],
    subscription: str,
    key: str | None,
    *,
    as_json: bool,
) -> None:
    """Print certificates, of one key if it is given. Raises Ended."""
    with opened(config_file, flags, subscription) as control:
        certificates = control.certificates.listed(None if key is None else _kid(control, key))
    if as_json:
        show.out(json.dumps([_shown(each) for each in certificates]))
        return
    rows = [
        [
            *(each.fingerprint, each.kid, str(each.state(time.time_ns()))),
            *(show.short_time(_time(each.created_ns)), show.short_time(_time(each.not_after_ns))),
        ]
        for each in certificates
    ]
    show.table(_COLUMNS, rows, "there are none; `fairlead certificates issue KEY` issues one")


def revoke(
    config_file: Path | None,
    flags: Mapping[str, object],
    subscription: str,
    certificate: str,
    *,
    as_json: bool,
) -> None:
    """Revoke a certificate, and put it on the list. Raises Ended."""
    name = certificate if len(certificate) == 64 else _fingerprint(Path(certificate))
    folder = configured(config_file, flags).tls_folder
    with opened(config_file, flags, subscription) as control:
        revoked = granted(control.certificates.revoke(owner(), name, time.time_ns()))
        try:
            tls_files.keep(control, folder, time.time_ns())
            control.store.tell()  # the list, whoever has written it
        except ValueError as error:
            text = f"the certificate is revoked, but the list of revoked ones is as it was: {error}"
            raise Ended(ExitCode.REFUSED, text) from None
    if as_json:
        show.out(json.dumps(_shown(revoked)))
    else:
        show.out(f"{certificate}: revoked")


def _kid(control: Control, name: str) -> str:
    found = control.keyring.find(name)
    if isinstance(found, Denied):
        raise Ended(ExitCode.REFUSED, f"{found.code}: {found.message}")
    return found.kid


def _fingerprint(path: Path) -> str:
    """Return the SHA-256 of the first certificate in a file. Raises Ended."""
    try:
        certificate = x509.load_pem_x509_certificates(_read(path).encode())[0]
    except ValueError:
        raise Ended(ExitCode.REFUSED, f"{path} holds no certificate in PEM") from None
    return fingerprint(certificate.public_bytes(Encoding.DER))


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except OSError as error:
        raise Ended(ExitCode.REFUSED, f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Ended(ExitCode.REFUSED, f"{path} is not a text in PEM") from None


def _shown(certificate: Certificate) -> dict[str, object]:
    return {
        "fingerprint": certificate.fingerprint,
        "kid": certificate.kid,
        "serial": certificate.serial,
        "state": str(certificate.state(time.time_ns())),
        "created": _time(certificate.created_ns),
        "expires": _time(certificate.not_after_ns),
        "revoked": None if certificate.revoked_ns is None else _time(certificate.revoked_ns),
    }


def _time(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns // 1_000_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
