"""config show: what a person sees of the settings, and where they come from."""

from pathlib import Path

from tests.commands.terminal import fairlead
from tests.system import ACCOUNTS, write_config


def test_config_show(tmp_path: Path) -> None:
    write_config(tmp_path / "fairlead.toml", {"log.level": "debug"}, ACCOUNTS)
    run = fairlead(
        *("config", "show", "--changed", "--config", "fairlead.toml", "--data", "elsewhere"),
        folder=tmp_path,
        environment={"FAIRLEAD_EXCHANGE_SEED": "7"},
    )
    assert (run.code, run.err) == (0, "")
    rows = [line.split("  ") for line in run.out.splitlines()]
    found = {
        row[0].strip(): (row[1:][0].strip() or row[2].strip(), row[-1].strip()) for row in rows
    }
    assert list(found) == ["setting", "accounts", "data", "exchange.seed", "log.level"]
    assert found["log.level"][1] == "fairlead.toml:2"
    assert found["data"][1] == "--data"
    assert found["exchange.seed"][1] == "FAIRLEAD_EXCHANGE_SEED"
    assert "alice-secret" not in run.out
    everything = fairlead("config", "show", "--json", folder=tmp_path).json
    assert {each["source"] for each in everything} == {"default"}
    assert fairlead("config", "show", "--changed", folder=tmp_path).out == (
        "every setting has its default\n"
    )


def test_a_wrong_configuration_is_not_shown(tmp_path: Path) -> None:
    run = fairlead("config", "show", "--listen", "nowhere", "--seed", "x", folder=tmp_path)
    assert (run.code, run.out) == (2, "")
    assert [line.split(": ")[1] for line in run.err.splitlines()] == ["--listen", "--seed"]
    run = fairlead("config", "show", "--lisen", "nowhere", folder=tmp_path)
    assert (run.code, run.out) == (2, "")
    assert "--lisen is not a flag" in run.err
