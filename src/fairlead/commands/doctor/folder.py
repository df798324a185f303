"""The data folder: who may do what with it, and what lies in it."""

import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from fairlead.app.embedded import EXCHANGE_FOLDER
from fairlead.commands.backup.manifest import CONFIG
from fairlead.commands.backup.restoring import RESTORING
from fairlead.commands.doctor.disk import PROBE_PREFIX
from fairlead.commands.doctor.patient import Patient
from fairlead.commands.doctor.problems import Fine, Result, finding
from fairlead.config.accounts import FILE_NAME as ACCOUNTS_NAME
from fairlead.config.accounts import kept_accounts
from fairlead.config.kinds import Wrong
from fairlead.config.model import TLS_FOLDER
from fairlead.control.folders import SUBSCRIPTIONS_FOLDER, folders
from fairlead.control.names import DATABASE as CONTROL_NAME
from fairlead.control.names import HEAD_FILE
from fairlead.core.requests import LOCAL
from fairlead.endpoint import ENDPOINT_FILE
from fairlead.exchange.copying import FOLDER_PREFIX
from fairlead.exchange.store_file import FILE_NAME as STORE_NAME
from fairlead.fix.log import FILE_NAME as FIX_LOG_NAME
from fairlead.fix.opening import FILE_NAME as FIX_NAME
from fairlead.fix.opening import LOCK_NAME as FIX_LOCK_NAME
from fairlead.gateway.marks import MARK_FILE
from fairlead.journal.opening import FILE_NAME as JOURNAL_NAME
from fairlead.journal.opening import LOCK_NAME

_DATABASE_FILES = ("", "-wal", "-shm", "-journal")
_DRAFT = ".new"  # of a journal that was being made
_KNOWN_OF_ONE = {  # of each subscription
    *(f"{JOURNAL_NAME}{suffix}" for suffix in _DATABASE_FILES),
    *(f"{FIX_NAME}{suffix}" for suffix in _DATABASE_FILES),
    *(FIX_LOCK_NAME, FIX_LOG_NAME, f"{FIX_LOG_NAME}.1", LOCK_NAME),
}
_KNOWN = {
    *_KNOWN_OF_ONE,
    *(
        HEAD_FILE,
        MARK_FILE,
        ENDPOINT_FILE,
        ACCOUNTS_NAME,
        EXCHANGE_FOLDER,
        CONFIG,
        TLS_FOLDER,
        SUBSCRIPTIONS_FOLDER,
        "lost+found",
    ),
    *(f"{CONTROL_NAME}{suffix}" for suffix in _DATABASE_FILES),
}
_KNOWN_OF_EXCHANGE = {*(f"{STORE_NAME}{suffix}" for suffix in _DATABASE_FILES), ENDPOINT_FILE}


def permissions(patient: Patient) -> Iterator[Result]:
    """Say whether this user can work in the folder, and whether others could."""
    folder, user = patient.folder, _user_name(os.geteuid())
    if patient.place != folder:
        yield from _of_a_new_one(patient, user)
        return
    if not folder.is_dir():
        yield finding("folder_wrong", f"{folder} is not a folder")
        return
    mode = folder.stat().st_mode
    shown = f"{folder} has mode {stat.S_IMODE(mode):03o} and belongs to {_owner(folder)}"
    if not os.access(folder, os.R_OK | os.X_OK):
        yield finding("folder_unreadable", f"{shown}; this is {user}", user=user, folder=folder)
    elif not os.access(folder, os.W_OK):
        yield finding("folder_unwritable", f"{shown}; this is {user}", user=user, folder=folder)
    elif mode & stat.S_IWOTH:
        yield finding("folder_open_to_others", shown, folder=folder)
    else:
        yield Fine("data folder", shown)


def _of_a_new_one(patient: Patient, user: str) -> Iterator[Result]:
    place = patient.place
    if not os.path.isdir(place):
        yield finding("folder_wrong", f"{patient.folder} cannot be made: {place} is not a folder")
    elif os.access(place, os.W_OK | os.X_OK):
        yield Fine("data folder", f"{patient.folder} is not there yet; a start makes it")
    else:
        text = f"{patient.folder} is not there, and {user} cannot make it in {place}"
        yield finding("folder_unwritable", text, user=user, folder=place)


def owners(patient: Patient) -> Iterator[Result]:
    """Say which files the folder's owner may not be able to write."""
    if not patient.can_be_read:
        return
    owner = patient.folder.stat().st_uid
    for path in _listed(patient):
        if owner and path.lstat().st_uid != owner:
            text = f"{path} belongs to {_owner(path)}, the folder to {_user_name(owner)}"
            yield finding("file_of_another_user", text, owner=_user_name(owner), path=path)


def accounts_file(patient: Patient) -> Iterator[Result]:
    """Say whether the kept keys can be read, and by whom."""
    path = patient.folder / ACCOUNTS_NAME
    if not patient.can_be_read or not path.exists():
        return
    try:
        mode = path.stat().st_mode
        accounts = kept_accounts(path)
    except (Wrong, OSError) as error:
        yield finding("accounts_file_wrong", str(error))
        return
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        text = f"{path} has mode {stat.S_IMODE(mode):03o}, expected 600"
        yield finding("accounts_file_open", text, path=path)
    else:
        yield Fine("kept keys", f"of {len(accounts)} accounts, readable by their owner alone")


def contents(patient: Patient) -> Iterator[Result]:
    """Say what lies there that should not."""
    draft = patient.folder.with_name(patient.folder.name + RESTORING)
    if os.path.exists(draft):
        yield finding("file_left_over", f"{draft} is of a restore that was cut short", path=draft)
    if not patient.can_be_read:
        return
    found = 0
    for path in _listed(patient):
        if _is_left_over(path):
            found += 1
            yield finding("file_left_over", f"{path} is half of something", path=path)
        elif path.name not in _expected(patient, path.parent):
            found += 1
            yield finding("file_unknown", f"{path} is not a file of Fairlead")
    if not found:
        yield Fine("files", "only Fairlead's own")


def _listed(patient: Patient) -> list[Path]:
    """Return what lies in the folder, the exchange's and the subscriptions', as far as this user sees it."""
    paths: list[Path] = []
    of_exchange, of_others = (
        patient.folder / each for each in (EXCHANGE_FOLDER, SUBSCRIPTIONS_FOLDER)
    )
    own = [folder for _, folder in _subscriptions(patient)]
    for folder in (patient.folder, of_exchange, of_others, *own):
        try:
            paths += sorted(folder.iterdir())
        except OSError:
            continue  # it is not there, or `permissions` says that it cannot be read
    return paths


def _subscriptions(patient: Patient) -> list[tuple[str, Path]]:
    """Return the folders of others than `local`, none where this user may not look."""
    try:
        return [each for each in folders(patient.folder) if each[0] != LOCAL]
    except OSError:
        return []


def _expected(patient: Patient, folder: Path) -> set[str]:
    others = dict(_subscriptions(patient))
    if folder in others.values():
        return _KNOWN_OF_ONE
    if folder == patient.folder / SUBSCRIPTIONS_FOLDER:
        return set(others)
    known = set(_KNOWN if folder == patient.folder else _KNOWN_OF_EXCHANGE)
    if patient.config_file is not None:
        known.add(patient.config_file.name)
    log = patient.config.log
    if log.file is not None:
        known |= {log.file.name, *(f"{log.file.name}.{n}" for n in range(1, log.file_count + 1))}
    return known


def _is_left_over(path: Path) -> bool:
    name = path.name
    if name.startswith((f".{ENDPOINT_FILE}.", f".{ACCOUNTS_NAME}.", PROBE_PREFIX)):
        pid = name.rpartition("." if not name.startswith(PROBE_PREFIX) else "-")[2]
        return not (pid.isdigit() and Path(f"/proc/{pid}").exists())
    return name.startswith((FOLDER_PREFIX, f"{JOURNAL_NAME}{_DRAFT}"))


def _owner(path: Path) -> str:
    return _user_name(path.lstat().st_uid)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
