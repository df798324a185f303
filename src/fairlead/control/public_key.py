"""An Ed25519 public key as a client hands it in: PEM as `openssl pkey -pubout` writes it → 32 bytes.

A private key that is handed in by mistake is refused and never repeated.
"""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from fairlead.control.keys import Denied

PEM_BYTES_MAX = 4_096
_RIGHT = "give the PEM that `openssl pkey -in KEY.pem -pubout` prints of an Ed25519 key"

# The points of small order (RFC 7748, section 6; without the sign bit), also as they are written beyond the
# field: anybody can make signatures that such a key is said to have made.
_WEAK = {
    bytes(32),
    bytes([1]) + bytes(31),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    *(bytes([low]) + bytes([255]) * 30 + bytes([127]) for low in (0xEC, 0xED, 0xEE)),
}


def read_public_key(pem: bytes) -> bytes | Denied:
    """Return the 32 bytes of the key."""
    if b"PRIVATE KEY" in pem:
        return _wrong(f"this is a private key, which nobody else should have; {_RIGHT}")
    if len(pem) > PEM_BYTES_MAX:
        return _wrong(f"{len(pem)} bytes; {_RIGHT}")
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        return _wrong(f"this is not a public key; {_RIGHT}")
    if not isinstance(key, Ed25519PublicKey):
        return _wrong(f"this is a public key of another kind; {_RIGHT}")
    octets = key.public_bytes_raw()
    if octets[:31] + bytes([octets[31] & 0x7F]) in _WEAK:
        return _wrong("this key proves nothing: anybody could sign for it; make another one")
    return octets


def _wrong(text: str) -> Denied:
    return Denied("public_key_invalid", text)
