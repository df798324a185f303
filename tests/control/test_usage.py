"""Usage in the control database: added once, whatever becomes of a commit, and read by day, key, account."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from fairlead.control.control import Control
from fairlead.control.errors import StoreUnusable
from fairlead.control.metering import Metering
from fairlead.control.store import Store
from fairlead.control.usage import DAY_NS, Batch, UsageAsked, Used, day_end_ns, day_of
from fairlead.control.usage_book import UsageBook
from tests.control.conftest import OpenControl
from tests.control.killing import killed_at

NOW_NS = 1_795_800_000 * 1_000_000_000
DAY = day_of(NOW_NS)
LATER = day_of(NOW_NS + DAY_NS)


def used(kid: str = "flk_1", account: str = "SIM", day: str = DAY, **counts: int) -> Used:
    return Used(subscription="local", day=day, kid=kid, account=account, **counts)


def asked(kid: str | None = None, accounts: frozenset[str] | None = None) -> UsageAsked:
    return UsageAsked(
        subscription="local", day_first=DAY, day_last=LATER, kid=kid, accounts=accounts
    )


def test_days_are_of_utc() -> None:
    assert (DAY, LATER) == ("2026-11-27", "2026-11-28")
    midnight = day_end_ns(NOW_NS)
    assert (day_of(midnight - 1), day_of(midnight)) == (DAY, LATER)
    assert day_end_ns(midnight) == midnight + DAY_NS


def test_batches_add_up_and_none_counts_twice(control: Control) -> None:
    book = UsageBook(control.store)
    first = Batch(1, (used(requests=3, orders=1), used(account="", websocket_ms=1_500)))
    revision = control.store.revision()
    for _ in range(3):  # as after commits whose success was not heard of
        book.add("process", first, NOW_NS)
    book.add("process", Batch(2, (used(requests=2, fix_ms=7),)), NOW_NS)
    book.add("process", first, NOW_NS)
    book.add("another", Batch(1, (used(requests=10),)), NOW_NS)
    assert book.read(asked(), 10) == [
        used(account="", websocket_ms=1_500),
        used(requests=15, orders=1, fix_ms=7),
    ]
    assert control.store.revision() == revision  # nobody who follows changes is woken


def test_usage_is_read_by_day_key_and_account_of_one_subscription(control: Control) -> None:
    book = UsageBook(control.store)
    rows = (
        used(requests=1),
        used(day=LATER, requests=2),
        used(day="2026-11-26", requests=99),
        used("flk_2", "SIM/ALICE", requests=3),
        used("flk_2", "", requests=4),
    )
    book.add("process", Batch(1, rows), NOW_NS)
    assert [row.requests for row in book.read(asked(), 10)] == [2, 1, 4, 3]
    assert [row.requests for row in book.read(asked(), 2)] == [2, 1]
    assert [row.requests for row in book.read(asked("flk_2"), 10)] == [4, 3]
    some = frozenset({"SIM/ALICE", "nobody's"})
    assert [row.requests for row in book.read(asked(accounts=some), 10)] == [3]
    assert book.read(asked("flk_2", frozenset({"SIM"})), 10) == []
    others = UsageAsked(subscription="another", day_first=DAY, day_last=LATER)
    assert book.read(others, 10) == []


def test_processes_add_at_the_same_time(open_control: OpenControl) -> None:
    controls = [open_control() for _ in range(8)]
    rows = tuple(used(f"flk_{n}", requests=1) for n in range(5))

    def add(place: int) -> None:
        book = UsageBook(controls[place].store)
        mixed = rows if place % 2 else rows[::-1]
        for number in range(1, 11):
            book.add(f"process {place}", Batch(number, mixed), NOW_NS)

    threads = [threading.Thread(target=add, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row.requests for row in UsageBook(controls[0].store).read(asked(), 10)] == [80] * 5


def add_batch(data: str, url: str | None) -> None:
    with Store.open(Path(data), url) as store:
        UsageBook(store).add("process", Batch(1, (used(requests=3),)), NOW_NS)


def test_a_kill_anywhere_leaves_a_batch_whole_or_not_there(
    control: Control, tmp_path: Path, database_url: str | None
) -> None:
    """And written again under its number it is there once."""
    line = 1
    while True:
        line += 8
        is_killed = killed_at(line, add_batch, f"{tmp_path}/data", database_url)
        found = UsageBook(control.store).read(asked(), 10)
        assert found in ([], [used(requests=3)])
        if not is_killed:
            break
    assert line > 20
    assert found == [used(requests=3)]


# ── on its way ───────────────────────────────────────────────────────────────────────────────────


class Counts:
    """Stands where requests are counted: batches to be written, told when each is."""

    def __init__(self, *batches: Batch) -> None:
        self.batches = list(batches)
        self.emptied = asyncio.Event()

    def take(self) -> Batch | None:
        return self.batches[0] if self.batches else None

    def written(self) -> None:
        del self.batches[0]
        if not self.batches:
            self.emptied.set()


def never(cause: BaseException) -> None:
    raise AssertionError(cause)


@pytest.mark.asyncio
async def test_what_is_counted_is_written_soon_and_the_rest_at_the_end(control: Control) -> None:
    counts = Counts(Batch(1, (used(requests=1),)))
    metering = Metering(control.store, counts, lambda: NOW_NS, never, interval_s=0.01)
    metering.start()
    await counts.emptied.wait()
    assert await metering.read(asked(), 10) == [used(requests=1)]
    counts.batches += [Batch(2, (used(requests=2),)), Batch(3, (used(requests=4),))]
    await metering.stop()
    assert UsageBook(control.store).read(asked(), 10) == [used(requests=7)]


@pytest.mark.asyncio
async def test_what_cannot_be_written_stays_and_is_written_later(control: Control) -> None:
    """Also where the commit was made and nobody heard of it."""
    counts = Counts(Batch(1, (used(requests=1),)))
    unsteady = Unsteady(control.store)
    metering = Metering(unsteady, counts, lambda: NOW_NS, never, interval_s=0.01)
    metering.start()
    await counts.emptied.wait()
    await metering.stop()
    assert unsteady.calls > 2
    assert UsageBook(control.store).read(asked(), 10) == [used(requests=1)]


class Unsteady(Store):
    """The same database, whose connection is lost twice: before a commit, and after one."""

    def __init__(self, store: Store) -> None:
        super().__init__(store._engine, store.place)
        self.calls = 0

    @contextmanager
    def append(self) -> Iterator[Connection]:
        self.calls += 1
        if self.calls == 1:
            raise StoreUnusable("lost before the commit")
        with super().append() as connection:
            yield connection
        if self.calls == 2:
            raise StoreUnusable("lost after the commit")
