"""The users of a subscription: made by links, once; changed; removed."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import select

from fairlead.control.control import Control
from fairlead.control.key_changes import Wanted
from fairlead.control.keyring import Made
from fairlead.control.keys import DAY_NS, Denied
from fairlead.control.people import users
from fairlead.control.people.person import User
from fairlead.control.people.sessions import SignedIn
from fairlead.control.tables import LINKS, USERS
from tests.control.conftest import OWNER, OpenControl
from tests.control.killing import killed_at
from tests.control.people.conftest import EMAIL, HERE, NOW, PASSWORD, made, signed_in

RACERS = 8


def code(result: object) -> str:
    assert isinstance(result, Denied), result
    return result.code


def stored(control: Control) -> list[tuple[str, bool]]:
    with control.store.read() as connection:
        rows = connection.execute(select(USERS).order_by(USERS.c.email))
        return [(row.email, row.removed_ns is None) for row in rows]


def told(control: Control) -> list[tuple[str, str]]:
    return [(row.action, row.outcome) for row in control.audit.last(1_000)]


def link(control: Control, now_ns: int = NOW) -> str:
    token = control.users.first_link(OWNER, now_ns)
    assert token is not None
    return token


def test_the_first_user_comes_by_a_link_that_works_once(control: Control) -> None:
    token = link(control)
    assert stored(control) == []
    assert not control.users.are_there()
    user = control.users.accept(token, EMAIL, PASSWORD, HERE, NOW)
    assert isinstance(user, User)
    assert (user.subscription, user.email, user.has_second_factor) == ("local", EMAIL, False)
    assert control.users.are_there()
    assert control.users.listed() == [user]
    assert control.users.find(EMAIL.upper()) == control.users.find(user.user) == user
    assert (
        code(control.users.accept(token, "bob@desk.example", PASSWORD, HERE, NOW)) == "link_invalid"
    )
    assert control.users.first_link(OWNER, NOW) is None
    assert told(control) == [("user.first_link", "done"), ("user.create", "done")]


def test_a_newer_link_voids_the_older_and_each_ends_after_a_day(control: Control) -> None:
    old, new = link(control), link(control)
    assert code(control.users.accept(old, EMAIL, PASSWORD, HERE, NOW)) == "link_invalid"
    late = NOW + DAY_NS
    assert code(control.users.accept(new, EMAIL, PASSWORD, HERE, late)) == "link_invalid"
    assert isinstance(control.users.accept(new, EMAIL, PASSWORD, HERE, late - 1), User)


def test_a_link_is_nowhere_but_in_the_answer(control: Control) -> None:
    token = link(control)
    with control.store.read() as connection:
        assert token not in str(connection.execute(select(LINKS)).all())
    assert token not in str(control.audit.last(9))


@pytest.mark.parametrize(
    "token", ["", "x", "x" * 43, "x" * 1_000_000], ids=lambda each: str(len(each))
)
def test_what_is_no_link_makes_nobody(control: Control, token: str) -> None:
    link(control)
    assert code(control.users.accept(token, EMAIL, PASSWORD, HERE, NOW)) == "link_invalid"
    assert stored(control) == []


@pytest.mark.parametrize(
    "email",
    [
        *("", "ann", "ann@", "@desk.example", "ann@desk", "ann@desk.example\nBcc: eve@x.example"),
        *("ann bee@desk.example", "ånn@desk.example", "a@" + "d" * 250 + ".example"),
        *("ann@desk..example", "a@b@desk.example"),
    ],
    ids=lambda each: ascii(each[:20]),
)
def test_what_is_no_address_makes_nobody_and_leaves_the_link(control: Control, email: str) -> None:
    token = link(control)
    assert code(control.users.accept(token, email, PASSWORD, HERE, NOW)) == "email_invalid"
    assert stored(control) == []
    assert isinstance(control.users.accept(token, EMAIL, PASSWORD, HERE, NOW), User)


def test_a_weak_password_makes_nobody_and_leaves_the_link(control: Control) -> None:
    token = link(control)
    assert code(control.users.accept(token, EMAIL, "password", HERE, NOW)) == "password_weak"
    assert stored(control) == []
    assert isinstance(control.users.accept(token, EMAIL, PASSWORD, HERE, NOW), User)


def test_an_invitation_is_for_one_address_whatever_is_said(control: Control, ann: User) -> None:
    token = control.users.invite(OWNER, "bob@desk.example", NOW)
    assert isinstance(token, str)
    bob = control.users.accept(token, "eve@desk.example", PASSWORD, HERE, NOW)
    assert isinstance(bob, User)
    assert bob.email == "bob@desk.example"
    assert {each.user for each in control.users.listed()} == {ann.user, bob.user}


def test_what_is_no_users_address_is_not_kept(control: Control, ann: User) -> None:
    for refused in (control.users.invite, control.users.remove):
        assert isinstance(refused(OWNER, PASSWORD, NOW), Denied)
        assert control.audit.last(1)[0].target == "-"
    assert PASSWORD not in str(control.audit.last(9))


def test_an_address_is_one_users_whatever_its_capitals(control: Control, ann: User) -> None:
    assert code(control.users.invite(OWNER, EMAIL.upper(), NOW)) == "email_taken"
    one = control.users.invite(OWNER, "bob@desk.example", NOW)
    other = control.users.invite(OWNER, "BOB@desk.example", NOW)
    assert isinstance(one, str)
    assert isinstance(other, str)
    assert isinstance(control.users.accept(one, "", PASSWORD, HERE, NOW), User)
    assert code(control.users.accept(other, "", PASSWORD, HERE, NOW)) == "email_taken"
    assert len(control.users.listed()) == 2


def test_the_address_of_another_subscriptions_user_is_taken_too(
    control: Control, ann: User
) -> None:
    control.subscriptions.create(OWNER, "desk-2", NOW)
    other = control.of("desk-2")
    token = other.users.first_link(OWNER, NOW)
    assert token is not None
    assert code(other.users.accept(token, EMAIL, PASSWORD, HERE, NOW)) == "email_taken"
    assert code(other.users.find(ann.user)) == "user_unknown"
    assert other.users.listed() == []


def test_a_link_of_one_subscription_is_none_of_another(control: Control) -> None:
    control.subscriptions.create(OWNER, "desk-2", NOW)
    token = link(control)
    assert (
        code(control.of("desk-2").users.accept(token, EMAIL, PASSWORD, HERE, NOW)) == "link_invalid"
    )


def test_the_phrase(control: Control, ann: User) -> None:
    after = control.users.set_phrase(OWNER, ann.user, "blue heron", NOW)
    assert isinstance(after, User)
    assert control.users.listed() == [after]
    assert after.phrase == "blue heron"
    for wrong in ("x" * 65, "a\nb"):
        assert code(control.users.set_phrase(OWNER, ann.user, wrong, NOW)) == "phrase_invalid"
    assert control.users.listed() == [after]
    assert "blue heron" not in str(control.audit.last(9))


def test_a_removed_user_is_signed_out_and_the_address_is_free(control: Control, ann: User) -> None:
    bob = made(control, "bob@desk.example")
    token = signed_in(control, email=bob.email).token
    assert control.sessions.of(token, NOW) is not None
    wanted = Wanted(label="Bot1", days=90)
    assert isinstance(control.keyring.of(bob.user).create(OWNER, wanted, NOW), Made)
    assert isinstance(control.keyring.create(OWNER, wanted, NOW), Made)
    assert control.users.remove(OWNER, bob.email, NOW) == bob
    assert len(control.keyring.usable()) == 1
    assert [each.stored_state for each in control.keyring.of(bob.user).listed()] == ["revoked"]
    assert control.sessions.of(token, NOW) is None
    assert stored(control) == [(EMAIL, True), ("bob@desk.example", False)]
    assert made(control, "bob@desk.example").user != bob.user


def test_the_last_user_stays(control: Control, ann: User) -> None:
    assert code(control.users.remove(OWNER, ann.user, NOW)) == "user_last"
    assert code(control.users.remove(OWNER, "bob@desk.example", NOW)) == "user_unknown"
    assert control.users.listed() == [ann]


def test_of_many_who_have_the_link_one_becomes_the_user(open_control: OpenControl) -> None:
    controls = [open_control() for _ in range(RACERS)]
    token = link(controls[0])
    with ThreadPoolExecutor(RACERS) as pool:
        results = list(
            pool.map(
                lambda at: controls[at].users.accept(
                    token, f"u{at}@x.example", PASSWORD, HERE, NOW
                ),
                range(RACERS),
            )
        )
    assert [isinstance(each, User) for each in results].count(True) == 1
    assert len(controls[0].users.listed()) == 1


# ── killed ───────────────────────────────────────────────────────────────────────────────────────


def accept_it(data: Path, url: str | None, token: str) -> None:
    with Control.open(data, url, None, "local", NOW) as control:
        control.users.accept(token, EMAIL, PASSWORD, HERE, NOW)


def test_killed_at_any_line_there_is_a_user_or_the_link_still_makes_one(
    control: Control, tmp_path: Path, database_url: str | None
) -> None:
    token = link(control)
    for line in count(1, 23):
        was_killed = killed_at(line, accept_it, tmp_path / "data", database_url, token)
        users, rows = control.users.listed(), told(control)
        assert control.audit.verify().holds
        assert rows.count(("user.create", "done")) == len(users)
        if users:
            assert code(control.users.accept(token, "b@x.example", PASSWORD, HERE, NOW)) == (
                "link_invalid"
            )
            break
        assert was_killed
    assert isinstance(control.sessions.sign_in(EMAIL, PASSWORD, HERE, NOW), SignedIn)


def test_once_there_is_a_user_nobody_becomes_the_first(control: Control) -> None:
    first = control.users.first_link(OWNER, NOW)
    invited = control.users.invite(OWNER, EMAIL, NOW)
    assert isinstance(first, str)
    assert isinstance(invited, str)
    assert isinstance(control.users.accept(invited, "", PASSWORD, HERE, NOW), User)
    late = control.users.accept(first, "eve@desk.example", PASSWORD, HERE, NOW)
    assert isinstance(late, Denied)
    assert late.code == "link_invalid"


def test_nobody_learns_who_is_a_user_of_another_subscription(control: Control, ann: User) -> None:
    control.subscriptions.create(OWNER, "desk2", NOW)
    other = control.of("desk2")
    token = other.users.invite(OWNER, EMAIL, NOW)
    assert isinstance(token, str)
    late = other.users.accept(token, "", PASSWORD, HERE, NOW)
    assert isinstance(late, Denied)
    assert late.code == "email_taken"
    assert other.users.listed() == []


def test_an_invitation_that_could_not_be_mailed_is_void(control: Control, ann: User) -> None:
    bob = "bob@desk.example"
    tokens = [control.users.invite(OWNER, each, NOW) for each in (bob, "carl@desk.example")]
    assert isinstance(tokens[0], str)
    assert isinstance(tokens[1], str)
    control.users.withdraw(tokens[0])
    assert isinstance(control.users.accept(tokens[0], "", PASSWORD, HERE, NOW), Denied)
    assert isinstance(control.users.accept(tokens[1], "", PASSWORD, HERE, NOW), User)


def test_why_nobody_can_be_invited_is_known_beforehand(
    control: Control, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = control.users.invite_wrong
    before = stored(control), control.audit.last(9)
    assert wrong("bob@desk.example") is None
    assert code(wrong(PASSWORD)) == "email_invalid"
    assert code(wrong(EMAIL.upper())) == "email_taken"
    monkeypatch.setattr(users, "USERS_MAX", 1)
    assert code(wrong("bob@desk.example")) == "users_too_many"
    assert (stored(control), control.audit.last(9)) == before
