"""File, environment and flags in rising priority → one Config, or everything that is wrong.

Every unknown or wrong setting is named with where it stands and what would be right. Writes nothing.
"""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TypeVar, cast
from urllib.parse import urlsplit

import msgspec

from fairlead.config import model
from fairlead.config.accounts import read_accounts
from fairlead.config.kinds import Wrong, is_loopback, shown
from fairlead.config.table import BY_NAME, SETTINGS
from fairlead.core.deciding import EngineSettings
from fairlead.core.model import Instrument, InstrumentKind
from fairlead.edge.limits import Limits as SequencerLimits
from fairlead.edge.reconcile import ReconcileSettings
from fairlead.exchange.settings import LISTED, Fees, PerpetualSettings
from fairlead.exchange.settings import Settings as ExchangeSettings
from fairlead.gateway.border import BorderSettings
from fairlead.gateway.feed import FeedSettings
from fairlead.gateway.fixapi.settings import FixSettings
from fairlead.gateway.http2 import Http2Limits
from fairlead.gateway.listeners import TlsFiles
from fairlead.gateway.protocol import Limits as ConnectionLimits
from fairlead.gateway.rest import RestSettings
from fairlead.gateway.secure import TlsLimits
from fairlead.gateway.websocket.hub import WebSocketSettings

_Struct = TypeVar("_Struct", bound=msgspec.Struct)
_SECTIONS = {setting.name.partition(".")[0] for setting in SETTINGS if "." in setting.name}
ACCOUNTS = "accounts"
KEYS = "keys"  # authentication; the other is open
_ACCOUNTS_VARIABLE = "FAIRLEADACCOUNTS"
_VARIABLES = {setting.variable: setting.name for setting in SETTINGS} | {
    _ACCOUNTS_VARIABLE: ACCOUNTS
}
_OTHER_VARIABLES = frozenset(
    {
        *("FAIRLEAD_CONFIG", "FAIRLEAD_URL", "FAIRLEAD_API_KEY", "FAIRLEAD_API_KEY_ID"),
        *("FAIRLEAD_CA_FILE", "FAIRLEAD_CERTIFICATE"),
    }
)  # read by the command line
_MISSPELT_MEDIA_TYPE = "appliction/json"


class ConfigError(ValueError):
    """The configuration cannot be taken; `findings` says everything that is wrong with it."""

    def __init__(self, findings: list[str]) -> None:
        super().__init__("\n".join(findings))
        self.findings = findings


class Given(msgspec.Struct, frozen=True):
    """One setting as it was given, and the folder its paths start from.

    `where` names it as a finding does, `source` only where it comes from: FILE:LINE, variable or flag.
    `is_typed`: from a file, which has numbers, lists and tables besides texts.
    """

    name: str
    value: object
    where: str
    folder: Path
    source: str
    is_typed: bool = False


def load(
    path: Path | None, environment: Mapping[str, str], flags: Mapping[str, object]
) -> model.Config:
    """Return the configuration of `fairlead up`. Raises ConfigError."""
    config, findings = salvage(path, environment, flags)
    if findings:
        raise ConfigError(findings)
    return config


def salvage(
    path: Path | None, environment: Mapping[str, str], flags: Mapping[str, object]
) -> tuple[model.Config, list[str]]:
    """Return what `fairlead up` would make of the settings that are right, and all that is wrong."""
    config, findings = _read(path, environment, flags)
    if not findings:
        findings += _unasked(config)
    return config, findings


def load_exchange(
    path: Path | None, environment: Mapping[str, str], flags: Mapping[str, object]
) -> model.ExchangeConfig:
    """Return the configuration of `fairlead exchange`. Raises ConfigError."""
    config = read(path, environment, flags)
    exchange = config.exchange
    findings = [
        *_unguarded("exchange.listen", exchange.listen, config),
        *_unguarded("exchange.operator_listen", exchange.operator_listen, config),
    ]
    if findings:
        raise ConfigError(findings)
    return exchange


def read(
    path: Path | None, environment: Mapping[str, str], flags: Mapping[str, object]
) -> model.Config:
    """Return the configuration as it was given; `flags` are settings by their names in the table.

    Paths in the file start from its folder, others from the working directory. Raises ConfigError.
    """
    config, findings = _read(path, environment, flags)
    if findings:
        raise ConfigError(findings)
    return config


def _read(
    path: Path | None, environment: Mapping[str, str], flags: Mapping[str, object]
) -> tuple[model.Config, list[str]]:
    findings: list[str] = []
    values = _values(all_given(path, environment, flags, findings), findings)
    config = _config(values)
    if not findings:
        findings += _contradictions(config)
    return config, findings


# ── what was given ───────────────────────────────────────────────────────────────────────────────


def all_given(
    path: Path | None,
    environment: Mapping[str, str],
    flags: Mapping[str, object],
    findings: list[str],
) -> list[Given]:
    """Return every setting that is given, the one that counts after others of its name.

    What is not a setting goes to `findings`.
    """
    return [
        *_from_file(path, findings),
        *_from_environment(environment, findings),
        *(Given(name, value, _flag(name), Path(), _flag(name)) for name, value in flags.items()),
    ]


def _from_file(path: Path | None, findings: list[str]) -> list[Given]:
    if path is None:
        return []
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text, parse_float=Decimal)
    except OSError as error:
        findings.append(f"{path}: {error.strerror}; give the path of a TOML file")
        return []
    except (ValueError, tomllib.TOMLDecodeError) as error:
        findings.append(f"{path}: {error}; expected TOML")
        return []
    given = []
    lines = lines_of(text)
    for name, value in _flat(content):
        where = f"{path}:{lines[name]}"
        if name == ACCOUNTS or name in BY_NAME:
            given.append(Given(name, value, f"{where}: {name}", path.parent, where, is_typed=True))
        elif name in _SECTIONS:
            found = "a list" if isinstance(value, list) else shown(value)  # it may hold a password
            findings.append(f"{where}: {name}: is {found}, expected a table of settings, [{name}]")
        else:
            near = _near(name, [*BY_NAME, ACCOUNTS])
            findings.append(f"{where}: {name}: there is no such setting{near}")
    return given


def lines_of(text: str) -> dict[str, int]:
    """Return, for each setting in a TOML text that parses, the line that it begins in.

    Statement by statement: lines are added until they parse, under the table they stand in. The head of
    a table is parsed by itself: after [accounts.parameters] the next [[accounts]] would not parse.
    """
    lines: dict[str, int] = {}
    table, statement, start = "", "", 1
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        statement += line
        is_head = statement.lstrip().startswith("[")
        try:
            content = tomllib.loads(statement if is_head else table + statement)
        except tomllib.TOMLDecodeError:
            continue  # it goes on in the next line
        for name, _ in _flat(content):
            lines.setdefault(name, start)
        if is_head:
            table = statement
        statement, start = "", number + 1
    return lines


def _flat(content: dict[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in content.items():
        if name in _SECTIONS and isinstance(value, dict):
            for inner, inner_value in value.items():
                yield f"{name}.{inner}", inner_value
        else:
            yield name, value


def _from_environment(environment: Mapping[str, str], findings: list[str]) -> list[Given]:
    given = []
    for variable, value in sorted(environment.items()):
        if not variable.startswith("FAIRLEAD_") or variable in _OTHER_VARIABLES:
            continue
        name = _VARIABLES.get(variable)
        if name is None:
            near = _near(variable, [*_VARIABLES], prefix="FAIRLEAD_")
            findings.append(f"{variable}: there is no such setting{near}")
        else:
            given.append(Given(name, value, variable, Path(), variable))
    return given


def _flag(name: str) -> str:
    if name == ACCOUNTS:
        return "--account"
    return BY_NAME[name].flag or name


def _near(name: str, names: list[str], prefix: str = "") -> str:
    """Return the settings spelled most like `name`, worded as a suggestion."""
    stems = [known.removeprefix(prefix) for known in names]
    close = difflib.get_close_matches(name.removeprefix(prefix), stems, n=2, cutoff=0.7)
    close = [prefix + stem for stem in close]
    if not close:
        last = name.rpartition(".")[2]
        close = [known for known in names if known.rpartition(".")[2] == last]
    return (
        f"; did you mean {' or '.join(close)}?"
        if close
        else "; see docs/reference/configuration.md"
    )


# ── what it comes to ─────────────────────────────────────────────────────────────────────────────


def _values(given: list[Given], findings: list[str]) -> dict[str, object]:
    """Read each value; a later one of the same name replaces an earlier one."""
    values: dict[str, object] = {}
    for one in given:
        try:
            values[one.name] = value_of(one)
        except Wrong as wrong:
            findings.append(f"{one.where}: {_worded(one, wrong)}")
    return values


def _worded(one: Given, wrong: Wrong) -> str:
    if one.name == ACCOUNTS:
        return str(wrong)
    if BY_NAME[one.name].kind.is_secret:
        return f"expected {wrong}"
    return f"is {shown(one.value if wrong.part is None else wrong.part)}, expected {wrong}"


def value_of(one: Given) -> object:
    """Return the value that was given. Raises Wrong."""
    if one.name == ACCOUNTS:
        return read_accounts(one.value)
    kind = BY_NAME[one.name].kind
    return (kind.read_typed if one.is_typed else kind.read)(one.value, one.folder)


def _config(values: Mapping[str, object]) -> model.Config:
    address = values.get("exchange_url")
    return msgspec.structs.replace(
        _changed(model.Config(), values, ""),
        exchange_address=cast(model.Listen | None, address),
        exchange=_exchange(values),
        engine=_changed(EngineSettings(), values, "engine."),
        reconcile=_changed(ReconcileSettings(), values, "reconcile."),
        limits=_changed(SequencerLimits(), values, "limits."),
        rate=_changed(model.RateConfig(), values, "rate."),
        http=_http(values),
        tls=_tls(values),
        http2=_changed(Http2Limits(), values, "http2."),
        websocket=_changed(WebSocketSettings(), values, "websocket."),
        feed=_changed(FeedSettings(), values, "feed."),
        fix=_fix(values),
        control=_changed(model.ControlConfig(), values, "control."),
        mail=_changed(model.MailConfig(), values, "mail."),
        log=_changed(model.LogConfig(), values, "log."),
        process=_changed(model.ProcessConfig(), values, "process."),
    )


def _exchange(values: Mapping[str, object]) -> model.ExchangeConfig:
    fees = {
        field: values[f"exchange.{name}"]
        for field, name in (("maker", "maker_fee"), ("taker", "taker_fee"), ("step", "fee_step"))
        if f"exchange.{name}" in values
    }
    settings = msgspec.structs.replace(
        _changed(ExchangeSettings(instruments=LISTED), values, "exchange."),
        instruments=tuple(_listed(each, values) for each in LISTED),
        fees=msgspec.structs.replace(Fees(), **fees),
        perpetuals=_changed(PerpetualSettings(), values, "exchange."),
    )
    exchange = _changed(model.ExchangeConfig(), values, "exchange.")
    participants = values.get("exchange.participants", not exchange.market_tape)
    return msgspec.structs.replace(exchange, settings=settings, participants=participants)


def _listed(instrument: Instrument, values: Mapping[str, object]) -> Instrument:
    """Return an instrument with what is set for all perpetuals."""
    if instrument.kind is not InstrumentKind.PERPETUAL:
        return instrument
    return _changed(instrument, values, "exchange.")


def _http(values: Mapping[str, object]) -> model.HttpConfig:
    rest = _changed(RestSettings(), values, "http.")
    if values.get("http.misspelt_media_type"):
        rest = msgspec.structs.replace(rest, reject_media_type=_MISSPELT_MEDIA_TYPE)
    http = model.HttpConfig(rest=rest, connections=_changed(ConnectionLimits(), values, "http."))
    http = _changed(http, values, "http.")
    border = _changed(BorderSettings(), values, "http.")
    if http.public_url is not None:
        host = urlsplit(http.public_url).hostname or ""
        names, origins = border.host_names | {host}, border.origins | {http.public_url}
        border = msgspec.structs.replace(border, host_names=names, origins=origins)
    return msgspec.structs.replace(http, border=border)


def _fix(values: Mapping[str, object]) -> model.FixConfig:
    settings = _changed(FixSettings(), values, "fix.")
    return _changed(model.FixConfig(settings=settings), values, "fix.")


def _tls(values: Mapping[str, object]) -> model.TlsConfig:
    tls = _changed(model.TlsConfig(), values, "tls.")
    files = _changed(TlsFiles(), values, "tls.")
    limits = _changed(TlsLimits(), values, "tls.")
    return msgspec.structs.replace(tls, files=files, limits=limits)


def _changed(struct: _Struct, values: Mapping[str, object], prefix: str) -> _Struct:
    """Return `struct` with every field that `values` names under `prefix`."""
    changes = {
        field: values[prefix + field]
        for field in type(struct).__struct_fields__
        if prefix + field in values
    }
    return msgspec.structs.replace(struct, **changes)


def _contradictions(config: model.Config) -> list[str]:
    """Say what is wrong with settings that are right one by one."""
    findings = []
    if config.rate.cancel_reserve >= config.rate.requests_per_s:
        findings.append(
            f"rate.cancel_reserve: {config.rate.cancel_reserve} leaves nothing for orders, expected"
            f" less than rate.requests_per_s {config.rate.requests_per_s}"
        )
    if config.http.border.body_bytes_max > config.http.connections.request_bytes_max:
        findings.append(
            f"http.body_bytes_max: {config.http.border.body_bytes_max} is more than a whole request,"
            f" http.request_bytes_max {config.http.connections.request_bytes_max}"
        )
    return findings + _margin_contradictions(config.exchange.settings)


def _margin_contradictions(settings: ExchangeSettings) -> list[str]:
    """Say where what is set for perpetuals does not fit together."""
    findings = []
    for each in settings.instruments:
        if each.kind is not InstrumentKind.PERPETUAL:
            continue
        highest, rate = each.leverage_max, each.maintenance_rate
        if settings.perpetuals.leverage > highest:
            findings.append(
                f"exchange.leverage: {settings.perpetuals.leverage} is more than"
                f" exchange.leverage_max {highest}"
            )
        if highest * rate >= 1:
            findings.append(
                f"exchange.maintenance_rate: {rate} × exchange.leverage_max {highest} is"
                f" {highest * rate}, expected less than 1: a position would be liquidated as soon as"
                " it is opened"
            )
    return findings


def _unasked(config: model.Config) -> list[str]:
    """Say which listeners let anybody in who reaches them."""
    if config.authentication == KEYS:
        return []
    findings = _unguarded("listen", config.listen, config)
    if config.fix.listen is not None:
        findings += _unguarded("fix.listen", config.fix.listen, config)
    if config.tls.listen is not None:
        findings += _unguarded("tls.listen", config.tls.listen, config)
    return findings


def _unguarded(name: str, listen: model.Listen, config: model.Config) -> list[str]:
    if config.allow_open_network or is_loopback(listen.host):
        return []
    return [
        f"{name}: {listen} is not a loopback address, and nothing here asks a client who it is:"
        " anyone who reaches it could trade; listen on 127.0.0.1, or say --allow-open-network"
    ]
