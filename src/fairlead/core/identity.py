"""Ids: what the exchange is given for a client's id, and the key under which a client id is kept.

Both come from one hash over (installation, account, client id), so that either finds the order and
two installations on one exchange account do not collide.
"""

import hashlib

VENUE_ID_LENGTH = 32  # hexadecimal digits: 128 bits, of which at least 96 are asked for
_KEY_DIGITS = 16  # of them make the key
_DIGITS = frozenset("0123456789abcdef")


class ClientIds:
    """The keys and exchange ids of client ids; the hashes of a batch are made once each."""

    def __init__(self, installation_id: bytes) -> None:
        self._installation_id = installation_id
        self._begun: dict[str, hashlib._Hash] = {}
        self._made: dict[tuple[str, str], str] = {}

    def venue_client_id(self, account: str, client_order_id: str) -> str:
        """Return the id the exchange is given: 32 lower-case hexadecimal digits of the hash."""
        made = self._made.get((account, client_order_id))
        if made is None:
            # The account's length goes in before it, so that no two pairs read the same.
            begun = self._begun.get(account)
            if begun is None:
                name = account.encode()
                begun = hashlib.sha256(self._installation_id)
                begun.update(len(name).to_bytes(4, "big") + name)
                self._begun[account] = begun
            hash_ = begun.copy()
            hash_.update(client_order_id.encode())
            made = hash_.hexdigest()[:VENUE_ID_LENGTH]
            self._made[account, client_order_id] = made
        return made

    def key(self, account: str, client_order_id: str) -> int:
        """Return the journal's key: 63 bits of the hash. Different ids may share it."""
        return int(self.venue_client_id(account, client_order_id)[:_KEY_DIGITS], 16) >> 1

    def forget(self) -> None:
        """Drop the hashes made so far: the batch is over."""
        self._made.clear()


def client_key(installation_id: bytes, account: str, client_order_id: str) -> int:
    """Return `ClientIds.key` of one client id."""
    return ClientIds(installation_id).key(account, client_order_id)


def venue_client_id(installation_id: bytes, account: str, client_order_id: str) -> str:
    """Return `ClientIds.venue_client_id` of one client id."""
    return ClientIds(installation_id).venue_client_id(account, client_order_id)


def key_of_venue_client_id(venue_id: str) -> int | None:
    """Return the `client_key` that a `venue_client_id` was made with, None if it is not one of ours."""
    if len(venue_id) != VENUE_ID_LENGTH or not _DIGITS.issuperset(venue_id):
        return None
    return int(venue_id[:_KEY_DIGITS], 16) >> 1
