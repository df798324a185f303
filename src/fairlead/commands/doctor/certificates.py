"""What the TLS listeners show and ask for: whether it can be used, and what ends soon."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from fairlead.commands.doctor.patient import Patient
from fairlead.commands.doctor.problems import Fine, Result, finding
from fairlead.gateway.listeners import ListenerSettings, files_asked, files_shown
from fairlead.tls.contexts import ContextFiles, Contexts
from fairlead.tls.folder import FolderError, is_kept

_SOON_NS = 14 * 86_400 * 1_000_000_000


def certificates(patient: Patient) -> Iterator[Result]:
    """Say what is wrong with the files of the TLS listeners that are set."""
    config = patient.config
    settings = ListenerSettings(config.tls_folder, config.tls.files)
    wanted: list[ContextFiles] = []
    if config.tls.listen is not None:
        wanted.append(files_shown(settings))
    if config.tls.clients_listen is not None or config.fix.tls_listen is not None:
        wanted.append(files_asked(settings, ()))
    if not wanted:
        return
    ends: dict[str, int] = {}
    for files in wanted:
        try:
            contexts = Contexts(files, time.monotonic_ns)
        except (FolderError, OSError) as error:
            yield finding("tls_unusable", str(error))
            return
        for path, until_ns in contexts.ends().items():
            if not (path.parent == config.tls_folder and is_kept(config.tls_folder)):
                ends[str(path)] = until_ns
    for name, until_ns in ends.items():
        if until_ns - time.time_ns() < _SOON_NS:
            until = datetime.fromtimestamp(until_ns // 1_000_000_000, UTC)
            yield finding("tls_ends_soon", f"{name} counts until {until:%Y-%m-%d %H:%M} UTC")
            return
    yield Fine("certificates", "can be used, and none that needs somebody ends soon")
