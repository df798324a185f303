"""From which address, and by http or https, a request comes when proxies stand before us.

The socket's peer, unless that is a proxy that is trusted: then the rightmost hop of X-Forwarded-For that is
not, and over https if X-Forwarded-Proto, or where no such headers are Forwarded (RFC 7239), says nothing
else. Nothing else that a client or proxy writes counts (X-Real-IP, X-Forwarded-Host, `for` of Forwarded).
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from fairlead.control.addresses import Address, Network, is_in, read_address

HEADER = b"x-forwarded-for"
_SCHEME_HEADER = b"x-forwarded-proto"
_STANDARD = b"forwarded"
_HOPS_MAX = 16  # trusted proxies in a row
_WRITTEN = re.compile(rb"[0-9A-Fa-f:.]{2,45}").fullmatch
_PAIR = re.compile(
    rb"""[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)="""
    rb"""("(?:[^"\\]|\\.)*"|[!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*([;,]|\Z)"""
).match
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

    def is_secure(self, peer: Address, scheme: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Whether a request comes over https: it itself, or as a trusted proxy says of what it was sent.

        Where several are said, all of them must be: how many of them trusted proxies have written, nobody
        knows. `scheme`: of the connection, which counts where no trusted proxy says anything.
        """
        said: list[bytes] = []
        if self._trusted and is_in(peer, self._trusted):
            said = _schemes(headers)
        return all(each == b"https" for each in said) if said else scheme in ("https", "wss")


def _schemes(headers: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    """Return what is said of http or https, hop by hop; nothing where nobody says anything."""
    values: dict[bytes, list[bytes]] = {_SCHEME_HEADER: [], HEADER: [], _STANDARD: []}
    for name, value in headers:
        if name in values:
            values[name].append(value)
    if values[_SCHEME_HEADER]:
        said = b",".join(values[_SCHEME_HEADER]).lower()
        return [each.strip(b" \t") for each in said.split(b",")]
    # Who writes X-Forwarded-For passes on Forwarded as a client has written it.
    if values[HEADER] or not values[_STANDARD]:
        return []
    return _standard_schemes(b",".join(values[_STANDARD]))


def _standard_schemes(text: bytes) -> list[bytes]:
    """Return `proto` of every element of Forwarded, empty where it says none or cannot be read."""
    found: list[bytes] = []
    said: list[bytes] = []  # by the element so far
    at = 0
    while True:
        pair = _PAIR(text, at)
        if pair is None:
            return [b""]
        if pair[1].lower() == b"proto":
            said.append(pair[2].strip(b'"').lower())
        if pair[3] != b";":
            found.append(said[0] if len(said) == 1 else b"")
            said.clear()
        if not pair[3]:
            return found
        at = pair.end()


def _read_hop(hop: bytes) -> Address | None:
    """Return an address as proxies write it: no port, brackets, zone or leading zeros."""
    text = hop.strip(b" \t")
    if not _WRITTEN(text):
        return None
    try:
        return read_address(text.decode())
    except ValueError:
        return None
