"""The accounts: how they are named, what a login needs, and keys for those who gave none.

Generated keys are kept in DIR/accounts.toml, readable by the owner alone, and are on disk before they
are used: an exchange refuses a known public key that comes with another private one, so a pair that
was lost is an account that was lost.
"""

import contextlib
import os
import re
import secrets
import tomllib
from collections.abc import Sequence
from pathlib import Path

from fairlead.config.kinds import Wrong, shown
from fairlead.config.model import AccountConfig
from fairlead.control.exchanges import EXCHANGES, VALUE_EXPECTED, is_value

FILE_NAME = "accounts.toml"
DEFAULT_ACCOUNT = "SIM"
_SEPARATORS = r"~/.,:;!@#$%^&*\-_+="
_ACCOUNT = re.compile(f"([A-Z0-9]+)([{_SEPARATORS}][A-Za-z0-9{_SEPARATORS}]{{1,64}})?")
_EXPECTS_ACCOUNT = "an exchange such as SIM, with an optional tag such as SIM/ALICE"
_EXPECTS_ACCOUNTS = 'a list of tables [[accounts]], each with exchange_id = "SIM" or "SIM/ALICE"'


def read_exchange_id(value: object) -> str:
    """Return an account's whole name (wire contract, section 1); raises Wrong."""
    match = _ACCOUNT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Wrong(f"{_EXPECTS_ACCOUNT} (1 to 64 letters, digits and ~/.,:;!@#$%^&*-_+=)")
    if match[1] not in EXCHANGES:
        raise Wrong(f"an account at one of: {', '.join(EXCHANGES)}")
    return match[0]


def read_accounts(value: object) -> tuple[AccountConfig, ...]:
    """Return accounts from TOML tables or a list of names; raises Wrong, its text a whole sentence."""
    entries = value.split() if isinstance(value, str) else value
    if not isinstance(entries, (list, tuple)):
        raise Wrong(f"expected {_EXPECTS_ACCOUNTS}")
    accounts: dict[str, AccountConfig] = {}
    for entry in entries:
        account = _account(entry)
        if account.exchange_id in accounts:
            raise Wrong(f"{account.exchange_id} is given twice, give each account once")
        accounts[account.exchange_id] = account
    return tuple(accounts.values())


def _account(entry: object) -> AccountConfig:
    if isinstance(entry, str):
        entry = {"exchange_id": entry}
    if not isinstance(entry, dict) or "exchange_id" not in entry:
        raise Wrong(f"an account without exchange_id; expected {_EXPECTS_ACCOUNTS}")
    named = entry["exchange_id"]
    try:
        exchange_id = read_exchange_id(named)
    except Wrong as wrong:
        raise Wrong(f"exchange_id is {shown(named)}; expected {wrong}") from None
    for name in entry:
        if name not in ("exchange_id", "parameters"):
            raise Wrong(f"{exchange_id} has {name}; expected exchange_id and parameters only")
    return AccountConfig(exchange_id, _parameters(exchange_id, entry.get("parameters", {})))


def _parameters(exchange_id: str, given: object) -> dict[str, str]:
    """Check the parameters by name; their values are never repeated in a message."""
    wanted = EXCHANGES[_exchange(exchange_id)].names
    names = " and ".join(wanted)
    if not isinstance(given, dict):
        raise Wrong(f"parameters of {exchange_id} is not a table; expected {names}")
    for name, value in given.items():
        if name not in wanted:
            raise Wrong(f"parameter {name} of {exchange_id} is unknown; expected {names}")
        if not is_value(value):
            raise Wrong(f"parameter {name} of {exchange_id} is not {VALUE_EXPECTED}")
    missing = [name for name in wanted if name not in given]
    if given and missing:
        raise Wrong(f"{exchange_id} lacks parameter {missing[0]}; give {names}, or none at all")
    return dict(given)


def _exchange(exchange_id: str) -> str:
    match = _ACCOUNT.fullmatch(exchange_id)
    assert match is not None
    return match[1]


# ── generated keys ───────────────────────────────────────────────────────────────────────────────


def with_keys(accounts: Sequence[AccountConfig], data: Path) -> tuple[AccountConfig, ...]:
    """Return `accounts`, those without parameters with the keys kept in `data`, made if need be.

    Without any account there is one: SIM. Raises OSError, and Wrong if the file is not what was
    written.
    """
    accounts = accounts or (AccountConfig(DEFAULT_ACCOUNT, {}),)
    lacking = [account.exchange_id for account in accounts if not account.parameters]
    if not lacking:
        return tuple(accounts)
    file = data / FILE_NAME
    kept = kept_accounts(file)
    if not all(name in kept for name in lacking):
        kept = _keep(file, kept, lacking)
    return tuple(
        account if account.parameters else kept[account.exchange_id] for account in accounts
    )


def kept_accounts(file: Path) -> dict[str, AccountConfig]:
    """Return the accounts by name whose keys `file` keeps. Raises OSError, and Wrong."""
    if not file.exists():
        return {}
    try:
        content = tomllib.loads(file.read_text())
        accounts = read_accounts(content.get("accounts"))
    except (ValueError, tomllib.TOMLDecodeError) as error:
        raise Wrong(f"{file}: {error}; put the file back as it was") from None
    return {account.exchange_id: account for account in accounts if account.parameters}


def _keep(
    file: Path, kept: dict[str, AccountConfig], lacking: list[str]
) -> dict[str, AccountConfig]:
    """Write the file anew with keys for `lacking`; return what it holds now."""
    kept = dict(kept)
    for name in lacking:
        if name not in kept:
            kept[name] = AccountConfig(name, _new_parameters(name))
    lines = ["# Keys that Fairlead made for accounts configured without any. Keep this file.\n"]
    for account in kept.values():
        lines.append(
            f'\n[[accounts]]\nexchange_id = "{account.exchange_id}"\n[accounts.parameters]\n'
        )
        for key, value in account.parameters.items():
            lines.append(f'{key} = "{value}"\n')
    file.parent.mkdir(parents=True, exist_ok=True)
    _write_durably(file, "".join(lines))
    return kept


def _new_parameters(exchange_id: str) -> dict[str, str]:
    parameters = EXCHANGES[_exchange(exchange_id)].parameters
    return {each.name: secrets.token_hex(32 if each.is_secret else 16) for each in parameters}


def _write_durably(file: Path, text: str) -> None:
    """Replace `file` in one step, readable by its owner alone, on disk when this returns."""
    new = file.with_name(f".{file.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
