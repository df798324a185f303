"""The configured accounts in the control plane: imported once, and told apart from what counts afterwards."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from fairlead.config import AccountConfig, Config
from fairlead.config.importing import AccountRefused, import_accounts
from fairlead.control.audit import Actor
from fairlead.control.control import Control
from tests.control.killing import killed_at

NOW = 1
OWNER = Actor("owner", "local", "machine")
KEYS = {"PrivateApiKey": "hush", "PublicApiKey": "bob"}
BOB = AccountConfig("SIM/BOB", KEYS)
ALICE = AccountConfig("SIM/ALICE", {})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def control(data: Path) -> Iterator[Control]:
    with Control.open(data, None, None, "local", NOW) as opened:
        yield opened


def imported(control: Control, data: Path, *accounts: AccountConfig) -> list[tuple[str, str]]:
    """Import, and return what the log says, by event and account."""
    with capture_logs() as logs:
        import_accounts(Config(data=data, accounts=accounts), control.accounts, NOW)
    return [(each["event"], each.get("account", "")) for each in logs]


def held(control: Control) -> dict[str, dict[str, str]]:
    return {each.exchange_id: each.parameters for each in control.accounts.listed()}


def keep(data: Path, *accounts: AccountConfig) -> Path:
    """Write the file of an earlier version."""
    file = data / "accounts.toml"
    lines = []
    for each in accounts:
        lines += ["[[accounts]]", f'exchange_id = "{each.exchange_id}"', "[accounts.parameters]"]
        lines += [f'{name} = "{value}"' for name, value in each.parameters.items()]
    file.write_text("\n".join(lines) + "\n")
    return file


# ── once ─────────────────────────────────────────────────────────────────────────────────────────


def test_without_accounts_there_is_one_whose_keys_stay_the_same(
    control: Control, data: Path
) -> None:
    assert imported(control, data) == [("account imported", "SIM")]
    first = held(control)
    assert {name: len(value) for name, value in first["SIM"].items()} == {
        "PublicApiKey": 32,
        "PrivateApiKey": 64,
    }
    assert imported(control, data) == []
    assert held(control) == first
    assert "accounts.toml" not in [each.name for each in data.iterdir()]


def test_each_is_imported_with_its_keys_or_with_new_ones_of_its_own(
    control: Control, data: Path
) -> None:
    assert imported(control, data, BOB, ALICE) == [
        ("account imported", "SIM/BOB"),
        ("account imported", "SIM/ALICE"),
    ]
    first = held(control)
    assert first["SIM/BOB"] == KEYS
    assert imported(control, data, BOB, ALICE) == []
    assert imported(control, data, BOB, ALICE, AccountConfig("SIM/CAROL", {})) == [
        ("account imported", "SIM/CAROL")
    ]
    third = held(control).pop("SIM/CAROL")
    assert third["PublicApiKey"] != first["SIM/ALICE"]["PublicApiKey"]
    assert [(row.actor, row.action) for row in control.audit.last(9)] == [
        ("configuration", "account.add")
    ] * 3


# ── what the configuration says later ────────────────────────────────────────────────────────────


def test_other_parameters_change_nothing_and_are_logged_without_them(
    control: Control, data: Path
) -> None:
    imported(control, data, BOB)
    other = AccountConfig("SIM/BOB", {"PublicApiKey": "rob", "PrivateApiKey": "lullaby"})
    with capture_logs() as logs:
        import_accounts(Config(data=data, accounts=(other,)), control.accounts, NOW)
    (told,) = logs
    assert (told["event"], told["account"]) == (
        "configured account has other parameters",
        "SIM/BOB",
    )
    assert told["log_level"] == "warning"
    assert "lullaby" not in repr(logs)
    assert held(control) == {"SIM/BOB": KEYS}


def test_a_deleted_account_does_not_come_back_from_the_configuration(
    control: Control, data: Path
) -> None:
    imported(control, data, BOB)
    control.accounts.delete(OWNER, ["SIM/BOB"], NOW)
    assert imported(control, data, BOB) == [("configured account was deleted", "SIM/BOB")]
    assert imported(control, data) == []  # nor does one that nobody asked for
    assert held(control) == {}


def test_one_that_is_no_longer_configured_stays_and_one_that_never_was_is_not_missed(
    control: Control, data: Path
) -> None:
    imported(control, data, BOB, ALICE)
    given = [("PublicApiKey", "carol"), ("PrivateApiKey", "s")]
    control.accounts.put(OWNER, "SIM/CAROL", given, NOW, may_change_login=False)
    assert imported(control, data, BOB) == [
        ("account is no longer configured, and stays", "SIM/ALICE")
    ]
    assert sorted(held(control)) == ["SIM/ALICE", "SIM/BOB", "SIM/CAROL"]


def test_two_that_are_one_login_are_refused(control: Control, data: Path) -> None:
    with pytest.raises(AccountRefused, match="SIM/ROB cannot be imported: the login of SIM/ROB"):
        imported(control, data, BOB, AccountConfig("SIM/ROB", KEYS))
    assert [*held(control)] == ["SIM/BOB"]


# ── the file of earlier versions ─────────────────────────────────────────────────────────────────


def test_keys_that_an_earlier_version_made_are_taken_over_and_its_file_is_gone(
    control: Control, data: Path
) -> None:
    file = keep(data, AccountConfig("SIM", KEYS))
    assert imported(control, data) == [("account imported", "SIM"), ("accounts file erased", "")]
    assert held(control) == {"SIM": KEYS}
    assert not file.exists()


def test_its_file_stays_while_it_has_the_only_keys_of_an_account(
    control: Control, data: Path
) -> None:
    carol = AccountConfig("SIM/CAROL", {"PublicApiKey": "carol", "PrivateApiKey": "s"})
    file = keep(data, BOB, carol)
    bob = AccountConfig("SIM/BOB", {})
    assert imported(control, data, bob) == [
        ("account imported", "SIM/BOB"),
        ("accounts file stays", ""),
    ]
    assert file.exists()
    control.accounts.delete(OWNER, ["SIM/BOB"], NOW)
    both = (bob, AccountConfig("SIM/CAROL", {}))
    assert ("accounts file erased", "") in imported(control, data, *both)
    assert held(control) == {"SIM/CAROL": carol.parameters}
    assert not file.exists()  # and with it what it had of the deleted account


@pytest.mark.parametrize(
    "text",
    ["", "accounts = 1", "[[accounts]]\nexchange_id = 'sim'", "="],
    ids=["empty", "no-list", "no-account", "no-toml"],
)
def test_a_file_that_was_changed_is_refused_and_left_alone(
    control: Control, data: Path, text: str
) -> None:
    file = data / "accounts.toml"
    file.write_text(text)
    with pytest.raises(AccountRefused, match="put the file back as it was"):
        imported(control, data)
    assert file.read_text() == text


def import_once(data: Path) -> None:
    with Control.open(data, None, None, "local", NOW) as control:
        import_accounts(Config(data=data, accounts=(BOB, ALICE)), control.accounts, NOW)


def test_killed_at_any_line_the_next_start_imports_the_rest(tmp_path: Path) -> None:
    for line in count(3, 61):
        data = tmp_path / f"data{line}"
        data.mkdir()
        keep(data, AccountConfig("SIM/ALICE", {**KEYS, "PublicApiKey": "alice"}))
        was_killed = killed_at(line, import_once, data)
        import_once(data)
        with Control.open(data, None, None, "local", NOW) as control:
            assert held(control) == {
                "SIM/ALICE": {**KEYS, "PublicApiKey": "alice"},
                "SIM/BOB": KEYS,
            }
            assert len(control.audit.last(9)) == 2
            assert control.audit.verify().holds
        assert not [*data.glob("*accounts.toml*"), *data.glob(".*accounts.toml*")]
        if not was_killed:
            break
