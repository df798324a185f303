"""usage: what is printed of what keys have used, and how it ends."""

from pathlib import Path

import pytest

from fairlead.control.store import Store
from fairlead.control.usage import Batch, Used
from fairlead.control.usage_book import UsageBook
from tests.commands.terminal import Run, fairlead


def run(folder: Path, *arguments: str) -> Run:
    return fairlead("usage", *arguments, "--data", "data", folder=folder)


@pytest.fixture(scope="module")
def metered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with usage of one key, Bot1, and the key's public id."""
    folder = tmp_path_factory.mktemp("usage")
    made = fairlead("keys", "create", "Bot1", "--json", "--data", "data", folder=folder).json
    kid: str = made["kid"]

    def used(day: str, account: str, **counts: int) -> Used:
        return Used(subscription="local", day=day, kid=kid, account=account, **counts)

    rows = (
        used("2026-11-26", "SIM", requests=5, orders=4),
        used("2026-11-27", "SIM", requests=3, orders=2),
        used("2026-11-27", "", requests=1, websocket_ms=61_250, fix_ms=40),
    )
    with Store.open(folder / "data") as store:
        UsageBook(store).add("process", Batch(1, rows), 1)
    return folder, kid


def test_days_and_accounts_are_a_table(metered: tuple[Path, str]) -> None:
    printed = run(metered[0], "--from", "2026-11-26", "--to", "2026-11-27")
    assert (printed.code, printed.err) == (0, "")
    assert [line.split() for line in printed.out.splitlines()] == [
        ["day", "key", "account", "requests", "orders", "websocket", "s", "FIX", "s"],
        ["2026-11-27", "Bot1", "-", "1", "0", "61.2", "0.0"],
        ["2026-11-27", "Bot1", "SIM", "3", "2", "0.0", "0.0"],
        ["2026-11-26", "Bot1", "SIM", "5", "4", "0.0", "0.0"],
    ]


def test_a_script_reads_what_it_asks_for(metered: tuple[Path, str]) -> None:
    folder, kid = metered
    days = ("--from", "2026-11-27", "--to", "2026-11-27")
    for name in ("Bot1", "bot1", kid):
        (row,) = run(folder, *days, "--key", name, "--account", "SIM", "--json").json
        assert row == {
            "day": "2026-11-27",
            "key": kid,
            "label": "Bot1",
            "account": "SIM",
            "requests": 3,
            "orders": 2,
            "connected_websocket_ms": 0,
            "connected_fix_ms": 0,
        }
    assert run(folder, *days, "--account", "SIM/EVE", "--json").json == []


def test_where_nothing_was_used_it_says_so(metered: tuple[Path, str]) -> None:
    printed = run(metered[0], "--to", "2026-01-31")
    assert (printed.code, printed.out) == (0, "nothing was used from 2026-01-01 to 2026-01-31\n")


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (("--from", "yesterday"), 2, "--from yesterday is not a day such as 2026-11-27"),
        (("--from", "2026-11-28", "--to", "2026-11-27"), 2, "is after --to 2026-11-27"),
        (("--key", "Nobody1"), 1, "there is no key Nobody1"),
    ],
)
def test_what_is_wrong_is_said(
    metered: tuple[Path, str], flags: tuple[str, ...], code: int, words: str
) -> None:
    printed = run(metered[0], *flags)
    assert printed.code == code
    assert words in printed.err
