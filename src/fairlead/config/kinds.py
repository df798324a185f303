"""Reading one value: from TOML (typed) or from the environment and flags (text).

A kind says what it expects in words and reads a value or raises `Wrong`. Lists in text are separated
by spaces. In a file nothing is taken for what it is not: a number or `true` in quotes is a text there.
Numbers are exact: TOML's fractions arrive as `Decimal`, never as floats.
"""

import ipaddress
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from fairlead.config.model import DatabaseUrl, Listen, SecretText
from fairlead.control.addresses import AddressWrong, read_networks

_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII).fullmatch
_DECIMAL = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII).fullmatch
_WHOLE_DIGITS = _FRACTION_DIGITS = 20
_DIGITS = f"with at most {_WHOLE_DIGITS} digits before the point and {_FRACTION_DIGITS} after it"
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?", re.ASCII).fullmatch
_ASSET = re.compile("[A-Z0-9]{1,16}", re.ASCII).fullmatch
_ORIGIN = re.compile(
    r"https?://([A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?P<port>:[0-9]{1,5})?/?",
    re.ASCII,
).fullmatch
_PORT_MAX = 65_535
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
_YES_NO = {"true": True, "false": False}


class Wrong(ValueError):
    """A value cannot be taken; the text says what would be right.

    `part`: what of the value is wrong, None: all of it.
    """

    def __init__(self, expects: str, part: object = None) -> None:
        super().__init__(expects)
        self.part = part


class Kind(msgspec.Struct, frozen=True):
    """`expects` completes "expected …"; `read(value, folder)` takes paths relative to `folder`.

    A value that `is_secret` is never repeated, not even when it is wrong. `is_text` where a file has it as
    a text; any other kind is a text in environment and flags alone.
    """

    expects: str
    read: Callable[[object, Path], object]
    is_secret: bool = False
    is_text: bool = True

    def read_typed(self, value: object, folder: Path) -> object:
        """Return a value as a file has it, where numbers, lists and tables are no texts. Raises Wrong."""
        if isinstance(value, str) and not self.is_text:
            raise Wrong(self.expects)
        return self.read(value, folder)


def whole(least: int, most: int) -> Kind:
    """Whole numbers from `least` to `most`."""
    expects = f"a whole number from {least} to {most}"

    def read(value: object, _: Path) -> int:
        if isinstance(value, str) and _WHOLE(value):
            value = int(value)
        if type(value) is not int or not least <= value <= most:
            raise Wrong(expects)
        return value

    return Kind(expects, read, is_text=False)


def fraction(least: str, most: str) -> Kind:
    """Exact decimal numbers from `least` to `most`."""
    expects = f"a number from {least} to {most}"

    def read(value: object, _: Path) -> Decimal:
        number = _decimal(value, expects)
        if not Decimal(least) <= number <= Decimal(most):
            raise Wrong(expects)
        return number

    return Kind(expects, read, is_text=False)


def seconds(least: str, most: str) -> Kind:
    """Durations in seconds: the one place where a float is meant, since it is no money."""
    exact = fraction(least, most)

    def read(value: object, folder: Path) -> float:
        return float(str(exact.read(value, folder)))

    return Kind(exact.expects, read, is_text=False)


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
    if isinstance(value, str) and value in _YES_NO:
        return _YES_NO[value]
    raise Wrong(YES_NO.expects)


def _read_path(value: object, folder: Path) -> Path:
    if not isinstance(value, (str, Path)) or not str(value) or "\0" in str(value):
        raise Wrong(PATH.expects)
    try:
        return folder / Path(value).expanduser()
    except RuntimeError:  # ~NAME, of nobody here
        raise Wrong(PATH.expects) from None


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
    wrong = [each for each in origins if not _is_origin(each) or each.endswith("/")]
    if wrong:
        raise Wrong(ORIGINS.expects, " ".join(wrong))
    return frozenset(origins)


def _read_public_url(value: object, _: Path) -> str:
    if not isinstance(value, str) or not _is_origin(value):
        raise Wrong(PUBLIC_URL.expects)
    return value.removesuffix("/").lower()


def _is_origin(text: str) -> bool:
    match = _ORIGIN(text)
    return match is not None and int((match["port"] or ":0")[1:]) <= _PORT_MAX


def _read_networks(value: object, _: Path) -> tuple[str, ...]:
    networks = words(value, NETWORKS.expects)
    try:
        return read_networks(networks) if networks else ()
    except AddressWrong as wrong:
        raise Wrong(f"{NETWORKS.expects}; {wrong}") from None


def _read_assets(value: object, _: Path) -> tuple[tuple[str, Decimal], ...]:
    is_text = isinstance(value, str)
    pairs = _pairs(value)
    names = [asset for asset, _ in pairs]
    assets, wrong = [], {}
    for asset, quantity in pairs:
        try:
            number = _decimal(quantity, ASSETS.expects)
        except Wrong:
            number = None
        if not _ASSET(asset) or names.count(asset) > 1 or number is None or number < 0:
            wrong[asset] = quantity
        else:
            assets.append((asset, number))
    if wrong:
        part = " ".join(value for value in str(value).split() if value.partition("=")[0] in wrong)
        raise Wrong(ASSETS.expects, part if is_text else wrong)
    return tuple(sorted(assets))


def _pairs(value: object) -> list[tuple[str, object]]:
    """Return quantities by asset, doubles of a text too; raises Wrong."""
    if isinstance(value, str):
        return [(asset, text) for asset, _, text in (part.partition("=") for part in value.split())]
    if not isinstance(value, dict):
        raise Wrong(ASSETS.expects)
    return list(value.items())


def _read_speed(value: object, _: Path) -> Decimal | None:
    if value == "stepped":
        return None
    number = _decimal(value, SPEED.expects)
    if not 0 < number <= 1_000_000:
        raise Wrong(SPEED.expects)
    return number


def _read_power_of_ten(value: object, _: Path) -> Decimal:
    number = _decimal(value, POWER_OF_TEN.expects)
    if not 0 < number <= 1 or number != Decimal(1).scaleb(number.adjusted()):
        raise Wrong(POWER_OF_TEN.expects)
    return Decimal(1).scaleb(number.adjusted())


def words(value: object, expects: str) -> tuple[str, ...]:
    """Return a list of texts, or the words of one text; raises Wrong naming `expects`."""
    parts = value.split() if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
        raise Wrong(expects)
    return tuple(parts)


def shown(value: object) -> str:
    """Return `value` as a file would have it, shortened."""
    text = _toml(value)
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…"


def _toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | Path():
            return f'"{value}"'
        case Decimal() if not value.is_finite():
            return "nan" if value.is_nan() else str(value)[: -len("inity")].lower()
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case dict():
            return f"{{{', '.join(f'{name} = {_toml(each)}' for name, each in value.items())}}}"
        case _:
            return str(value)


def is_loopback(host: str) -> bool:
    """Return whether `host` is surely this machine alone. Names are not looked up."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _decimal(value: object, expects: str) -> Decimal:
    """Return a finite number of bounded length, exact; raises Wrong."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise Wrong(expects)
    if isinstance(value, Decimal) and value.is_finite() and not _is_short(value):
        raise Wrong(f"{expects}, {_DIGITS}")
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    if not _DECIMAL(text):
        raise Wrong(expects)
    return Decimal(text)


def _is_short(number: Decimal) -> bool:
    """Whether its plain form fits; asked before that is made, which may be very long."""
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent >= -_FRACTION_DIGITS and number.adjusted() < _WHOLE_DIGITS


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
    if not port_least <= int(port) <= _PORT_MAX:
        raise Wrong(expects)
    return Listen(host, int(port))


def _is_ip6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


YES_NO = Kind("true or false", _read_yes_no, is_text=False)
PATH = Kind("a path", _read_path)
TAPES = Kind("a list of files, folders or SYMBOL=FILE", _read_tapes, is_text=False)
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
HOST_NAMES = Kind('a list of host names such as ["desk.example"]', _read_names, is_text=False)
ORIGINS = Kind(
    'a list of origins such as ["https://desk.example:8443"]', _read_origins, is_text=False
)
PUBLIC_URL = Kind("a URL without a path such as https://ems.desk.example", _read_public_url)
NETWORKS = Kind(
    'a list of networks such as ["10.0.0.0/8", "2001:db8::1"]', _read_networks, is_text=False
)
ASSETS = Kind(
    'quantities by asset such as {BTC = 100, USDT = "2500.50"}', _read_assets, is_text=False
)
POWER_OF_TEN = Kind("1, 0.1, 0.01 and so on", _read_power_of_ten, is_text=False)
SPEED = Kind('"stepped", or a number above 0 (1: as recorded)', _read_speed)
