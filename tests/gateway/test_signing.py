"""Signed requests: the text to the letter, each part of it checked, each request taken once."""

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import capture_logs

from fairlead.client.signing import SigningKey, signed_headers
from fairlead.control.addresses import read_address
from fairlead.control.errors import ControlError
from fairlead.control.key_text import hash_of, new_secret
from fairlead.control.keys import ApiKey, Kind, Rights, State, Usable
from fairlead.gateway import signing
from fairlead.gateway.callers import Access, Caller
from fairlead.gateway.marks import MARK_FILE, Mark
from fairlead.gateway.signing import AHEAD_MS, HELD_MS, WINDOW_MS, Nonces, SignedRequest

HOME = read_address("192.0.2.7")
SECRET = new_secret()
PRIVATE = Ed25519PrivateKey.generate()
START_MS = 1_700_000_000_000
KIDS = {kind: f"flk_{kind.value.title():0<22}" for kind in Kind}
SIGNING = (Kind.HMAC, Kind.ED25519)


def usable(kind: Kind) -> Usable:
    key = ApiKey(
        kid=KIDS[kind],
        subscription="local",
        label="Bot1",
        stored_state=State.ACTIVE,
        rights=Rights(),
        created_ns=0,
        expires_ns=None,
        version=1,
        kind=kind,
    )
    proofs = {
        Kind.BEARER: hash_of(SECRET),
        Kind.HMAC: SECRET.encode(),
        Kind.ED25519: PRIVATE.public_key().public_bytes_raw(),
    }
    return Usable(key, proofs[kind])


def signature(kind: Kind, text: bytes) -> bytes:
    """Sign by hand."""
    if kind is Kind.ED25519:
        return PRIVATE.sign(text).hex().encode()
    return hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest().encode()


class World:
    """An access with a key of each kind; its wall clock goes where it is told."""

    def __init__(self) -> None:
        self.now_ms = START_MS
        self.access = Access(lambda: self.now_ms * 1_000_000)
        self.access.replace([usable(kind) for kind in Kind])
        self.now_ms += 10_000
        self._made = 0

    def request(self, kind: Kind = Kind.HMAC, age_ms: int = 0, **changes: bytes) -> SignedRequest:
        """Make a request and sign it as it is with the changes."""
        self._made += 1
        request = SignedRequest(
            method=b"POST",
            host=b"desk.example:3080",
            target=b"/v1/orders?a=%2F&b",
            body=b'{"x":1}',
            kid=KIDS[kind].encode(),
            timestamp=b"%013d" % (self.now_ms - age_ms),
            nonce=b"nonce-%016d" % self._made,
            signature=b"",
        )
        request = msgspec.structs.replace(request, **changes)
        return msgspec.structs.replace(request, signature=signature(kind, request.text()))

    def takes(self, request: SignedRequest) -> bool:
        caller = self.access.identify_signed(request, HOME)
        assert caller in (None, Caller("local", request.kid.decode("latin-1"), HOME))
        return caller is not None


# ── the text ─────────────────────────────────────────────────────────────────────────────────────


def test_the_text_is_that_of_the_specification_to_the_letter() -> None:
    request = SignedRequest(
        method=b"POST",
        host=b"127.0.0.1:3080",
        target=b"/v1/orders?exchange_id=SIM%2FBOB",
        body=b"{}",
        kid=b"flk_0123456789ABCDEFGHIJKL",
        timestamp=b"1700000000000",
        nonce=b"0123456789abcdef",
        signature=b"",
    )
    assert request.text() == (
        b"FL1\nPOST\n127.0.0.1:3080\n/v1/orders?exchange_id=SIM%2FBOB\n"
        b"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n"  # sha256sum of {}
        b"1700000000000\n0123456789abcdef\nflk_0123456789ABCDEFGHIJKL"
    )


@pytest.mark.parametrize("kind", SIGNING)
def test_what_is_signed_by_hand_is_taken(kind: Kind) -> None:
    world = World()
    assert world.takes(world.request(kind))
    assert world.takes(world.request(kind, method=b"GET", target=b"/", body=b""))


@pytest.mark.parametrize("kind", SIGNING)
def test_what_the_client_library_signs_is_taken(kind: Kind) -> None:
    world = World()
    secret = SECRET
    if kind is Kind.ED25519:
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
        )

        pem = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        secret = pem.decode()
    key = SigningKey(KIDS[kind], secret)
    assert secret not in repr(key)
    sent = {"timestamp_ms": world.now_ms, "nonce": "n" * 22}
    headers = signed_headers(key, "PUT", "desk:1", "/a?b=c", b"body", **sent)  # type: ignore[arg-type]
    assert world.takes(
        SignedRequest(
            method=b"PUT",
            host=headers["Host"].encode(),
            target=b"/a?b=c",
            body=b"body",
            kid=headers["X-Fairlead-Key"].encode(),
            timestamp=headers["X-Fairlead-Timestamp"].encode(),
            nonce=headers["X-Fairlead-Nonce"].encode(),
            signature=headers["X-Fairlead-Signature"].encode(),
        )
    )


FLIPS: dict[str, tuple[bytes, ...]] = {
    "method": (b"GET", b"post", b"", b"POST "),
    "host": (b"desk.example", b"DESK.example:3080", b"evil:3080", b""),
    "target": (
        *(b"/v1/orders", b"/v1/orders?a=/&b", b"/v1/orders?b&a=%2F", b"/v1/orders?a=%2F&b=", b""),
        *(b"/v1/orders?a=%2f&b", b"/v1//orders?a=%2F&b", b"/v1/orders?a=%2F&b#", b"/v1/orders/?b"),
        *(b"/v1/%6frders?a=%2F&b", b"/v1/x/../orders?a=%2F&b", b"http://desk.example/v1/orders"),
        b"/v1/orders/cancel/all",
    ),
    "body": (b"", b'{"x":2}', b'{"x": 1}', b'{"x":1}\n'),
    "kid": (b"flk_" + b"0" * 22, b"", KIDS[Kind.BEARER].encode(), b"\xff" * 26, b"local"),
    "timestamp": (b"1700000010001", b"1700000009999", b"01700000010000"),
    "nonce": (b"another-nonce-of-good-length", b"nonce-%016d " % 1, b"NONCE-%016d" % 1),
}


@pytest.mark.parametrize(
    ("part", "number"),
    [(part, number) for part, values in FLIPS.items() for number in range(len(values))],
)
@pytest.mark.parametrize("kind", SIGNING)
def test_any_part_flipped_proves_nobody(kind: Kind, part: str, number: int) -> None:
    world = World()
    request = world.request(kind)
    flipped = msgspec.structs.replace(request, **{part: FLIPS[part][number]})
    assert flipped != request
    assert not world.takes(flipped)
    assert world.takes(request)  # a failed attempt uses nothing up


@pytest.mark.parametrize("kind", SIGNING)
def test_no_bit_of_a_signature_can_be_flipped(kind: Kind) -> None:
    world = World()
    request = world.request(kind)
    good = bytes.fromhex(request.signature.decode())
    for place in range(len(good)):
        flipped = bytearray(good)
        flipped[place] ^= 1
        assert not world.takes(msgspec.structs.replace(request, signature=flipped.hex().encode()))
    assert world.takes(request)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda good: b"",
        lambda good: good.upper(),
        lambda good: good[:-2],
        lambda good: good + b"00",
        lambda good: b"0x" + good[2:],
        lambda good: b" " + good[1:],
        lambda good: b"0" * len(good),
        lambda good: good * 1_000,
        lambda good: "é".encode() * 32,
    ],
    ids=["empty", "upper", "short", "longer", "0x", "space", "zeros", "huge", "letters"],
)
@pytest.mark.parametrize("kind", SIGNING)
def test_a_signature_is_written_in_one_way(kind: Kind, spoil: Callable[[bytes], bytes]) -> None:
    world = World()
    request = world.request(kind)
    spoiled = spoil(request.signature)
    assert spoiled != request.signature
    assert not world.takes(msgspec.structs.replace(request, signature=spoiled))


@pytest.mark.parametrize(
    "changes",
    [
        {"target": b"/v1/orders\nx"},
        {"host": b"desk\n/v1/orders"},
        {"method": b"POST\ndesk"},
        {"nonce": b"0123456789abcdef\nx"},
        {"kid": KIDS[Kind.HMAC].encode() + b"\n"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_no_part_can_pass_for_two(changes: dict[str, bytes]) -> None:
    world = World()
    assert not world.takes(world.request(**changes))


# ── kinds ────────────────────────────────────────────────────────────────────────────────────────


def test_the_secret_of_a_key_that_signs_proves_nobody_when_it_is_sent() -> None:
    world = World()
    world.access.replace([usable(kind) for kind in SIGNING])
    assert world.access.identify(SECRET, HOME) is None


def test_a_key_that_does_not_sign_proves_nobody_by_a_signature() -> None:
    world = World()
    for kid in (KIDS[Kind.BEARER], KIDS[Kind.ED25519]):
        assert not world.takes(world.request(Kind.HMAC, kid=kid.encode()))
    assert not world.takes(world.request(Kind.ED25519, kid=KIDS[Kind.HMAC].encode()))


def test_a_hash_or_a_public_key_taken_for_a_secret_proves_nobody() -> None:
    world = World()
    request = world.request()
    for kind in (Kind.BEARER, Kind.ED25519):
        proof = usable(kind).proof
        confused = msgspec.structs.replace(request, kid=KIDS[kind].encode())
        forged = hmac.new(proof, confused.text(), hashlib.sha256).hexdigest().encode()
        assert not world.takes(msgspec.structs.replace(confused, signature=forged))


def test_signatures_and_hashes_are_compared_in_time_that_does_not_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[tuple[bytes, bytes]] = []
    compare = hmac.compare_digest

    def noted(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", noted)
    world = World()
    assert world.takes(world.request())
    assert not world.takes(world.request(kid=b"flk_" + b"0" * 22))  # one that is not there, too
    assert world.access.identify(SECRET, HOME) is not None
    assert len(compared) == 3


# ── time ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("age_ms", "is_taken"),
    [
        *((0, True), (WINDOW_MS, True), (-AHEAD_MS, True)),
        *((WINDOW_MS + 1, False), (-AHEAD_MS - 1, False), (3_600_000, False), (-3_600_000, False)),
    ],
)
def test_a_request_is_taken_within_its_window(age_ms: int, is_taken: bool) -> None:
    world = World()
    assert world.takes(world.request(age_ms=age_ms)) is is_taken


@pytest.mark.parametrize(
    "timestamp",
    [
        *(
            b"",
            b"-1700000010000",
            b"+700000010000",
            b"1700000010",
            b"1700000010000.0",
            b" 170000001000",
        ),
        *(b"17000000100000", b"0x18BCFE56800", b"1.7000000e12", b"now", b"2023-11-14T22", b"NaN"),
        *("１７０００００１００００".encode(), b"1_700_000_010", b"9" * 1_000_000),
    ],
    ids=lambda timestamp: ascii(timestamp[:16]),
)
def test_a_timestamp_is_13_digits_and_nothing_else(timestamp: bytes) -> None:
    world = World()
    assert not world.takes(world.request(timestamp=timestamp))


@pytest.mark.parametrize(
    "nonce",
    [b"", b"short", b"x" * 15, b"x" * 65, b"x" * 15 + b" ", "é".encode() * 16, b"x" * 15 + b"\0"],
    ids=lambda nonce: ascii(nonce[:16]),
)
def test_a_nonce_has_16_to_64_letters_and_digits(nonce: bytes) -> None:
    world = World()
    assert not world.takes(world.request(nonce=nonce))


# ── once ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("age_ms", [0, WINDOW_MS, -AHEAD_MS])
def test_a_request_is_taken_once_however_long_one_waits(age_ms: int) -> None:
    world = World()
    request = world.request(age_ms=age_ms)
    assert world.takes(request)
    for _ in range(120):
        assert not world.takes(request)
        world.takes(world.request())  # so that there is something to forget
        world.now_ms += 100


def test_a_nonce_is_good_once_whatever_else_is_signed_with_it() -> None:
    world = World()
    nonce = b"the-same-nonce-again"
    assert world.takes(world.request(nonce=nonce))
    assert not world.takes(world.request(nonce=nonce, age_ms=1, body=b"other"))
    assert world.takes(world.request(Kind.ED25519, nonce=nonce))  # another key's


def test_a_clock_that_goes_back_brings_no_old_request_back() -> None:
    world = World()
    request = world.request()
    assert world.takes(request)
    world.now_ms += 20_000
    assert world.takes(world.request())
    world.now_ms -= 20_000
    assert not world.takes(request)
    world.now_ms += WINDOW_MS
    assert not world.takes(request)


def test_a_new_process_takes_nothing_that_the_one_before_can_have_taken() -> None:
    world = World()
    requests = [world.request(age_ms=age_ms) for age_ms in (WINDOW_MS, 1, 0, -1, -AHEAD_MS)]
    assert all(world.takes(each) for each in requests)
    again = Access(lambda: world.now_ms * 1_000_000)
    for _ in range(80):
        assert not any(again.identify_signed(each, HOME) for each in requests)  # no keys are known
        again.replace([usable(kind) for kind in Kind])
        world.now_ms += 100
    world.access = again
    assert world.takes(world.request())


class Life:
    """A process after another on one folder, by a clock that is put anywhere."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self._folder = folder
        self.begin()

    def begin(self) -> None:
        world = self._world
        self.access = world.access = Access(
            lambda: world.now_ms * 1_000_000, mark=Mark(self._folder)
        )
        self.access.replace([usable(kind) for kind in Kind])


def test_a_clock_put_back_while_nobody_serves_brings_no_request_back(tmp_path: Path) -> None:
    world = World()
    life = Life(world, tmp_path)
    world.now_ms += 10_000
    requests = [world.request(age_ms=age_ms) for age_ms in (WINDOW_MS, 0, -AHEAD_MS)]
    assert all(world.takes(each) for each in requests)
    came_ms = world.now_ms
    world.now_ms -= 3_600_000  # killed, and the clock is put back an hour
    with capture_logs() as logs:
        life.begin()
    assert [each["event"] for each in logs] == ["signed requests are refused"]
    assert not world.takes(world.request())  # until then nothing is, rather than something twice
    for now_ms in (came_ms - WINDOW_MS, came_ms, came_ms + AHEAD_MS, came_ms + WINDOW_MS):
        world.now_ms = now_ms
        assert not any(world.takes(each) for each in requests)
        life.begin()
    world.now_ms = came_ms + HELD_MS + 2 * AHEAD_MS
    life.begin()
    world.now_ms += AHEAD_MS + 1
    assert world.takes(world.request())


def test_after_an_orderly_end_signed_requests_are_taken_as_soon_as_ever(tmp_path: Path) -> None:
    world = World()
    life = Life(world, tmp_path)
    world.now_ms += 10_000
    assert world.takes(world.request())
    assert Mark(tmp_path).read() == world.now_ms + AHEAD_MS + HELD_MS
    life.access.settle()
    assert Mark(tmp_path).read() == world.now_ms
    assert not world.takes(world.request())
    life.begin()
    world.now_ms += AHEAD_MS + 1
    assert world.takes(world.request())


def test_the_mark_is_written_once_in_its_time_and_never_goes_back(tmp_path: Path) -> None:
    world = World()
    Life(world, tmp_path)
    world.now_ms += 10_000
    written = set()
    for _ in range(100):
        assert world.takes(world.request())
        written.add(Mark(tmp_path).read())
        world.now_ms += HELD_MS // 20
    assert 3 <= len(written) <= 6
    last = Mark(tmp_path).read()
    world.now_ms -= 2_000
    assert world.takes(world.request())
    assert Mark(tmp_path).read() == last


def test_where_the_mark_cannot_be_set_nothing_signed_is_taken(tmp_path: Path) -> None:
    world = World()
    Life(world, tmp_path / "gone")
    world.now_ms += 10_000
    assert not world.takes(world.request())
    (tmp_path / "gone").mkdir()
    assert world.takes(world.request())


@pytest.mark.parametrize("content", [b"", b"soon\n", b"-1\n", b"\xff", b"9" * 17])
def test_a_mark_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MARK_FILE).write_bytes(content)
    with pytest.raises(ControlError, match="is no time in milliseconds"):
        Life(World(), tmp_path)


def test_where_no_nonce_can_be_remembered_nothing_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "NONCES_MAX", 10)
    monkeypatch.setattr(signing, "NONCES_OF_KEY_MAX", 8)
    world = World()
    assert [world.takes(world.request()) for _ in range(9)] == [True] * 8 + [False]
    assert [world.takes(world.request(Kind.ED25519)) for _ in range(3)] == [True, True, False]
    world.now_ms += WINDOW_MS + 1
    assert world.takes(world.request())
    assert world.takes(world.request(Kind.ED25519))


def test_what_is_remembered_is_forgotten_in_the_end() -> None:
    nonces = Nonces(0)
    for second in range(10_000, 200_000, 1_000):
        for number in range(10):
            assert nonces.take("flk_A", b"%d" % (second + number), second, second)
    assert len(nonces._used) == len(nonces._coming) == nonces._counts["flk_A"] <= 60
    assert nonces.take("flk_B", b"x", 300_000, 300_000)
    assert nonces._counts == {"flk_B": 1}
