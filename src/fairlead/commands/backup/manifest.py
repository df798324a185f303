"""What a backup is: files, each known by its content, and what they promise together.

The manifest is written last. Must never accept a file that is not in it or not as it says.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import IO, BinaryIO

import msgspec

from fairlead.control.folders import NAME, SUBSCRIPTIONS_FOLDER
from fairlead.control.names import DATABASE as CONTROL_NAME
from fairlead.control.names import HEAD_FILE as HEAD_FILE_NAME
from fairlead.exchange.store_file import FILE_NAME as STORE_NAME
from fairlead.exchange.store_file import StoreSummary
from fairlead.fix.opening import FILE_NAME as FIX_NAME
from fairlead.journal.copying import Promise
from fairlead.journal.opening import FILE_NAME as JOURNAL_NAME
from fairlead.tls.folder import PUBLIC_FILES as TLS_NAMES

MANIFEST_NAME = "manifest.json"
FORMAT = 1
JOURNAL = JOURNAL_NAME
EXCHANGE = f"exchange/{STORE_NAME}"
ACCOUNTS = "accounts.toml"
CONFIG = "fairlead.toml"
CONTROL = CONTROL_NAME
AUDIT_HEAD = HEAD_FILE_NAME
FIX = FIX_NAME
TLS_FOLDER = "tls"
TLS = tuple(f"{TLS_FOLDER}/{name}" for name in TLS_NAMES)
# All of a backup, and of each further subscription its journal and FIX store:
FILES = (JOURNAL, FIX, EXCHANGE, ACCOUNTS, CONFIG, AUDIT_HEAD, CONTROL, *TLS)
_is_journal = re.compile(f"{SUBSCRIPTIONS_FOLDER}/{NAME}/{re.escape(JOURNAL)}").fullmatch
_is_fix = re.compile(f"{SUBSCRIPTIONS_FOLDER}/{NAME}/{re.escape(FIX)}").fullmatch
MANIFEST_BYTES_MAX = 1 << 20
CHUNK_BYTES = 1 << 20


class ManifestError(ValueError):
    """This is not a backup, or not as it was written; the text says why and what would be right."""


class File(msgspec.Struct, frozen=True):
    """One file of a backup."""

    name: str
    bytes: int
    sha256: str


class Versions(msgspec.Struct, frozen=True):
    """What made the backup."""

    fairlead: str
    python: str
    sqlite: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds and promises. `exchange` is None when it is not in the backup.

    `time`: UTC, when the journal's moment was fixed. `was_running`: the system went on meanwhile.
    `subscriptions`: what the journals of others than `local` promise, by name. `control_from`: the server's
    database that CONTROL is a copy of, without a password, empty where it is a copy of a file.
    """

    format: int
    time: str
    was_running: bool
    versions: Versions
    journal: Promise
    exchange: StoreSummary | None
    files: tuple[File, ...]
    subscriptions: dict[str, Promise] = {}
    control_from: str = ""

    @property
    def promises(self) -> dict[str, Promise]:
        """Return what each journal promises, by the file's name."""
        others = {journal_of(name): promise for name, promise in self.subscriptions.items()}
        return {JOURNAL: self.journal, **others}


def journal_of(subscription: str) -> str:
    """Return how the journal of a subscription is called in a backup; that of `local` is JOURNAL."""
    return f"{SUBSCRIPTIONS_FOLDER}/{subscription}/{JOURNAL}"


def fix_of(subscription: str) -> str:
    """Return how the FIX store of a subscription is called in a backup; that of `local` is FIX."""
    return f"{SUBSCRIPTIONS_FOLDER}/{subscription}/{FIX}"


def folders_of(folder: Path, names: Iterable[str]) -> list[Path]:
    """Return the folders that files of these names lie in under `folder`, the inner ones first."""
    found = {parent for name in names for parent in Path(name).parents}
    return [folder / each for each in sorted(found, key=lambda each: -len(each.parts))]


def encode(manifest: Manifest) -> bytes:
    """Return the manifest's text."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode(data: bytes) -> Manifest:
    """Return the manifest that `data` is. Raises ManifestError."""
    try:
        found = msgspec.json.decode(data, type=_Form)
        if found.format != FORMAT:
            raise ManifestError(
                f"{MANIFEST_NAME}: format {found.format}, this program knows {FORMAT};"
                " use the version of Fairlead that made it, or a later one"
            )
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ManifestError(f"{MANIFEST_NAME}: {error}; it is not as a backup wrote it") from None
    names = [file.name for file in manifest.files]
    journals = {name for name in names if name == JOURNAL or _is_journal(name)}
    fixes = {name for name in names if _is_fix(name)}
    is_known = set(names) <= {*FILES, *journals, *fixes} and journals == set(manifest.promises)
    if len(set(names)) != len(names) or not is_known:
        raise ManifestError(f"{MANIFEST_NAME}: names {', '.join(names)}; expected of {FILES}")
    return manifest


class _Form(msgspec.Struct):
    format: int


def described(folder: Path, name: str) -> File:
    """Return what the file `name` in `folder` is now, and have it on disk."""
    with (folder / name).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        return File(name, file.tell(), digest)


def copy_checked(source: IO[bytes], target: Path, file: File) -> None:
    """Copy one file of a backup to `target`, durably. Raises ManifestError when it is another."""
    digest = hashlib.sha256()
    size = 0
    with create(target) as copy:
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    if (size, digest.hexdigest()) != (file.bytes, file.sha256):
        raise ManifestError(
            f"{file.name}: {size} bytes with sha256 {digest.hexdigest()}, the manifest says"
            f" {file.bytes} bytes with {file.sha256}; the backup is damaged, use another"
        )


def create(path: Path) -> BinaryIO:
    """Open a new file that only its owner may read: backups hold keys."""
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
