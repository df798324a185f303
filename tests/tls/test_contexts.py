"""What a listener shows: read again when files change, never weaker than before, wrong files named."""

import shutil
from pathlib import Path

import pytest

from fairlead.tls.contexts import ContextFiles, Contexts
from fairlead.tls.folder import REVOKED, SERVER, FolderError
from tests.tls.authorities import Desk

SECOND_NS = 1_000_000_000


class Clock:
    """Time as the test says."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def files(desk: Desk) -> ContextFiles:
    return ContextFiles(
        desk.folder / SERVER, None, desk.authorities, desk.folder / REVOKED, ("h2", "http/1.1")
    )


def test_a_longer_list_counts_within_a_second(desk: Desk) -> None:
    clock = Clock()
    contexts = Contexts(files(desk), clock)
    before = contexts.current()
    client = desk.client("a")
    desk.revoke(client)
    assert contexts.current() is before
    assert not contexts.is_revoked(client.certificate.serial_number)
    clock.now_ns += SECOND_NS
    assert contexts.is_revoked(client.certificate.serial_number)
    assert contexts.current() is not before
    after = contexts.current()
    clock.now_ns += SECOND_NS
    assert contexts.current() is after


def test_who_says_that_files_have_changed_has_them_read_at_once(desk: Desk) -> None:
    contexts = Contexts(files(desk), Clock())
    before = contexts.current()
    contexts.look_anew()
    assert contexts.current() is before
    client = desk.client("a")
    desk.revoke(client)
    contexts.look_anew()
    assert contexts.current() is not before
    assert contexts.is_revoked(client.certificate.serial_number)


def test_files_that_cannot_be_used_leave_the_last_good_ones_in_force(desk: Desk) -> None:
    clock = Clock()
    client = desk.client("a")
    desk.revoke(client)
    contexts = Contexts(files(desk), clock)
    before = contexts.current()
    for name, content in ((REVOKED, b"nothing"), (SERVER, b"nothing")):
        good = (desk.folder / name).read_bytes()
        (desk.folder / name).write_bytes(content)
        clock.now_ns += SECOND_NS
        assert contexts.current() is before
        assert contexts.is_revoked(client.certificate.serial_number)
        (desk.folder / name).write_bytes(good)
    (desk.folder / REVOKED).unlink()
    clock.now_ns += SECOND_NS
    assert contexts.current() is before
    assert contexts.is_revoked(client.certificate.serial_number)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        (SERVER, None, "server.pem is missing: `fairlead tls init` makes one, or name yours"),
        (SERVER, "nothing", "server.pem holds no certificate chain that goes with its key"),
        ("ca.pem", "nothing", "ca.pem holds no authority's certificates"),
        (REVOKED, "nothing", "revoked.pem holds no list of revoked certificates"),
        (REVOKED, None, "revoked.pem is missing"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    desk: Desk, name: str, content: str | None, text: str
) -> None:
    (desk.folder / name).unlink()
    if content is not None:
        (desk.folder / name).write_text(content)
        (desk.folder / name).chmod(0o600)
    with pytest.raises(FolderError) as caught:
        Contexts(files(desk), Clock())
    assert text in str(caught.value)


def test_a_key_that_others_can_read_is_refused(desk: Desk, tmp_path: Path) -> None:
    key = tmp_path / "mine.key"
    shutil.copy(desk.folder / SERVER, key)
    key.chmod(0o640)
    with pytest.raises(FolderError, match=r"mine\.key holds a private key and is open to others"):
        Contexts(ContextFiles(desk.folder / SERVER, key), Clock())
