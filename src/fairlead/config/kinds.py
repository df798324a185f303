"""Reading one value: from TOML (typed) or from the environment and flags (text).

A kind says what it expects in words and reads a value or raises `Wrong`. Lists in text are separated
by spaces. Numbers are exact: TOML's fractions arrive as `Decimal`, never as floats.
"""

import ipaddress
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path

import msgspec

from fairlead.config.model import DatabaseUrl, Listen, SecretText
from fairlead.control.addresses import AddressWrong, read_networks

_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII).fullmatch
_DECIMAL = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII).fullmatch
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?", re.ASCII).fullmatch
_ORIGIN = re.compile(
    r"https?://([A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?/?",
    re.ASCII,
).fullmatch
_DATABASE = re.compile(
    r"postgresql://([^:/@?\s]+(:[^/@?\s]+)?@)?[^:/@?\s]+(:[0-9]{1,5})?/[^:/@?\s]+"
    r"(\?([a-z_]+(?<!password)=[^?#&\s]+(&(?!$)|$))+)?",  # what stands there is shown: no password
    re.ASCII,
).fullmatch
_SENDER = re.compile(
    r"[A-Za-z0-9 ._-]{1,64} <[^<>@\s]{1,64}@[A-Za-z0-9.-]{1,190}>|[^<>@\s]{1,64}@[A-Za-z0-9.-]{1,190}",
    re.ASCII,
).fullmatch
_SHOWN_MAX = 80
_SECRET_MAX = 1_024
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class Wrong(ValueError):
    """A value cannot be taken; the text says what would be right."""


class Kind(msgspec.Struct, frozen=True):
    """`expects` completes "expected …"; `read(value, folder)` takes paths relative to `folder`.

    A value that `is_secret` is never repeated, not even when it is wrong.
    """

    expects: str
    read: Callable[[object, Path], object]
    is_secret: bool = False


def whole(least: int, most: int) -> Kind:
    """Whole numbers from `least` to `most`."""
    expects = f"a whole number from {least} to {most}"

    def read(value: object, _: Path) -> int:
        if isinstance(value, str) and _WHOLE(value):
            value = int(value)
        if type(value) is not int or not least <= value <= most:
            raise Wrong(expects)
        return value

    return Kind(expects, read)


def fraction(least: str, most: str) -> Kind:
    """Exact decimal numbers from `least` to `most`."""
    expects = f"a number from {least} to {most}"

    def read(value: object, _: Path) -> Decimal:
        number = _decimal(value)
        if number is None or not Decimal(least) <= number <= Decimal(most):
            raise Wrong(expects)
        return number

    return Kind(expects, read)


def seconds(least: str, most: str) -> Kind:
    """Durations in seconds: the one place where a float is meant, since it is no money."""
    exact = fraction(least, most)
    return Kind(exact.expects, lambda value, folder: float(str(exact.read(value, folder))))


def choice(*names: str) -> Kind:
    """One of some words."""
    expects = " or ".join((", ".join(names[:-1]), names[-1]))

    def read(value: object, _: Path) -> str:
        if value not in names:
            raise Wrong(expects)
        return str(value)

    return Kind(expects, read)


def _read_yes_no(value: object, _: Path) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in (*_TRUE, *_FALSE):
        return value.lower() in _TRUE
    raise Wrong(YES_NO.expects)


def _read_path(value: object, folder: Path) -> Path:
    if not isinstance(value, (str, Path)) or not str(value) or "\0" in str(value):
        raise Wrong(PATH.expects)
    return folder / Path(value).expanduser()


def _read_tapes(value: object, folder: Path) -> tuple[str, ...]:
    """Read files and SYMBOL=FILE, in text also separated by commas."""
    tapes = []
    for word in words(value, TAPES.expects):
        for name in word.split(","):
            match = re.fullmatch(r"([A-Z0-9_]+=)?(.+)", name, re.ASCII)
            if match is None:
                raise Wrong(TAPES.expects)
            tapes.append(f"{match[1] or ''}{_read_path(match[2], folder)}")
    return tuple(tapes)


def _read_listen(value: object, _: Path) -> Listen:
    return _listen(value, 0, LISTEN.expects)


def _read_remote(value: object, _: Path) -> Listen:
    scheme, _separator, address = str(value).partition("://")
    if scheme != "tcp":
        raise Wrong(REMOTE.expects)
    return _listen(address, 1, REMOTE.expects)


def _read_database(value: object, _: Path) -> DatabaseUrl:
    if not isinstance(value, str) or not _DATABASE(value):
        raise Wrong(DATABASE.expects)
    return DatabaseUrl(value)


def _read_names(value: object, _: Path) -> frozenset[str]:
    names = words(value, HOST_NAMES.expects)
    if not all(_HOST_NAME(name) for name in names):
        raise Wrong(HOST_NAMES.expects)
    return frozenset(name.lower() for name in names)


def _read_origins(value: object, _: Path) -> frozenset[str]:
    origins = words(value, ORIGINS.expects)
    if not all(re.fullmatch(r"https?://[^/\s]+", origin) for origin in origins):
        raise Wrong(ORIGINS.expects)
    return frozenset(origins)


def _read_public_url(value: object, _: Path) -> str:
    if not isinstance(value, str) or not _ORIGIN(value):
        raise Wrong(PUBLIC_URL.expects)
    return value.removesuffix("/").lower()


def _read_networks(value: object, _: Path) -> tuple[str, ...]:
    networks = words(value, NETWORKS.expects)
    try:
        return read_networks(networks) if networks else ()
    except AddressWrong as wrong:
        raise Wrong(f"{NETWORKS.expects}; {wrong}") from None


def _read_assets(value: object, _: Path) -> tuple[tuple[str, Decimal], ...]:
    if isinstance(value, str):
        value = dict(part.partition("=")[::2] for part in value.split())
    if not isinstance(value, dict):
        raise Wrong(ASSETS.expects)
    assets = []
    for asset, quantity in value.items():
        number = _decimal(quantity)
        if not re.fullmatch(r"[A-Z0-9]{1,16}", asset) or number is None or number < 0:
            raise Wrong(ASSETS.expects)
        assets.append((asset, number))
    return tuple(sorted(assets))


def _read_speed(value: object, _: Path) -> Decimal | None:
    if value == "stepped":
        return None
    number = _decimal(value)
    if number is None or not 0 < number <= 1_000_000:
        raise Wrong(SPEED.expects)
    return number


def _read_power_of_ten(value: object, _: Path) -> Decimal:
    number = _decimal(value)
    if number is None or not 0 < number <= 1 or number != Decimal(1).scaleb(number.adjusted()):
        raise Wrong(POWER_OF_TEN.expects)
    return Decimal(1).scaleb(number.adjusted())


def words(value: object, expects: str) -> tuple[str, ...]:
    """Return a list of texts, or the words of one text; raises Wrong naming `expects`."""
    parts = value.split() if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
        raise Wrong(expects)
    return tuple(parts)


def shown(value: object) -> str:
    """Return `value` as it was written, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…"


def is_loopback(host: str) -> bool:
    """Return whether `host` is surely this machine alone. Names are not looked up."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, str) and not _DECIMAL(value):
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _read_comp_id(value: object, _: Path) -> str:
    if isinstance(value, str) and re.fullmatch("[!-~]{1,64}", value):
        return value
    raise Wrong(COMP_ID.expects)


def _read_server(value: object, _: Path) -> Listen:
    return _listen(value, 1, SERVER.expects)


def _read_sender(value: object, _: Path) -> str:
    if isinstance(value, str) and _SENDER(value):
        return value
    raise Wrong(SENDER.expects)


def _read_word(value: object, _: Path) -> str:
    if isinstance(value, str) and re.fullmatch("[!-~]{0,320}", value):
        return value
    raise Wrong(WORD.expects)


def _read_secret(value: object, _: Path) -> SecretText:
    if isinstance(value, str) and value.isprintable() and len(value) <= _SECRET_MAX:
        return SecretText(value)
    raise Wrong(SECRET.expects)


def _read_listen_or_off(value: object, _: Path) -> Listen | None:
    return None if value == "off" else _listen(value, 0, LISTEN_OR_OFF.expects)


def _listen(value: object, port_least: int, expects: str) -> Listen:
    if not isinstance(value, str):
        raise Wrong(expects)
    host, separator, port = value.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if not _is_ip6(host):
            raise Wrong(expects)
    elif not _HOST_NAME(host):
        raise Wrong(expects)
    if not separator or not re.fullmatch("[0-9]{1,5}", port, re.ASCII):
        raise Wrong(expects)
    if not port_least <= int(port) <= 65_535:
        raise Wrong(expects)
    return Listen(host, int(port))


def _is_ip6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


YES_NO = Kind("true or false", _read_yes_no)
PATH = Kind("a path", _read_path)
TAPES = Kind("a list of files, folders or SYMBOL=FILE", _read_tapes)
SERVER = Kind("HOST:PORT such as mail.desk.example:587", _read_server)
SENDER = Kind("an address such as ems@desk.example, or Fairlead <ems@desk.example>", _read_sender)
WORD = Kind("up to 320 printable ASCII characters without spaces", _read_word)
SECRET = Kind(f"up to {_SECRET_MAX} printable characters", _read_secret, is_secret=True)
COMP_ID = Kind("1 to 64 printable ASCII characters without spaces", _read_comp_id)
LISTEN_OR_OFF = Kind(
    "HOST:PORT such as 127.0.0.1:3401 (port 0: any free one), or off", _read_listen_or_off
)
LISTEN = Kind("HOST:PORT such as 127.0.0.1:3080 (port 0: any free one)", _read_listen)
REMOTE = Kind("a URL tcp://HOST:PORT such as tcp://127.0.0.1:3090", _read_remote)
DATABASE = Kind(
    "a URL postgresql://USER:PASSWORD@HOST:PORT/DATABASE, perhaps with ?sslmode=verify-full and the like",
    _read_database,
    is_secret=True,
)
HOST_NAMES = Kind('a list of host names such as ["desk.example"]', _read_names)
ORIGINS = Kind('a list of origins such as ["https://desk.example:8443"]', _read_origins)
PUBLIC_URL = Kind("a URL without a path such as https://ems.desk.example", _read_public_url)
NETWORKS = Kind('a list of networks such as ["10.0.0.0/8", "2001:db8::1"]', _read_networks)
ASSETS = Kind('quantities by asset such as {BTC = 100, USDT = "2500.50"}', _read_assets)
POWER_OF_TEN = Kind("1, 0.1, 0.01 and so on", _read_power_of_ten)
SPEED = Kind('"stepped", or a number above 0 (1: as recorded)', _read_speed)
