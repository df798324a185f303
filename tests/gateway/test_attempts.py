"""Attempts that prove nobody: counted by address, bounded, and nobody who has a key is held up."""

import pytest

from fairlead.control.addresses import read_address
from fairlead.gateway import attempts
from fairlead.gateway.attempts import Attempts

MIN = 60 * 1_000_000_000


class World:
    def __init__(self, per_min: int = 60) -> None:
        self.now_ns = 0
        self.attempts = Attempts(lambda: self.now_ns, per_min)

    def tries(self, address: str, count: int) -> int:
        """Return how many of so many attempts were not too many."""
        over = [self.attempts.is_one_too_many(read_address(address)) for _ in range(count)]
        return over.count(False)


def test_an_address_has_its_attempts_of_a_minute() -> None:
    world = World()
    assert world.tries("192.0.2.7", 100) == 60
    assert world.tries("192.0.2.8", 100) == 60
    world.now_ns += MIN // 2
    assert world.tries("192.0.2.7", 100) == 30
    world.now_ns += 100 * MIN
    assert world.tries("192.0.2.7", 100) == 60


def test_a_clock_that_goes_back_gives_nothing() -> None:
    world = World()
    world.now_ns = MIN
    assert world.tries("192.0.2.7", 100) == 60
    world.now_ns = 0
    assert world.tries("192.0.2.7", 1) == 0


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.7", "::ffff:192.0.2.7", True),
        ("0.0.0.1", "::1", False),
    ],
)
def test_of_ipv6_a_whole_network_of_64_bits_is_one(one: str, other: str, is_same: bool) -> None:
    world = World()
    assert world.tries(one, 100) == 60
    assert world.tries(other, 100) == (0 if is_same else 60)


def test_of_too_many_addresses_the_one_that_tried_longest_ago_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempts, "_ADDRESSES_MAX", 2)
    world = World()
    assert world.tries("192.0.2.1", 100) == 60
    assert world.tries("192.0.2.2", 100) == 60
    assert world.tries("192.0.2.1", 1) == 0
    assert world.tries("192.0.2.3", 100) == 60
    assert world.tries("192.0.2.1", 1) == 0
    assert world.tries("192.0.2.2", 100) == 60
