"""Where a system is, by http or https, and what is shown and trusted there."""

import ssl
from pathlib import Path

import pytest

from fairlead.client import AsyncClient, Client, Settings
from fairlead.client.address import Address
from tests.tls.authorities import Desk


@pytest.mark.parametrize(
    ("url", "host", "port", "is_secure", "authority"),
    [
        ("http://127.0.0.1:3080", "127.0.0.1", 3080, False, "127.0.0.1:3080"),
        ("http://ems.example/", "ems.example", 80, False, "ems.example"),
        ("https://ems.example", "ems.example", 443, True, "ems.example"),
        ("https://[::1]:3444", "::1", 3444, True, "[::1]:3444"),
        ("https://ems.example:80", "ems.example", 80, True, "ems.example:80"),
    ],
)
def test_an_address(url: str, host: str, port: int, is_secure: bool, authority: str) -> None:
    address = Address.of(url)
    assert (address.host, address.port, address.is_secure) == (host, port, is_secure)
    assert address.authority == authority


@pytest.mark.parametrize("url", ["ftp://a", "https://", "a:1", "https://a/v1", "https://a:x"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="or https://HOST:PORT"):
        Address.of(url)


@pytest.mark.parametrize("make", [Client, AsyncClient])
def test_files_that_cannot_be_used_are_named_before_anything_is_sent(
    tmp_path: Path, make: type[Client] | type[AsyncClient]
) -> None:
    desk = Desk(tmp_path)
    good, authority = str(desk.client("good").path), str(desk.authorities)
    make("https://127.0.0.1:1", Settings(ca_file=authority, certificate=good))
    for settings in (Settings(ca_file=authority), Settings(certificate=good)):
        with pytest.raises(ValueError, match="the url is http"):
            make("http://127.0.0.1:1", settings)
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    with pytest.raises(ValueError, match=r"empty\.pem holds no certificate in PEM"):
        make("https://127.0.0.1:1", Settings(ca_file=str(empty)))
    for without_key in (authority, str(empty)):
        with pytest.raises(ValueError, match="holds no certificate with its private key in PEM"):
            make("https://127.0.0.1:1", Settings(certificate=without_key))
    with pytest.raises(FileNotFoundError):
        make("https://127.0.0.1:1", Settings(certificate=str(tmp_path / "none.pem")))


def test_tls_is_of_today_and_the_name_is_checked() -> None:
    context = Settings().tls(is_secure=True)
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert Settings().tls(is_secure=False) is None
