"""Public keys as clients hand them in: what is taken, and what is refused without being repeated."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from fairlead.control.keys import Denied
from fairlead.control.public_key import PEM_BYTES_MAX, read_public_key

PRIVATE = Ed25519PrivateKey.generate()


def pem_of(octets: bytes) -> bytes:
    key = Ed25519PublicKey.from_public_bytes(octets)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_a_public_key_is_taken() -> None:
    octets = PRIVATE.public_key().public_bytes_raw()
    assert read_public_key(pem_of(octets)) == octets
    assert read_public_key(b"\n" + pem_of(octets) + b"\n") == octets


def wrong(pem: bytes) -> str:
    result = read_public_key(pem)
    assert isinstance(result, Denied)
    assert result.code == "public_key_invalid"
    return result.message


def test_a_private_key_is_refused_and_not_repeated() -> None:
    pem = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    message = wrong(pem)
    assert message.startswith("this is a private key")
    assert pem.splitlines()[1].decode() not in message


def test_a_key_of_another_kind_is_refused() -> None:
    other = generate_private_key(SECP256R1()).public_key()
    pem = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert "another kind" in wrong(pem)


@pytest.mark.parametrize(
    "pem",
    [b"", b"x", b"\0" * 32, b"-----BEGIN PUBLIC KEY-----\n", b"A" * (PEM_BYTES_MAX + 1)],
    ids=["empty", "x", "zeros", "begun", "long"],
)
def test_what_is_no_key_is_refused(pem: bytes) -> None:
    assert "openssl pkey" in wrong(pem)


# By hand: y of each point of small order, little-endian, and those that are y + p.
SMALL = [
    "00" * 32,
    "01" + "00" * 31,
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ec" + "ff" * 30 + "7f",
    "ed" + "ff" * 30 + "7f",
    "ee" + "ff" * 30 + "7f",
]


@pytest.mark.parametrize("sign", [0, 0x80])
@pytest.mark.parametrize("point", SMALL)
def test_a_key_that_anybody_can_sign_for_is_refused(point: str, sign: int) -> None:
    octets = bytearray.fromhex(point)
    octets[31] |= sign
    assert "anybody could sign" in wrong(pem_of(bytes(octets)))
