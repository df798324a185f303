"""A command that has changed the control plane ends when who serves by it acts by the change."""

import sys
import time
from pathlib import Path

from fairlead.control.errors import ControlError
from fairlead.control.heard import heard
from fairlead.control.store import Store
from fairlead.journal.opening import holder_of

PATIENCE_S = 5.0  # more than a disk that is busy takes
_POLL_S = 0.01


def wait_until_it_counts(store: Store, data: Path, *, is_shared: bool) -> None:
    """Wait until whoever serves acts by the last change that was made here; says so if it does not in time.

    Returns at once where nothing was changed that it acts by, and where nobody serves. `is_shared`: the
    database is one that several machines reach.
    """
    change, until = store.told, time.monotonic() + PATIENCE_S
    if change is None:
        return
    try:
        while _is_served(store, data, is_shared=is_shared) and heard(store) < change:
            if time.monotonic() > until:
                _warn(f"did not take note of it within {PATIENCE_S:g} s")
                return
            time.sleep(_POLL_S)
    except ControlError as error:
        _warn(f"cannot be seen to take note of it: {error}")


def _is_served(store: Store, data: Path, *, is_shared: bool) -> bool:
    """Whether a system runs: in this folder, or, cut off from here or elsewhere, by this database."""
    if holder_of(data) is not None:
        return True
    if not is_shared:
        return False
    from fairlead.control.lease import is_held

    return is_held(store)


def _warn(text: str) -> None:
    sys.stderr.write(
        f"fairlead: it is done, but the system that runs {text}; until it does it goes by what was before\n"
    )
