"""Every problem that `doctor` knows: its code, why it matters, what to do. One row each.

What was found is said where it is found; `{words}` of a row are filled there. A problem that is only
a `notice` does not make the command fail.
"""

# ruff: noqa: E501 - one row, one problem

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One row."""

    why: str
    todo: str
    is_notice: bool = False


class Finding(msgspec.Struct, frozen=True):
    """A problem that is there: its code, what was found, why it matters, what to do."""

    code: str
    found: str
    why: str
    todo: str
    is_notice: bool


class Fine(msgspec.Struct, frozen=True):
    """What was looked at and is as it should be."""

    check: str
    found: str


Result = Finding | Fine

# fmt: off
PROBLEMS: dict[str, Problem] = {
    # settings
    "setting_wrong": Problem("`fairlead up` refuses to start with it", "correct it as said; `fairlead config show` tells where each value comes from"),
    "market_tape_wrong": Problem("`fairlead up` refuses to start without its tape", "give exchange.market_tape files that exist, or leave it out"),
    "log_unwritable": Problem("log lines would go to stderr instead, where nobody may keep them", "make {folder} writable for this user, or set log.file to a place that is"),

    # certificates
    "tls_unusable": Problem("`fairlead up` refuses to start its TLS listeners with it", "correct it as said; `fairlead tls init` makes what is missing"),
    "tls_ends_soon": Problem("from then on no client gets through the handshake, and nothing here can renew it", "replace it; for a list of revoked certificates put the authority's key back, or have the list signed where the key is", is_notice=True),

    # the control plane
    "control_key_unusable": Problem("without it no stored secret can be read, and `fairlead up` with keys refuses to start", "put the key back at {path}, or name its place by control.key_file; chmod 400 it, outside the data folder"),
    "control_newer": Problem("this version cannot know what the later one wrote", "use the version of Fairlead that wrote it, or a later one"),
    "control_unusable": Problem("nobody can be known by a key, and no key or account can be changed", "start the server and see that it can be reached and written; correct control.url; restore the file from a backup"),

    # clock
    "clock_unsynchronised": Problem("expiries that Fairlead keeps, and every time in its reports, are this clock's", "run a time service: systemctl enable --now systemd-timesyncd, or chrony", is_notice=True),
    "clock_offset": Problem("requests are dated by the exchange's clock, but expiries that Fairlead keeps and every time in its reports are off by as much; when the clock jumps, orders sent in that moment are refused", "set this machine's clock: timedatectl set-ntp true; if it is right, the exchange's is wrong"),

    # the machine
    "open_files_low": Problem("each connection is an open file: further clients would be cut off, and the journal may fail to open", "raise the limit to {needed}: LimitNOFILE={needed} in the service, ulimit -n {needed} in a shell; or lower http.connections_max"),
    "file_size_limited": Problem("a commit that would make the journal larger than the limit fails, and the process stops", "lift it: LimitFSIZE=infinity in the service, ulimit -f unlimited in a shell"),
    "cores_sleep": Problem("an order that comes alone waits longer, for a core that sleeps while the disk writes wakes slowly", "let this user write {device} (docs/operations/running.md has the rule), or set process.awake_ms = 0", is_notice=True),
    "python_untested": Problem("nothing is known to be wrong with it, and nothing was tested with it", "use Python 3.11, 3.12 or 3.13", is_notice=True),
    "sqlite_old": Problem("the journal reads a WAL beside its writer, which older versions do not do well", "use a Python that is built with SQLite {needed} or later"),
    "package_other_version": Problem("only the locked versions are tested together", "install the locked ones: make env-run in the source folder, or install Fairlead into an environment of its own"),
    "package_missing": Problem("it is needed at run time", "install the locked versions: make env-run in the source folder"),

    # the disk
    "folder_in_memory": Problem("everything in it is gone when the machine stops, whatever was promised to be durable", "put the data folder on a disk: --data DIR"),
    "folder_on_network": Problem("SQLite's WAL needs memory shared by all who read it, which such a file system does not have: the journal may be damaged", "put the data folder on a local disk: --data DIR"),
    "space_low": Problem("the process stops when a commit finds no space; an order needs about 1 KB", "make space on the file system of {folder}, or move the data folder to a larger one"),
    "inodes_low": Problem("no file can be made, however much space there is", "remove small files from the file system of {folder}, or move the data folder"),
    "sync_slow": Problem("an order waits for two syncs before its answer", "use a disk of its own, with a cache that survives a power loss; look for what else writes to it"),
    "sync_ignored": Problem("a sync that takes no time reaches no disk: what was answered can be lost with the power", "look for eatmydata, a volatile overlay or nobarrier, and take it away"),

    # the data folder
    "folder_wrong": Problem("everything durable is kept in it", "give a folder: --data DIR"),
    "folder_unreadable": Problem("nothing can be started from it or said about it as this user", "run as the user that owns it, or give it to this one: chown -R {user}: {folder}"),
    "folder_unwritable": Problem("a system could not be started in it as this user", "run as the user that owns it, or give it to this one: chown -R {user}: {folder}"),
    "folder_open_to_others": Problem("any user of this machine could replace the journal and the keys", "chmod o-w {folder}"),
    "file_of_another_user": Problem("the system, running as the folder's owner, may not be able to write it", "chown {owner}: {path}"),
    "accounts_file_open": Problem("it holds the accounts' private keys", "chmod 600 {path}; if others had a chance to read it, make new keys"),
    "accounts_file_wrong": Problem("`fairlead up` refuses to start: without the keys the accounts are lost", "put it back from a backup"),
    "file_unknown": Problem("it is not Fairlead's; whoever put it there may take this folder for theirs", "move it out of the data folder", is_notice=True),
    "file_left_over": Problem("it was left by a process that was killed; it does no harm and takes space", "remove it: rm -r {path}", is_notice=True),

    # the journal and the exchange's store
    "journal_foreign": Problem("`fairlead up` refuses to start: it would overwrite what belongs to another program", "give the folder of a Fairlead system, or a new one: --data DIR"),
    "journal_newer": Problem("this version cannot know what the later one wrote", "use the version of Fairlead that wrote it, or a later one"),
    "journal_torn": Problem("reports that were promised are not all there", "keep the folder as it is, and restore the last backup elsewhere: fairlead restore BACKUP --data NEWDIR"),
    "journal_unreadable": Problem("`fairlead up` could not start from it", "give its user permission to read and write it and its folder"),
    "journal_differs": Problem("its tables do not follow from its reports: history or a restart may be wrong", "stop the system, keep the folder, run fairlead verify, and restore the last backup elsewhere"),
    "wal_large": Problem("somebody has been reading one moment of the journal for long, so that its WAL cannot be emptied; starts and reads get slow", "look for a long fairlead verify, backup or another reader of journal.sqlite, and end it"),
    "store_wrong": Problem("the embedded exchange refuses to start from it", "restore a backup elsewhere, or use the version of Fairlead that wrote it"),

    # the running system
    "lock_without_system": Problem("another process has the folder, and nobody can reach it", "if it is starting, wait; else end process {pid}"),
    "endpoint_wrong": Problem("commands find the system by this file", "remove it: rm {path}; a start writes it anew"),
    "endpoint_stale": Problem("commands with --data go to an address where nobody, or somebody else, answers", "start the system again: fairlead up --data {folder}; or remove the file"),
    "system_silent": Problem("it holds the folder but takes no orders", "look at its log; if it hangs, end process {pid} and start it again"),
    "system_not_ready": Problem("it takes no orders", "look at its log; if the journal is not writable, make space and start it again"),
    "account_not_reconciled": Problem("it takes cancels and no new orders", "look whether its exchange is reachable and its keys are right: fairlead accounts"),
    "exchange_unreachable": Problem("no account can be reconciled, so no order is taken", "start it: fairlead exchange; or correct exchange_url"),
    "listen_busy": Problem("`fairlead up` cannot serve there", "stop what listens there, or give another address: {flag} HOST:PORT"),
    "listen_unavailable": Problem("`fairlead up` cannot serve there", "give an address of this machine: {flag} HOST:PORT"),
    "listen_forbidden": Problem("`fairlead up` cannot serve there as this user", "give a port from 1024 on: {flag} HOST:PORT"),
}
# fmt: on


def finding(code: str, found: str, **words: object) -> Finding:
    """Return the problem `code` as it was found; `words` fill what to do."""
    problem = PROBLEMS[code]
    return Finding(code, found, problem.why, problem.todo.format(**words), problem.is_notice)
