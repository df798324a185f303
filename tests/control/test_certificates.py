"""Certificates of keys: issued, revoked, ended with their key; every refusal, every race, both databases."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sqlalchemy import select

from fairlead.control import certificate_rows as rows
from fairlead.control.certificate import Certificate, CertificateState
from fairlead.control.certificates import OF_KEY_MAX, Made
from fairlead.control.control import Control
from fairlead.control.key_changes import Edit, Wanted
from fairlead.control.keyring import Made as MadeKey
from fairlead.control.keys import DAY_NS, Act, ApiKey, Denied
from fairlead.control.rotation import rotate
from fairlead.control.tables import AUTHORITIES, CERTIFICATES
from fairlead.tls.authority import Authority, Revoked, make_intermediate, make_root
from tests.control.conftest import OWNER, OpenControl
from tests.control.killing import killed_at

NOW = time.time_ns()


def with_authority(control: Control) -> Authority:
    root = make_root(NOW)
    authority = Authority(make_intermediate(root, NOW), root.certificate)
    with control.audit.change() as change:
        control.authorities.add(change, OWNER, authority, NOW)
    return authority


def new_key(control: Control, label: str = "Bot1", days: int | None = None) -> ApiKey:
    made = control.keyring.create(OWNER, Wanted(label=label, days=days), NOW)
    assert isinstance(made, MadeKey)
    return made.key


def issued(control: Control, key: ApiKey, now_ns: int = NOW) -> Certificate:
    made = control.certificates.issue(OWNER, key.kid, now_ns)
    assert isinstance(made, Made), made
    return made.certificate


def denied(result: object) -> str:
    assert isinstance(result, Denied), result
    return result.code


def stored(control: Control) -> list[dict[str, object]]:
    """Return the rows of certificates as they are in the database."""
    by_fingerprint = select(CERTIFICATES).order_by(CERTIFICATES.c.fingerprint)
    with control.store.read() as connection:
        return [row._asdict() for row in connection.execute(by_fingerprint)]


def usable(control: Control) -> set[str]:
    with control.store.read() as connection:
        return set(rows.usable(connection))


def revoked(control: Control, now_ns: int = NOW) -> list[Revoked]:
    with control.store.read() as connection:
        return rows.revoked(connection, now_ns)


def told(control: Control) -> list[tuple[str, str, str]]:
    return [(row.action, row.target, row.outcome) for row in control.audit.last(1_000)]


def request(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody else")])
    asked = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return asked.public_bytes(serialization.Encoding.PEM).decode()


# ── issuing ──────────────────────────────────────────────────────────────────────────────────────


def test_a_certificate_is_the_contracts_three_parts_and_names_its_key(control: Control) -> None:
    authority, key = with_authority(control), new_key(control)
    assert stored(control) == []
    made = control.certificates.issue(OWNER, key.kid, NOW)
    assert isinstance(made, Made)
    labels = [line for line in made.text.splitlines() if line.startswith("-----BEGIN")]
    assert labels == [
        f"-----BEGIN {each}-----" for each in ("PUBLIC KEY", "PRIVATE KEY", "CERTIFICATE")
    ]
    certificate = x509.load_pem_x509_certificate(made.text.encode())
    certificate.verify_directly_issued_by(authority.issuer.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        f"urn:fairlead:key:{key.kid}"
    ]
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [each.dotted_string for each in usages] == ["1.3.6.1.5.5.7.3.2"]
    (row,) = stored(control)
    assert row == {
        "fingerprint": certificate.fingerprint(hashes.SHA256()).hex(),
        "subscription": "local",
        "kid": key.kid,
        "serial": f"{certificate.serial_number:032x}",
        "created_ns": NOW,
        "not_after_ns": int(certificate.not_valid_after_utc.timestamp()) * 10**9,
        "state": "active",
        "revoked_ns": None,
    }
    assert certificate.not_valid_after_utc.timestamp() == (NOW + 90 * DAY_NS) // 10**9
    assert told(control)[-1] == ("certificate.issue", row["fingerprint"], "done")


def test_its_private_key_is_nowhere_but_in_the_answer(control: Control, tmp_path: Path) -> None:
    with_authority(control)
    made = control.certificates.issue(OWNER, new_key(control).kid, NOW)
    assert isinstance(made, Made)
    private = made.text.partition("PRIVATE KEY-----\n")[2].partition("\n")[0]
    assert private not in f"{stored(control)} {control.audit.last(9)} {made!r}"
    for file in (each for each in tmp_path.rglob("*") if each.is_file()):
        assert private.encode() not in file.read_bytes(), file


def test_each_call_makes_another_one(control: Control) -> None:
    with_authority(control)
    key = new_key(control)
    made = {issued(control, key).fingerprint for _ in range(3)}
    assert len(made) == 3
    assert usable(control) == made
    assert {each.fingerprint for each in control.certificates.listed()} == made


def test_it_ends_with_its_key_at_the_latest(control: Control) -> None:
    with_authority(control)
    key = new_key(control, days=1)
    assert key.expires_ns is not None
    assert issued(control, key).not_after_ns == key.expires_ns // 10**9 * 10**9


@pytest.mark.parametrize("bits", [None, 2_048])
def test_the_private_key_of_a_request_never_leaves_its_sender(
    control: Control, bits: int | None
) -> None:
    with_authority(control)
    key = new_key(control)
    private = (
        ec.generate_private_key(ec.SECP256R1())
        if bits is None
        else rsa.generate_private_key(65_537, bits)
    )
    made = control.certificates.issue(OWNER, key.kid, NOW, request(private))
    assert isinstance(made, Made)
    assert made.text.count("-----BEGIN ") == 1
    certificate = x509.load_pem_x509_certificate(made.text.encode())
    assert certificate.public_key() == private.public_key()
    assert certificate.subject.rfc4514_string() == f"CN={key.kid}"
    assert usable(control) == {made.certificate.fingerprint}


@pytest.mark.parametrize("text", ["", "nonsense", "weak"])
def test_a_request_that_is_none_changes_nothing(control: Control, text: str) -> None:
    with_authority(control)
    key = new_key(control)
    if text == "weak":
        text = request(rsa.generate_private_key(65_537, 1_024))
    assert denied(control.certificates.issue(OWNER, key.kid, NOW, text)) == "request_invalid"
    assert stored(control) == []
    assert told(control)[-1] == ("certificate.issue", key.kid, "refused")


@pytest.mark.parametrize("act", [Act.DISABLE, Act.REVOKE])
def test_a_key_that_cannot_be_used_gets_none(control: Control, act: Act) -> None:
    with_authority(control)
    key = new_key(control)
    control.keyring.move(OWNER, key.kid, act, NOW)
    assert denied(control.certificates.issue(OWNER, key.kid, NOW)) == "key_unusable"
    assert stored(control) == []


def test_an_expired_or_unknown_key_gets_none(control: Control) -> None:
    with_authority(control)
    key = new_key(control, days=1)
    later = control.certificates.issue(OWNER, key.kid, NOW + DAY_NS)
    assert denied(later) == "key_unusable"
    for name in ("flk_" + "0" * 22, "Bot9", "", "'; --", "\ud800"):
        assert denied(control.certificates.issue(OWNER, name, NOW)) == "key_unknown"
    assert stored(control) == []


def test_without_an_authority_there_is_none(control: Control) -> None:
    key = new_key(control)
    assert denied(control.certificates.issue(OWNER, key.kid, NOW)) == "authority_missing"
    assert told(control)[-1] == ("certificate.issue", key.kid, "refused")


def test_a_key_has_so_many_in_force_and_no_more(control: Control) -> None:
    with_authority(control)
    key = new_key(control)
    made = [issued(control, key) for _ in range(OF_KEY_MAX)]
    assert denied(control.certificates.issue(OWNER, key.kid, NOW)) == "certificates_too_many"
    assert isinstance(control.certificates.revoke(OWNER, made[0].fingerprint, NOW), Certificate)
    issued(control, key)
    assert len(usable(control)) == OF_KEY_MAX
    issued(control, key, NOW + 91 * DAY_NS)  # those have ended


# ── revoking ─────────────────────────────────────────────────────────────────────────────────────


def test_a_revoked_one_is_so_for_ever_and_stands_in_the_list(control: Control) -> None:
    with_authority(control)
    key = new_key(control)
    one, other = issued(control, key), issued(control, key)
    after = control.certificates.revoke(OWNER, one.fingerprint, NOW + 5)
    assert isinstance(after, Certificate)
    assert after.state(NOW) is CertificateState.REVOKED
    assert usable(control) == {other.fingerprint}
    assert revoked(control) == [Revoked(int(one.serial, 16), NOW + 5)]
    again = control.certificates.revoke(OWNER, one.fingerprint, NOW + 6)
    assert denied(again) == "certificate_revoked"
    assert revoked(control) == [Revoked(int(one.serial, 16), NOW + 5)]
    assert revoked(control, one.not_after_ns) == []  # the list need not grow for ever
    assert [outcome for _, _, outcome in told(control)[-2:]] == ["done", "refused"]


@pytest.mark.parametrize("name", ["", "0" * 64, "'; --", "%", "\ud800", "A" * 1_000_000])
def test_what_is_not_there_is_not_revoked(control: Control, name: str) -> None:
    with_authority(control)
    one = issued(control, new_key(control))
    for each in (name, one.fingerprint.upper(), one.fingerprint[:-1]):
        assert denied(control.certificates.revoke(OWNER, each, NOW)) == "certificate_unknown"
    assert usable(control) == {one.fingerprint}


def test_a_revoked_key_takes_its_certificates_with_it_and_no_others(control: Control) -> None:
    with_authority(control)
    key, another = new_key(control), new_key(control, "Bot2")
    one, two, others = issued(control, key), issued(control, key), issued(control, another)
    control.keyring.move(OWNER, key.kid, Act.REVOKE, NOW + 7)
    assert usable(control) == {others.fingerprint}
    assert {each.serial_number for each in revoked(control)} == {
        int(one.serial, 16),
        int(two.serial, 16),
    }


def test_a_disabled_key_has_none_that_counts_until_it_is_enabled(control: Control) -> None:
    with_authority(control)
    key = new_key(control)
    one = issued(control, key)
    control.keyring.move(OWNER, key.kid, Act.DISABLE, NOW)
    assert (usable(control), revoked(control)) == (set(), [])
    control.keyring.move(OWNER, key.kid, Act.ENABLE, NOW)
    assert usable(control) == {one.fingerprint}


def test_what_a_certificate_may_is_what_its_key_may_then(control: Control) -> None:
    """It has no rights of its own that an edit of the key could leave behind."""
    with_authority(control)
    key = new_key(control)
    issued(control, key)
    assert set(stored(control)[0]) == {column.name for column in CERTIFICATES.columns}
    assert not {"rights", "scopes", "accounts", "addresses"} & set(stored(control)[0])
    before = stored(control)
    control.keyring.edit(OWNER, key.kid, Edit(scopes=("trade",)), NOW)
    assert stored(control) == before


def test_the_list_is_of_one_subscription_the_newest_first(control: Control) -> None:
    with_authority(control)
    key, another = new_key(control), new_key(control, "Bot2")
    made = [issued(control, each, NOW + at) for at, each in enumerate((key, another, key))]
    listed = control.certificates.listed()
    assert [each.fingerprint for each in listed] == [each.fingerprint for each in reversed(made)]
    assert control.certificates.listed(another.kid) == [made[1]]
    assert control.certificates.listed("flk_" + "0" * 22) == []


# ── the issuing key ──────────────────────────────────────────────────────────────────────────────


def test_the_issuing_key_is_sealed_and_survives_a_rotation(
    control: Control, tmp_path: Path
) -> None:
    authority = with_authority(control)
    secret = authority.issuer.key.private_numbers().private_value
    octets = secret.to_bytes(32, "big")
    with control.store.read() as connection:
        (row,) = connection.execute(select(AUTHORITIES)).all()
    assert octets not in row.sealed_key
    for file in (each for each in tmp_path.rglob("*") if each.is_file()):
        assert octets not in file.read_bytes(), file
    rotate(control, OWNER, NOW)
    with control.store.read() as connection:
        again = control.authorities.current(connection)
    assert again is not None
    assert again.issuer.key.private_numbers().private_value == secret
    assert issued(control, new_key(control))


def test_the_newest_authority_issues(control: Control) -> None:
    with_authority(control)
    key = new_key(control)
    root = make_root(NOW)
    newer = Authority(make_intermediate(root, NOW), root.certificate)
    with control.audit.change() as change:
        control.authorities.add(change, OWNER, newer, NOW + 1)
    made = control.certificates.issue(OWNER, key.kid, NOW)
    assert isinstance(made, Made)
    certificate = x509.load_pem_x509_certificate(made.text.encode())
    certificate.verify_directly_issued_by(newer.issuer.certificate)


# ── races, and ends in the middle ────────────────────────────────────────────────────────────────


def raced(open_control: OpenControl, work: Callable[[Control, int], object]) -> list[object]:
    controls = [open_control() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(work, controls, range(8)))


def test_no_certificate_of_a_key_that_is_revoked_meanwhile_counts(
    open_control: OpenControl,
) -> None:
    control = open_control()
    with_authority(control)
    key = new_key(control)

    def work(each: Control, racer: int) -> object:
        if racer == 3:
            return each.keyring.move(OWNER, key.kid, Act.REVOKE, NOW)
        return [each.certificates.issue(OWNER, key.kid, NOW) for _ in range(4)]

    raced(open_control, work)
    assert usable(control) == set()
    assert {row["state"] for row in stored(control)} <= {"revoked"}
    assert len(revoked(control)) == len(stored(control))
    assert control.audit.verify().holds


def test_eight_that_revoke_one_certificate_do_it_once(open_control: OpenControl) -> None:
    control = open_control()
    with_authority(control)
    one = issued(control, new_key(control))
    results = raced(
        open_control, lambda each, _: each.certificates.revoke(OWNER, one.fingerprint, NOW)
    )
    assert sum(isinstance(each, Certificate) for each in results) == 1
    assert len(revoked(control)) == 1


def test_eight_at_once_do_not_pass_the_bound(open_control: OpenControl) -> None:
    control = open_control()
    with_authority(control)
    key = new_key(control)
    for _ in range(OF_KEY_MAX - 3):
        issued(control, key)
    results = raced(open_control, lambda each, _: each.certificates.issue(OWNER, key.kid, NOW))
    assert sum(isinstance(each, Made) for each in results) == 3
    assert len(usable(control)) == OF_KEY_MAX


def issue_and_revoke(data: Path, url: str | None, kid: str) -> None:
    with Control.open(data, url, None, "local", 1) as control:
        made = control.certificates.issue(OWNER, kid, NOW)
        assert isinstance(made, Made)
        control.certificates.revoke(OWNER, made.certificate.fingerprint, NOW)


def test_killed_at_any_line_a_change_and_its_audit_are_both_there_or_neither(
    tmp_path: Path, control: Control, database_url: str | None
) -> None:
    with_authority(control)
    key = new_key(control)
    for line in count(3, 37):
        was_killed = killed_at(line, issue_and_revoke, tmp_path / "data", database_url, key.kid)
        done: dict[str, list[str]] = {"certificate.issue": [], "certificate.revoke": []}
        for action, target, _ in told(control):
            done.get(action, []).append(target)
        states = {str(row["fingerprint"]): row["state"] for row in stored(control)}
        assert sorted(states) == sorted(done["certificate.issue"])
        assert {name for name, state in states.items() if state == "revoked"} == set(
            done["certificate.revoke"]
        )
        assert control.audit.verify().holds
        if not was_killed:
            break
