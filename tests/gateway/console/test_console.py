"""People's calls by HTTP: every step of signing in, who may call what, and what no page may do."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select
from yarl import URL

from fairlead.control.people import one_time
from fairlead.control.people.person import User
from fairlead.control.tables import CHALLENGES
from tests.gateway.console.conftest import (
    EMAIL,
    MINUTE,
    PASSWORD,
    SECRET,
    Browser,
    World,
    asked,
    confirm,
)

pytestmark = pytest.mark.asyncio

# ── the way in ───────────────────────────────────────────────────────────────────────────────────


async def test_the_first_user_by_the_link(world: World, browser: Browser) -> None:
    assert await browser.get("/v1/auth/state") == (
        200,
        {"signed_in": False, "needs_first_user": True, "needs_second_factor": False,
         "csrf": "", "mail": "sink"},
    )  # fmt: skip
    said = await world.ann(browser)
    status, me = await browser.get("/v1/me")
    assert status == 200
    session = me.pop("session")
    assert session.startswith("ses_")
    assert me == {
        "user": said["user"], "email": EMAIL, "subscription": "local", "two_factor": False,
        "anti_phishing": "", "address": "127.0.0.1",
    }  # fmt: skip
    status, state = await browser.get("/v1/auth/state")
    assert (state["signed_in"], state["needs_first_user"]) == (True, False)
    assert state["csrf"] == said["csrf"]


async def test_password_then_code_then_out(world: World, browser: Browser, other: Browser) -> None:
    await world.ann(browser)
    world.enrol()
    assert (await other.sign_in())[1]["needs_second_factor"] is True
    half = other.token
    assert await other.get("/v1/me") == (
        401, {"code": "second_factor_needed", "message": "give the code of your authenticator first"},
    )  # fmt: skip
    assert (await other.get("/v1/auth/state"))[1]["needs_second_factor"] is True
    status, said = await other.post("/v1/auth/second-factor", {"code": world.code()})
    assert (status, said["needs_second_factor"]) == (200, False)
    assert other.token not in ("", half)
    assert (await other.get("/v1/me"))[0] == 200
    assert (await other.post("/v1/auth/second-factor", {"code": world.code()}))[0] == 409
    assert (await other.post("/v1/auth/sign-out"))[0] == 204
    assert other.token == ""
    assert (await other.get("/v1/me"))[0] == 401


async def test_every_refusal_to_sign_in_reads_the_same(world: World, browser: Browser) -> None:
    await world.ann(browser)
    stranger = {"email": "bob@desk.example", "password": PASSWORD}
    refused = await browser.sign_in("wrong words")
    assert refused[0] == 401
    assert await browser.post("/v1/auth/sign-in", stranger) == refused


async def test_too_many_tries_say_when_to_come_back(world: World, browser: Browser) -> None:
    await world.ann(browser)
    for _ in range(10):
        assert (await browser.sign_in("wrong words"))[0] == 401
    url = browser._url.join(URL("/v1/auth/sign-in"))
    form = {"email": EMAIL, "password": PASSWORD}
    headers = {"X-CSRF-Token": browser.csrf}
    async with browser.http.post(url, json=form, headers=headers) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "900")


# ── one's own ────────────────────────────────────────────────────────────────────────────────────


async def test_sessions_are_listed_and_ended(
    world: World, browser: Browser, other: Browser
) -> None:
    await world.ann(browser)
    await other.sign_in()
    status, sessions = await browser.get("/v1/me/sessions")
    assert status == 200
    assert sorted(each["is_this"] for each in sessions) == [False, True]
    (foreign,) = [each["session"] for each in sessions if not each["is_this"]]
    assert (await browser.call("DELETE", f"/v1/me/sessions/{foreign}"))[0] == 204
    assert (await other.get("/v1/me"))[0] == 401
    assert (await browser.call("DELETE", f"/v1/me/sessions/{foreign}"))[0] == 404
    assert (await browser.get("/v1/me"))[0] == 200


async def test_a_new_password_ends_the_other_sessions(
    world: World, browser: Browser, other: Browser
) -> None:
    await world.ann(browser)
    await other.sign_in()
    wrong = {"password": "wrong words", "new_password": "eight unrelated words"}
    assert (await browser.post("/v1/me/password", wrong))[0] == 401
    weak = {"password": PASSWORD, "new_password": "password"}
    status, said = await browser.post("/v1/me/password", weak)
    assert (status, said["code"], said["field"]) == (422, "password_weak", "password")
    right = {"password": PASSWORD, "new_password": "eight unrelated words"}
    assert (await browser.post("/v1/me/password", right))[0] == 204
    assert (await browser.get("/v1/me"))[0] == 200
    assert (await other.get("/v1/me"))[0] == 401


async def test_a_new_password_needs_the_second_factor_where_there_is_one(
    world: World, browser: Browser
) -> None:
    await world.ann(browser)
    world.enrol()
    await browser.sign_in()
    await browser.post("/v1/auth/second-factor", {"code": world.code()})
    world.now_ns += MINUTE
    form = {"password": PASSWORD, "new_password": "eight unrelated words"}
    for wrong in (form, form | {"totp": "000000"}):
        status, said = await browser.post("/v1/me/password", wrong)
        assert (status, said["code"]) == (401, "password_wrong")
    assert (await browser.post("/v1/me/password", form | {"totp": world.code()}))[0] == 204


async def test_the_phrase(world: World, browser: Browser) -> None:
    await world.ann(browser)
    status, me = await browser.call("PATCH", "/v1/me", {"anti_phishing": "blue heron"})
    assert (status, me["anti_phishing"]) == (200, "blue heron")
    assert (await browser.get("/v1/me"))[1]["anti_phishing"] == "blue heron"


# ── what is granted ──────────────────────────────────────────────────────────────────────────────

ENABLE, DISABLE = "two_factor.enable", "two_factor.disable"


async def test_the_second_factor_from_the_picture_to_off_again(
    world: World, browser: Browser, other: Browser
) -> None:
    await world.ann(browser)
    await other.sign_in()
    status, new = await browser.post("/v1/me/two-factor")
    assert status == 201
    assert new["uri"].startswith("otpauth://totp/Fairlead:ann%40desk.example?secret=")
    assert new["qr_svg"].startswith("<svg")

    def code() -> str:
        return one_time.totp_code(new["secret"], one_time.step_at(world.now_ns))

    challenge, mailed = await asked(browser, ENABLE, secret=new["secret"])
    assert (await confirm(browser, challenge, mailed, "000000"))[0] == 401
    status, said = await confirm(browser, challenge, mailed, code())
    assert status == 200
    assert len(said["recovery_codes"]) == 10
    assert (await browser.get("/v1/me"))[1]["two_factor"] is True
    assert (await other.get("/v1/me"))[0] == 401
    assert (await other.sign_in())[1]["needs_second_factor"] is True
    assert (await browser.post("/v1/me/two-factor"))[0] == 409

    world.now_ns += MINUTE
    challenge, mailed = await asked(browser, DISABLE)
    right = code()
    wrong = f"{(int(mailed) + 1) % 10**8:08}"
    assert (await confirm(browser, challenge, wrong, right))[0] == 401
    assert await confirm(browser, challenge, mailed, right) == (200, {})
    assert (await browser.get("/v1/me"))[1]["two_factor"] is False
    assert (await confirm(browser, challenge, mailed, right))[0] == 410


async def test_what_was_asked_for_is_what_is_done(world: World, browser: Browser) -> None:
    await world.ann(browser)
    ours, theirs = SECRET, one_time.new_totp_secret()
    challenge, mailed = await asked(browser, ENABLE, secret=ours)
    step = one_time.step_at(world.now_ns)
    assert (await confirm(browser, challenge, mailed, one_time.totp_code(theirs, step)))[0] == 401
    path = f"/v1/challenges/{challenge}/confirm"
    swapped = {"code": mailed, "totp": world.code(), "payload": {"secret": theirs}}
    assert (await browser.post(path, swapped))[1]["code"] == "form_invalid"
    assert (await confirm(browser, challenge, mailed, world.code()))[0] == 200


@pytest.mark.parametrize(
    ("action", "payload", "status", "code"),
    [
        (DISABLE, {}, 403, "two_factor_required"),
        (ENABLE, {"secret": "short"}, 422, "secret_invalid"),
        (ENABLE, {}, 422, "form_invalid"),
        (ENABLE, {"secret": SECRET, "user": "usr_1"}, 422, "form_invalid"),
        ("key.steal", {}, 422, "action_unknown"),
    ],
)
async def test_what_cannot_be_asked_for_sends_nothing(
    world: World,
    browser: Browser,
    action: str,
    payload: dict[str, str],
    status: int,
    code: str,
) -> None:
    await world.ann(browser)
    found, said = await browser.post("/v1/challenges", {"action": action, "payload": payload})
    assert (found, said["code"]) == (status, code)
    assert world.sink.letters() == []


async def test_a_code_is_mailed_once_a_minute(world: World, browser: Browser) -> None:
    await world.ann(browser)
    await asked(browser, ENABLE, secret=SECRET)
    form = {"action": ENABLE, "payload": {"secret": SECRET}}
    assert (await browser.post("/v1/challenges", form))[0] == 429
    assert len(world.sink.letters()) == 1
    world.now_ns += MINUTE
    await asked(browser, ENABLE, secret=SECRET)


async def test_without_mail_nothing_is_granted_and_nothing_is_half_made(
    world: World, browser: Browser, tmp_path: Path
) -> None:
    await world.ann(browser)
    (tmp_path / "data" / "mail.jsonl").mkdir()
    form = {"action": ENABLE, "payload": {"secret": SECRET}}
    status, said = await browser.post("/v1/challenges", form)
    assert (status, said["code"]) == (503, "mail_unavailable")
    with world.control.store.read() as connection:
        assert connection.execute(select(CHALLENGES)).all() == []
    assert (await browser.post("/v1/auth/sign-out"))[0] == 204


# ── what is not to be ────────────────────────────────────────────────────────────────────────────

CHANGES = (
    ("PATCH", "/v1/me", {"anti_phishing": "x"}),
    ("POST", "/v1/me/password", {"password": PASSWORD, "new_password": "eight unrelated words"}),
    ("POST", "/v1/challenges", {"action": "user.invite", "payload": {"email": "eve@x.example"}}),
    ("POST", "/v1/users/usr_1/remove", {"password": PASSWORD}),
    ("POST", f"/v1/me/certificates/{'0' * 64}/revoke", {"password": PASSWORD}),
    ("DELETE", "/v1/me/sessions/ses_1", None),
    ("POST", "/v1/me/two-factor", None),
    ("POST", "/v1/challenges", {"action": "two_factor.disable"}),
    ("POST", "/v1/challenges/chl_1/confirm", {"code": "00000000", "totp": "000000"}),
    ("POST", "/v1/auth/sign-out", None),
)


READS = (
    *("/v1/me", "/v1/me/sessions", "/v1/me/accounts", "/v1/me/certificates"),
    *("/v1/users", "/v1/mail"),
)


@pytest.mark.parametrize("csrf", ["", "x", "stale"])
async def test_no_change_without_the_token_that_our_page_knows(
    world: World, browser: Browser, csrf: str
) -> None:
    before = await world.ann(browser)
    sent = before["csrf"] if csrf == "stale" else csrf
    if csrf == "stale":
        await browser.sign_in()  # a new session, with a token of its own
    for method, path, form in CHANGES:
        status, said = await browser.call(method, path, form, **{"X-CSRF-Token": sent})
        assert (status, said["code"]) == (403, "csrf_wrong"), path
    (user,) = world.control.users.listed()
    assert user.phrase == ""
    assert (await browser.get("/v1/me"))[0] == 200


async def test_no_change_from_another_page(world: World, browser: Browser) -> None:
    await world.ann(browser)
    url = browser._url.join(URL("/v1/me"))
    headers = {"X-CSRF-Token": browser.csrf, "Origin": "https://eve.example"}
    form = {"anti_phishing": "x"}
    async with browser.http.patch(url, json=form, headers=headers) as response:
        assert response.status == 403
    (user,) = world.control.users.listed()
    assert user.phrase == ""


async def test_without_a_session_there_is_nothing_and_a_key_is_none(
    world: World, browser: Browser
) -> None:
    reads = [("GET", path, None) for path in READS]
    for method, path, form in (*reads, *CHANGES):
        status, said = await browser.call(method, path, form)
        assert (status, said["code"]) == (401, "session_needed"), path
        if path != "/v1/auth/sign-out":
            status, said = await browser.call(method, path, form, **{"X-CoinAPI-Key": "fl_live_x"})
            assert (status, said["code"]) == (403, "session_needed"), path


async def test_a_session_is_nobody_to_what_is_behind(world: World, browser: Browser) -> None:
    await world.ann(browser)
    url = browser._url.join(URL("/v1/orders"))
    async with browser.http.get(url) as response:
        assert await response.json() == "behind"


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"email": EMAIL}, "missing required field `password`"),
        ({"email": EMAIL, "password": 1}, "Expected `str`, got `int` - at `$.password`"),
        ({"email": EMAIL, "password": "x", "scopes": ["manage"]}, "unknown field `scopes`"),
        ([], "Expected `object`, got `array`"),
    ],
)
async def test_a_form_that_is_none_is_told_why(
    world: World, browser: Browser, form: object, words: str
) -> None:
    status, said = await browser.post("/v1/auth/sign-in", form)
    assert (status, said["code"]) == (422, "form_invalid")
    assert words in said["message"]


async def test_other_methods_are_told_which_there_are(world: World, browser: Browser) -> None:
    status, said = await browser.call("PUT", "/v1/me")
    assert (status, said["message"]) == (405, "this is not possible here, use GET, PATCH")


async def test_the_cookie_is_for_us_alone(world: World, browser: Browser) -> None:
    form = {"token": world.link(), "email": EMAIL, "password": PASSWORD}
    url = browser._url.join(URL("/v1/auth/first-user"))
    async with browser.http.post(url, json=form) as response:
        cookie = response.headers["Set-Cookie"]
    name, _, rest = cookie.partition("=")
    assert name == "fairlead_session"
    assert rest.partition(";")[2] == " Path=/; HttpOnly; SameSite=Strict"


def ends_by_idling(world: World) -> None:
    world.now_ns += 30 * MINUTE


def ends_by_the_database(world: World) -> None:
    (user,) = world.control.users.listed()
    assert isinstance(user, User)
    with world.control.store.change() as change:
        world.control.sessions.end_all(change, user)


@pytest.mark.parametrize("end", [ends_by_idling, ends_by_the_database])
async def test_what_has_ended_is_over_at_the_next_call(
    world: World, browser: Browser, end: Callable[[World], None]
) -> None:
    await world.ann(browser)
    end(world)
    assert (await browser.get("/v1/me"))[0] == 401


@pytest.mark.parametrize(
    ("forwarded", "status", "code"),
    [
        ("192.0.2.7", 403, "https_needed"),
        ("127.0.0.1, 192.0.2.7", 403, "https_needed"),
        ("no address", 403, "address_unreadable"),
        ("127.0.0.1", 401, "session_needed"),
    ],
)
async def test_behind_a_trusted_proxy_the_address_is_the_one_that_it_says(
    world: World, browser: Browser, forwarded: str, status: int, code: str
) -> None:
    found, said = await browser.call("GET", "/v1/me", **{"X-Forwarded-For": forwarded})
    assert (found, said["code"]) == (status, code)


HTTPS = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}


async def test_behind_a_proxy_that_ends_tls_people_sign_in_by_a_cookie_of_https(
    world: World, browser: Browser
) -> None:
    await world.ann(browser)
    browser.http.cookie_jar.clear()
    form = {"email": EMAIL, "password": PASSWORD}
    url = world.url / "v1/auth/sign-in"
    async with browser.http.post(url, json=form, headers=HTTPS) as response:
        assert response.status == 200
        (cookie,) = response.headers.getall("Set-Cookie")
        csrf = (await response.json())["csrf"]
    assert cookie.startswith("__Host-fairlead=")
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    sent = {**HTTPS, "Cookie": cookie.partition(";")[0]}
    async with browser.http.get(world.url / "v1/me/sessions", headers=sent) as response:
        assert "192.0.2.7" in {each["address"] for each in await response.json()}
    # The same cookie over http is nobody's, whoever says that it came over https.
    for over_http in ("http", "https, http", "", "ftp"):
        asked = {**sent, "X-Forwarded-Proto": over_http}
        async with browser.http.get(world.url / "v1/me", headers=asked) as response:
            assert (await response.json())["code"] == "https_needed"
    async with browser.http.post(
        world.url / "v1/auth/sign-out", headers={**sent, "X-CSRF-Token": csrf}
    ) as response:
        assert response.status == 204
        assert response.headers["Set-Cookie"].startswith("__Host-fairlead=;")


async def test_nobody_but_a_trusted_proxy_is_believed_to_come_over_https(world: World) -> None:
    assert world.desk is not None
    scope = {"scheme": "http", "headers": [(b"x-forwarded-proto", b"https")]}
    assert world.desk.is_secure({**scope, "client": ("127.0.0.1", 1)})
    assert not world.desk.is_secure({**scope, "client": ("127.0.0.2", 1)})
    assert not world.desk.is_secure({**scope, "client": None})
