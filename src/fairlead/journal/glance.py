"""A quick look at a journal: does what was written last make sense? Bounded work, however old it is.

`verify` looks at everything; this looks at the file's kind, at small files whole, at the last commits
and at what the tables say of them. Must never write.
"""

import sqlite3
from pathlib import Path

from fairlead.journal.opening import FILE_NAME, connect_reader, explained
from fairlead.journal.reader import JournalReader
from fairlead.journal.rows import UNDECODABLE, accounts_of, applied_batch, decode_frame
from fairlead.journal.schema import MIGRATIONS

FRAMES_MOST = 1_000  # looked at, from the end
CHECKED_BYTES = 64 << 20  # a file up to this size is checked by SQLite too


def glance(folder: Path) -> list[str]:
    """Return what is wrong with the end of the journal in `folder`, in words; empty when nothing is.

    Raises JournalError when it cannot be read as a journal, or its newest commits make no sense.
    """
    path = folder / FILE_NAME
    connection = connect_reader(folder, len(MIGRATIONS))
    found: list[str] = []
    try:
        connection.execute("BEGIN")
        if path.stat().st_size <= CHECKED_BYTES:
            rows = connection.execute("PRAGMA quick_check(5)").fetchall()
            found += [f"SQLite: {line}" for (line,) in rows if line != "ok"]
        found += _look(connection)
    except sqlite3.Error as cause:
        raise explained(path, cause) from cause
    except UNDECODABLE as cause:
        found.append(f"a row cannot be decoded: {cause}")
    finally:
        connection.close()
    if not found:
        with JournalReader(folder) as reader:
            reader.history_page(
                0, 1, None, 1
            )  # follows the commits that the tables do not have yet
    return found


def _look(connection: sqlite3.Connection) -> list[str]:
    found: list[str] = []
    applied = applied_batch(connection)
    stored = {record.account: record.sequence for _, record in accounts_of(connection)}
    (last,) = connection.execute("SELECT coalesce(max(batch), 0) FROM frames").fetchone()
    if applied > last:
        found.append(f"the tables speak of frame {applied}, the last one there is {last}")
    expected = max(1, last - FRAMES_MOST + 1)
    sequences: dict[str, int] = {}
    sql = "SELECT batch, data FROM frames WHERE batch >= ? ORDER BY batch"
    for batch, data in connection.execute(sql, (expected,)):
        if batch != expected:
            found.append(f"frame {expected} is missing")
        expected = batch + 1
        for report in decode_frame(data).reports:
            due = sequences.get(report.account, report.sequence - 1) + 1
            if report.sequence != due:
                found.append(
                    f"account {report.account}: sequence {report.sequence} in frame {batch} where"
                    f" {due} was due"
                )
            sequences[report.account] = report.sequence
        if batch == applied:
            found += [
                f"account {account}: the tables say sequence {stored.get(account)}, frame {batch}"
                f" says {sequence}"
                for account, sequence in sequences.items()
                if stored.get(account) != sequence
            ]
    return found
