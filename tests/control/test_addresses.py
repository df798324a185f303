"""From where a key may be used: what is taken, what is refused, what lies in it."""

import pytest

from fairlead.control.addresses import AddressWrong, is_in, networks_of, read_address, read_networks


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("::1", "::1/128"),
    ],
)
def test_a_network_is_taken_in_its_plain_form(written: str, plain: str) -> None:
    assert read_networks([written, written]) == (plain,)


@pytest.mark.parametrize(
    "wrong",
    [
        *("0.0.0.0/0", "::/0", "::ffff:0:0/96", "::/64", "192.0.2.7/24", "2001:db8::1/32"),
        *("010.0.0.1", "192.0.2", "192.0.2.7/33", "192.0.2.7/24/24", "192.0.2.7/255.255.255.0"),
        *("fe80::1%eth0", "fe80::1%25eth0", "", " 192.0.2.7", "192.0.2.7\n", "desk.example", "1"),
        *("١٩٢.0.2.7", "192.0.2.7/-1", "0x7f.0.0.1", "*", "::ffff:192.0.2.7/100"),
    ],
)
def test_what_is_no_network_or_every_address_is_refused(wrong: str) -> None:
    with pytest.raises(AddressWrong):
        read_networks(["192.0.2.1", wrong])


def test_none_and_too_many_are_refused() -> None:
    assert len(read_networks([f"192.0.2.{n}" for n in range(32)])) == 32
    with pytest.raises(AddressWrong, match="33 addresses, give at most 32"):
        read_networks([f"192.0.2.{n}" for n in range(33)])
    with pytest.raises(AddressWrong, match="give at least one"):
        read_networks([])


@pytest.mark.parametrize(
    ("caller", "is_inside"),
    [
        ("192.0.2.7", True),
        ("192.0.3.7", False),
        ("::ffff:192.0.2.7", True),
        ("::ffff:192.0.3.7", False),
        ("2001:db8::5", True),
        ("2001:db9::5", False),
        ("2001:db8::5%eth0", True),
        ("::1", False),
    ],
)
def test_an_address_lies_in_a_network_however_the_socket_writes_it(
    caller: str, is_inside: bool
) -> None:
    networks = networks_of(read_networks(["192.0.2.0/24", "2001:db8::/32"]))
    assert is_in(read_address(caller), networks) is is_inside
