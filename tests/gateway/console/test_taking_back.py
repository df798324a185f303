"""Taking back needs one factor and no mail: a user removed, a certificate revoked. A stolen session alone
takes nothing from anybody; and what a page needs to offer a choice is told.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from fairlead.control.accounts import Accounts, Set
from fairlead.control.keyring import Made, Wanted
from fairlead.tls.authority import Authority, make_intermediate, make_root
from tests.gateway.console.conftest import (
    BOB,
    DATABASES,
    EMAIL,
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

pytestmark = [pytest.mark.asyncio, pytest.mark.parametrize("database", DATABASES)]

RACERS = 8
REFUSED = "+ audit user.prove refused by none factor_wrong"
WRONG: tuple[tuple[dict[str, str], int, str, list[str]], ...] = (
    ({}, 422, "factor_needed", []),
    ({"password": "", "totp": ""}, 422, "factor_needed", []),
    ({"password": PASSWORD, "totp": "000000"}, 422, "factor_needed", []),
    ({"password": PASSWORD, "state": "active"}, 422, "form_invalid", []),
    ({"password": "wrong words"}, 401, "factor_wrong", [REFUSED]),
    ({"totp": "000000"}, 401, "factor_wrong", [REFUSED]),
)


@pytest_asyncio.fixture
async def bob(world: World, ann: Browser, other: Browser) -> AsyncIterator[Browser]:
    """Another user of the same subscription."""
    await world.bob(other)
    yield other


async def id_of(browser: Browser) -> str:
    """Return whose browser it is."""
    found: str = (await browser.get("/v1/me"))[1]["user"]
    return found


async def certified(world: World, ann: Browser) -> Any:
    """Return what is told of a new certificate of Bot1."""
    root = make_root(world.now_ns)
    authority = Authority(make_intermediate(root, world.now_ns), root.certificate)
    with world.control.store.change() as change:
        world.control.authorities.add(change, OWNER, authority, world.now_ns)
    kid = (await added(world, ann))["kid"]
    status, said = await granted(world, ann, "certificate.issue", kid=kid)
    assert status == 201
    return said


async def refuses_wrong_factors(world: World, ann: Browser, path: str) -> None:
    """Try every factor that is none: refused, and nothing but that is stored."""
    for form, status, code, expected in WRONG:
        with world.changes() as lines:
            found, said = await ann.post(path, form)
        assert (found, said["code"]) == (status, code), form
        assert lines == expected


# ── a user ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_stolen_session_removes_nobody(world: World, ann: Browser, bob: Browser) -> None:
    path = f"/v1/users/{await id_of(bob)}/remove"
    await refuses_wrong_factors(world, ann, path)
    assert (await bob.get("/v1/me"))[0] == 200


@pytest.mark.parametrize("factor", ["password", "totp"])
async def test_one_factor_removes_a_user_with_all_that_is_theirs(
    world: World, ann: Browser, bob: Browser, factor: str
) -> None:
    given = {"password": PASSWORD} if factor == "password" else {"totp": world.code()}
    path = f"/v1/users/{await id_of(bob)}/remove"
    with world.changes() as lines:
        assert await ann.post(path, given) == (204, None)
    assert lines == [
        "- session whole from 127.0.0.1",
        f"- user {BOB}: no second factor, phrase ''",
        f"+ audit user.remove done by {factor}",
        f"+ user {BOB}: no second factor, phrase '', removed",
    ]
    assert (await bob.get("/v1/me"))[0] == 401
    world.now_ns += MINUTE
    with world.changes() as lines:
        assert (await ann.post(path, {"totp": world.code()}))[1]["code"] == "user_unknown"
        status, said = await ann.post(f"/v1/users/{EMAIL}/remove", {"totp": world.code()})
        assert (status, said["code"]) == (409, "user_last")
    assert lines == []
    assert (await ann.post("/v1/auth/sign-out"))[0] == 204
    assert (await ann.sign_in())[0] == 200
    assert (await ann.post("/v1/auth/second-factor", {"code": world.code()}))[
        0
    ] == 200  # not used up


async def test_of_many_at_once_one_removes_and_tries_are_counted(
    world: World, ann: Browser, bob: Browser
) -> None:
    path = f"/v1/users/{await id_of(bob)}/remove"
    wrong = [(await ann.post(path, {"totp": "000000"}))[0] for _ in range(11)]
    assert wrong == [401] * 10 + [429]
    world.now_ns += 15 * MINUTE
    form = {"totp": world.code()}
    found = await asyncio.gather(*(ann.post(path, form) for _ in range(RACERS)))
    statuses = [status for status, _ in found]
    assert statuses.count(204) == 1
    assert set(statuses) <= {204, 401, 404}
    assert [each["email"] for each in (await ann.get("/v1/users"))[1]] == [EMAIL]
    assert world.control.audit.verify().holds


async def test_two_who_remove_each_other_leave_one(
    world: World, ann: Browser, bob: Browser
) -> None:
    ann_id, bob_id = await id_of(ann), await id_of(bob)
    both = await asyncio.gather(
        ann.post(f"/v1/users/{bob_id}/remove", {"password": PASSWORD}),
        bob.post(f"/v1/users/{ann_id}/remove", {"password": PASSWORD}),
    )
    assert [status for status, _ in both].count(204) == 1
    assert len(world.control.users.listed()) == 1


# ── a certificate ────────────────────────────────────────────────────────────────────────────────


async def test_a_certificate_is_listed_and_revoked_by_one_factor(
    world: World, ann: Browser
) -> None:
    issued = await certified(world, ann)
    (shown,) = (await ann.get("/v1/me/certificates"))[1]
    (key,) = (await ann.get("/v1/keys"))[1]
    assert (shown["fingerprint"], shown["kid"]) == (issued["fingerprint"], key["kid"])
    assert (shown["state"], shown["revoked"]) == ("active", None)
    path = f"/v1/me/certificates/{issued['fingerprint']}/revoke"
    await refuses_wrong_factors(world, ann, path)
    with world.changes() as lines:
        status, said = await ann.post(path, {"totp": world.code()})
    assert (status, said["state"]) == (200, "revoked")
    assert said["revoked"] is not None
    assert lines == [
        "- certificate: active",
        "+ audit certificate.revoke done by totp",
        "+ certificate: revoked",
    ]
    assert (await ann.get("/v1/me/certificates"))[1] == [said]
    world.now_ns += MINUTE
    with world.changes() as lines:
        status, said = await ann.post(path, {"totp": world.code()})
    assert (status, said["code"], lines) == (409, "certificate_revoked", [])


async def test_nobody_elses_certificates_exist(world: World, ann: Browser, bob: Browser) -> None:
    issued = await certified(world, ann)
    owners = world.control.keyring.create(OWNER, Wanted(label="Desk1", days=1), world.now_ns)
    assert isinstance(owners, Made)
    theirs = world.control.certificates.issue(OWNER, owners.key.kid, world.now_ns)
    assert (await bob.get("/v1/me/certificates"))[1] == []
    fingerprints = (issued["fingerprint"], theirs.certificate.fingerprint)  # type: ignore[union-attr]
    with world.changes() as lines:
        for fingerprint in (*fingerprints, "0" * 64, "x"):
            path = f"/v1/me/certificates/{fingerprint}/revoke"
            status, said = await bob.post(path, {"password": PASSWORD})
            assert (status, said["code"]) == (404, "certificate_unknown")
            assert fingerprint[:40] in said["message"]
    assert lines == []
    assert len((await ann.get("/v1/me/certificates"))[1]) == 1


# ── what a page offers ───────────────────────────────────────────────────────────────────────────


def put_account(accounts: Accounts, name: str) -> None:
    login = [("PublicApiKey", name.lower()), ("PrivateApiKey", f"a-secret-of-{name.lower()}-7f3a")]
    assert isinstance(accounts.put(OWNER, name, login, 1, may_change_login=False), Set)


async def test_accounts_are_told_by_their_names_alone(
    world: World, ann: Browser, browser: Browser
) -> None:
    assert await ann.get("/v1/me/accounts") == (200, [])
    for name in ("SIM/ALICE", "SIM", "SIM/GONE"):
        put_account(world.control.accounts, name)
    world.control.accounts.delete(OWNER, ["SIM/GONE"], world.now_ns, {"SIM/GONE": 0})
    world.control.subscriptions.create(OWNER, "other", world.now_ns)
    put_account(world.control.of("other").accounts, "SIM/THEIRS")
    found = await ann.get("/v1/me/accounts")
    assert found == (200, [{"exchange_id": "SIM"}, {"exchange_id": "SIM/ALICE"}])


async def test_a_key_is_edited_to_end_never_and_again_one_day(world: World, ann: Browser) -> None:
    key = (await added(world, ann))["key"]
    edit: dict[str, object] = {"kid": key["kid"], "version": 1, "expires_days": "never"}
    challenge, code = await asked(ann, "key.edit", **edit)
    letter = world.sink.letters()[-1].text
    assert f"Expires: {key['expires']} → never" in letter
    status, after = await confirm(ann, challenge, code, world.code())
    assert (status, after["expires"], after["version"]) == (200, None, 2)
    world.now_ns += 2 * MINUTE
    again = {"action": "key.edit", "payload": edit | {"version": 2}}
    assert (await ann.post("/v1/challenges", again))[1]["code"] == "nothing_changed"
    for wrong in ("Never", "", "7", 0, 7.5, []):
        form = {"action": "key.edit", "payload": edit | {"version": 2, "expires_days": wrong}}
        assert (await ann.post("/v1/challenges", form))[0] == 422, wrong
    status, kept = await granted(
        world, ann, "key.edit", kid=key["kid"], version=2, scopes=["trade"]
    )
    assert (status, kept["expires"]) == (200, None)
    status, last = await granted(world, ann, "key.edit", kid=key["kid"], version=3, expires_days=7)
    assert status == 200
    assert last["expires"] is not None


async def test_an_expired_key_is_extended_for_ever(world: World, ann: Browser) -> None:
    key = (await added(world, ann, expires_days=1))["key"]
    world.now_ns += 24 * 60 * MINUTE
    await ann.sign_in()
    await ann.post("/v1/auth/second-factor", {"code": world.code()})
    world.now_ns += 2 * MINUTE
    assert (await ann.get("/v1/keys"))[1][0]["state"] == "expired"
    status, after = await granted(
        world, ann, "key.edit", kid=key["kid"], version=1, expires_days="never"
    )
    assert (status, after["state"], after["expires"]) == (200, "active", None)
