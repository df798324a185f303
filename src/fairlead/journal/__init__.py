"""How it survives: one SQLite file per process that hosts accounts.

Imports `core` and `disk` only. Must never decide anything: it keeps what was decided and gives it back.
"""

from fairlead.journal.errors import CommitFailed, JournalError
from fairlead.journal.journal import Journal
from fairlead.journal.reader import JournalReader
from fairlead.journal.verification import Verification
from fairlead.journal.verify import verify

__all__ = ["CommitFailed", "Journal", "JournalError", "JournalReader", "Verification", "verify"]
