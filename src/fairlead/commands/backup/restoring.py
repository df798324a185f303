"""fairlead restore: a backup becomes a data folder, whole and checked, or nothing at all.

Everything is copied beside the folder, compared with the manifest, verified as `fairlead verify` does,
and only then gets the folder's name.
"""

import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from fairlead.commands import progress, show
from fairlead.commands.backup import manifest as form
from fairlead.commands.backup.taking import PARTIAL, described
from fairlead.commands.ending import Ended, ExitCode, said
from fairlead.commands.keeping import configured
from fairlead.config.model import DatabaseUrl
from fairlead.control.errors import ControlError
from fairlead.core.exact import use_exact_decimals
from fairlead.exchange.store_file import StoreError, examine
from fairlead.journal.copying import Promise, promise_of
from fairlead.journal.errors import JournalError
from fairlead.journal.opening import fsync_folder
from fairlead.journal.verify import verify

RESTORING = ".restoring"  # ends the name of a folder that is not complete
_Open = Callable[[str], IO[bytes]]


def restore(backup: Path, data: Path, config_file: Path | None, *, as_json: bool) -> None:
    """Make the data folder `data`, new or empty, from `backup`. Raises Ended.

    The control plane's database becomes that of the folder, or, where the settings name a server's, that one.
    """
    use_exact_decimals()
    url = configured(config_file, {}).control.url
    data = data.absolute()
    draft = data.with_name(data.name + RESTORING)
    _refuse_existing(data, draft)
    try:
        with _opened(backup) as opened, progress.bars() as start:
            manifest = _manifest(opened)
            draft.mkdir(parents=True)
            try:
                _copy(opened, manifest, draft, start("copying"))
                reports = _checked(draft, manifest, start("verifying"))
                with _put_in_place(draft, manifest, url, start("control")) as place:
                    draft.rename(data)
            except BaseException:
                shutil.rmtree(draft, ignore_errors=True)
                raise
            fsync_folder(data.parent)
    except (
        *(form.ManifestError, JournalError, StoreError, ControlError, OSError),
        tarfile.TarError,
    ) as error:
        raise Ended(ExitCode.REFUSED, f"nothing was restored: {said(error)}") from None
    if as_json:
        made = {"data": str(data), "verified": True, "reports": reports, "control": place}
        show.out(json.dumps(made))
        return
    for line in described(manifest):
        show.out(line)
    show.out(f"restored to {data} and verified: {reports} reports, all agree")
    if place:
        show.out(f"the control plane is in {place}")
    elif manifest.control_from:
        show.out(
            f"the control plane is in {data / form.CONTROL}; take control.url out of the configuration,"
            f" which named {manifest.control_from}, or restore with --config into another database"
        )
    if _has(manifest, form.CONTROL):
        show.out(
            f"the key that locks its secrets is in no backup: put it at {data}.key, mode 0400,"
            " or name its place by control.key_file"
        )
    has_config = _has(manifest, form.CONFIG)
    config = f" --config {data / form.CONFIG}" if has_config else ""
    show.out(f"make sure that the original does not run, then: fairlead up --data {data}{config}")


def _has(manifest: form.Manifest, name: str) -> bool:
    return any(file.name == name for file in manifest.files)


@contextmanager
def _put_in_place(
    draft: Path, manifest: form.Manifest, url: DatabaseUrl | None, advance: progress.Advance
) -> Iterator[str]:
    """Put the control plane's database where it will be; give the server's place, empty where that is a file.

    What was put into a server's is taken out again when the block fails. Raises ControlError.
    """
    if not _has(manifest, form.CONTROL):
        yield ""
        return
    from fairlead.control.copying import check_folder, put_from_folder, take_out

    if url is None:
        if manifest.control_from:  # made as a database of this program's by the one that backed up
            check_folder(draft)
            _without_readers(draft, form.CONTROL)
        yield ""
        return
    place = put_from_folder(draft, url.text, advance)
    try:
        (draft / form.CONTROL).unlink()
        _without_readers(draft, form.CONTROL)
        yield place
    except BaseException:
        take_out(url.text, draft)
        raise


def _without_readers(draft: Path, database: str) -> None:
    """Take away what readers of a database leave beside it; nothing was written."""
    for name in ("-wal", "-shm"):
        (draft / f"{database}{name}").unlink(missing_ok=True)


def _refuse_existing(data: Path, draft: Path) -> None:
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise Ended(ExitCode.REFUSED, f"{data} is not empty; restore into a new folder")
    if draft.exists():
        raise Ended(
            ExitCode.REFUSED,
            f"{draft} is of a restore that is running or was interrupted; if none runs, remove it",
        )


@contextmanager
def _opened(backup: Path) -> Iterator[_Open]:
    """Give what opens a file of the backup by its name."""
    if backup.name.endswith(PARTIAL) or backup.name.endswith(f"{PARTIAL}.tar"):
        raise form.ManifestError(f"{backup} is an interrupted backup; use one that was completed")
    if backup.is_dir():
        yield lambda name: (backup / name).open("rb")
        return
    with tarfile.open(backup) as archive:

        def member(name: str) -> IO[bytes]:
            try:
                file = archive.extractfile(name)
            except KeyError:
                file = None
            if file is None:
                raise form.ManifestError(f"{backup}: has no file {name}; it is not a whole backup")
            return file

        yield member


def _manifest(opened: _Open) -> form.Manifest:
    try:
        with opened(form.MANIFEST_NAME) as file:
            return form.decode(file.read(form.MANIFEST_BYTES_MAX))
    except FileNotFoundError as error:
        raise form.ManifestError(
            f"{error.filename} is missing; give what `fairlead backup` wrote"
        ) from None


def _copy(opened: _Open, manifest: form.Manifest, draft: Path, advance: progress.Advance) -> None:
    total = sum(file.bytes for file in manifest.files)
    done = 0
    for file in manifest.files:
        target = draft / file.name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with opened(file.name) as source:
            form.copy_checked(source, target, file)
        done += file.bytes
        advance(done, total)


def _checked(draft: Path, manifest: form.Manifest, advance: progress.Advance) -> int:
    """Return how many reports `verify` finds; refuse journals that do not agree with themselves or the
    manifest.
    """
    reports = 0
    for done, (name, promised) in enumerate(manifest.promises.items()):
        advance(done, len(manifest.promises))
        reports += _verified((draft / name).parent, promised)
    if manifest.exchange is not None and examine(draft / form.EXCHANGE) != manifest.exchange:
        raise form.ManifestError("the exchange's store holds other orders than promised")
    for database in (*manifest.promises, form.EXCHANGE):
        _without_readers(draft, database)
    for folder in form.folders_of(draft, [file.name for file in manifest.files]):
        fsync_folder(folder)
    return reports


def _verified(folder: Path, promised: Promise) -> int:
    """Return how many reports the journal in a folder holds. Raises ManifestError."""
    found = verify(folder)
    if not found.holds:
        raise form.ManifestError(
            f"the journal does not agree with itself in {found.difference_count} places, first:"
            f" {found.differences[0]}; use another backup"
        )
    promise = promise_of(folder)
    if promise != promised:
        raise form.ManifestError(f"the journal holds {promise}, promised was {promised}")
    return found.reports
