"""From which address a request comes when proxies stand before us.

The socket's peer, unless that is a proxy that is trusted: then the rightmost hop of X-Forwarded-For that is
not. Nothing else that a client or proxy writes counts (Forwarded, X-Real-IP, X-Forwarded-Proto).
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from fairlead.control.addresses import Address, Network, is_in, read_address

HEADER = b"x-forwarded-for"
_HOPS_MAX = 16  # trusted proxies in a row
_WRITTEN = re.compile(rb"[0-9A-Fa-f:.]{2,45}").fullmatch
peer_address = lru_cache(4_096)(read_address)


class Proxies:
    """The networks of proxies that are trusted to say from where a request came."""

    def __init__(self, trusted: Sequence[Network] = ()) -> None:
        self._trusted = tuple(trusted)

    @property
    def are_there(self) -> bool:
        """Whether any is trusted: then those who come are perhaps not where their connection begins."""
        return bool(self._trusted)

    def origin(self, peer: Address, forwarded: Sequence[bytes]) -> Address | None:
        """Return the address that counts; None when a trusted proxy says what cannot be read.

        `forwarded`: the header's values, in order. A trusted proxy that names nobody came by itself.
        """
        if not self._trusted or not forwarded:
            return peer
        address = peer
        hops = b",".join(forwarded).rsplit(b",", _HOPS_MAX)
        for _ in range(_HOPS_MAX):
            if not hops or not is_in(address, self._trusted):
                return address
            found = _read_hop(hops.pop())
            if found is None:
                return None
            address = found
        return None if hops and is_in(address, self._trusted) else address


def _read_hop(hop: bytes) -> Address | None:
    """Return an address as proxies write it: no port, brackets, zone or leading zeros."""
    text = hop.strip(b" \t")
    if not _WRITTEN(text):
        return None
    try:
        return read_address(text.decode())
    except ValueError:
        return None
