"""File, environment and flags come to one Config; whatever is wrong is named with what would be right."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from fairlead.config import ConfigError, Listen, load_exchange
from fairlead.config.kinds import is_loopback
from fairlead.config.loading import read
from fairlead.config.model import Config
from fairlead.config.page import default_of
from fairlead.config.table import BY_NAME, SETTINGS, Setting
from fairlead.exchange.settings import LISTED

OTHER = {  # a right value besides the default, as text and as it stands in TOML
    "data": ("elsewhere", '"elsewhere"'),
    "listen": ("[::1]:0", '"[::1]:0"'),
    "allow_open_network": ("true", "true"),
    "authentication": ("keys", '"keys"'),
    "control.url": ("postgresql://host/database", '"postgresql://host/database"'),
    "control.key_file": ("key", '"key"'),
    "control.stop_unseen_s": ("7.5", "7.5"),
    "control.usage_days": ("400", "400"),
    "mail.server": ("mail.desk.example:587", '"mail.desk.example:587"'),
    "mail.sender": ("Fairlead <ems@desk.example>", '"Fairlead <ems@desk.example>"'),
    "mail.security": ("tls", '"tls"'),
    "mail.user": ("ems", '"ems"'),
    "mail.password": ("pass word", '"pass word"'),
    "exchange_url": ("tcp://127.0.0.1:3090", '"tcp://127.0.0.1:3090"'),
    "exchange.seed": ("7", "7"),
    "exchange.participants": ("false", "false"),
    "exchange.market_tape": (
        "a.csv SIM_SPOT_BTC_USDT=b.csv",
        '["a.csv", "SIM_SPOT_BTC_USDT=b.csv"]',
    ),
    "exchange.market_speed": ("stepped", '"stepped"'),
    "exchange.starting_balances": ("BTC=1.5 USDT=2", '{BTC = 1.5, USDT = "2"}'),
    "exchange.maker_fee": ("0.0005", "0.0005"),
    "exchange.taker_fee": ("0", "0"),
    "exchange.fee_step": ("0.01", "0.01"),
    "exchange.leverage": ("2.5", "2.5"),
    "exchange.leverage_max": ("20", "20"),
    "exchange.maintenance_rate": ("0.004", "0.004"),
    "exchange.funding_interval_ms": ("3600000", "3600000"),
    "exchange.funding_rate_max": ("0", "0"),
    "exchange.mark_spread_max": ("0.1", "0.1"),
    "exchange.data": ("there", '"there"'),
    "exchange.listen": ("localhost:1", '"localhost:1"'),
    "exchange.operator_listen": ("localhost:2", '"localhost:2"'),
    "rate.requests_per_s": ("5000", "5000"),
    "http.request_bytes_max": ("9999999", "9999999"),
    "http.omit_nulls": ("true", "true"),
    "http.misspelt_media_type": ("true", "true"),
    "http.host_names": ("desk.example other", '["desk.example", "other"]'),
    "http.origins": ("https://desk.example:8443", '["https://desk.example:8443"]'),
    "http.trusted_proxies": ("10.0.0.0/8 ::ffff:192.0.2.1", '["10.0.0.0/8", "192.0.2.1/32"]'),
    "http.public_url": ("https://EMS.desk.example:8443/", '"https://ems.desk.example:8443"'),
    "http.request_timeout_s": ("2.5", "2.5"),
    "http.write_timeout_s": ("3", "3"),
    "fix.tls_listen": ("127.0.0.1:3301", '"127.0.0.1:3301"'),
    "tls.listen": ("[::1]:3443", '"[::1]:3443"'),
    "tls.clients_listen": ("127.0.0.1:3444", '"127.0.0.1:3444"'),
    "tls.certificate": ("desk.pem", '"desk.pem"'),
    "tls.key": ("desk.key", '"desk.key"'),
    "tls.version_min": ("TLSv1.3", '"TLSv1.3"'),
    "tls.authorities": ("ours.pem", '"ours.pem"'),
    "tls.revoked": ("revoked.pem", '"revoked.pem"'),
    "tls.handshake_timeout_s": ("2.5", "2.5"),
    "websocket.ping_interval_s": ("7.5", "7.5"),
    "websocket.close_timeout_s": ("0.5", "0.5"),
    "fix.listen": ("off", '"off"'),
    "fix.comp_id": ("FAIRLEAD", '"FAIRLEAD"'),
    "fix.cancel_on_disconnect": ("true", "true"),
    "fix.log_messages": ("false", "false"),
    "fix.logon_timeout_s": ("2.5", "2.5"),
    "fix.slow_client_s": ("2.5", "2.5"),
    "fix.stop_timeout_s": ("2.5", "2.5"),
    "log.level": ("debug", '"debug"'),
    "log.format": ("text", '"text"'),
    "log.file": ("fairlead.log", '"fairlead.log"'),
    "process.gc_freeze": ("false", "false"),
}
NOT_SET_BY_SETTINGS = {
    "instruments",
    "settings",
    "fees",
    "perpetuals",
    "reject_media_type",
    "exchange_address",
    "files",
}


def other(setting: Setting) -> tuple[str, str]:
    if setting.name in OTHER:
        return OTHER[setting.name]
    least = re.search(r"from (\d+)", setting.kind.expects)
    assert least is not None, f"{setting.name} needs a row in OTHER"
    return str(int(least[1]) + 1), str(int(least[1]) + 1)


def toml(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "fairlead.toml"
    file.write_text(text)
    return file


def line(name: str, value: str) -> str:
    section, _, key = name.rpartition(".")
    return f"[{section}]\n{key} = {value}\n" if section else f"{key} = {value}\n"


def findings(path: Path | None, environment: dict[str, str], flags: dict[str, object]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(path, environment, flags)
    return caught.value.findings


# ── every setting ────────────────────────────────────────────────────────────────────────────────


def test_every_field_of_every_struct_has_a_row() -> None:
    config = Config()
    structs = {
        "": (config,),
        "exchange.": (
            config.exchange,
            config.exchange.settings,
            config.exchange.settings.perpetuals,
        ),
        "engine.": (config.engine,),
        "reconcile.": (config.reconcile,),
        "limits.": (config.limits,),
        "rate.": (config.rate,),
        "http.": (
            config.http.rest,
            config.http.border,
            config.http.connections,
        ),
        "tls.": (config.tls, config.tls.files, config.tls.limits),
        "http2.": (config.http2,),
        "websocket.": (config.websocket,),
        "feed.": (config.feed,),
        "fix.": (config.fix, config.fix.settings),
        "control.": (config.control,),
        "mail.": (config.mail,),
        "log.": (config.log,),
        "process.": (config.process,),
    }
    sections = {prefix.rstrip(".") for prefix in structs}
    for prefix, homes in structs.items():
        for home in homes:
            for field in home.__struct_fields__:
                if field not in NOT_SET_BY_SETTINGS | sections | {"accounts"}:
                    assert prefix + field in BY_NAME


def test_the_defaults_as_the_page_writes_them_are_the_defaults(tmp_path: Path) -> None:
    named = [(each.name, default_of(each.name)) for each in SETTINGS]
    flags = {name: value.strip('"') for name, value in named if value not in ("", "[]")}
    flags["exchange.starting_balances"] = "BTC=100 ETH=2000 USDT=10000000"
    assert read(None, {}, flags) == Config()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda each: each.name)
def test_a_setting_means_the_same_from_file_environment_and_flag(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text, written = other(setting)
    from_file = read(toml(tmp_path, line(setting.name, written)).relative_to(tmp_path), {}, {})
    assert from_file == read(None, {setting.variable: text}, {})
    assert from_file == read(None, {}, {setting.name: text})
    assert from_file != Config()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda each: each.name)
@pytest.mark.parametrize("wrong", ["[[1]]", "{a = true}"], ids=["array", "table"])
def test_a_wrong_setting_is_named_with_what_would_be_right(
    setting: Setting, wrong: str, tmp_path: Path
) -> None:
    file = toml(tmp_path, line(setting.name, wrong))
    number = 2 if "." in setting.name else 1
    (finding,) = findings(file, {}, {})
    repeated = "" if setting.kind.is_secret else "is "
    assert finding.startswith(f"{file}:{number}: {setting.name}: {repeated}")
    assert finding.endswith(f"expected {setting.kind.expects}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data", ""),
        ("listen", "127.0.0.1"),
        ("listen", ":3080"),
        ("listen", "127.0.0.1:65536"),
        ("listen", "127.0.0.1:+1"),
        ("listen", "127.0.0.1:٣"),
        ("listen", "[::g]:1"),
        ("listen", "::1:80"),
        ("exchange_url", "127.0.0.1:3090"),
        ("exchange_url", "http://127.0.0.1:3090"),
        ("exchange_url", "tcp://127.0.0.1:0"),
        ("allow_open_network", "perhaps"),
        ("exchange.seed", "-1"),
        ("exchange.seed", "1.0"),
        ("exchange.seed", "1_000"),
        ("exchange.seed", "９"),
        ("exchange.maker_fee", "NaN"),
        ("exchange.maker_fee", "1e-3"),
        ("exchange.maker_fee", "0.2"),
        ("exchange.leverage", "0.5"),
        ("exchange.maintenance_rate", "0"),
        ("exchange.funding_interval_ms", "999"),
        ("exchange.funding_rate_max", "-0.01"),
        ("exchange.fee_step", "0.5"),
        ("exchange.fee_step", "0"),
        ("exchange.market_speed", "0"),
        ("exchange.market_speed", "Infinity"),
        ("exchange.market_speed", "fast"),
        ("exchange.market_tape", "a.csv,,b.csv"),
        ("exchange.starting_balances", "BTC"),
        ("exchange.starting_balances", "btc=1"),
        ("exchange.starting_balances", "BTC=-1"),
        ("engine.not_found_count", "1"),
        ("http.host_names", "http://desk"),
        ("http.public_url", "ems.desk.example"),
        ("http.public_url", "https://ems.desk.example/console"),
        ("http.public_url", "https://ann@ems.desk.example"),
        ("http.origins", "desk.example"),
        ("http.request_timeout_s", "0"),
        ("log.level", "loud"),
    ],
)
def test_a_wrong_text_is_named_with_what_would_be_right(name: str, value: str) -> None:
    setting = BY_NAME[name]
    (finding,) = findings(None, {setting.variable: value}, {})
    assert finding == f'{setting.variable}: is "{value}", expected {setting.kind.expects}'


# ── names ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("listn = 1", "listn: there is no such setting; did you mean listen?"),
        ("[engine]\nask_dely_ms = 1", "engine.ask_dely_ms: there is no such setting; did you mean"),
        ("ask_delay_ms = 1", "did you mean engine.ask_delay_ms?"),
        ("[enigne]\nask_delay_ms = 1", "enigne: there is no such setting"),
        ("zzz = 1", "zzz: there is no such setting; see docs/reference/configuration.md"),
    ],
)
def test_an_unknown_setting_in_the_file_is_named(tmp_path: Path, text: str, meant: str) -> None:
    (finding,) = findings(toml(tmp_path, text), {}, {})
    assert meant in finding


def test_an_unknown_variable_is_named_and_others_are_left_alone() -> None:
    environment = {"FAIRLEAD_LISTN": "1", "FAIRLEAD_URL": "x", "FAIRLEAD_CONFIG": "x", "HOME": "/"}
    (finding,) = findings(None, environment, {})
    assert finding == "FAIRLEAD_LISTN: there is no such setting; did you mean FAIRLEAD_LISTEN?"


def test_everything_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    file = toml(tmp_path, "listn = 1\n[log]\nlevel = 3\n")
    found = findings(file, {"FAIRLEAD_EXCHANGE_SEED": "x"}, {"listen": "nowhere"})
    assert [text.split(": is ")[0] for text in found[1:]] == [
        f"{file}:3: log.level",
        "FAIRLEAD_EXCHANGE_SEED",
        "--listen",
    ]


@pytest.mark.parametrize("text", ["listen = ", "\x00", "a = 1\na = 2"])
def test_a_file_that_is_not_toml_is_refused(tmp_path: Path, text: str) -> None:
    file = toml(tmp_path, text)
    (finding,) = findings(file, {}, {})
    assert finding.startswith(f"{file}: ")
    assert finding.endswith("; expected TOML")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (finding,) = findings(tmp_path / "none.toml", {}, {})
    assert (
        finding == f"{tmp_path}/none.toml: No such file or directory; give the path of a TOML file"
    )


# ── what it comes to ─────────────────────────────────────────────────────────────────────────────


def test_environment_overrides_the_file_and_flags_override_both(tmp_path: Path) -> None:
    file = toml(tmp_path, "[exchange]\nseed = 1\naccounts_max = 5\n")
    environment = {"FAIRLEAD_EXCHANGE_SEED": "2"}
    assert read(file, {}, {}).exchange.seed == 1
    assert read(file, environment, {}).exchange.seed == 2
    both = read(file, environment, {"exchange.seed": "3"})
    assert (both.exchange.seed, both.exchange.settings.accounts_max) == (3, 5)


def test_paths_in_a_file_start_from_its_folder(tmp_path: Path) -> None:
    file = toml(tmp_path, 'data = "d"\n[exchange]\nmarket_tape = ["SIM_SPOT_BTC_USDT=t.csv", "/a"]')
    config = read(file, {}, {})
    assert config.data == tmp_path / "d"
    assert config.exchange.market_tape == (f"SIM_SPOT_BTC_USDT={tmp_path}/t.csv", "/a")
    assert read(file, {}, {"data": "d"}).data == Path("d")


def test_fractions_stay_exact(tmp_path: Path) -> None:
    text = "[exchange]\nmaker_fee = 0.00010000000000000001\nstarting_balances = {BTC = 0.1}\n"
    settings = read(toml(tmp_path, text), {}, {}).exchange.settings
    assert settings.fees.maker == Decimal("0.00010000000000000001")
    assert settings.starting_balances == (("BTC", Decimal("0.1")),)


def test_what_is_set_for_perpetuals_leaves_spot_as_it_is() -> None:
    flags = {"exchange.leverage_max": Decimal(20), "exchange.maintenance_rate": Decimal("0.04")}
    listed = read(None, {}, flags).exchange.settings.instruments
    assert listed[:-1] == LISTED[:-1]
    perpetual = listed[-1]
    assert (perpetual.leverage_max, perpetual.maintenance_rate) == (20, Decimal("0.04"))
    assert (perpetual.symbol, perpetual.kind) == (LISTED[-1].symbol, LISTED[-1].kind)


def test_participants_make_way_for_a_tape_unless_they_are_asked_for() -> None:
    assert read(None, {}, {}).exchange.participants
    assert not read(None, {}, {"exchange.market_tape": ["a.csv"]}).exchange.participants
    both = {"exchange.market_tape": ["a.csv"], "exchange.participants": True}
    assert read(None, {}, both).exchange.participants


def test_the_misspelt_media_type_is_emitted_only_if_configured() -> None:
    assert read(None, {}, {}).http.rest.reject_media_type == "application/json"
    config = read(None, {"FAIRLEAD_HTTP_MISSPELT_MEDIA_TYPE": "true"}, {})
    assert config.http.rest.reject_media_type == "appliction/json"


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"FAIRLEAD_RATE_CANCEL_RESERVE": "10000"}, "rate.cancel_reserve"),
        ({"FAIRLEAD_HTTP_BODY_BYTES_MAX": "4194305"}, "http.body_bytes_max"),
        ({"FAIRLEAD_EXCHANGE_LEVERAGE": "50.5"}, "exchange.leverage"),
        ({"FAIRLEAD_EXCHANGE_LEVERAGE_MAX": "9"}, "exchange.leverage"),
        ({"FAIRLEAD_EXCHANGE_MAINTENANCE_RATE": "0.02"}, "exchange.maintenance_rate"),
        ({"FAIRLEAD_EXCHANGE_LEVERAGE_MAX": "100"}, "exchange.maintenance_rate"),
    ],
)
def test_settings_that_contradict_one_another_are_refused(
    environment: dict[str, str], named: str
) -> None:
    (finding,) = findings(None, environment, {})
    assert finding.startswith(f"{named}: ")


@pytest.mark.parametrize("name", ["exchange.listen", "exchange.operator_listen"])
def test_the_exchange_too_stays_on_loopback(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name}: 0\.0\.0\.0:1 is not a loopback address"):
        load_exchange(None, {}, {name: "0.0.0.0:1"})
    exchange = load_exchange(None, {}, {name: "0.0.0.0:1", "allow_open_network": True})
    assert Listen("0.0.0.0", 1) in (exchange.listen, exchange.operator_listen)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("LocalHost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("2130706433", False),
    ],
)
def test_what_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_an_address_reads_as_it_is_written() -> None:
    assert str(Listen("127.0.0.1", 80)) == "127.0.0.1:80"
    assert str(Listen("::1", 80)) == "[::1]:80"
    config = read(None, {}, {"exchange_url": "tcp://[::1]:5"})
    assert config.exchange_url == "tcp://[::1]:5"


def test_a_long_value_is_shortened_in_its_message() -> None:
    (finding,) = findings(None, {"FAIRLEAD_LOG_LEVEL": "x" * 500}, {})
    assert len(finding) < 200


# ── the control plane's database ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://desk:hush@host:5432/fairlead", "postgresql://desk:***@host:5432/fairlead"),
        ("postgresql://desk@host/fairlead", "postgresql://desk@host/fairlead"),
        ("postgresql://host/fairlead", "postgresql://host/fairlead"),
        ("postgresql://a:hush@host/b?sslmode=require", "postgresql://a:***@host/b?sslmode=require"),
        ("postgresql://host/b?a=1&options=-c%20d", "postgresql://host/b?a=1&options=-c%20d"),
    ],
)
def test_a_database_shows_itself_without_its_password(url: str, shown: str) -> None:
    found = read(None, {}, {"control.url": url}).control.url
    assert found is not None
    assert found.text == url
    assert f"{found} {found!r}" == f"{shown} {shown}"


@pytest.mark.parametrize(
    "url",
    [
        *(
            "mysql://desk:hush@host/x",
            "postgresql://desk:hush@host",
            "postgresql://h/x?password=hush",
        ),
        *(
            "postgresql://h/x?sslmode=require&password=hush",
            "postgresql://h/x?hush",
            "postgresql://h/x?",
        ),
        *(
            "postgresql://h/x?a=hush#b",
            "postgresql://h/x?a=hush?b=c",
            "postgresql://h/x?Password=hush",
        ),
    ],
)
def test_a_wrong_database_is_not_repeated(url: str) -> None:
    (finding,) = findings(None, {}, {"control.url": url})
    assert "hush" not in finding


# ── nothing is taken for what it is not ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allow_open_network", '"yes"'),
        ("allow_open_network", '"true"'),
        ("allow_open_network", "1"),
        ("engine.ask_delay_ms", '"500"'),
        ("engine.ask_delay_ms", "500.0"),
        ("engine.ask_delay_ms", "true"),
        ("engine.ask_delay_ms", "-5"),
        ("http.request_timeout_s", '"2.5"'),
        ("http.request_timeout_s", "-2.5"),
        ("exchange.maker_fee", '"0.001"'),
        ("exchange.maker_fee", "nan"),
        ("exchange.maker_fee", "inf"),
        ("exchange.fee_step", "-inf"),
        ("exchange.market_tape", '"my tape.csv"'),
        ("http.host_names", '"desk.example other"'),
        ("http.trusted_proxies", '"10.0.0.1"'),
        ("data", "5"),
        ("log.level", "5"),
    ],
)
def test_a_file_has_numbers_and_lists_without_quotes_and_no_other_values(
    name: str, value: str, tmp_path: Path
) -> None:
    (finding,) = findings(toml(tmp_path, line(name, value)), {}, {})
    assert finding.endswith(f": {name}: is {value}, expected {BY_NAME[name].kind.expects}")


@pytest.mark.parametrize("text", ["yes", "on", "1", "no", "off", "0", "True", ""])
def test_only_true_and_false_are_one(text: str) -> None:
    (finding,) = findings(None, {"FAIRLEAD_ALLOW_OPEN_NETWORK": text}, {})
    assert finding == f'FAIRLEAD_ALLOW_OPEN_NETWORK: is "{text}", expected true or false'


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ("{BTC = nan, USDT = 1}", "{BTC = nan}"),
        ("{BTC = 1, ETH = inf, USDT = -inf}", "{ETH = inf, USDT = -inf}"),
        ('{BTC = "NaN"}', '{BTC = "NaN"}'),
        ("{BTC = true, btc = 1}", "{BTC = true, btc = 1}"),
        (f"{{BTC = 0.{'1' * 21}, USDT = 1}}", f"{{BTC = 0.{'1' * 21}}}"),
        ("{BTC = 1e20}", "{BTC = 1E+20}"),
    ],
)
def test_the_quantity_that_is_wrong_is_named(given: str, wrong: str, tmp_path: Path) -> None:
    name = "exchange.starting_balances"
    (finding,) = findings(toml(tmp_path, line(name, given)), {}, {})
    assert finding.endswith(f": {name}: is {wrong}, expected {BY_NAME[name].kind.expects}")


def test_a_quantity_given_twice_is_named() -> None:
    variable = "FAIRLEAD_EXCHANGE_STARTING_BALANCES"
    (finding,) = findings(None, {variable: "BTC=1 USDT=2 BTC=3"}, {})
    assert finding.startswith(f'{variable}: is "BTC=1 BTC=3", expected quantities by asset')


def test_a_fraction_of_more_digits_than_are_kept_is_refused(tmp_path: Path) -> None:
    (finding,) = findings(toml(tmp_path, "[exchange]\nmaker_fee = 1e-400\n"), {}, {})
    assert finding.endswith(
        ": exchange.maker_fee: is 1E-400, expected a number from 0 to 0.1, with at most 20 digits"
        " before the point and 20 after it"
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [("engine = 5", "5"), ('mail = "x"', '"x"'), ('[[mail]]\npassword = "secret"', "a list")],
)
def test_a_section_that_is_no_table_is_named(text: str, found: str, tmp_path: Path) -> None:
    file = toml(tmp_path, text)
    section = re.findall("[a-z]+", text)[0]
    (finding,) = findings(file, {}, {})
    assert finding == f"{file}:1: {section}: is {found}, expected a table of settings, [{section}]"


def test_the_home_of_nobody_is_no_path() -> None:
    (finding,) = findings(None, {}, {"data": "~nobody-of-that-name/data"})
    assert finding == '--data: is "~nobody-of-that-name/data", expected a path'


@pytest.mark.parametrize("name", ["http.origins", "http.public_url"])
def test_an_origin_has_a_port_that_exists(name: str) -> None:
    (finding,) = findings(None, {BY_NAME[name].variable: "https://desk.example:65536"}, {})
    assert 'is "https://desk.example:65536", expected ' in finding
