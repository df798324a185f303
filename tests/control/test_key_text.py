"""How keys are written: recognised offline, mistypings refused."""

import string
import zlib

import pytest

from fairlead.control.key_text import hash_of, is_kid, is_secret, new_kid, new_secret

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


@pytest.mark.parametrize(("is_test", "prefix"), [(False, "fl_live_"), (True, "fl_test_")])
def test_a_secret_is_its_prefix_43_characters_and_a_checksum(is_test: bool, prefix: str) -> None:
    secret = new_secret(is_test=is_test)
    assert secret.startswith(prefix)
    assert len(secret) == len(prefix) + 43 + 6
    check = 0
    for digit in secret[-6:]:
        check = check * 62 + BASE62.index(digit)
    assert check == zlib.crc32(secret[:-6].encode())
    assert is_secret(secret)


def test_a_public_id_is_its_prefix_and_22_characters() -> None:
    kid = new_kid()
    assert kid.startswith("flk_")
    assert len(kid) == 26
    assert is_kid(kid)


def test_no_two_are_alike() -> None:
    assert len({new_kid() for _ in range(1_000)}) == 1_000
    assert len({hash_of(new_secret()) for _ in range(1_000)}) == 1_000


def test_every_mistyped_character_is_noticed() -> None:
    secret = new_secret()
    for at, right in enumerate(secret):
        wrong = "A" if right != "A" else "B"
        assert not is_secret(secret[:at] + wrong + secret[at + 1 :])


@pytest.mark.parametrize("ending", ["\n", " ", "\0", "A", "é"])
def test_what_is_only_nearly_a_key_is_none(ending: str) -> None:
    assert not is_secret(new_secret() + ending)
    assert not is_kid(new_kid() + ending)
    assert not is_secret(new_secret()[:-1])
    assert not is_secret(new_kid())
    assert not is_kid(new_secret())
