"""Who a Logon says that it is: by certificate, or the secret in Password (554), or both, which must agree."""

import msgspec

from fairlead.fix.message import Message
from fairlead.fix.tags import PASSWORD, USERNAME
from fairlead.gateway.callers import Access, Caller, agreed
from fairlead.gateway.peers import Peer
from fairlead.gateway.proxies import peer_address
from fairlead.gateway.usage import FIX


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


def claims(logon: Message) -> bool:
    """Whether a Logon says who it is, rightly or not."""
    return bool(logon.text(PASSWORD) or logon.text(USERNAME))
