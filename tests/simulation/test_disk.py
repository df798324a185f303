"""What a crash leaves on the disk is something the real disk could have been left with."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from fairlead.journal.journal import Journal
from fairlead.journal.verify import verify
from fairlead.simulation.disk import (
    Disk,
    Image,
    Observer,
    read_image,
    torn_checkpoint,
    torn_commit,
)
from tests.journal.bookkeeper import Bookkeeper

ID = bytes(16)


@pytest.fixture
def disk() -> Disk:
    return Disk()


def written(disk: Disk, count: int) -> tuple[Journal, Bookkeeper]:
    """Return a journal with some orders in it."""
    journal = Journal.open(disk.folder("journal", None), installation_id=ID)
    bookkeeper = Bookkeeper(journal)
    for number in range(count):
        order = bookkeeper.open(f"order-{number}")
        bookkeeper.commit()
        bookkeeper.route(order.number)
        bookkeeper.commit()
    return journal, bookkeeper


def batches(folder: Path) -> int:
    with Journal.open(folder):
        observer = Observer(folder)
        count = len(observer.new_reports())
        observer.close()
    assert verify(folder).holds
    return count


def interrupted(
    disk: Disk,
    journal: Journal,
    act: Callable[[], object],
    compose: Callable[[Image, Image, Random], Image],
) -> set[int]:
    """Return how many batches were found after every kind of interruption of `act`."""
    before = read_image(journal.folder)
    act()
    after = read_image(journal.folder)
    return {
        batches(disk.folder("torn", compose(before, after, Random(seed)))) for seed in range(25)
    }


def test_a_torn_commit_is_there_whole_or_not_at_all(disk: Disk) -> None:
    journal, bookkeeper = written(disk, 5)
    bookkeeper.open("torn")
    found = interrupted(disk, journal, bookkeeper.commit, torn_commit)
    assert found <= {10, 11}
    assert 10 in found
    journal.close()
    disk.remove()


def test_a_torn_first_commit_after_a_checkpoint_loses_nothing(disk: Disk) -> None:
    journal, bookkeeper = written(disk, 5)
    journal.checkpoint("PASSIVE")
    bookkeeper.open("torn")
    found = interrupted(disk, journal, bookkeeper.commit, torn_commit)
    assert found <= {10, 11}
    assert 10 in found
    journal.close()
    disk.remove()


def test_a_torn_application_loses_nothing(disk: Disk) -> None:
    journal, _ = written(disk, 5)
    assert interrupted(disk, journal, journal.apply, torn_commit) == {10}
    journal.close()
    disk.remove()


def test_a_torn_checkpoint_loses_nothing(disk: Disk) -> None:
    journal, _ = written(disk, 5)
    journal.apply()

    def compose(before: Image, after: Image, random: Random) -> Image:
        return torn_checkpoint(before, after, journal._page_size, random)

    found = interrupted(disk, journal, lambda: journal.checkpoint("PASSIVE"), compose)
    assert found == {10}
    journal.close()
    disk.remove()


def test_the_disk_is_removed(disk: Disk) -> None:
    disk.folder("journal", None)
    disk.remove()
    assert not disk.root.exists()
