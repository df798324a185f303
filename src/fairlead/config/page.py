"""The page of all settings, from the table and the structs' defaults. Values in, text out."""

from decimal import Decimal
from itertools import groupby
from pathlib import Path

import msgspec

from fairlead.config.model import Config
from fairlead.config.table import SETTINGS, Setting
from fairlead.exchange.settings import PERPETUAL_BTC_USDT

_SECTIONS = {
    "": "At the top of the file",
    "exchange": "[exchange]: the simulated exchange",
    "engine": "[engine]: times and limits of an order's life",
    "reconcile": "[reconcile]: bringing an account in line with its exchange",
    "limits": "[limits]: what may wait, what is decided together",
    "rate": "[rate]: what an account may ask of its exchange",
    "http": "[http]: the HTTP server",
    "tls": "[tls]: TLS listeners, with and without client certificates",
    "http2": "[http2]: what one HTTP/2 connection may ask",
    "websocket": "[websocket]: clients of the WebSocket API",
    "feed": "[feed]: what is kept in memory for those who follow reports",
    "fix": "[fix]: the FIX API",
    "control": "[control]: the control plane",
    "mail": "[mail]: letters to people",
    "log": "[log]: the log",
    "process": "[process]: the interpreter",
}


def settings_tables() -> str:
    """Return one Markdown table per section, in the table's order."""
    lines: list[str] = []
    for section, settings in groupby(SETTINGS, lambda each: each.name.rpartition(".")[0]):
        lines += [
            f"### {_SECTIONS[section]}",
            "",
            "| setting | default | takes | meaning |",
            "|---|---|---|---|",
            *map(_row, settings),
            "",
        ]
    return "\n".join(lines)


def default_of(name: str) -> str:
    """Return a setting's default as it would be written in the file; empty when it has none."""
    config = Config()
    exchange, http = config.exchange, config.http
    section, _, field = name.rpartition(".")
    special: dict[str, object] = {
        "exchange_url": None,
        "exchange.participants": None,
        "exchange.maker_fee": exchange.settings.fees.maker,
        "exchange.taker_fee": exchange.settings.fees.taker,
        "exchange.fee_step": exchange.settings.fees.step,
        "http.misspelt_media_type": False,
    }
    if name in special:
        return written(special[name])
    homes: dict[str, tuple[msgspec.Struct, ...]] = {
        "": (config,),
        "exchange": (exchange, exchange.settings, exchange.settings.perpetuals, PERPETUAL_BTC_USDT),
        "fix": (config.fix, config.fix.settings),
        "http": (http, http.rest, http.border, http.connections),
        "tls": (config.tls, config.tls.files, config.tls.limits),
    }
    for home in homes.get(section) or (getattr(config, section),):
        if field in home.__struct_fields__:
            return written(getattr(home, field))
    raise AssertionError(f"{name} is in no struct")


def _row(setting: Setting) -> str:
    default = default_of(setting.name)
    cells = [
        f"`{setting.name}`" + (f"<br>`{setting.flag}`" if setting.flag else ""),
        f"`{default}`" if default else "not set",
        setting.kind.expects,
        setting.text,
    ]
    return f"| {' | '.join(cells)} |"


def written(value: object) -> str:
    """Return a value as it would be written in the file; empty when there is none."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value, "f")
        case Path():
            return f'"{value}"'
        case str():
            return f'"{value}"'
        case int() | float():
            return str(value)
        case frozenset():
            return written(tuple(sorted(value)))
        case tuple() if value and isinstance(value[0], tuple):
            return "{" + ", ".join(f"{asset} = {quantity}" for asset, quantity in value) + "}"
        case tuple():
            return "[" + ", ".join(written(each) for each in value) + "]"
        case _:
            return f'"{value}"'
