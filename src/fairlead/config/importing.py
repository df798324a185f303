"""The configuration's accounts, imported: each once, the first time that its name is seen.

From then on the control plane is the truth about it, deleted or not. What the configuration says of it later
changes nothing, and is logged wherever it says something else. Keys for an account that was configured
without any are made here; they are durable before anything uses them, because an exchange refuses a known
public key that comes with another private one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from fairlead.config.accounts import (
    DEFAULT_ACCOUNT,
    FILE_NAME,
    erase,
    finish_erasing,
    kept_accounts,
)
from fairlead.config.kinds import Wrong
from fairlead.config.model import AccountConfig, Config
from fairlead.control.accounts import Accounts, Kept
from fairlead.control.audit import Actor
from fairlead.control.errors import ControlError
from fairlead.control.keys import Denied
from fairlead.control.logins import new_parameters

log = structlog.get_logger()
_IMPORTER = Actor("configuration", "local", "machine")
_COUNTS = "what the control plane keeps counts: `fairlead accounts` shows and changes it"


class AccountRefused(ControlError):
    """An account of the configuration cannot be imported."""


def import_accounts(config: Config, accounts: Accounts, now_ns: int) -> None:
    """Add what is not known yet; log what is known otherwise. Raises ControlError and OSError.

    Where none is configured and none was ever kept there is one: SIM.
    """
    file = config.data / FILE_NAME
    finish_erasing(file)
    try:
        made_before = kept_accounts(file)
    except Wrong as wrong:
        raise AccountRefused(str(wrong)) from None
    kept = {each.exchange_id: each for each in accounts.kept()}
    for each in config.accounts:
        if each.exchange_id not in kept:
            _import(accounts, made_before.get(each.exchange_id), each, now_ns, is_configured=True)
    if config.accounts:
        _compare(accounts, config.accounts, kept)
    elif not kept:
        default = AccountConfig(DEFAULT_ACCOUNT, {})
        _import(accounts, made_before.get(DEFAULT_ACCOUNT), default, now_ns, is_configured=False)
    if file.exists():
        _let_go(file, made_before, accounts)


def _import(
    accounts: Accounts,
    made_before: AccountConfig | None,
    configured: AccountConfig,
    now_ns: int,
    *,
    is_configured: bool,
) -> None:
    name = configured.exchange_id
    given = configured if configured.parameters or made_before is None else made_before
    parameters = given.parameters or new_parameters(name)
    result = accounts.put(
        _IMPORTER,
        name,
        [*parameters.items()],
        now_ns,
        may_change_login=False,
        is_configured=is_configured,
    )
    if isinstance(result, Denied):
        raise AccountRefused(f"accounts: {name} cannot be imported: {result.message}")
    log.info("account imported", account=name)


def _compare(
    accounts: Accounts, configured: Sequence[AccountConfig], kept: Mapping[str, Kept]
) -> None:
    """Say where the configuration is not what counts."""
    held = {each.exchange_id: each.parameters for each in accounts.listed()}
    for each in configured:
        name = each.exchange_id
        if name not in held:
            log.warning("configured account was deleted", account=name, text=_COUNTS)
        elif each.parameters and each.parameters != held[name]:
            log.warning("configured account has other parameters", account=name, text=_COUNTS)
    names = {each.exchange_id for each in configured}
    for name, one in kept.items():
        if one.is_configured and not one.is_deleted and name not in names:
            log.warning("account is no longer configured, and stays", account=name, text=_COUNTS)


def _let_go(file: Path, made_before: Mapping[str, AccountConfig], accounts: Accounts) -> None:
    """Erase the file of an earlier version once the control plane knows all that is in it."""
    known = {each.exchange_id for each in accounts.kept()}
    others = sorted(made_before.keys() - known)
    if others:
        text = "it has the only keys of accounts that are not configured; configure or remove them"
        log.warning("accounts file stays", file=str(file), accounts=others, text=text)
    else:
        erase(file)
        log.info("accounts file erased", file=str(file), text="the control plane keeps its keys")
