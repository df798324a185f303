"""The folder of `tls init` says what the database says, whatever was interrupted or done at once."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from cryptography import x509

from fairlead.control import tls_files
from fairlead.control.control import Control
from fairlead.control.rotation import rotate
from fairlead.tls import folder as files
from fairlead.tls.authority import INTERMEDIATE_DAYS, REVOKED_LIST_DAYS
from fairlead.tls.folder import FolderError
from tests.control.conftest import OWNER, OpenControl
from tests.control.killing import killed_at
from tests.control.test_certificates import DAY_NS, NOW, issued, new_key


def init(control: Control, folder: Path, now_ns: int = NOW) -> list[str]:
    made = tls_files.init(control, folder, ["desk.example"], OWNER, now_ns)
    return [each.path.name for each in made]


def keep(control: Control, folder: Path, now_ns: int = NOW) -> list[str]:
    return [each.path.name for each in tls_files.keep(control, folder, now_ns)]


def listed(folder: Path) -> set[int]:
    text = (folder / files.REVOKED).read_bytes()
    return {each.serial_number for each in x509.load_pem_x509_crl(text)}


def issuing(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificates((folder / files.AUTHORITIES).read_bytes())[0]


def test_it_is_made_once_and_the_issuing_key_is_in_no_file_of_it(
    control: Control, tmp_path: Path
) -> None:
    folder = tmp_path / "tls"
    assert keep(control, folder) == []  # nobody issues yet
    place = Path(control.store.place).name
    assert init(control, folder) == [
        "root.pem",
        "root.key",
        place,
        "ca.pem",
        "server.pem",
        "revoked.pem",
    ]
    assert init(control, folder) == keep(control, folder) == []
    with control.store.read() as connection:
        authority = control.authorities.current(connection)
    assert authority is not None
    secret = authority.issuer.key.private_numbers().private_value.to_bytes(32, "big")
    for file in (each for each in tmp_path.rglob("*") if each.is_file()):
        content = file.read_bytes()
        assert secret not in content
        if file.suffix == ".pem" and file.name != "server.pem":
            assert b"PRIVATE" not in content


def test_what_is_revoked_is_listed_by_whoever_looks_next(control: Control, tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    init(control, folder)
    one = issued(control, new_key(control))
    control.certificates.revoke(OWNER, one.fingerprint, NOW)
    assert listed(folder) == set()
    assert keep(control, folder) == ["revoked.pem"]
    assert listed(folder) == {int(one.serial, 16)}
    assert keep(control, folder, one.not_after_ns) == ["revoked.pem"]
    assert listed(folder) == set()


def test_the_list_is_signed_anew_before_it_ends(control: Control, tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    init(control, folder)
    assert keep(control, folder, NOW + (REVOKED_LIST_DAYS // 2 - 1) * DAY_NS) == []
    assert keep(control, folder, NOW + (REVOKED_LIST_DAYS // 2 + 1) * DAY_NS) == ["revoked.pem"]


def test_a_folder_that_is_lost_is_made_anew_under_the_same_authority(
    control: Control, tmp_path: Path
) -> None:
    """As after a restore: the database is in the backup, the folder is not."""
    init(control, tmp_path / "tls")
    one = issued(control, new_key(control))
    control.certificates.revoke(OWNER, one.fingerprint, NOW)
    rotate(control, OWNER, NOW)
    assert init(control, tmp_path / "again") == ["ca.pem", "server.pem", "revoked.pem"]
    assert issuing(tmp_path / "again") == issuing(tmp_path / "tls")
    assert listed(tmp_path / "again") == {int(one.serial, 16)}


def test_a_new_issuer_comes_under_the_same_root_once_its_key_is_back(
    control: Control, tmp_path: Path
) -> None:
    folder, offline = tmp_path / "tls", tmp_path / "offline.key"
    init(control, folder)
    before = issuing(folder)
    (folder / files.ROOT_KEY).rename(offline)
    late_ns = NOW + (INTERMEDIATE_DAYS + 1) * DAY_NS
    with pytest.raises(FolderError, match=r"root\.key is missing; put it back"):
        init(control, folder, late_ns)
    offline.rename(folder / files.ROOT_KEY)
    place = Path(control.store.place).name
    assert init(control, folder, late_ns) == [place, "ca.pem", "server.pem", "revoked.pem"]
    after, root = x509.load_pem_x509_certificates((folder / files.AUTHORITIES).read_bytes())
    assert after != before
    after.verify_directly_issued_by(root)
    before.verify_directly_issued_by(root)


def test_a_wrong_name_changes_nothing(control: Control, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a host name"):
        tls_files.init(control, tmp_path / "tls", ["a b"], OWNER, NOW)
    assert not (tmp_path / "tls").exists()
    with control.store.read() as connection:
        assert control.authorities.current(connection) is None


def test_eight_that_make_it_at_once_make_one(open_control: OpenControl, tmp_path: Path) -> None:
    """In one folder, and on two machines that share a database."""
    controls = [open_control() for _ in range(8)]
    folders = [tmp_path / f"tls{each % 2}" for each in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(init, controls, folders))
    assert issuing(folders[0]) == issuing(folders[1])
    for folder in folders[:2]:
        assert keep(controls[0], folder) == []


def test_no_revocation_is_lost_from_the_list_when_many_come_at_once(
    open_control: OpenControl, tmp_path: Path
) -> None:
    controls = [open_control() for _ in range(8)]
    folder = tmp_path / "tls"
    init(controls[0], folder)
    key = new_key(controls[0])
    made = [issued(controls[0], key) for _ in range(8)]

    def revoke(at: int) -> None:
        controls[at].certificates.revoke(OWNER, made[at].fingerprint, NOW)
        keep(controls[at], folder)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(revoke, range(8)))
    assert listed(folder) == {int(each.serial, 16) for each in made}


def init_and_revoke(data: Path, url: str | None, folder: Path) -> None:
    with Control.open(data, url, None, "local", 1) as control:
        now_ns = time.time_ns()
        tls_files.init(control, folder, ["desk.example"], OWNER, now_ns)
        active = [each for each in control.certificates.listed() if each.revoked_ns is None]
        for certificate in active:
            control.certificates.revoke(OWNER, certificate.fingerprint, now_ns)
        tls_files.keep(control, folder, now_ns)


def test_killed_at_any_line_the_next_run_makes_what_is_missing(
    tmp_path: Path, control: Control, database_url: str | None
) -> None:
    for line in count(5, 131):
        folder = tmp_path / f"tls{line}"
        was_killed = killed_at(line, init_and_revoke, tmp_path / "data", database_url, folder)
        init(control, folder, time.time_ns())
        certificate = issued(control, new_key(control, f"Bot{line}"), time.time_ns())
        with control.store.read() as connection:
            authority = control.authorities.current(connection)
        assert authority is not None
        assert issuing(folder) == authority.issuer.certificate
        revoked = {
            int(each.serial, 16)
            for each in control.certificates.listed()
            if each.revoked_ns is not None
        }
        assert listed(folder) == revoked
        assert int(certificate.serial, 16) not in revoked
        assert control.audit.verify().holds
        if not was_killed:
            break
