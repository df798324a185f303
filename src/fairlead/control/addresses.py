"""From where a key may be used: networks as they are written, and whether an address lies in them.

An IPv4 address written within IPv6 (`::ffff:192.0.2.1`) is the IPv4 address, in rules and in callers.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence

ADDRESSES_MAX = 32
SUBSCRIBER_BITS = 64  # of IPv6: one subscriber has a network of so many host bits
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_WRITTEN = re.compile(r"[0-9A-Fa-f:.]{2,45}(/[0-9]{1,3})?", re.ASCII).fullmatch

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AddressWrong(ValueError):
    """This is no network that a key can be limited to; the text says why, and what would be right."""


def read_networks(texts: Sequence[str]) -> tuple[str, ...]:
    """Return networks in their plain form, each once, in order. Raises AddressWrong."""
    if not texts:
        raise AddressWrong("no address is given; give at least one, or allow all addresses")
    networks = tuple(dict.fromkeys(str(_read_network(text)) for text in texts))
    if len(networks) > ADDRESSES_MAX:
        raise AddressWrong(f"{len(networks)} addresses, give at most {ADDRESSES_MAX}")
    return networks


def read_address(text: str) -> Address:
    """Return a caller's address as the socket tells it; an IPv6 zone is left out. Raises ValueError."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def subscriber_of(address: Address) -> tuple[int, int]:
    """Return by what attempts are counted: the address, of IPv6 the network that one subscriber has."""
    return address.version, int(address) >> (SUBSCRIBER_BITS if address.version == 6 else 0)


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return networks that `read_networks` has written."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def is_in(address: Address, networks: Iterable[Network]) -> bool:
    """Whether the address lies in one of the networks."""
    return any(address in network for network in networks)


def _read_network(text: str) -> Network:
    shown = text[:60]
    if not _WRITTEN(text):
        raise AddressWrong(
            f"{shown!r} is not an address; expected one such as 192.0.2.7 or 2001:db8::/32"
        )
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise AddressWrong(
            f"{shown}: {error}; expected such as 192.0.2.7 or 192.0.2.0/24"
        ) from None
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        inner = network.network_address.ipv4_mapped
        assert inner is not None
        network = ipaddress.ip_network((inner, network.prefixlen - 96))
    elif isinstance(network, ipaddress.IPv6Network) and _MAPPED.subnet_of(network):
        raise AddressWrong(f"{shown} holds every IPv4 address; name the networks that are meant")
    if network.prefixlen == 0:
        raise AddressWrong(f"{shown} is every address; name the networks, or allow all addresses")
    return network
