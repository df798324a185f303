"""What proves somebody once."""

import re

import pytest

from fairlead.control.people.one_time import (
    code_hash,
    new_mail_code,
    new_recovery_codes,
    new_token,
    new_totp_secret,
    picture,
    token_hash,
    totp_code,
    totp_step,
    totp_uri,
)

S = 1_000_000_000
RFC = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # RFC 6238 appendix B: "12345678901234567890"


@pytest.mark.parametrize(
    ("at_s", "code"),
    [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
    ],
)
def test_codes_are_those_of_the_rfc(at_s: int, code: str) -> None:
    assert totp_code(RFC, at_s // 30) == code
    assert totp_step(RFC, code, at_s * S, 0) == at_s // 30


def test_the_current_and_one_past_step_are_taken_and_no_other() -> None:
    now_ns, step = 1_000 * 30 * S + 5, 1_000
    taken = {each: totp_step(RFC, totp_code(RFC, each), now_ns, 0) for each in range(996, 1_004)}
    assert taken == dict.fromkeys(range(996, 1_004)) | {999: 999, 1_000: 1_000}
    assert totp_step(RFC, totp_code(RFC, step), now_ns, step) is None
    assert totp_step(RFC, totp_code(RFC, step), now_ns, step - 1) == step


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "abcdef", "１２３４５６", "28708２", "x" * 10**6]
)
def test_what_is_no_code_is_none(code: str) -> None:
    assert totp_step(RFC, code, 59 * S, 0) is None


def test_what_an_authenticator_reads() -> None:
    uri = totp_uri(RFC, "ann@desk.example")
    assert uri == f"otpauth://totp/Fairlead:ann%40desk.example?secret={RFC}&issuer=Fairlead"
    assert re.fullmatch(r"<svg [^>]*>.*</svg>", picture(uri), re.DOTALL)
    assert len({new_totp_secret() for _ in range(100)}) == 100


def test_recovery_codes_are_ten_and_read_however_they_are_typed() -> None:
    codes = new_recovery_codes()
    assert len(set(codes)) == 10
    key = b"k" * 32
    for code in codes:
        assert re.fullmatch("([2-9A-HJ-NP-Z]{4}-){3}[2-9A-HJ-NP-Z]{4}", code)
        assert code_hash(key, code) == code_hash(key, f" {code.lower().replace('-', ' ')}")
    assert code_hash(b"other" * 7, codes[0]) != code_hash(key, codes[0])


def test_mail_codes_and_tokens() -> None:
    assert all(re.fullmatch("[0-9]{8}", new_mail_code()) for _ in range(100))
    token = new_token()
    assert len(token) == 43
    assert token_hash(token) == token_hash(token)
    assert token_hash("x" * 1_000_000) == b""
