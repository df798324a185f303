"""Systems that are broken on purpose, so that a check is seen to notice."""

import sys
from pathlib import Path

# The journal's transactions are not synced.
WITHOUT_SYNC = """
from fairlead.journal.wal import Wal

Wal.begin_sync = Wal.sync = lambda self: None
"""
# What a batch decided is let out first, and committed a moment later.
COMMITTED_LATER = """
from collections import deque

from fairlead.edge.sequencer import Sequencer

units = deque()

def commit_next(self):
    self._journal.commit(units.popleft())

def later(self, effects, requests):
    if effects.unit.reports or effects.unit.accounts:
        units.append(effects.unit)
        self._loop.call_later(0.02, commit_next, self)
    self._set_timers(effects)
    self._release(effects, requests)

Sequencer._commit = later
"""
# A change of the control plane is committed first, and told to the audit a moment later.
AUDITED_LATER = """
import threading

from fairlead.control.audit import Audit

original = Audit.append

def later(self, change, *rest):
    def append():
        with self.change() as own:
            original(self, own, *rest)

    threading.Timer(0.05, append).start()

Audit.append = later
"""
RUN = """
from fairlead.cli import main

main()
"""


def broken(folder: Path, fault: str) -> list[str]:
    """Return the command of a system with this fault."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "broken.py"
    script.write_text(fault + RUN)
    return [sys.executable, str(script)]
