"""What a login is: names with every separator, parameters with everything that can be wrong, masks."""

import string

import pytest

from fairlead.control.account_text import exchange_of, is_account
from fairlead.control.keys import Denied
from fairlead.control.logins import fingerprint, masked, name_wrong, read_parameters

SEPARATORS = "~/.,:;!@#$%^&*-_+="
PUBLIC, PRIVATE = "PublicApiKey", "PrivateApiKey"
LONG = "0123456789abcdef"


def findings(*given: tuple[str, object]) -> dict[str, str]:
    result = read_parameters("SIM/BOB", given)
    assert isinstance(result, Denied)
    assert result.code == "parameters_invalid"
    assert result.message == "; ".join(f"{name}: {text}" for name, text in result.findings)
    return dict(result.findings)


@pytest.mark.parametrize("separator", SEPARATORS)
def test_every_separator_parts_exchange_and_tag_and_may_be_in_the_tag(separator: str) -> None:
    name = f"SIM{separator}a{separator}B2"
    assert is_account(name)
    assert exchange_of(name) == "SIM"
    assert name_wrong(name) is None


def test_every_other_character_is_wrong_wherever_it_stands() -> None:
    good = {*string.ascii_letters, *string.digits, *SEPARATORS}
    others = [chr(code) for code in range(0x250) if chr(code) not in good]
    others += ["\u0660", "\uff21", "\u2215", "\U0001f600", "\ud800"]
    assert len(others) > 500
    for character in others:
        for name in (
            f"SIM{character}A",
            f"SIM/{character}",
            f"{character}SIM",
            f"SIM/A{character}",
        ):
            assert not is_account(name), ascii(name)
            denied = name_wrong(name)
            assert denied is not None
            assert denied.code == "exchange_id_invalid"
            assert denied.message.isascii()


@pytest.mark.parametrize(
    "name", ["", "/", "/A", "sim", "sim/A", "SIM/", "SIM/" + "a" * 65, "SIMa", "SIM/A\n", "SIM\x00"]
)
def test_a_name_of_another_form_is_wrong(name: str) -> None:
    assert name_wrong(name) is not None


def test_an_exchange_that_is_not_there_is_named_with_those_that_are() -> None:
    denied = name_wrong("KRAKEN/JOHN")
    assert denied is not None
    assert denied.code == "exchange_id_invalid"
    assert denied.message == (
        '"KRAKEN/JOHN" is an account at no exchange that is here, expected one of: SIM'
    )


def test_a_whole_login_is_taken_in_any_order() -> None:
    wanted = {PRIVATE: "s", PUBLIC: "p"}
    assert read_parameters("SIM", [(PUBLIC, "p"), (PRIVATE, "s")]) == wanted
    assert read_parameters("SIM", [(PRIVATE, "s"), (PUBLIC, "p")]) == wanted


def test_what_is_missing_unknown_doubled_or_malformed_is_named_and_no_value_repeated() -> None:
    assert findings() == {
        PRIVATE: "is missing, SIM needs PrivateApiKey and PublicApiKey",
        PUBLIC: "is missing, SIM needs PrivateApiKey and PublicApiKey",
    }
    assert findings((PUBLIC, "p"), (PRIVATE, "s"), ("PassPhrase", "hushed")) == {
        "PassPhrase": "is no parameter of SIM, expected PrivateApiKey and PublicApiKey"
    }
    assert findings((PUBLIC, "p"), (PRIVATE, "s"), (PUBLIC, "p")) == {
        PUBLIC: "is given more than once, give it once"
    }
    for value in (
        "",
        "hushed up",
        "h\n",
        "\u00fc",
        "h" * 129,
        1,
        None,
        True,
        ["hushed"],
        {"h": "h"},
    ):
        found = findings((PUBLIC, "p"), (PRIVATE, value))
        text = "is not a text of 1 to 128 printable ASCII characters without spaces"
        assert found == {PRIVATE: text}


def test_a_name_from_outside_is_cut_and_made_plain_and_findings_are_bounded() -> None:
    (name,) = {*findings((PUBLIC, "p"), (PRIVATE, "s"), ("\u00e4\x00\n" + "x" * 99, "v"))}
    assert name == "???" + "x" * 61 + "..."
    assert len(findings(*((f"X{n}", "v") for n in range(99)))) == 32


@pytest.mark.parametrize("shown", ["****", "********", "********cdef", "****cdef", "*********x"])
def test_a_masked_value_is_refused_where_a_secret_belongs(shown: str) -> None:
    assert findings((PUBLIC, "p"), (PRIVATE, shown)) == {
        PRIVATE: "is a masked value, as it is shown; give the whole secret"
    }
    assert not isinstance(read_parameters("SIM", [(PUBLIC, shown), (PRIVATE, "s")]), Denied)


def test_a_secret_shows_its_last_four_characters_and_a_short_one_nothing() -> None:
    for secret, shown in ((LONG, "********cdef"), (LONG[:15], "********"), ("s", "********")):
        assert masked("SIM", {PUBLIC: LONG, PRIVATE: secret}) == {PRIVATE: shown, PUBLIC: LONG}
        assert PRIVATE in findings((PUBLIC, "p"), (PRIVATE, shown))


def test_a_login_is_the_same_by_what_is_not_secret_of_it() -> None:
    key = bytes(32)

    def of(account: str, public: str, private: str) -> bytes:
        return fingerprint(key, account, {PUBLIC: public, PRIVATE: private})

    assert of("SIM/A", "p", "s") == of("SIM/B", "p", "t")
    assert of("SIM/A", "p", "s") != of("SIM/A", "q", "s")
    assert fingerprint(bytes(31) + b"1", "SIM/A", {PUBLIC: "p"}) != of("SIM/A", "p", "s")
