"""What is written to people, and how it leaves: by a real mail server, or into the sink."""

import asyncio
import email
import email.policy
import resource
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from aiosmtpd.smtp import SMTP, Envelope, Session

from fairlead.control.people import letters
from fairlead.control.people.letters import Letter
from fairlead.control.people.person import User
from fairlead.control.people.post import SINK_LETTERS_MAX, Sink, Smtp, SmtpSettings, Unsent
from tests.control.people.conftest import NOW

ANN = User(
    user="usr_1", subscription="local", email="ann@desk.example", has_second_factor=True,
    phrase="blue heron", created_ns=NOW, version=1,
)  # fmt: skip
CODE = "01234567"
FACTS = (("Label", "Bot1"), ("Permissions", "read → read, trade"))


def code_letter() -> Letter:
    return letters.of_code(ANN, "add the API key Bot1", FACTS, CODE, "192.0.2.1", NOW)


class Mailbox:
    """What a mail server does with what it gets; `refusal`: what it says instead of taking it."""

    def __init__(self) -> None:
        self.got: list[Envelope] = []
        self.refusal = ""

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        if self.refusal:
            return self.refusal
        self.got.append(envelope)
        return "250 taken"


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest_asyncio.fixture
async def server(mailbox: Mailbox) -> AsyncIterator[asyncio.Server]:
    loop = asyncio.get_running_loop()
    serving = await loop.create_server(lambda: SMTP(mailbox), "127.0.0.1", 0)
    async with serving:
        yield serving


def smtp(server: asyncio.Server, **changes: str) -> Smtp:
    sender = "Fairlead <ems@desk.example>"
    port = server.sockets[0].getsockname()[1]
    settings = SmtpSettings(host="127.0.0.1", port=port, sender=sender, security="none")
    return Smtp(msgspec.structs.replace(settings, **changes))


def put(sink: Sink, letter: Letter) -> None:
    asyncio.run(sink.send(letter, NOW))


# ── what is written ──────────────────────────────────────────────────────────────────────────────


def test_a_letter_with_a_code_says_all_that_is_to_be_known_and_has_no_link() -> None:
    letter = code_letter()
    assert (letter.to, letter.subject) == (ANN.email, "Code to add the API key Bot1")
    for text in (letter.text, letter.html):
        for fact in (CODE, "Bot1", "read → read, trade", "192.0.2.1", "UTC", "blue heron"):
            assert fact in text
        assert "http" not in text
        assert "href" not in text
    assert CODE not in repr(letter)


def test_nothing_breaks_out_of_a_header_or_of_html() -> None:
    wild = "x\r\nBcc: eve@x.example\r\n\r\n<script>"
    ann = msgspec.structs.replace(ANN, phrase="<b>&")
    letter = letters.of_code(ann, wild, (("Label", "<img>"),), CODE, "192.0.2.1", NOW)
    assert "\n" not in letter.subject
    assert "\r" not in letter.subject
    for tag in ("<script>", "<img>", "<b>"):
        assert tag not in letter.html


@pytest.mark.parametrize(("days", "when"), [(14, "in 14 days"), (7, "in 7 days"), (1, "tomorrow")])
def test_a_letter_about_a_keys_end(days: int, when: str) -> None:
    letter = letters.of_expiry(ANN, "Bot1", "flk_1", NOW, days)
    assert letter.subject == f"API key Bot1 expires {when}"


# ── by a mail server ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.asyncio
async def test_a_mail_server_gets_it_as_text_and_html(
    server: asyncio.Server, mailbox: Mailbox
) -> None:
    letter = code_letter()
    await smtp(server).send(letter, NOW)
    (envelope,) = mailbox.got
    assert envelope.rcpt_tos == [ANN.email]
    assert isinstance(envelope.content, bytes)
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert message["Subject"] == letter.subject
    assert message["From"] == "Fairlead <ems@desk.example>"
    parts = {
        each.get_content_type(): each.get_content().replace("\r\n", "\n")
        for each in message.iter_parts()
    }
    assert parts == {"text/plain": letter.text, "text/html": letter.html}


@pytest.mark.asyncio
@pytest.mark.parametrize("refusal", ["550 no such mailbox", "451 later", "554 it said 01234567"])
async def test_a_server_that_refuses_is_said_without_its_words(
    server: asyncio.Server, mailbox: Mailbox, refusal: str
) -> None:
    mailbox.refusal = refusal
    with pytest.raises(Unsent, match=refusal[:3]) as raised:
        await smtp(server).send(code_letter(), NOW)
    assert CODE not in str(raised.value)


@pytest.mark.asyncio
async def test_a_server_that_is_away_is_said(server: asyncio.Server) -> None:
    post = smtp(server)
    server.close()
    await server.wait_closed()
    with pytest.raises(Unsent, match="did not take the letter: SMTPConnectError"):
        await post.send(code_letter(), NOW)


@pytest.mark.asyncio
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_server_without_tls_is_told_nothing_where_tls_is_wanted(
    server: asyncio.Server, mailbox: Mailbox, security: str
) -> None:
    with pytest.raises(Unsent):
        await smtp(server, security=security).send(code_letter(), NOW)
    assert mailbox.got == []


def test_settings_show_no_password() -> None:
    settings = SmtpSettings(host="mail", port=587, sender="ems@desk.example", password="secret")
    assert "secret" not in repr(settings)


# ── into the sink ────────────────────────────────────────────────────────────────────────────────


def test_the_sink_keeps_the_last_letters_for_its_owner_alone(tmp_path: Path) -> None:
    sink = Sink(tmp_path)
    assert sink.letters() == []
    letter = code_letter()
    for _ in range(SINK_LETTERS_MAX + 3):
        put(sink, letter)
    put(sink, letters.of_reset(ANN, CODE, "192.0.2.1", NOW))
    kept = sink.letters()
    assert len(kept) == SINK_LETTERS_MAX
    assert (kept[0].text, kept[-1].subject) == (letter.text, "Code to set a new password")
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_sink_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "mail.jsonl").mkdir()
    with pytest.raises(Unsent, match="Is a directory"):
        put(Sink(tmp_path), code_letter())


def test_a_sink_for_which_there_is_no_room_keeps_what_it_has(tmp_path: Path) -> None:
    sink = Sink(tmp_path)
    put(sink, code_letter())
    usual, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, most))  # as a full disk does it
    try:
        with pytest.raises(Unsent, match="File too large"):
            put(sink, code_letter())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (usual, most))
    assert [each.text for each in sink.letters()] == [code_letter().text]
    put(sink, code_letter())
    assert len(sink.letters()) == 2
