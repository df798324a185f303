"""How an account is written: an exchange, and after the first other character a tag (wire contract, 1).

The whole text is its name, compared exactly. The one grammar for configuration, keys, accounts and requests.
"""

import re

_SEPARATORS = r"~/.,:;!@#$%^&*\-_+="
PATTERN = f"[A-Z0-9]+([{_SEPARATORS}][A-Za-z0-9{_SEPARATORS}]{{1,64}})?"
_ACCOUNT = re.compile(PATTERN, re.ASCII)
_EXCHANGE = re.compile("[A-Z0-9]+", re.ASCII)


def is_account(text: str) -> bool:
    """Whether `text` is written as an account."""
    return _ACCOUNT.fullmatch(text) is not None


def exchange_of(account: str) -> str:
    """Return the exchange of an account."""
    match = _EXCHANGE.match(account)
    assert match is not None, "is_account has been asked"
    return match[0]
