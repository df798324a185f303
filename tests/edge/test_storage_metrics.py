"""The journal's numbers and the disk's, as Prometheus reads them."""

from pathlib import Path

from fairlead.edge.storage_metrics import StorageCollector
from fairlead.journal import Journal
from tests.journal.bookkeeper import Bookkeeper


def numbers(journal: Journal) -> dict[str, float]:
    return {
        sample.name: sample.value
        for metric in StorageCollector(journal).collect()
        for sample in metric.samples
    }


def test_commits_and_checkpoints_are_counted_and_what_waits_in_the_wal_is_told(
    tmp_path: Path,
) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.open("one")
        books.commit()
        before = numbers(journal)
        journal.checkpoint("TRUNCATE")
        after = numbers(journal)
    assert before["fairlead_journal_commits_total"] == after["fairlead_journal_commits_total"] == 1
    checkpoints = "fairlead_journal_checkpoints_total"
    assert after[checkpoints] == before[checkpoints] + 1
    assert before["fairlead_journal_wal_bytes"] > after["fairlead_journal_wal_bytes"] == 0
    assert after["fairlead_data_free_bytes"] > 0
