"""tls init, client, revoke: as a person runs them."""

import subprocess
from pathlib import Path

import pytest

from tests.commands.terminal import fairlead
from tests.system import FAIRLEAD


def test_an_authority_a_client_and_its_end(tmp_path: Path) -> None:
    run = fairlead("tls", "init", "--data", "data", "--name", "desk.example", folder=tmp_path)
    assert (run.code, run.err) == (0, "")
    assert "data/tls/server.pem: the server's key and certificate: desk.example, " in run.out
    again = fairlead("tls", "init", "--data", "data", folder=tmp_path)
    assert (again.code, again.out) == (0, "data/tls: all is in date\n")

    issue = ("tls", "client", "bot1", "--output", "bot1.pem", "--data", "data")
    run = fairlead(*issue, folder=tmp_path)
    assert (run.code, run.err) == (0, "")
    assert run.out.startswith("bot1.pem: key and certificate of bot1; SHA-256 ")
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
                *("-CAfile", ca / "root.pem", "-untrusted", ca / "issuing.pem", name),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert verified.stdout == f"{name}: OK\n", verified

    revoke = ("tls", "revoke", "bot1.pem", "--data", "data")
    assert fairlead(*revoke, folder=tmp_path).out == "bot1.pem: revoked\n"
    assert fairlead(*revoke, folder=tmp_path).out == "bot1.pem: is revoked already\n"


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    run = fairlead("tls", "client", "bot1", "--output", "bot1.pem", folder=tmp_path)
    assert run.code == 1
    assert run.err.startswith("fairlead: data/tls/ca/issuing.pem is missing")
    assert not (tmp_path / "bot1.pem").exists()
    run = fairlead("tls", "init", "--name", "a b", folder=tmp_path)
    assert (run.code, run.out) == (1, "")
    assert run.err == (
        "fairlead: name 'a b': expected a host name or an address such as 127.0.0.1\n"
    )
    run = fairlead("tls", "revoke", "nothing.pem", folder=tmp_path)
    assert run.code == 1


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
    issue = ("tls", "client", "a", "--output", "a.pem", "--data", "data")
    assert fairlead(*issue, folder=tmp_path).code == 0
    check_chain(tmp_path)
    assert {each.name for each in (tmp_path / "data" / "tls").iterdir()} == {
        *("ca", "ca.pem", "server.pem", "revoked.pem"),
    }


def check_chain(folder: Path) -> None:
    ca = folder / "data" / "tls" / "ca"
    for name in (folder / "a.pem", ca.parent / "server.pem"):
        chain = ("-CAfile", ca / "root.pem", "-untrusted", ca / "issuing.pem")
        verified = subprocess.run(
            ["openssl", "verify", "-x509_strict", *chain, name],
            capture_output=True,
            text=True,
            check=False,
        )
        assert verified.stdout == f"{name}: OK\n", verified
