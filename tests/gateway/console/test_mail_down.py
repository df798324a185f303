"""Without mail nothing is granted, nothing is half-made, nothing counts, and taking back works.

The mail server is a real one on loopback; whatever it does wrong at whichever step comes to the same.
"""

import pytest

from fairlead.control.people.challenges import Action
from fairlead.control.tables import ATTEMPTS, LINKS
from fairlead.tls.authority import Authority, make_intermediate, make_root
from tests.gateway.console.conftest import (
    DATABASES,
    EMAIL,
    MINUTE,
    OWNER,
    Browser,
    World,
    added,
    confirm,
)
from tests.gateway.console.mail_server import CLOSE, SILENCE, STEPS, MailServer, mail_server
from tests.gateway.console.test_rows import ASKED

pytestmark = [pytest.mark.asyncio, pytest.mark.parametrize("database", DATABASES)]

ADD = {"action": "key.add", "payload": {"label": "Bot2"}}
TROUBLES = [
    (step, said)
    for step in STEPS[:-1]
    for said in ("421 not now", "554 never", CLOSE, SILENCE)
    if (step, said) != ("EHLO", "554 never")  # then it is greeted as an older server
]


def rows_of(world: World) -> tuple[int, int]:
    """Return how many links there are, and how many attempts count."""
    with world.control.store.read() as connection:
        links = connection.execute(LINKS.select()).all()
        attempts = connection.execute(ATTEMPTS.select()).all()
        return len(links), len([each for each in attempts if each.kind.startswith("mail")])


async def unsent(world: World, browser: Browser, form: object) -> None:
    """Ask for what needs a letter: it is said that there is no mail, and nothing but that is kept."""
    before = rows_of(world)
    with world.changes() as lines:
        status, said = await browser.post("/v1/challenges", form)
    assert (status, said["code"]) == (503, "mail_unavailable"), said
    assert "nothing was granted" in said["message"]
    assert lines == [ASKED]
    links, attempts = rows_of(world)
    assert (links, attempts <= before[1]) == (before[0], True)  # those that are over are gone


async def test_whatever_the_mail_server_does_wrong_nothing_is_kept_or_counts(
    world: World, ann: Browser
) -> None:
    assert world.desk is not None
    async with mail_server() as server:
        for trouble in TROUBLES:
            server.trouble = trouble
            world.desk.post = server.post(0.2 if trouble[1] == SILENCE else 30.0)
            await unsent(world, ann, ADD)
        assert server.letters == []
        port, server.port = server.port, 1  # nobody listens there
        world.desk.post = server.post()
        await unsent(world, ann, ADD)
        server.port, server.trouble = port, ("", "")
        world.desk.post = server.post()
        await granted_at_once(world, ann, server)


async def granted_at_once(world: World, ann: Browser, server: MailServer) -> None:
    """The server is back: nobody has to wait for what was not sent."""
    status, said = await ann.post("/v1/challenges", ADD)
    assert status == 201, said
    (letter,) = server.letters
    code = letter.partition("Your code: ")[2][:8]
    assert (await confirm(ann, said["challenge"], code, world.code()))[0] == 201


async def test_a_letter_that_was_taken_is_sent_however_the_server_says_goodbye(
    world: World, ann: Browser
) -> None:
    assert world.desk is not None
    async with mail_server() as server:
        for said in ("421 not now", CLOSE, SILENCE):
            server.trouble = ("QUIT", said)
            world.desk.post = server.post(2.0 if said == SILENCE else 30.0)
            assert (await ann.post("/v1/challenges", ADD))[0] == 201, said
            world.now_ns += MINUTE
        assert len(server.letters) == 3


async def test_without_mail_nothing_is_granted_and_everything_is_taken_back(
    world: World, ann: Browser, other: Browser
) -> None:
    root = make_root(world.now_ns)
    authority = Authority(make_intermediate(root, world.now_ns), root.certificate)
    with world.control.store.change() as change:
        world.control.authorities.add(change, OWNER, authority, world.now_ns)
    key = (await added(world, ann))["key"]
    kid = key["kid"]
    assert world.desk is not None
    async with mail_server() as server:
        server.trouble = ("RCPT", "450 not now")
        world.desk.post = server.post()
        payloads: dict[str, dict[str, object]] = {
            Action.KEY_ADD: {"label": "Bot2"},
            Action.KEY_EDIT: {"kid": kid, "version": 1, "scopes": ["trade"]},
            Action.KEY_DELETE: {"kid": kid},
            Action.KEY_DELETE_ALL: {"count": 1},
            Action.KEY_ROTATE: {"kid": kid, "label": "Bot2", "overlap_hours": 1},
            Action.CERTIFICATE_ISSUE: {"kid": kid},
            Action.FACTOR_DISABLE: {},
            Action.USER_INVITE: {"email": "bob@desk.example"},
        }
        for action, payload in payloads.items():
            await unsent(world, ann, {"action": action, "payload": payload})

        before = rows_of(world)
        with world.changes() as lines:
            assert (await other.post("/v1/auth/password/forgotten", {"email": EMAIL}))[0] == 202
            await world.desk.finish()
        assert lines == ["+ audit user.password.forgotten done by none"]
        assert rows_of(world)[0] == before[0]

        status, said = await ann.post(f"/v1/keys/{kid}/disable", {"totp": world.code()})
        assert (status, said["state"]) == (200, "disabled")
        world.now_ns += MINUTE
        await unsent(world, ann, {"action": Action.KEY_ENABLE, "payload": {"kid": kid}})
        await other.sign_in()
        assert (await other.post("/v1/auth/second-factor", {"code": world.code()}))[0] == 200
        listed = (await ann.get("/v1/me/sessions"))[1]
        for session in (each["session"] for each in listed if not each["is_this"]):
            assert (await ann.call("DELETE", f"/v1/me/sessions/{session}"))[0] == 204
        assert (await other.get("/v1/me"))[0] == 401

        world.now_ns += MINUTE
        server.trouble = ("", "")
        await granted_at_once(world, ann, server)
        assert (await other.post("/v1/auth/password/forgotten", {"email": EMAIL}))[0] == 202
        await world.desk.finish()
        assert len(server.letters) == 2
    assert world.control.audit.verify().holds
