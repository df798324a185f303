"""tls init; certificates issue, list, revoke: as a person runs them."""

import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from tests.commands.terminal import fairlead
from tests.system import FAIRLEAD


def test_an_authority_a_client_and_its_end(tmp_path: Path) -> None:
    run = fairlead("tls", "init", "--data", "data", "--name", "desk.example", folder=tmp_path)
    assert (run.code, run.err) == (0, "")
    assert "data/tls/server.pem: the server's key and certificate: desk.example, " in run.out
    again = fairlead("tls", "init", "--data", "data", folder=tmp_path)
    assert (again.code, again.out) == (0, "data/tls: all is in date\n")

    kid = made_key(tmp_path)
    issue = ("certificates", "issue", "Bot1", "--output", "bot1.pem", "--data", "data")
    run = fairlead(*issue, folder=tmp_path)
    assert (run.code, run.err) == (0, "")
    assert run.out.startswith(f"bot1.pem: key and certificate of {kid} until ")
    assert (tmp_path / "bot1.pem").stat().st_mode & 0o777 == 0o600
    run = fairlead(*issue, folder=tmp_path)
    assert (run.code, run.err) == (1, "fairlead: bot1.pem is there already; give another file\n")

    ca = tmp_path / "data" / "tls" / "ca"
    for purpose, name in (
        ("sslclient", tmp_path / "bot1.pem"),
        ("sslserver", ca.parent / "server.pem"),
    ):
        verified = subprocess.run(
            [
                *("openssl", "verify", "-x509_strict", "-purpose", purpose),
                *("-CAfile", ca / "root.pem", "-untrusted", ca.parent / "ca.pem", name),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert verified.stdout == f"{name}: OK\n", verified

    listed = ("certificates", "list", "--json", "--data", "data")
    (row,) = fairlead(*listed, folder=tmp_path).json
    assert (row["kid"], row["state"]) == (kid, "active")
    revoke = ("certificates", "revoke", "bot1.pem", "--data", "data")
    assert fairlead(*revoke, folder=tmp_path).out == "bot1.pem: revoked\n"
    run = fairlead(*revoke, folder=tmp_path)
    assert (run.code, run.err.split(":")[1].strip()) == (1, "certificate_revoked")
    run = fairlead("certificates", "list", "--key", "Bot1", "--data", "data", folder=tmp_path)
    assert "revoked" in run.out
    text = (tmp_path / "data/tls/revoked.pem").read_bytes()
    (entry,) = x509.load_pem_x509_crl(text)
    assert f"{entry.serial_number:032x}" == row["serial"]


def made_key(folder: Path, label: str = "Bot1") -> str:
    run = fairlead("keys", "create", label, "--data", "data", "--json", folder=folder)
    assert run.code == 0, run
    kid: str = run.json["kid"]
    return kid


def test_a_private_key_that_stays_where_it_is(tmp_path: Path) -> None:
    fairlead("tls", "init", "--data", "data", folder=tmp_path)
    made_key(tmp_path)
    request = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=a")
    subprocess.run(
        ["openssl", "req", *request, "-keyout", "a.key", "-out", "a.csr"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    issue = ("certificates", "issue", "Bot1", "--output", "a.pem", "--data", "data")
    run = fairlead(*issue, "--csr", "a.csr", folder=tmp_path)
    assert (run.code, run.err) == (0, "")
    assert (tmp_path / "a.pem").read_text().count("-----BEGIN") == 1
    ssl.create_default_context().load_cert_chain(tmp_path / "a.pem", tmp_path / "a.key")
    wrong = ("certificates", "issue", "Bot1", "--output", "b.pem", "--data", "data")
    run = fairlead(*wrong, "--csr", "a.key", folder=tmp_path)
    assert (run.code, "request_invalid: csr: is no certificate request" in run.err) == (1, True)
    assert not (tmp_path / "b.pem").exists()


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    made_key(tmp_path)
    issue = ("certificates", "issue", "Bot1", "--output", "bot1.pem", "--data", "data")
    run = fairlead(*issue, folder=tmp_path)
    assert run.code == 1
    assert run.err.startswith("fairlead: authority_missing: there is no authority that issues")
    assert not (tmp_path / "bot1.pem").exists()
    run = fairlead("tls", "init", "--name", "a b", "--data", "data", folder=tmp_path)
    assert (run.code, run.out) == (1, "")
    assert run.err == (
        "fairlead: name 'a b': expected a host name or an address such as 127.0.0.1\n"
    )
    assert not (tmp_path / "data/tls").exists()
    for words, said in (
        (("revoke", "nothing.pem"), "nothing.pem: No such file"),
        (("revoke", "0" * 64), "certificate_unknown"),
        (("issue", "Bot9", "--output", "x.pem"), "key_unknown"),
        (("issue", "Bot1", "--output", "x.pem", "--csr", "none.csr"), "none.csr: No such file"),
        (("list", "--key", "Bot9"), "key_unknown"),
    ):
        run = fairlead("certificates", *words, "--data", "data", folder=tmp_path)
        assert (run.code, said in run.err) == (1, True), run


@pytest.mark.parametrize(
    "seen", ["tls/.ca-new", "tls/ca", "tls/ca.pem", "tls/server.pem", "tls/revoked.pem"]
)
def test_killed_at_any_step_it_leaves_nothing_half_made(tmp_path: Path, seen: str) -> None:
    """Killed as soon as a step's file is there; the next run makes what is missing, and all fits."""
    process = subprocess.Popen(
        [FAIRLEAD, "tls", "init", "--data", "data"], cwd=tmp_path, stdout=subprocess.DEVNULL
    )
    while not (tmp_path / "data" / seen).exists() and process.poll() is None:
        pass
    process.kill()
    process.wait()
    run = fairlead("tls", "init", "--data", "data", folder=tmp_path)
    assert (run.code, run.err) == (0, "")
    made_key(tmp_path)
    issue = ("certificates", "issue", "Bot1", "--output", "a.pem", "--data", "data")
    assert fairlead(*issue, folder=tmp_path).code == 0
    check_chain(tmp_path)
    assert {each.name for each in (tmp_path / "data" / "tls").iterdir()} == {
        *("ca", "ca.pem", "server.pem", "revoked.pem"),
    }


def check_chain(folder: Path) -> None:
    ca = folder / "data" / "tls" / "ca"
    for name in (folder / "a.pem", ca.parent / "server.pem"):
        chain = ("-CAfile", ca / "root.pem", "-untrusted", ca.parent / "ca.pem")
        verified = subprocess.run(
            ["openssl", "verify", "-x509_strict", *chain, name],
            capture_output=True,
            text=True,
            check=False,
        )
        assert verified.stdout == f"{name}: OK\n", verified
