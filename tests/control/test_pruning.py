"""What is over leaves the control database, in small steps; what is not, and the audit, stays."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Table, func, select

from fairlead.control import pruning as pruning_module
from fairlead.control.control import Control
from fairlead.control.errors import StoreUnusable
from fairlead.control.key_changes import Wanted
from fairlead.control.keyring import Made
from fairlead.control.people.person import From, Stage
from fairlead.control.people.sessions import SignedIn
from fairlead.control.people.throttles import SIGN_IN, attempt
from fairlead.control.people.users import INVITATION_NS
from fairlead.control.pruning import KEPT_NS, Pruning
from fairlead.control.store import Store
from fairlead.control.tables import AUDIT, KEYS, METADATA, SESSIONS, USAGE
from fairlead.control.usage import DAY_NS, Batch, Used, day_of
from fairlead.control.usage_book import UsageBook
from tests.control.conftest import OWNER

NOW = 20_000 * DAY_NS
MINUTE = 60 * 10**9
EMAIL, PASSWORD = "ann@desk.example", "seven unrelated words"
HOME = From("127.0.0.1", "test")


def counts(control: Control) -> dict[str, int]:
    with control.store.read() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in METADATA.sorted_tables
        }


@pytest.fixture
def lived(control: Control) -> Control:
    """Somebody who was invited, has signed in and out of sight, asked for a key; and what keys have used."""
    token = control.users.first_link(OWNER, NOW)
    assert token is not None
    user = control.users.accept(token, EMAIL, PASSWORD, HOME, NOW)
    begun = control.sessions.begin(user, HOME, NOW)  # type: ignore[arg-type]
    control.users.invite(OWNER, "bob@desk.example", NOW)
    with control.store.change() as change:
        assert attempt(change, SIGN_IN, EMAIL, NOW) is None
        change.execute(SESSIONS.update().values(stage=str(Stage.WHOLE)))
    assert isinstance(begun, SignedIn)
    made = control.keyring.create(OWNER, Wanted(label="Bot1", days=1), NOW)
    assert isinstance(made, Made)
    used = Used(subscription="local", day=day_of(NOW), kid=made.key.kid, account="SIM", requests=1)
    UsageBook(control.store).add("process", Batch(1, (used,)), NOW)
    return control


@pytest.mark.parametrize(
    ("later_ns", "gone"),
    [
        (0, ()),
        (30 * MINUTE - 1 + KEPT_NS, ("attempts",)),
        (30 * MINUTE + KEPT_NS, ("attempts", "sessions")),
        (INVITATION_NS + KEPT_NS - 1, ("attempts", "sessions")),
        (INVITATION_NS + KEPT_NS, ("attempts", "sessions", "links")),
        (10_000 * DAY_NS, ("attempts", "sessions", "links")),
    ],
)
def test_what_is_over_goes_a_day_later_and_nothing_else_ever(
    lived: Control, later_ns: int, gone: tuple[str, ...]
) -> None:
    before, revision = counts(lived), lived.store.revision()
    pruned = Pruning(lived.store, lambda: NOW + later_ns).prune()
    assert {name for name, count in pruned.items() if count} == set(gone)
    after = counts(lived)
    assert {name for name in before if before[name] != after[name]} == set(gone)
    assert not any(after[name] for name in gone)
    assert lived.audit.verify().holds
    assert lived.store.revision() == revision  # nobody who follows changes is woken
    assert not any(Pruning(lived.store, lambda: NOW + later_ns).prune().values())


@pytest.mark.parametrize(("days", "is_gone"), [(None, False), (100, False), (99, True)])
def test_usage_is_kept_unless_a_setting_says_how_long(
    lived: Control, days: int | None, is_gone: bool
) -> None:
    gone = Pruning(lived.store, lambda: NOW + 100 * DAY_NS, days).prune()
    assert bool(gone.get("usage")) == is_gone
    with lived.store.read() as connection:
        assert (connection.execute(select(USAGE)).first() is None) == is_gone


@contextmanager
def counted(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Count transactions that write."""
    found: Counter[str] = Counter()
    append = store.append

    @contextmanager
    def counting() -> Iterator[Connection]:
        found["append"] += 1
        with append() as change:
            yield change

    monkeypatch.setattr(store, "append", counting)
    yield found


def test_many_go_in_small_transactions(lived: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning_module, "_STEP", 10)
    with lived.store.change() as change:
        for _ in range(34):
            change.execute(ATTEMPT.insert().values(kind="x", subject="y", time_ns=1))
    with counted(lived.store, monkeypatch) as transactions:
        assert Pruning(lived.store, lambda: NOW).prune()["attempts"] == 34
    assert transactions["append"] == 4 + 3  # 10, 10, 10, 4; and one each of the other tables


ATTEMPT: Table = METADATA.tables["attempts"]


@pytest.mark.asyncio
async def test_it_goes_on_every_hour_also_after_a_failure(
    lived: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ns = NOW + 10 * DAY_NS
    rounds: asyncio.Queue[float] = asyncio.Queue()
    go_on = asyncio.Event()

    async def sleep(seconds: float) -> None:
        nonlocal now_ns
        now_ns += round(seconds * 10**9)
        rounds.put_nowait(seconds)
        go_on.clear()
        await go_on.wait()

    @contextmanager
    def away() -> Iterator[Connection]:
        raise StoreUnusable("the disk is full")
        yield

    pruning = Pruning(lived.store, lambda: now_ns, sleep=sleep)
    with monkeypatch.context() as broken:
        broken.setattr(lived.store, "append", away)
        pruning.start()
        assert await asyncio.wait_for(rounds.get(), 60) == 3_600
    assert counts(lived)["sessions"] == 1
    go_on.set()
    await asyncio.wait_for(rounds.get(), 60)
    assert counts(lived)["sessions"] == 0
    await pruning.stop()


def test_the_audit_and_what_it_tells_of_are_not_among_it() -> None:
    tables = {table for table, _ in pruning_module.over(NOW, 100)}
    assert {table.name for table in tables} == {
        *("challenges", "links", "sessions", "attempts", "usage")
    }
    assert not tables & {AUDIT, KEYS}
