"""users link, invite, list, remove; mail: people, as the machine's owner looks after them."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from fairlead.commands import show
from fairlead.commands.ending import Ended, ExitCode
from fairlead.commands.keeping import configured, granted, opened, owner
from fairlead.control.people.person import User
from fairlead.control.people.post import Kept, Sink
from fairlead.endpoint import FIRST_USER, INVITATION, endpoint_of, page_url, url_of
from fairlead.gateway.times import time_text

_COLUMNS = show.columns("e-mail", "user", "second factor", "since")


def link(
    config_file: Path | None, flags: Mapping[str, object], subscription: str, *, as_json: bool
) -> None:
    """Show what makes the first user. Raises Ended."""
    url = _url(config_file, flags)
    with opened(config_file, flags, subscription) as control:
        token = control.users.first_link(owner(), time.time_ns())
    if token is None:
        text = "there are users already; one of them, or `fairlead users invite`, invites others"
        raise Ended(ExitCode.REFUSED, text)
    shown = page_url(url, FIRST_USER, token)
    _show_link(shown, token, "/v1/auth/first-user", "a day", as_json=as_json)


def invite(
    config_file: Path | None,
    flags: Mapping[str, object],
    subscription: str,
    email: str,
    *,
    as_json: bool,
) -> None:
    """Show what makes somebody a user. Raises Ended."""
    url = _url(config_file, flags)
    with opened(config_file, flags, subscription) as control:
        token = granted(control.users.invite(owner(), email, time.time_ns()))
    shown = page_url(url, INVITATION, token)
    _show_link(shown, token, "/v1/auth/invitation", "seven days", as_json=as_json)


def _url(config_file: Path | None, flags: Mapping[str, object]) -> str:
    """Return where people find the console: as configured, else as it is or would be served. Raises Ended."""
    config = configured(config_file, flags)
    if config.http.public_url is not None:
        return config.http.public_url
    try:
        endpoint = endpoint_of(config.data)
    except (OSError, msgspec.DecodeError):
        endpoint = None
    return (
        url_of("http", config.listen.host, config.listen.port) if endpoint is None else endpoint.url
    )


def _show_link(link: str, token: str, path: str, lasts: str, *, as_json: bool) -> None:
    if as_json:
        show.out(json.dumps({"token": token, "path": path, "link": link}))
        return
    show.out(link)
    show.out(f"it works once, for {lasts}")


def listed(
    config_file: Path | None, flags: Mapping[str, object], subscription: str, *, as_json: bool
) -> None:
    """Print every user. Raises Ended."""
    with opened(config_file, flags, subscription) as control:
        users = control.users.listed()
    if as_json:
        show.out(json.dumps([_shown(each) for each in users]))
        return
    rows = [
        [
            each.email,
            each.user,
            "on" if each.has_second_factor else "off",
            show.short_time(time_text(each.created_ns)),
        ]
        for each in users
    ]
    show.table(_COLUMNS, rows, "there are no users; `fairlead users link` makes the first")


def remove(
    config_file: Path | None,
    flags: Mapping[str, object],
    subscription: str,
    name: str,
    *,
    as_json: bool,
) -> None:
    """Remove a user, and print who it was. Raises Ended."""
    with opened(config_file, flags, subscription) as control:
        user = granted(control.users.remove(owner(), name, time.time_ns()))
    show.out(json.dumps(_shown(user)) if as_json else f"{user.email} is no user any more")


def mail(
    config_file: Path | None, flags: Mapping[str, object], count: int, *, as_json: bool
) -> None:
    """Print the last letters of the sink. Raises Ended."""
    config = configured(config_file, flags)
    if config.mail.server is not None:
        raise Ended(
            ExitCode.REFUSED, f"letters are given to {config.mail.server}, none is kept here"
        )
    try:
        letters = Sink(config.data).letters()[-count:]
    except OSError as error:
        raise Ended(ExitCode.FATAL, str(error)) from None
    if as_json:
        for each in letters:
            show.out(json.dumps(_letter(each)))
        return
    for each in letters:
        show.out(f"── {show.short_time(time_text(each.time_ns))}  to {each.to}")
        show.out(f"{each.subject}\n\n{each.text}")
    if not letters:
        show.out("nothing has been written yet")


def _letter(kept: Kept) -> dict[str, str]:
    return {
        "time": time_text(kept.time_ns),
        "to": kept.to,
        "subject": kept.subject,
        "text": kept.text,
    }


def _shown(user: User) -> dict[str, object]:
    return {
        "user": user.user,
        "email": user.email,
        "second_factor": user.has_second_factor,
        "created": time_text(user.created_ns),
    }
