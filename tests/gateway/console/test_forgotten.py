"""A forgotten password: a code for who has the mailbox, nothing to learn for who has not."""

import re

import pytest

from tests.gateway.console.conftest import EMAIL, MINUTE, PASSWORD, Browser, World

pytestmark = pytest.mark.asyncio
NEW = "eight unrelated words"


async def code_of(world: World, browser: Browser) -> str:
    """Forget the password; return the code that was mailed."""
    assert await browser.post("/v1/auth/password/forgotten", {"email": EMAIL.upper()}) == (202, {})
    assert world.desk is not None
    await world.desk.finish()
    found = re.search("Your code: ([0-9]{8})", world.sink.letters()[-1].text)
    assert found is not None
    return found[1]


async def reset(browser: Browser, code: str, totp: str = "", password: str = NEW) -> int:
    form = {"email": EMAIL, "code": code, "password": password, "totp": totp}
    status, _ = await browser.post("/v1/auth/password/reset", form)
    return status


async def test_a_mailed_code_sets_a_new_password_once(
    world: World, browser: Browser, other: Browser
) -> None:
    await world.ann(browser)
    code = await code_of(world, other)
    assert await reset(other, code) == 204
    assert (await browser.get("/v1/me"))[0] == 401  # every session has ended
    assert (await other.sign_in(PASSWORD))[0] == 401
    assert (await other.sign_in(NEW))[0] == 200
    other.http.cookie_jar.clear()
    assert await reset(other, code, password="nine unrelated words") == 401
    assert (await other.sign_in(NEW))[0] == 200


async def test_with_a_second_factor_the_mailbox_alone_sets_nothing(
    world: World, browser: Browser, other: Browser
) -> None:
    await world.ann(browser)
    world.enrol()
    code = await code_of(world, other)
    assert await reset(other, code) == 401
    assert await reset(other, code, "000000") == 401
    assert await reset(other, code, world.code()) == 204


async def test_nobody_learns_who_is_a_user(world: World, browser: Browser, other: Browser) -> None:
    await world.ann(browser)
    stranger = {"email": "bob@desk.example"}
    assert await other.post("/v1/auth/password/forgotten", stranger) == (202, {})
    assert world.desk is not None
    await world.desk.finish()
    assert world.sink.letters() == []
    form = stranger | {"code": "00000000", "password": NEW}
    of_nobody = await other.post("/v1/auth/password/reset", form)
    await code_of(world, other)
    assert of_nobody == await other.post("/v1/auth/password/reset", form | {"email": EMAIL})


async def test_five_wrong_codes_and_ten_minutes_end_it(
    world: World, browser: Browser, other: Browser
) -> None:
    await world.ann(browser)
    code = await code_of(world, other)
    wrong = f"{(int(code) + 1) % 10**8:08}"
    assert [await reset(other, wrong) for _ in range(5)] == [401] * 5
    assert await reset(other, code) == 401
    world.now_ns += MINUTE
    code = await code_of(world, other)
    world.now_ns += 10 * MINUTE
    assert await reset(other, code) == 401
    assert (await other.sign_in(PASSWORD))[0] == 200


async def test_codes_are_mailed_once_a_minute(
    world: World, browser: Browser, other: Browser
) -> None:
    await world.ann(browser)
    code = await code_of(world, other)
    assert await code_of(world, other) == code  # no further letter
    assert len(world.sink.letters()) == 1


async def test_a_weak_password_uses_up_nothing(
    world: World, browser: Browser, other: Browser
) -> None:
    await world.ann(browser)
    code = await code_of(world, other)
    assert await reset(other, code, password="password") == 422
    assert await reset(other, code) == 204
