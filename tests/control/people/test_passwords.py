"""Passwords: which are refused, how they are kept."""

import pytest
from argon2 import extract_parameters
from argon2.low_level import Type

from fairlead.control.people.passwords import Cost, Passwords, password_wrong

EMAIL = "ann@desk.example"


@pytest.mark.parametrize("password", ["seven unrelated words", "x" * 7 + "é", "Kq7#" * 32])
def test_a_good_password_is_taken(password: str) -> None:
    assert password_wrong(password, EMAIL) is None


@pytest.mark.parametrize(
    "password",
    [
        *("", "short", "x" * 129, "password", "PassWord", "123456789", "qwertyuiop"),
        *("ann@desk.example", "Ann@Desk.example1", "fairlead2024", "ｐａｓｓｗｏｒｄ"),
        "x" * 1_000_000,
    ],
    ids=lambda each: ascii(each[:12]),
)
def test_a_weak_password_is_refused(password: str) -> None:
    denied = password_wrong(password, EMAIL)
    assert denied is not None
    assert denied.code == "password_weak"


def test_it_is_kept_as_argon2id_with_rfc_9106s_second_recommendation() -> None:
    kept = extract_parameters(Passwords().hash_of("seven unrelated words"))
    assert (kept.type, kept.memory_cost, kept.time_cost) == (Type.ID, 65_536, 3)


def test_it_fits_however_the_keyboard_composed_it_and_no_other_does() -> None:
    passwords = Passwords(Cost(1, 64, 1))
    kept = passwords.hash_of("caf\u00e9 au lait")
    assert passwords.fits("cafe\u0301 au lait", kept)
    assert not passwords.fits("cafe au lait", kept)
    assert not passwords.fits("caf\u00e9 au lait", None)
    assert not passwords.fits("caf\u00e9 au lait", "")
