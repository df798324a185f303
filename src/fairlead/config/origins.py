"""Where each setting's value comes from: `fairlead config show`. Secrets are never in it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from fairlead.config.accounts import DEFAULT_ACCOUNT
from fairlead.config.kinds import YES_NO
from fairlead.config.loading import ACCOUNTS, Given, all_given, value_of
from fairlead.config.model import AccountConfig
from fairlead.config.page import default_of, written
from fairlead.config.table import SETTINGS, Setting

DEFAULT = "default"
MASK = "***"
_STEPPED = '"stepped"'


class Origin(msgspec.Struct, frozen=True):
    """One setting: its value as a file would have it, and where that comes from.

    `source`: `default`, FILE:LINE, an environment variable or a flag. `value` is empty when not set.
    """

    name: str
    value: str
    source: str
    default: str


def origins(
    path: Path | None, environment: Mapping[str, str], flags: Mapping[str, object]
) -> list[Origin]:
    """Return every setting, the accounts first. All that is given must be right (`salvage` says it)."""
    given = {one.name: one for one in all_given(path, environment, flags, [])}
    return [_accounts(given.get(ACCOUNTS)), *(_origin(each, given) for each in SETTINGS)]


def _origin(setting: Setting, given: Mapping[str, Given]) -> Origin:
    default = default_of(setting.name)
    one = given.get(setting.name)
    if one is None:
        return Origin(setting.name, default, DEFAULT, default)
    value = value_of(one)
    is_stepped = setting.name == "exchange.market_speed" and value is None
    text = _STEPPED if is_stepped else written(value)
    return Origin(setting.name, text, one.source, default)


def _accounts(one: Given | None) -> Origin:
    accounts = value_of(one) if one is not None else (AccountConfig(DEFAULT_ACCOUNT, {}),)
    assert isinstance(accounts, tuple)
    value = ", ".join(map(_masked, accounts))
    return Origin(ACCOUNTS, value, one.source if one else DEFAULT, DEFAULT_ACCOUNT)


def _masked(account: AccountConfig) -> str:
    """Return an account with its public parameters; the others are only said to be there."""
    if not account.parameters:
        return account.exchange_id
    shown = (
        f'{name} = "{value}"' if name.startswith("Public") else f"{name} = {MASK}"
        for name, value in account.parameters.items()
    )
    return f"{account.exchange_id} ({', '.join(shown)})"


class FlagError(ValueError):
    """An argument is no flag of `up`; the text says which."""


def flags_of(arguments: Sequence[str]) -> dict[str, object]:
    """Return the settings that flags such as `--listen 127.0.0.1:0` give. Raises FlagError."""
    flags: dict[str, object] = {}
    rest = list(arguments)
    while rest:
        flag, has_value, value = rest.pop(0).partition("=")
        if flag not in _FLAGS:
            raise FlagError(
                f"{flag} is not a flag of `fairlead up`; see docs/reference/configuration.md"
            )
        name, switch = _FLAGS[flag]
        if switch is not None:
            flags[name] = switch
            continue
        if not has_value:
            if not rest:
                raise FlagError(f"{flag} needs a value")
            value = rest.pop(0)
        if name in _LISTS:
            flags[name] = [*_list(flags.get(name)), value]
        else:
            flags[name] = value
    return flags


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []


def _flags() -> dict[str, tuple[str, bool | None]]:
    """Return flag → (setting, what it says by being there, None if it takes a value)."""
    flags: dict[str, tuple[str, bool | None]] = {"--account": (ACCOUNTS, None)}
    for setting in SETTINGS:
        on, _, off = (setting.flag or "").partition("/")
        is_switch = setting.kind is YES_NO
        if on:
            flags.setdefault(on, (setting.name, True if is_switch else None))
        if off:
            flags.setdefault(off, (setting.name, False))
    return flags


_FLAGS = _flags()
_LISTS = frozenset({ACCOUNTS, "exchange.market_tape"})
