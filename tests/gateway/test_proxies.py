"""From where a request comes: the socket, or what a trusted proxy says; never what a client writes."""

import pytest

from fairlead.control.addresses import networks_of, read_address
from fairlead.gateway.proxies import Proxies

NEAR, FAR = "10.0.0.1", "10.9.9.9"  # trusted
CLIENT = "203.0.113.5"
TRUSTED = networks_of(("10.0.0.0/8", "2001:db8:5::/48"))


def origin(peer: str, *forwarded: str, trusted: bool = True) -> str | None:
    proxies = Proxies(TRUSTED if trusted else ())
    found = proxies.origin(read_address(peer), [each.encode("latin-1") for each in forwarded])
    return None if found is None else str(found)


@pytest.mark.parametrize("said", [CLIENT, NEAR, "127.0.0.1", "garbage", "", "::ffff:127.0.0.1"])
def test_what_an_untrusted_peer_says_counts_nothing(said: str) -> None:
    assert origin(CLIENT, said) == CLIENT
    assert origin(NEAR, said, trusted=False) == NEAR


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ((CLIENT,), CLIENT),
        ((f"127.0.0.1, {CLIENT}",), CLIENT),  # what the client wrote stands to the left
        ((f"127.0.0.1,{CLIENT}, {FAR}",), CLIENT),
        (("127.0.0.1", CLIENT, FAR), CLIENT),  # several headers are one list
        ((f"garbage, {CLIENT}",), CLIENT),
        ((f"{CLIENT}, 198.51.100.1",), "198.51.100.1"),
        ((f"\t{CLIENT} ",), CLIENT),
        ((FAR,), FAR),  # only proxies: the farthest
        ((f"{FAR}, {NEAR}",), FAR),
        ((f"::ffff:{CLIENT}",), CLIENT),
        ((f"{CLIENT}, ::ffff:{FAR}",), CLIENT),
        (("2001:db8::7, 2001:DB8:5::1",), "2001:db8::7"),
        ((), NEAR),  # a trusted proxy that came by itself
    ],
)
def test_the_rightmost_hop_that_is_not_trusted_counts(
    forwarded: tuple[str, ...], expected: str
) -> None:
    assert origin(NEAR, *forwarded) == expected
    assert origin(f"::ffff:{NEAR}", *forwarded) == expected


@pytest.mark.parametrize(
    "said",
    [
        *(
            "",
            ",",
            "unknown",
            "_hidden",
            "010.0.0.1",
            "10.1",
            "0x0a000001",
            "167772161",
            "10.0.0.1.5",
        ),
        *("fe80::1%eth0", "fe80::1%25eth0", "[2001:db8::1]", "[2001:db8::1]:80", f"{CLIENT}:80"),
        *(
            "10.0.0.0/8",
            "203.0.113.5 10.0.0.1",
            '"203.0.113.5"',
            "１０.0.0.1",
            "10.0.0.256",
            ":::",
            "::g",
        ),
        "1" * 100_000,
    ],
    ids=lambda said: ascii(said[:20]),
)
def test_what_cannot_be_read_proves_no_address(said: str) -> None:
    said = said.encode().decode("latin-1")
    assert origin(NEAR, said) is None
    assert origin(NEAR, f"{CLIENT}, {said}") is None
    assert origin(NEAR, f"{CLIENT}, {said}, {FAR}") is None


def test_a_list_of_hops_ends() -> None:
    assert origin(NEAR, *[FAR] * 15, CLIENT) == CLIENT
    assert origin(NEAR, CLIENT, *[FAR] * 15) == CLIENT
    assert origin(NEAR, CLIENT, *[FAR] * 16) is None
    assert origin(NEAR, ",".join([FAR] * 100_000)) is None


# ── over https ───────────────────────────────────────────────────────────────────────────────────


def is_secure(peer: str, *headers: tuple[str, str], scheme: str = "http") -> bool:
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    return Proxies(TRUSTED).is_secure(read_address(peer), scheme, pairs)


PROTO, STANDARD, FOR = "x-forwarded-proto", "forwarded", "x-forwarded-for"


@pytest.mark.parametrize(
    "headers",
    [
        ((PROTO, "https"),),
        ((PROTO, " HTTPS\t"), (FOR, CLIENT)),
        ((PROTO, "https, https"),),
        ((PROTO, "https"), (PROTO, "https"), (STANDARD, "proto=http")),
        ((STANDARD, "proto=https"),),
        ((STANDARD, f'for={CLIENT};Proto="https"; by=_x'),),
        ((STANDARD, 'for="[2001:db8::7]:80";proto=https, for=_b;proto=https'),),
        ((STANDARD, 'for="a,b;proto=http";proto=https'), (STANDARD, "proto=HTTPS")),
    ],
)
def test_https_to_a_trusted_proxy_is_https(headers: tuple[tuple[str, str], ...]) -> None:
    assert is_secure(NEAR, *headers)
    assert is_secure(f"::ffff:{NEAR}", *headers)
    assert not is_secure(CLIENT, *headers)  # who is not trusted says nothing


@pytest.mark.parametrize(
    "headers",
    [
        ((PROTO, "http"),),
        ((PROTO, ""),),
        ((PROTO, "https, http"),),
        ((PROTO, "https"), (PROTO, "http")),
        ((PROTO, "wss"),),
        ((PROTO, "on"),),
        ((PROTO, "http"), (STANDARD, "proto=https")),
        ((STANDARD, "proto=http"),),
        ((STANDARD, f"for={CLIENT}"),),
        ((STANDARD, f"proto=https, for={CLIENT}"),),
        ((STANDARD, "proto=https;proto=https"),),
        ((STANDARD, "proto=https;"),),
        ((STANDARD, "proto=https,"),),
        ((STANDARD, 'proto="https'),),
        ((STANDARD, 'for="proto=https'),),
        ((STANDARD, ""),),
        ((STANDARD, '"' * 50_000),),
    ],
    ids=lambda headers: ascii(headers)[:60],
)
def test_a_trusted_proxy_that_says_anything_else_is_believed(
    headers: tuple[tuple[str, str], ...],
) -> None:
    assert not is_secure(NEAR, *headers, scheme="https")
    assert is_secure(CLIENT, *headers, scheme="https")  # the connection's own


def test_who_says_nothing_comes_as_the_connection_does() -> None:
    for peer in (NEAR, CLIENT):
        assert is_secure(peer, (FOR, CLIENT), scheme="https")
        assert not is_secure(peer, (FOR, CLIENT))
    assert not is_secure(NEAR, ("x-forwarded-ssl", "on"), ("x-url-scheme", "https"))


def test_what_a_client_wrote_is_not_taken_from_a_proxy_that_passes_it_on() -> None:
    """As nginx does with Forwarded: who writes X-Forwarded-For does not write the other."""
    assert not is_secure(NEAR, (FOR, CLIENT), (STANDARD, "proto=https"))
