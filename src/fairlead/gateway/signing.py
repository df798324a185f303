"""Signed requests: which text a signature is over, whether it is right, fresh, and seen for the first time.

    FL1 \\n METHOD \\n host \\n raw path?query \\n hex(SHA-256(body)) \\n timestamp \\n nonce \\n kid

Everything is taken as it was sent: nothing is decoded, folded or completed. Values only; the time is an
argument. docs/reference/signing.md says it for clients.
"""

import hashlib
import hmac
import re
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fairlead.control.keys import Kind, Usable
from fairlead.gateway.marks import Mark

log = structlog.get_logger()

WINDOW_MS = 5_000  # a request may be so old
AHEAD_MS = 1_000  # and a clock so far ahead of ours
HELD_MS = 2_000  # a mark is set so far ahead, and so long are requests refused after a kill
NONCES_MAX = 400_000  # remembered in all, some 200 bytes each
NONCES_OF_KEY_MAX = 100_000
_VERSION = b"FL1"
_TIMESTAMP = re.compile(rb"[0-9]{13}").fullmatch
_NONCE = re.compile(rb"[0-9A-Za-z_-]{16,64}").fullmatch
_SIGNATURE = re.compile(rb"[0-9a-f]{64}|[0-9a-f]{128}").fullmatch

Verify = Callable[[bytes, bytes], bool]  # (text, signature)


class SignedRequest(msgspec.Struct, frozen=True):
    """What was sent, as it was sent. `target` is the raw path with `?` and the query where there is one."""

    method: bytes
    host: bytes
    target: bytes
    body: bytes
    kid: bytes
    timestamp: bytes
    nonce: bytes
    signature: bytes

    def is_formed(self) -> bool:
        """Whether each part is written as it must be, so that no part can pass for two."""
        return bool(
            _TIMESTAMP(self.timestamp)
            and _NONCE(self.nonce)
            and _SIGNATURE(self.signature)
            and self.host
            and self.target.startswith(b"/")
            and not any(b"\n" in each for each in (self.method, self.host, self.target, self.kid))
        )

    def text(self) -> bytes:
        """Return the text that is signed."""
        hashed = hashlib.sha256(self.body).hexdigest().encode()
        parts = (self.method, self.host, self.target, hashed, self.timestamp, self.nonce, self.kid)
        return b"\n".join((_VERSION, *parts))


def verifier(usable: Usable) -> Verify | None:
    """Return what says whether a signature is the key's; None for a key that does not sign."""
    match usable.key.kind:
        case Kind.HMAC:
            return _by_hmac(usable.proof)
        case Kind.ED25519:
            return _by_ed25519(usable.proof)
        case Kind.BEARER:
            return None


def _by_hmac(secret: bytes) -> Verify:
    def verify(text: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(hmac.digest(secret, text, "sha256"), signature)

    return verify


def _by_ed25519(public: bytes) -> Verify:
    key = Ed25519PublicKey.from_public_bytes(public)

    def verify(text: bytes, signature: bytes) -> bool:
        try:
            key.verify(signature, text)
        except InvalidSignature:
            return False
        return True

    return verify


NOBODY = _by_hmac(b"nobody's")  # so that a key that is not there takes no less time


class Nonces:
    """The nonces of requests that were taken, for as long as such a request would be taken again.

    What is forgotten is too old for ever: no timestamp up to it is taken, should the clock go back, either.
    A new one takes nothing that one before it, in an earlier life of the process, can have taken. When there
    is no room, or the mark for the next life cannot be set, nothing is taken.
    """

    def __init__(self, now_ms: int, mark: Mark | None = None) -> None:
        """`mark` is kept beyond what is taken. Raises ControlError and OSError."""
        self._mark = mark
        self._marked_ms = 0 if mark is None else mark.read()
        self._refused_through_ms = max(now_ms + AHEAD_MS, self._marked_ms)
        self._latest_ms = self._refused_through_ms  # nothing later was taken
        if self._marked_ms > now_ms + HELD_MS + 2 * AHEAD_MS:
            ends = datetime.fromtimestamp(self._marked_ms / 1_000, UTC)
            text = "the clock was put back; a request of then could be taken twice"
            log.error("signed requests are refused", until=f"{ends:%Y-%m-%d %H:%M:%S}", text=text)
        self._used: set[bytes] = set()
        self._coming: deque[tuple[bytes, str, int]] = (
            deque()
        )  # the same, in order, with key and time
        self._counts: Counter[str] = Counter()

    def take(self, kid: str, nonce: bytes, timestamp_ms: int, now_ms: int) -> bool:
        """Whether a proven request of this nonce and time is fresh and the first; then it is remembered."""
        self._forget(now_ms)
        is_fresh = now_ms - WINDOW_MS <= timestamp_ms <= now_ms + AHEAD_MS
        if not is_fresh or timestamp_ms <= self._refused_through_ms:
            return False
        mark = hashlib.blake2b(kid.encode() + nonce, digest_size=16).digest()
        if mark in self._used or len(self._used) >= NONCES_MAX:
            return False
        if self._counts[kid] >= NONCES_OF_KEY_MAX:
            return False
        if not self._is_marked(timestamp_ms, now_ms):
            return False
        self._latest_ms = max(self._latest_ms, timestamp_ms)
        self._used.add(mark)
        self._coming.append((mark, kid, timestamp_ms))
        self._counts[kid] += 1
        return True

    def settle(self) -> None:
        """Let the next life take what comes after the last that was taken: this one takes nothing more."""
        if self._mark is not None and self._latest_ms < self._marked_ms:
            with suppress(OSError):  # then it waits some seconds
                self._mark.write(self._latest_ms)

    def _is_marked(self, timestamp_ms: int, now_ms: int) -> bool:
        """Whether the next life will refuse a request of that time."""
        if self._mark is None or timestamp_ms <= self._marked_ms:
            return True
        through_ms = max(now_ms + AHEAD_MS + HELD_MS, self._marked_ms)
        try:
            self._mark.write(through_ms)
        except OSError as error:
            log.error("signed requests are refused", cause=str(error))  # noqa: TRY400 - no trace
            return False
        self._marked_ms = through_ms
        return True

    def _forget(self, now_ms: int) -> None:
        coming = self._coming
        while coming and coming[0][2] + WINDOW_MS < now_ms:
            mark, kid, timestamp_ms = coming.popleft()
            self._used.remove(mark)
            self._counts[kid] -= 1
            if not self._counts[kid]:
                del self._counts[kid]
            self._refused_through_ms = max(self._refused_through_ms, timestamp_ms)
