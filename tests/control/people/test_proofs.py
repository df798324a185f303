"""What somebody who is signed in proves again: for a new password both factors, to take a key back one."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, select

from fairlead.control.audit import Actor, Outcome
from fairlead.control.control import Control
from fairlead.control.keys import Denied
from fairlead.control.people.person import From, Session, User
from fairlead.control.people.proofs import EITHER_WRONG, FACTOR_WRONG, PASSWORD_WRONG
from fairlead.control.people.sessions import REFUSED, Limited, SignedIn
from fairlead.control.tables import RECOVERY_CODES, USERS
from tests.control.people.conftest import (
    EMAIL,
    HERE,
    MINUTE,
    NOW,
    PASSWORD,
    code_at,
    enrolled,
    signed_in,
)

NEW = "eight unrelated words"
RACERS = 8
PROVEN_AT_MOST = 10
CODES_AT_MOST = 60  # in an hour, of one user


def user_row(control: Control) -> tuple[str, int]:
    with control.store.read() as connection:
        row = connection.execute(select(USERS)).one()
        return row.password, row.totp_step


def whole(control: Control, user: User) -> tuple[User, Session]:
    """Return the user with a second factor, and a session by both."""
    enrolled(control, user)
    begun = control.sessions.give_code(signed_in(control).token, code_at(NOW), HERE, NOW)
    assert isinstance(begun, SignedIn)
    return begun.user, begun.session


# ── a new password ───────────────────────────────────────────────────────────────────────────────


def test_the_session_in_which_the_password_is_changed_goes_on(control: Control, ann: User) -> None:
    this, other = signed_in(control), signed_in(control)
    change = control.proofs.change_password
    assert change(ann, this.session.session, (PASSWORD, ""), NEW, HERE, NOW) is None
    assert control.sessions.of(this.token, NOW) is not None
    assert control.sessions.of(other.token, NOW) is None
    assert control.sessions.sign_in(EMAIL, PASSWORD, HERE, NOW) == REFUSED
    assert isinstance(control.sessions.sign_in(EMAIL, NEW, HERE, NOW), SignedIn)


def test_a_password_is_not_changed_by_who_does_not_know_it(control: Control, ann: User) -> None:
    session = signed_in(control).session.session
    change = control.proofs.change_password
    assert change(ann, session, ("wrong", ""), NEW, HERE, NOW) == PASSWORD_WRONG
    weak = change(ann, session, (PASSWORD, ""), "password", HERE, NOW)
    assert isinstance(weak, Denied)
    assert weak.code == "password_weak"
    assert isinstance(control.sessions.sign_in(EMAIL, PASSWORD, HERE, NOW), SignedIn)


def test_who_has_a_second_factor_needs_both_and_is_not_told_which_was_wrong(
    control: Control, ann: User
) -> None:
    user, session = whole(control, ann)
    later = NOW + MINUTE
    before = user_row(control)
    change = control.proofs.change_password
    for proof in ((PASSWORD, ""), (PASSWORD, "000000"), ("wrong", code_at(later)), ("wrong", "")):
        assert change(user, session.session, proof, NEW, HERE, later) == EITHER_WRONG
    used = (PASSWORD, code_at(NOW))
    assert change(user, session.session, used, NEW, HERE, later) == EITHER_WRONG
    assert user_row(control) == before  # nor was a right code used up by a wrong password
    right = (PASSWORD, code_at(later))
    assert change(user, session.session, right, NEW, HERE, later) is None
    assert user_row(control)[0] != before[0]
    assert change(user, session.session, (NEW, right[1]), PASSWORD, HERE, later) == EITHER_WRONG
    done = control.audit.last(2)[-2:]
    assert [(row.action, row.outcome) for row in done] == [
        ("user.password", Outcome.DONE),
        ("user.password", Outcome.REFUSED),
    ]
    assert done[0].factor == "password+totp"


def test_one_code_changes_a_password_once_however_many_try_at_once(
    control: Control, ann: User
) -> None:
    user, session = whole(control, ann)
    later = NOW + MINUTE

    def change(at: int) -> object:
        proof, new = (PASSWORD, code_at(later)), f"{NEW} {at}"
        return control.proofs.change_password(user, session.session, proof, new, HERE, later)

    with ThreadPoolExecutor(RACERS) as threads:
        results = list(threads.map(change, range(RACERS)))
    assert sorted(map(str, results)) == sorted(map(str, [None, *[EITHER_WRONG] * (RACERS - 1)]))


def test_codes_for_a_new_password_are_counted_with_those_of_signing_in(
    control: Control, ann: User
) -> None:
    """From wherever they come; and of who does not know the password none counts."""
    user, session = whole(control, ann)  # by one code

    def change(at: int, password: str) -> object:
        origin = From(f"192.0.2.{at}", "curl")
        proof = (password, "000000")
        return control.proofs.change_password(user, session.session, proof, NEW, origin, NOW)

    assert [change(at, "wrong") for at in range(CODES_AT_MOST)] == [EITHER_WRONG] * CODES_AT_MOST
    results = [change(at, PASSWORD) for at in range(CODES_AT_MOST)]
    assert results[:-1] == [EITHER_WRONG] * (CODES_AT_MOST - 1)
    assert isinstance(results[-1], Limited)
    half = signed_in(control)
    assert isinstance(control.sessions.give_code(half.token, "000000", HERE, NOW), Limited)


# ── one factor ───────────────────────────────────────────────────────────────────────────────────


def done(_: Connection, actor: Actor) -> str:
    return actor.factor


def test_one_factor_is_enough_and_is_named(control: Control, ann: User) -> None:
    codes = enrolled(control, ann).recovery_codes
    begun = control.sessions.give_code(signed_in(control).token, codes[0], HERE, NOW)
    assert isinstance(begun, SignedIn)
    who = (begun.user, begun.session)
    proofs = control.proofs
    assert proofs.with_password(*who, PASSWORD, HERE, NOW, done) == "password"
    assert proofs.with_code(*who, code_at(NOW), HERE, NOW, done) == "totp"
    assert proofs.with_code(*who, codes[1], HERE, NOW, done) == "recovery"
    with control.store.read() as connection:
        assert len(connection.execute(select(RECOVERY_CODES)).all()) == len(codes) - 2
    assert proofs.with_code(*who, code_at(NOW), HERE, NOW, done) == FACTOR_WRONG
    assert proofs.with_code(*who, codes[1], HERE, NOW, done) == FACTOR_WRONG
    assert proofs.with_password(*who, "wrong", HERE, NOW, done) == FACTOR_WRONG


@pytest.mark.parametrize("kind", ["password", "code"])
def test_tries_are_counted_by_session_so_that_nobody_locks_an_owner_out(
    control: Control, ann: User, kind: str
) -> None:
    user, stolen = whole(control, ann)
    prove = control.proofs.with_password if kind == "password" else control.proofs.with_code
    results = [prove(user, stolen, "wrong", HERE, NOW, done) for _ in range(PROVEN_AT_MOST + 1)]
    assert results[:-1] == [FACTOR_WRONG] * PROVEN_AT_MOST
    assert isinstance(results[-1], Limited)
    later = NOW + MINUTE
    begun = control.sessions.give_code(signed_in(control, later).token, code_at(later), HERE, later)
    assert isinstance(begun, SignedIn)
    assert (
        control.proofs.with_password(user, begun.session, PASSWORD, HERE, later, done) == "password"
    )
