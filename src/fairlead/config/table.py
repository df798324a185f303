"""Every setting: its name, what it takes, what it means. One row each; nothing else names settings.

The name is that of the TOML file; `engine.ask_delay_ms` is `ask_delay_ms` under `[engine]`, and
FAIRLEAD_ENGINE_ASK_DELAY_MS in the environment. The defaults are those of the structs in `model`.
"""

# ruff: noqa: E501 - one row, one line

import msgspec

from fairlead.config.kinds import (
    ASSETS,
    COMP_ID,
    DATABASE,
    HOST_NAMES,
    LISTEN,
    LISTEN_OR_OFF,
    NETWORKS,
    ORIGINS,
    PATH,
    POWER_OF_TEN,
    PUBLIC_URL,
    REMOTE,
    SECRET,
    SENDER,
    SERVER,
    SPEED,
    TAPES,
    WORD,
    YES_NO,
    Kind,
    choice,
    fraction,
    seconds,
    whole,
)

_MS = whole(1, 3_600_000)
_COUNT = whole(1, 10_000_000)
_BYTES = whole(1_024, 1 << 30)
_FEE = fraction("0", "0.1")
_LEVERAGE = fraction("1", "1000")
_WEEK_MS = 7 * 24 * 3_600_000


class Setting(msgspec.Struct, frozen=True):
    """One row. `flag` is the command line's name for it, if it has one."""

    name: str
    kind: Kind
    text: str
    flag: str | None = None

    @property
    def variable(self) -> str:
        """Return the environment variable's name."""
        return "FAIRLEAD_" + self.name.replace(".", "_").upper()


# fmt: off
SETTINGS: tuple[Setting, ...] = (
    Setting("data", PATH, "the folder that holds everything durable", "--data"),
    Setting("listen", LISTEN, "where the API is served", "--listen"),
    Setting("allow_open_network", YES_NO, "serve without authentication on an address that is not loopback", "--allow-open-network"),
    Setting("authentication", choice("open", "keys"), "open: nobody is asked who they are; keys: every request needs an API key, by the header X-CoinAPI-Key, the query parameter apikey or FIX Password (554)"),
    Setting("exchange_url", REMOTE, "the simulated exchange in another process; not set: it is embedded", "--exchange-url"),

    Setting("exchange.seed", whole(0, 2**63 - 1), "seed of the participants and of the faults' chance", "--seed"),
    Setting("exchange.participants", YES_NO, "whether participants keep a moving market; not set: yes, unless there is a tape", "--participants/--no-participants"),
    Setting("exchange.market_tape", TAPES, "recorded trades, quotes and books that drive the market; SYMBOL=FILE where a file of trades does not say whose", "--market-tape"),
    Setting("exchange.market_speed", SPEED, "how fast a tape runs; stepped: only the operator API moves it", "--market-speed"),
    Setting("exchange.starting_balances", ASSETS, "what a login with a new key pair starts with"),
    Setting("exchange.maker_fee", _FEE, "part of what a side receives when its order rested in the book"),
    Setting("exchange.taker_fee", _FEE, "the same when its order took from the book"),
    Setting("exchange.fee_step", POWER_OF_TEN, "fees are rounded up to a multiple of this"),
    Setting("exchange.leverage", _LEVERAGE, "an account's in a perpetual until an operator changes it; locks 1/leverage of the notional"),
    Setting("exchange.leverage_max", _LEVERAGE, "the highest leverage that a perpetual allows"),
    Setting("exchange.maintenance_rate", fraction("0.0001", "0.5"), "part of the notional of its perpetuals; an account with less equity is liquidated"),
    Setting("exchange.funding_interval_ms", whole(1_000, _WEEK_MS), "between two payments of funding, counted from 1970"),
    Setting("exchange.funding_rate_max", fraction("0", "1"), "the most part of the notional that one payment takes, either way"),
    Setting("exchange.mark_spread_max", fraction("0", "1"), "a book whose ask is further above its bid, as a part of it, gives no mark price"),
    Setting("exchange.request_window_ms", _MS, "a request older than this on arrival is refused"),
    Setting("exchange.request_future_ms", _MS, "so is one that claims to be sent later than this from now"),
    Setting("exchange.requests_per_second", _COUNT, "per account; one more is refused with the time to wait"),
    Setting("exchange.open_orders_max", _COUNT, "per account; one more is refused"),
    Setting("exchange.accounts_max", _COUNT, "a further first login is refused"),
    Setting("exchange.connections_max", whole(1, 65_536), "a further connection is closed at once"),
    Setting("exchange.output_bytes_max", _BYTES, "a connection that reads nothing is closed when this much waits for it"),
    Setting("exchange.data", PATH, "the folder of an exchange in a process of its own; an embedded one uses `exchange` in `data`", "--data"),
    Setting("exchange.listen", LISTEN, "where an exchange in a process of its own serves its byte dialect", "--listen"),
    Setting("exchange.operator_listen", LISTEN, "where it serves its operator API", "--operator-listen"),

    Setting("engine.order_answer_timeout_ms", _MS, "how long a new order waits for the exchange's answer; then it is in doubt"),
    Setting("engine.ask_delay_ms", _MS, "after that, the first wait between questions about it; doubles"),
    Setting("engine.ask_delay_longest_ms", _MS, "the longest such wait"),
    Setting("engine.not_found_margin_ms", _MS, "beyond the exchange's request window, before “not found” is believed"),
    Setting("engine.not_found_count", whole(2, 100), "how often “not found” must be heard"),
    Setting("engine.cancel_delay_ms", _MS, "the first wait before a cancel without effect is followed up; doubles"),
    Setting("engine.cancel_delay_longest_ms", _MS, "the longest such wait"),
    Setting("engine.cancel_attempts_most", whole(1, 1_000), "then an operator is told"),
    Setting("engine.settle_delay_ms", _MS, "the first wait before missing fills are asked for; doubles"),
    Setting("engine.settle_delay_longest_ms", _MS, "the longest such wait"),
    Setting("engine.settle_deadline_ms", _MS, "how long fills may be missing before an operator is told"),
    Setting("engine.order_rate_per_s", _COUNT, "new orders per account, without those that are rejected for another reason; one more is REJECTED"),
    Setting("engine.orphan_orders_most", _COUNT, "orders not known yet whose fills are kept until they are"),
    Setting("engine.orphan_fills_most", _COUNT, "fills kept for one such order; what is not kept is fetched again"),
    Setting("engine.rate_age_ms_max", _MS, "an older rate_usd is shown as null"),
    Setting("engine.drift_sweeps_most", whole(1, 1_000), "sweeps in a row that find a drift; then an operator is told"),

    Setting("reconcile.interval_ms", _MS, "between two reconciliations of an account"),
    Setting("reconcile.retry_ms", _MS, "after one that failed"),
    Setting("reconcile.gap_ms", _MS, "the least time between two, however much there is to ask"),
    Setting("reconcile.tickers_ms", whole(0, 3_600_000), "the least time between two questions for tickers, which give rate_usd; 0: never"),

    Setting("limits.inbox_most", _COUNT, "messages waiting to be decided; further requests are answered 503"),
    Setting("limits.batch_most", whole(1, 100_000), "messages decided and committed together"),
    Setting("limits.fillings_most", whole(0, 1_000), "turns of the event loop that a batch waits for more while more keep coming"),
    Setting("limits.threaded_orders_least", whole(1, 1_000_000), "a batch that changes so many orders is synced in a thread, beside the event loop, where the disk is slow"),
    Setting("limits.threaded_sync_least_us", whole(0, 10_000_000), "where syncs take so long lately, the disk is slow"),
    Setting("limits.wake_least_us", whole(0, 1_000_000), "the least time between two looks at the timers"),

    Setting("rate.requests_per_s", _COUNT, "what one account may ask of its exchange"),
    Setting("rate.cancel_reserve", whole(0, 10_000_000), "of these, kept for cancels"),

    Setting("http.omit_nulls", YES_NO, "leave null fields out of reports, for strict generated clients"),
    Setting("http.misspelt_media_type", YES_NO, "answer 490 and 504 as appliction/json, as the contract's documents spell it"),
    Setting("http.host_names", HOST_NAMES, "names in Host besides loopback names and the listen address; others get 421"),
    Setting("http.origins", ORIGINS, "origins whose web pages may use the API besides our own; others get 403"),
    Setting("http.body_bytes_max", _BYTES, "a longer body gets a 400 that names body"),
    Setting("http.headers_max", whole(10, 10_000), "more header fields get 431"),
    Setting("http.head_bytes_max", _BYTES, "a longer head gets 431"),
    Setting("http.request_bytes_max", _BYTES, "a request that is longer in all is cut off"),
    Setting("http.connections_max", whole(1, 65_536), "of one listener, without those of WebSocket; for a further one the one that was idle longest is closed, and where none is idle it gets 503"),
    Setting("http.request_timeout_s", seconds("0.1", "3600"), "for a request to arrive; then 408"),
    Setting("http.write_timeout_s", seconds("0.1", "3600"), "for a client to read its answer; then it is cut off"),
    Setting("http.keep_alive_s", whole(1, 86_400), "an idle connection is closed after this"),
    Setting("http.stop_timeout_s", whole(1, 3_600), "for running requests when the process stops"),
    Setting("http.key_requests_per_s", _COUNT, "requests per API key, by every protocol; one more gets 429"),
    Setting("http.attempts_per_min", whole(60, 10_000_000), "requests and logons from one address (of IPv6: one /64) that prove no key; one more gets 429. Who has a good key is not held up by them"),
    Setting("http.trusted_proxies", NETWORKS, "proxies whose X-Forwarded-For says from where a request comes (its rightmost address that is not one of them) and X-Forwarded-Proto whether over https. Not set: as the socket has it, whatever a header says"),
    Setting("http.public_url", PUBLIC_URL, "where people and clients reach the API, where that is not where it listens, as behind a proxy: for links, for /v1/endpoints, and taken as Host and Origin. Not set: where it listens"),
    Setting("http.backlog", whole(1, 65_535), "connections waiting to be accepted"),

    Setting("tls.listen", LISTEN, "where the API is served over TLS, to clients without a certificate; not set: nowhere", "--tls"),
    Setting("tls.clients_listen", LISTEN, "where it is served over TLS 1.3 to clients with a certificate of an API key, and to nobody else; not set: nowhere", "--tls-clients"),
    Setting("tls.certificate", PATH, "the server's certificate with its chain, in PEM; not set: `tls/server.pem` in `data`, which `fairlead tls init` makes"),
    Setting("tls.key", PATH, "its private key, readable by the owner alone; not set: in the same file"),
    Setting("tls.version_min", choice("TLSv1.2", "TLSv1.3"), "the oldest version of TLS on `tls.listen`"),
    Setting("tls.authorities", PATH, "whose client certificates are taken; not set: `tls/ca.pem` in `data`"),
    Setting("tls.revoked", PATH, "the authority's list of revoked certificates; not set: `tls/revoked.pem` in `data`"),
    Setting("tls.handshake_timeout_s", seconds("0.1", "3600"), "for a handshake; then the connection is closed"),
    Setting("tls.handshakes_max", whole(1, 65_536), "handshakes at a time, per listener; a further connection is closed"),

    Setting("http2.streams_max", whole(1, 10_000), "requests at a time; a further one is refused, to be sent again"),
    Setting("http2.control_frames_most", whole(10, 1_000_000), "resets, pings, settings, priorities and empty frames in a row; one more ends the connection"),
    Setting("http2.control_frames_per_s", whole(1, 1_000_000), "of these are forgiven each second, and one for every answer"),

    Setting("websocket.clients_max", whole(1, 65_536), "of one subscription, on all listeners; a further upgrade gets 503"),
    Setting("websocket.message_bytes_max", _BYTES, "a longer message of a client closes its connection (1009)"),
    Setting("websocket.requests_max", whole(1, 1_000_000), "requests of one client that are not answered; over it, its socket is not read"),
    Setting("websocket.slow_client_ms", _MS, "a client whose socket accepts nothing for so long is dropped (4008)"),
    Setting("websocket.resume_reports_max", _COUNT, "a client that missed more reports of an account gets snapshots instead"),
    Setting("websocket.server_info_ms", _MS, "between two SERVER_INFO of an account when nothing changes"),
    Setting("websocket.ping_interval_s", seconds("0.1", "3600"), "between two pings; a client that has not answered when the next is due is dropped"),
    Setting("websocket.close_timeout_s", seconds("0.1", "60"), "for a client to take leave; then the connection is cut"),

    Setting("feed.ring_reports", _COUNT, "reports per account that are kept in memory for those who follow them; older ones are read from the journal"),
    Setting("feed.ring_bytes", _BYTES, "bytes of their encodings that are kept per account"),
    Setting("feed.wake_most", whole(1, 100_000), "clients that are woken in one turn of the event loop"),

    Setting("fix.listen", LISTEN_OR_OFF, "where the FIX API is served", "--fix"),
    Setting("fix.tls_listen", LISTEN, "where it is served over TLS 1.3 to clients with a certificate of an API key, files and limits as in [tls]; not set: nowhere", "--fix-tls"),
    Setting("fix.comp_id", COMP_ID, "our SenderCompID, which clients give as TargetCompID (56)"),
    Setting("fix.cancel_on_disconnect", YES_NO, "whether orders end with their session, unless their Logon (8013) or their ExecInst (18) says otherwise"),
    Setting("fix.connections_max", whole(1, 65_536), "of one subscription and listener, and of those that are not logged on yet; a further one is closed at once"),
    Setting("fix.logon_timeout_s", seconds("0.1", "3600"), "for a Logon to arrive and be answered; then the connection is closed"),
    Setting("fix.slow_client_s", seconds("0.1", "3600"), "how long a client may read nothing while fix.output_bytes_max wait for it; then it is cut off"),
    Setting("fix.stop_timeout_s", seconds("0.1", "3600"), "for clients to answer our Logout when the process stops"),
    Setting("fix.output_bytes_max", _BYTES, "with more waiting for a client, it is told nothing new until it has read"),
    Setting("fix.message_bytes_max", _BYTES, "a longer message ends the connection"),
    Setting("fix.in_flight_max", whole(1, 1_000_000), "requests of one session that are being answered; until there are fewer nothing more is read from it"),
    Setting("fix.sent_messages_min", whole(1, 10_000_000), "messages kept of each session to be sent again; in place of older ones a gap fill is sent"),
    Setting("fix.mass_status_orders_max", _COUNT, "orders in the answer to a mass status request; of more, the newest"),
    Setting("fix.mass_status_reports_max", _COUNT, "reports of an account that are searched for orders that ended since the last mass status request"),
    Setting("fix.log_messages", YES_NO, "whether every message in and out is kept, without passwords, for `fairlead fix-log`"),
    Setting("fix.log_bytes_max", _BYTES, "bytes of a file of it; there are two, the oldest messages go"),

    Setting("control.url", DATABASE, "the control plane's database; not set: SQLite in the data folder. The password may stand in the environment instead, as PGPASSWORD"),
    Setting("control.key_file", PATH, "the key that locks what the control plane keeps secret, outside the data folder; not set: the credential fairlead-vault-key that systemd hands to the service, or else `data` with .key, beside it"),
    Setting("control.stop_unseen_s", seconds("3", "10"), "a system on PostgreSQL stops so long after it last saw that it alone serves by it, before another can be let in. Not set: it trades on, for a database that is down lets nobody in either"),
    Setting("control.usage_days", whole(62, 36_500), "for so many days what keys used is kept; what is older is deleted, billed or not. Not set: for ever"),

    Setting("mail.server", SERVER, "the mail server that letters to people are given to; not set: they are kept in the data folder, for `fairlead mail`, where the API is served on loopback, and elsewhere nothing that needs one is granted"),
    Setting("mail.sender", SENDER, "whom they are from"),
    Setting("mail.security", choice("starttls", "tls", "none"), "none: for a server on this machine"),
    Setting("mail.user", WORD, "by whom we sign in there; not set: by nobody"),
    Setting("mail.password", SECRET, "and with what; it may stand in the environment alone"),

    Setting("log.level", choice("debug", "info", "warning", "error"), "the least level that is logged", "--log-level"),
    Setting("log.format", choice("json", "text"), "json: one object per line; text: for people", "--log-format"),
    Setting("log.file", PATH, "where the log goes; not set: to stderr. SIGHUP has it opened anew", "--log-file"),
    Setting("log.file_bytes_max", _BYTES, "a file of this size becomes log.file.1, that one log.file.2 and so on"),
    Setting("log.file_count", whole(0, 1_000), "so many older ones are kept; 0: the file only grows, for logrotate to rename"),

    Setting("process.gc_freeze", YES_NO, "set the heap apart after start, so that it is never collected again"),
    Setting("process.gc_young_threshold", whole(700, 10_000_000), "objects made before the young ones are collected"),
    Setting("process.gc_full_interval_s", whole(0, 86_400), "a full collection, off the order path; 0: never"),
    Setting("process.switch_interval_us", whole(5, 100_000), "how long a thread keeps the interpreter while another waits"),
    Setting("process.awake_ms", whole(0, 60_000), "after an order that came alone no core sleeps so long, where /dev/cpu_dma_latency may be written; 0: they may sleep"),
)
# fmt: on

BY_NAME = {setting.name: setting for setting in SETTINGS}
