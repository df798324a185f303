"""Every row of section 2 of the identities specification, by calls: what each leaves stored, done or refused.

Each test says what the answer is and which lines of the stored state are gone and new, on both databases.
"""

import json
from typing import Any

import pytest
from yarl import URL

from fairlead.control.key_changes import Wanted
from fairlead.control.key_text import is_proven
from fairlead.control.keyring import Made
from fairlead.control.keys import DAY_NS
from fairlead.control.people.challenges import Action
from fairlead.control.tables import KEYS
from fairlead.tls.authority import Authority, make_intermediate, make_root
from tests.gateway.console.conftest import (
    DATABASES,
    MINUTE,
    OWNER,
    PASSWORD,
    SECRET,
    Browser,
    World,
    added,
    asked,
    confirm,
    granted,
)
from tests.gateway.console.stored import everything

pytestmark = [pytest.mark.asyncio, pytest.mark.parametrize("database", DATABASES)]

ASKED = "+ audit challenge.ask done by session"
REFUSED = "+ audit challenge.confirm refused by session code_wrong"
READS = "active, read · all accounts · all addresses"
KID = "flk_0123456789abcdefghijkl"
PAYLOADS: dict[str, dict[str, object]] = {
    Action.KEY_ADD: {"label": "Bot1"},
    Action.KEY_EDIT: {"kid": KID, "version": 1, "scopes": ["trade"]},
    Action.KEY_DELETE: {"kid": KID},
    Action.KEY_DELETE_ALL: {"count": 1},
    Action.KEY_ENABLE: {"kid": KID},
    Action.KEY_ROTATE: {"kid": KID, "label": "Bot2", "overlap_hours": 1},
    Action.CERTIFICATE_ISSUE: {"kid": KID},
    Action.FACTOR_DISABLE: {},
    Action.USER_INVITE: {"email": "bob@desk.example"},
}


def letter(what: str) -> str:
    return f"+ letter to ann@desk.example: Code to {what}"


async def refused(
    world: World, browser: Browser, status: int, code: str, action: str, **payload: object
) -> str:
    """Ask for what is refused: nothing is stored and nothing is mailed. Returns what was said."""
    with world.changes() as lines:
        form = {"action": action, "payload": payload}
        found, said = await browser.post("/v1/challenges", form)
    assert (found, said["code"]) == (status, code), (said, payload)
    assert lines == [], payload
    return str(said["message"])


async def headers_of(browser: Browser, path: str, form: object) -> tuple[int, Any, Any]:
    """Post; return the status, the headers and what was said."""
    url = browser._url.join(URL(path))
    headers = {"X-CSRF-Token": browser.csrf}
    async with browser.http.post(url, json=form, headers=headers) as response:
        return response.status, response.headers, await response.json()


# ── before anything ──────────────────────────────────────────────────────────────────────────────


async def test_without_the_second_factor_nothing_is_asked_for_and_nothing_mailed(
    world: World, browser: Browser
) -> None:
    await world.ann(browser)
    assert {*PAYLOADS, "two_factor.enable"} == set(Action)
    for action, payload in PAYLOADS.items():
        await refused(world, browser, 403, "two_factor_required", action, **payload)


async def test_without_a_session_nothing_is_told_and_nothing_done(
    world: World, ann: Browser, other: Browser
) -> None:
    key = (await added(world, ann))["key"]
    with world.changes() as lines:
        for method, path in (
            ("GET", "/v1/keys"),
            ("GET", f"/v1/keys/{key['kid']}"),
            ("POST", f"/v1/keys/{key['kid']}/disable"),
            ("POST", "/v1/challenges"),
            ("POST", "/v1/challenges/chl_1/confirm"),
        ):
            status, said = await other.call(method, path, {} if method == "POST" else None)
            assert (status, said["code"]) == (401, "session_needed"), path
    assert lines == []


# ── the label ────────────────────────────────────────────────────────────────────────────────────

MISSING = {
    "bot1": "a letter A to Z",
    "BOT1": "a letter a to z",
    "Botx": "a digit",
    "Bot 1": "nothing but A to Z, a to z and 0 to 9",
    "Bøt1": "nothing but A to Z, a to z and 0 to 9",
    "\uff22\uff4f\uff541": "a letter A to Z, a letter a to z",  # full-width
    "Bot\u0661": "a digit",  # of Arabic
    "Bot1\n": "nothing but A to Z, a to z and 0 to 9",
    "Bot1\r\nBcc: eve@x.example": "nothing but A to Z, a to z and 0 to 9",
    "Bot1\u0000": "nothing but A to Z, a to z and 0 to 9",
    "B1": "a letter a to z, 3 to 32 characters",
    "Bot1" + "x" * 29: "3 to 32 characters",
    "": "a letter A to Z, a letter a to z, a digit, 3 to 32 characters",
    "Bot1" * 10_000: "3 to 32 characters",
}


async def test_a_label_that_is_none_is_told_what_it_lacks(world: World, ann: Browser) -> None:
    for label, missing in MISSING.items():
        said = await refused(world, ann, 422, "label_invalid", "key.add", label=label)
        assert said.startswith(f"the label needs {missing}"), label
        assert label[:4] not in said or label in ("", "B1") or label.startswith("Bot1")
    await asked(ann, "key.add", label="Bot1")


async def test_a_label_is_one_keys_of_each_user_in_capitals_or_not(
    world: World, ann: Browser
) -> None:
    theirs = world.control.keyring.create(OWNER, Wanted(label="Bot1", days=1), world.now_ns)
    assert isinstance(theirs, Made)
    await added(world, ann)
    for label in ("Bot1", "bOT1"):
        await refused(world, ann, 409, "label_taken", "key.add", label=label)
    kid = (await ann.get("/v1/keys"))[1][0]["kid"]
    rotate = {"kid": kid, "label": "BOt1", "overlap_hours": 0}
    await refused(world, ann, 409, "label_taken", "key.rotate", **rotate)


async def test_a_label_that_was_taken_since_it_was_asked_for_makes_no_key(
    world: World, ann: Browser
) -> None:
    (user,) = world.control.users.listed()
    challenge, code = await asked(ann, "key.add", label="Bot1")
    world.control.keyring.of(user.user).create(OWNER, Wanted(label="BOT1bot", days=1), 1)
    world.control.keyring.of(user.user).create(OWNER, Wanted(label="bOt1", days=1), 1)
    with world.changes() as lines:
        status, said = await confirm(ann, challenge, code, world.code())
    assert (status, said["code"]) == (409, "label_taken")
    assert lines == [
        "- challenge key.add: 5 tries left",
        "+ audit challenge.confirm refused by session label_taken",
        "+ audit key.create refused by mail+totp label_taken",
    ]


# ── "Send code" ──────────────────────────────────────────────────────────────────────────────────


async def test_a_code_is_mailed_with_all_that_it_is_for_and_kept_as_nobody_can_read_it(
    world: World, ann: Browser
) -> None:
    await ann.call("PATCH", "/v1/me", {"anti_phishing": "blue heron"})
    with world.changes() as lines:
        payload = {"label": "Bot1", "scopes": ["trade"]}
        form = {"action": "key.add", "payload": payload}
        status, headers, said = await headers_of(ann, "/v1/challenges", form)
    assert (status, headers["Cache-Control"]) == (201, "no-store")
    assert lines == [ASKED, "+ challenge key.add: 5 tries left", letter("add an API key")]
    assert (said["sent_to"], said["resend_after_s"]) == ("a***@desk.example", 60)
    assert said["expires_after_s"] == 600
    mailed = world.sink.letters()[-1].text
    code = mailed.partition("Your code: ")[2][:8]
    assert code.isdigit()
    facts = ("add an API key", "Bot1", "read, trade", "127.0.0.1", "1972-09-27", "blue heron")
    for fact in facts:
        assert fact in mailed, fact
    assert "http" not in mailed
    kept = everything(world.control)
    assert code.encode() not in kept
    assert b"Bot1" not in kept
    assert code not in json.dumps(said)


async def test_a_code_is_sent_once_a_minute_and_five_times_an_hour_by_action(
    world: World, ann: Browser
) -> None:
    form = {"action": "key.add", "payload": {"label": "Bot1"}}
    waits = []
    for _ in range(7):
        with world.changes() as lines:
            status, headers, _ = await headers_of(ann, "/v1/challenges", form)
        waits.append(int(headers.get("Retry-After", 0)))
        assert (status == 429) == (lines == [])
        with world.changes() as lines:
            status, headers, _ = await headers_of(ann, "/v1/challenges", form)
        assert (status, lines) == (429, [])
        world.now_ns += MINUTE
    assert waits == [0] * 5 + [3_300, 3_240]
    await asked(ann, "two_factor.disable")
    world.now_ns += (
        53 * MINUTE
    )  # an hour after the first: that one more counts, and the session too
    browser = ann
    await browser.sign_in()
    await browser.post("/v1/auth/second-factor", {"code": world.code()})
    await asked(browser, "key.add", label="Bot1")


async def test_a_wait_that_was_told_is_long_enough(world: World, ann: Browser) -> None:
    """What is refused counts for nothing, not even where another limit would have let it through."""
    form = {"action": "key.add", "payload": {"label": "Bot1"}}
    for _ in range(5):
        assert (await ann.post("/v1/challenges", form))[0] == 201
        world.now_ns += 5 * MINUTE
    for _ in range(34):  # each minute, as a page might
        assert (await ann.post("/v1/challenges", form))[0] == 429
        world.now_ns += MINUTE
    wait_s = int((await headers_of(ann, "/v1/challenges", form))[1]["Retry-After"])
    world.now_ns += wait_s * 10**9
    assert (await ann.post("/v1/challenges", form))[0] == 201


async def test_a_new_code_ends_the_old_one(world: World, ann: Browser) -> None:
    old, old_code = await asked(ann, "key.add", label="Bot1")
    world.now_ns += MINUTE
    with world.changes() as lines:
        new, code = await asked(ann, "key.add", label="Bot2")
    assert lines == [ASKED, letter("add an API key")]  # one challenge, as before
    with world.changes() as lines:
        status, said = await confirm(ann, old, old_code, world.code())
    assert (status, said["code"], lines) == (410, "challenge_over", [])
    assert (await confirm(ann, new, code, world.code()))[1]["key"]["label"] == "Bot2"


# ── code, "Add" ──────────────────────────────────────────────────────────────────────────────────


async def test_one_right_code_of_two_creates_nothing_and_uses_up_a_try_alone(
    world: World, ann: Browser
) -> None:
    challenge, code = await asked(ann, "key.add", label="Bot1")
    wrong = f"{(int(code) + 1) % 10**8:08}"
    answers = []
    for tries, (by_mail, by_factor) in enumerate(
        [(code, "000000"), (wrong, world.code()), (wrong, "000000"), ("", "")], 1
    ):
        with world.changes() as lines:
            answers.append(await confirm(ann, challenge, by_mail, by_factor))
        assert lines == [
            f"- challenge key.add: {6 - tries} tries left",
            REFUSED,
            f"+ challenge key.add: {5 - tries} tries left",
        ]
    assert answers[0][0] == 401
    assert all(each == answers[0] for each in answers)  # which was wrong nobody is told
    with world.changes() as lines:
        assert (await confirm(ann, challenge, code, world.code()))[0] == 201
    assert lines == [
        "- challenge key.add: 1 tries left",
        "+ audit key.create done by mail+totp",
        f"+ key Bot1 v1: {READS}",
    ]


async def test_the_fifth_wrong_try_ends_it(world: World, ann: Browser) -> None:
    challenge, code = await asked(ann, "key.add", label="Bot1")
    for _ in range(4):
        await confirm(ann, challenge, code, "000000")
    with world.changes() as lines:
        assert (await confirm(ann, challenge, code, "000000"))[0] == 401
    assert lines == ["- challenge key.add: 1 tries left", REFUSED]
    with world.changes() as lines:
        assert (await confirm(ann, challenge, code, world.code()))[0] == 410
    assert lines == []


# ── the secret, the list ─────────────────────────────────────────────────────────────────────────


async def test_the_secret_is_told_once_and_stored_as_its_hash(world: World, ann: Browser) -> None:
    challenge, code = await asked(ann, "key.add", label="Bot1")
    form = {"code": code, "totp": world.code()}
    path = f"/v1/challenges/{challenge}/confirm"
    status, headers, said = await headers_of(ann, path, form)
    assert (status, headers["Cache-Control"]) == (201, "no-store")
    secret = said["secret"]
    assert said["kid"].startswith("flk_")
    assert secret.startswith("fl_live_")
    with world.control.store.read() as connection:
        assert is_proven(secret, connection.execute(KEYS.select()).one().secret_hash)
    assert secret.encode() not in everything(world.control)
    for again in (f"/v1/keys/{said['kid']}", "/v1/keys", "/v1/mail", "/v1/me"):
        told = json.dumps((await ann.get(again))[1])
        assert secret not in told
        assert "hash" not in told
    assert (await ann.post(path, form))[0] == 410


async def test_of_a_key_that_signs_nothing_that_proves_it_is_told_again(
    world: World, ann: Browser
) -> None:
    said = await added(world, ann, kind="hmac")
    assert said["secret"].encode() not in everything(world.control)
    (listed,) = (await ann.get("/v1/keys"))[1]
    assert (listed, listed["kind"]) == (said["key"], "hmac")


async def test_the_list_is_of_ones_own_keys_that_are_not_revoked(
    world: World, ann: Browser, other: Browser
) -> None:
    assert await ann.get("/v1/keys") == (200, [])
    kids = [(await added(world, ann, label))["kid"] for label in ("Bot1", "Bot2", "Bot3")]
    await granted(world, ann, "key.delete", kid=kids[1])
    listed = (await ann.get("/v1/keys"))[1]
    assert [each["kid"] for each in listed] == [kids[2], kids[0]]
    await world.bob(other)
    assert await other.get("/v1/keys") == (200, [])
    assert (await other.get(f"/v1/keys/{kids[0]}"))[0] == 404


async def test_the_list_has_pages(world: World, ann: Browser) -> None:
    (user,) = world.control.users.listed()
    for at in range(5):
        wanted = Wanted(label=f"Bot{at}", days=1)
        world.control.keyring.of(user.user).create(OWNER, wanted, world.now_ns + at)
    pages, path = [], "/v1/keys?limit=2"
    while path:
        async with ann.http.get(ann._url.join(URL(path))) as response:
            pages.append([each["label"] for each in await response.json()])
            path = response.headers.get("Link", "").partition(">")[0].lstrip("<")
    assert pages == [["Bot4", "Bot3"], ["Bot2", "Bot1"], ["Bot0"]]
    kids = [each["kid"] for each in (await ann.get("/v1/keys"))[1]]
    assert len(kids) == 5
    await granted(world, ann, "key.delete", kid=kids[2])
    after = (await ann.get(f"/v1/keys?after={kids[2]}"))[1]
    assert [each["kid"] for each in after] == kids[3:]
    assert await ann.get("/v1/keys?after=flk_" + "0" * 22) == (200, [])
    for query in (
        "limit=0",
        "limit=1001",
        "limit=x",
        "after=Bot1",
        "after=",
        "limit=1&limit=2",
        "%ff",
    ):
        status, said = await ann.get(f"/v1/keys?{query}")
        assert (status, said["code"]) == (422, "page_invalid"), query


# ── restrictions, addresses, withdraw ────────────────────────────────────────────────────────────


async def test_a_new_key_may_read_and_nothing_else_unless_it_was_asked_for(
    world: World, ann: Browser
) -> None:
    assert (await added(world, ann, "Bot1"))["key"]["scopes"] == ["read"]
    assert (await added(world, ann, "Bot2", scopes=[]))["key"]["scopes"] == ["read"]
    more = await added(world, ann, "Bot3", scopes=["manage", "trade", "trade"], accounts=["SIM"])
    assert (more["key"]["scopes"], more["key"]["accounts"]) == (
        ["read", "trade", "manage"],
        ["SIM"],
    )
    for scopes in (["steal"], ["READ"], ["trade "], ["read,trade"]):
        await refused(world, ann, 422, "scope_unknown", "key.add", label="Bot4", scopes=scopes)
    for accounts in ([], ["sim sim"], [""], ["SIM"] * 1_001):
        await refused(
            world, ann, 422, "account_invalid", "key.add", label="Bot4", accounts=accounts
        )


async def test_addresses_that_are_none_are_refused_and_others_kept_plainly(
    world: World, ann: Browser
) -> None:
    wrong: list[list[str]] = [
        [], ["0.0.0.0/0"], ["::/0"], ["::ffff:0.0.0.0/96"], ["192.0.2.1/24"], ["2001:db8::1/32"],
        ["010.0.0.1"], ["1"], ["fe80::1%eth0"], ["host.example"], [""], ["192.0.2.1", "x"],
        [f"192.0.2.{at}" for at in range(33)],
    ]  # fmt: skip
    for each in wrong:
        more = {"ip_mode": "trusted", "addresses": each}
        await refused(world, ann, 422, "address_invalid", "key.add", label="Bot1", **more)
    for mode, addresses in (("all", ["192.0.2.1"]), ("some", []), ("", ["192.0.2.1"])):
        more = {"ip_mode": mode, "addresses": addresses}
        await refused(world, ann, 422, "address_invalid", "key.add", label="Bot1", **more)
    with world.changes() as lines:
        right = ["192.0.2.0/24", "2001:db8::/32", "::ffff:198.51.100.7", "192.0.2.0/24"]
        await added(world, ann, ip_mode="trusted", addresses=right)
    kept = "192.0.2.0/24 2001:db8::/32 198.51.100.7/32"
    assert f"+ key Bot1 v1: active, read · all accounts · {kept}" in lines


async def test_withdraw_needs_trusted_addresses_when_it_is_added_and_when_it_is_kept(
    world: World, ann: Browser
) -> None:
    code, scopes = "withdraw_requires_trusted_ips", ["withdraw"]
    await refused(world, ann, 422, code, "key.add", label="Bot1", scopes=scopes)
    trusted = {"ip_mode": "trusted", "addresses": ["192.0.2.1"]}
    key = (await added(world, ann, scopes=scopes, **trusted))["key"]
    assert key["scopes"] == ["read", "withdraw"]
    edit = {"kid": key["kid"], "version": 1, "scopes": scopes}
    await refused(world, ann, 422, code, "key.edit", **edit)
    plain = (await added(world, ann, "Bot2"))["key"]
    edit = {"kid": plain["kid"], "version": 1, "scopes": scopes}
    await refused(world, ann, 422, code, "key.edit", **edit)


# ── "Edit permissions" ───────────────────────────────────────────────────────────────────────────


async def test_an_edit_is_done_as_it_was_asked_for(world: World, ann: Browser) -> None:
    key = (await added(world, ann, scopes=["trade"]))["key"]
    edit = {"kid": key["kid"], "version": 1, "scopes": ["manage"], "accounts": ["SIM"]}
    with world.changes() as lines:
        challenge, code = await asked(ann, "key.edit", **edit)
    assert lines == [ASKED, "+ challenge key.edit: 5 tries left", letter("change an API key")]
    mailed = world.sink.letters()[-1].text
    assert "Permissions: read, trade → read, manage" in mailed
    assert "Accounts: all → SIM" in mailed
    path = f"/v1/challenges/{challenge}/confirm"
    changed = edit | {"scopes": ["trade", "withdraw"]}
    for more in ({"payload": changed}, {"scopes": ["withdraw"]}, {"kid": KID}):
        with world.changes() as lines:
            form = {"code": code, "totp": world.code(), **more}
            assert (await ann.post(path, form))[1]["code"] == "form_invalid"
        assert lines == []
    with world.changes() as lines:
        status, said = await confirm(ann, challenge, code, world.code())
    assert (status, said["version"], said["scopes"]) == (200, 2, ["read", "manage"])
    assert lines == [
        "- challenge key.edit: 5 tries left",
        "- key Bot1 v1: active, read trade · all accounts · all addresses",
        "+ audit key.edit done by mail+totp",
        "+ key Bot1 v2: active, read manage · SIM · all addresses",
    ]
    world.now_ns += 2 * MINUTE
    await refused(world, ann, 412, "version_stale", "key.edit", **edit)
    await refused(world, ann, 428, "version_needed", "key.edit", kid=key["kid"], scopes=["trade"])
    same = edit | {"version": 2}
    await refused(world, ann, 409, "nothing_changed", "key.edit", **same)


async def test_a_key_that_changed_since_the_code_was_sent_stays_as_it_is(
    world: World, ann: Browser
) -> None:
    key = (await added(world, ann))["key"]
    edit = {"kid": key["kid"], "version": 1, "scopes": ["trade"]}
    challenge, code = await asked(ann, "key.edit", **edit)
    await granted(world, ann, "key.delete", kid=key["kid"])
    with world.changes() as lines:
        status, said = await confirm(ann, challenge, code, world.code())
    assert (status, said["code"]) == (412, "version_stale")
    assert lines == [
        "- challenge key.edit: 5 tries left",
        "+ audit challenge.confirm refused by session version_stale",
        "+ audit key.edit refused by mail+totp version_stale",
    ]


# ── "Delete", "Delete All API Key" ───────────────────────────────────────────────────────────────


async def test_a_deleted_key_stays_as_revoked_for_the_audit(world: World, ann: Browser) -> None:
    kid = (await added(world, ann))["kid"]
    challenge, code = await asked(ann, "key.delete", kid=kid)
    mailed = world.sink.letters()[-1].text
    assert "Bot1" in mailed
    assert kid in mailed
    with world.changes() as lines:
        assert await confirm(ann, challenge, code, world.code()) == (204, None)
    assert lines == [
        "- challenge key.delete: 5 tries left",
        f"- key Bot1 v1: {READS}",
        "+ audit key.revoke done by mail+totp",
        f"+ key Bot1 v2: {READS.replace('active', 'revoked')}",
    ]
    for action in ("key.delete", "key.enable"):
        await refused(world, ann, 409, "state_wrong", action, kid=kid)
    await refused(world, ann, 404, "key_unknown", "key.delete", kid="Bot1")
    world.now_ns += 2 * MINUTE
    await added(world, ann)  # its label is free again


async def test_all_keys_are_deleted_at_once_with_their_certificates_and_nobody_elses(
    world: World, ann: Browser
) -> None:
    root = make_root(world.now_ns)
    authority = Authority(make_intermediate(root, world.now_ns), root.certificate)
    with world.control.store.change() as change:
        world.control.authorities.add(change, OWNER, authority, world.now_ns)
    theirs = world.control.keyring.create(OWNER, Wanted(label="Desk1", days=1), world.now_ns)
    assert isinstance(theirs, Made)
    world.control.certificates.issue(OWNER, theirs.key.kid, world.now_ns)
    await refused(world, ann, 422, "keys_none", "key.delete_all", count=0)
    kids = [(await added(world, ann, label))["kid"] for label in ("Bot1", "Bot2")]
    with world.changes() as lines:
        assert (await granted(world, ann, "certificate.issue", kid=kids[0]))[0] == 201
    assert lines == [
        "+ audit certificate.issue done by mail+totp",
        ASKED,
        "+ certificate: active",
        letter("issue a certificate for an API key"),
    ]
    for count in (0, 1, 3, -1):
        await refused(world, ann, 422, "count_wrong", "key.delete_all", count=count)
    challenge, code = await asked(ann, "key.delete_all", count=2)
    with world.changes() as lines:
        assert await confirm(ann, challenge, code, world.code()) == (200, {"deleted": 2})
    assert lines == [
        "- certificate: active",
        "- challenge key.delete_all: 5 tries left",
        f"- key Bot1 v1: {READS}",
        f"- key Bot2 v1: {READS}",
        "+ audit key.revoke done by mail+totp",
        "+ audit key.revoke done by mail+totp",
        "+ certificate: revoked",
        f"+ key Bot1 v2: {READS.replace('active', 'revoked')}",
        f"+ key Bot2 v2: {READS.replace('active', 'revoked')}",
    ]


# ── states ───────────────────────────────────────────────────────────────────────────────────────


async def test_disabling_is_cheap_and_enabling_is_granted(world: World, ann: Browser) -> None:
    kid = (await added(world, ann))["kid"]
    path = f"/v1/keys/{kid}/disable"
    for form in ({}, {"totp": ""}, {"password": PASSWORD, "totp": world.code()}):
        with world.changes() as lines:
            assert (await ann.post(path, form))[1]["code"] == "factor_needed"
        assert lines == []
    with world.changes() as lines:
        assert (await ann.post(path, {"totp": "000000"}))[1]["code"] == "factor_wrong"
    assert lines == ["+ audit user.prove refused by none factor_wrong"]
    with world.changes() as lines:
        status, said = await ann.post(path, {"totp": world.code()})
    assert (status, said["state"]) == (200, "disabled")
    disabled = READS.replace("active", "disabled")
    assert lines == [
        f"- key Bot1 v1: {READS}",
        "+ audit key.disable done by totp",
        f"+ key Bot1 v2: {disabled}",
    ]
    world.now_ns += 2 * MINUTE
    with world.changes() as lines:
        assert (await ann.post(path, {"totp": world.code()}))[1]["code"] == "state_wrong"
        assert (await ann.post("/v1/keys/Bot1/disable", {"totp": world.code()}))[0] == 404
        assert (await ann.post(f"/v1/keys/{kid}/enable", {"totp": world.code()}))[0] == 405
    assert lines == []
    challenge, code = await asked(ann, "key.enable", kid=kid)
    with world.changes() as lines:
        status, said = await confirm(ann, challenge, code, world.code())
    assert (status, said["state"]) == (200, "active")
    assert lines == [
        "- challenge key.enable: 5 tries left",
        f"- key Bot1 v2: {disabled}",
        "+ audit key.enable done by mail+totp",
        f"+ key Bot1 v3: {READS}",
    ]
    world.now_ns += 2 * MINUTE
    await refused(world, ann, 409, "state_wrong", "key.enable", kid=kid)


async def test_switching_the_factor_off_suspends_every_key_until_it_is_enabled(
    world: World, ann: Browser
) -> None:
    for label in ("Bot1", "Bot2"):
        kid = (await added(world, ann, label))["kid"]
    await asked(ann, "key.delete", kid=kid)
    suspended = READS.replace("active", "suspended")
    with world.changes() as lines:
        assert (await granted(world, ann, "two_factor.disable"))[0] == 200
    assert lines == [
        "- challenge key.delete: 5 tries left",
        f"- key Bot1 v1: {READS}",
        f"- key Bot2 v1: {READS}",
        *["- recovery code"] * 10,
        "- user ann@desk.example: second factor, phrase ''",
        ASKED,
        "+ audit key.suspend done by mail+totp",
        "+ audit key.suspend done by mail+totp",
        "+ audit user.two_factor.disable done by mail+totp",
        f"+ key Bot1 v2: {suspended}",
        f"+ key Bot2 v2: {suspended}",
        letter("switch two-factor authentication off"),
        "+ user ann@desk.example: no second factor, phrase ''",
    ]
    await refused(world, ann, 403, "two_factor_required", "key.enable", kid=kid)
    assert (await granted(world, ann, "two_factor.enable", secret=SECRET))[0] == 200
    with world.changes() as lines:
        assert (await granted(world, ann, "key.enable", kid=kid))[0] == 200
    assert lines == [
        f"- key Bot2 v2: {suspended}",
        ASKED,
        "+ audit key.enable done by mail+totp",
        f"+ key Bot2 v3: {READS}",
        letter("enable an API key"),
    ]


async def test_a_key_that_has_expired_is_given_a_later_end_by_an_edit_alone(
    world: World, ann: Browser
) -> None:
    key = (await added(world, ann, expires_days=1))["key"]
    kid = key["kid"]
    world.now_ns += DAY_NS
    await ann.sign_in()
    await ann.post("/v1/auth/second-factor", {"code": world.code()})
    world.now_ns += 2 * MINUTE
    assert (await ann.get(f"/v1/keys/{kid}"))[1]["state"] == "expired"
    await refused(world, ann, 409, "state_wrong", "key.enable", kid=kid)
    rotate = {"kid": kid, "label": "Bot2", "overlap_hours": 1}
    await refused(world, ann, 409, "state_wrong", "key.rotate", **rotate)
    await refused(world, ann, 422, "key_expired", "key.edit", kid=kid, version=1, scopes=["trade"])
    status, said = await granted(world, ann, "key.edit", kid=kid, version=1, expires_days=30)
    assert (status, said["state"], said["version"]) == (200, "active", 2)
    assert "Expires: 1972-" in world.sink.letters()[-1].text


async def test_a_key_is_replaced_by_one_like_it_and_both_count_meanwhile(
    world: World, ann: Browser
) -> None:
    old = (await added(world, ann, scopes=["trade"], accounts=["SIM"]))["key"]
    for hours in (-1, 169, 10**9):
        wrong = {"kid": old["kid"], "label": "Bot2", "overlap_hours": hours}
        await refused(world, ann, 422, "overlap_invalid", "key.rotate", **wrong)
    with world.changes() as lines:
        rotate = {"kid": old["kid"], "label": "Bot2", "overlap_hours": 2}
        status, said = await granted(world, ann, "key.rotate", **rotate)
    rights = "active, read trade · SIM · all addresses"
    assert status == 201
    assert lines == [
        f"- key Bot1 v1: {rights}",
        ASKED,
        "+ audit key.create done by mail+totp",
        "+ audit key.edit done by mail+totp",
        f"+ key Bot1 v2: {rights}",
        f"+ key Bot2 v1: {rights}",
        letter("replace an API key"),
    ]
    assert said["secret"].encode() not in everything(world.control)


async def test_every_change_is_in_an_audit_that_verifies(world: World, ann: Browser) -> None:
    kid = (await added(world, ann))["kid"]
    await granted(world, ann, "key.edit", kid=kid, version=1, scopes=["trade"])
    await ann.post(f"/v1/keys/{kid}/disable", {"password": PASSWORD})
    row = world.control.audit.last(2)[0]
    (user,) = world.control.users.listed()
    assert (row.actor, row.action, row.target) == (user.user, "key.edit", kid)
    assert (row.address, row.factor) == ("127.0.0.1", "mail+totp")
    assert '"scopes":["read"]' in row.before.replace("\\", "")
    assert '"scopes":["read","trade"]' in row.after.replace("\\", "")
    assert world.control.audit.verify().holds
