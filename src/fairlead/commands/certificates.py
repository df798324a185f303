"""tls: the private authority of a data folder, and the certificates that it issues."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from cryptography import x509

from fairlead.commands import show
from fairlead.commands.ending import Ended, ExitCode
from fairlead.config import ConfigError, read
from fairlead.tls import folder as files
from fairlead.tls.client import client_text

_Result = TypeVar("_Result")


def init(
    config_file: Path | None,
    environment: Mapping[str, str],
    flags: Mapping[str, object],
    names: Sequence[str],
) -> None:
    """Make the authority and the server's certificate, or what of them is due. Raises Ended."""
    folder = _folder(config_file, environment, flags)
    made = _done(lambda: files.init(folder, names, time.time_ns()))
    for each in made:
        show.out(f"{each.path}: {each.why}")
    if not made:
        show.out(f"{folder}: all is in date")


def client(
    config_file: Path | None,
    environment: Mapping[str, str],
    flags: Mapping[str, object],
    key_id: str,
    output: Path,
) -> None:
    """Write a new key and certificate for a client into a file of its own. Raises Ended."""
    folder = _folder(config_file, environment, flags)

    def issue() -> str:
        now_ns = time.time_ns()
        text, issued = client_text(files.load_issuer(folder, now_ns), key_id, now_ns)
        files.write_new(output, text.encode())
        return issued.fingerprint

    fingerprint = _done(issue)
    show.out(f"{output}: key and certificate of {key_id}; SHA-256 {fingerprint}")


def revoke(
    config_file: Path | None,
    environment: Mapping[str, str],
    flags: Mapping[str, object],
    certificate: Path,
) -> None:
    """Put the certificate in a file on the list of revoked ones. Raises Ended."""
    folder = _folder(config_file, environment, flags)

    def put() -> bool:
        text = certificate.read_bytes()
        serial = x509.load_pem_x509_certificates(text)[0].serial_number
        return files.revoke(folder, serial, time.time_ns())

    is_new = _done(put)
    show.out(f"{certificate}: {'revoked' if is_new else 'is revoked already'}")


def _folder(
    config_file: Path | None, environment: Mapping[str, str], flags: Mapping[str, object]
) -> Path:
    try:
        return read(config_file, environment, flags).tls_folder
    except ConfigError as error:
        raise Ended(ExitCode.USAGE, "\n".join(error.findings)) from None


def _done(work: Callable[[], _Result]) -> _Result:
    """Return what `work` returns; what keeps it from working ends the command."""
    try:
        return work()
    except FileExistsError as error:
        raise Ended(
            ExitCode.REFUSED, f"{error.filename} is there already; give another file"
        ) from None
    except OSError as error:
        raise Ended(ExitCode.REFUSED, f"{error.filename}: {error.strerror}") from None
    except ValueError as error:
        raise Ended(ExitCode.REFUSED, str(error)) from None
