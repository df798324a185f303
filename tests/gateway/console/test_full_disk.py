"""The disk of the control database is full: people read on, nothing is half-made, and what fails says why."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from tests.gateway.console.conftest import MINUTE, PASSWORD, Browser, World, added, asked, confirm

pytestmark = pytest.mark.asyncio


@contextmanager
def full_disk() -> Iterator[None]:
    """Have files take nothing more, the log of this process among them."""
    usual, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    with capture_logs():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, most))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (usual, most))


async def test_who_is_signed_in_reads_on_beyond_the_idle_time_and_after_it(
    world: World, ann: Browser
) -> None:
    await added(world, ann)
    with full_disk():
        for _ in range(12):  # an hour
            world.now_ns += 5 * MINUTE
            for path in ("/v1/me", "/v1/keys", "/v1/me/sessions", "/v1/auth/state"):
                status, said = await ann.get(path)
                assert status == 200, said
    world.now_ns += 29 * MINUTE
    assert (await ann.get("/v1/me"))[0] == 200  # stored again
    world.now_ns += 30 * MINUTE
    assert (await ann.get("/v1/me"))[0] == 401


async def test_who_reads_nothing_for_so_long_is_signed_out_as_ever(
    world: World, ann: Browser
) -> None:
    with full_disk():
        world.now_ns += 5 * MINUTE
        assert (await ann.get("/v1/me"))[0] == 200
        world.now_ns += 30 * MINUTE
        assert (await ann.get("/v1/me"))[0] == 401


async def test_nothing_is_changed_half_and_the_disk_is_named(
    world: World, ann: Browser, other: Browser
) -> None:
    key = await added(world, ann)
    challenge, code = await asked(ann, "key.add", label="Bot2")
    kid = key["key"]["kid"]
    world.now_ns += 2 * MINUTE  # another letter may be sent
    session = (await ann.get("/v1/me/sessions"))[1][0]["session"]
    (world.control.data / ".audit-head.json.draft").unlink(missing_ok=True)
    files = {each.name for each in world.control.data.iterdir()}
    with world.changes() as changes:
        with full_disk():
            said = [
                await confirm(ann, challenge, code, world.code()),
                await ann.post(
                    "/v1/challenges", {"action": "key.add", "payload": {"label": "Bot3"}}
                ),
                await ann.post(f"/v1/keys/{kid}/disable", {"password": PASSWORD}),
                await ann.call("DELETE", f"/v1/me/sessions/{session}"),
                await other.sign_in(),
                await ann.post("/v1/auth/sign-out"),
            ]
        assert [(status, each and each["code"]) for status, each in said] == [
            (503, "disk_full")
        ] * 6
        assert "disk of the control database is full" in said[0][1]["message"]
    assert changes == []
    assert {each.name for each in world.control.data.iterdir()} == files
    assert world.control.audit.verify().holds
    # With room again all of it is as it was: the codes count, and taking back does.
    status, _ = await confirm(ann, challenge, code, world.code())
    assert status == 201
    assert (await ann.post(f"/v1/keys/{kid}/disable", {"password": PASSWORD}))[0] == 200
