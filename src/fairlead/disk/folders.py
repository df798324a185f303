"""Folders that hold what is durable: made, or refused in words that say which, why, and what would be right.

The system's own words for it are a number and a path. Must never change a folder that exists.
"""

import contextlib
import errno
import os
import pwd
import stat
from pathlib import Path

_EXPECTED = "give a folder that can be made, or is there and can be written"


class FolderUnusable(OSError):
    """A folder cannot be made or written. `strerror` says why; as text it says all."""

    def __init__(self, folder: Path, number: int, why: str) -> None:
        super().__init__(number, why, str(folder))

    def __str__(self) -> str:
        """Return which folder, why, and what would be right."""
        return f"the folder {self.filename} cannot be used: {self.strerror}; {_EXPECTED}"


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where it is not there yet; see that it can be written.

    Raises FolderUnusable; then nothing was made.
    """
    made: list[Path] = []
    try:
        for each in reversed([place for place in (folder, *folder.parents) if not place.is_dir()]):
            each.mkdir(exist_ok=True)
            made.append(each)
    except OSError as cause:
        for each in reversed(made):
            with contextlib.suppress(OSError):  # somebody uses it by now
                each.rmdir()
        number = cause.errno or errno.EIO
        raise FolderUnusable(folder, number, why_not(folder, cause)) from cause
    if not os.access(folder, os.W_OK | os.X_OK):
        number = errno.EROFS if _is_read_only(folder) else errno.EACCES
        raise FolderUnusable(folder, number, why_not(folder, OSError(number, os.strerror(number))))


def why_not(path: Path, cause: OSError) -> str:
    """Return why something at `path` cannot be made or written, by what there is on the way to it."""
    number = cause.errno
    if number == errno.ENAMETOOLONG:  # nothing on the way to it can be looked at
        return "its name is too long"
    place = _nearest(path)
    match number:
        case errno.ENOTDIR | errno.EEXIST if not place.is_dir():
            return f"{place} is a file, not a folder"
        case errno.EROFS:
            return f"{place} is on a file system that is read-only"
        case errno.EACCES | errno.EPERM:
            found = place.stat()
            mode = stat.S_IMODE(found.st_mode)
            user, owner = _user(os.geteuid()), _user(found.st_uid)
            return f"this is user {user}, and {place} has mode {mode:03o} and belongs to {owner}"
        case errno.ENOENT:
            return f"no folder can be made in {place}"
        case _:
            return f"{cause.strerror}, in {place}"


def _nearest(path: Path) -> Path:
    """Return the path itself, or what is nearest above it of what this user can see."""
    for place in (path.absolute(), *path.absolute().parents):
        try:
            os.lstat(place)
        except OSError:
            continue
        return place
    return Path("/")


def _is_read_only(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
