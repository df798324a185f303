"""fix-log: the messages of a system's FIX API, or FIX from a file or stdin, as people read them."""

import re
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import msgspec

from fairlead.commands import show
from fairlead.commands.ending import Ended, ExitCode
from fairlead.commands.fix_lines import Form, Raw, print_message
from fairlead.commands.system import DEFAULT_DATA
from fairlead.control.folders import folder_of
from fairlead.core.requests import LOCAL
from fairlead.fix.codec import SOH
from fairlead.fix.log import FILE_NAME, Entry
from fairlead.fix.log_reading import EntryLines, LogReader

_LOOK_S = 0.2
_FIRST_OF_FOLLOWED = 10
_RAW = re.compile(  # SOH itself, or what stands for it in the logs of others
    rb"8=FIXT?\.\d\.\d(?P<end>\x01|\||\^A)9=\d+(?P=end).*?(?P=end)10=\d{3}(?:(?P=end)|(?=\s|\Z))",
    re.DOTALL,
)


class Source(msgspec.Struct, frozen=True):
    """Where messages come from: a system's log, or another file or stdin as `bytes`."""

    name: str
    log: Path | None
    stream: BinaryIO | None = None


class Wanted(msgspec.Struct, frozen=True):
    """Which messages are printed, and how."""

    session: str | None
    last: int | None
    is_followed: bool
    form: Form


def source_of(
    file: str | None,
    data: str | None,
    environment: Mapping[str, str],
    subscription: str = LOCAL,
    *,
    follow: bool,
) -> Source:
    """Return what is to be read. Raises Ended where there is nothing."""
    if file is None:
        of_system = Path(data or environment.get("FAIRLEAD_DATA") or DEFAULT_DATA)
        folder = folder_of(of_system, subscription)
        return Source(str(folder / FILE_NAME), folder / FILE_NAME)
    if follow or data is not None:
        raise Ended(ExitCode.USAGE, "FILE stands alone: --data and --follow are for a system's log")
    if file == "-":
        return Source("stdin", None, sys.stdin.buffer)
    try:
        return Source(file, None, BytesIO(Path(file).read_bytes()))
    except OSError as error:
        raise Ended(ExitCode.USAGE, f"{file} cannot be read: {error.strerror}") from None


def fix_log(source: Source, wanted: Wanted) -> None:
    """Print messages. Raises Ended when there is no log, or no such session in it."""
    try:
        if source.log is not None:
            _from_log(source.log, wanted)
        else:
            _shown(source.name, _of_stream(source), wanted)
        show.flush()
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        show.write_nowhere()


def _from_log(path: Path, wanted: Wanted) -> None:
    try:
        reader = LogReader(path)
    except FileNotFoundError:
        raise Ended(
            ExitCode.UNREACHABLE,
            f"{path} is missing: no system with fix.log_messages has run there; give --data DIR or FILE",
        ) from None
    except OSError as error:
        raise Ended(ExitCode.USAGE, f"{path} cannot be read: {error.strerror}") from None
    with reader:
        _shown(str(path), reader.read(), wanted)
        while wanted.is_followed:
            show.flush()
            time.sleep(_LOOK_S)
            for entry in reader.read():
                if _is_of(entry, wanted.session):
                    print_message(entry, wanted.form)


def _shown(name: str, messages: Iterator[Entry | Raw], wanted: Wanted) -> None:
    """Print those wanted of `messages`. Raises Ended when none is of the session."""
    sessions: dict[str, None] = {}
    found = False
    last = wanted.last or (_FIRST_OF_FOLLOWED if wanted.is_followed else None)
    kept: deque[Entry | Raw] = deque(maxlen=last)
    for message in messages:
        if isinstance(message, Entry):
            sessions[message.session] = None
        if not _is_of(message, wanted.session):
            continue
        found = True
        if last is None:
            print_message(message, wanted.form)
        else:
            kept.append(message)
    for message in kept:
        print_message(message, wanted.form)
    if wanted.session is not None and not found:
        known = ", ".join(sorted(sessions)) or "none"
        raise Ended(ExitCode.USAGE, f"no session {wanted.session} in {name}; there are: {known}")


def _is_of(message: Entry | Raw, session: str | None) -> bool:
    """Whether a message is of a session, named in full or without its BeginString."""
    if session is None:
        return True
    return isinstance(message, Entry) and session in (
        message.session,
        message.session.partition(":")[2],
    )


def _of_stream(source: Source) -> Iterator[Entry | Raw]:
    """Return the messages of a log or of raw FIX."""
    assert source.stream is not None
    data = source.stream.read()
    entries = list(EntryLines().read(BytesIO(data)))
    if entries:
        yield from entries
        return
    found = False
    for match in _RAW.finditer(data):
        found = True
        frame = match[0].replace(match["end"], SOH)
        yield Raw(frame if frame.endswith(SOH) else frame + SOH)
    if not found:
        raise Ended(ExitCode.REFUSED, f"{source.name} holds no FIX message")
