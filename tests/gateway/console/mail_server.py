"""A mail server on loopback that is in trouble at a step that a test chooses, or takes what it is given."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fairlead.control.people.post import Smtp, SmtpSettings

CLOSE, SILENCE = "close", "silence"
STEPS = ("GREETING", "EHLO", "MAIL", "RCPT", "DATA", "LETTER", "QUIT")
_USUAL = {"GREETING": "220 mail.example", "DATA": "354 go on", "QUIT": "221 bye"}


class MailServer:
    """`trouble`: a step, and what is answered there: a line, CLOSE, or SILENCE until the client goes."""

    def __init__(self) -> None:
        self.trouble: tuple[str, str] = ("", "")
        self.letters: list[str] = []
        self.port = 0

    def post(self, timeout_s: float = 30.0) -> Smtp:
        """Return what gives letters to this server."""
        sender = "ems@desk.example"
        settings = SmtpSettings(host="127.0.0.1", port=self.port, sender=sender, security="none")
        return Smtp(settings, timeout_s)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold one conversation."""
        try:
            if not await self._answer("GREETING", reader, writer):
                return
            while line := await reader.readline():
                step = line.split()[0].decode().upper()
                if not await self._answer(step, reader, writer) or step == "QUIT":
                    return
                if step == "DATA" and self.trouble[0] != "DATA":
                    is_over = self.trouble == ("LETTER", CLOSE)  # it dies in the middle
                    letter = await (
                        reader.readline() if is_over else reader.readuntil(b"\r\n.\r\n")
                    )
                    if not await self._answer("LETTER", reader, writer):
                        return
                    if self.trouble[0] != "LETTER":
                        self.letters.append(_text(letter))
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _answer(
        self, step: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Say what is said at this step; return whether the conversation goes on."""
        said = self.trouble[1] if self.trouble[0] == step else _USUAL.get(step, "250 fine")
        if said == SILENCE:
            await reader.read()
        if said in (CLOSE, SILENCE):
            return False
        writer.write(f"{said}\r\n".encode())
        await writer.drain()
        return True


def _text(letter: bytes) -> str:
    message = email.message_from_bytes(letter, policy=email.policy.default)
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    """Have such a server on a free port until the end of the `async with`."""
    server = MailServer()
    serving = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = serving.sockets[0].getsockname()[1]
    async with serving:
        yield server
