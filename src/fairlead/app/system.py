"""The running system: its parts built in order, and taken down in reverse.

    addresses → the folder of `local` → control plane, exchange (unless it runs elsewhere) → what the control
    plane knows → subscriptions, an edge each, with a link per account → people → the application, served

What the control plane needs is imported while it is opened. Must never decide anything about an order.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from fairlead.app.embedded import EXCHANGE_FOLDER, embedded_exchange, way_to_exchange
from fairlead.app.fatal import Fatal
from fairlead.app.interpreter import Collections, process_registry, tuned
from fairlead.app.listening import Listening
from fairlead.app.metrics import Metrics
from fairlead.app.tenant import Common
from fairlead.app.tenants import Tenants
from fairlead.app.wakeful import Wakeful
from fairlead.config import Config
from fairlead.config.loading import KEYS
from fairlead.control.addresses import networks_of
from fairlead.control.errors import ControlError
from fairlead.disk.folders import make_folder
from fairlead.disk.whereabouts import FileGone, Whereabouts, opened_database
from fairlead.edge.clock import Wall
from fairlead.endpoint import (
    ENDPOINT_FILE,
    FIRST_USER,
    Endpoint,
    page_url,
    url_of,
    write_endpoint,
)
from fairlead.exchange.server import Exchange
from fairlead.exchange.store_file import FILE_NAME as EXCHANGE_FILE
from fairlead.gateway.callers import Access
from fairlead.gateway.fixapi.entrance import Entrance
from fairlead.gateway.marks import Mark
from fairlead.gateway.proxies import Proxies
from fairlead.gateway.refusing import RefusedCollector

if TYPE_CHECKING:
    from fairlead.app.people import People
    from fairlead.app.plane import ControlPlane
    from fairlead.control.people.passwords import Cost

SYSTEM_WALL = Wall()


class System:
    """From `start` to `stop`. `fatal` knows why it must stop, if it must. For one event loop."""

    def __init__(
        self, config: Config, wall: Wall = SYSTEM_WALL, password_cost: "Cost | None" = None
    ) -> None:
        """`wall`: the wall clock of every part. `password_cost`: of each check, None: that of the product."""
        self.fatal = Fatal()
        self._config = config
        self._wall = wall
        self._password_cost = password_cost
        self._loop = asyncio.get_running_loop()
        self._registry = process_registry()
        self._proxies = Proxies(networks_of(config.http.trusted_proxies))
        # Who may manage is asked always, who may trade only with authentication.
        is_open = config.authentication != KEYS
        self._access = Access(
            wall.now_ns,
            config.http.key_requests_per_s,
            attempts_per_min=config.http.attempts_per_min,
            is_open=is_open,
            mark=Mark(config.data),
        )
        self._listening: Listening | None = None
        self._tenants: Tenants | None = None
        self._plane: asyncio.Future[ControlPlane] | None = None
        self._exchange: Exchange | None = None
        self._people: People | None = None
        self._is_announced = False
        self._whereabouts = Whereabouts(self._on_gone)
        self._has_its_files = True
        self._collections: Collections | None = None
        self._wakeful = Wakeful(self._loop, config.process.awake_ms)

    async def start(self) -> Endpoint:
        """Build and start the parts; when this returns, the API answers.

        Raises JournalError, StoreError (of either store), ControlError, TapeError, FolderError, ListenError
        and OSError; then nothing is left running.
        """
        make_folder(self._config.data)
        self._listening = listening = Listening(self._config)
        try:
            await self._start(listening)
        except BaseException:
            await self.stop()
            raise
        self._collections = tuned(self._config.process, self._loop)
        return self._announce()

    async def _start(self, listening: Listening) -> None:
        config, access = self._config, self._access
        common = Common(
            config,
            lambda: way_to_exchange(config, self._exchange, self._loop),
            self.fatal.tell,
            access,
            self._wall.now_ns,
            listening.has_fix,
            self._wakeful.saw,
            self._whereabouts,
        )
        self._tenants = tenants = Tenants(common)
        tenants.open()
        self._plane = self._loop.run_in_executor(None, self._open_plane)
        self._exchange = embedded_exchange(config, self._wall.now_ns, self.fatal.tell)  # meanwhile
        plane = await self._plane
        self._whereabouts.add(plane.files)
        await plane.take_lease()
        await plane.import_accounts()
        if self._exchange is not None:
            self._exchange.start()  # not before: its markets move from then on
            self._whereabouts.add(opened_database(config.data / EXCHANGE_FOLDER / EXCHANGE_FILE))
        listening.bind_secure(access, self._wall, plane.renew_files)
        await plane.follow(access, tenants, listening.secure.look)
        await tenants.start()
        listening.put_fix_behind(Entrance(tenants.desks, config.fix.settings, access))
        await listening.start(self._application(plane, tenants, listening))
        self._whereabouts.start()

    async def stop(self) -> None:
        """Take the parts down in reverse; running requests may finish, open orders stay open."""
        self._whereabouts.stop()
        if self._collections is not None:
            self._collections.cancel()
        self._wakeful.close()
        is_ours = self._is_announced and self._has_its_files
        if is_ours:  # a file that is there later is of a process that was killed
            (self._config.data / ENDPOINT_FILE).unlink(missing_ok=True)
        if self._listening is not None:
            await self._listening.stop_http()
        if self._tenants is not None:
            await self._tenants.let_clients_go()
        if self._listening is not None:
            await self._listening.stop_fix()
        if self._has_its_files:
            self._access.settle()
        plane = await self._opened_plane()
        if plane is not None:
            await plane.stop_following()
        if self._people is not None:
            await self._people.stop()
        if plane is not None:
            plane.close()
        if self._tenants is not None:
            self._tenants.close()
        if plane is not None:  # no account is connected any more
            await plane.release()
        if self._exchange is not None:
            self._exchange.close()

    def _on_gone(self, cause: FileGone) -> None:
        """Stop, and change nothing in the folder: it may be another's by now."""
        self._has_its_files = False
        if self._tenants is not None:
            self._tenants.fail(cause)
        self.fatal.tell(cause)

    # ── parts ────────────────────────────────────────────────────────────────────────────────────

    def _open_plane(self) -> "ControlPlane":
        """Open the control plane. For a thread: its imports are had meanwhile."""
        from fairlead.app.plane import ControlPlane

        return ControlPlane.open(self._config, self._wall, self.fatal.tell, self._password_cost)

    async def _opened_plane(self) -> "ControlPlane | None":
        if self._plane is not None:
            with contextlib.suppress(ControlError, OSError):  # it was not opened; the start said so
                return await self._plane
        return None

    def _application(
        self, plane: "ControlPlane", tenants: Tenants, listening: Listening
    ) -> ASGIApp:
        from fairlead.app.application import Parts, application
        from fairlead.app.people import People

        config, access = self._config, self._access
        listen = listening.http_addresses
        self._people = people = People.open(config, plane, self._proxies, listen, self._wall)
        self._registry.register(RefusedCollector(access.refused, listening.secure.refused))
        return application(
            Parts(
                config=config,
                wall=self._wall,
                access=access,
                proxies=self._proxies,
                plane=plane,
                tenants=tenants,
                listening=listening,
                people=people,
                metrics=Metrics(self._registry, tenants, listening.fix_servers),
                exchange=self._exchange,
                url=self._public_url(listening),
            )
        )

    def _announce(self) -> Endpoint:
        assert self._listening is not None
        has_operator = self._exchange is not None
        endpoint = self._listening.endpoint(self._config.data, has_operator=has_operator)
        write_endpoint(self._config.data, endpoint)
        self._is_announced = True
        return endpoint

    def _public_url(self, listening: Listening) -> str:
        return self._config.http.public_url or url_of("http", *listening.address)

    # ── what is asked of a system that has been started ──────────────────────────────────────────

    def pulse(self) -> Callable[[], bool]:
        """Return what feels whether every edge is alive."""
        assert self._tenants is not None
        return self._tenants.pulse()

    async def has_users(self) -> bool:
        """Whether anybody can sign in. Raises ControlError."""
        assert self._people is not None
        return await self._people.are_there()

    async def first_user_link(self) -> str | None:
        """Return a new link by which the first user is made, earlier ones void; None if there are users.

        Raises ControlError.
        """
        assert self._people is not None
        assert self._listening is not None
        token = await self._people.first_link()
        url = self._public_url(self._listening)
        return None if token is None else page_url(url, FIRST_USER, token)

    @contextlib.asynccontextmanager
    async def demonstration_key(self) -> AsyncIterator[str]:
        """Give the secret of a key of the demonstration's own, which is revoked at the end.

        Raises ControlError.
        """
        plane = await self._opened_plane()
        assert plane is not None
        async with plane.brief_key(f"Demo{self._wall.now_ns() // 1_000_000}") as secret:
            yield secret
