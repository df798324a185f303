"""Ids: what the exchange is given for a client's id, and the key under which a client id is kept.

Both come from one hash over (installation, account, client id), so that either finds the order and
two installations on one exchange account do not collide.
"""

import base64
import hashlib

ALPHABET_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
VENUE_ID_LENGTH = 26  # characters of 5 bits: 130 bits, of which at least 96 are asked for


class ClientIds:
    """The keys and exchange ids of client ids; the hashes of a batch are made once each."""

    def __init__(self, installation_id: bytes) -> None:
        self._installation_id = installation_id
        self._digests: dict[tuple[str, str], bytes] = {}

    def key(self, account: str, client_order_id: str) -> int:
        """Return the journal's key: 63 bits of the hash. Different ids may share it."""
        return int.from_bytes(self._digest(account, client_order_id)[:8], "big") >> 1

    def venue_client_id(self, account: str, client_order_id: str) -> str:
        """Return the id the exchange is given: 26 lower-case base32 characters, 130 bits."""
        digest = self._digest(account, client_order_id)
        return base64.b32encode(digest[:17])[:VENUE_ID_LENGTH].decode().lower()

    def forget(self) -> None:
        """Drop the hashes made so far: the batch is over."""
        self._digests.clear()

    def _digest(self, account: str, client_order_id: str) -> bytes:
        digest = self._digests.get((account, client_order_id))
        if digest is None:
            digest = _digest(self._installation_id, account, client_order_id)
            self._digests[account, client_order_id] = digest
        return digest


def client_key(installation_id: bytes, account: str, client_order_id: str) -> int:
    """Return `ClientIds.key` of one client id."""
    return ClientIds(installation_id).key(account, client_order_id)


def venue_client_id(installation_id: bytes, account: str, client_order_id: str) -> str:
    """Return `ClientIds.venue_client_id` of one client id."""
    return ClientIds(installation_id).venue_client_id(account, client_order_id)


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
