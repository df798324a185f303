"""Accounts as they are configured: their names and their parameters."""

from pathlib import Path

import pytest

from fairlead.config import AccountConfig, ConfigError, load

TAG_64 = "a" * 64


def accounts(data: Path, given: object = None) -> tuple[AccountConfig, ...]:
    flags: dict[str, object] = {"data": str(data)}
    if given is not None:
        flags["accounts"] = given
    return load(None, {}, flags).accounts


def refusal(tmp_path: Path, text: str) -> str:
    file = tmp_path / "fairlead.toml"
    file.write_text(f'data = "data"\n{text}')
    with pytest.raises(ConfigError) as caught:
        load(file, {}, {})
    (finding,) = caught.value.findings
    assert not (tmp_path / "data").exists()
    return finding


@pytest.mark.parametrize(
    "name",
    ["SIM", "SIM/ALICE", "SIM~a", "SIM,a", "SIM//", "SIM=+", f"SIM/{TAG_64}", "SIM_7c17-64.1:x"],
)
def test_names_of_the_contract_are_taken(tmp_path: Path, name: str) -> None:
    assert [each.exchange_id for each in accounts(tmp_path, [name])] == [name]
    assert [each.exchange_id for each in accounts(tmp_path, [name])] == [name]


@pytest.mark.parametrize(
    "name", ["", "sim", "SIM/", "SIM ALICE", "SIM/ä", f"SIM/{TAG_64}a", "SIM(A", "/SIM", "SIM/A\n"]
)
def test_other_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="expected an exchange such as SIM"):
        accounts(tmp_path, [name])


def test_an_exchange_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        accounts(tmp_path, ["KRAKEN/JOHN"])
    assert str(caught.value) == (
        '--account: exchange_id is "KRAKEN/JOHN"; expected an account at one of: SIM'
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("accounts = 1", "expected a list of tables [[accounts]]"),
        ("accounts = [1]", "an account without exchange_id"),
        ("[[accounts]]\nname = 'SIM'", "an account without exchange_id"),
        ("[[accounts]]\nexchange_id = 1", "exchange_id is 1; expected an exchange such as SIM"),
        ("[[accounts]]\nexchange_id = 'SIM'\nkeys = 1", "SIM has keys; expected exchange_id and"),
        ("accounts = ['SIM', 'SIM']", "SIM is given twice"),
        ("[[accounts]]\nexchange_id = 'SIM'\nparameters = 1", "parameters of SIM is not a table"),
        (
            "[[accounts]]\nexchange_id = 'SIM'\n[accounts.parameters]\nPassPhrase = 'x'",
            "parameter PassPhrase of SIM is unknown; expected PrivateApiKey and PublicApiKey",
        ),
        (
            "[[accounts]]\nexchange_id = 'SIM'\n[accounts.parameters]\nPublicApiKey = 'x'",
            "SIM lacks parameter PrivateApiKey",
        ),
    ],
)
def test_a_wrong_account_is_named(tmp_path: Path, text: str, named: str) -> None:
    assert f"accounts: {named}" in refusal(tmp_path, text)


def test_a_secret_is_never_repeated(tmp_path: Path) -> None:
    text = "[[accounts]]\nexchange_id = 'SIM'\n[accounts.parameters]\nPrivateApiKey = 'my secret'"
    finding = refusal(tmp_path, text)
    assert "PrivateApiKey" in finding
    assert "my secret" not in finding
    assert "hidden" not in repr(AccountConfig("SIM", {"PrivateApiKey": "hidden"}))


def test_without_accounts_and_without_keys_nothing_is_made(tmp_path: Path) -> None:
    assert accounts(tmp_path) == ()
    assert accounts(tmp_path, "SIM SIM/ALICE") == (
        AccountConfig("SIM", {}),
        AccountConfig("SIM/ALICE", {}),
    )
    assert [*tmp_path.iterdir()] == []


def test_given_keys_are_used_and_kept_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "fairlead.toml"
    file.write_text(
        'data = "data"\n[[accounts]]\nexchange_id = "SIM"\n[accounts.parameters]\n'
        'PublicApiKey = "p"\nPrivateApiKey = "s"\n'
    )
    assert load(file, {}, {}).accounts == (
        AccountConfig("SIM", {"PublicApiKey": "p", "PrivateApiKey": "s"}),
    )
    assert not (tmp_path / "data").exists()


def test_an_open_network_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    flags = {"data": str(tmp_path / "data"), "listen": "0.0.0.0:3080"}
    with pytest.raises(ConfigError, match="not a loopback address") as caught:
        load(None, {}, flags)
    assert "--allow-open-network" in str(caught.value)
    assert not (tmp_path / "data").exists()
    assert load(None, {}, {**flags, "allow_open_network": True}).host == "0.0.0.0"
