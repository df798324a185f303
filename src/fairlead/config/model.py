"""The configuration as values: what the composition root builds the parts from.

Everything here is frozen and already checked. The parts' own settings structs are used as they are,
so a limit and its default are written in one place. Must never read a file or the environment.
"""

import re
from decimal import Decimal
from pathlib import Path

import msgspec

from fairlead.core.deciding import EngineSettings
from fairlead.edge.limits import Limits as SequencerLimits
from fairlead.edge.reconcile import ReconcileSettings
from fairlead.exchange.settings import LISTED
from fairlead.exchange.settings import Settings as ExchangeSettings
from fairlead.gateway.attempts import ATTEMPTS_PER_MIN
from fairlead.gateway.border import BorderSettings
from fairlead.gateway.callers import REQUESTS_PER_S
from fairlead.gateway.feed import FeedSettings
from fairlead.gateway.fixapi.settings import FixSettings
from fairlead.gateway.http2 import Http2Limits
from fairlead.gateway.listeners import TlsFiles
from fairlead.gateway.protocol import Limits as ConnectionLimits
from fairlead.gateway.rest import RestSettings
from fairlead.gateway.secure import TlsLimits
from fairlead.gateway.websocket.hub import WebSocketSettings

TLS_FOLDER = "tls"  # in the data folder; what `fairlead tls init` makes


class Listen(msgspec.Struct, frozen=True):
    """An address to listen on, or to connect to. `port` 0: any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class AccountConfig(msgspec.Struct, frozen=True):
    """One login at an exchange: its whole name, and the parameters the exchange asks for."""

    exchange_id: str
    parameters: dict[str, str]

    def __repr__(self) -> str:
        """Name the account and its parameters, never their values."""
        return f"AccountConfig({self.exchange_id!r}, {sorted(self.parameters)})"


class RateConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How often one account may ask its exchange; the default is within what SIM allows."""

    requests_per_s: int = 10_000
    cancel_reserve: int = 100


class ExchangeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The simulated exchange, embedded or in a process of its own.

    `market_tape`: FILE, FOLDER or SYMBOL=FILE. `market_speed` None: the tape is stepped by the
    operator API. `data`, `listen` and `operator_listen` are for the process of its own; its default
    folder is where the embedded one keeps its state, so that it can move out.
    """

    settings: ExchangeSettings = ExchangeSettings(instruments=LISTED)
    seed: int = 1
    participants: bool = True
    market_tape: tuple[str, ...] = ()
    market_speed: Decimal | None = Decimal(1)
    data: Path = Path("data/exchange")
    listen: Listen = Listen("127.0.0.1", 3090)
    operator_listen: Listen = Listen("127.0.0.1", 3091)


class HttpConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The HTTP server: its answers, its border, its connections, and who calls.

    `public_url`: where it is reached, None: where it listens. `trusted_proxies`: networks whose
    X-Forwarded-For counts. `attempts_per_min`: of an address, without a
    good key.
    """

    rest: RestSettings = RestSettings()
    border: BorderSettings = BorderSettings()
    connections: ConnectionLimits = ConnectionLimits()
    key_requests_per_s: int = REQUESTS_PER_S
    attempts_per_min: int = ATTEMPTS_PER_MIN
    trusted_proxies: tuple[str, ...] = ()
    public_url: str | None = None


class FixConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The FIX acceptor; `listen` None: not in the clear; `tls_listen` None: not over TLS."""

    listen: Listen | None = Listen("127.0.0.1", 3401)
    tls_listen: Listen | None = None
    settings: FixSettings = FixSettings()


class TlsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The TLS listeners; one that is None does not exist.

    `clients_listen`: the one that takes nobody without a client certificate. Files that are None are in
    `data`/tls, where `fairlead tls init` puts them.
    """

    listen: Listen | None = None
    clients_listen: Listen | None = None
    version_min: str = "TLSv1.2"
    files: TlsFiles = TlsFiles()
    limits: TlsLimits = TlsLimits()


class LogConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`level`: debug, info, warning or error. `format`: json, or text for people.

    `file` None: stderr. A file is renamed when it has `file_bytes_max`, and `file_count` older ones are
    kept; with 0 it only grows, for a program such as logrotate to rename.
    """

    level: str = "info"
    format: str = "json"
    file: Path | None = None
    file_bytes_max: int = 64 << 20
    file_count: int = 5


class DatabaseUrl(msgspec.Struct, frozen=True):
    """Where a PostgreSQL database is; shows itself without its password."""

    text: str

    def __str__(self) -> str:
        """Return it with *** for the password."""
        return re.sub(r"(://[^:/@?]*):[^/?]*@", r"\1:***@", self.text)

    __repr__ = __str__


class SecretText(msgspec.Struct, frozen=True):
    """A password; shows itself as ***."""

    text: str

    def __str__(self) -> str:
        """Return ***."""
        return "***" if self.text else ""

    __repr__ = __str__


class MailConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How letters to people leave. `server` None: on loopback they are kept in the data folder."""

    server: Listen | None = None
    sender: str = "fairlead@localhost.localdomain"
    security: str = "starttls"
    user: str = ""
    password: SecretText = SecretText("")


class ControlConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The control plane. `url` None: SQLite in the data folder. `key_file` None: DATA.key beside it.

    `stop_unseen_s`: when a system stops that cannot see its lease on a shared database; None: never.
    `usage_days`: so long what keys used is kept; None: for ever.
    """

    url: DatabaseUrl | None = None
    key_file: Path | None = None
    stop_unseen_s: float | None = None
    usage_days: int | None = None


class ProcessConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The interpreter: after start the heap is frozen, then collected as these thresholds say.

    `gc_full_interval_s`: how often a full collection runs, off the order path; 0: never.
    `switch_interval_us`: how long a thread keeps the interpreter while another waits for it.
    `awake_ms`: how long no core sleeps after an order that came alone, where that may be said; 0: they may.
    """

    gc_freeze: bool = True
    gc_young_threshold: int = 50_000
    gc_full_interval_s: int = 0
    switch_interval_us: int = 100
    awake_ms: int = 100


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything `fairlead up` needs to know. `exchange_address` None: the exchange is embedded."""

    data: Path = Path("data")
    listen: Listen = Listen("127.0.0.1", 3080)
    accounts: tuple[AccountConfig, ...] = ()
    allow_open_network: bool = False
    authentication: str = "open"
    exchange_address: Listen | None = None
    exchange: ExchangeConfig = ExchangeConfig()
    engine: EngineSettings = EngineSettings()
    reconcile: ReconcileSettings = ReconcileSettings()
    limits: SequencerLimits = SequencerLimits()
    rate: RateConfig = RateConfig()
    http: HttpConfig = HttpConfig()
    tls: TlsConfig = TlsConfig()
    http2: Http2Limits = Http2Limits()
    websocket: WebSocketSettings = WebSocketSettings()
    feed: FeedSettings = FeedSettings()
    fix: FixConfig = FixConfig()
    control: ControlConfig = ControlConfig()
    mail: MailConfig = MailConfig()
    log: LogConfig = LogConfig()
    process: ProcessConfig = ProcessConfig()

    @property
    def tls_folder(self) -> Path:
        """Return the folder of `fairlead tls init`."""
        return self.data / TLS_FOLDER

    @property
    def host(self) -> str:
        """Return the host to listen on."""
        return self.listen.host

    @property
    def port(self) -> int:
        """Return the port to listen on, 0 for any free one."""
        return self.listen.port

    @property
    def exchange_url(self) -> str | None:
        """Return where the exchange is, `tcp://HOST:PORT`; None when it is embedded."""
        return None if self.exchange_address is None else f"tcp://{self.exchange_address}"
