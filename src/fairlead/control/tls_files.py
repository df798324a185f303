"""The folder of `fairlead tls init`, made to say what the database says: who issues, and what is revoked.

The database is the truth, so a process that is killed between the two leaves nothing half-made: whoever
looks next writes what is missing.
"""

from collections.abc import Sequence
from pathlib import Path

from fairlead.control.audit import Actor
from fairlead.control.certificate_rows import revoked
from fairlead.control.control import Control
from fairlead.tls import folder as files
from fairlead.tls.authority import Authority, make_intermediate
from fairlead.tls.folder import Made


def init(
    control: Control, folder: Path, names: Sequence[str], actor: Actor, now_ns: int
) -> list[Made]:
    """Make what is missing or due: root, who issues, the server's certificate, the revoked list.

    `names`: see `keep_in_date`. Raises ControlError, FolderError, OSError, and ValueError for a wrong name.
    """
    files.plain_names(names)
    with files.locked(folder):
        made = _have_issuer(control, folder, actor, now_ns)
        return made + _keep(control, folder, names, now_ns)


def keep(control: Control, folder: Path, now_ns: int) -> list[Made]:
    """Write anew what is due or says other than the database; nothing where nobody issues.

    Raises ControlError, FolderError and OSError.
    """
    with control.store.read() as connection:
        if control.authorities.current(connection) is None:
            return []
    with files.locked(folder):
        return _keep(control, folder, None, now_ns)


def _have_issuer(control: Control, folder: Path, actor: Actor, now_ns: int) -> list[Made]:
    """See that somebody issues: an intermediate of the root, whose key must be here for that."""
    with control.store.read() as connection:
        current = control.authorities.current(connection)
    if current is not None and current.issuer.ends_ns > now_ns:
        return []
    root, made = files.root_of(folder, now_ns)
    authority = Authority(make_intermediate(root, now_ns), root.certificate)
    with control.authorities.change() as change:
        other = control.authorities.current(change)
        if other is not None and other.issuer.ends_ns > now_ns:
            return made  # another machine on the same database was quicker
        control.authorities.add(change, actor, authority, now_ns)
    where = (
        f"a new issuing authority until {authority.issuer.certificate.not_valid_after_utc:%Y-%m-%d}"
    )
    return [*made, Made(Path(control.store.place), f"{where}; its key is sealed there")]


def _keep(control: Control, folder: Path, names: Sequence[str] | None, now_ns: int) -> list[Made]:
    with (
        control.store.read() as connection
    ):  # under the lock, so that the last to write has seen all
        authority = control.authorities.current(connection)
        entries = revoked(connection, now_ns)
    assert authority is not None, "nobody takes an authority away"
    return files.keep_in_date(folder, authority, entries, names, now_ns)
