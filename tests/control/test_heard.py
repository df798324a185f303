"""What who serves acts by is stored for those who wait for it, wakes nobody, and holds up nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs

from fairlead.control import following
from fairlead.control import heard as heard_module
from fairlead.control.following import ControlFollowed, Followed
from fairlead.control.heard import Hearing, heard
from fairlead.control.keyring import Wanted
from fairlead.control.store import Store
from fairlead.control.tables import HEARD
from tests.control.conftest import OWNER, OpenControl, OpenStore
from tests.system import until

pytestmark = pytest.mark.asyncio


async def at_once() -> None:
    """Have nothing to wait for."""


def fail(cause: BaseException) -> None:
    raise cause


@asynccontextmanager
async def hearing(store: Store, settled: asyncio.Event | None = None) -> AsyncIterator[Hearing]:
    async def wait() -> None:
        assert settled is not None
        await settled.wait()

    made = Hearing(store, at_once if settled is None else wait, fail)
    made.start()
    try:
        yield made
    finally:
        await made.stop()


async def is_heard(store: Store, revision: int) -> None:
    await asyncio.to_thread(until, lambda: heard(store) == revision, f"{revision} is heard")


async def test_it_is_stored_and_nobody_who_follows_is_woken(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    assert heard(other) == 0
    before = other.revision()
    async with hearing(store) as made:
        for revision in (1, 7, 3):  # a database that was put back counts from further back
            made.hear(revision)
            await is_heard(other, revision)
    assert other.revision() == before


async def test_of_several_the_last_is_stored_once_it_is_acted_by(open_store: OpenStore) -> None:
    store, other = open_store(), open_store()
    settled = asyncio.Event()
    async with hearing(store, settled) as made:
        made.hear(1)
        made.hear(2)
        assert heard(other) == 0
        settled.set()
        await is_heard(other, 2)


async def test_what_cannot_be_stored_is_said_once_and_stored_when_it_can_be(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heard_module, "RETRY_S", 0.01)
    store, other = open_store(), open_store()
    with other.change() as change:
        change.execute(text("ALTER TABLE heard RENAME TO gone"))
    with capture_logs() as logged:
        async with hearing(store) as made:
            for revision in (1, 2):
                made.hear(revision)
                await asyncio.to_thread(until, lambda: logged, "it is said")
            with other.change() as change:
                change.execute(text("ALTER TABLE gone RENAME TO heard"))
            await is_heard(other, 2)
    assert [each["event"] for each in logged] == ["commands are not told what counts"]


async def test_who_follows_changes_does_not_wait_until_it_is_stored(
    open_control: OpenControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "INTERVAL_S", 3_600.0)
    control, other = open_control(), open_control()
    told: list[Followed] = []
    followed = ControlFollowed(control, told.append, lambda: None, fail, at_once)
    await followed.start()
    await is_heard(other.store, other.store.revision())
    wanted = Wanted(label="Bot1", days=None)
    await asyncio.to_thread(other.keyring.create, OWNER, wanted, 1)
    change = other.store.told
    assert change is not None
    with other.store.append() as holding:  # of SQLite all, of PostgreSQL the row
        holding.execute(select(HEARD).with_for_update())
        await followed.look()
        assert [each.key.label for each in told[-1].keys] == ["Bot1"]
        assert heard(control.store) < change
    await is_heard(other.store, change)
    await followed.stop()
