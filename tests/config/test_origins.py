"""Every setting's value, and where it comes from; the line of each statement in a file."""

from pathlib import Path

import pytest

from fairlead.config.loading import lines_of, salvage
from fairlead.config.model import Config
from fairlead.config.origins import FlagError, Origin, flags_of, origins
from fairlead.config.table import SETTINGS

FILE = """\
# a comment
listen = "127.0.0.1:1"

[[accounts]]
exchange_id = "SIM"
[accounts.parameters]
PublicApiKey = "desk"
PrivateApiKey = "not-for-the-screen"

[http]  # more
host_names = [
    "one.example",  # a list over lines
    "two.example",
]
origins = ["https://one.example"]
[engine]
ask_delay_ms = 1


exchange_id_typo = 1
[log]
level = "debug"
"""


def by_name(path: Path | None, environment: dict[str, str], *flags: str) -> dict[str, Origin]:
    return {each.name: each for each in origins(path, environment, flags_of(flags))}


def test_a_statement_is_found_in_the_line_it_begins_in() -> None:
    assert lines_of(FILE) == {
        "listen": 2,
        "accounts": 4,
        "http.host_names": 11,
        "http.origins": 15,
        "engine.ask_delay_ms": 17,
        "engine.exchange_id_typo": 20,
        "log.level": 22,
    }
    assert lines_of("engine.ask_delay_ms = 1\n'log'.level = '''\ninfo'''\ndata='x'") == {
        "engine.ask_delay_ms": 1,
        "log.level": 2,
        "data": 4,
    }


def test_settings_after_several_accounts_are_found(tmp_path: Path) -> None:
    account = """\
[[accounts]]
exchange_id = "SIM/{}"
[accounts.parameters]
PublicApiKey = "{}"
PrivateApiKey = "x"
"""
    text = f"{account.format('A', 'a')}{account.format('B', 'b')}[exchange]\nseed = 7\n"
    assert lines_of(text) == {"accounts": 1, "exchange.seed": 12}
    (tmp_path / "fairlead.toml").write_text(text)
    assert by_name(tmp_path / "fairlead.toml", {})["exchange.seed"].source.endswith(":12")


def test_every_setting_has_a_row_and_the_last_source_counts(tmp_path: Path) -> None:
    file = tmp_path / "fairlead.toml"
    file.write_text(FILE.replace("exchange_id_typo = 1", ""))
    found = by_name(
        file,
        {"FAIRLEAD_LOG_LEVEL": "error", "FAIRLEAD_EXCHANGE_MARKET_SPEED": "stepped"},
        *("--listen", "127.0.0.1:2", "--no-participants"),
        *("--market-tape", "a.csv", "--market-tape=b.csv"),
    )
    assert list(found) == ["accounts", *(each.name for each in SETTINGS)]
    assert found["listen"] == Origin("listen", '"127.0.0.1:2"', "--listen", '"127.0.0.1:3080"')
    assert (found["log.level"].value, found["log.level"].source) == (
        '"error"',
        "FAIRLEAD_LOG_LEVEL",
    )
    assert found["engine.ask_delay_ms"].source == f"{file}:17"
    assert found["http.host_names"].value == '["one.example", "two.example"]'
    assert found["exchange.market_speed"].value == '"stepped"'
    assert found["exchange.market_tape"].value == '["a.csv", "b.csv"]'
    assert found["exchange.participants"].value == "false"
    assert found["exchange.participants"].source == "--participants/--no-participants"
    assert found["data"] == Origin("data", '"data"', "default", '"data"')


def test_secrets_are_masked(tmp_path: Path) -> None:
    file = tmp_path / "fairlead.toml"
    file.write_text(FILE.replace("exchange_id_typo = 1", ""))
    found = by_name(file, {})
    assert found["accounts"].value == 'SIM (PublicApiKey = "desk", PrivateApiKey = ***)'
    assert found["accounts"].source == f"{file}:4"
    assert "not-for-the-screen" not in repr(found)
    assert by_name(None, {})["accounts"] == Origin("accounts", "SIM", "default", "SIM")
    assert by_name(None, {}, "--account", "SIM/A", "--account", "SIM")["accounts"].value == (
        "SIM/A, SIM"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("--lisen", "x"), "--lisen is not a flag"), (("--listen",), "needs a value"), (("x",), "x is")],
)  # fmt: skip
def test_what_is_no_flag_is_named(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(FlagError, match=said):
        flags_of(arguments)


def test_what_is_right_is_salvaged_from_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "fairlead.toml"
    file.write_text('data = "elsewhere"\nlisten = 3\n')
    config, wrong = salvage(file, {}, {})
    assert config.data == tmp_path / "elsewhere"
    assert config.listen == Config().listen
    assert [text.split(": ")[0] for text in wrong] == [f"{file}:2"]
    _, wrong = salvage(None, {"FAIRLEAD_LISTEN": "0.0.0.0:1"}, {})
    assert "not a loopback address" in wrong[0]
