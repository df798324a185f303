"""What is sealed opens in its place and nowhere else; keys are turned over whatever interrupts that."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from fairlead.control.control import Control
from fairlead.control.key_changes import Wanted
from fairlead.control.key_file import KeyRefused
from fairlead.control.keys import Kind
from fairlead.control.rotation import rotate
from fairlead.control.tables import SUBSCRIPTIONS
from fairlead.control.vault import Place, SealBroken
from tests.control.conftest import OWNER, OpenControl
from tests.control.killing import killed_at

PLACE = Place("local", "account", "SIM/BOB", "PrivateApiKey", 1)
SECRET = b"hush, little baby"


def sealed_by(control: Control, place: Place = PLACE) -> bytes:
    with control.store.read() as connection:
        return control.vault.seal(connection, place, SECRET)


def opened_by(control: Control, sealed: bytes, place: Place = PLACE) -> bytes:
    with control.store.read() as connection:
        return control.vault.open(connection, place, sealed)


def key_names(control: Control) -> set[str]:
    with control.store.read() as connection:
        return set(connection.execute(select(SUBSCRIPTIONS.c.key_name)).scalars())


# ── sealing ──────────────────────────────────────────────────────────────────────────────────────


def test_what_is_sealed_opens_again_also_in_another_process(open_control: OpenControl) -> None:
    sealed = sealed_by(open_control())
    assert SECRET not in sealed
    assert opened_by(open_control(), sealed) == SECRET


def test_the_same_secret_is_sealed_differently_each_time(control: Control) -> None:
    assert len({sealed_by(control) for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "key"},
        {"name": "SIM/BO"},
        {"field": "PublicApiKey"},
        {"version": 2},
        {"kind": "accountS", "name": "IM/BOB"},
    ],
)
def test_a_swapped_secret_does_not_open(control: Control, changes: dict[str, object]) -> None:
    elsewhere = msgspec.structs.replace(PLACE, **changes)
    with pytest.raises(SealBroken, match="does not open") as caught:
        opened_by(control, sealed_by(control), elsewhere)
    assert SECRET.decode() not in str(caught.value)


def test_a_secret_of_another_subscription_does_not_open(control: Control) -> None:
    with control.store.change() as change:
        control.vault.add_subscription(change, "other", 1)
    with pytest.raises(SealBroken):
        opened_by(control, sealed_by(control), msgspec.structs.replace(PLACE, subscription="other"))


def test_no_byte_of_it_can_be_changed(control: Control) -> None:
    sealed = sealed_by(control)
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(SealBroken):
            opened_by(control, changed)
    for size in range(len(sealed)):
        with pytest.raises(SealBroken):
            opened_by(control, sealed[:size])


def test_derived_keys_differ_by_purpose_and_subscription_and_stay(
    open_control: OpenControl,
) -> None:
    control = open_control()
    with control.store.change() as change:
        control.vault.add_subscription(change, "other", 1)

    def derived(control: Control) -> list[bytes]:
        with control.store.read() as connection:
            return [
                control.vault.derived(connection, name, purpose)
                for name in ("local", "other")
                for purpose in ("audit", "login")
            ]

    assert len(set(derived(control))) == 4
    assert derived(control) == derived(open_control())


# ── starts ───────────────────────────────────────────────────────────────────────────────────────


def test_a_first_start_makes_the_key_and_a_later_one_needs_it(open_control: OpenControl) -> None:
    control = open_control()
    control.keeper.path.unlink()
    with pytest.raises(KeyRefused, match="is missing"):
        open_control()
    assert not control.keeper.exists()


def test_another_key_is_refused_by_name(open_control: OpenControl) -> None:
    control = open_control()
    (locked_by,) = key_names(control)
    control.keeper.path.unlink()
    control.keeper.create()
    with pytest.raises(KeyRefused, match=f"are locked by key {locked_by}; put that one back"):
        open_control()
    assert key_names(control) == {locked_by}


def test_eight_first_starts_at_once_agree(tmp_path: Path, database_url: str | None) -> None:
    def start(_: int) -> bytes:
        control = Control.open(tmp_path / "data", database_url, None, "local", 1)
        with control, control.store.read() as connection:
            return control.vault.derived(connection, "local", "audit")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(8)))) == 1


def start_once(data: Path, url: str | None) -> None:
    Control.open(data, url, None, "local", 1).close()


def test_a_first_start_killed_at_any_line_is_made_good_by_the_next(
    tmp_path: Path, database_url: str | None
) -> None:
    for line in count(1, 17):
        data = tmp_path / f"data-{line}" if database_url is None else tmp_path / "data"
        was_killed = killed_at(line, start_once, data, database_url)
        with Control.open(data, database_url, None, "local", 1) as control:
            assert opened_by(control, sealed_by(control)) == SECRET
        if not was_killed:
            break


# ── rotation ─────────────────────────────────────────────────────────────────────────────────────


def test_a_rotation_wraps_every_data_key_anew_and_no_secret(open_control: OpenControl) -> None:
    control = open_control()
    with control.store.change() as change:
        control.vault.add_subscription(change, "other", 1)
    old, sealed = control.keeper.newest(), sealed_by(control)
    rotated = rotate(control, OWNER, 1)
    assert rotated.data_keys == 2
    assert key_names(control) == {rotated.key_name} != {old.name}
    assert [*control.keeper.keys()] == [rotated.key_name]
    assert opened_by(control, sealed) == SECRET  # a running system does not notice
    assert opened_by(open_control(), sealed) == SECRET


def test_the_old_key_opens_nothing_after_a_rotation(open_control: OpenControl) -> None:
    control = open_control()
    old = control.keeper.path.read_bytes()
    rotate(control, OWNER, 1)
    control.keeper.path.unlink()
    control.keeper.path.write_bytes(old)
    control.keeper.path.chmod(0o400)
    with pytest.raises(KeyRefused, match="put that one back"):
        open_control()


def rotate_once(data: Path, url: str | None) -> None:
    with Control.open(data, url, None, "local", 1) as control:
        rotate(control, OWNER, 1)


def test_a_rotation_killed_at_any_line_leaves_everything_readable_and_goes_on(
    tmp_path: Path, open_control: OpenControl, database_url: str | None
) -> None:
    control = open_control()
    with control.store.change() as change:
        for number in range(3):
            control.vault.add_subscription(change, f"other-{number}", 1)
    sealed = sealed_by(control)
    killed = ended = 0
    for line in range(1, 500, 25):
        before = key_names(control)
        if killed_at(line, rotate_once, tmp_path / "data", database_url):
            killed += 1
        else:
            ended += 1
            assert len(key_names(control)) == 1
            assert key_names(control) != before
        again = open_control()
        assert opened_by(again, sealed) == SECRET
        again.close()
    assert killed > 5, (killed, ended)
    rotated = rotate(control, OWNER, 1)
    assert key_names(control) == {rotated.key_name}
    assert [each.name for each in tmp_path.iterdir() if "key" in each.name] == ["data.key"]


def test_what_is_sealed_while_keys_are_turned_over_opens(open_control: OpenControl) -> None:
    controls = [open_control() for _ in range(8)]
    pairs = [("PrivateApiKey", "a-private-key-of-it")]

    def work(racer: int) -> None:
        control = controls[racer]
        for turn in range(3):
            if racer < 2:
                rotate(control, OWNER, 1)
            elif racer < 5:
                name = f"SIM/{racer}x{turn}"
                login = [("PublicApiKey", name), *pairs]
                control.accounts.put(OWNER, name, login, 1, may_change_login=False)
            else:
                wanted = Wanted(label=f"Bot{racer}{turn}", kind=Kind.HMAC, days=1)
                control.keyring.create(OWNER, wanted, 1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    control = open_control()
    accounts = control.accounts.listed()
    assert {each.parameters["PrivateApiKey"] for each in accounts} == {"a-private-key-of-it"}
    assert len(accounts) == len(control.keyring.usable()) == 9
    assert key_names(control) == {control.keeper.newest().name}
    assert control.audit.verify().holds


def test_eight_rotations_at_once_end_with_one_key(
    tmp_path: Path, open_control: OpenControl, database_url: str | None
) -> None:
    control = open_control()
    sealed = sealed_by(control)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: rotate_once(tmp_path / "data", database_url), range(8)))
    assert key_names(control) == {control.keeper.newest().name}
    assert opened_by(open_control(), sealed) == SECRET
