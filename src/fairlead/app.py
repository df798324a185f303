"""The composition root: builds the parts in order, runs them, takes them down in reverse.

    journal → control plane, exchange (unless it runs elsewhere) → edge with a link per account → gateway

Reads the clocks, installs the signal handlers, tunes the garbage collector. Must never decide
anything about an order.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from prometheus_client.metrics_core import Metric
from starlette.types import ASGIApp, Receive, Scope, Send

from fairlead.config import Config, Listen
from fairlead.config.loading import KEYS
from fairlead.control.addresses import networks_of
from fairlead.control.audit import Actor
from fairlead.control.errors import ControlError
from fairlead.core.exact import use_exact_decimals
from fairlead.core.port import EdgePort
from fairlead.core.requests import LOCAL
from fairlead.edge.clock import Wall
from fairlead.endpoint import (
    CONSOLE,
    ENDPOINT_FILE,
    FIRST_USER,
    Endpoint,
    page_url,
    url_of,
    write_endpoint,
)
from fairlead.exchange.build import Setup, build_exchange
from fairlead.exchange.operator import operator_app
from fairlead.exchange.server import Exchange
from fairlead.gateway.answers import CALLER
from fairlead.gateway.callers import Access, Caller
from fairlead.gateway.fixapi.acceptor import FixConnection, FixServer, fix_collector
from fairlead.gateway.fixapi.entrance import Entrance
from fairlead.gateway.health import of_subscription
from fairlead.gateway.http2 import Http2Protocol
from fairlead.gateway.listeners import FixListener, ListenerSettings, SecureListeners
from fairlead.gateway.management.accounts import AccountsApi
from fairlead.gateway.management.api import ManagementApi
from fairlead.gateway.management.certificates import CertificatesApi
from fairlead.gateway.management.endpoints import EndpointsApi, Listener
from fairlead.gateway.management.exchanges import ExchangesApi
from fairlead.gateway.management.usage import UsageApi
from fairlead.gateway.marks import Mark
from fairlead.gateway.protocol import BoundedProtocol
from fairlead.gateway.proxies import Proxies
from fairlead.gateway.refusing import RefusedCollector
from fairlead.gateway.routing import for_the_owner
from fairlead.gateway.server import HttpServer, address_of, bind, gateway_app, new_trace_id
from fairlead.gateway.websocket.wire import WebSocketProtocol
from fairlead.interpreter import Collections, process_registry, tuned
from fairlead.supervisor import Supervisor
from fairlead.tenants import Tenants
from fairlead.venues.link import Tcp
from fairlead.venues.pipe import Pipe

if TYPE_CHECKING:
    from fairlead.control.control import Control
    from fairlead.control.following import ControlFollowed, Followed
    from fairlead.control.keeper import AccountKeepers
    from fairlead.control.lease import LeaseKept
    from fairlead.control.metering import Metering
    from fairlead.control.usage import UsageAsked, Used
    from fairlead.gateway.console.front import Desk as PeopleDesk
    from fairlead.gateway.console.reminding import Reminding

log = structlog.get_logger()

EXIT_OK = 0
EXIT_FATAL = 70  # EX_SOFTWARE of sysexits.h
EXCHANGE_FOLDER = "exchange"

SYSTEM = Wall()
OnReady = Callable[["App", Endpoint], Awaitable[None] | None]


class App:
    """A running system. `fatal` resolves to the cause when it must stop."""

    def __init__(self, config: Config, wall: Wall = SYSTEM) -> None:
        """`wall` is the wall clock of every part."""
        self._config = config
        self._wall = wall
        self._loop = asyncio.get_running_loop()
        self.fatal: asyncio.Future[BaseException] = self._loop.create_future()
        self._exchange: Exchange | None = None
        self._tenants: Tenants | None = None
        self._registry = process_registry()
        self._fix: FixServer | None = None
        self._fix_tls: FixServer | None = None
        self._server: HttpServer | None = None
        self._secure: SecureListeners | None = None
        self._control: asyncio.Future[Control] | None = None
        self._lease: LeaseKept | None = None
        self._followed: ControlFollowed | None = None
        self._keepers: AccountKeepers | None = None
        self._metering: Metering | None = None
        self._proxies = Proxies(networks_of(config.http.trusted_proxies))
        self._people: PeopleDesk | None = None
        self._reminding: Reminding | None = None
        # Who may manage is asked always, who may trade only with authentication.
        is_open = config.authentication != KEYS
        self._access = Access(
            wall.now_ns,
            config.http.key_requests_per_s,
            attempts_per_min=config.http.attempts_per_min,
            is_open=is_open,
            mark=Mark(config.data),
        )
        self._is_announced = False
        self._collections: Collections | None = None

    async def start(self) -> Endpoint:
        """Build and start the parts; when this returns, the API answers.

        Raises JournalError, StoreError (of either store), ControlError, TapeError, FolderError, ListenError
        and OSError; then nothing is left running.
        """
        config = self._config
        config.data.mkdir(parents=True, exist_ok=True)
        bound = _bind(config.listen)
        bound_fix = None
        try:
            if config.fix.listen is not None:
                bound_fix = _bind(config.fix.listen)
            has_fix = bound_fix is not None or config.fix.tls_listen is not None
            self._tenants = tenants = Tenants(
                config,
                self._connect,
                self._on_fatal,
                self._access,
                self._wall.now_ns,
                has_fix=has_fix,
            )
            tenants.open()
            self._control = self._loop.run_in_executor(
                None, _open_control, config, self._wall.now_ns()
            )
            if config.exchange_url is None:  # meanwhile
                self._exchange = self._make_exchange()
            control = await self._control
            await self._take_lease(control)
            await self._loop.run_in_executor(
                None, _import_accounts, config, control, self._wall.now_ns()
            )
            if self._exchange is not None:
                self._exchange.start()  # not before: its markets move from then on
            self._secure = self._bind_secure(control)
            await self._follow(control, tenants, self._secure)
            await tenants.start()
            self._make_fix(tenants, bound_fix, self._secure.fix)
            listen = (address_of(bound), *self._secure.addresses)
            self._people = self._open_people(control, listen)
            app = self._gateway(control, tenants, listen)
            self._server = HttpServer(app, bound, config.http.connections, config.websocket)
            await self._server.start()
            await self._secure.start(app)
            for fix in self._fix_servers():
                await fix.start()
        except BaseException:
            await self.stop()
            bound.close()
            if bound_fix is not None:
                bound_fix.close()
            raise
        self._collections = tuned(config.process, self._loop)
        return self._write_endpoint(self._server)

    async def stop(self) -> None:
        """Take the parts down in reverse; running requests may finish, open orders stay open."""
        if self._collections is not None:
            self._collections.cancel()
        if self._is_announced:  # a file that is there later is of a process that was killed
            (self._config.data / ENDPOINT_FILE).unlink(missing_ok=True)
        if self._server is not None:
            await self._server.stop()
        if self._secure is not None:
            await self._secure.stop()
        if self._tenants is not None:
            await self._tenants.let_clients_go()
        for fix in self._fix_servers():
            await fix.stop()
        self._access.settle()
        if self._metering is not None:
            await self._metering.stop()
        if self._keepers is not None:
            await self._keepers.stop()
        if self._followed is not None:
            await self._followed.stop()
        if self._reminding is not None:
            await self._reminding.stop()
        if self._people is not None:
            await self._people.finish()
            self._people.close()
        if self._control is not None:
            with contextlib.suppress(ControlError, OSError):  # it was not opened; the start said so
                (await self._control).close()
        if self._tenants is not None:
            self._tenants.close()
        if self._lease is not None:  # no account is connected any more
            await self._lease.stop()
        if self._exchange is not None:
            self._exchange.close()

    async def _take_lease(self, control: "Control") -> None:
        """See that no other system serves by the database, nor will. Raises ControlError."""
        url = self._config.control.url
        if url is None:
            return
        from fairlead.control.lease import Lease, LeaseKept

        place = control.store.place
        lease = await self._loop.run_in_executor(None, Lease.take, url.text, place)
        self._lease = LeaseKept(lease, self._on_fatal)
        self._lease.start()

    def _bind_secure(self, control: "Control") -> SecureListeners:
        from fairlead.control.tls_files import keep

        config = self._config
        settings = ListenerSettings(
            folder=config.tls_folder,
            files=config.tls.files,
            version_min=config.tls.version_min,
            connections=config.http.connections,
            tls=config.tls.limits,
            http2=config.http2,
            websocket=config.websocket,
        )
        listen, clients_listen, fix_listen = (
            None if each is None else (each.host, each.port)
            for each in (config.tls.listen, config.tls.clients_listen, config.fix.tls_listen)
        )
        return SecureListeners(
            listen,
            clients_listen,
            settings,
            lambda peer: self._access.is_in_force(peer.fingerprint),
            fix_listen,
            self._wall.now_ns,
            renew=lambda: keep(control, config.tls_folder, self._wall.now_ns()),
        )

    async def _follow(self, control: "Control", tenants: Tenants, secure: SecureListeners) -> None:
        """Know subscriptions, keys, certificates and accounts, from now on."""
        from fairlead.control.following import ControlFollowed
        from fairlead.control.keeper import AccountKeepers
        from fairlead.control.metering import Metering

        access = self._access
        ends = access.end_the_uncovered

        def take(followed: "Followed") -> None:
            secure.look()
            tenants.take(followed)

        self._followed = ControlFollowed(control, take, ends, self._on_fatal)
        await self._followed.start()
        look = self._followed.look
        now_ns, sleep = self._wall
        self._keepers = AccountKeepers(control, tenants.edge_of, look, now_ns)
        self._metering = Metering(control.store, access.usage, now_ns, self._on_fatal, sleep=sleep)
        self._metering.start()

    def _make_exchange(self) -> Exchange:
        settings = self._config.exchange
        setup = Setup(
            folder=self._config.data / EXCHANGE_FOLDER,
            seed=settings.seed,
            participants=settings.participants,
            market_tape=tuple(str(path) for path in settings.market_tape),
            tape_speed=settings.market_speed,
            settings=settings.settings,
        )
        exchange = build_exchange(
            setup, self._wall.now_ns, lambda text: log.warning("tape", text=text)
        )
        exchange.on_failure = self._on_fatal
        return exchange

    def _connect(self) -> Tcp | Pipe:
        address = self._config.exchange_address
        if address is not None:
            return Tcp(self._loop, address.host, address.port)
        assert self._exchange is not None
        return Pipe(self._loop, self._exchange.connection)

    def _make_fix(
        self, tenants: Tenants, bound: socket.socket | None, secured: FixListener | None
    ) -> None:
        entrance = Entrance(tenants.desks, self._config.fix.settings, self._access)
        if bound is not None:
            self._fix = FixServer(entrance, bound)
        if secured is not None:
            self._fix_tls = FixServer(entrance, secured.bound, secured.security)

    def _fix_servers(self) -> list[FixServer]:
        return [each for each in (self._fix, self._fix_tls) if each is not None]

    def _gateway(
        self, control: "Control", tenants: Tenants, listen: tuple[tuple[str, int], ...]
    ) -> ASGIApp:
        async def websocket(scope: Scope, receive: Receive, send: Send) -> None:
            await tenants.of(scope.get(CALLER)).websocket(scope, receive, send)

        assert self._secure is not None
        self._registry.register(RefusedCollector(self._access.refused, self._secure.refused))
        mounts: dict[bytes, ASGIApp] = {}
        if self._exchange is not None:
            mounts[b"/operator"] = for_the_owner(operator_app(self._exchange))
        return gateway_app(
            tenants.ports,
            listen,
            tenants.readiness,
            self._metrics,
            rest=self._config.http.rest,
            border=self._config.http.border,
            mounts=mounts,
            websocket=websocket,
            access=self._access,
            management=self._management(control, tenants, listen[0]),
            people=self._front(tenants, listen[0]),
            proxies=self._proxies,
        )

    def _metrics(self, caller: Caller | None) -> Iterator[Metric]:
        """Yield the numbers of the process, and those of the caller's subscription."""
        assert self._tenants is not None
        tenant = self._tenants.of(caller)
        collectors = [*tenant.collectors()]
        if tenant.desk is not None:
            collectors.append(fix_collector(tenant.desk, self._fix_servers()))
        yield from self._registry.collect()
        for collector in collectors:
            yield from of_subscription(tenant.name, collector.collect())

    def _open_people(self, control: "Control", listen: tuple[tuple[str, int], ...]) -> "PeopleDesk":
        from fairlead.control.people.post import SmtpSettings
        from fairlead.gateway.console.opening import open_desk
        from fairlead.gateway.console.reminding import Reminding

        mail, smtp = self._config.mail, None
        if mail.server is not None:
            smtp = SmtpSettings(
                host=mail.server.host,
                port=mail.server.port,
                sender=mail.sender,
                security=mail.security,
                user=mail.user,
                password=mail.password.text,
            )
        now_ns, sleep = self._wall
        hosts = [host for host, _ in listen]
        assert self._followed is not None
        look = self._followed.look
        desk = open_desk(control, self._config.data, smtp, now_ns, self._proxies, hosts, look)
        self._reminding = Reminding(desk, sleep)
        self._reminding.start()
        return desk

    def _front(self, tenants: Tenants, listen: tuple[str, int]) -> Callable[[ASGIApp], ASGIApp]:
        from fairlead.gateway.console.living import Living
        from fairlead.gateway.console.opening import front_of

        assert self._people is not None
        living = Living(self._access, tenants.ports)
        page = self._public_url(listen) + CONSOLE
        return partial(front_of, desk=self._people, page=page, living=living)

    def _public_url(self, listen: tuple[str, int]) -> str:
        return self._config.http.public_url or url_of("http", *listen)

    async def has_users(self) -> bool:
        """Whether anybody can sign in; the app must have been started. Raises ControlError."""
        assert self._people is not None
        return await self._people.run(self._people.control.users.are_there)

    async def first_user_link(self) -> str | None:
        """Return a new link by which the first user is made, earlier ones void; None if there are users.

        The app must have been started. Raises ControlError.
        """
        assert self._people is not None
        assert self._server is not None
        users, actor = self._people.control.users, Actor("start", "local", "machine")
        token = await self._people.run(lambda: users.first_link(actor, self._wall.now_ns()))
        url = self._public_url(self._server.address)
        return None if token is None else page_url(url, FIRST_USER, token)

    def _management(
        self, control: "Control", tenants: Tenants, listen: tuple[str, int]
    ) -> ManagementApi:
        keepers = self._keepers
        assert self._secure is not None
        assert keepers is not None
        assert self._followed is not None
        listeners = [Listener("http", *listen), *self._secure.listening]
        if self._fix is not None:
            listeners.append(Listener("fix", *self._fix.address))

        def port_of(caller: Caller) -> EdgePort:
            return tenants.ports[caller.subscription]

        public_url = self._config.http.public_url
        endpoints = EndpointsApi(listeners, port_of, self._access, new_trace_id, public_url)
        usage = UsageApi(self._read_usage, self._access, self._wall.now_ns)
        accounts = AccountsApi(
            lambda caller: keepers.of(caller.subscription), self._access, new_trace_id
        )
        certificates = CertificatesApi(
            lambda subscription: control.of(subscription).certificates,
            self._followed.look,
            self._access,
        )
        return ManagementApi(accounts, ExchangesApi(), endpoints, usage, certificates)

    async def _read_usage(self, asked: "UsageAsked", limit: int) -> "list[Used]":
        assert self._metering is not None
        return await self._metering.read(asked, limit)

    def pulse(self) -> Callable[[], bool]:
        """Return what feels whether every edge is alive; the app must have been started."""
        assert self._tenants is not None
        return self._tenants.pulse()

    def _on_fatal(self, cause: BaseException) -> None:
        log.error("fatal", cause=f"{type(cause).__name__}: {cause}", exc_info=cause)
        if not self.fatal.done():
            self.fatal.set_result(cause)

    def on_loop_error(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take what the loop caught: an error of ours stops the process, one of a client does not."""
        cause = context.get("exception")
        of_clients = BoundedProtocol | Http2Protocol | WebSocketProtocol | FixConnection
        is_of_client = isinstance(context.get("protocol"), of_clients)
        if is_of_client or cause is None or isinstance(cause, OSError):
            log.warning("loop", text=context.get("message"), cause=repr(cause))
        else:
            self._on_fatal(cause)

    def _write_endpoint(self, server: HttpServer) -> Endpoint:
        url = url_of("http", *server.address)
        operator_url = url if self._exchange is not None else None
        assert self._secure is not None
        endpoint = Endpoint(
            url,
            operator_url,
            os.getpid(),
            str(self._config.data.resolve()),
            _where(self._fix),
            self._secure.https,
            self._secure.https_clients,
            _where(self._fix_tls),
        )
        write_endpoint(self._config.data, endpoint)
        self._is_announced = True
        return endpoint


async def run(
    config: Config,
    on_ready: OnReady | None = None,
    supervisor: Supervisor | None = None,
    wall: Wall = SYSTEM,
) -> int:
    """Serve until SIGINT, SIGTERM or a fatal error; return the exit code (0, or 70 when fatal).

    `on_ready` is called with the system, and awaited if it is a coroutine, beside the serving. `supervisor`
    is told that we serve, and then that we are alive for as long as the pump is.
    Raises what `App.start` raises.
    """
    use_exact_decimals()
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, stopping.set)
    app = App(config, wall)
    loop.set_exception_handler(app.on_loop_error)
    endpoint = await app.start()
    log.info("serving", url=endpoint.url, fix=endpoint.fix, data=endpoint.data, pid=endpoint.pid)
    beside: list[asyncio.Task[None]] = []
    if on_ready is not None:
        beside.append(asyncio.create_task(_call(on_ready, app, endpoint)))
    if supervisor is not None:
        supervisor.serving(endpoint.url)
        beside.append(asyncio.create_task(supervisor.keep_told(app.pulse())))
    for task in beside:
        task.add_done_callback(_ended_beside)
    app.fatal.add_done_callback(lambda _: stopping.set())
    await stopping.wait()
    if supervisor is not None:
        supervisor.stopping()
    for task in beside:
        task.cancel()
    if beside:
        await asyncio.wait(beside)
    await app.stop()
    if app.fatal.done():
        cause = app.fatal.result()
        sys.stderr.write(f"fairlead: stopped: {type(cause).__name__}: {cause}\n")
        return EXIT_FATAL
    log.info("stopped")
    return EXIT_OK


async def _call(on_ready: OnReady, app: App, endpoint: Endpoint) -> None:
    result = on_ready(app, endpoint)
    if result is not None:
        await result


def _ended_beside(task: asyncio.Task[None]) -> None:
    """Say what went wrong beside the serving, which goes on, and stops as ever."""
    cause = None if task.cancelled() else task.exception()
    if cause is not None:
        log.error("failed beside the serving", cause=f"{type(cause).__name__}: {cause}")


def _open_control(config: Config, now_ns: int) -> "Control":
    """Open the control plane. Raises ControlError and OSError.

    For a thread: 0.2 s of imports are had meanwhile.
    """
    from fairlead.control.control import Control

    url = None if config.control.url is None else config.control.url.text
    return Control.open(config.data, url, config.control.key_file, LOCAL, now_ns)


def _import_accounts(config: Config, control: "Control", now_ns: int) -> None:
    """Have the control plane know the configured accounts. Raises ControlError and OSError."""
    from fairlead.config.importing import import_accounts

    import_accounts(config, control.accounts, now_ns)


def _bind(listen: Listen) -> socket.socket:
    """Return a socket bound there. Raises OSError, its `filename` being the address."""
    try:
        return bind(listen.host, listen.port)
    except OSError as error:
        error.filename = str(listen)
        raise


def _where(server: FixServer | None) -> str | None:
    return None if server is None else str(Listen(*server.address))
