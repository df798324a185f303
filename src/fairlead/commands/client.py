"""Finding a running system and asking its REST API.

Two failures are kept apart: the request was certainly not sent, or it was and no answer came. Never
sends anything twice by itself. Numbers are read as exact decimals.
"""

import http.client
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from fairlead.commands.ending import Ended, ExitCode

DEFAULT_DATA = "data"
_UNAVAILABLE = frozenset({408, 429, 490, 503})
_UNKNOWN = 504
_STARTING = "start it with: fairlead up"

Json = Any  # what JSON holds; every use says what it expects


class NoAnswer(Exception):
    """The request may have arrived, and no answer came."""


class Answer(msgspec.Struct, frozen=True):
    """One answer: the body as text, and what it holds when it is JSON (else None)."""

    status: int
    text: str
    content: Json
    after: str | None = None

    @property
    def is_ok(self) -> bool:
        """Whether the system did what was asked."""
        return self.status == 200

    @property
    def reason(self) -> str:
        """Return the system's own words on why not."""
        content = self.content if isinstance(self.content, dict) else {}
        words = content.get("errors") or content.get("message") or self.text[:200]
        return str(words) or f"status {self.status}"

    def ended(self) -> Ended:
        """Return the error that an answer other than 200 ends a command with."""
        if self.status in _UNAVAILABLE:
            return Ended(ExitCode.UNREACHABLE, self.reason)
        code = ExitCode.UNKNOWN if self.status == _UNKNOWN else ExitCode.REFUSED
        return Ended(code, self.reason)


class Api:
    """The REST API of one running system, one connection per call."""

    def __init__(self, url: str, timeout_s: float = 10.0, hint: str = _STARTING) -> None:
        parts = urlsplit(url)
        try:
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if parts.scheme != "http" or not host or parts.path not in ("", "/"):
            raise Ended(
                ExitCode.USAGE, f"url {url!r} is not http://HOST:PORT such as http://127.0.0.1:3080"
            )
        self.url = url.rstrip("/")
        self._host, self._port = host, port or 80
        self._timeout_s = timeout_s
        self._hint = hint

    def get(self, path: str, query: Mapping[str, str | None] | None = None) -> Answer:
        """Ask; whatever goes wrong, nothing was changed. Raises Ended."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        try:
            return self._call("GET", f"{path}?{urlencode(given)}" if given else path, None)
        except NoAnswer as error:
            raise Ended(ExitCode.UNREACHABLE, f"{self.url} does not answer: {error}") from None

    def post(self, path: str, body: Mapping[str, Json]) -> Answer:
        """Have something done. Raises Ended when nothing was sent, NoAnswer when that is unknown."""
        return self._call("POST", path, json.dumps(body).encode())

    def wanted(self, path: str, query: Mapping[str, str | None] | None = None) -> Json:
        """Return the content of a 200. Raises Ended for any other answer."""
        answer = self.get(path, query)
        if not answer.is_ok:
            raise answer.ended()
        return answer.content

    def status(self, client_order_id: str, account: str | None) -> Answer:
        """Ask for one order by its client id."""
        path = f"/v1/orders/status/{quote(client_order_id, safe='')}"
        return self.get(path, {"exchange_id": account})

    def _call(self, method: str, path: str, body: bytes | None) -> Answer:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        try:
            try:
                connection.connect()
            except OSError as error:
                raise Ended(
                    ExitCode.UNREACHABLE,
                    f"no system answers at {self.url} ({_words(error)}); {self._hint}",
                ) from None
            headers = {} if body is None else {"Content-Type": "application/json"}
            try:
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                data = response.read()
            except (OSError, http.client.HTTPException) as error:
                raise NoAnswer(_words(error)) from None
            return _answer(response, data)
        finally:
            connection.close()


def find(url: str | None, data: str | None, environment: Mapping[str, str]) -> Api:
    """Return the system meant: by URL, else by its data folder's endpoint.json. Raises Ended."""
    if url is None and data is None:
        url = environment.get("FAIRLEAD_URL")
    if url is not None:
        return Api(url)
    folder = Path(data or environment.get("FAIRLEAD_DATA") or DEFAULT_DATA)
    file = folder / "endpoint.json"
    try:
        endpoint = json.loads(file.read_text())
        found, pid = str(endpoint["url"]), int(endpoint["pid"])
    except FileNotFoundError:
        raise Ended(
            ExitCode.UNREACHABLE,
            f"no system has run in {folder}: {file} is missing; give --data DIR or --url URL,"
            f" or {_STARTING}",
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Ended(ExitCode.USAGE, f"{file} cannot be read: {error}; give --url URL") from None
    return Api(found, hint=f"process {pid} of {file} is gone; {_STARTING} --data {folder}")


def _answer(response: http.client.HTTPResponse, data: bytes) -> Answer:
    text = data.decode("utf-8", "replace")
    try:
        content = json.loads(text, parse_float=Decimal)
    except ValueError:
        content = None
    return Answer(response.status, text, content, response.headers.get("x-fairlead-after"))


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    words = error.strerror if isinstance(error, OSError) else None
    return words or str(error) or type(error).__name__
