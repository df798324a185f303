"""The authority: what its certificates say, and what it refuses to sign."""

import base64
import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from fairlead.tls import authority
from fairlead.tls.authority import Issuer, Revoked
from fairlead.tls.client import client_of_request, client_text, read_request

NOW_NS = 1_800_000_000 * 1_000_000_000
NOW = dt.datetime.fromtimestamp(1_800_000_000, dt.UTC)
DAY_NS = 86_400 * 1_000_000_000


@pytest.fixture(scope="module")
def root() -> Issuer:
    return authority.make_root(NOW_NS)


@pytest.fixture(scope="module")
def issuer(root: Issuer) -> Issuer:
    return authority.make_intermediate(root, NOW_NS)


def test_the_chain_is_signed_from_root_to_leaf(root: Issuer, issuer: Issuer) -> None:
    leaf = authority.issue_server(issuer, ["localhost"], authority.new_key().public_key(), NOW_NS)
    leaf.verify_directly_issued_by(issuer.certificate)
    issuer.certificate.verify_directly_issued_by(root.certificate)
    root.certificate.verify_directly_issued_by(root.certificate)
    lengths = [
        each.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
        for each in (root.certificate, issuer.certificate)
    ]
    assert lengths == [1, 0]
    assert "PRIVATE" not in repr(issuer)


def test_a_client_certificate_is_for_clients_alone_and_names_the_key(issuer: Issuer) -> None:
    key = authority.new_key()
    certificate = authority.issue_client(issuer, "flk_a1", key.public_key(), NOW_NS)
    extensions = certificate.extensions
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_cert_sign, usage.crl_sign) == (True, False, False)
    assert authority.key_id_of(certificate) == "flk_a1"
    assert certificate.not_valid_after_utc == NOW + dt.timedelta(days=90)
    assert certificate.not_valid_before_utc < NOW


def test_serial_numbers_have_128_random_bits(issuer: Issuer) -> None:
    key = authority.new_key().public_key()
    numbers = [authority.issue_client(issuer, "a", key, NOW_NS).serial_number for _ in range(32)]
    assert len(set(numbers)) == len(numbers)
    assert max(numbers).bit_length() in range(121, 129)  # else one chance in 2**256


def test_a_certificate_ends_with_its_issuer_at_the_latest(issuer: Issuer) -> None:
    late_ns = NOW_NS + (authority.INTERMEDIATE_DAYS - 10) * DAY_NS
    certificate = authority.issue_client(issuer, "a", authority.new_key().public_key(), late_ns)
    assert certificate.not_valid_after_utc <= issuer.certificate.not_valid_after_utc


@pytest.mark.parametrize("key_id", ["", "a b", "a\n", "ключ", "a/b", "x" * 65])
def test_a_key_id_that_is_no_name_is_refused(issuer: Issuer, key_id: str) -> None:
    with pytest.raises(ValueError, match="expected 1 to 64 letters"):
        authority.issue_client(issuer, key_id, authority.new_key().public_key(), NOW_NS)


@pytest.mark.parametrize("name", ["", "a b", "-a", "http://a", "a\n", "a,b"])
def test_a_name_that_is_neither_host_nor_address_is_refused(issuer: Issuer, name: str) -> None:
    with pytest.raises(ValueError, match="expected a host name or an address"):
        authority.issue_server(issuer, [name], authority.new_key().public_key(), NOW_NS)
    with pytest.raises(ValueError, match="at least one"):
        authority.issue_server(issuer, [], authority.new_key().public_key(), NOW_NS)


def test_a_weak_or_strange_key_is_refused() -> None:
    for key in (
        rsa.generate_private_key(65537, 1024),
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
    ):
        with pytest.raises(ValueError, match="neither P-256 nor RSA"):
            authority.check_public_key(key.public_key())
    authority.check_public_key(rsa.generate_private_key(65537, 2048).public_key())


def test_the_revoked_list_holds_what_was_put_in(issuer: Issuer) -> None:
    entries = [Revoked(2**127 + 1, NOW_NS), Revoked(7, NOW_NS - DAY_NS)]
    revocations = authority.revoked_list(issuer, entries, 3, NOW_NS)
    assert revocations.is_signature_valid(issuer.key.public_key())
    assert authority.revoked_in(revocations) == entries
    assert revocations.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 3


def test_the_text_for_a_client_has_the_contracts_three_parts(issuer: Issuer) -> None:
    text, issued = client_text(issuer, "flk_a1", NOW_NS)
    labels = [line for line in text.splitlines() if line.startswith("-----BEGIN")]
    assert labels == [
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN CERTIFICATE-----",
    ]
    certificate = x509.load_pem_x509_certificate(text.encode())
    private = serialization.load_pem_private_key(
        text[text.index("-----BEGIN PRIV") :].encode(), None
    )
    assert private.public_key() == certificate.public_key()
    assert serialization.load_pem_public_key(text.encode()) == certificate.public_key()
    assert issued.fingerprint == certificate.fingerprint(hashes.SHA256()).hex()
    assert (issued.serial_number, issued.key_id) == (certificate.serial_number, "flk_a1")
    assert client_text(issuer, "flk_a1", NOW_NS)[1].fingerprint != issued.fingerprint


def test_of_a_request_only_the_public_key_counts(issuer: Issuer) -> None:
    key = authority.new_key()
    wanted = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody else")])
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(wanted)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    public_key = read_request(request.decode())
    text, issued = client_of_request(issuer, "flk_a1", public_key, NOW_NS)
    certificate = x509.load_pem_x509_certificate(text.encode())
    assert certificate.public_key() == key.public_key()
    assert certificate.subject.rfc4514_string() == "CN=flk_a1"
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert issued.key_id == "flk_a1"


@pytest.mark.parametrize(
    "text",
    [
        *("", "no request", "\ud7ff", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n"),
        "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n",
        "-----BEGIN CERTIFICATE REQUEST-----\n!!!!\n-----END CERTIFICATE REQUEST-----\n",
    ],
)
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no certificate request \(PKCS#10\) in PEM"):
        read_request(text)


def test_a_request_of_another_version_is_refused() -> None:
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    signed = request.sign(authority.new_key(), hashes.SHA256())
    version_1, version_3 = b"\x02\x01\x00", b"\x02\x01\x02"
    der = signed.public_bytes(serialization.Encoding.DER).replace(version_1, version_3, 1)
    text = base64.encodebytes(der).decode()
    with pytest.raises(ValueError, match=r"no certificate request \(PKCS#10\) in PEM"):
        read_request(
            f"-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n"
        )


def test_a_certificate_ends_at_the_moment_that_it_is_given(issuer: Issuer) -> None:
    key = authority.new_key().public_key()
    for until_ns in (NOW_NS + DAY_NS, NOW_NS + 3 * 10**9):
        ends = authority.issue_client(issuer, "a", key, NOW_NS, until_ns).not_valid_after_utc
        assert ends.timestamp() == until_ns // 10**9
    late = authority.issue_client(issuer, "a", key, NOW_NS, NOW_NS + 365 * DAY_NS)
    assert (
        late.not_valid_after_utc
        == authority.issue_client(issuer, "a", key, NOW_NS).not_valid_after_utc
    )


def test_a_request_that_its_sender_cannot_have_signed_is_refused(issuer: Issuer) -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name)
    der = bytearray(
        request.sign(authority.new_key(), hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    )
    der[-1] ^= 1
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(ValueError, match="not signed by"):
        read_request(forged.decode())
