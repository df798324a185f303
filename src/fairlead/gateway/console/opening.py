"""The console's machine side, put together: what answers people, and where their letters go."""

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from starlette.types import ASGIApp

from fairlead.control.control import Control
from fairlead.control.people.post import Post, Sink, Smtp, SmtpSettings
from fairlead.gateway.console.entering import Entering
from fairlead.gateway.console.front import Desk, Front, Part, is_loopback
from fairlead.gateway.console.grants import Grants
from fairlead.gateway.console.living import Living
from fairlead.gateway.console.others import Others
from fairlead.gateway.console.own import Own
from fairlead.gateway.console.own_certificates import OwnCertificates
from fairlead.gateway.console.own_keys import OwnKeys
from fairlead.gateway.console.page import FOLDER, Page
from fairlead.gateway.proxies import Proxies


def open_desk(
    control: Control,
    data: Path,
    smtp: SmtpSettings | None,
    now_ns: Callable[[], int],
    proxies: Proxies,
    listens: Iterable[str],
    look: Callable[[], Awaitable[None]] | None = None,
) -> Desk:
    """Return what people's calls work with. `listens`: the addresses of all listeners; `look`: as in Desk.

    Without a mail server letters are kept only where nobody comes from elsewhere: who is signed in reads
    them, and with them the codes of everybody.
    """
    is_local = not proxies.are_there and all(map(is_loopback, listens))
    post: Post | None
    if smtp is not None:
        post, mail = Smtp(smtp), "smtp"
    elif is_local:
        post, mail = Sink(data), "sink"
    else:
        post, mail = None, "none"
    return Desk(control, post, mail, now_ns, proxies, look)


def front_of(
    behind: ASGIApp, desk: Desk, page: str, folder: Path = FOLDER, living: Living | None = None
) -> Front:
    """Return what answers people's calls before `behind`.

    `page`: where they find the console, whose files are in `folder`, if it is built. `living`: what is open
    of a key.
    """
    return Front(behind, desk, Page(folder), *parts_of(desk, page, living))


def parts_of(desk: Desk, page: str, living: Living | None = None) -> tuple[Part, ...]:
    """Return what takes the calls of people; `page` and `living` as for `front_of`."""
    return (
        Entering(desk),
        Own(desk),
        Others(desk),
        Grants(desk, page),
        OwnKeys(desk, living),
        OwnCertificates(desk),
    )
