"""What a login is: the parameters of an account, checked against what its exchange declares, and masked.

Values only. A value is never repeated in what is said of it: whatever it was meant to be, it may be a secret.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence

import msgspec

from fairlead.control.account_text import exchange_of, is_account
from fairlead.control.exchanges import EXCHANGES, VALUE_EXPECTED, Declared, is_value
from fairlead.control.keys import Denied

SHOWN_CHARACTERS = 4  # of a masked secret, from its end
_MASKED_CHARACTERS_MIN = 16  # of a shorter secret nothing is shown
_MASK = "********"
_IS_MASKED = re.compile(r"\*{4,}[!-~]{0,4}", re.ASCII).fullmatch
_FINDINGS_MAX = 32
_NAME_SHOWN_MAX = 64

Finding = tuple[str, str]
Pairs = Sequence[tuple[str, object]]


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account with its parameters, secrets among them. `version` grows with every change."""

    exchange_id: str
    parameters: dict[str, str]
    login: bytes
    is_configured: bool
    created_ns: int
    version: int

    def __repr__(self) -> str:
        """Name the account and its version, never its parameters."""
        return f"Account({self.exchange_id!r}, version {self.version})"

    @property
    def masked(self) -> dict[str, str]:
        """Return the parameters as they may be shown."""
        return masked(self.exchange_id, self.parameters)


def name_wrong(account: str) -> Denied | None:
    """Say why nothing can be an account of this name."""
    if not is_account(account):
        return Denied(
            "exchange_id_invalid",
            f"{shown(account)} is not an exchange id, give capital letters and digits such as SIM,"
            " optionally a separator and a tag of 1 to 64 characters such as SIM/ALICE",
        )
    if exchange_of(account) not in EXCHANGES:
        return Denied(
            "exchange_id_invalid",
            f"{shown(account)} is an account at no exchange that is here, expected one of:"
            f" {', '.join(EXCHANGES)}",
        )
    return None


def declared_of(account: str) -> Declared:
    """Return what the exchange of an account declares."""
    return EXCHANGES[exchange_of(account)]


def read_parameters(account: str, given: Pairs) -> dict[str, str] | Denied:
    """Return the parameters of a login, or all that is wrong with them, each by its name."""
    declared = declared_of(account)
    expected = " and ".join(declared.names)
    taken: dict[str, str] = {}
    findings: list[Finding] = []
    for name, value in given:
        text = _wrong(declared, name, value, expected)
        if text is None and name in taken:
            text = "is given more than once, give it once"
        if text is not None:
            findings.append((shown(name, quoted=False), text))
        else:
            taken[name] = str(value)
    named = {name for name, _ in given}
    findings += [
        (name, f"is missing, {declared.exchange_id} needs {expected}")
        for name in declared.names
        if name not in named
    ]
    if findings:
        findings = findings[:_FINDINGS_MAX]
        words = "; ".join(f"{name}: {text}" for name, text in findings)
        return Denied("parameters_invalid", words, tuple(findings))
    return {name: taken[name] for name in declared.names}


def _wrong(declared: Declared, name: str, value: object, expected: str) -> str | None:
    parameter = declared.parameter(name)
    if parameter is None:
        return f"is no parameter of {declared.exchange_id}, expected {expected}"
    if not is_value(value):
        return f"is not {VALUE_EXPECTED}"
    if parameter.is_secret and _IS_MASKED(str(value)):
        return "is a masked value, as it is shown; give the whole secret"
    return None


def new_parameters(account: str) -> dict[str, str]:
    """Return a login that nobody has, for an exchange that takes any."""
    return {
        each.name: secrets.token_hex(32 if each.is_secret else 16)
        for each in declared_of(account).parameters
    }


def masked(account: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters as they may be shown: secrets end in their last four characters at most."""
    declared = declared_of(account)
    return {
        each.name: _masked(parameters[each.name]) if each.is_secret else parameters[each.name]
        for each in declared.parameters
        if each.name in parameters
    }


def fingerprint(key: bytes, account: str, parameters: Mapping[str, str]) -> bytes:
    """Return by what two logins are the same one: the exchange, and all parameters that are not secret."""
    declared = declared_of(account)
    public = [parameters[each.name] for each in declared.parameters if not each.is_secret]
    said = msgspec.json.encode([declared.exchange_id, *public])
    return hmac.digest(key, said, hashlib.sha256)


def shown(text: str, *, quoted: bool = True) -> str:
    """Return the beginning of a text from outside, as it can be shown anywhere."""
    plain = "".join(each if each.isascii() and each.isprintable() else "?" for each in text)
    cut = plain if len(plain) <= _NAME_SHOWN_MAX else f"{plain[:_NAME_SHOWN_MAX]}..."
    return f'"{cut}"' if quoted else cut


def _masked(secret: str) -> str:
    is_long = len(secret) >= _MASKED_CHARACTERS_MIN
    return _MASK + (secret[-SHOWN_CHARACTERS:] if is_long else "")
