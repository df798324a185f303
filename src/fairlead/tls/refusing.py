"""Why a handshake was refused, in few words for counting; by the codes of OpenSSL, never by its text."""

import ssl
from collections.abc import Mapping

NO_CERTIFICATE = "no_certificate"
UNKNOWN_AUTHORITY = "unknown_authority"
EXPIRED = "expired"  # or not valid yet
REVOKED = "revoked"
WRONG_USE = "wrong_use"
LIST_UNUSABLE = "list_unusable"  # the list of revoked certificates has ended, or is missing
CERTIFICATE_WRONG = "certificate_wrong"
PROTOCOL = "protocol"  # no TLS, or no version or cipher that both know
BY_CLIENT = "by_client"  # it does not trust us
TIMEOUT = "timeout"
CUT = "cut"
FULL = "full"  # more handshakes or connections than allowed
FAILED = "failed"  # an error of ours, which is logged
HANDSHAKE_REASONS = (
    NO_CERTIFICATE, UNKNOWN_AUTHORITY, EXPIRED, REVOKED, WRONG_USE, LIST_UNUSABLE, CERTIFICATE_WRONG,
    PROTOCOL, BY_CLIENT, TIMEOUT, CUT, FULL, FAILED,
)  # fmt: skip

# X509_V_ERR_… of OpenSSL's x509_vfy.h.
_VERIFY: Mapping[int, str] = {
    2: UNKNOWN_AUTHORITY,  # unable to get issuer certificate
    3: LIST_UNUSABLE,  # unable to get CRL
    7: UNKNOWN_AUTHORITY,  # certificate signature failure
    9: EXPIRED,  # not yet valid
    10: EXPIRED,
    11: LIST_UNUSABLE,  # CRL not yet valid
    12: LIST_UNUSABLE,  # CRL has expired
    18: UNKNOWN_AUTHORITY,  # self-signed
    19: UNKNOWN_AUTHORITY,  # self-signed in chain
    20: UNKNOWN_AUTHORITY,  # unable to get local issuer certificate
    21: UNKNOWN_AUTHORITY,  # unable to verify leaf signature
    23: REVOKED,
    26: WRONG_USE,  # unsuitable purpose
}


class UseRefused(ssl.SSLError):
    """The certificate is not for clients, or does not say what it is for."""


class Malformed(ssl.SSLError):
    """The certificate cannot be read whole."""


class Failed(ssl.SSLError):
    """We could not judge the certificate; the cause says why."""


def reason_of(error: OSError) -> str:
    """Return why a handshake failed; how long it took only its caller knows."""
    match error:
        case ssl.SSLCertVerificationError():
            return _VERIFY.get(error.verify_code, CERTIFICATE_WRONG)
        case UseRefused():
            return WRONG_USE
        case Malformed():
            return CERTIFICATE_WRONG
        case Failed():
            return FAILED
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return CUT
        case ssl.SSLError():
            reason = error.reason or ""
            if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
                return NO_CERTIFICATE
            return BY_CLIENT if "_ALERT_" in reason else PROTOCOL
        case TimeoutError():
            return TIMEOUT
        case _:
            return CUT
