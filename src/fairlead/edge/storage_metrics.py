"""What the journal and the disk under it are at, for Prometheus."""

import os
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fairlead.journal.journal import Journal


class StorageCollector(Collector):
    """Reads the open journal's numbers and asks the file system for its space."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def collect(self) -> Iterator[Metric]:
        """Return every metric as it is now."""
        journal = self._journal
        yield CounterMetricFamily(
            "fairlead_journal_commits", "Commits to the journal.", value=journal.commit_count
        )
        yield CounterMetricFamily(
            "fairlead_journal_checkpoints",
            "Times the WAL was copied into the journal.",
            value=journal.checkpoint_count,
        )
        yield GaugeMetricFamily(
            "fairlead_journal_wal_bytes",
            "Bytes of the WAL not yet copied into the journal.",
            value=journal.wal_bytes,
        )
        status = os.statvfs(journal.folder)
        yield GaugeMetricFamily(
            "fairlead_data_free_bytes",
            "Free space for the data folder.",
            value=status.f_bavail * status.f_frsize,
        )
