"""keys create, list, show, edit, disable, enable, revoke: API keys, granted by the machine's owner."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from fairlead.commands import show
from fairlead.commands.ending import Ended, ExitCode
from fairlead.commands.keeping import granted, opened, owner
from fairlead.control.activity import last_uses
from fairlead.control.control import Control
from fairlead.control.key_changes import Edit, Wanted
from fairlead.control.keys import Act, ApiKey, Denied, Kind
from fairlead.control.usage import Use

_COLUMNS = show.columns(
    "label",
    "key",
    "kind",
    "state",
    "scopes",
    "accounts",
    "addresses",
    "expires",
    "last used",
    "from",
)
_ANY = "all"
_KEPT = {
    Kind.BEARER: "the secret is shown this once and kept nowhere: save it now",
    Kind.HMAC: "the secret is shown this once: save it now, sign requests with it, and never send it",
}
_PEM_BYTES_MAX = 65_536


def create(
    config_file: Path | None,
    flags: Mapping[str, object],
    subscription: str,
    wanted: Wanted,
    *,
    is_test: bool,
    as_json: bool,
) -> None:
    """Make a key and show its secret, once. Raises Ended."""
    with opened(config_file, flags, subscription) as control:
        made = granted(control.keyring.create(owner(), wanted, time.time_ns(), is_test=is_test))
    if as_json:
        secret = {} if made.secret is None else {"secret": made.secret}
        show.out(json.dumps({**_shown(made.key), **secret}))
        return
    show.out(f"key     {made.key.kid}")
    if made.secret is None:
        show.out("sign requests with the private key; only its public key is known here")
    else:
        show.out(f"secret  {made.secret}")
        show.out(_KEPT[made.key.kind])
    show.out(f"{made.key.label} may {_scopes(made.key)}; expires {_expires(made.key)}")


def listed(
    config_file: Path | None, flags: Mapping[str, object], subscription: str, *, as_json: bool
) -> None:
    """Print every key, revoked ones too. Raises Ended."""
    with opened(config_file, flags, subscription) as control, control.store.read() as connection:
        keys = control.keyring.listed_in(connection)
        uses = last_uses(connection, [key.kid for key in keys])
    if as_json:
        show.out(json.dumps([_shown(key) | _last(uses.get(key.kid)) for key in keys]))
        return
    rows = [
        [
            *(key.label, key.kid, str(key.kind), str(_shown(key)["state"]), *_rights(key)),
            *(_expires(key), *_last_words(uses.get(key.kid))),
        ]
        for key in keys
    ]
    show.table(_COLUMNS, rows, "there are no keys; `fairlead keys create LABEL` makes one")


def shown(
    config_file: Path | None,
    flags: Mapping[str, object],
    subscription: str,
    name: str,
    *,
    as_json: bool,
) -> None:
    """Print one key. Raises Ended."""
    with opened(config_file, flags, subscription) as control:
        key = granted(control.keyring.find(name))
    _print(key, as_json=as_json)


def edit(
    config_file: Path | None,
    flags: Mapping[str, object],
    subscription: str,
    name: str,
    change: Edit,
    *,
    as_json: bool,
) -> None:
    """Change what a key may do, and print it. Raises Ended."""
    _change(
        config_file,
        flags,
        subscription,
        lambda control: control.keyring.edit(owner(), name, change, time.time_ns()),
        as_json=as_json,
    )


def move(
    config_file: Path | None,
    flags: Mapping[str, object],
    subscription: str,
    name: str,
    act: Act,
    *,
    as_json: bool,
) -> None:
    """Disable, enable or revoke a key, and print it. Raises Ended."""
    _change(
        config_file,
        flags,
        subscription,
        lambda control: control.keyring.move(owner(), name, act, time.time_ns()),
        as_json=as_json,
    )


def read_file(path: Path) -> bytes:
    """Return what a file, or standard input, holds. Raises Ended."""
    try:
        if str(path) == "-":
            return sys.stdin.buffer.read(_PEM_BYTES_MAX)
        with path.open("rb") as file:
            return file.read(_PEM_BYTES_MAX)
    except OSError as error:
        raise Ended(ExitCode.USAGE, f"{path}: {error.strerror}") from None


def _change(
    config_file: Path | None,
    flags: Mapping[str, object],
    subscription: str,
    work: Callable[[Control], ApiKey | Denied],
    *,
    as_json: bool,
) -> None:
    with opened(config_file, flags, subscription) as control:
        key = granted(work(control))
    _print(key, as_json=as_json)


def _print(key: ApiKey, *, as_json: bool) -> None:
    if as_json:
        show.out(json.dumps(_shown(key)))
        return
    for name, value in (_shown(key) | {"expires": _expires(key)}).items():
        show.out(f"{name:<10}  {_word(value)}")


def _shown(key: ApiKey) -> dict[str, object]:
    """Return what of a key is for everybody; never its secret, which nobody has."""
    return {
        "kid": key.kid,
        "label": key.label,
        "kind": str(key.kind),
        "state": str(key.state(time.time_ns())),
        "scopes": [str(each) for each in key.rights.scopes],
        "accounts": msgspec.to_builtins(key.rights.accounts),
        "addresses": msgspec.to_builtins(key.rights.addresses),
        "created": _time(key.created_ns),
        "expires": None if key.expires_ns is None else _time(key.expires_ns),
        "version": key.version,
    }


def _word(value: object) -> str:
    if value is None:
        return _ANY
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _scopes(key: ApiKey) -> str:
    return ", ".join(key.rights.scopes)


def _rights(key: ApiKey) -> tuple[str, str, str]:
    return _scopes(key), _many(key.rights.accounts), _many(key.rights.addresses)


def _many(limits: tuple[str, ...] | None) -> str:
    return _ANY if limits is None else " ".join(limits)


def _expires(key: ApiKey) -> str:
    return "never" if key.expires_ns is None else show.short_time(_time(key.expires_ns))


def _last(use: Use | None) -> dict[str, object]:
    """Return when a key was used last, and from where."""
    if use is None:
        return {"last_used": None, "last_address": None}
    return {"last_used": _time(use.time_ns), "last_address": use.address}


def _last_words(use: Use | None) -> list[str]:
    return ["never", ""] if use is None else [show.short_time(_time(use.time_ns)), use.address]


def _time(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns // 1_000_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
