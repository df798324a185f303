"""What a TLS listener shows and asks for, read from files and read again when they change.

Each new connection takes the context of the moment, so a renewed certificate or a longer list of
revoked ones counts from the next handshake on. Must never fall back to something weaker: files that
cannot be used leave the last good ones in force.
"""

import ssl
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Self

import msgspec
import structlog
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from fairlead.tls.folder import FolderError
from fairlead.tls.refusing import Failed, Malformed, UseRefused

log = structlog.get_logger()

_LOOK_NS = 500_000_000  # between two looks at the files
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2; HTTP/2 forbids all others (RFC 9113, 9.2.2)


class ContextFiles(msgspec.Struct, frozen=True):
    """`certificate`: with its chain, and with its key unless `key` names that.

    `authorities`: whose client certificates are taken; None: no client is asked for one. `revoked`: their
    list of revoked certificates.
    """

    certificate: Path
    key: Path | None = None
    authorities: Path | None = None
    revoked: Path | None = None
    alpn: tuple[str, ...] = ("h2", "http/1.1")


class Contexts:
    """The context of the moment.

    `version_min`: TLSv1.2 or TLSv1.3; where clients show certificates always the latter.
    """

    def __init__(
        self, files: ContextFiles, monotonic_ns: Callable[[], int], version_min: str = "TLSv1.2"
    ) -> None:
        """Read the files. Raises FolderError, naming the one that cannot be used."""
        self._files = files
        self._monotonic_ns = monotonic_ns
        self._version_min = version_min
        self._looked_ns: int | None = monotonic_ns()
        self._stamps = self._stamps_now()
        self._context, self._revoked = self._read()

    def ends(self) -> dict[Path, int]:
        """Return until when (Unix ns) each file counts that ends by itself: certificate and list."""
        files = self._files
        certificate = x509.load_pem_x509_certificates(files.certificate.read_bytes())[0]
        moments = {files.certificate: certificate.not_valid_after_utc}
        if files.revoked is not None:
            until = x509.load_pem_x509_crl(files.revoked.read_bytes()).next_update_utc
            if until is not None:
                moments[files.revoked] = until
        return {path: int(moment.timestamp()) * 1_000_000_000 for path, moment in moments.items()}

    def current(self) -> ssl.SSLContext:
        """Return the context for the next connection."""
        self._look()
        return self._context

    def is_revoked(self, serial_number: int) -> bool:
        """Whether the list has this certificate."""
        self._look()
        return serial_number in self._revoked

    def look_anew(self) -> None:
        """Have the files looked at when somebody next asks: they may have changed."""
        self._looked_ns = None

    def _look(self) -> None:
        now_ns = self._monotonic_ns()
        if self._looked_ns is not None and now_ns - self._looked_ns < _LOOK_NS:
            return
        self._looked_ns = now_ns
        stamps = self._stamps_now()
        if stamps == self._stamps:
            return
        self._stamps = stamps
        try:
            self._context, self._revoked = self._read()
        except FolderError as error:
            log.warning("tls_files", text=str(error), effect="the last good ones stay in force")
        else:
            log.info("tls_files", text="read again", certificate=str(self._files.certificate))

    def _stamps_now(self) -> list[tuple[int, int, int] | None]:
        return [_stamp(path) for path in self._paths()]

    def _paths(self) -> list[Path]:
        files = self._files
        paths = (files.certificate, files.key, files.authorities, files.revoked)
        return [path for path in paths if path is not None]

    def _read(self) -> tuple[ssl.SSLContext, frozenset[int]]:
        files = self._files
        for path in self._paths():
            if not path.exists():
                raise FolderError(
                    f"{path} is missing: `fairlead tls init` makes one, or name yours in [tls]"
                )
        context = _context(self._version_min, files.alpn)
        _load(
            files.certificate,
            "certificate chain that goes with its key",
            lambda path: context.load_cert_chain(path, files.key),
        )
        key = files.key or files.certificate
        if key.stat().st_mode & 0o077:
            raise FolderError(f"{key} holds a private key and is open to others; chmod 600 it")
        if files.authorities is None:
            return context, frozenset()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        _load(files.authorities, "authority's certificates", context.load_verify_locations)
        if files.revoked is None:
            return context, frozenset()
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        _load(files.revoked, "list of revoked certificates", context.load_verify_locations)
        revoked: list[int] = []
        _load(
            files.revoked,
            "list of revoked certificates",
            lambda path: revoked.extend(
                each.serial_number for each in x509.load_pem_x509_crl(path.read_bytes())
            ),
        )
        return context, frozenset(revoked)


def _context(version_min: str, alpn: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = (
        ssl.TLSVersion.TLSv1_3 if version_min == "TLSv1.3" else ssl.TLSVersion.TLSv1_2
    )
    context.set_ciphers(_CIPHERS)
    context.options |= (
        ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_SINGLE_ECDH_USE
    )
    # A resumed session would bring what was true at its first handshake past a newer revoked list.
    context.num_tickets = 0
    if alpn:
        context.set_alpn_protocols(list(alpn))
    context.sslobject_class = _Alerting
    return context


# Where whoever waits for a handshake finds why it was refused, which the loop does not say when the client
# closes at our alert: it is read in the context in which the connection was taken up.
REFUSALS: ContextVar[list[ssl.SSLError] | None] = ContextVar("refusals", default=None)


# What reading all extensions of a certificate raises: not one of the latter is a ValueError.
_MALFORMED = (
    ValueError, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType,
)  # fmt: skip


class _Alerting(ssl.SSLObject):
    """Has the loop send the alert of a refused handshake, which asyncio and uvloop throw away.

    They write what is waiting when a handshake needs more input, not when it fails. So the failure is
    first said to be a need for input, and raised when the handshake is taken up again.
    """

    _outgoing: ssl.MemoryBIO
    _refusal: ssl.SSLError | None = None

    @classmethod
    def _create(
        cls, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **kwargs: Any
    ) -> Self:
        made: Self = super()._create(incoming, outgoing, *args, **kwargs)  # type: ignore[misc]
        made._outgoing = outgoing
        return made

    def do_handshake(self) -> None:
        """Shake hands, or say why not once the alert is on its way."""
        if self._refusal is not None:
            raise self._refusal
        try:
            super().do_handshake()
            self._judge()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            if not self._outgoing.pending:
                raise
            self._refusal = error
            if (heard := REFUSALS.get()) is not None:
                heard.append(error)
            raise ssl.SSLWantReadError from error

    def _judge(self) -> None:
        """Refuse the client also when judging it fails: the loop would take that for an error of its own."""
        try:
            self._check_use()
        except ssl.SSLError:
            raise
        except Exception as error:
            raise Failed(f"the certificate could not be judged: {type(error).__name__}") from error

    def _check_use(self) -> None:
        """Refuse a certificate that does not say what it is for: OpenSSL takes it for everything.

        Refuse one, too, that OpenSSL can read and we cannot: of no other is an identity taken later.
        """
        der = self.getpeercert(binary_form=True)
        if der is None:
            return
        try:
            extensions = x509.load_der_x509_certificate(der).extensions
        except _MALFORMED as error:
            raise Malformed(f"the certificate cannot be read: {error}") from None
        try:
            usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except x509.ExtensionNotFound:
            raise UseRefused("the certificate does not say what it is for") from None
        if ExtendedKeyUsageOID.CLIENT_AUTH not in usages:
            raise UseRefused("the certificate is not for clients")


def _load(path: Path, what: str, load: Callable[[Path], object]) -> None:
    try:
        load(path)
    except (ValueError, OSError) as error:  # ssl.SSLError is an OSError
        raise FolderError(f"{path} holds no {what}: {error}") from None


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
