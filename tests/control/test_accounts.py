"""Accounts of a subscription: set, deleted, listed; every refusal, every race, on both databases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from fairlead.control import accounts as accounts_module
from fairlead.control.accounts import Accounts, Kept, Set, all_accounts
from fairlead.control.audit import Audit
from fairlead.control.control import Control
from fairlead.control.keys import Denied
from fairlead.control.logins import Account
from fairlead.control.tables import ACCOUNTS
from fairlead.control.vault import SealBroken
from tests.control.conftest import OWNER, OpenControl
from tests.control.killing import killed_at

NOW = 1_000
PUBLIC, PRIVATE = "PublicApiKey", "PrivateApiKey"
SECRET = "hush-little-baby-do-not-say-a-word"


def login(public: str, private: str = SECRET) -> list[tuple[str, object]]:
    return [(PUBLIC, public), (PRIVATE, private)]


def put(
    control: Control,
    name: str,
    public: str,
    private: str = SECRET,
    *,
    may_change_login: bool = False,
) -> Set | Denied:
    return control.accounts.put(
        OWNER, name, login(public, private), NOW, may_change_login=may_change_login
    )


def was_set(result: Set | Denied) -> Account:
    assert isinstance(result, Set), result
    return result.account


def code(result: object) -> str:
    assert isinstance(result, Denied), result
    return result.code


def names(control: Control) -> list[str]:
    return [account.exchange_id for account in control.accounts.listed()]


def rows(control: Control) -> list[dict[str, object]]:
    """Return the rows of accounts as they are in the database."""
    with control.store.read() as connection:
        found = connection.execute(select(ACCOUNTS).order_by(ACCOUNTS.c.exchange_id))
        return [row._asdict() for row in found]


def told(control: Control) -> list[tuple[str, str, str]]:
    return [(row.action, row.target, row.outcome) for row in control.audit.last(1_000)]


def of_desk(control: Control, data: Path) -> Accounts:
    """Return the accounts of another subscription in the same database."""
    with control.store.change() as change:
        control.vault.add_subscription(change, "desk", NOW)
    audit = Audit(control.store, control.vault, "desk", data)
    return Accounts(control.store, control.vault, audit, "desk")


# ── setting ──────────────────────────────────────────────────────────────────────────────────────


def test_an_account_is_added_and_read_again_by_another_process(open_control: OpenControl) -> None:
    control = open_control()
    assert control.accounts.listed() == []
    result = put(control, "SIM/BOB", "bob")
    account = was_set(result)
    assert isinstance(result, Set)
    assert result.is_new
    assert account.parameters == {PUBLIC: "bob", PRIVATE: SECRET}
    assert account.version == 1
    assert open_control().accounts.listed() == [account]
    assert told(control) == [("account.add", "SIM/BOB", "done")]


def test_a_secret_is_written_and_shown_nowhere(control: Control, tmp_path: Path) -> None:
    account = was_set(put(control, "SIM/BOB", "bob"))
    was_set(put(control, "SIM/BOB", "bob", SECRET + "2"))
    assert account.masked == {PUBLIC: "bob", PRIVATE: "********word"}
    assert SECRET not in f"{account!r} {rows(control)} {control.audit.last(9)}"
    assert SECRET.encode() not in repr(rows(control)).encode()
    for file in (each for each in tmp_path.rglob("*") if each.is_file()):
        assert SECRET.encode() not in file.read_bytes(), file


def test_an_update_replaces_all_and_keeps_when_it_began(control: Control) -> None:
    first = was_set(put(control, "SIM/BOB", "bob"))
    result = control.accounts.put(
        OWNER, "SIM/BOB", login("bob", "other"), NOW + 1, may_change_login=False
    )
    account = was_set(result)
    assert isinstance(result, Set)
    assert not result.is_new
    assert account == msgspec.structs.replace(
        first, parameters={PUBLIC: "bob", PRIVATE: "other"}, version=2
    )
    assert control.accounts.listed() == [account]
    (_, update) = control.audit.last(2)
    assert update.action == "account.update"
    assert '"version":1' in update.before
    assert '"version":2' in update.after


def test_setting_what_is_so_already_changes_nothing(control: Control) -> None:
    first = was_set(put(control, "SIM/BOB", "bob"))
    before = rows(control)
    assert was_set(put(control, "SIM/BOB", "bob")) == first
    assert rows(control) == before
    assert len(told(control)) == 1


@pytest.mark.parametrize(
    ("name", "given", "why"),
    [
        ("sim", login("bob"), "exchange_id_invalid"),
        ("KRAKEN", login("bob"), "exchange_id_invalid"),
        ("SIM\x00", login("bob"), "exchange_id_invalid"),
        ("SIM/BOB", [(PUBLIC, "bob")], "parameters_invalid"),
        ("SIM/BOB", [*login("bob"), ("PassPhrase", "x")], "parameters_invalid"),
        ("SIM/BOB", login("bob", "********word"), "parameters_invalid"),
        ("SIM/BOB", login("bob bob"), "parameters_invalid"),
    ],
)
def test_what_is_wrong_changes_nothing_and_is_audited(
    control: Control, name: str, given: list[tuple[str, object]], why: str
) -> None:
    first = was_set(put(control, "SIM/BOB", "bob"))
    assert code(control.accounts.put(OWNER, name, given, NOW, may_change_login=True)) == why
    assert control.accounts.listed() == [first]
    assert [outcome for _, _, outcome in told(control)] == ["done", "refused"]
    assert not control.accounts.changes_login(name, given)
    assert SECRET not in repr(control.audit.last(9))


# ── logins ───────────────────────────────────────────────────────────────────────────────────────


def test_one_login_is_one_account_also_of_another_subscription_whose_name_is_not_told(
    control: Control, tmp_path: Path
) -> None:
    was_set(put(control, "SIM/BOB", "bob"))
    assert code(put(control, "SIM/ROB", "bob", "another-secret")) == "login_taken"
    desk = of_desk(control, tmp_path / "data")
    denied = desk.put(OWNER, "SIM/DESK", login("bob"), NOW, may_change_login=True)
    assert code(denied) == "login_taken"
    assert "BOB" not in repr(denied)
    assert desk.listed() == []
    assert isinstance(desk.put(OWNER, "SIM/BOB", login("desk"), NOW, may_change_login=True), Set)
    assert names(control) == ["SIM/BOB"]


def test_an_account_takes_no_login_of_another_by_an_update(control: Control) -> None:
    was_set(put(control, "SIM/ALICE", "alice"))
    bob = was_set(put(control, "SIM/BOB", "bob"))
    assert code(put(control, "SIM/BOB", "alice", may_change_login=True)) == "login_taken"
    assert control.accounts.listed()[1] == bob


def test_a_login_changes_only_when_it_may(control: Control) -> None:
    first = was_set(put(control, "SIM/BOB", "bob"))
    assert not control.accounts.changes_login("SIM/BOB", login("bob", "other"))
    assert control.accounts.changes_login("SIM/BOB", login("rob"))
    assert not control.accounts.changes_login("SIM/ROB", login("rob"))
    denied = put(control, "SIM/BOB", "rob")
    assert code(denied) == "orders_unsettled"
    assert control.accounts.listed() == [first]
    assert was_set(put(control, "SIM/BOB", "rob", may_change_login=True)).version == 2


def test_a_deleted_name_is_kept_for_its_login_and_the_login_is_free(control: Control) -> None:
    was_set(put(control, "SIM/BOB", "bob"))
    assert control.accounts.delete(OWNER, ["SIM/BOB"], NOW) == ["SIM/BOB"]
    assert control.accounts.changes_login("SIM/BOB", login("rob"))
    assert code(put(control, "SIM/BOB", "rob")) == "orders_unsettled"
    assert was_set(put(control, "SIM/ROB", "bob")).version == 1
    assert code(put(control, "SIM/BOB", "bob")) == "login_taken"
    control.accounts.delete(OWNER, ["SIM/ROB"], NOW)
    again = put(control, "SIM/BOB", "bob")
    assert isinstance(again, Set)
    assert again.is_new
    assert again.account.version == 3  # a secret that was sealed before does not open in its place


def test_a_sealed_secret_opens_in_no_other_account(control: Control) -> None:
    was_set(put(control, "SIM/ALICE", "alice"))
    was_set(put(control, "SIM/BOB", "bob"))
    alice = next(row for row in rows(control) if row["exchange_id"] == "SIM/ALICE")
    with control.store.change() as change:
        swapped = ACCOUNTS.update().filter_by(exchange_id="SIM/BOB")
        change.execute(swapped.values(parameters=alice["parameters"]))
    with pytest.raises(SealBroken, match="SIM/BOB"):
        control.accounts.listed()
    told_of = all_accounts(control.store, control.vault, {})["local"]
    assert [*told_of] == ["SIM/ALICE"]  # the others are told all the same
    bob = msgspec.structs.replace(told_of["SIM/ALICE"], exchange_id="SIM/BOB", version=0)
    known = {"local": {"SIM/BOB": bob}}
    assert all_accounts(control.store, control.vault, known)["local"]["SIM/BOB"] is bob


def test_all_are_told_by_subscription_and_only_what_has_changed_is_opened_anew(
    control: Control, tmp_path: Path
) -> None:
    desk = of_desk(control, tmp_path / "data")
    assert all_accounts(control.store, control.vault, {}) == {}
    bob = was_set(put(control, "SIM/BOB", "bob"))
    desk.put(OWNER, "SIM/BOB", login("desk"), NOW, may_change_login=False)
    first = all_accounts(control.store, control.vault, {})
    assert first == {"local": {"SIM/BOB": bob}, "desk": {"SIM/BOB": desk.listed()[0]}}
    changed = was_set(put(control, "SIM/BOB", "bob", "another-secret"))
    second = all_accounts(control.store, control.vault, first)
    assert second["local"] == {"SIM/BOB": changed}
    assert second["desk"]["SIM/BOB"] is first["desk"]["SIM/BOB"]
    control.accounts.delete_all(OWNER, NOW)
    assert "local" not in all_accounts(control.store, control.vault, second)


# ── deleting ─────────────────────────────────────────────────────────────────────────────────────


def test_deleting_erases_the_credentials_and_says_what_is_left(
    control: Control, tmp_path: Path
) -> None:
    was_set(put(control, "SIM/BOB", "bob"))
    (row,) = rows(control)
    sealed = row["parameters"]
    assert isinstance(sealed, bytes)
    assert control.accounts.delete(OWNER, ["SIM/BOB"], NOW, {"SIM/BOB": 3}) == ["SIM/BOB"]
    assert control.accounts.listed() == []
    assert control.accounts.kept() == [Kept("SIM/BOB", True, False, 2)]
    (row,) = rows(control)
    assert row["parameters"] is None
    audited = control.audit.last(1)[0]
    assert '"credentials":"erased"' in audited.after
    assert '"orders_left_open_at_the_exchange":3' in audited.after
    for file in (each for each in tmp_path.rglob("*") if each.is_file()):
        assert sealed not in file.read_bytes(), file


def test_what_an_update_replaces_is_erased(control: Control, tmp_path: Path) -> None:
    was_set(put(control, "SIM/BOB", "bob"))
    (row,) = rows(control)
    sealed = row["parameters"]
    assert isinstance(sealed, bytes)
    was_set(put(control, "SIM/BOB", "bob", "another-secret"))
    for file in (each for each in tmp_path.rglob("*") if each.is_file()):
        assert sealed not in file.read_bytes(), file


def test_several_are_deleted_all_or_none(control: Control) -> None:
    for name in ("A", "B", "C"):
        was_set(put(control, f"SIM/{name}", name))
    before = rows(control)
    denied = control.accounts.delete(OWNER, ["SIM/A", "SIM/X", "SIM/B"], NOW)
    assert code(denied) == "account_unknown"
    assert isinstance(denied, Denied)
    assert denied.message == 'there is no account "SIM/X"; nothing was deleted'
    assert rows(control) == before
    assert control.accounts.delete(OWNER, ["SIM/A", "SIM/C", "SIM/A"], NOW) == ["SIM/A", "SIM/C"]
    assert names(control) == ["SIM/B"]
    assert told(control)[3:] == [
        ("account.delete", "SIM/X", "refused"),
        ("account.delete", "SIM/A", "done"),
        ("account.delete", "SIM/C", "done"),
    ]


def test_all_of_the_subscription_are_deleted_and_no_others(
    control: Control, tmp_path: Path
) -> None:
    desk = of_desk(control, tmp_path / "data")
    assert isinstance(desk.put(OWNER, "SIM/D", login("d"), NOW, may_change_login=False), Set)
    for name in ("A", "B"):
        was_set(put(control, f"SIM/{name}", name))
    assert control.accounts.delete_all(OWNER, NOW) == ["SIM/A", "SIM/B"]
    assert control.accounts.delete_all(OWNER, NOW) == []
    assert [each.exchange_id for each in desk.listed()] == ["SIM/D"]
    assert code(control.accounts.delete(OWNER, ["SIM/D"], NOW)) == "account_unknown"


def test_there_are_not_more_than_may_be(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts_module, "ACCOUNTS_MAX", 2)
    was_set(put(control, "SIM/A", "a"))
    was_set(put(control, "SIM/B", "b"))
    assert code(put(control, "SIM/C", "c")) == "accounts_too_many"
    was_set(put(control, "SIM/A", "a", "another"))
    control.accounts.delete(OWNER, ["SIM/B"], NOW)
    was_set(put(control, "SIM/C", "c"))


# ── races, and ends in the middle ────────────────────────────────────────────────────────────────


def raced(open_control: OpenControl, work: Callable[[Control, int], object]) -> list[object]:
    controls = [open_control() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(work, controls, range(8)))


def test_eight_that_add_one_login_under_eight_names_add_one(open_control: OpenControl) -> None:
    results = raced(open_control, lambda each, racer: put(each, f"SIM/{racer}", "bob"))
    assert sum(isinstance(each, Set) for each in results) == 1
    assert {each.code for each in results if isinstance(each, Denied)} == {"login_taken"}
    control = open_control()
    assert len(rows(control)) == 1
    assert control.audit.verify().holds


def test_eight_that_add_one_name_with_eight_logins_add_one(open_control: OpenControl) -> None:
    results = raced(open_control, lambda each, racer: put(each, "SIM/BOB", f"bob{racer}"))
    assert sum(isinstance(each, Set) for each in results) == 1
    assert {each.code for each in results if isinstance(each, Denied)} == {"orders_unsettled"}
    assert len(rows(open_control())) == 1


def test_an_update_that_races_a_deletion_is_whole_or_adds_anew(open_control: OpenControl) -> None:
    control = open_control()
    was_set(put(control, "SIM/BOB", "bob"))

    def work(each: Control, racer: int) -> object:
        if racer == 0:
            return each.accounts.delete(OWNER, ["SIM/BOB"], NOW)
        return put(each, "SIM/BOB", "bob", f"secret-{racer}")

    results = raced(open_control, work)
    assert results[0] == ["SIM/BOB"]
    (row,) = rows(control)
    assert row["version"] == 9  # one, seven updates and a deletion, none of them lost
    found = control.accounts.listed()
    assert not found or found[0].parameters[PRIVATE] in {f"secret-{n}" for n in range(1, 8)}


def act_once(data: Path, url: str | None, act: str, number: int) -> None:
    with Control.open(data, url, None, "local", 1) as control:
        if act == "add":
            put(control, f"SIM/{number}", f"p{number}")
        elif act == "update":
            put(control, "SIM/BOB", "bob", f"{SECRET}{number}")
        else:
            put(control, "SIM/BOB", "bob")
            control.accounts.delete_all(OWNER, NOW)


@pytest.mark.parametrize(("act", "step"), [("add", 37), ("update", 41), ("delete", 53)])
def test_killed_at_any_line_an_account_and_its_audit_are_both_there_or_neither(
    tmp_path: Path, control: Control, database_url: str | None, act: str, step: int
) -> None:
    was_set(put(control, "SIM/BOB", "bob"))
    for line in count(3, step):
        was_killed = killed_at(line, act_once, tmp_path / "data", database_url, act, line)
        assert control.audit.verify().holds
        versions = {account.exchange_id: account.version for account in control.accounts.listed()}
        changes = {str(row["exchange_id"]): row["version"] for row in rows(control)}
        audited: dict[str, int] = {}
        for row in control.audit.last(1_000):
            audited[row.target] = audited.get(row.target, 0) + 1
        assert changes == audited  # every version has its row, and no row is of no version
        assert versions.items() <= changes.items()
        if not was_killed:
            break
