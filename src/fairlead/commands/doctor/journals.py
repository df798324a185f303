"""The journals and the embedded exchange's store: ours, whole, and in agreement with themselves."""

import os
from collections.abc import Iterator
from pathlib import Path

from fairlead.app.embedded import EXCHANGE_FOLDER
from fairlead.commands.doctor.patient import Patient
from fairlead.commands.doctor.problems import Fine, Result, finding
from fairlead.control.folders import folders
from fairlead.core.requests import LOCAL
from fairlead.exchange.store_file import FILE_NAME as STORE_NAME
from fairlead.exchange.store_file import StoreError, examine
from fairlead.journal.errors import JournalError, JournalNewer, JournalTorn, NotAJournal
from fairlead.journal.glance import glance
from fairlead.journal.opening import FILE_NAME
from fairlead.journal.verify import verify

_WAL_BYTES_MOST = 256 << 20
_TOLD_MOST = 10


def journal(patient: Patient) -> Iterator[Result]:
    """Look at the end of every journal, or with --full at all of it."""
    if not patient.can_be_read:
        return
    try:
        found = [*folders(patient.folder)]
    except OSError as error:
        yield finding("journal_unreadable", str(error))
        return
    for name, folder in found:
        yield from _journal(folder, "journal" if name == LOCAL else f"journal of {name}", patient)


def _journal(folder: Path, title: str, patient: Patient) -> Iterator[Result]:
    path = folder / FILE_NAME
    try:
        wal = Path(f"{path}-wal")
        if not path.exists() and not (wal.exists() and wal.stat().st_size):
            return
        if not path.exists():
            text = f"{path} is missing, while its WAL {wal.name} is there"
            yield finding("journal_torn", text)
            return
        yield from _of_wal(wal)
        if patient.is_full:
            found = verify(folder)
            differences, count = found.differences, found.difference_count
        else:
            differences = glance(folder)
            count = len(differences)
    except NotAJournal as error:
        yield finding("journal_foreign", str(error))
    except JournalNewer as error:
        yield finding("journal_newer", str(error))
    except JournalTorn as error:
        yield finding("journal_torn", str(error))
    except (JournalError, OSError) as error:
        yield finding("journal_unreadable", str(error))
    else:
        for difference in differences[:_TOLD_MOST]:
            yield finding("journal_differs", difference)
        if count > _TOLD_MOST:
            yield finding("journal_differs", f"and {count - _TOLD_MOST} more differences")
        if not count:
            how = "all of it agrees with itself" if patient.is_full else "its end makes sense"
            yield Fine(title, f"{path.stat().st_size >> 10:,} KiB; {how}")


def _of_wal(wal: Path) -> Iterator[Result]:
    size = wal.stat().st_size if wal.exists() else 0
    if size > _WAL_BYTES_MOST:
        text = f"{wal} has {size >> 20} MiB, expected at most {_WAL_BYTES_MOST >> 20}"
        yield finding("wal_large", text)


def store(patient: Patient) -> Iterator[Result]:
    """Look at the exchange's store, unless the exchange has it open."""
    path = patient.folder / EXCHANGE_FOLDER / STORE_NAME
    if patient.holder is not None or not patient.can_be_read or not os.path.isfile(path):
        return
    try:
        found = examine(path)
    except (StoreError, OSError) as error:
        yield finding("store_wrong", str(error))
    else:
        yield Fine("exchange's store", f"{found.orders} orders")
