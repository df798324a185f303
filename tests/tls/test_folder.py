"""The folder of certificates: made once, renewed when due, never open to others, never half-made."""

import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509

from fairlead.tls import authority, folder
from fairlead.tls.folder import FolderError

DAY_NS = 86_400 * 1_000_000_000
NOW_NS = time.time_ns()


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder.init(tmp_path / "tls", ["desk.example"], NOW_NS)
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
        "ca/issuing.pem": 0o644,
        "ca/issuing.key": 0o600,
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
    assert folder.init(made, ["desk.example"], NOW_NS) == []
    assert folder.init(made, [], NOW_NS) == []
    assert folder.renew(made, NOW_NS) == []
    assert contents(made) == before


def test_other_names_make_another_server_certificate_of_the_same_authority(made: Path) -> None:
    before = contents(made)
    written = folder.init(made, ["other.example", "::0:1"], NOW_NS)
    assert [each.path.name for each in written] == ["server.pem"]
    changed = {name for name, content in contents(made).items() if content != before[name]}
    assert changed == {"server.pem"}


def test_what_is_due_is_renewed_with_the_same_names(made: Path) -> None:
    before = server_of(made)
    later_ns = NOW_NS + 300 * DAY_NS
    assert {each.path.name for each in folder.renew(made, later_ns)} == {
        "server.pem",
        "revoked.pem",
    }
    after = server_of(made)
    assert after.not_valid_after_utc > before.not_valid_after_utc
    alternatives = x509.SubjectAlternativeName
    assert (
        after.extensions.get_extension_for_class(alternatives).value
        == before.extensions.get_extension_for_class(alternatives).value
    )
    assert folder.renew(made, later_ns) == []


def test_the_roots_key_may_be_elsewhere(made: Path) -> None:
    (made / folder.ROOT_KEY).unlink()
    assert folder.init(made, ["desk.example"], NOW_NS) == []
    assert len(folder.renew(made, NOW_NS + 300 * DAY_NS)) == 2


def test_revoked_stays_revoked_through_renewals(made: Path) -> None:
    assert folder.revoke(made, 5, NOW_NS)
    assert folder.revoke(made, 6, NOW_NS)
    assert not folder.revoke(made, 5, NOW_NS)
    folder.renew(made, NOW_NS + 20 * DAY_NS)
    assert [each.serial_number for each in authority.revoked_in(revoked_of(made))] == [5, 6]
    number = revoked_of(made).extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    assert number == 4


def test_a_revoked_list_that_is_not_ours_is_never_replaced_by_an_empty_one(
    made: Path, tmp_path: Path
) -> None:
    folder.init(tmp_path / "other", [], NOW_NS)
    (made / folder.REVOKED).write_bytes((tmp_path / "other" / folder.REVOKED).read_bytes())
    with pytest.raises(FolderError, match=r"revoked\.pem is not signed by"):
        folder.init(made, [], NOW_NS)
    (made / folder.REVOKED).write_text("nothing")
    with pytest.raises(FolderError, match="no list of revoked certificates in PEM"):
        folder.revoke(made, 7, NOW_NS)


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    half = tmp_path / "tls" / ".ca-new"
    half.mkdir(parents=True)
    (half / "root.key").write_text("half a key")
    (tmp_path / "tls" / ".server.pem.new").write_text("half")
    folder.init(tmp_path / "tls", [], NOW_NS)
    assert {each.name for each in (tmp_path / "tls").iterdir()} == {
        *("ca", "ca.pem", "server.pem", "revoked.pem"),
    }


def test_two_that_make_it_at_once_make_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: folder.init(tmp_path / "tls", [], NOW_NS), range(4)))
    assert sorted(map(len, made)) == [0, 0, 0, 7]
    assert folder.init(tmp_path / "tls", [], NOW_NS) == []


def test_no_revocation_is_lost_when_many_come_at_once(made: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(lambda number: folder.revoke(made, number, NOW_NS), range(1, 21)))
    numbers = [each.serial_number for each in authority.revoked_in(revoked_of(made))]
    assert sorted(numbers) == list(range(1, 21))


def test_a_server_certificate_that_does_not_go_with_its_key_is_replaced(made: Path) -> None:
    (made / folder.SERVER).write_bytes(
        authority.key_pem(authority.new_key()) + authority.pem(server_of(made))
    )
    assert [each.path.name for each in folder.init(made, [], NOW_NS)] == ["server.pem"]


@pytest.mark.parametrize(
    ("name", "mode", "text"),
    [
        ("ca/issuing.key", 0o640, "ca/issuing.key is open to others (mode 640); chmod 600 it"),
        ("ca", 0o755, "ca is open to others (mode 755); chmod 700 it"),
        ("server.pem", 0o644, "server.pem is open to others (mode 644); chmod 600 it"),
    ],
)
def test_a_key_that_others_can_read_is_not_used(
    made: Path, name: str, mode: int, text: str
) -> None:
    (made / name).chmod(mode)
    with pytest.raises(FolderError) as caught:
        folder.init(made, [], NOW_NS)
    assert str(caught.value) == f"{made}/{text}"


def test_a_missing_or_foreign_key_is_named(made: Path) -> None:
    key = made / "ca/issuing.key"
    key.write_bytes((made / folder.ROOT_KEY).read_bytes())
    with pytest.raises(FolderError, match=r"issuing\.key is not the key of"):
        folder.load_issuer(made, NOW_NS)
    key.unlink()
    with pytest.raises(FolderError, match=r"issuing\.key is missing: "):
        folder.init(made, [], NOW_NS)
    assert folder.renew(made, NOW_NS) == []


def test_an_authority_that_has_ended_says_what_to_do(made: Path) -> None:
    late_ns = NOW_NS + (authority.INTERMEDIATE_DAYS + 1) * DAY_NS
    with pytest.raises(
        FolderError, match=r"issuing\.pem ended on .* run `fairlead tls init` again"
    ):
        folder.init(made, [], late_ns)


def test_a_wrong_name_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name 'a b': expected a host name"):
        folder.init(tmp_path / "tls", ["a b"], NOW_NS)
    assert not (tmp_path / "tls").exists()
