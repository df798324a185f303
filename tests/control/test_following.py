"""What has changed is told once, in order, whoever changed it and whoever asks meanwhile."""

import asyncio
from pathlib import Path

import pytest

from fairlead.control.control import Control
from fairlead.control.following import ControlFollowed, Followed
from fairlead.control.key_changes import Wanted
from tests.control.conftest import OWNER, OpenControl

pytestmark = pytest.mark.asyncio
LOGIN = [("PublicApiKey", "bob"), ("PrivateApiKey", "hush")]


class Listener:
    """Keeps what it was told."""

    def __init__(self, control: Control) -> None:
        self.told: list[Followed] = []
        self.changed = asyncio.Event()
        self.followed = ControlFollowed(control, self._hear, lambda: None, self._fail, self._settle)

    def _hear(self, followed: Followed) -> None:
        self.told.append(followed)
        self.changed.set()

    def _fail(self, cause: BaseException) -> None:
        raise cause

    async def _settle(self) -> None:
        assert self.told

    def accounts(self) -> list[str]:
        return [*self.told[-1].accounts.get("local", {})]


def add(control: Control) -> None:
    control.accounts.put(OWNER, "SIM/BOB", LOGIN, 1, may_change_login=False)


async def test_what_another_process_changes_is_told_without_being_asked(
    open_control: OpenControl,
) -> None:
    listener = Listener(open_control())
    await listener.followed.start()
    try:
        assert [listener.told[0].keys, listener.accounts()] == [[], []]
        listener.changed.clear()
        await asyncio.to_thread(add, open_control())
        await asyncio.wait_for(listener.changed.wait(), 60)
        assert listener.accounts() == ["SIM/BOB"]
    finally:
        await listener.followed.stop()


async def test_a_look_tells_what_was_changed_before_it_once(control: Control) -> None:
    listener = Listener(control)
    await listener.followed.look()
    await asyncio.to_thread(add, control)
    await asyncio.gather(*(listener.followed.look() for _ in range(8)))
    assert listener.accounts() == ["SIM/BOB"]
    assert len(listener.told) == 2
    wanted = Wanted(label="Bot1", days=None)
    await asyncio.to_thread(control.keyring.create, OWNER, wanted, 1)
    await listener.followed.look()
    assert len(listener.told[-1].keys) == 1
    assert (
        listener.told[-1].accounts["local"]["SIM/BOB"]
        is listener.told[1].accounts["local"]["SIM/BOB"]
    )
    await listener.followed.stop()


async def test_a_new_subscription_is_told_with_its_keys(control: Control) -> None:
    listener = Listener(control)
    await listener.followed.look()
    assert listener.told[-1].subscriptions == ("local",)
    await asyncio.to_thread(control.subscriptions.create, OWNER, "desk", 2)
    desk = await asyncio.to_thread(control.of, "desk")
    await asyncio.to_thread(desk.keyring.create, OWNER, Wanted(label="Bot1", days=None), 3)
    await listener.followed.look()
    assert listener.told[-1].subscriptions == ("local", "desk")
    assert [each.key.subscription for each in listener.told[-1].keys] == ["desk"]
    await listener.followed.stop()


async def test_a_look_that_is_given_up_loses_nothing(control: Control, tmp_path: Path) -> None:
    listener = Listener(control)
    await listener.followed.look()
    await asyncio.to_thread(add, control)
    look = asyncio.create_task(listener.followed.look())
    await asyncio.sleep(0)  # it has begun to read
    look.cancel()
    with pytest.raises(asyncio.CancelledError):
        await look
    assert len(listener.told) == 1
    await listener.followed.look()
    assert listener.accounts() == ["SIM/BOB"]
    await listener.followed.stop()
