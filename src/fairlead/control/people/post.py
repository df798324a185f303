"""How letters leave: by SMTP, or into a sink in the data folder, for a machine that has no mail server.

Whoever grants something sends its code first and grants nothing when that fails: `Unsent` says why.
"""

import asyncio
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Protocol

import aiosmtplib
import msgspec

from fairlead.control.people.letters import Letter
from fairlead.control.whole_file import folder_locked, put_whole

SINK_FILE = "mail.jsonl"
SINK_LETTERS_MAX = 200
_TIMEOUT_S = 10.0
_S = 1_000_000_000


class Unsent(Exception):
    """A letter could not be sent; says why, never what it says."""


class Post(Protocol):
    """Where letters are given."""

    async def send(self, letter: Letter, now_ns: int) -> None:
        """Send a letter; when this returns, it is somebody else's to deliver. Raises Unsent."""
        ...


class SmtpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A mail server. `security`: starttls, tls, or none for a server on this machine."""

    host: str
    port: int
    sender: str
    security: str = "starttls"
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        """Name the server and the sender, never the password."""
        return f"SmtpSettings({self.host}:{self.port}, {self.security}, from {self.sender})"


class Smtp:
    """Gives letters to a mail server, one connection each: there are few."""

    def __init__(self, settings: SmtpSettings, timeout_s: float = _TIMEOUT_S) -> None:
        """`timeout_s`: for each answer of the server, and three times that for all of them."""
        self._settings = settings
        self._timeout_s = timeout_s

    async def send(self, letter: Letter, now_ns: int) -> None:
        """See `Post.send`."""
        settings = self._settings
        try:
            async with asyncio.timeout(3 * self._timeout_s):
                await aiosmtplib.send(
                    _message(letter, settings.sender, now_ns),
                    hostname=settings.host,
                    port=settings.port,
                    username=settings.user or None,
                    password=settings.password or None,
                    use_tls=settings.security == "tls",
                    start_tls=settings.security == "starttls",
                    timeout=self._timeout_s,
                )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            # The text of a refusal may repeat what was sent; its kind and code do not.
            code = getattr(error, "code", None)
            said = type(error).__name__ if code is None else f"{type(error).__name__} {code}"
            text = f"mail server {settings.host}:{settings.port} did not take the letter: {said}"
            raise Unsent(text) from None


class Kept(msgspec.Struct, frozen=True):
    """A letter in the sink."""

    time_ns: int
    to: str
    subject: str
    text: str


class Sink:
    """Keeps the last letters in a file that its owner alone may read: for one machine, and its tests."""

    def __init__(self, data: Path) -> None:
        self._path = data / SINK_FILE

    async def send(self, letter: Letter, now_ns: int) -> None:
        """See `Post.send`."""
        try:
            kept = Kept(now_ns, letter.to, letter.subject, letter.text)
            await asyncio.to_thread(self._add, kept)
        except OSError as error:
            raise Unsent(f"{self._path}: {error.strerror}") from None

    def _add(self, kept: Kept) -> None:
        with folder_locked(self._path.parent):
            letters = [*self.letters(), kept][-SINK_LETTERS_MAX:]
            put_whole(self._path, b"".join(msgspec.json.encode(each) + b"\n" for each in letters))

    def letters(self) -> list[Kept]:
        """Return the letters, the oldest first. Raises OSError."""
        try:
            with self._path.open("rb") as file:
                return [msgspec.json.decode(line, type=Kept) for line in file]
        except FileNotFoundError:
            return []


def _message(letter: Letter, sender: str, now_ns: int) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = letter.to
    message["Subject"] = letter.subject
    message["Date"] = formatdate(now_ns / _S)
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2].rstrip(">") or None)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    return message
