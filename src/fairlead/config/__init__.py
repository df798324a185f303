"""What can be set, from where, and what it is when nobody sets it.

    model      the frozen structs that the composition root builds the parts from
    table      one row per setting: name, kind, meaning
    kinds      reading one value, from TOML or from text
    loading    file, environment and flags in rising priority → one Config, or every finding
    accounts   the accounts' grammar
    importing  the accounts, given once to the control plane, which keeps them from then on
    origins    where each value comes from, for config show
    page       docs/reference/configuration.md, generated from the table

The parts never import this package: each has its own settings struct, which the composition root
hands to it.
"""

from fairlead.config.loading import ConfigError, load, load_exchange, read
from fairlead.config.model import (
    AccountConfig,
    Config,
    ControlConfig,
    ExchangeConfig,
    FixConfig,
    HttpConfig,
    Listen,
    LogConfig,
    ProcessConfig,
    RateConfig,
)

__all__ = [
    "AccountConfig",
    "Config",
    "ConfigError",
    "ControlConfig",
    "ExchangeConfig",
    "FixConfig",
    "HttpConfig",
    "Listen",
    "LogConfig",
    "ProcessConfig",
    "RateConfig",
    "load",
    "load_exchange",
    "read",
]
