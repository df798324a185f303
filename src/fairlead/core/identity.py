"""Ids: what the exchange is given for a client's id, and the key under which a client id is kept.

Both come from one hash over (installation, account, client id), so that either finds the order and
two installations on one exchange account do not collide.
"""

import base64
import hashlib

ALPHABET_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
VENUE_ID_LENGTH = 26  # characters of 5 bits: 130 bits, of which at least 96 are asked for


def client_key(installation_id: bytes, account: str, client_order_id: str) -> int:
    """Return the journal's key of a client id: 63 bits of the hash. Different ids may share it."""
    return int.from_bytes(_digest(installation_id, account, client_order_id)[:8], "big") >> 1


def venue_client_id(installation_id: bytes, account: str, client_order_id: str) -> str:
    """Return the id the exchange is given: 26 lower-case base32 characters, 130 bits of the hash."""
    digest = _digest(installation_id, account, client_order_id)
    return base64.b32encode(digest[:17])[:VENUE_ID_LENGTH].decode().lower()


def key_of_venue_client_id(venue_id: str) -> int | None:
    """Return the `client_key` that a `venue_client_id` was made with, None if it is not one of ours."""
    if len(venue_id) != VENUE_ID_LENGTH:
        return None
    bits = 0
    for character in venue_id:
        digit = ALPHABET_BASE32.find(character)
        if digit < 0:
            return None
        bits = bits << 5 | digit
    return bits >> 67


def _digest(installation_id: bytes, account: str, client_order_id: str) -> bytes:
    """Hash the three with their lengths, so that no two triples read the same."""
    hash_ = hashlib.sha256(installation_id)
    for text in (account, client_order_id):
        data = text.encode()
        hash_.update(len(data).to_bytes(4, "big"))
        hash_.update(data)
    return hash_.digest()
