"""Where keys were used last: kept with the usage, the last uses of each key and no more."""

import pytest

from fairlead.control.activity import add_uses, last_uses, uses_of
from fairlead.control.control import Control
from fairlead.control.usage import USES_MAX, Batch, Use
from fairlead.control.usage_book import UsageBook
from tests.control.conftest import OpenControl

S = 10**9
MINUTE = 60 * S
NOW = 1_795_800_000 * S
HOME, AWAY = "192.0.2.1", "2001:db8::1"


def use(time_ns: int, kid: str = "flk_1", address: str = HOME, protocol: str = "rest") -> Use:
    return Use(kid, time_ns, address, protocol, "")


def kept(control: Control, kid: str = "flk_1") -> list[Use]:
    with control.store.read() as connection:
        return uses_of(connection, kid)


def test_uses_are_kept_by_minute_address_protocol_and_certificate(control: Control) -> None:
    certified = Use("flk_1", NOW + 3, HOME, "rest", "ab" * 32)
    uses = (use(NOW), use(NOW + 1, address=AWAY), use(NOW + 2, protocol="fix"), certified)
    book = UsageBook(control.store)
    book.add("process", Batch(1, (), uses), NOW)
    assert kept(control) == [certified, *sorted(uses[:3], key=lambda each: -each.time_ns)]
    book.add("process", Batch(2, (), (use(NOW + 5 * S),)), NOW)  # of the same minute
    book.add("process", Batch(3, (), (use(NOW + MINUTE),)), NOW)
    assert [each.time_ns for each in kept(control)] == [
        NOW + MINUTE, NOW + 5 * S,
        NOW + 3, NOW + 2, NOW + 1,
    ]  # fmt: skip
    assert kept(control, "flk_2") == []


def test_of_each_key_the_last_uses_are_kept_and_no_others(control: Control) -> None:
    other = use(NOW, "flk_2")
    uses = [use(NOW + at * MINUTE) for at in range(USES_MAX + 7)]
    with control.store.append() as connection:
        add_uses(connection, [other, *uses[: USES_MAX - 1]])
    assert len(kept(control)) == USES_MAX - 1
    for batch in (uses[USES_MAX - 1 : USES_MAX + 1], uses[USES_MAX + 1 :]):
        with control.store.append() as connection:
            add_uses(connection, batch)
    assert kept(control) == uses[::-1][:USES_MAX]
    assert kept(control, "flk_2") == [other]


def test_the_last_use_of_each_key(control: Control) -> None:
    uses = [use(NOW), use(NOW + 1, address=AWAY), use(NOW - MINUTE, "flk_2"), use(NOW, "flk_3")]
    with control.store.append() as connection:
        add_uses(connection, uses)
    with control.store.read() as connection:
        last = last_uses(connection, ["flk_1", "flk_2", "flk_4"])
        assert last_uses(connection, []) == {}
    assert last == {"flk_1": uses[1], "flk_2": uses[2]}


@pytest.mark.parametrize("number", [1, 2])
def test_what_is_written_again_changes_nothing_and_survives_a_restart(
    open_control: OpenControl, number: int
) -> None:
    control = open_control()
    uses = (use(NOW), use(NOW, address=AWAY))
    for each in (1, number):
        UsageBook(control.store).add("process", Batch(each, (), uses), NOW)
    assert len(kept(open_control())) == len(uses)
