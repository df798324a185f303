"""How many open files the settings need, and getting them as far as the hard limit allows."""

import resource

import structlog

from fairlead.config import Config
from fairlead.config.loading import KEYS
from fairlead.control.folders import folders

_OTHER_FILES = 64  # journal, WAL, readers, log, event loop, listeners, with room
_FILES_OF_SUBSCRIPTION = 16  # its journal, FIX store and log, with their WALs, and a link
_MORE_SUBSCRIPTIONS = 10


def open_files_needed(config: Config) -> int:
    """Return how many files the process may have open at once."""
    links = len(config.accounts) or 1
    fixes = sum(each is not None for each in (config.fix.listen, config.fix.tls_listen))
    fix = fixes * config.fix.settings.connections_max
    listens = (config.listen, config.tls.listen, config.tls.clients_listen)
    listeners = sum(each is not None for each in listens)
    clients = (
        listeners * config.http.connections.connections_max + config.websocket.clients_max + fix
    )
    others = 0
    if config.authentication == KEYS:  # some more may come while it runs
        others = len(list(folders(config.data))) + _MORE_SUBSCRIPTIONS
    return clients + links + others * _FILES_OF_SUBSCRIPTION + _OTHER_FILES


def raise_open_files(needed: int) -> None:
    """Raise this process's own limit to `needed` if it is lower; log a warning when that is refused."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < needed:
        structlog.get_logger().warning("open files limited", limit=wanted, needed=needed)
