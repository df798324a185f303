"""The accounts as they are configured: how they are named, what a login needs.

The control plane imports each once and keeps it from then on (`control/importing.py`). Earlier versions kept
keys that they had made in DIR/accounts.toml; those are imported too, and the file is gone then.
"""

import os
import re
import tomllib
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


# ── the file of earlier versions ───────────────────────────────────────────────────────────────────


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


def erase(file: Path) -> None:
    """Overwrite the file and remove it, durably: what it kept is elsewhere. Raises OSError.

    First it goes out of the way, so that a process that dies meanwhile leaves no half of it under its name;
    `finish_erasing` ends what was begun.
    """
    file.rename(_erased(file))
    _sync(file.parent)
    finish_erasing(file)


def finish_erasing(file: Path) -> None:
    """Erase what an earlier process has put out of the way, if one has. Raises OSError."""
    erased = _erased(file)
    if not erased.exists():
        return
    with erased.open("r+b") as opened:
        opened.write(bytes(os.fstat(opened.fileno()).st_size))
        opened.flush()
        os.fsync(opened.fileno())
    erased.unlink()
    _sync(file.parent)


def _erased(file: Path) -> Path:
    return file.with_name(f".{file.name}.erased")


def _sync(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
