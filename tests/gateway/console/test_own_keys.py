"""One's own keys: added, changed, disabled, enabled, deleted, each by the two codes that grant it."""

from typing import Any

import pytest
from sqlalchemy import select

from fairlead.control.activity import add_uses
from fairlead.control.key_changes import Wanted
from fairlead.control.key_text import is_proven
from fairlead.control.keyring import Made
from fairlead.control.tables import KEYS
from fairlead.control.usage import Use
from fairlead.gateway.console.grants import GRANTS
from fairlead.tls.authority import Authority, make_intermediate, make_root
from tests.gateway.console.conftest import (
    MINUTE,
    OWNER,
    PASSWORD,
    Browser,
    World,
    added,
    asked,
    confirm,
    granted,
)

pytestmark = pytest.mark.asyncio


def stored(world: World) -> list[tuple[str, str, str]]:
    with world.control.store.read() as connection:
        rows = connection.execute(select(KEYS).order_by(KEYS.c.label))
        return [(row.label, row.state, row.user[:4]) for row in rows]


async def test_a_key_from_its_label_to_its_secret(world: World, ann: Browser) -> None:
    assert await ann.get("/v1/keys") == (200, [])
    said = await added(world, ann)
    key = said["key"]
    assert key["scopes"] == ["read"]
    assert (key["ip_mode"], key["state"], key["kid"]) == ("all", "active", said["kid"])
    assert await ann.get("/v1/keys") == (200, [key])
    assert await ann.get(f"/v1/keys/{key['kid']}") == (200, key)
    assert stored(world) == [("Bot1", "active", "usr_")]
    with world.control.store.read() as connection:
        row = connection.execute(select(KEYS)).one()
    assert is_proven(said["secret"], row.secret_hash)
    assert said["secret"] not in str([row, world.control.audit.last(9), world.sink.letters()])


@pytest.mark.parametrize(
    ("payload", "status", "code"),
    [
        ({"label": "bot1"}, 422, "label_invalid"),
        ({"label": "Bot1\r\nBcc: eve"}, 422, "label_invalid"),
        ({"label": "Bot1", "scopes": ["steal"]}, 422, "scope_unknown"),
        ({"label": "Bot1", "scopes": ["withdraw"]}, 422, "withdraw_requires_trusted_ips"),
        ({"label": "Bot1", "ip_mode": "trusted"}, 422, "address_invalid"),
        ({"label": "Bot1", "ip_mode": "trusted", "addresses": ["0.0.0.0/0"]}, 422, "address_invalid"),
        ({"label": "Bot1", "ip_mode": "all", "addresses": ["10.0.0.1"]}, 422, "address_invalid"),
        ({"label": "Bot1", "kind": "magic"}, 422, "kind_invalid"),
        ({"label": "Bot1", "expires_days": 0}, 422, "end_invalid"),
        ({"label": "Bot1", "state": "active"}, 422, "form_invalid"),
        ({"label": "Bot1", "kid": "flk_1"}, 422, "form_invalid"),
        ({}, 422, "form_invalid"),
    ],
)  # fmt: skip
async def test_what_cannot_be_a_key_sends_no_mail(
    world: World, ann: Browser, payload: dict[str, object], status: int, code: str
) -> None:
    letters = len(world.sink.letters())
    found, said = await ann.post("/v1/challenges", {"action": "key.add", "payload": payload})
    assert (found, said["code"]) == (status, code)
    assert len(world.sink.letters()) == letters
    assert stored(world) == []


async def test_a_key_says_where_it_was_used_last(world: World, ann: Browser) -> None:
    key = (await added(world, ann))["key"]
    path = f"/v1/keys/{key['kid']}"
    assert (key["last_used"], key["last_address"]) == (None, None)
    assert await ann.get(f"{path}/activity") == (200, [])
    uses = [
        Use(key["kid"], world.now_ns, "192.0.2.1", "rest", ""),
        Use(key["kid"], world.now_ns + MINUTE, "2001:db8::1", "fix", "ab" * 32),
    ]
    with world.control.store.append() as connection:
        add_uses(connection, uses)
    fix, rest = (await ann.get(f"{path}/activity"))[1]
    assert (rest["address"], rest["protocol"], rest["certificate"]) == ("192.0.2.1", "rest", None)
    assert (fix["address"], fix["protocol"], fix["certificate"]) == (
        "2001:db8::1",
        "fix",
        "ab" * 32,
    )
    last = {"last_used": fix["time"], "last_address": "2001:db8::1"}
    assert (await ann.get("/v1/keys"))[1] == [key | last]
    assert (await ann.get(path))[1] == key | last
    status, after = await ann.post(f"{path}/disable", {"password": PASSWORD})
    assert (status, after["last_used"]) == (200, fix["time"])
    assert (await ann.get(f"{path}/nothing"))[0] == 404
    assert (await ann.get(f"{path}/disable"))[1]["code"] == "method_wrong"
    assert (await ann.post(f"{path}/activity", {}))[1]["code"] == "method_wrong"
    assert (await ann.post(path, {}))[1]["code"] == "method_wrong"


async def test_nobody_elses_activity_exists(world: World, ann: Browser) -> None:
    made = world.control.keyring.create(OWNER, Wanted(label="Bot1", days=90), world.now_ns)
    assert isinstance(made, Made)
    with world.control.store.append() as connection:
        add_uses(connection, [Use(made.key.kid, world.now_ns, "192.0.2.1", "rest", "")])
    status, said = await ann.get(f"/v1/keys/{made.key.kid}/activity")
    assert (status, said["code"]) == (404, "key_unknown")


@pytest.mark.parametrize("payload", [{"label": "bot1"}, {"label": "Bot1"}, {}, {"kid": 1}])
@pytest.mark.parametrize("action", [each for each in GRANTS if each != "two_factor.enable"])
async def test_without_a_second_factor_nothing_else_is_looked_at_and_no_mail_is_sent(
    world: World, browser: Browser, action: str, payload: dict[str, object]
) -> None:
    await world.ann(browser)
    status, said = await browser.post("/v1/challenges", {"action": action, "payload": payload})
    assert (status, said["code"]) == (403, "two_factor_required")
    assert world.sink.letters() == []
    assert stored(world) == []


async def test_an_edit_says_before_and_after_and_is_done_once(world: World, ann: Browser) -> None:
    key = (await added(world, ann, scopes=["trade"]))["key"]
    form = {
        "kid": key["kid"], "version": 1, "scopes": [], "ip_mode": "trusted",
        "addresses": ["192.0.2.0/24"],
    }  # fmt: skip
    status, after = await granted(world, ann, "key.edit", **form)
    assert status == 200
    assert (after["scopes"], after["addresses"], after["version"]) == (
        ["read"],
        ["192.0.2.0/24"],
        2,
    )
    letter = world.sink.letters()[-1].text
    assert "Permissions: read, trade → read" in letter
    assert "Addresses: all → 192.0.2.0/24" in letter
    stale = {"action": "key.edit", "payload": form}
    assert (await ann.post("/v1/challenges", stale))[0] == 412
    same = {"action": "key.edit", "payload": form | {"version": 2}}
    assert (await ann.post("/v1/challenges", same))[1]["code"] == "nothing_changed"


@pytest.mark.parametrize(
    ("version", "if_match", "status", "code"),
    [
        (None, None, 428, "version_needed"),
        (None, "{etag}", 201, None),
        (1, "{etag}", 201, None),
        (None, '"other", {etag}', 201, None),
        (2, "{etag}", 412, "version_stale"),
        (None, "W/{etag}", 412, "version_stale"),
        (None, "*", 412, "version_stale"),
        (1, '"flk_0000000000000000000000.1"', 412, "version_stale"),
        (None, '"{kid}.2"', 412, "version_stale"),
        (None, '"{kid}.99999999999999999999"', 412, "version_stale"),
        (1, "", 412, "version_stale"),
    ],
)
async def test_if_match_says_which_key_was_looked_at(
    world: World, ann: Browser, version: int | None, if_match: str | None, status: int, code: str
) -> None:
    kid = (await added(world, ann))["kid"]
    _, key = await ann.get(f"/v1/keys/{kid}")
    letters = len(world.sink.letters())
    payload = {"kid": kid, "scopes": ["trade"]} | ({} if version is None else {"version": version})
    headers = {}
    if if_match is not None:
        headers["If-Match"] = if_match.format(etag=key["etag"], kid=kid)
    form = {"action": "key.edit", "payload": payload}
    found, said = await ann.call("POST", "/v1/challenges", form, **headers)
    assert (found, said.get("code")) == (status, code)
    assert len(world.sink.letters()) == letters + (status == 201)


async def test_an_edit_that_races_a_delete_changes_nothing(world: World, ann: Browser) -> None:
    kid = (await added(world, ann))["kid"]
    edit, edit_code = await asked(ann, "key.edit", kid=kid, version=1, scopes=["trade"])
    assert (await granted(world, ann, "key.delete", kid=kid))[0] == 204
    status, said = await confirm(ann, edit, edit_code, world.code())
    assert (status, said["code"]) == (412, "version_stale")
    assert stored(world) == [("Bot1", "revoked", "usr_")]


async def test_a_key_that_changed_since_the_code_was_sent_stays(world: World, ann: Browser) -> None:
    key = (await added(world, ann))["key"]
    challenge, code = await asked(ann, "key.edit", kid=key["kid"], version=1, scopes=["trade"])
    factor = {"password": PASSWORD}
    assert (await ann.post(f"/v1/keys/{key['kid']}/disable", factor))[0] == 200
    status, said = await confirm(ann, challenge, code, world.code())
    assert (status, said["code"]) == (412, "version_stale")
    assert (await ann.get("/v1/keys"))[1][0]["scopes"] == ["read"]


async def test_disabling_needs_no_mail_and_enabling_does(
    world: World, ann: Browser, tmp_path: Any
) -> None:
    key = (await added(world, ann))["key"]
    mail = tmp_path / "data" / "mail.jsonl"
    mail.rename(tmp_path / "away")
    mail.mkdir()
    path = f"/v1/keys/{key['kid']}/disable"
    status, after = await ann.post(path, {"totp": world.code()})
    assert (status, after["state"]) == (200, "disabled")
    assert (await ann.post(path, {"password": PASSWORD}))[1]["code"] == "state_wrong"
    form = {"action": "key.enable", "payload": {"kid": key["kid"]}}
    assert (await ann.post("/v1/challenges", form))[0] == 503
    assert stored(world) == [("Bot1", "disabled", "usr_")]
    mail.rmdir()
    world.now_ns += MINUTE
    status, after = await granted(world, ann, "key.enable", kid=key["kid"])
    assert (status, after["state"]) == (200, "active")


@pytest.mark.parametrize(
    ("factor", "status", "code"),
    [
        ({}, 422, "factor_needed"),
        ({"password": PASSWORD, "totp": "000000"}, 422, "factor_needed"),
        ({"password": "wrong words"}, 401, "factor_wrong"),
        ({"totp": "000000"}, 401, "factor_wrong"),
        ({"totp": "12345678"}, 401, "factor_wrong"),
        ({"password": PASSWORD, "state": "revoked"}, 422, "form_invalid"),
    ],
)
async def test_disabling_needs_one_factor_that_is_right(
    world: World, ann: Browser, factor: dict[str, str], status: int, code: str
) -> None:
    path = f"/v1/keys/{(await added(world, ann))['kid']}/disable"
    found, said = await ann.post(path, factor)
    assert (found, said["code"]) == (status, code)
    assert stored(world) == [("Bot1", "active", "usr_")]
    assert (await ann.post(path, {"password": PASSWORD}))[0] == 200
    (last,) = world.control.audit.last(1)
    assert (last.action, last.factor) == ("key.disable", "password")


async def test_one_is_deleted_and_then_all(world: World, ann: Browser) -> None:
    kids = [(await added(world, ann, label))["kid"] for label in ("Bot1", "Bot2", "Bot3")]
    assert await granted(world, ann, "key.delete", kid=kids[0]) == (204, None)
    wrong = {"action": "key.delete_all", "payload": {"count": 3}}
    assert (await ann.post("/v1/challenges", wrong))[1]["code"] == "count_wrong"
    assert await granted(world, ann, "key.delete_all", count=2) == (200, {"deleted": 2})
    assert (await ann.get("/v1/keys"))[1] == []
    assert [state for _, state, _ in stored(world)] == ["revoked"] * 3
    none = {"action": "key.delete_all", "payload": {"count": 0}}
    assert (await ann.post("/v1/challenges", none))[1]["code"] == "keys_none"


async def test_a_key_that_came_since_the_code_was_sent_is_not_deleted_unseen(
    world: World, ann: Browser
) -> None:
    await added(world, ann)
    challenge, code = await asked(ann, "key.delete_all", count=1)
    await added(world, ann, "Bot2")
    status, said = await confirm(ann, challenge, code, world.code())
    assert (status, said["code"]) == (422, "count_wrong")
    assert len((await ann.get("/v1/keys"))[1]) == 2


async def test_nobody_elses_keys_exist(world: World, ann: Browser) -> None:
    made = world.control.keyring.create(OWNER, Wanted(label="Bot1", days=90), world.now_ns)
    assert isinstance(made, Made)
    kid = made.key.kid
    assert (await ann.get("/v1/keys"))[1] == []
    assert (await ann.get(f"/v1/keys/{kid}"))[0] == 404
    assert (await ann.post(f"/v1/keys/{kid}/disable", {"password": PASSWORD}))[0] == 404
    for action, more in (
        ("key.delete", {}),
        ("key.enable", {}),
        ("key.edit", {"version": 1, "scopes": ["trade"]}),
    ):
        form = {"action": action, "payload": {"kid": kid, **more}}
        assert (await ann.post("/v1/challenges", form))[0] == 404, action
    await added(world, ann)  # a label is one key's of each user
    found = world.control.keyring.find("Bot1")
    assert getattr(found, "code", "") == "key_ambiguous"


async def test_without_the_second_factor_keys_are_suspended_until_each_is_enabled(
    world: World, ann: Browser
) -> None:
    kid = (await added(world, ann))["kid"]
    assert (await granted(world, ann, "two_factor.disable"))[0] == 200
    assert (await ann.get("/v1/keys"))[1][0]["state"] == "suspended"
    form = {"action": "key.enable", "payload": {"kid": kid}}
    status, said = await ann.post("/v1/challenges", form)
    assert (status, said["code"]) == (403, "two_factor_required")


async def test_a_key_is_replaced_and_the_former_ends_after_the_overlap(
    world: World, ann: Browser
) -> None:
    old = (await added(world, ann, scopes=["trade"], ip_mode="trusted", addresses=["192.0.2.1"]))[
        "key"
    ]
    wrong = {"kid": old["kid"], "label": "Bot2", "overlap_hours": 169}
    status, said = await ann.post("/v1/challenges", {"action": "key.rotate", "payload": wrong})
    assert (status, said["code"]) == (422, "overlap_invalid")
    status, said = await granted(
        world, ann, "key.rotate", kid=old["kid"], label="Bot2", overlap_hours=2
    )
    assert status == 201
    new = said["key"]
    assert said["secret"].startswith("fl_live_")
    same = ("scopes", "addresses", "ip_mode", "accounts", "kind", "state")
    assert [new[name] for name in same] == [old[name] for name in same]
    assert len((await ann.get("/v1/keys"))[1]) == 2
    world.now_ns += 2 * 60 * MINUTE
    await ann.sign_in()  # the session has been idle
    await ann.post("/v1/auth/second-factor", {"code": world.code()})
    states = {each["label"]: each["state"] for each in (await ann.get("/v1/keys"))[1]}
    assert states == {"Bot1": "expired", "Bot2": "active"}


async def test_a_certificate_for_ones_own_key(world: World, ann: Browser) -> None:
    kid = (await added(world, ann))["kid"]
    wanted = {"action": "certificate.issue", "payload": {"kid": kid}}
    status, said = await ann.post("/v1/challenges", wanted)
    assert (status, said["code"]) == (409, "authority_missing")  # and no letter is written
    root = make_root(world.now_ns)
    authority = Authority(make_intermediate(root, world.now_ns), root.certificate)
    with world.control.store.change() as change:
        world.control.authorities.add(change, OWNER, authority, world.now_ns)
    status, said = await ann.post("/v1/challenges", wanted | {"payload": {"kid": kid, "csr": "me"}})
    assert (status, said["code"]) == (422, "request_invalid")
    status, said = await granted(world, ann, "certificate.issue", kid=kid)
    assert status == 201
    assert said["pem"].startswith("-----BEGIN PUBLIC KEY-----")
    (certificate,) = world.control.certificates.listed(kid)
    assert certificate.fingerprint == said["fingerprint"]
    await granted(world, ann, "key.delete", kid=kid)
    (revoked,) = world.control.certificates.listed(kid)
    assert revoked.revoked_ns is not None
