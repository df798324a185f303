"""The control plane: whether its key can be used, and its database. Makes and changes nothing."""

from collections.abc import Iterator

from fairlead.commands.doctor.patient import Patient
from fairlead.commands.doctor.problems import Fine, Result, finding
from fairlead.control.errors import ControlError, StoreNewer
from fairlead.control.key_file import KeyFile
from fairlead.control.names import DATABASE
from fairlead.control.store import Store


def key(patient: Patient) -> Iterator[Result]:
    """Say whether the key that locks stored secrets can be used, where there are any."""
    named = patient.config.control.key_file
    file = KeyFile.beside(patient.folder) if named is None else KeyFile(named, patient.folder)
    if not patient.can_be_read:  # which is said elsewhere
        return
    has_database = (patient.folder / DATABASE).exists() or patient.config.control.url is not None
    if not file.exists() and not has_database:
        return
    try:
        file.keys()
    except (ControlError, OSError) as error:
        yield finding("control_key_unusable", str(error), path=file.path)
    else:
        yield Fine("key of stored secrets", str(file.path))


def database(patient: Patient) -> Iterator[Result]:
    """Say whether the control plane's database can be read and written by this version."""
    url = patient.config.control.url
    if url is None and not (patient.can_be_read and (patient.folder / DATABASE).exists()):
        return
    try:
        Store.look(patient.folder, None if url is None else url.text)
    except StoreNewer as error:
        yield finding("control_newer", str(error))
    except (ControlError, OSError) as error:
        yield finding("control_unusable", str(error))
    else:
        yield Fine("control database", DATABASE if url is None else "PostgreSQL, reachable")
