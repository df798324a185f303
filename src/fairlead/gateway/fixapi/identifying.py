"""Who a Logon says that it is: by certificate, or the secret in Password (554), or both, which must agree."""

import msgspec

from fairlead.control.keys import Scope
from fairlead.fix.message import Message
from fairlead.fix.tags import PASSWORD, USERNAME
from fairlead.gateway.callers import Access, Caller, agreed
from fairlead.gateway.guard import Doors
from fairlead.gateway.peers import Peer
from fairlead.gateway.proxies import peer_address
from fairlead.gateway.usage import FIX


def caller_of(
    logon: Message, doors: Doors, address: str, shown: Peer | None
) -> Caller | str | None:
    """Find out who calls; in open mode only if any who is shown.

    Returns why the logon is refused where it is, and None where nobody need say who they are.
    """
    access = doors.access
    is_shown = shown is not None or bool(logon.text(PASSWORD) or logon.text(USERNAME))
    if access is None or (access.is_open and not is_shown):
        return None
    caller = identified(access, logon, address, shown)
    # Its key may have come to be while the connection was shown to this desk.
    if caller is None or not doors.has(caller):
        return access.nobody(peer_address(address), is_shown=is_shown).message
    refused = access.refusal(caller, Scope.READ, "")
    return caller if refused is None else refused.message


def identified(access: Access, logon: Message, address: str, shown: Peer | None) -> Caller | None:
    """Return who that is, None if nobody; the key's public id may be in Username (553)."""
    origin = peer_address(address)
    secret, name = logon.text(PASSWORD), logon.text(USERNAME)
    found = []
    if shown is not None:
        found.append(access.identify_certificate(shown.fingerprint, origin))
    if secret or shown is None:
        found.append(access.identify(secret, origin))
    caller = agreed(found)
    if caller is None or name not in ("", caller.kid):
        return None
    return msgspec.structs.replace(caller, protocol=FIX)
