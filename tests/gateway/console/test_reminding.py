"""Letters about keys that will expire: 14, 7 and 1 days before, once each, also after a restart."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from fairlead.control.audit import Actor
from fairlead.control.control import Control
from fairlead.control.key_changes import Edit, Wanted
from fairlead.control.keyring import Made
from fairlead.control.keys import DAY_NS, Act
from fairlead.control.people.letters import Letter
from fairlead.control.people.post import Sink
from fairlead.gateway.console.front import Desk
from fairlead.gateway.console.reminding import INTERVAL_S, Reminding
from tests.gateway.console.conftest import Browser, World

pytestmark = pytest.mark.asyncio
OWNER = Actor("owner", "local", "machine")


def reminding(world: World) -> tuple[Reminding, Desk]:
    desk = Desk(world.control, world.sink, "sink", lambda: world.now_ns)
    return Reminding(desk), desk


async def letters(world: World) -> list[str]:
    """Look once, as a new process would; return what has been written by now."""
    it, desk = reminding(world)
    await it.remind()
    desk.close()
    return [each.subject for each in world.sink.letters()]


def made(world: World, control: Control, days: int, label: str = "Bot1") -> str:
    (user,) = control.users.listed()
    wanted = Wanted(label=label, days=days)
    result = control.keyring.of(user.user).create(OWNER, wanted, world.now_ns)
    assert isinstance(result, Made)
    return result.key.kid


async def test_a_key_is_written_about_three_times(world: World, browser: Browser) -> None:
    await world.ann(browser)
    made(world, world.control, 20)
    subjects: list[str] = []
    for day in range(22):
        subjects = await letters(world)
        assert len(subjects) == sum(left >= 20 - day for left in (14, 7, 1)), day
        world.now_ns += DAY_NS
    assert subjects == [
        "API key Bot1 expires in 14 days",
        "API key Bot1 expires in 7 days",
        "API key Bot1 expires tomorrow",
    ]


async def test_one_that_is_near_its_end_from_the_start_is_written_about_once(
    world: World, browser: Browser
) -> None:
    await world.ann(browser)
    made(world, world.control, 5)
    assert await letters(world) == ["API key Bot1 expires in 7 days"]
    assert len(await letters(world)) == 1


async def test_a_later_end_is_written_about_anew(world: World, browser: Browser) -> None:
    await world.ann(browser)
    kid = made(world, world.control, 7)
    assert len(await letters(world)) == 1
    world.control.keyring.edit(OWNER, kid, Edit(days=14), world.now_ns)
    assert (await letters(world))[1:] == ["API key Bot1 expires in 14 days"]


async def test_nobody_is_written_about_keys_that_cannot_be_used(
    world: World, browser: Browser
) -> None:
    await world.ann(browser)
    for label, act in (("Bot1", Act.DISABLE), ("Bot2", Act.REVOKE)):
        kid = made(world, world.control, 5, label)
        world.control.keyring.move(OWNER, kid, act, world.now_ns)
    world.control.keyring.create(OWNER, Wanted(label="Bot3", days=5), world.now_ns)  # of no user
    assert await letters(world) == []


async def test_a_letter_that_was_not_sent_is_sent_the_next_time(
    world: World, browser: Browser, tmp_path: Path
) -> None:
    await world.ann(browser)
    made(world, world.control, 5)
    mail = tmp_path / "data" / "mail.jsonl"
    mail.mkdir()
    it, desk = reminding(world)
    assert await it.remind() == 0
    mail.rmdir()
    assert await it.remind() == 1
    desk.close()
    assert isinstance(world.sink, Sink)


class Torn:
    """A post that fails as none should."""

    def __init__(self) -> None:
        self.was_asked = asyncio.Event()

    async def send(self, letter: Letter, now_ns: int) -> None:
        self.was_asked.set()
        raise ZeroDivisionError


async def test_what_should_never_fail_is_said_and_keeps_nothing_from_stopping(
    world: World, browser: Browser
) -> None:
    await world.ann(browser)
    made(world, world.control, 5)
    torn = Torn()
    desk = Desk(world.control, torn, "torn", lambda: world.now_ns)
    it = Reminding(desk)
    with capture_logs() as logs:
        it.start()
        await torn.was_asked.wait()
        await it.stop()
    desk.close()
    assert [each["cause"] for each in logs] == ["ZeroDivisionError: "]


async def test_a_clock_that_leaps_during_a_look_has_the_next_one_come_sooner(
    world: World, browser: Browser
) -> None:
    await world.ann(browser)
    made(world, world.control, 15)
    waits: list[float] = []
    has_looked_again = asyncio.Event()

    class Leaping:
        """A post, and a clock that is a week later when a letter has been sent."""

        async def send(self, letter: Letter, now_ns: int) -> None:
            await world.sink.send(letter, now_ns)
            world.now_ns += 7 * DAY_NS

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            has_looked_again.set()
            await asyncio.Event().wait()

    world.now_ns += DAY_NS
    desk = Desk(world.control, Leaping(), "leaping", lambda: world.now_ns)
    it = Reminding(desk, sleep)
    it.start()
    await has_looked_again.wait()
    await it.stop()
    desk.close()
    assert waits == [0.0, 0.0, INTERVAL_S]
    assert [each.subject for each in world.sink.letters()] == [
        "API key Bot1 expires in 14 days",
        "API key Bot1 expires in 7 days",
    ]
