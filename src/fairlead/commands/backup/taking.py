"""fairlead backup: FIX numbers, the journal, then the exchange's store, then keys and configuration.

In that order because a client may have been told less than the journal has, never more, and a journal may
know less than its exchange, never more: what the exchange did after the journal's moment is found by
reconciling, while orders and fills that the exchange had forgotten could not be (docs/operations/backup.md).
Private keys and mailed codes are not in it.
"""

import http.client
import os
import platform
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from fairlead import __version__
from fairlead.app.embedded import EXCHANGE_FOLDER
from fairlead.client.address import Address
from fairlead.commands import progress, show
from fairlead.commands.backup import manifest as form
from fairlead.commands.credentials import client_settings
from fairlead.commands.ending import Ended, ExitCode, said
from fairlead.commands.keeping import configured
from fairlead.config.model import DatabaseUrl
from fairlead.control.errors import ControlError
from fairlead.control.folders import folders
from fairlead.core.exact import use_exact_decimals
from fairlead.core.requests import LOCAL
from fairlead.endpoint import ENDPOINT_FILE, Endpoint, endpoint_of
from fairlead.exchange.serve import Endpoint as ExchangeEndpoint
from fairlead.exchange.store_file import StoreError, StoreSummary, examine
from fairlead.fix.store import Store as FixStore
from fairlead.fix.store import StoreError as FixStoreError
from fairlead.journal.copying import Promise, copy_journal
from fairlead.journal.errors import JournalError, JournalInUse, JournalMissing
from fairlead.journal.opening import FolderLock, fsync_folder
from fairlead.tls.folder import public_part

PARTIAL = ".partial"  # ends the name of a backup that is not complete
TAR = ".tar"
_COPY_PATH = "/operator/backup"
_TIMEOUT_S = 600.0  # for an exchange to copy its store and begin to send it


class _Failed(Exception):
    """The backup cannot be made; the text says why and what to do."""


def backup(data: Path, target: Path, config_file: Path | None, *, as_json: bool) -> None:
    """Back the data folder `data` up to the new folder, or .tar file, `target`. Raises Ended."""
    use_exact_decimals()
    target = target.absolute()
    draft = target.with_name(target.name + PARTIAL)
    _refuse_existing(target, draft)
    url = configured(config_file, {}).control.url
    try:
        with _holding(data) as endpoint, progress.bars() as start:
            draft.mkdir(mode=0o700, parents=True)
            try:
                made = _take(data, draft, config_file, url, endpoint, start)
                _publish(draft, target, made, start)
            except BaseException:
                shutil.rmtree(draft, ignore_errors=True)
                raise
    except JournalMissing as error:
        raise Ended(ExitCode.USAGE, str(error)) from None
    except (
        *(JournalError, StoreError, FixStoreError, ControlError, OSError),
        _Failed,
    ) as error:
        raise Ended(ExitCode.FATAL, f"no backup was made: {said(error)}") from None
    if as_json:
        show.out(form.encode(made).decode().rstrip())
    else:
        for line in described(made):
            show.out(line)
        show.out(f"written to {target}; it holds keys: keep it where only you can read it")


def described(made: form.Manifest) -> list[str]:
    """Return what a backup promises, in words."""
    lines = []
    for whose, journal in (("", made.journal), *made.subscriptions.items()):
        of = f" of {whose}" if whose else ""
        lines.append(
            f"journal{of} as of {show.short_time(made.time)} UTC, {journal.frames} commits"
        )
        lines += [
            f"  {account}: every report up to sequence {sequence}"
            for account, sequence in journal.sequences.items()
        ]
    if made.control_from:
        lines.append(f"control plane of {made.control_from}")
    if made.exchange is not None:
        lines.append(f"simulated exchange, {made.exchange.orders} orders")
    return lines


def _refuse_existing(target: Path, draft: Path) -> None:
    if target.exists():
        raise Ended(ExitCode.REFUSED, f"{target} exists; give a name that is not taken")
    if draft.exists():
        raise Ended(
            ExitCode.REFUSED,
            f"{draft} is of a backup that is running or was interrupted; if none runs, remove it",
        )


@contextmanager
def _holding(data: Path) -> Iterator[Endpoint | None]:
    """Give the endpoint of the system that runs on the folder; None when none does, and none can start."""
    if not (data / form.JOURNAL).exists():
        raise JournalMissing(f"{data / form.JOURNAL} is missing; give --data DIR of a system")
    try:
        lock = FolderLock(data)
    except JournalInUse as error:
        endpoint = endpoint_of(data)
        if endpoint is None:
            raise _Failed(f"{error}; it is starting, try again") from None
        yield endpoint
        return
    try:
        yield None
    finally:
        lock.release()


def _take(
    data: Path,
    draft: Path,
    config_file: Path | None,
    url: DatabaseUrl | None,
    endpoint: Endpoint | None,
    start: progress.Start,
) -> form.Manifest:
    _take_fix(data, draft, start)  # before the journals: no client has been told what they lack
    time = datetime.now(UTC)
    promise = copy_journal(data, draft / form.JOURNAL, start("journal"))
    others = _take_journals(data, draft, start)
    has_exchange = _take_exchange(data / EXCHANGE_FOLDER, draft, endpoint, start("exchange"))
    _copy_if_there(data / form.ACCOUNTS, draft / form.ACCOUNTS)
    _copy_if_there(data / form.AUDIT_HEAD, draft / form.AUDIT_HEAD)  # before its rows: never ahead
    control_from = _take_control(data, draft, url, start("control"))
    for name in form.TLS:
        if (data / name).exists():
            _write(public_part((data / name).read_bytes()), draft / name)
    if config_file is not None:
        _copy(config_file, draft / form.CONFIG)
    exchange = examine(draft / form.EXCHANGE) if has_exchange else None
    return _manifest(
        draft, time, promise, others, exchange, endpoint is not None, control_from=control_from
    )


def _take_control(
    data: Path, draft: Path, url: DatabaseUrl | None, advance: progress.Advance
) -> str:
    """Copy the control plane's database; return the server's that it is of, empty where it is a file."""
    if url is not None:
        from fairlead.control.copying import copy_to_folder

        return copy_to_folder(url.text, draft, advance)
    if (data / form.CONTROL).exists():
        _copy_store(data / form.CONTROL, draft / form.CONTROL, advance)
    elif (data / form.AUDIT_HEAD).exists():
        raise _Failed(
            f"{data / form.CONTROL} is missing, and {form.AUDIT_HEAD} is there: the control plane is in"
            " PostgreSQL; name it by control.url (--config FILE, or FAIRLEAD_CONTROL_URL)"
        )
    return ""


def _take_journals(data: Path, draft: Path, start: progress.Start) -> dict[str, Promise]:
    """Copy the journals of other subscriptions than `local`; return by name what they promise."""
    promises = {}
    for name, folder in folders(data):
        if name != LOCAL and (folder / form.JOURNAL).exists():
            target = draft / form.journal_of(name)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            promises[name] = copy_journal(folder, target, start(f"journal of {name}"))
    return promises


def _take_fix(data: Path, draft: Path, start: progress.Start) -> None:
    """Copy the FIX stores, as ones whose sessions go on after nobody knows how much."""
    for name, folder in folders(data):
        target = draft / (form.FIX if name == LOCAL else form.fix_of(name))
        if (folder / form.FIX).exists():
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _copy_store(folder / form.FIX, target, start(f"FIX numbers of {name}"))
            FixStore.age(target)


def _take_exchange(
    folder: Path, draft: Path, endpoint: Endpoint | None, advance: progress.Advance
) -> bool:
    """Copy the store of the exchange that keeps it in `folder`, and say whether there is one.

    Whoever runs it makes the copy. A running system whose exchange is elsewhere has none, whatever
    it may have left in the folder earlier.
    """
    target = draft / form.EXCHANGE
    source = folder / target.name
    if not source.exists():
        return False
    target.parent.mkdir(mode=0o700)
    if endpoint is not None and endpoint.operator_url is not None:
        _fetch(endpoint.operator_url, target, advance)
        return True
    own = _process_of_its_own(folder, source)
    if own is not None:
        _fetch(own.operator_url, target, advance)
    elif endpoint is None:
        _copy_store(source, target, advance)
    return target.exists()


def _process_of_its_own(folder: Path, source: Path) -> ExchangeEndpoint | None:
    """Return where the `fairlead exchange` that has the store open is reached; None if none has."""
    try:
        examine(source)
    except StoreError:
        try:
            return msgspec.json.decode((folder / ENDPOINT_FILE).read_bytes(), type=ExchangeEndpoint)
        except FileNotFoundError:
            pass
        raise
    return None


def _copy_store(source: Path, target: Path, advance: progress.Advance) -> None:
    """Copy a database of SQLite at one moment, which may be written meanwhile."""
    try:
        opened = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)
        copy = sqlite3.connect(target)
        try:
            opened.backup(
                copy, pages=512, progress=lambda _, left, all_: advance(all_ - left, all_)
            )
        finally:
            copy.close()
            opened.close()
    except sqlite3.Error as error:
        raise StoreError(f"{source} cannot be copied: {error}") from error


def _fetch(operator_url: str, target: Path, advance: progress.Advance) -> None:
    """Have the running exchange copy its store and send it."""
    parts = urlsplit(operator_url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
    try:
        authority = Address.of(operator_url).authority
        headers = client_settings(operator_url).headers("POST", authority, _COPY_PATH, b"{}")
        connection.request("POST", _COPY_PATH, b"{}", headers)
        answer = connection.getresponse()
        if answer.status != 200:
            words = answer.read(1_000).decode(errors="replace")
            raise _Failed(f"{operator_url} does not copy its store: {answer.status} {words}")
        size, done = answer.length or 0, 0
        with form.create(target) as file:
            while chunk := answer.read(form.CHUNK_BYTES):
                file.write(chunk)
                done += len(chunk)
                advance(done, size)
        if done != size:
            raise _Failed(f"{operator_url} sent {done} of {size} bytes of its store; try again")
    except http.client.HTTPException as error:
        raise _Failed(f"{operator_url} does not copy its store: {error!r}") from None
    finally:
        connection.close()


def _copy_if_there(source: Path, target: Path) -> None:
    if source.exists():
        _copy(source, target)


def _write(content: bytes, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with form.create(target) as copy:
        copy.write(content)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as file, form.create(target) as copy:
        shutil.copyfileobj(file, copy)


def _manifest(
    draft: Path,
    time: datetime,
    promise: Promise,
    others: dict[str, Promise],
    exchange: StoreSummary | None,
    was_running: bool,
    *,
    control_from: str,
) -> form.Manifest:
    """Make every file durable, then write the manifest that names them, durably."""
    names = [name for name in form.FILES if (draft / name).exists()]
    names += [form.journal_of(name) for name in others]
    names += [name for each in others if (draft / (name := form.fix_of(each))).exists()]
    for name in names:
        (draft / name).chmod(0o600)
    made = form.Manifest(
        format=form.FORMAT,
        time=time.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        was_running=was_running,
        versions=form.Versions(__version__, platform.python_version(), sqlite3.sqlite_version),
        journal=promise,
        exchange=exchange,
        files=tuple(form.described(draft, name) for name in names),
        subscriptions=others,
        control_from=control_from,
    )
    for folder in form.folders_of(draft, names):
        fsync_folder(folder)
    with form.create(draft / form.MANIFEST_NAME) as file:
        file.write(form.encode(made))
        file.flush()
        os.fsync(file.fileno())
    fsync_folder(draft)
    return made


def _publish(draft: Path, target: Path, made: form.Manifest, start: progress.Start) -> None:
    """Give the complete backup its name: as a folder, or packed into one file."""
    if target.suffix == TAR:
        packed = draft.with_name(draft.name + TAR)
        _pack(draft, packed, made, start("packing"))
        packed.rename(target)
        shutil.rmtree(draft)
    else:
        draft.rename(target)
    fsync_folder(target.parent)


def _pack(draft: Path, packed: Path, made: form.Manifest, advance: progress.Advance) -> None:
    names = [form.MANIFEST_NAME, *(file.name for file in made.files)]
    try:
        with form.create(packed) as file:
            with tarfile.open(fileobj=file, mode="w") as archive:
                for done, name in enumerate(names):
                    advance(done, len(names))
                    archive.add(draft / name, name)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        packed.unlink(missing_ok=True)
        raise
