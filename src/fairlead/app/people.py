"""The console's machine side as this process runs it: what answers people, their mail, their reminders."""

from collections.abc import Iterable, Mapping
from typing import Self

from starlette.types import ASGIApp

from fairlead.app.plane import ControlPlane
from fairlead.config import Config
from fairlead.config.model import MailConfig
from fairlead.control.audit import Actor
from fairlead.control.people.post import SmtpSettings
from fairlead.core.port import EdgePort
from fairlead.edge.clock import Wall
from fairlead.endpoint import CONSOLE
from fairlead.gateway.callers import Access
from fairlead.gateway.console.front import Desk
from fairlead.gateway.console.living import Living
from fairlead.gateway.console.opening import front_of, open_desk
from fairlead.gateway.console.reminding import Reminding
from fairlead.gateway.proxies import Proxies

_AT_THE_START = Actor("start", "local", "machine")


class People:
    """From `open` to `stop`; needs the control plane open in between."""

    def __init__(self, desk: Desk, wall: Wall) -> None:
        self._desk = desk
        self._now_ns = wall.now_ns
        self._reminding = Reminding(desk, wall.sleep)

    @classmethod
    def open(
        cls,
        config: Config,
        plane: ControlPlane,
        proxies: Proxies,
        listen: Iterable[tuple[str, int]],
        wall: Wall,
    ) -> Self:
        """Begin to remind people, and be ready to answer them. `listen`: where HTTP is served."""
        smtp = _smtp(config.mail)
        hosts = [host for host, _ in listen]
        desk = open_desk(plane.control, config.data, smtp, wall.now_ns, proxies, hosts, plane.look)
        people = cls(desk, wall)
        people._reminding.start()
        return people

    def front(
        self, behind: ASGIApp, url: str, access: Access, ports: Mapping[str, EdgePort]
    ) -> ASGIApp:
        """Return what answers people's calls before `behind`. `url`: by which people reach us.

        `access` and `ports`: where it is seen what is open of a key.
        """
        living = Living(access, ports)
        return front_of(behind, desk=self._desk, page=url + CONSOLE, living=living)

    async def are_there(self) -> bool:
        """Whether anybody can sign in. Raises ControlError."""
        return await self._desk.run(self._desk.control.users.are_there)

    async def first_link(self) -> str | None:
        """Return a new token that makes the first user, earlier ones void; None if there are users.

        Raises ControlError.
        """
        users = self._desk.control.users
        return await self._desk.run(lambda: users.first_link(_AT_THE_START, self._now_ns()))

    async def stop(self) -> None:
        """Remind nobody more, do what was to be done later, and answer nobody."""
        await self._reminding.stop()
        await self._desk.finish()
        self._desk.close()


def _smtp(mail: MailConfig) -> SmtpSettings | None:
    if mail.server is None:
        return None
    return SmtpSettings(
        host=mail.server.host,
        port=mail.server.port,
        sender=mail.sender,
        security=mail.security,
        user=mail.user,
        password=mail.password.text,
    )
