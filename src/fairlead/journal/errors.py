"""What can be wrong with a journal. Each says the file, what was found and what would be right."""


class JournalError(Exception):
    """The journal cannot be used as it is; nothing in the folder was changed."""


class NotAJournal(JournalError):
    """The file is not SQLite, or belongs to another program."""


class JournalTorn(JournalError):
    """The file is ours but damaged: cut short, overwritten, or missing beside its own WAL."""


class JournalNewer(JournalError):
    """The file was written by a later version of this program."""


class JournalInUse(JournalError):
    """Another process holds the folder."""


class JournalUnwritable(JournalError):
    """The folder or a file in it cannot be opened or written: permission, read-only, full."""


class JournalMissing(JournalError):
    """There is no journal in the folder, and none may be made."""


class CommitFailed(JournalError):
    """A unit was not made durable, or could not be applied to the tables: the process must stop."""
