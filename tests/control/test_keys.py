"""Keys of a subscription: every cell of the state table, every form, every race, on both databases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count, product
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select

from fairlead.control import keyring
from fairlead.control.control import Control
from fairlead.control.key_changes import Edit, Wanted
from fairlead.control.key_text import hash_of, is_kid, is_proven, is_secret
from fairlead.control.keyring import Made
from fairlead.control.keys import DAY_NS, NEXT, Act, ApiKey, Denied, Kind, Scope, State, Usable
from fairlead.control.tables import KEYS
from tests.control.conftest import OWNER, OpenControl
from tests.control.killing import killed_at

NOW = 1_000 * DAY_NS
LATER = NOW + 91 * DAY_NS


def made(control: Control, label: str = "Bot1", **changes: object) -> Made:
    wanted = msgspec.structs.replace(Wanted(label=label, days=90), **changes)
    result = control.keyring.create(OWNER, wanted, NOW)
    assert isinstance(result, Made), result
    return result


def secret_of(result: Made) -> str:
    assert result.secret is not None
    return result.secret


def is_nowhere(secret: str, folder: Path) -> None:
    for file in (each for each in folder.rglob("*") if each.is_file()):
        assert secret.encode() not in file.read_bytes(), file


def denied(result: ApiKey | Made | Denied) -> str:
    assert isinstance(result, Denied), result
    return result.code


def stored(control: Control) -> list[dict[str, object]]:
    """Return the rows of keys as they are in the database."""
    with control.store.read() as connection:
        return [row._asdict() for row in connection.execute(select(KEYS).order_by(KEYS.c.kid))]


def told(control: Control) -> list[tuple[str, str]]:
    return [(row.action, row.outcome) for row in control.audit.last(1_000)]


def test_all_keys_of_a_subscription_together_are_bounded(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "KEYS_MAX", 2)
    made(control)
    wanted = Wanted(label="Bot1", days=90)
    ann, bob = control.keyring.of("usr_ann"), control.keyring.of("usr_bob")
    assert isinstance(ann.create(OWNER, wanted, NOW), Made)
    assert denied(bob.create(OWNER, wanted, NOW)) == "keys_too_many"
    assert isinstance(ann.move(OWNER, "Bot1", Act.REVOKE, NOW), ApiKey)
    assert isinstance(bob.create(OWNER, wanted, NOW), Made)


def test_of_very_many_keys_those_that_can_be_used_are_all_there(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever suspends or revokes all of somebody's keys must not miss the newest."""
    monkeypatch.setattr(keyring, "LISTED_MAX", 4)
    ann = control.keyring.of("usr_ann")
    for at in range(6):
        assert isinstance(ann.create(OWNER, Wanted(label=f"Bot{at}", days=90), NOW + at), Made)
        if at not in (0, 5):
            assert isinstance(ann.move(OWNER, f"Bot{at}", Act.REVOKE, NOW + at), ApiKey)
    assert [key.label for key in ann.listed()] == ["Bot0", "Bot3", "Bot4", "Bot5"]
    with control.audit.change() as change:
        moved = ann.move_all_in(change, OWNER, Act.SUSPEND, LATER - 2 * DAY_NS)
    assert [key.label for key in moved] == ["Bot0", "Bot5"]
    assert control.keyring.usable() == []


# ── making ───────────────────────────────────────────────────────────────────────────────────────


def test_a_new_key_may_only_read_and_ends_after_90_days(control: Control) -> None:
    assert stored(control) == []
    key = made(control).key
    assert key.rights.scopes == (Scope.READ,)
    assert (key.rights.accounts, key.rights.addresses) == (None, None)
    assert key.expires_ns == NOW + 90 * DAY_NS
    assert control.keyring.find(key.kid) == control.keyring.find("bot1") == key
    assert told(control) == [("key.create", "done")]


def test_its_secret_is_nowhere_but_in_the_answer(control: Control, tmp_path: Path) -> None:
    result = made(control)
    secret = secret_of(result)
    assert is_kid(result.key.kid)
    assert is_secret(secret)
    (row,) = stored(control)
    assert row["secret_hash"] == hash_of(secret)
    assert (row["sealed_secret"], row["public_key"]) == (None, None)
    assert secret not in f"{row} {control.audit.last(9)} {result!r}"
    is_nowhere(secret, tmp_path)


def test_a_secret_proves_its_key_and_no_other(control: Control) -> None:
    one, other = made(control, "Bot1"), made(control, "Bot2")
    usable = {each.key.kid: each for each in control.keyring.usable()}
    for each in (one, other):
        assert usable.pop(each.key.kid) == Usable(each.key, hash_of(secret_of(each)))
    assert usable == {}
    assert is_proven(secret_of(one), hash_of(secret_of(one)))
    assert not is_proven(secret_of(other), hash_of(secret_of(one)))


@pytest.mark.parametrize("label", ["Bot1", "aB3", "A" * 30 + "b1"])
def test_a_good_label_is_taken(control: Control, label: str) -> None:
    assert made(control, label).key.label == label


@pytest.mark.parametrize(
    "label",
    [
        *("bot1", "BOT1", "Botx", "Bot 1", "Bøt1", "Ｂｏｔ１", "Bot1\n", "", "B1", "Bo１t"),
        *("A" * 31 + "b1", "Bot1\r\nX", "Bot-1", "Bot1\0", "B" + "ot1" * 1_000_000),
    ],
    ids=lambda each: ascii(each[:12]),
)
def test_a_wrong_label_makes_no_key_and_is_audited_as_refused(control: Control, label: str) -> None:
    result = control.keyring.create(OWNER, Wanted(label=label, days=90), NOW)
    assert denied(result) == "label_invalid"
    assert stored(control) == []
    assert told(control) == [("key.create", "refused")]


def test_a_wrong_label_is_told_all_that_it_lacks(control: Control) -> None:
    result = control.keyring.create(OWNER, Wanted(label="-", days=90), NOW)
    assert isinstance(result, Denied)
    assert result.message == (
        "the label needs a letter A to Z, a letter a to z, a digit, 3 to 32 characters,"
        " nothing but A to Z, a to z and 0 to 9; Bot1 would do"
    )


def test_a_label_is_taken_once_whatever_its_capitals_and_free_when_its_key_is_revoked(
    control: Control,
) -> None:
    first = made(control, "Bot1").key
    again = Wanted(label="bOT1", days=90)
    assert denied(control.keyring.create(OWNER, again, NOW)) == "label_taken"
    control.keyring.move(OWNER, "BOT1", Act.DISABLE, NOW)
    assert denied(control.keyring.create(OWNER, again, NOW)) == "label_taken"
    control.keyring.move(OWNER, "Bot1", Act.REVOKE, NOW)
    second = made(control, "bOT1").key
    assert control.keyring.find("Bot1") == second
    assert {key.kid for key in control.keyring.listed()} == {first.kid, second.kid}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"scopes": ("trade", "fly")}, "scope_unknown"),
        ({"scopes": ("TRADE",)}, "scope_unknown"),
        ({"scopes": ("withdraw",)}, "withdraw_requires_trusted_ips"),
        ({"addresses": ()}, "address_invalid"),
        ({"addresses": ("0.0.0.0/0",)}, "address_invalid"),
        ({"addresses": ("10.0.0.1/8",)}, "address_invalid"),
        ({"accounts": ()}, "account_invalid"),
        ({"accounts": ("SIM", "sim")}, "account_invalid"),
        ({"accounts": ("SIM/",)}, "account_invalid"),
        ({"accounts": ("SIM/A B",)}, "account_invalid"),
        ({"days": 0}, "end_invalid"),
        ({"days": -1}, "end_invalid"),
        ({"days": 3_651}, "end_invalid"),
    ],
)
def test_wrong_rights_make_no_key_and_change_none(
    control: Control, changes: dict[str, object], code: str
) -> None:
    key = made(control).key
    before = stored(control)
    wanted = msgspec.structs.replace(Wanted(label="Bot2", days=90), **changes)
    assert denied(control.keyring.create(OWNER, wanted, NOW)) == code
    assert denied(control.keyring.edit(OWNER, key.kid, Edit(**changes), NOW)) == code  # type: ignore[arg-type]
    assert stored(control) == before
    assert told(control)[1:] == [("key.create", "refused"), ("key.edit", "refused")]


@pytest.mark.parametrize("separator", "~/.,:;!@#$%^&*-_+=")
def test_an_account_of_any_separator_can_be_a_limit(control: Control, separator: str) -> None:
    account = f"SIM{separator}BOB"
    assert made(control, accounts=(account, "SIM")).key.rights.accounts == ("SIM", account)


# ── keys that sign ───────────────────────────────────────────────────────────────────────────────


def public_pem(private: Ed25519PrivateKey) -> bytes:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_the_secret_of_an_hmac_key_is_kept_sealed_and_has_no_hash(
    control: Control, open_control: OpenControl, tmp_path: Path
) -> None:
    result = made(control, kind=Kind.HMAC)
    secret = secret_of(result)
    (row,) = stored(control)
    assert (row["kind"], row["secret_hash"], row["public_key"]) == ("hmac", None, None)
    sealed = row["sealed_secret"]
    assert isinstance(sealed, bytes)
    assert secret.encode() not in sealed
    assert hash_of(secret) not in sealed
    assert secret not in f"{control.audit.last(9)} {result!r} {control.keyring.usable()!r}"
    is_nowhere(secret, tmp_path)
    assert open_control().keyring.usable() == [Usable(result.key, secret.encode())]


def test_a_sealed_secret_in_another_keys_row_opens_nothing_and_holds_up_no_other(
    control: Control,
) -> None:
    one, other = (made(control, label, kind=Kind.HMAC) for label in ("Bot1", "Bot2"))
    rows = {row["kid"]: row for row in stored(control)}
    with control.store.change() as change:
        stolen = rows[other.key.kid]["sealed_secret"]
        change.execute(KEYS.update().filter_by(kid=one.key.kid).values(sealed_secret=stolen))
    assert [each.key.label for each in control.keyring.usable()] == ["Bot2"]


def test_of_an_ed25519_key_the_public_key_alone_is_known(control: Control) -> None:
    private = Ed25519PrivateKey.generate()
    result = made(control, kind=Kind.ED25519, public_key=public_pem(private))
    assert result.secret is None
    (row,) = stored(control)
    raw = private.public_key().public_bytes_raw()
    assert (row["kind"], row["public_key"]) == ("ed25519", raw)
    assert (row["secret_hash"], row["sealed_secret"]) == (None, None)
    assert control.keyring.usable() == [Usable(result.key, raw)]


@pytest.mark.parametrize(
    ("kind", "public_key"),
    [
        (Kind.ED25519, None),
        (Kind.ED25519, b"nonsense"),
        (Kind.BEARER, public_pem(Ed25519PrivateKey.generate())),
        (Kind.HMAC, public_pem(Ed25519PrivateKey.generate())),
    ],
    ids=["none", "nonsense", "for-a-bearer", "for-hmac"],
)
def test_a_wrong_public_key_makes_no_key(
    control: Control, kind: Kind, public_key: bytes | None
) -> None:
    wanted = Wanted(label="Bot1", kind=kind, public_key=public_key, days=90)
    assert denied(control.keyring.create(OWNER, wanted, NOW)) == "public_key_invalid"
    assert stored(control) == []
    assert told(control) == [("key.create", "refused")]


def test_a_key_has_its_kind_for_ever(control: Control) -> None:
    key = made(control, kind=Kind.HMAC).key
    after = control.keyring.edit(OWNER, key.kid, Edit(scopes=("trade",)), NOW)
    assert isinstance(after, ApiKey)
    assert after.kind is Kind.HMAC
    assert "kind" not in Edit.__struct_fields__


# ── states ───────────────────────────────────────────────────────────────────────────────────────

REACHED: dict[State, tuple[Act, ...]] = {
    State.ACTIVE: (),
    State.SUSPENDED: (Act.SUSPEND,),
    State.DISABLED: (Act.DISABLE,),
    State.EXPIRED: (),
    State.REVOKED: (Act.REVOKE,),
}


def act_on(control: Control, kid: str, act: Act, now_ns: int) -> ApiKey | Denied:
    if act is Act.EDIT:
        return control.keyring.edit(OWNER, kid, Edit(scopes=("trade",), days=1), now_ns)
    return control.keyring.move(OWNER, kid, act, now_ns)


@pytest.mark.parametrize(("state", "act"), [*product(State, Act)])
def test_every_cell_of_the_state_table(control: Control, state: State, act: Act) -> None:
    kid = made(control).key.kid
    for each in REACHED[state]:
        act_on(control, kid, each, NOW)
    now_ns = LATER if state is State.EXPIRED else NOW
    key = control.keyring.find(kid)
    assert isinstance(key, ApiKey)
    assert key.state(now_ns) is state
    before = stored(control)
    after = act_on(control, kid, act, now_ns)
    wanted = NEXT.get((state, act))
    if wanted is None:
        assert denied(after) == "state_wrong"
        assert stored(control) == before
    else:
        assert isinstance(after, ApiKey)
        assert after.state(now_ns) is wanted
        assert after.version == key.version + 1
        assert control.keyring.find(kid) == after
    assert told(control)[-1] == (f"key.{act}", "done" if wanted else "refused")


def test_only_an_active_key_is_usable(control: Control) -> None:
    states = (State.ACTIVE, State.SUSPENDED, State.DISABLED, State.REVOKED)
    for number, state in enumerate(states):
        kid = made(control, f"Bot{number}").key.kid
        for each in REACHED[state]:
            act_on(control, kid, each, NOW)
    assert [each.key.label for each in control.keyring.usable()] == ["Bot0"]


def test_an_expired_key_ends_at_its_moment_and_is_extended_only_by_a_later_end(
    control: Control,
) -> None:
    key = made(control).key
    assert key.expires_ns is not None
    assert key.state(key.expires_ns - 1) is State.ACTIVE
    assert key.state(key.expires_ns) is State.EXPIRED
    rights_only = Edit(scopes=("trade",))
    assert denied(control.keyring.edit(OWNER, key.kid, rights_only, LATER)) == "key_expired"
    extended = control.keyring.edit(OWNER, key.kid, Edit(days=1), LATER)
    assert isinstance(extended, ApiKey)
    assert extended.expires_ns == LATER + DAY_NS


def test_a_disabled_key_past_its_end_is_not_enabled(control: Control) -> None:
    kid = made(control).key.kid
    control.keyring.move(OWNER, kid, Act.DISABLE, NOW)
    assert denied(control.keyring.move(OWNER, kid, Act.ENABLE, LATER)) == "key_expired"


# ── editing ──────────────────────────────────────────────────────────────────────────────────────


def test_an_edit_changes_what_it_names_and_says_before_and_after(control: Control) -> None:
    key = made(control, scopes=("trade",), accounts=("SIM",), addresses=("10.0.0.0/8",)).key
    after = control.keyring.edit(OWNER, key.kid, Edit(addresses=None), NOW)
    assert isinstance(after, ApiKey)
    assert after.rights == msgspec.structs.replace(key.rights, addresses=None)
    row = control.audit.last(1)[0]
    assert '\\"10.0.0.0/8\\"' in row.before
    assert "10.0.0.0/8" not in row.after


def test_withdraw_does_not_outlive_its_addresses(control: Control) -> None:
    key = made(control, scopes=("withdraw",), addresses=("10.0.0.0/8",)).key
    result = control.keyring.edit(OWNER, key.kid, Edit(addresses=None), NOW)
    assert denied(result) == "withdraw_requires_trusted_ips"
    assert control.keyring.find(key.kid) == key


def test_an_edit_of_another_version_or_of_nothing_is_refused(control: Control) -> None:
    key = made(control).key
    edit = Edit(scopes=("trade",), version=key.version)
    assert isinstance(control.keyring.edit(OWNER, key.kid, edit, NOW), ApiKey)
    assert denied(control.keyring.edit(OWNER, key.kid, edit, NOW)) == "version_stale"
    same = Edit(scopes=("trade",))
    assert denied(control.keyring.edit(OWNER, key.kid, same, NOW)) == "nothing_changed"


def test_a_key_that_is_not_there_is_refused_and_audited(control: Control) -> None:
    for name in (
        "Bot1",
        "flk_" + "0" * 22,
        "",
        "Bot1\0",
        "Bot%",
        "'; --",
        "\ud800",
        "B" * 1_000_000,
    ):
        assert denied(control.keyring.find(name)) == "key_unknown"
    assert denied(control.keyring.move(OWNER, "Bot1", Act.REVOKE, NOW)) == "key_unknown"
    assert told(control) == [("key.revoke", "refused")]


# ── races, and ends in the middle ────────────────────────────────────────────────────────────────


def raced(open_control: OpenControl, work: Callable[[Control, int], object]) -> list[object]:
    controls = [open_control() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(work, controls, range(8)))


def test_eight_that_want_the_same_label_get_one_key(open_control: OpenControl) -> None:
    results = raced(
        open_control,
        lambda control, _: control.keyring.create(OWNER, Wanted(label="Bot1", days=90), NOW),
    )
    assert sum(isinstance(each, Made) for each in results) == 1
    assert {each.code for each in results if isinstance(each, Denied)} == {"label_taken"}
    control = open_control()
    assert len(stored(control)) == 1
    assert control.audit.verify().holds


def test_an_edit_that_races_a_revocation_never_brings_a_key_back(open_control: OpenControl) -> None:
    control = open_control()
    kid = made(control).key.kid

    def work(each: Control, racer: int) -> object:
        if racer == 0:
            return each.keyring.move(OWNER, kid, Act.REVOKE, NOW)
        return each.keyring.edit(OWNER, kid, Edit(days=racer), NOW)

    results = raced(open_control, work)
    key = control.keyring.find(kid)
    assert isinstance(key, ApiKey)
    assert key.stored_state is State.REVOKED
    edits = sum(isinstance(each, ApiKey) for each in results[1:])
    assert key.version == 2 + edits  # none was lost, none came after the revocation


def test_eight_edits_of_one_version_are_one(open_control: OpenControl) -> None:
    control = open_control()
    key = made(control).key
    results = raced(
        open_control,
        lambda each, racer: each.keyring.edit(
            OWNER, key.kid, Edit(days=racer + 1, version=key.version), NOW
        ),
    )
    assert sum(isinstance(each, ApiKey) for each in results) == 1


def create_once(data: Path, url: str | None, label: str) -> None:
    with Control.open(data, url, None, "local", 1) as control:
        control.keyring.create(OWNER, Wanted(label=label, kind=Kind.HMAC, days=90), NOW)


def test_killed_at_any_line_a_key_and_its_audit_are_both_there_or_neither(
    tmp_path: Path, control: Control, database_url: str | None
) -> None:
    made_count = 0
    for line in count(3, 29):
        was_killed = killed_at(line, create_once, tmp_path / "data", database_url, f"Bot{line}")
        keys = [key.kid for key in control.keyring.listed()]
        assert sorted(keys) == sorted(row.target for row in control.audit.last(1_000))
        assert control.audit.verify().holds
        if not was_killed:
            assert len(keys) > made_count
            break
        made_count = len(keys)
