"""vault rotate, audit list, audit verify: what they print, and how they end."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.commands.terminal import Run, fairlead


def run(folder: Path, *arguments: str) -> Run:
    return fairlead(*arguments, "--data", "data", folder=folder)


@pytest.fixture
def rotated(tmp_path: Path) -> Path:
    """A folder with a control plane whose key was turned over twice."""
    for _ in range(2):
        assert run(tmp_path, "vault", "rotate").code == 0
    return tmp_path


def test_a_rotation_says_where_the_new_key_is(tmp_path: Path) -> None:
    first = run(tmp_path, "vault", "rotate")
    assert (first.code, first.err) == (0, "")
    before = (tmp_path / "data.key").read_bytes()
    again = run(tmp_path, "vault", "rotate", "--json").json
    assert again["data_keys"] == 1
    assert (tmp_path / "data.key").read_bytes() != before
    assert again["key_name"] not in first.out
    assert f"{tmp_path}/data.key holds a new key" in first.out


def test_the_audit_lists_what_was_done_and_by_whom(rotated: Path) -> None:
    lines = run(rotated, "audit", "list").out.splitlines()
    assert lines[0].split() == [
        *("number", "time", "who", "from", "factor"),
        "action",
        "what",
        "outcome",
    ]
    assert [line.split()[0] for line in lines[1:]] == ["1", "2"]
    (last,) = run(rotated, "audit", "list", "--last", "1", "--json").out.splitlines()
    row = json.loads(last)
    assert (row["number"], row["action"], row["address"]) == (2, "vault.rotate", "local")


def test_an_audit_as_written_ends_with_0_and_another_one_with_1(rotated: Path) -> None:
    good = run(rotated, "audit", "verify")
    assert (good.code, good.out) == (0, "2 rows: all as written\n")
    with closing(sqlite3.connect(rotated / "data/control.sqlite")) as database:
        database.execute("UPDATE audit SET actor = 'nobody' WHERE number = 1")
        database.commit()
    bad = run(rotated, "audit", "verify")
    assert bad.code == 1
    assert bad.out.splitlines()[0].startswith("row 1: is not as it was written")
    assert bad.err == "fairlead: the audit is not as it was written\n"
    assert run(rotated, "audit", "verify", "--json").json["holds"] is False


def test_a_key_that_others_can_read_ends_every_command(rotated: Path) -> None:
    (rotated / "data.key").chmod(0o444)
    for words in (("vault", "rotate"), ("audit", "list"), ("audit", "verify")):
        refused = run(rotated, *words)
        assert refused.code == 70
        assert "chmod 0400" in refused.err
        assert (rotated / "data.key").read_text().strip() not in refused.err


def test_a_wrong_configuration_ends_with_two(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text('[control]\nurl = "mysql://me:hush@host/x"\n')
    refused = run(tmp_path, "audit", "list", "--config", "wrong.toml")
    assert refused.code == 2
    assert "control.url" in refused.err
    assert "hush" not in refused.err
    assert not (tmp_path / "data").exists()
