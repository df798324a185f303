"""Inviting is granting: no session alone makes a link, whoever has it; both codes do, for the one address."""

import asyncio

import pytest

from fairlead.control.people import users
from tests.gateway.console.conftest import (
    BOB,
    DATABASES,
    EMAIL,
    MINUTE,
    PASSWORD,
    Browser,
    World,
    asked,
    confirm,
    granted,
)
from tests.gateway.console.mail_server import mail_server

pytestmark = [pytest.mark.asyncio, pytest.mark.parametrize("database", DATABASES)]

INVITE = {"action": "user.invite", "payload": {"email": BOB}}
ASKED = "+ audit challenge.ask done by session"
PENDING = "challenge user.invite: 5 tries left"
RACERS = 8


def token_of(letter: str) -> str:
    return letter.partition("http://page/invitation#")[2].split()[0]


async def test_an_invitation_is_asked_for_confirmed_and_mailed(
    world: World, ann: Browser, other: Browser
) -> None:
    with world.changes() as lines:
        challenge, code = await asked(ann, "user.invite", email=BOB)
    letter = f"+ letter to {EMAIL}: Code to invite a user"
    assert lines == [ASKED, f"+ {PENDING}", letter]
    asking = world.sink.letters()[-1]
    assert f"Who is invited: {BOB}" in asking.text
    assert "http" not in asking.text
    with world.changes() as lines:
        assert await confirm(ann, challenge, code, world.code()) == (204, None)
    assert lines == [
        f"- {PENDING}",
        "+ audit user.invite done by mail+totp",
        f"+ letter to {BOB}: You are invited to Fairlead",
        f"+ link for {BOB}",
    ]
    form = {"token": token_of(world.sink.letters()[-1].text), "password": PASSWORD}
    assert (await other.post("/v1/auth/invitation", form))[0] == 201
    named = {each["email"]: each["user"] for each in (await ann.get("/v1/users"))[1]}
    assert named.keys() == {EMAIL, BOB}
    assert (await ann.post(f"/v1/users/{named[BOB]}/remove", {"password": PASSWORD}))[0] == 204
    assert (await other.get("/v1/me"))[0] == 401
    assert (await ann.post(f"/v1/users/{named[BOB]}/remove", {"password": PASSWORD}))[0] == 404


async def test_who_has_a_session_alone_invites_nobody(
    world: World, browser: Browser, other: Browser
) -> None:
    await world.ann(browser)
    with world.changes() as lines:
        for email in (BOB, EMAIL, "no address"):
            form = {"action": "user.invite", "payload": {"email": email}}
            status, said = await browser.post("/v1/challenges", form)
            assert (status, said["code"]) == (403, "two_factor_required"), email
    assert lines == []
    world.enrol()
    await other.sign_in()
    with world.changes() as lines:
        status, said = await other.post("/v1/challenges", INVITE)
        assert (status, said["code"]) == (401, "second_factor_needed")
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert (await browser.call(method, "/v1/users", {"email": BOB}))[0] == 405
    assert lines == []


async def test_one_code_of_two_invites_nobody(world: World, ann: Browser) -> None:
    challenge, code = await asked(ann, "user.invite", email=BOB)
    with world.changes() as lines:
        for codes in ((code, "000000"), (code, code), ("00000000", world.code())):
            status, said = await confirm(ann, challenge, *codes)
            assert (status, said["code"]) == (401, "code_wrong")
    refused = "+ audit challenge.confirm refused by session code_wrong"
    assert lines == [f"- {PENDING}", *[refused] * 3, "+ challenge user.invite: 2 tries left"]


async def test_what_cannot_be_is_said_before_anything_is_mailed(
    world: World, ann: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {"no address": (422, "email_invalid"), EMAIL.upper(): (409, "email_taken")}
    with world.changes() as lines:
        for email, expected in wrong.items():
            form = {"action": "user.invite", "payload": {"email": email}}
            status, said = await ann.post("/v1/challenges", form)
            assert (status, said["code"]) == expected
        monkeypatch.setattr(users, "USERS_MAX", 1)
        status, said = await ann.post("/v1/challenges", INVITE)
        assert (status, said["code"]) == (409, "users_too_many")
    assert lines == []


async def test_who_is_invited_is_who_was_asked_for(world: World, ann: Browser) -> None:
    challenge, code = await asked(ann, "user.invite", email=BOB)
    path = f"/v1/challenges/{challenge}/confirm"
    codes = {"code": code, "totp": world.code()}
    with world.changes() as lines:
        for more in ({"email": "eve@desk.example"}, {"payload": {"email": "eve@desk.example"}}):
            assert (await ann.post(path, codes | more))[0] == 422
    assert lines == []
    assert (await ann.post(path, codes))[0] == 204
    assert world.sink.letters()[-1].to == BOB


async def test_an_address_that_was_taken_since_is_not_invited(
    world: World, ann: Browser, other: Browser
) -> None:
    challenge, code = await asked(ann, "user.invite", email=BOB.upper())
    await world.bob(other)
    with world.changes() as lines:
        status, said = await confirm(ann, challenge, code, world.code())
    assert (status, said["code"]) == (409, "email_taken")
    assert lines == [
        f"- {PENDING}",
        "+ audit challenge.confirm refused by session email_taken",
        "+ audit user.invite refused by mail+totp email_taken",
    ]


async def test_confirmed_many_times_at_once_it_is_one_invitation(
    world: World, ann: Browser
) -> None:
    challenge, code = await asked(ann, "user.invite", email=BOB)
    calls = [confirm(ann, challenge, code, world.code()) for _ in range(RACERS)]
    statuses = sorted(status for status, _ in await asyncio.gather(*calls))
    assert statuses == [204] + [410] * (RACERS - 1)
    assert [each.to for each in world.sink.letters()].count(BOB) == 1


async def test_an_invitation_whose_letter_was_not_taken_is_void(
    world: World, ann: Browser, other: Browser
) -> None:
    """The code was mailed, then the server goes: first one that refuses, then there is none at all."""
    assert world.desk is not None
    async with mail_server() as server:
        for post in (server.post(), None):
            world.desk.post = world.sink
            challenge, code = await asked(ann, "user.invite", email=BOB)
            server.trouble = ("RCPT", "450 not now")
            world.desk.post = post
            with world.changes() as lines:
                status, said = await confirm(ann, challenge, code, world.code())
            assert (status, said["code"]) == (503, "mail_unavailable")
            assert lines == [f"- {PENDING}", "+ audit user.invite done by mail+totp"]
            world.now_ns += 2 * MINUTE
        assert server.letters == []
    world.desk.post = world.sink
    assert (await granted(world, ann, "user.invite", email=BOB))[0] == 204
    form = {"token": token_of(world.sink.letters()[-1].text), "password": PASSWORD}
    assert (await other.post("/v1/auth/invitation", form))[0] == 201
    assert world.control.audit.verify().holds
