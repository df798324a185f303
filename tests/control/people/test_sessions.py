"""Signing in, step by step; whose a cookie is; every refusal the same."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from fairlead.control.audit import Actor
from fairlead.control.control import Control
from fairlead.control.keys import Denied
from fairlead.control.people.person import IDLE_NS, LONGEST_NS, From, Stage, User
from fairlead.control.people.sessions import (
    CODE_WRONG,
    REFUSED,
    SESSIONS_MAX,
    Limited,
    SignedIn,
)
from fairlead.control.tables import RECOVERY_CODES, SESSIONS, USERS
from tests.control.conftest import OpenControl
from tests.control.people.conftest import (
    ELSEWHERE,
    EMAIL,
    HERE,
    MINUTE,
    NOW,
    PASSWORD,
    SECRET,
    code_at,
    enrolled,
    made,
    signed_in,
)

RACERS = 8


def rows(control: Control) -> list[str]:
    with control.store.read() as connection:
        return list(connection.execute(select(SESSIONS.c.session)).scalars())


# ── the password ─────────────────────────────────────────────────────────────────────────────────


def test_a_password_begins_a_session_whose_token_is_in_the_answer_alone(
    control: Control, ann: User
) -> None:
    begun = signed_in(control)
    assert begun.user == ann
    assert begun.session.stage is Stage.WHOLE
    assert control.sessions.of(begun.token, NOW) == (ann, begun.session)
    assert begun.token not in repr(begun)
    with control.store.read() as connection:
        assert begun.token not in str(connection.execute(select(SESSIONS)).all())
    assert begun.token not in str(control.audit.last(9))


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (EMAIL, "seven unrelated word"),
        ("bob@desk.example", PASSWORD),
        ("", ""),
        (EMAIL, "x" * 10**6),
    ],
    ids=["wrong password", "nobody", "empty", "huge"],
)
def test_every_refusal_reads_the_same_and_begins_nothing(
    control: Control, ann: User, email: str, password: str
) -> None:
    assert control.sessions.sign_in(email, password, HERE, NOW) == REFUSED
    assert rows(control) == []
    last = control.audit.last(1)[0]
    assert (last.action, last.outcome) == ("user.sign_in", "refused")
    assert last.target == (ann.user if email == EMAIL else "-")


def test_too_many_tries_from_one_address_do_not_lock_the_owner_out(
    control: Control, ann: User
) -> None:
    results = [control.sessions.sign_in(EMAIL, "wrong words", ELSEWHERE, NOW) for _ in range(12)]
    assert results[:10] == [REFUSED] * 10
    assert results[10:] == [Limited(15 * MINUTE)] * 2
    assert control.sessions.sign_in(EMAIL, PASSWORD, ELSEWHERE, NOW) == Limited(15 * MINUTE)
    assert isinstance(control.sessions.sign_in(EMAIL, PASSWORD, HERE, NOW), SignedIn)
    later = NOW + 15 * MINUTE
    assert isinstance(control.sessions.sign_in(EMAIL, PASSWORD, ELSEWHERE, later), SignedIn)


def test_one_address_may_try_so_many_addresses_only(control: Control, ann: User) -> None:
    results = [
        control.sessions.sign_in(f"u{at}@desk.example", "wrong words", ELSEWHERE, NOW)
        for at in range(61)
    ]
    assert results == [REFUSED] * 60 + [Limited(15 * MINUTE)]


def test_a_whole_network_of_ipv6_is_one_who_tries(control: Control, ann: User) -> None:
    near = [From(f"2001:db8::{at:x}", "curl") for at in range(12)]
    results = [control.sessions.sign_in(EMAIL, "wrong words", each, NOW) for each in near]
    assert results == [REFUSED] * 10 + [Limited(15 * MINUTE)] * 2
    far = From("2001:db8:0:1::1", "curl")
    assert isinstance(control.sessions.sign_in(EMAIL, PASSWORD, far, NOW), SignedIn)


def test_parallel_guesses_are_as_many_as_one_after_the_other(
    open_control: OpenControl,
) -> None:
    controls = [open_control() for _ in range(RACERS)]
    made(controls[0])
    with ThreadPoolExecutor(RACERS) as pool:
        results = list(
            pool.map(
                lambda at: controls[at % RACERS].sessions.sign_in(EMAIL, "wrong", HERE, NOW),
                range(24),
            )
        )
    assert results.count(REFUSED) == 10
    assert results.count(Limited(15 * MINUTE)) == 14


def test_what_is_no_address_is_nobodys(control: Control, ann: User) -> None:
    """Databases differ in what text they take: such a one is never looked for."""
    for email in (
        "ann@desk.example\0",
        "\0",
        "\u212ann@desk.example",
        "ann@desk.example\n",
        "x" * 10**6,
    ):
        assert control.sessions.sign_in(email, PASSWORD, HERE, NOW) == REFUSED
        assert control.resets.ask(email, HERE, NOW) is None


def test_who_is_limited_for_one_user_does_not_use_up_the_address_for_others(
    control: Control, ann: User
) -> None:
    made(control, "bob@desk.example")
    for _ in range(100):
        control.sessions.sign_in(EMAIL, "wrong words", HERE, NOW)
    assert isinstance(control.sessions.sign_in("bob@desk.example", PASSWORD, HERE, NOW), SignedIn)


def test_people_who_come_and_go_have_nobody_look_at_all_keys_again(
    control: Control, ann: User
) -> None:
    enrolled(control, ann)
    before = control.store.revision()
    control.sessions.sign_in(EMAIL, "wrong words", HERE, NOW)
    half = signed_in(control)
    control.sessions.give_code(half.token, "000000", HERE, NOW)
    whole = control.sessions.give_code(half.token, code_at(NOW), HERE, NOW)
    assert isinstance(whole, SignedIn)
    later = NOW + 2 * MINUTE
    assert control.sessions.of(whole.token, later) is not None
    control.sessions.sign_out(ann, whole.session, HERE, later)
    assert control.resets.ask(EMAIL, HERE, later) is not None
    assert control.store.revision() == before


# ── the second factor ────────────────────────────────────────────────────────────────────────────


def test_with_a_second_factor_the_password_alone_is_good_for_nothing_else(
    control: Control, ann: User
) -> None:
    enrolled(control, ann)
    half = signed_in(control)
    found = control.sessions.of(half.token, NOW)
    assert found is not None
    assert found[1].stage is Stage.PASSWORD
    whole = control.sessions.give_code(half.token, code_at(NOW), HERE, NOW)
    assert isinstance(whole, SignedIn)
    assert whole.session.stage is Stage.WHOLE
    assert whole.session.session != half.session.session
    assert whole.token != half.token
    assert control.sessions.of(half.token, NOW) is None
    assert control.audit.last(1)[0].factor == "password+totp"


def test_a_code_works_once(control: Control, ann: User) -> None:
    enrolled(control, ann)
    first, second = signed_in(control), signed_in(control)
    assert isinstance(control.sessions.give_code(first.token, code_at(NOW), HERE, NOW), SignedIn)
    assert control.sessions.give_code(second.token, code_at(NOW), HERE, NOW) == CODE_WRONG
    assert (
        control.sessions.give_code(second.token, code_at(NOW - 30 * 10**9), HERE, NOW) == CODE_WRONG
    )
    later = NOW + 30 * 10**9
    assert isinstance(
        control.sessions.give_code(second.token, code_at(later), HERE, later), SignedIn
    )


def test_a_code_works_once_in_parallel_too(open_control: OpenControl) -> None:
    controls = [open_control() for _ in range(RACERS)]
    enrolled(controls[0], made(controls[0]))
    tokens = [signed_in(controls[0]).token for _ in range(RACERS)]
    with ThreadPoolExecutor(RACERS) as pool:
        results = list(
            pool.map(
                lambda at: controls[at].sessions.give_code(tokens[at], code_at(NOW), HERE, NOW),
                range(RACERS),
            )
        )
    assert [isinstance(each, SignedIn) for each in results].count(True) == 1


def test_each_recovery_code_works_once(control: Control, ann: User) -> None:
    codes = enrolled(control, ann).recovery_codes
    for code in codes[:3]:
        half = signed_in(control)
        typed = code.lower().replace("-", " ")
        assert isinstance(control.sessions.give_code(half.token, typed, HERE, NOW), SignedIn)
        assert control.audit.last(1)[0].factor == "password+recovery"
        again = signed_in(control)
        assert control.sessions.give_code(again.token, code, HERE, NOW) == CODE_WRONG
    with control.store.read() as connection:
        left = connection.execute(select(RECOVERY_CODES)).all()
        secret = connection.execute(select(USERS.c.totp)).scalar_one()
    assert len(left) == 7
    assert not any(code in str(left) for code in codes)
    assert SECRET.encode() not in secret


def test_wrong_codes_are_limited_from_one_address_only(control: Control, ann: User) -> None:
    enrolled(control, ann)
    half = signed_in(control)
    give = control.sessions.give_code
    results = [give(half.token, "000000", ELSEWHERE, NOW) for _ in range(11)]
    assert results == [CODE_WRONG] * 10 + [Limited(15 * MINUTE)]
    assert isinstance(give(half.token, code_at(NOW), HERE, NOW), SignedIn)


def test_wrong_codes_are_limited_from_everywhere_together(control: Control, ann: User) -> None:
    enrolled(control, ann)
    half = signed_in(control)
    places = [From(f"198.51.100.{at}", "curl") for at in range(80)]
    results = [control.sessions.give_code(half.token, "000000", each, NOW) for each in places]
    assert results == [CODE_WRONG] * 60 + [Limited(60 * MINUTE)] * 20


def test_who_did_not_give_the_code_in_ten_minutes_begins_anew(control: Control, ann: User) -> None:
    enrolled(control, ann)
    half = signed_in(control)
    late = NOW + 10 * MINUTE
    result = control.sessions.give_code(half.token, code_at(late), HERE, late)
    assert isinstance(result, Denied)
    assert result.code == "session_over"


@pytest.mark.parametrize("step_s", [-60, 30, 60])
def test_a_code_of_another_time_switches_nothing_on(
    control: Control, ann: User, step_s: int
) -> None:
    with control.store.change() as change:
        code = code_at(NOW + step_s * 10**9)
        assert control.sessions.enrol(change, ann, SECRET, code, "", NOW) == CODE_WRONG
    assert control.users.listed() == [ann]


# ── the end ──────────────────────────────────────────────────────────────────────────────────────


def test_a_session_ends_when_it_was_idle_for_half_an_hour(control: Control, ann: User) -> None:
    token = signed_in(control).token
    assert control.sessions.of(token, NOW + IDLE_NS - 1) is not None  # and was seen now
    assert control.sessions.of(token, NOW + 2 * IDLE_NS - 2) is not None
    assert control.sessions.of(token, NOW + 3 * IDLE_NS - 2) is None


def test_a_session_ends_after_twelve_hours_however_busy(control: Control, ann: User) -> None:
    token = signed_in(control).token
    for now_ns in range(NOW, NOW + LONGEST_NS, IDLE_NS // 2):
        assert control.sessions.of(token, now_ns) is not None
    assert control.sessions.of(token, NOW + LONGEST_NS) is None


def signs_out(control: Control, begun: SignedIn) -> None:
    actor = control_actor(begun)
    assert control.sessions.end(begun.user, begun.session.session, actor, NOW) is None


def changes_password(control: Control, begun: SignedIn) -> None:
    proof = (PASSWORD, "")
    change = control.proofs.change_password
    assert change(begun.user, "", proof, "eight unrelated words", HERE, NOW) is None


def switches_factor_on(control: Control, begun: SignedIn) -> None:
    enrolled(control, begun.user, NOW)


def control_actor(begun: SignedIn) -> Actor:
    return Actor(begun.user.user, HERE.address, "password")


@pytest.mark.parametrize("ends", [signs_out, changes_password, switches_factor_on])
def test_what_ends_a_session(
    control: Control, ann: User, ends: Callable[[Control, SignedIn], None]
) -> None:
    begun = signed_in(control)
    ends(control, begun)
    assert control.sessions.of(begun.token, NOW) is None
    assert rows(control) == []


def test_one_cannot_end_the_session_of_another(control: Control, ann: User) -> None:
    bob = made(control, "bob@desk.example")
    begun = signed_in(control)
    result = control.sessions.end(bob, begun.session.session, control_actor(begun), NOW)
    assert isinstance(result, Denied)
    assert control.sessions.of(begun.token, NOW) is not None


def test_a_user_has_so_many_sessions_only(control: Control, ann: User) -> None:
    tokens = [signed_in(control, NOW + at).token for at in range(SESSIONS_MAX + 2)]
    alive = [control.sessions.of(each, NOW + 100) is not None for each in tokens]
    assert alive == [False] * 2 + [True] * SESSIONS_MAX
    assert len(control.sessions.listed(ann, NOW + 100)) == SESSIONS_MAX


def test_half_sessions_end_no_whole_one(control: Control, ann: User) -> None:
    enrolled(control, ann)
    half = signed_in(control)
    whole = control.sessions.give_code(half.token, code_at(NOW), HERE, NOW)
    assert isinstance(whole, SignedIn)
    for at in range(SESSIONS_MAX + 2):
        signed_in(control, NOW + 1 + at)
    assert control.sessions.of(whole.token, NOW + 100) is not None
    assert len(rows(control)) == SESSIONS_MAX + 1


@pytest.mark.parametrize("token", ["", "x" * 43, "x" * 10**6], ids=lambda each: str(len(each)))
def test_what_is_no_token_is_nobody(control: Control, ann: User, token: str) -> None:
    signed_in(control)
    assert control.sessions.of(token, NOW) is None
