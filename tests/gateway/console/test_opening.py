"""Where letters go: to a mail server, into the sink where all who come are on this machine, or nowhere."""

from pathlib import Path

import pytest

from fairlead.control.addresses import networks_of
from fairlead.control.control import Control
from fairlead.control.people.post import SmtpSettings
from fairlead.gateway.console.opening import open_desk
from fairlead.gateway.proxies import Proxies

SMTP = SmtpSettings(host="mail", port=587, sender="ems@desk.example")


@pytest.mark.parametrize(
    ("smtp", "trusted", "listens", "mail"),
    [
        (SMTP, (), ("0.0.0.0",), "smtp"),
        (None, (), ("127.0.0.1",), "sink"),
        (None, (), ("127.0.0.1", "::1"), "sink"),
        (None, (), ("0.0.0.0",), "none"),
        (None, (), ("127.0.0.1", "192.0.2.1"), "none"),
        (None, ("127.0.0.1/32",), ("127.0.0.1",), "none"),
    ],
    ids=["server", "loopback", "both loopbacks", "everywhere", "TLS elsewhere", "behind a proxy"],
)
def test_letters_are_kept_only_where_nobody_comes_from_elsewhere(
    tmp_path: Path,
    smtp: SmtpSettings | None,
    trusted: tuple[str, ...],
    listens: tuple[str, ...],
    mail: str,
) -> None:
    proxies = Proxies(networks_of(trusted))
    with Control.open(tmp_path / "data", None, None, "local", 1) as control:
        desk = open_desk(control, tmp_path, smtp, lambda: 1, proxies, listens)
        assert desk.mail == mail
        assert (desk.post is None) == (mail == "none")
        desk.close()
