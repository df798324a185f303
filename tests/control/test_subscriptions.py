"""Subscriptions: which names they may have, who hears of them, and that nothing of one is another's."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import select

from fairlead.control.control import Control
from fairlead.control.errors import SubscriptionUnknown
from fairlead.control.key_changes import Wanted
from fairlead.control.keyring import Made
from fairlead.control.keys import Denied
from fairlead.control.subscriptions import SUBSCRIPTIONS_MAX, Subscription
from fairlead.control.tables import SUBSCRIPTIONS
from tests.control.conftest import OWNER, OpenControl
from tests.control.killing import killed_at


def stored(control: Control) -> set[str]:
    """Return the names of the rows as they are in the database."""
    with control.store.read() as connection:
        return set(connection.execute(select(SUBSCRIPTIONS.c.subscription)).scalars())


def told(control: Control) -> list[tuple[str, str, str]]:
    return [(row.action, row.target, row.outcome) for row in control.audit.last(1_000)]


def refused(control: Control, name: str) -> str:
    before = stored(control)
    result = control.subscriptions.create(OWNER, name, 2)
    assert isinstance(result, Denied), result
    assert stored(control) == before
    return result.code


@pytest.mark.parametrize("name", ["a", "7", "desk-2", "x" * 32, "0-"])
def test_a_good_name_is_taken(control: Control, name: str) -> None:
    assert stored(control) == {"local"}
    assert control.subscriptions.create(OWNER, name, 2) == Subscription(name, 2)
    assert [each.name for each in control.subscriptions.listed()] == ["local", name]
    assert told(control) == [("subscription.create", name, "done")]


@pytest.mark.parametrize(
    "name",
    ["", "-a", "Desk", "a_b", "a/b", "..", "a.b", "a b", "x" * 33, "a\n", "é", "\ud800", "٣"],
    ids=[
        *("empty", "dash", "capital", "underscore", "slash", "dots", "dot", "space", "long"),
        *("newline", "accent", "surrogate", "digit-elsewhere"),
    ],
)
def test_another_name_is_refused_and_audited(control: Control, name: str) -> None:
    assert refused(control, name) == "subscription_invalid"
    ((action, _, outcome),) = told(control)
    assert (action, outcome) == ("subscription.create", "refused")


def test_no_name_is_given_twice(control: Control) -> None:
    control.subscriptions.create(OWNER, "desk", 2)
    for name in ("desk", "local"):
        assert refused(control, name) == "subscription_taken"


def test_there_is_an_end_to_how_many_there_are(control: Control) -> None:
    with control.store.change() as change:
        for number in range(SUBSCRIPTIONS_MAX - 1):
            control.vault.add_subscription(change, f"s{number}", 1)
    assert refused(control, "one-more") == "subscriptions_too_many"


def test_eight_that_want_the_same_name_get_one_subscription(open_control: OpenControl) -> None:
    controls = [open_control() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda each: each.subscriptions.create(OWNER, "desk", 2), controls))
    assert sum(isinstance(each, Subscription) for each in results) == 1
    assert {each.code for each in results if isinstance(each, Denied)} == {"subscription_taken"}
    assert controls[0].audit.verify().holds


def test_a_subscription_that_is_not_there_is_not_made_by_asking_for_it(
    control: Control, tmp_path: Path, database_url: str | None
) -> None:
    for ask in (
        lambda: control.of("desk"),
        lambda: Control.open(tmp_path / "data", database_url, None, "desk", 1),
    ):
        with pytest.raises(SubscriptionUnknown, match="no subscription 'desk'; there is local"):
            ask()
    assert stored(control) == {"local"}


def test_keys_of_the_same_label_are_two_and_neither_is_found_by_the_other(
    control: Control,
) -> None:
    control.subscriptions.create(OWNER, "desk", 2)
    both = [control, control.of("desk")]
    keys = []
    for each in both:
        made = each.keyring.create(OWNER, Wanted(label="Bot1", days=90), 3)
        assert isinstance(made, Made)
        keys.append(made.key)
    for at, each in enumerate(both):
        assert each.keyring.listed() == [keys[at]]
        assert each.keyring.find("Bot1") == keys[at]
        foreign = each.keyring.find(keys[1 - at].kid)
        unknown = each.keyring.find("flk_" + "0" * 22)
        assert isinstance(foreign, Denied)
        assert isinstance(unknown, Denied)
        assert foreign.code == unknown.code == "key_unknown"
    assert {each.key.subscription for each in control.keyring.usable()} == {"local", "desk"}


def test_each_has_an_audit_of_its_own_and_verifies_it_alone(control: Control) -> None:
    control.subscriptions.create(OWNER, "desk", 2)
    desk = control.of("desk")
    desk.keyring.create(OWNER, Wanted(label="Bot1", days=90), 3)
    assert [action for action, _, _ in told(control)] == ["subscription.create"]
    assert [action for action, _, _ in told(desk)] == ["key.create"]
    assert control.audit.verify().rows == desk.audit.verify().rows == 1
    assert control.audit.verify().holds
    assert desk.audit.verify().holds


def create(data: Path, url: str | None, name: str) -> None:
    with Control.open(data, url, None, "local", 1) as control:
        control.subscriptions.create(OWNER, name, 2)


def test_killed_at_any_line_a_subscription_and_its_audit_are_both_there_or_neither(
    tmp_path: Path, control: Control, database_url: str | None
) -> None:
    for line in count(5, 61):
        was_killed = killed_at(line, create, tmp_path / "data", database_url, f"s{line}")
        made = {each for each in stored(control) if each != "local"}
        assert made == {target for _, target, _ in told(control)}
        assert control.audit.verify().holds
        for each in made:
            control.of(each).audit.verify()  # its data key opens
        if not was_killed:
            return
