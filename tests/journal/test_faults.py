"""A full disk and a killed process: nothing acknowledged is lost, nothing half is kept."""

import random
import resource
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.core.unit import Wanted
from fairlead.journal import CommitFailed, Journal, JournalError, verify
from tests.journal.bookkeeper import Bookkeeper, wanted_key

ROOT = Path(__file__).parents[2]


def fill_up(folder: Path) -> tuple[int, BaseException | None]:
    """Commit until it fails; return how many orders were acknowledged and the failure."""
    journal = Journal.open(folder)
    books = Bookkeeper(journal)
    acknowledged = books.next_number - 1
    failure: CommitFailed | None = None
    while failure is None and acknowledged < 20_000:
        for _ in range(20):
            books.open(f"order {books.next_number}")
        try:
            books.commit()
            acknowledged = books.next_number - 1
            journal.tidy_if_due()
        except CommitFailed as cause:
            failure = cause
    # Like a process that stops at once: no orderly close that might still write.
    journal._wal.close()
    return acknowledged, failure


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(["mount", *options], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command to make a small file system with")
    if mounted.returncode:
        pytest.skip(f"may not mount a small file system: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_full_disk_fails_the_commit_and_keeps_what_was_acknowledged(
    small_disk: Path, tmp_path: Path
) -> None:
    program = (
        "import pathlib, sys\n"
        "from tests.journal.test_faults import fill_up\n"
        "print(*fill_up(pathlib.Path(sys.argv[1])))\n"
    )
    command = [sys.executable, "-c", program, str(small_disk)]
    told = subprocess.run(command, capture_output=True, check=True, cwd=ROOT).stdout.decode()
    acknowledged, _, failure = told.partition(" ")
    assert "were not brought into the tables" in failure or "was not made durable" in failure
    assert "full" in failure or "disk I/O error" in failure
    for left in small_disk.iterdir():  # the operator moves the folder to a larger disk
        (tmp_path / left.name).write_bytes(left.read_bytes())
    with Journal.open(tmp_path) as journal:
        assert len(journal.restore().orders) in (int(acknowledged), int(acknowledged) + 20)
    assert verify(tmp_path).differences == []


def test_file_size_limit_fails_the_commit_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import pathlib, resource, sys
        from tests.journal.test_faults import fill_up
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
        print(*fill_up(pathlib.Path(sys.argv[1])))
        """
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    told = subprocess.run(command, capture_output=True, check=True, cwd=ROOT).stdout.decode()
    acknowledged, _, failure = told.partition(" ")
    assert "were not brought into the tables" in failure or "was not made durable" in failure
    assert int(acknowledged) > 0
    with Journal.open(tmp_path) as journal:
        assert len(journal.restore().orders) == int(acknowledged)
    assert verify(tmp_path).differences == []


def test_new_journal_on_a_full_disk_is_refused_and_nothing_half_made_is_used(
    tmp_path: Path,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        with pytest.raises(JournalError, match=r"journal\.sqlite"):
            Journal.open(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "journal.sqlite").exists()
    with Journal.open(tmp_path) as journal:
        assert journal.restore().next_number == 1


COMMIT_LOOP = textwrap.dedent(
    """
    import pathlib, sys
    from fairlead.journal import Journal
    from fairlead.journal import journal as module
    from tests.journal.bookkeeper import Bookkeeper
    module.CHECKPOINT_BYTES = 300_000
    module.APPLY_ORDERS = 30
    journal = Journal.open(pathlib.Path(sys.argv[1]))
    books = Bookkeeper(journal)
    books.trade_count = int(sys.argv[2])
    while True:
        for _ in range(3):
            books.route(books.open(f"order {books.next_number}").number)
        for number in list(books.orders)[:-4]:
            books.fill(number, "1.50")
        books.balance("SIM", "BTC", str(books.next_number))
        last = books.next_number - 1
        books.commit()
        print(last, books.sequences["SIM"], flush=True)
        journal.tidy_if_due()
    """
)


def test_killed_process_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    rng = random.Random(8)
    acknowledged = 0
    for round_ in range(8):
        command = [sys.executable, "-c", COMMIT_LOOP, str(tmp_path), str(round_ * 100_000)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(rng.randrange(1, 200))]
            process.kill()
            lines += process.stdout.readlines()
        whole = [line.split() for line in lines if line.endswith(b"\n")]
        assert int(whole[0][0]) > acknowledged
        acknowledged, sequence = (int(word) for word in whole[-1])
        found = verify(tmp_path)
        assert found.differences == []
        assert found.orders in (acknowledged, acknowledged + 3)
        with Journal.open(tmp_path) as journal:
            assert journal.restore().next_number == found.orders + 1
            assert journal.restore().accounts[0].sequence >= sequence
            keys = {wanted_key(journal, f"order {n}") for n in range(1, acknowledged + 1)}
            recalled = journal.recall(Wanted(keys, set(), set(), set()))
            assert {order.number for order in recalled.orders} == set(range(1, acknowledged + 1))
