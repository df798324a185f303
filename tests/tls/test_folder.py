"""The folder of certificates: made once, renewed when due, never open to others, never half-made."""

import ssl
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509

from fairlead.tls import authority, folder
from fairlead.tls.authority import Authority, Revoked
from fairlead.tls.folder import FolderError, Made

DAY_NS = 86_400 * 1_000_000_000
NOW_NS = time.time_ns()


def an_authority(now_ns: int = NOW_NS) -> Authority:
    root = authority.make_root(now_ns)
    return Authority(authority.make_intermediate(root, now_ns), root.certificate)


OURS = an_authority()


def kept(
    path: Path,
    names: Sequence[str] | None = None,
    now_ns: int = NOW_NS,
    revoked: Sequence[Revoked] = (),
    by: Authority = OURS,
) -> list[Made]:
    with folder.locked(path):
        return folder.keep_in_date(path, by, revoked, names, now_ns)


def root_of(path: Path, now_ns: int = NOW_NS) -> tuple[authority.Issuer, list[Made]]:
    with folder.locked(path):
        return folder.root_of(path, now_ns)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    root_of(tmp_path / "tls")
    kept(tmp_path / "tls", ["desk.example"])
    return tmp_path / "tls"


def contents(path: Path) -> dict[str, bytes]:
    return {
        str(each.relative_to(path)): each.read_bytes() for each in path.rglob("*") if each.is_file()
    }


def server_of(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificates((path / folder.SERVER).read_bytes())[0]


def revoked_of(path: Path) -> x509.CertificateRevocationList:
    return x509.load_pem_x509_crl((path / folder.REVOKED).read_bytes())


def test_keys_are_for_the_owner_alone(made: Path) -> None:
    modes = {
        str(each.relative_to(made)): each.stat().st_mode & 0o777
        for each in (made, *made.rglob("*"))
    }
    assert modes == {
        ".": 0o700,
        "ca": 0o700,
        "ca/root.pem": 0o644,
        "ca/root.key": 0o600,
        "ca.pem": 0o644,
        "server.pem": 0o600,
        "revoked.pem": 0o644,
    }


def test_the_server_certificate_is_one_that_ssl_loads_and_names_all(made: Path) -> None:
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(made / folder.SERVER)
    names = server_of(made).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(each.value) for each in names] == ["desk.example", "localhost", "127.0.0.1", "::1"]
    assert len(x509.load_pem_x509_certificates((made / folder.SERVER).read_bytes())) == 2


def test_a_second_time_nothing_is_written(made: Path) -> None:
    before = contents(made)
    assert kept(made, ["desk.example"]) == kept(made, []) == kept(made) == root_of(made)[1] == []
    assert contents(made) == before


def test_other_names_make_another_server_certificate_of_the_same_authority(made: Path) -> None:
    before = contents(made)
    written = kept(made, ["other.example", "::0:1"])
    assert [each.path.name for each in written] == ["server.pem"]
    changed = {name for name, content in contents(made).items() if content != before[name]}
    assert changed == {"server.pem"}


def test_what_is_due_is_renewed_with_the_same_names(made: Path) -> None:
    before = server_of(made)
    later_ns = NOW_NS + 300 * DAY_NS
    written = kept(made, now_ns=later_ns)
    assert {each.path.name for each in written} == {"server.pem", "revoked.pem"}
    after = server_of(made)
    assert after.not_valid_after_utc > before.not_valid_after_utc
    alternatives = x509.SubjectAlternativeName
    assert (
        after.extensions.get_extension_for_class(alternatives).value
        == before.extensions.get_extension_for_class(alternatives).value
    )
    assert kept(made, now_ns=later_ns) == []


def test_another_authority_replaces_all_that_the_old_one_made(made: Path) -> None:
    written = kept(made, by=an_authority())
    assert {each.path.name for each in written} == {"ca.pem", "server.pem", "revoked.pem"}


def test_without_a_servers_certificate_none_is_made_unless_somebody_asks(tmp_path: Path) -> None:
    """Nobody but a person knows the server's names."""
    written = kept(tmp_path / "tls")
    assert {each.path.name for each in written} == {"ca.pem", "revoked.pem"}
    assert [each.path.name for each in kept(tmp_path / "tls", [])] == ["server.pem"]


def test_the_roots_key_may_be_elsewhere(made: Path) -> None:
    (made / folder.ROOT_KEY).unlink()
    assert kept(made, ["desk.example"]) == []
    assert len(kept(made, now_ns=NOW_NS + 300 * DAY_NS)) == 2
    with pytest.raises(FolderError, match=r"root\.key is missing; put it back for as long as"):
        root_of(made)


def test_the_list_says_what_is_revoked_and_its_number_grows(made: Path) -> None:
    first = number_of(made)
    revoked = [Revoked(5, NOW_NS // 10**9 * 10**9), Revoked(6, NOW_NS // 10**9 * 10**9)]
    assert [each.why for each in kept(made, revoked=revoked)] == ["with what is revoked now"]
    assert authority.revoked_in(revoked_of(made)) == revoked
    second = number_of(made)
    assert second > first  # although no time has passed
    assert kept(made, revoked=revoked, now_ns=NOW_NS + DAY_NS) == []
    kept(made, revoked=revoked, now_ns=NOW_NS + 20 * DAY_NS)
    assert authority.revoked_in(revoked_of(made)) == revoked
    assert number_of(made) > second
    kept(made, revoked=revoked[:1])  # the other has ended
    assert authority.revoked_in(revoked_of(made)) == revoked[:1]


def number_of(path: Path) -> int:
    number = revoked_of(path).extensions.get_extension_for_class(x509.CRLNumber).value
    return number.crl_number


@pytest.mark.parametrize("content", [b"", b"nothing"])
def test_a_list_that_cannot_be_read_is_made_anew(made: Path, content: bytes) -> None:
    """What is revoked is not in the file but handed in, so that nothing is forgotten."""
    (made / folder.REVOKED).write_bytes(content)
    kept(made, revoked=[Revoked(5, NOW_NS)])
    assert [each.serial_number for each in authority.revoked_in(revoked_of(made))] == [5]


def test_a_list_of_another_authority_is_made_anew(made: Path, tmp_path: Path) -> None:
    kept(tmp_path / "other", by=an_authority(), revoked=[Revoked(5, NOW_NS)])
    (made / folder.REVOKED).write_bytes((tmp_path / "other" / folder.REVOKED).read_bytes())
    assert [each.path.name for each in kept(made)] == ["revoked.pem"]
    assert revoked_of(made).is_signature_valid(OURS.issuer.key.public_key())


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    half = tmp_path / "tls" / ".ca-new"
    half.mkdir(parents=True)
    (half / "root.key").write_text("half a key")
    (tmp_path / "tls" / ".server.pem.new").write_text("half")
    root_of(tmp_path / "tls")
    kept(tmp_path / "tls", [])
    assert {each.name for each in (tmp_path / "tls").iterdir()} == {
        *("ca", "ca.pem", "server.pem", "revoked.pem"),
    }


def test_those_that_make_it_at_once_make_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: root_of(tmp_path / "tls"), range(4)))
        assert sorted(len(each) for _, each in made) == [0, 0, 0, 2]
        assert len({root.certificate for root, _ in made}) == 1
        written = list(threads.map(lambda _: kept(tmp_path / "tls", []), range(4)))
    assert sorted(map(len, written)) == [0, 0, 0, 3]


def test_a_server_certificate_that_does_not_go_with_its_key_is_replaced(made: Path) -> None:
    (made / folder.SERVER).write_bytes(
        authority.key_pem(authority.new_key()) + authority.pem(server_of(made))
    )
    assert [each.path.name for each in kept(made, [])] == ["server.pem"]


@pytest.mark.parametrize(
    ("name", "mode", "text"),
    [
        ("ca/root.key", 0o640, "ca/root.key is open to others (mode 640); chmod 600 it"),
        ("ca", 0o755, "ca is open to others (mode 755); chmod 700 it"),
        ("server.pem", 0o644, "server.pem is open to others (mode 644); chmod 600 it"),
    ],
)
def test_a_key_that_others_can_read_is_not_used(
    made: Path, name: str, mode: int, text: str
) -> None:
    (made / name).chmod(mode)
    look = kept if name == "server.pem" else root_of
    with pytest.raises(FolderError) as caught:
        look(made)
    assert str(caught.value) == f"{made}/{text}"


def test_a_foreign_root_key_is_named(made: Path) -> None:
    (made / folder.ROOT_KEY).write_bytes(authority.key_pem(authority.new_key()))
    with pytest.raises(FolderError, match=r"root\.key is not the key of"):
        root_of(made)


def test_a_root_that_has_ended_says_what_to_do(made: Path) -> None:
    late_ns = NOW_NS + (authority.ROOT_DAYS + 1) * DAY_NS
    with pytest.raises(FolderError, match=r"root\.pem ended on .*; move .*/ca away for a new root"):
        root_of(made, late_ns)


def test_a_wrong_name_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name 'a b': expected a host name"):
        folder.plain_names(["a b"])
