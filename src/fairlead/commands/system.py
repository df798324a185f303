"""Finding a running system, and what a command does with what its client library answers or raises."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from fairlead.client import (
    Client,
    ClientError,
    NotYet,
    OutcomeUnknown,
    Refused,
    Unavailable,
    Unreachable,
)
from fairlead.client.answer import Answer
from fairlead.client.calls import Call
from fairlead.commands import show
from fairlead.commands.credentials import NO_FILES, Files, client_settings
from fairlead.commands.ending import Ended, ExitCode

Result = TypeVar("Result")
DEFAULT_DATA = "data"
_STARTING = "start it with: fairlead up"
_ENDED = ("Z", "X")  # proc(5): only its parent has not looked yet


class System:
    """One running system. What is asked of it goes through the client library; a failure ends the command.

    With `as_json` the API's own answers are what is printed, refusals too.
    """

    def __init__(
        self, url: str, hint: str = _STARTING, files: Files = NO_FILES, *, as_json: bool = False
    ) -> None:
        """`hint` is what to do when nobody is there. `files` for https, see `client_settings`.

        Raises Ended when `url` is not one, and when a file is not what it should be.
        """
        self.as_json = as_json
        self._hint = hint
        self._last: Answer | None = None
        try:
            self.settings = client_settings(url, files)
            self.client = Client(url, self.settings, on_answer=self._hear)
        except (ValueError, OSError) as error:
            raise Ended(ExitCode.USAGE, str(error)) from None

    @property
    def url(self) -> str:
        """Return where it is."""
        return self.client.address.url

    def do(self, work: Call[Result] | Callable[[], Result]) -> Result:
        """Return what a call answers, or what `work` with the client returns. Raises Ended."""
        try:
            return self.client.run(work) if isinstance(work, Call) else work()
        except ClientError as error:
            said = error.answer if isinstance(error, Refused | OutcomeUnknown) else None
            if self.as_json and said is not None and _is_json(said):
                show.out(said.text)
            raise self.ended(error) from None

    @property
    def last(self) -> Answer:
        """Return the last answer as it came."""
        assert self._last is not None, "nothing was asked yet"
        return self._last

    def is_told(self) -> bool:
        """Print the last answer if JSON is wanted; return whether that was so."""
        if self.as_json:
            show.out(self.last.text)
        return self.as_json

    def ended(self, error: ClientError) -> Ended:
        """Return how a command ends for what the library raised."""
        match error:
            case Unreachable(was_reached=True):
                return Ended(ExitCode.UNREACHABLE, f"{self.url} does not answer: {error}")
            case Unreachable():
                return Ended(ExitCode.UNREACHABLE, f"{error}; {self._hint}")
            case Unavailable():
                return Ended(ExitCode.UNREACHABLE, str(error))
            case OutcomeUnknown():
                return Ended(ExitCode.UNKNOWN, str(error))
            case NotYet():
                return Ended(ExitCode.NOT_YET, str(error))
            case _:
                return Ended(ExitCode.REFUSED, str(error))

    def _hear(self, answer: Answer) -> None:
        self._last = answer


class Endpoint(msgspec.Struct, frozen=True):
    """What a running process wrote of itself."""

    url: str
    pid: int
    operator_url: str | None = None


def find(
    url: str | None,
    data: str | None,
    environment: Mapping[str, str],
    files: Files = NO_FILES,
    *,
    as_json: bool = False,
) -> System:
    """Return the system meant: by URL, else by its data folder's endpoint.json. Raises Ended."""
    if url is None and data is None:
        url = environment.get("FAIRLEAD_URL")
    if url is not None:
        return System(url, files=files, as_json=as_json)
    folder, file, endpoint = _endpoint(data, environment, "--url URL")
    return System(endpoint.url, _gone(folder, file, endpoint), files, as_json=as_json)


def find_operator(
    url: str | None, data: str | None, environment: Mapping[str, str], *, as_json: bool = False
) -> System:
    """Return the simulated exchange's operator API, found like a system. Raises Ended."""
    if url is not None:
        return System(url, "start it with: fairlead up, or fairlead exchange", as_json=as_json)
    folder, file, endpoint = _endpoint(data, environment, "--operator-url URL")
    if endpoint.operator_url is None:
        raise Ended(
            ExitCode.USAGE,
            f"the system in {folder} has no exchange of its own; give --data of the exchange's folder"
            " or --operator-url URL",
        )
    return System(endpoint.operator_url, _gone(folder, file, endpoint), as_json=as_json)


def _endpoint(
    data: str | None, environment: Mapping[str, str], instead: str
) -> tuple[Path, Path, Endpoint]:
    folder = Path(data or environment.get("FAIRLEAD_DATA") or DEFAULT_DATA)
    file = folder / "endpoint.json"
    try:
        endpoint = msgspec.json.decode(file.read_bytes(), type=Endpoint)
    except FileNotFoundError:
        raise Ended(
            ExitCode.UNREACHABLE,
            f"no system has run in {folder}: {file} is missing; give --data DIR or {instead},"
            f" or {_STARTING}",
        ) from None
    except (OSError, msgspec.MsgspecError) as error:
        raise Ended(ExitCode.USAGE, f"{file} cannot be read: {error}; give {instead}") from None
    if _is_left_behind(folder, endpoint):
        raise Ended(
            ExitCode.UNREACHABLE,
            f"no system runs in {folder}: {_gone(folder, file, endpoint)}; whoever is at"
            f" {endpoint.url} by now is another, which {instead} reaches",
        )
    return folder, file, endpoint


def _is_left_behind(folder: Path, endpoint: Endpoint) -> bool:
    """Whether the process is gone that wrote the endpoint; one in another container has the folder's lock."""
    from fairlead.journal.opening import holder_of  # it takes long, and most commands need none

    return not _is_running(endpoint.pid) and holder_of(folder) is None


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # somebody else's, or a system without /proc
    return state not in _ENDED


def _gone(folder: Path, file: Path, endpoint: Endpoint) -> str:
    return f"process {endpoint.pid} of {file} is gone; {_STARTING} --data {folder}"


def _is_json(answer: Answer) -> bool:
    try:
        json.loads(answer.body)
    except ValueError:
        return False
    return True
