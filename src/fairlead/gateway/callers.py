"""Who calls, and what they may. `Access.refusal` is the one place that decides it, for every protocol.

A caller is a key, proven by its secret, a signature or a certificate, and the address that it is used
from. What the key may is looked up for each request, so a key that was narrowed or taken back is so from
the next request on. Whoever keeps a connection for a caller watches it, and ends it when its rights have
shrunk; it is told too when there are more accounts. For the event loop's thread.
"""

import hmac
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from fairlead.control.addresses import Address, Network, is_in, networks_of
from fairlead.control.certificate import Certificate
from fairlead.control.key_text import SECRET_CHARACTERS, hash_of
from fairlead.control.keys import Kind, Scope, Usable
from fairlead.core.replies import Refusal, Refused
from fairlead.gateway import refusing
from fairlead.gateway.attempts import ATTEMPTS_PER_MIN, Attempts
from fairlead.gateway.marks import Mark
from fairlead.gateway.signing import NOBODY, Nonces, SignedRequest, verifier
from fairlead.gateway.usage import REST, KeyUsage, Usage

INVALID = "Invalid API key"
REQUESTS_PER_S = 10_000
_S = 1_000_000_000  # ns
_IPV4 = 4
_PLACES_MAX = 1_024  # addresses that are remembered for each key
_MS = 1_000_000
_FOUND_BY = 16  # bytes of a secret's hash; all of it is compared
_NOT_PROVEN = Refused(Refusal.UNAUTHENTICATED, INVALID, code=refusing.INVALID_KEY)
_TRIED_TOO_OFTEN = Refused(
    Refusal.RATE_EXCEEDED,
    f"{refusing.ATTEMPTS_EXCEEDED}: too many requests without a good key, wait a while",
    code=refusing.ATTEMPTS_EXCEEDED,
)

_NO_CERTIFICATES: Mapping[str, Certificate] = {}


class Caller(msgspec.Struct, frozen=True):
    """The key that was proven, by its public id, whose it is, and from where it is used.

    `certificate`: the fingerprint of the certificate that proved it, empty where none did. `protocol`: of
    `gateway/usage.py`.
    """

    subscription: str
    kid: str
    address: Address
    certificate: str = ""
    protocol: str = REST


def agreed(claims: Sequence[Caller | None]) -> Caller | None:
    """Return the one caller that all credentials prove, as the first does; None if they do not agree."""
    first = claims[0] if claims else None
    if first is None or any(each is None or each.kid != first.kid for each in claims):
        return None
    return first


class _Grant:
    """What a key may now, what it has used, and how many requests it has left in its bucket."""

    def __init__(self, usable: Usable, used: KeyUsage, budget: float, now_ns: int) -> None:
        rights = usable.key.rights
        self.usable = usable
        self.verify = verifier(usable)
        self.used = used
        self.scopes = frozenset(rights.scopes)
        self.accounts = None if rights.accounts is None else frozenset(rights.accounts)
        addresses = rights.addresses
        self.networks: tuple[Network, ...] | None = None
        if addresses is not None:
            self.networks = networks_of(addresses)
        self._places: dict[int, bool] = {}  # whether addresses lie in the networks, as asked before
        self.budget = budget
        self.filled_ns = now_ns
        self._seen: Caller | None = None
        self._seen_ns = 0

    def is_used_from(self, address: Address) -> bool:
        """Whether the key may be used from there."""
        if self.networks is None:
            return True
        number = int(address)
        place = number if address.version == _IPV4 else -1 - number
        is_near = self._places.get(place)
        if is_near is None:
            if len(self._places) == _PLACES_MAX:
                self._places.clear()
            is_near = self._places[place] = is_in(address, self.networks)
        return is_near

    def see(self, caller: Caller, now_ns: int) -> None:
        """Note a use of the key; of one caller once a second."""
        if caller is not self._seen or now_ns - self._seen_ns >= _S:
            self._seen, self._seen_ns = caller, now_ns
            self.used.see(caller.address, caller.protocol, caller.certificate, now_ns)


class _Watcher(msgspec.Struct, eq=False):
    """A connection that is kept: with what its key may, as it was last told, and whom to tell."""

    caller: Caller
    grant: _Grant
    end: Callable[[], None]
    widened: Callable[[], None] | None


class Access:
    """The keys and certificates that can be used, and the decision about every request.

    `is_open`: who shows no credential is let through, by the trading API alone. Who shows one, by whatever
    protocol and way, is held to it: a wrong one is refused, a right one limits.
    `usage` counts what they use; `refused` how often callers were refused, by why.
    """

    def __init__(
        self,
        now_ns: Callable[[], int],
        requests_per_s: int = REQUESTS_PER_S,
        usage: Usage | None = None,
        *,
        attempts_per_min: int = ATTEMPTS_PER_MIN,
        is_open: bool = False,
        mark: Mark | None = None,
    ) -> None:
        """`now_ns` is the wall clock. `mark`: what this process tells the next one of signed requests."""
        self.is_open = is_open
        self.usage = Usage(now_ns) if usage is None else usage
        self.refused: Counter[str] = Counter()
        self.now_ns = now_ns
        self._rate = requests_per_s
        self._by_hash: dict[bytes, tuple[str, bytes]] = {}
        self._grants: dict[str, _Grant] = {}
        self._certificates = _NO_CERTIFICATES
        self._watchers: dict[object, _Watcher] = {}
        self._nonces: Nonces | None = None
        self._mark = mark
        self._attempts = Attempts(now_ns, attempts_per_min)

    def replace(
        self,
        keys: Iterable[Usable],
        certificates: Mapping[str, Certificate] = _NO_CERTIFICATES,
    ) -> None:
        """Take the usable keys, and certificates by fingerprint. Ends what they no longer cover.

        Of signed requests none is taken that was made before the keys were first known: by then whatever
        process served before this one must have ended. The first time raises ControlError and OSError, when
        the mark cannot be read.
        """
        now_ns = self.now_ns()
        self._nonces = self._nonces or Nonces(now_ns // _MS, self._mark)
        self._certificates = certificates
        before = self._grants
        self._by_hash = {}
        self._grants = {}
        for usable in keys:
            key = usable.key
            if key.kind is Kind.BEARER:
                self._by_hash[usable.proof[:_FOUND_BY]] = (key.kid, usable.proof)
            old = before.get(key.kid)
            if old is not None and old.usable == usable:
                self._grants[key.kid] = old
            else:
                budget = float(self._rate) if old is None else old.budget
                self._grants[key.kid] = _Grant(usable, self.usage.of(key), budget, now_ns)
        self.end_the_uncovered()

    def settle(self) -> None:
        """Take no signed request any more, and tell the next process so."""
        if self._nonces is not None:
            self._nonces.settle()
            self._nonces = None

    # ── who ──────────────────────────────────────────────────────────────────────────────────────

    def identify(self, secret: str, address: Address) -> Caller | None:
        """Return who calls with this secret from this address, None if it proves nobody.

        The secret of a key that signs proves nobody: what is never sent cannot be overheard.
        """
        if len(secret) != SECRET_CHARACTERS:  # its checksum is for scanners: the hash decides here
            return None
        hashed = hash_of(secret)
        found = self._by_hash.get(hashed[:_FOUND_BY])
        if found is None or not hmac.compare_digest(hashed, found[1]):
            return None
        return self._caller(found[0], address)

    def identify_signed(self, request: SignedRequest, address: Address) -> Caller | None:
        """Return who signed this request, now and for the first time, None if it proves nobody."""
        if not request.is_formed():
            return None
        kid = request.kid.decode("latin-1")
        grant = self._grants.get(kid)
        verify = None if grant is None else grant.verify
        is_right = (verify or NOBODY)(request.text(), bytes.fromhex(request.signature.decode()))
        if verify is None or self._nonces is None or not is_right:
            return None
        now_ms = self.now_ns() // _MS
        if not self._nonces.take(kid, request.nonce, int(request.timestamp), now_ms):
            return None
        return self._caller(kid, address)

    def identify_certificate(self, fingerprint: str, address: Address) -> Caller | None:
        """Return who calls with a certificate that the handshake has proven, None if it proves nobody."""
        if not self.is_in_force(fingerprint):
            return None
        certificate = self._certificates[fingerprint]
        return Caller(certificate.subscription, certificate.kid, address, fingerprint)

    def _caller(self, kid: str, address: Address) -> Caller:
        return Caller(self._grants[kid].usable.key.subscription, kid, address)

    def is_in_force(self, fingerprint: str) -> bool:
        """Whether a certificate counts: registered, not revoked, in date, and of a key that can be used."""
        certificate = self._certificates.get(fingerprint)
        if certificate is None or self.now_ns() >= certificate.not_after_ns:
            return False
        return certificate.kid in self._grants

    def accounts(self, caller: Caller) -> frozenset[str] | None:
        """Return the accounts that the caller is limited to, None: none at all."""
        grant = self._grants.get(caller.kid)
        return frozenset() if grant is None else grant.accounts

    # ── what they may ────────────────────────────────────────────────────────────────────────────

    def nobody(self, address: Address, *, is_shown: bool) -> Refused:
        """Return the refusal of who has proven nothing at this address, which has so many attempts.

        `is_shown`: a credential was shown.
        """
        if self._attempts.is_one_too_many(address):
            self.refused[refusing.ATTEMPTS_EXCEEDED] += 1
            return _TRIED_TOO_OFTEN
        self.refused[refusing.INVALID_KEY if is_shown else refusing.NO_KEY] += 1
        return _NOT_PROVEN

    def refusal(self, caller: Caller, scope: Scope | None, account: str) -> Refused | None:
        """Return `judge` about something that was asked for: a refusal is counted, a use is noted."""
        refused = self.judge(caller, scope, account)
        if refused is None:
            self._grants[caller.kid].see(caller, self.now_ns())
        else:
            self.refused[refused.code] += 1
        return refused

    def judge(self, caller: Caller, scope: Scope | None, account: str) -> Refused | None:
        """Return why the caller may not do what needs `scope` (None: nobody may) at `account`, or None.

        An empty account: no one in particular. Not the rate, see `charge`.
        """
        grant = self._grants.get(caller.kid)
        if grant is None or (caller.certificate and not self.is_in_force(caller.certificate)):
            return _NOT_PROVEN
        expires_ns = grant.usable.key.expires_ns
        if expires_ns is not None and self.now_ns() >= expires_ns:
            ended = datetime.fromtimestamp(expires_ns // _S, UTC)
            text = f"the key expired at {ended:%FT%TZ}"
            return _refused(Refusal.UNAUTHENTICATED, refusing.KEY_EXPIRED, text)
        if not grant.is_used_from(caller.address):
            text = f"the key may not be used from {caller.address}"
            return _refused(Refusal.FORBIDDEN, refusing.IP_NOT_ALLOWED, text)
        if scope is None or scope not in grant.scopes:
            named = "that nobody has" if scope is None else scope
            text = f"the key needs scope {named}"
            return _refused(Refusal.FORBIDDEN, refusing.SCOPE_MISSING, text)
        if account and grant.accounts is not None and account not in grant.accounts:
            text = f"the key may not be used for {account}"
            return _refused(Refusal.FORBIDDEN, refusing.ACCOUNT_NOT_ALLOWED, text)
        return None

    def charge(self, caller: Caller) -> Refused | None:
        """Count one request of the caller; return the refusal of one too many in its second."""
        grant = self._grants.get(caller.kid)
        if grant is None:
            return self.nobody(caller.address, is_shown=True)
        now_ns = self.now_ns()
        if now_ns > grant.filled_ns:
            grant.budget += (now_ns - grant.filled_ns) * self._rate / _S
            if grant.budget > self._rate:
                grant.budget = float(self._rate)
        grant.filled_ns = now_ns
        if grant.budget < 1:
            self.refused[refusing.RATE_EXCEEDED] += 1
            text = f"a key has {self._rate} requests per second, try again in a second"
            return _refused(Refusal.RATE_EXCEEDED, refusing.RATE_EXCEEDED, text)
        grant.budget -= 1
        return None

    def count(self, caller: Caller, account: str, orders: int = 0) -> None:
        """Count a request that was let through, for metering; `account` is one that exists, or empty."""
        grant = self._grants.get(caller.kid)
        if grant is not None:  # taken back while it was answered
            grant.used.count(account, orders)

    # ── open connections ─────────────────────────────────────────────────────────────────────────

    def watch(
        self,
        caller: Caller,
        protocol: str,
        end: Callable[[], None],
        widened: Callable[[], None] | None = None,
    ) -> Callable[[], None]:
        """Have `end` called, once, when less is allowed than before, and the time connected counted.

        `widened` is called when there are accounts that were not allowed before. Returns what is to be
        called when the connection has ended. `protocol`: of `gateway/usage.py`.
        """
        token = object()
        opened_with = self._grants.get(caller.kid)
        if opened_with is None:  # taken back since it was proven
            end()
            return lambda: None
        self._watchers[token] = _Watcher(caller, opened_with, end, widened)
        disconnected = self.usage.connected(opened_with.used, protocol)

        def stop() -> None:
            self._watchers.pop(token, None)
            disconnected()

        return stop

    def open_connections(self, kid: str) -> int:
        """Return how many connections are kept open here for a key."""
        return sum(watcher.caller.kid == kid for watcher in self._watchers.values())

    def end_the_uncovered(self) -> None:
        """End connections whose key or certificate is gone, has ended, or whose key was narrowed.

        Those whose key was widened are told, and what they got may be taken away again. To be called
        every now and then.
        """
        for token, watcher in list(self._watchers.items()):
            caller, then = watcher.caller, watcher.grant
            now = self._grants.get(caller.kid)
            refused = self.judge(caller, Scope.READ, "")
            if now is None or refused is not None or _is_narrower(now, then):
                del self._watchers[token]
                watcher.end()
            elif now is not then:
                watcher.grant = now
                if watcher.widened is not None and not _has_all_accounts(then, now):
                    watcher.widened()


def _refused(refusal: Refusal, code: str, text: str) -> Refused:
    return Refused(refusal, f"{code}: {text}", code=code)


def _is_narrower(now: _Grant, then: _Grant) -> bool:
    """Whether something that was allowed is not allowed any more; of addresses, whether they differ."""
    return not then.scopes <= now.scopes or not _has_all_accounts(now, then)


def _has_all_accounts(one: _Grant, of: _Grant) -> bool:
    """Whether `one` may be used for all accounts of the other."""
    if one.accounts is None:
        return True
    return of.accounts is not None and of.accounts <= one.accounts
