"""Challenges: what is granted, to whom, by which two codes, how often; and everything that is not."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, select

from fairlead.control.control import Control
from fairlead.control.keys import Denied
from fairlead.control.people.challenges import (
    FACTOR_REQUIRED,
    LASTS_NS,
    OVER,
    TRIES,
    Action,
    Asked,
    Granted,
)
from fairlead.control.people.person import User
from fairlead.control.people.sessions import CODE_WRONG, Limited, SignedIn
from fairlead.control.tables import CHALLENGES, USERS
from tests.control.conftest import OpenControl
from tests.control.people.conftest import (
    HERE,
    MINUTE,
    NOW,
    code_at,
    enrolled,
    made,
    signed_in,
)

RACERS = 8
HALF = 30 * 10**9
PAYLOAD = b'{"label":"Bot1"}'


@pytest.fixture
def begun(control: Control, ann: User) -> SignedIn:
    return whole(control, ann)


def whole(control: Control, user: User) -> SignedIn:
    """Sign a user in by both factors, a while before now."""
    enrolled(control, user)
    earlier = NOW - 5 * MINUTE
    half = signed_in(control, earlier, user.email)
    result = control.sessions.give_code(half.token, code_at(earlier), HERE, earlier)
    assert isinstance(result, SignedIn)
    return result


def ask(
    control: Control,
    begun: SignedIn,
    now_ns: int = NOW,
    action: Action = Action.KEY_ADD,
    payload: bytes = PAYLOAD,
) -> Asked:
    asked = control.challenges.ask(begun.user, begun.session, action, payload, HERE, now_ns)
    assert isinstance(asked, Asked), asked
    return asked


def do(granted: Granted) -> tuple[str, bytes, str]:
    return granted.action, granted.payload, granted.actor.factor


def confirm(
    control: Control,
    begun: SignedIn,
    challenge: str,
    by_mail: str,
    by_factor: str,
    now_ns: int = NOW,
) -> object:
    codes = (by_mail, by_factor)
    return control.challenges.confirm(begun.user, begun.session, challenge, codes, HERE, now_ns, do)


def stored(control: Control) -> list[tuple[str, int]]:
    columns = (CHALLENGES.c.challenge, CHALLENGES.c.tries_left)
    with control.store.read() as connection:
        return [(each[0], each[1]) for each in connection.execute(select(*columns))]


def last_step(control: Control, user: User) -> int:
    of_user = select(USERS.c.totp_step).where(USERS.c.user == user.user)
    with control.store.read() as connection:
        step: int = connection.execute(of_user).scalar_one()
        return step


def wrong(code: str) -> str:
    return str((int(code) + 1) % 10 ** len(code)).zfill(len(code))


# ── granted ──────────────────────────────────────────────────────────────────────────────────────


def test_both_codes_do_what_was_asked_for_once(control: Control, begun: SignedIn) -> None:
    asked = ask(control, begun)
    assert stored(control) == [(asked.challenge, TRIES)]
    done = confirm(control, begun, asked.challenge, asked.code, code_at(NOW))
    assert done == ("key.add", PAYLOAD, "mail+totp")
    assert stored(control) == []
    assert last_step(control, begun.user) == NOW // HALF
    assert confirm(control, begun, asked.challenge, asked.code, code_at(NOW + HALF)) == OVER


def test_the_code_is_nowhere_but_in_the_answer_and_the_payload_is_sealed(
    control: Control, begun: SignedIn
) -> None:
    asked = ask(control, begun)
    assert asked.code not in repr(asked)
    with control.store.read() as connection:
        kept = str(connection.execute(select(CHALLENGES)).all())
    assert asked.code not in kept
    assert "Bot1" not in kept
    assert asked.code not in str(control.audit.last(9))


def test_without_a_second_factor_nothing_is_asked_but_to_switch_it_on(
    control: Control, ann: User
) -> None:
    begun = signed_in(control)
    for action in Action:
        asked = control.challenges.ask(ann, begun.session, action, PAYLOAD, HERE, NOW)
        if action is Action.FACTOR_ENABLE:
            assert isinstance(asked, Asked)
        else:
            assert asked == FACTOR_REQUIRED
    assert len(stored(control)) == 1


def test_another_proof_may_take_the_second_factors_place(control: Control, ann: User) -> None:
    begun = signed_in(control)
    asked = ask(control, begun, action=Action.FACTOR_ENABLE, payload=b"secret")

    def prove(_: Connection, payload: bytes, code: str) -> str | None:
        return "pending" if (payload, code) == (b"secret", "123456") else None

    def given(code: str) -> object:
        codes = (asked.code, code)
        return control.challenges.confirm(
            ann, begun.session, asked.challenge, codes, HERE, NOW, do, prove
        )

    assert given("123457") == CODE_WRONG
    assert given("123456") == ("two_factor.enable", b"secret", "mail+pending")


# ── not granted ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("is_mail_right", [True, False])
def test_one_right_code_uses_up_nothing_but_a_try(
    control: Control, begun: SignedIn, is_mail_right: bool
) -> None:
    asked = ask(control, begun)
    step = last_step(control, begun.user)
    right, code = code_at(NOW), asked.code
    given = (code, wrong(right)) if is_mail_right else (wrong(code), right)
    assert confirm(control, begun, asked.challenge, *given) == CODE_WRONG
    assert stored(control) == [(asked.challenge, TRIES - 1)]
    assert last_step(control, begun.user) == step
    assert isinstance(confirm(control, begun, asked.challenge, code, right), tuple)


def test_five_wrong_tries_end_it(control: Control, begun: SignedIn) -> None:
    asked = ask(control, begun)
    tried = [
        confirm(control, begun, asked.challenge, wrong(asked.code), code_at(NOW))
        for _ in range(TRIES)
    ]
    assert tried == [CODE_WRONG] * TRIES
    assert confirm(control, begun, asked.challenge, asked.code, code_at(NOW)) == OVER
    assert stored(control) == []


def test_it_ends_after_ten_minutes(control: Control, begun: SignedIn) -> None:
    asked = ask(control, begun)
    late = NOW + LASTS_NS
    assert confirm(control, begun, asked.challenge, asked.code, code_at(late), late) == OVER
    soon = late - 1
    assert isinstance(
        confirm(control, begun, asked.challenge, asked.code, code_at(soon), soon), tuple
    )


def other_session(control: Control, begun: SignedIn) -> SignedIn:
    half = signed_in(control, NOW - 2 * MINUTE)
    earlier = NOW - 2 * MINUTE
    result = control.sessions.give_code(half.token, code_at(earlier), HERE, earlier)
    assert isinstance(result, SignedIn)
    return result


def other_user(control: Control, begun: SignedIn) -> SignedIn:
    return whole(control, made(control, "bob@desk.example"))


@pytest.mark.parametrize("other", [other_session, other_user])
def test_it_is_good_for_its_own_session_alone(
    control: Control, begun: SignedIn, other: Callable[[Control, SignedIn], SignedIn]
) -> None:
    asked = ask(control, begun)
    somebody = other(control, begun)
    assert confirm(control, somebody, asked.challenge, asked.code, code_at(NOW)) == OVER
    assert stored(control) == [(asked.challenge, TRIES)]


def test_a_newer_one_for_the_same_action_ends_the_older(control: Control, begun: SignedIn) -> None:
    old = ask(control, begun)
    later = NOW + MINUTE
    new = ask(control, begun, later, payload=b"other")
    ask(control, begun, later, Action.KEY_EDIT)
    assert confirm(control, begun, old.challenge, old.code, code_at(later), later) == OVER
    assert confirm(control, begun, new.challenge, old.code, code_at(later), later) == CODE_WRONG
    done = confirm(control, begun, new.challenge, new.code, code_at(later), later)
    assert done == ("key.add", b"other", "mail+totp")


def test_one_that_was_withdrawn_is_over(control: Control, begun: SignedIn) -> None:
    asked = ask(control, begun)
    control.challenges.withdraw(begun.user, asked)
    assert confirm(control, begun, asked.challenge, asked.code, code_at(NOW)) == OVER


def test_one_that_could_not_be_mailed_counts_for_nothing(control: Control, begun: SignedIn) -> None:
    for _ in range(7):
        control.challenges.withdraw(begun.user, ask(control, begun))
    for at in range(5):
        ask(control, begun, NOW + at * MINUTE)
    last = control.challenges.ask(
        begun.user, begun.session, Action.KEY_ADD, PAYLOAD, HERE, NOW + 5 * MINUTE
    )
    assert last == Limited(55 * MINUTE)


def test_with_the_end_of_its_session_it_ends(control: Control, begun: SignedIn) -> None:
    """Also for a call that is on its way already, and knows its session."""
    asked = ask(control, begun)
    control.sessions.sign_out(begun.user, begun.session, HERE, NOW)
    assert confirm(control, begun, asked.challenge, asked.code, code_at(NOW)) == OVER


def test_what_is_refused_counts_with_no_limit(control: Control, begun: SignedIn) -> None:
    for at in range(5):
        ask(control, begun, NOW + at * MINUTE)
    nearly = NOW + 60 * MINUTE - 1
    sent = control.challenges.ask(begun.user, begun.session, Action.KEY_ADD, PAYLOAD, HERE, nearly)
    assert sent == Limited(1)
    ask(control, begun, nearly + 1)


def test_what_is_denied_in_the_end_has_used_up_the_codes(control: Control, begun: SignedIn) -> None:
    asked = ask(control, begun)
    denied = Denied("label_taken", "there is a key Bot1")
    codes = (asked.code, code_at(NOW))
    result = control.challenges.confirm(
        begun.user, begun.session, asked.challenge, codes, HERE, NOW, lambda _: denied
    )
    assert result == denied
    assert stored(control) == []
    last = control.audit.last(1)[0]
    assert (last.action, last.outcome) == ("challenge.confirm", "refused")


def test_what_fails_in_the_end_uses_up_nothing(control: Control, begun: SignedIn) -> None:
    asked = ask(control, begun)
    step = last_step(control, begun.user)

    def fail(_: Granted) -> None:
        raise RuntimeError

    codes = (asked.code, code_at(NOW))
    with pytest.raises(RuntimeError):
        control.challenges.confirm(
            begun.user, begun.session, asked.challenge, codes, HERE, NOW, fail
        )
    assert stored(control) == [(asked.challenge, TRIES)]
    assert last_step(control, begun.user) == step


# ── how often ────────────────────────────────────────────────────────────────────────────────────


def test_codes_are_sent_once_a_minute_and_five_times_an_hour_for_each_action(
    control: Control, begun: SignedIn
) -> None:
    def sent(now_ns: int, action: Action = Action.KEY_ADD) -> object:
        return control.challenges.ask(begun.user, begun.session, action, PAYLOAD, HERE, now_ns)

    ask(control, begun)
    assert sent(NOW + MINUTE - 1) == Limited(1)
    ask(control, begun, NOW, Action.KEY_EDIT)
    for minute in (1, 2, 3, 4):
        ask(control, begun, NOW + minute * MINUTE)
    assert sent(NOW + 5 * MINUTE) == Limited(55 * MINUTE)
    ask(control, begun, NOW + 60 * MINUTE)


# ── races ────────────────────────────────────────────────────────────────────────────────────────


def test_raced_codes_do_it_once(open_control: OpenControl) -> None:
    controls = [open_control() for _ in range(RACERS)]
    begun = whole(controls[0], made(controls[0]))
    asked = ask(controls[0], begun)
    with ThreadPoolExecutor(RACERS) as pool:
        results = list(
            pool.map(
                lambda at: confirm(controls[at], begun, asked.challenge, asked.code, code_at(NOW)),
                range(RACERS),
            )
        )
    assert [isinstance(each, tuple) for each in results].count(True) == 1
    assert results.count(OVER) == RACERS - 1


def test_raced_guesses_are_five(open_control: OpenControl) -> None:
    controls = [open_control() for _ in range(RACERS)]
    begun = whole(controls[0], made(controls[0]))
    asked = ask(controls[0], begun)
    with ThreadPoolExecutor(RACERS) as pool:
        results = list(
            pool.map(
                lambda at: confirm(
                    controls[at % RACERS], begun, asked.challenge, wrong(asked.code), code_at(NOW)
                ),
                range(16),
            )
        )
    assert results.count(CODE_WRONG) == TRIES
    assert results.count(OVER) == 16 - TRIES
