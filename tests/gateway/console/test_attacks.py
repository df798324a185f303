"""The attacks of section 7 of the identities specification that are about people, challenges and keys.

Each is tried by calls and fails; what was stored before is stored afterwards. Races are of eight calls at
once, on both databases.
"""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from sqlalchemy import event
from yarl import URL

from fairlead.control.key_changes import Wanted
from fairlead.control.keyring import Made
from fairlead.control.people import one_time
from fairlead.control.people.passwords import Cost
from fairlead.control.tables import CHALLENGES, SESSIONS, USERS
from tests.gateway.console.conftest import (
    BOB,
    DATABASES,
    EMAIL,
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

pytestmark = [pytest.mark.asyncio, pytest.mark.parametrize("database", DATABASES)]
RACERS = 8
ELSEWHERE = {"X-Forwarded-For": "127.0.0.9"}  # through the proxy that these tests trust


@pytest_asyncio.fixture
async def bob(world: World, ann: Browser, other: Browser) -> AsyncIterator[Browser]:
    """Another user of the same subscription, with a second factor too, of the same secret."""
    await world.bob(other)
    payload = {"secret": SECRET}
    status, said = await other.post(
        "/v1/challenges", {"action": "two_factor.enable", "payload": payload}
    )
    assert status == 201
    code = mailed(world)
    assert (await confirm(other, said["challenge"], code, world.code()))[0] == 200
    world.now_ns += 2 * MINUTE
    yield other


def mailed(world: World) -> str:
    return world.sink.letters()[-1].text.partition("Your code: ")[2][:8]


async def at_once(calls: list[Awaitable[tuple[int, Any]]]) -> list[int]:
    return [status for status, _ in await asyncio.gather(*calls)]


async def raw(
    browser: Browser, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, Any, bytes]:
    """Call with exactly these bytes and headers; return the status, the headers and the body."""
    url = browser._url.join(URL(path, encoded=True))
    headers = {"X-CSRF-Token": browser.csrf, "Content-Type": "application/json"} | headers
    data = None if body is None else io.BytesIO(body)
    async with browser.http.request(method, url, data=data, headers=headers) as response:
        return response.status, response.headers, await response.read()


# ── what is another's ────────────────────────────────────────────────────────────────────────────


async def test_nothing_can_be_done_with_what_is_another_users(
    world: World, ann: Browser, bob: Browser
) -> None:
    kid = (await added(world, ann))["kid"]
    owners = world.control.keyring.create(OWNER, Wanted(label="Desk1", days=1), world.now_ns)
    assert isinstance(owners, Made)
    session = (await ann.get("/v1/me"))[1]["session"]
    for theirs in (kid, owners.key.kid):
        with world.changes() as lines:
            for action, more in (
                ("key.edit", {"version": 1, "scopes": ["trade"]}),
                ("key.delete", {}),
                ("key.enable", {}),
                ("key.rotate", {"label": "Bot2", "overlap_hours": 0}),
                ("certificate.issue", {}),
            ):
                form = {"action": action, "payload": {"kid": theirs, **more}}
                assert (await bob.post("/v1/challenges", form))[1]["code"] == "key_unknown", action
            path = f"/v1/keys/{theirs}"
            assert (await bob.get(path))[0] == 404
            assert (await bob.post(f"{path}/disable", {"totp": world.code()}))[0] == 404
            assert (await bob.call("DELETE", f"/v1/me/sessions/{session}"))[0] == 404
        assert lines == []
    form = {"action": "key.delete_all", "payload": {"count": 1}}
    assert (await bob.post("/v1/challenges", form))[1]["code"] == "keys_none"


async def test_a_challenge_is_good_for_nobody_else_and_in_no_other_session(
    world: World, ann: Browser, bob: Browser
) -> None:
    challenge, code = await asked(ann, "key.add", label="Bot1")
    again = world.browser()
    await again.sign_in()
    await again.post("/v1/auth/second-factor", {"code": world.code()})
    world.now_ns += MINUTE
    with world.changes() as lines:
        for somebody in (bob, again):
            status, said = await confirm(somebody, challenge, code, world.code())
            assert (status, said["code"]) == (410, "challenge_over")
    assert lines == []
    await again.http.close()
    assert (await confirm(ann, challenge, code, world.code()))[0] == 201


async def test_codes_of_one_challenge_open_no_other(world: World, ann: Browser) -> None:
    kid = (await added(world, ann))["kid"]
    edit, edit_code = await asked(ann, "key.edit", kid=kid, version=1, scopes=["trade"])
    delete, delete_code = await asked(ann, "key.delete", kid=kid)
    for challenge, code in ((edit, delete_code), (delete, edit_code)):
        assert (await confirm(ann, challenge, code, world.code()))[1]["code"] == "code_wrong"
    form = json.dumps({"code": delete_code, "totp": world.code()}).encode()
    for path in (f"{edit}%2f..%2f{delete}", f"{edit}/%2e%2e/{delete}", f"/{delete}", f"{delete}/"):
        status, _, said = await raw(ann, "POST", f"/v1/challenges/{path}/confirm", form)
        assert status == 410 or said == b'"behind"', path
    (key,) = (await ann.get("/v1/keys"))[1]
    assert (key["version"], key["scopes"]) == (1, ["read"])


async def test_one_that_is_used_or_too_old_is_over(world: World, ann: Browser) -> None:
    challenge, code = await asked(ann, "key.add", label="Bot1")
    assert (await confirm(ann, challenge, code, world.code()))[0] == 201
    world.now_ns += 2 * MINUTE
    assert (await confirm(ann, challenge, code, world.code()))[0] == 410
    challenge, code = await asked(ann, "key.add", label="Bot2")
    world.now_ns += 10 * MINUTE
    with world.changes() as lines:
        assert (await confirm(ann, challenge, code, world.code()))[0] == 410
    assert lines == []


# ── bodies ───────────────────────────────────────────────────────────────────────────────────────

BODIES: dict[str, dict[str, object]] = {
    "/v1/challenges": {"action": "key.add", "payload": {"label": "Bot1"}},
    "/v1/challenges/chl_1/confirm": {"code": "1", "totp": "1"},
    "/v1/me/password": {"password": "x", "new_password": "y"},
    "/v1/auth/sign-in": {"email": EMAIL, "password": PASSWORD},
    "/v1/auth/first-user": {"token": "x", "email": EMAIL, "password": PASSWORD},
    "/v1/auth/invitation": {"token": "x", "password": PASSWORD},
    "/v1/auth/password/forgotten": {"email": EMAIL},
    "/v1/auth/password/reset": {"email": EMAIL, "code": "x", "password": PASSWORD},
}


async def test_no_body_takes_more_than_its_form(world: World, ann: Browser) -> None:
    kid = (await added(world, ann))["kid"]
    more = {"state": "active", "scopes": ["manage"], "kid": kid, "user": "usr_1", "totp_step": 0}
    with world.changes() as lines:
        for path, form in BODIES.items():
            for name, value in more.items():
                status, said = await ann.post(path, form | {name: value})
                assert (status, said["code"]) == (422, "form_invalid"), (path, name)
        for name in ("state", "kid", "user", "version", "created_ns", "secret_hash"):
            payload = {"label": "Bot2", name: "active"}
            _, said = await ann.post("/v1/challenges", {"action": "key.add", "payload": payload})
            assert said["code"] == "form_invalid", name
        edit = {"kid": kid, "version": 1, "scopes": ["trade"], "state": "active"}
        _, said = await ann.post("/v1/challenges", {"action": "key.edit", "payload": edit})
        assert said["code"] == "form_invalid"
    assert lines == []


async def test_no_body_brings_anything_down_or_is_kept(world: World, ann: Browser) -> None:
    deep = b"[" * 30_000 + b"]" * 30_000
    bodies = {
        b'{"action": "key.add", "payload": {"label": ' + deep + b"}}": 422,
        b'{"action": "key.add", "payload": {"label": "\xed\xa0\x80"}}': 422,
        b'{"action": "key.add", "payload": {"label": "\\ud800"}}': 422,
        b'{"action": "key.add", "payload": {"label": "Bot1", "expires_days": 1' + b"0" * 400 + b"}}": 422,
        b'{"action": "key.delete_all", "payload": {"count": 1e400}}': 422,
        b'{"action": "key.add", "payload": {"label": "Bot1' + b"x" * 60_000 + b'"}}': 422,
        b'{"action": "key.add", "payload": {"label": "Bot1' + b"x" * 2**20 + b'"}}': 400,
        b"": 422, b"null": 422, b"\x00": 422, b'{"action": "key.add"': 422,
    }  # fmt: skip
    with world.changes() as lines:
        for body, expected in bodies.items():
            status, _, said = await raw(ann, "POST", "/v1/challenges", body)
            assert status == expected, (body[:60], said)
    assert lines == []
    wild = b'{"email": "ann@desk.example\\u0000", "password": "x"}'
    assert (await raw(ann, "POST", "/v1/auth/sign-in", wild))[0] == 401
    assert (await raw(ann, "POST", "/v1/auth/password/forgotten", b'{"email": "\\u0000"}'))[
        0
    ] == 202
    reset = b'{"email": "\\u0000", "code": "\\u0000", "password": "eight unrelated words"}'
    assert (await raw(ann, "POST", "/v1/auth/password/reset", reset))[0] == 401
    nulls = b'{"code": "\\u0000", "totp": "\\u0000"}'
    assert (await raw(ann, "POST", "/v1/challenges/chl_%00/confirm", nulls))[0] == 410


async def test_nothing_grants_without_codes(world: World, ann: Browser) -> None:
    kid = (await added(world, ann, ip_mode="trusted", addresses=["192.0.2.1"]))["kid"]
    form = {"scopes": ["withdraw"], "state": "active", "version": 1}
    with world.changes() as lines:
        for method in ("PUT", "PATCH", "POST", "DELETE"):
            for path in (f"/v1/keys/{kid}", "/v1/keys", f"/v1/keys/{kid}/enable"):
                assert (await ann.call(method, path, form))[0] in (404, 405), (method, path)
    assert lines == []
    payload = {"kid": kid, "version": 1, "scopes": ["withdraw"], "ip_mode": "trusted",
               "addresses": ["192.0.2.1"]}  # fmt: skip
    challenge, code = await asked(ann, "key.edit", **payload)
    for codes in (("", ""), (code, ""), (code, code), ("", world.code())):
        assert (await confirm(ann, challenge, *codes))[0] == 401
    assert (await ann.get("/v1/keys"))[1][0]["scopes"] == ["read"]


# ── races ────────────────────────────────────────────────────────────────────────────────────────


async def test_two_factors_at_once_confirm_once(world: World, ann: Browser) -> None:
    challenge, code = await asked(ann, "key.add", label="Bot1")
    statuses = await at_once([confirm(ann, challenge, code, world.code()) for _ in range(RACERS)])
    assert sorted(statuses) == [201] + [410] * (RACERS - 1)
    assert len((await ann.get("/v1/keys"))[1]) == 1


async def test_the_fifth_try_is_one_however_many_come_at_once(world: World, ann: Browser) -> None:
    challenge, code = await asked(ann, "key.add", label="Bot1")
    for _ in range(4):
        assert (await confirm(ann, challenge, code, "000000"))[0] == 401
    wrong = [f"{(int(code) + at) % 10**8:08}" for at in range(1, RACERS + 1)]
    statuses = await at_once([confirm(ann, challenge, each, world.code()) for each in wrong])
    assert sorted(statuses) == [401] + [410] * (RACERS - 1)
    assert (await confirm(ann, challenge, code, world.code()))[0] == 410
    assert (await ann.get("/v1/keys"))[1] == []


async def test_a_code_of_an_authenticator_grants_one_thing(world: World, ann: Browser) -> None:
    kids = [(await added(world, ann, label))["kid"] for label in ("Bot1", "Bot2")]
    waiting = [
        await asked(ann, "key.add", label="Bot3"),
        await asked(ann, "key.edit", kid=kids[0], version=1, scopes=["trade"]),
        await asked(ann, "key.rotate", kid=kids[0], label="Bot4", overlap_hours=0),
        await asked(ann, "key.delete", kid=kids[1]),
        await asked(ann, "key.delete_all", count=2),
        await asked(ann, "two_factor.disable"),
    ]
    halves = [world.browser() for _ in range(2)]
    for each in halves:
        await each.sign_in()
    code = world.code()
    calls = [confirm(ann, *each, code) for each in waiting]
    calls += [each.post("/v1/auth/second-factor", {"code": code}) for each in halves]
    statuses = await at_once(calls)
    assert len(statuses) == RACERS
    assert sum(each < 300 for each in statuses) == 1, statuses
    for each in halves:
        await each.http.close()


async def test_a_recovery_code_counts_once(world: World, browser: Browser) -> None:
    await world.ann(browser)
    recovery = world.enrol()[0]
    halves = [world.browser() for _ in range(RACERS)]
    for each in halves:
        assert (await each.sign_in())[0] == 200
    with world.changes() as lines:
        statuses = await at_once(
            [each.post("/v1/auth/second-factor", {"code": recovery}) for each in halves]
        )
    assert sorted(statuses) == [200] + [401] * (RACERS - 1)
    assert lines.count("- recovery code") == 1
    for each in halves:
        await each.http.close()


async def test_an_edit_that_races_a_delete_leaves_no_key_that_counts(
    world: World, browser: Browser
) -> None:
    await world.ann(browser)
    codes = iter(world.enrol())
    await browser.sign_in()
    assert (await browser.post("/v1/auth/second-factor", {"code": next(codes)}))[0] == 200
    add, code = await asked(browser, "key.add", label="Bot1")
    kid = (await confirm(browser, add, code, next(codes)))[1]["kid"]
    edit, edit_code = await asked(browser, "key.edit", kid=kid, version=1, scopes=["trade"])
    delete, delete_code = await asked(browser, "key.delete", kid=kid)
    racing = [(edit, edit_code, next(codes)), (delete, delete_code, next(codes))]
    calls = [confirm(browser, *each) for each in racing]
    calls += [browser.post(f"/v1/keys/{kid}/disable", {"totp": next(codes)}) for _ in range(3)]
    calls += [confirm(browser, *each) for each in racing] + [browser.get(f"/v1/keys/{kid}")]
    assert len(calls) == RACERS
    statuses = await at_once(calls)
    assert 204 in (statuses[1], statuses[6])
    assert (await browser.get(f"/v1/keys/{kid}"))[1]["state"] == "revoked"
    assert world.control.audit.verify().holds


async def test_tries_to_sign_in_are_ten_however_many_come_at_once(
    world: World, ann: Browser
) -> None:
    browsers = [world.browser() for _ in range(RACERS)]
    statuses = []
    for _ in range(2):
        statuses += await at_once([each.sign_in("wrong words") for each in browsers])
    assert sorted(statuses) == [401] * 10 + [429] * 6
    for each in browsers:
        await each.http.close()


async def test_codes_cannot_be_bombed(world: World, ann: Browser, other: Browser) -> None:
    letters = len(world.sink.letters())
    form = {"action": "key.add", "payload": {"label": "Bot1"}}
    statuses = await at_once([ann.post("/v1/challenges", form) for _ in range(RACERS)])
    assert sorted(statuses) == [201] + [429] * (RACERS - 1)
    assert len(world.sink.letters()) == letters + 1
    forgotten = [other.post("/v1/auth/password/forgotten", {"email": EMAIL}) for _ in range(RACERS)]
    assert await at_once(forgotten) == [202] * RACERS
    assert world.desk is not None
    await world.desk.finish()
    assert len(world.sink.letters()) == letters + 2
    invite = {"action": "user.invite", "payload": {"email": BOB}}
    statuses = await at_once([ann.post("/v1/challenges", invite) for _ in range(RACERS)])
    assert sorted(statuses) == [201] + [429] * (RACERS - 1)
    assert [each.to for each in world.sink.letters()[letters:]] == [EMAIL] * 3


# ── what is written ──────────────────────────────────────────────────────────────────────────────


async def test_nothing_that_is_given_breaks_out_of_a_header(world: World, ann: Browser) -> None:
    letters = len(world.sink.letters())
    wild = "\r\nBcc: eve@x.example\r\n\r\nhello"
    with world.changes() as lines:
        for email in (f"bob@desk.example{wild}", f"bob{wild}@desk.example", '"a\nb"@desk.example'):
            invite = {"action": "user.invite", "payload": {"email": email}}
            status, said = await ann.post("/v1/challenges", invite)
            assert (status, said["code"]) == (422, "email_invalid")
        for phrase in (f"heron{wild}", "x" * 65, "\u202eheron", "\x1b[31m", "\x00"):
            status, said = await ann.call("PATCH", "/v1/me", {"anti_phishing": phrase})
            assert (status, said["code"]) == (422, "phrase_invalid")
    assert lines == []
    assert len(world.sink.letters()) == letters
    agent = "<script>\x9b31m" + "x" * 5_000
    form = {"email": EMAIL, "password": PASSWORD}
    status, _ = await ann.call("POST", "/v1/auth/sign-in", form, **{"User-Agent": agent})
    assert status == 200
    with world.control.store.read() as connection:
        kept = [row.agent for row in connection.execute(SESSIONS.select())]
    assert any(each.startswith("<script>") for each in kept)
    assert all(len(each) <= 200 and each.isprintable() for each in kept)


# ── who is a user ────────────────────────────────────────────────────────────────────────────────


class Computed:
    """What is computed: the costs of passwords that are looked at, and what the database is asked."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hashed: list[str] = []
        self.asked: list[str] = []
        verify, make = PasswordHasher.verify, PasswordHasher.hash

        def seen(hasher: PasswordHasher, kept: str, password: str) -> bool:
            self.hashed.append(kept.rsplit("$", 2)[0])
            return verify(hasher, kept, password)

        def made(hasher: PasswordHasher, password: str) -> str:
            self.hashed.append("made")
            return make(hasher, password)

        monkeypatch.setattr(PasswordHasher, "verify", seen)
        monkeypatch.setattr(PasswordHasher, "hash", made)
        event.listen(world.control.store._engine, "before_cursor_execute", self._ask)

    def _ask(self, *given: Any) -> None:
        self.asked.append(given[2])

    def taken(self) -> tuple[list[str], list[str]]:
        taken = self.hashed, self.asked
        self.hashed, self.asked = [], []
        return taken


async def test_signing_in_computes_the_same_whether_or_not_there_is_such_a_user(
    world: World, ann: Browser, other: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = (await world.bob(other))["user"]
    assert (await ann.post(f"/v1/users/{user}/remove", {"password": PASSWORD}))[0] == 204
    other.http.cookie_jar.clear()
    await other.sign_in("wrong words")  # once, so that everything is loaded
    computed = Computed(world, monkeypatch)
    seen = []
    for email in (EMAIL, EMAIL.upper(), BOB, "eve@desk.example", "x", "", "\0"):
        form = {"email": email, "password": "wrong words"}
        status, headers, body = await raw(
            other, "POST", "/v1/auth/sign-in", json.dumps(form).encode()
        )
        told = {name: value for name, value in headers.items() if name.lower() != "date"}
        hashed, asked_for = computed.taken()
        assert len(hashed) == 1
        seen.append((status, told, body, hashed, asked_for))
    assert all(each == seen[0] for each in seen)
    assert seen[0][0] == 401


async def test_a_reset_computes_the_same_whether_or_not_there_is_such_a_user(
    world: World, ann: Browser, other: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = Computed(world, monkeypatch)
    seen = []
    for email in (EMAIL, "eve@desk.example", "x"):
        form = {"email": email, "code": "00000000", "password": "eight unrelated words"}
        with world.changes() as lines:
            computed.taken()
            status, _, body = await raw(
                other, "POST", "/v1/auth/password/reset", json.dumps(form).encode()
            )
            computed_now = computed.taken()
        seen.append((status, body, computed_now, lines))
    assert all(each == seen[0] for each in seen)
    assert seen[0][3] == ["+ audit user.password.reset refused by none reset_refused"]
    asks = [
        await other.post("/v1/auth/password/forgotten", {"email": each}) for each in (EMAIL, "x")
    ]
    assert asks == [(202, {})] * 2


# ── pages of others ──────────────────────────────────────────────────────────────────────────────


async def test_no_page_but_ours_changes_anything(world: World, ann: Browser, bob: Browser) -> None:
    origin = f"http://{ann._url.authority}"
    kid = (await added(world, ann))["kid"]
    body = json.dumps({"totp": world.code()}).encode()
    path = f"/v1/keys/{kid}/disable"
    with world.changes() as lines:
        for csrf in ("", "x", bob.csrf, ann.csrf[:-1], ann.csrf + "x", ann.csrf.lower()):
            status, _, said = await raw(ann, "POST", path, body, **{"X-CSRF-Token": csrf})
            assert (status, json.loads(said)["code"]) == (403, "csrf_wrong")
        for foreign in (
            "https://eve.example",
            "null",
            f"{origin}.eve.example",
            "http://127.0.0.1:1",
        ):
            assert (await raw(ann, "POST", path, body, Origin=foreign))[0] == 403, foreign
            status, headers, _ = await raw(
                ann, "OPTIONS", path, Origin=foreign,
                **{"Access-Control-Request-Method": "POST",
                   "Access-Control-Request-Headers": "x-csrf-token"},
            )  # fmt: skip
            assert status in (403, 405)
            assert not [name for name in headers if name.lower().startswith("access-control")]
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            assert (await raw(ann, "POST", path, body, **{"Content-Type": kind}))[0] == 415, kind
        for method in ("GET", "HEAD"):
            assert (await raw(ann, method, path))[0] == 405
    assert lines == []
    assert (await raw(ann, "POST", path, body, Origin=origin))[0] == 200


# ── sessions ─────────────────────────────────────────────────────────────────────────────────────


async def test_nobody_is_signed_in_by_a_cookie_that_another_chose(
    world: World, ann: Browser, other: Browser
) -> None:
    chosen = one_time.new_token()
    other.http.cookie_jar.update_cookies({"fairlead_session": chosen}, other._url)
    assert (await other.sign_in())[0] == 200
    half = other.token
    assert half != chosen
    assert (await other.post("/v1/auth/second-factor", {"code": world.code()}))[0] == 200
    whole = other.token
    assert len({chosen, half, whole}) == 3
    async with world.browser().http as nobody:
        for token in (chosen, half, "", whole + "x", whole[:-1], whole.upper()):
            cookie = {"Cookie": f"fairlead_session={token}"}
            async with nobody.get(other._url.join(URL("/v1/me")), headers=cookie) as response:
                assert response.status == 401
    assert (await other.get("/v1/me"))[0] == 200


async def test_of_two_cookies_none_counts_and_those_of_others_do_not_matter(
    world: World, ann: Browser
) -> None:
    ours = f"fairlead_session={ann.token}"
    url = ann._url.join(URL("/v1/me"))
    async with world.browser().http as nobody:
        for cookie, status in (
            (f"fairlead_session={one_time.new_token()}; {ours}", 401),
            (f"{ours}; fairlead_session=", 401),
            (f"{ours}; {ours}", 200),
            (f'theme={{"dark": [1]}}; {ours}; a@b=c; ; "', 200),
            (f"__Host-fairlead={ann.token}", 401),
            (f"FAIRLEAD_SESSION={ann.token}", 401),
        ):
            async with nobody.get(url, headers={"Cookie": cookie}) as response:
                assert response.status == status, cookie


async def test_who_is_throttled_elsewhere_keeps_no_owner_from_taking_keys_back(
    world: World, ann: Browser, other: Browser
) -> None:
    kid = (await added(world, ann))["kid"]
    form = {"email": EMAIL, "password": "wrong words"}
    statuses = [
        (await other.call("POST", "/v1/auth/sign-in", form, **ELSEWHERE))[0] for _ in range(11)
    ]
    assert statuses == [401] * 10 + [429]
    status, said = await ann.post(f"/v1/keys/{kid}/disable", {"totp": world.code()})
    assert (status, said["state"]) == (200, "disabled")
    owner = world.browser()
    assert (await owner.sign_in())[0] == 200
    for _ in range(11):  # and not even who is at the owner's own address
        await other.post("/v1/auth/sign-in", form)
    world.now_ns += MINUTE
    kid = (await added(world, ann, "Bot2"))["kid"]
    assert (await ann.post(f"/v1/keys/{kid}/disable", {"password": PASSWORD}))[0] == 200
    await owner.http.close()


@pytest.mark.parametrize("world", [Cost(4, 65_536, 1)], indirect=True)
async def test_a_flood_of_passwords_is_bounded_and_what_is_behind_goes_on(
    world: World, browser: Browser, other: Browser
) -> None:
    await world.ann(browser)
    forms = [{"email": f"u{at}@x.example", "password": "x"} for at in range(40)]
    flood = [asyncio.create_task(other.post("/v1/auth/sign-in", form)) for form in forms]
    await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)
    status, _, said = await raw(browser, "GET", "/v1/orders")
    assert (status, said) == (200, b'"behind"')
    assert (await browser.get("/v1/me"))[0] == 200
    assert not all(each.done() for each in flood)
    statuses = [(await each)[0] for each in flood]
    assert statuses.count(503) == 40 - 16
    assert statuses.count(401) == 16


async def test_what_a_removed_user_had_is_gone(world: World, ann: Browser, bob: Browser) -> None:
    form = {"action": "key.add", "payload": {"label": "Bot1"}}
    said = (await bob.post("/v1/challenges", form))[1]
    code = mailed(world)
    user = (await bob.get("/v1/me"))[1]["user"]
    assert (await ann.post(f"/v1/users/{user}/remove", {"password": PASSWORD}))[0] == 204
    assert (await confirm(bob, said["challenge"], code, world.code()))[0] == 401
    with world.control.store.read() as connection:
        kept = connection.execute(USERS.select().where(USERS.c.email == BOB)).one()
        assert (kept.password, kept.totp) == ("", None)
        for table in (CHALLENGES, SESSIONS):
            assert connection.execute(table.select().where(table.c.user == user)).all() == []
    await granted(world, ann, "key.add", label="Bot1")
