"""What a logon is decided by: who asks, which accounts there are, which session it is and where that stands.

Changes no session and says nothing: what is done about it is the client's.
"""

import msgspec

from fairlead.core.port import EdgePort
from fairlead.core.replies import Reply
from fairlead.core.requests import QueryAccounts
from fairlead.fix.happened import LogonAsked
from fairlead.fix.message import Message
from fairlead.fix.settings import SessionKey
from fairlead.gateway.callers import Caller
from fairlead.gateway.fixapi.cursor import Cursor, decode_cursor
from fairlead.gateway.fixapi.desk import Desk
from fairlead.gateway.fixapi.identifying import caller_of
from fairlead.gateway.peers import Peer

_TWICE = "this session is logged on already; a second one needs ResetSeqNumFlag (141) Y"


class Logon:
    """One connection's. `caller`: who asks, once that is known, None where nobody need say it.

    `identity`: what its sessions are known by beside what they say of themselves.
    """

    def __init__(self, desk: Desk, address: str, shown: Peer | None) -> None:
        """`address`: from where it comes. `shown`: by which certificate, where one is asked for."""
        self.caller: Caller | None = None
        self.identity = "" if shown is None else shown.key_id or shown.fingerprint
        self.has_certificate = shown is not None
        self._desk = desk
        self._address = address
        self._shown = shown

    def identify(self, message: Message) -> str | None:
        """Find out who asks; return why that is refused, None if it is not."""
        caller = caller_of(message, self._desk.doors, self._address, self._shown)
        if isinstance(caller, str):
            return caller
        if caller is not None:
            self.caller, self.identity = caller, caller.kid
        return None

    async def accounts(self, port: EdgePort) -> Reply:
        """Return what the edge says which accounts there are, as they are open when this returns.

        Raises ConnectionError when the edge is stopping.
        """
        access, caller = self._desk.doors.access, self.caller
        while True:
            open_before = None if access is None or caller is None else access.accounts(caller)
            reply = await port.submit(QueryAccounts(account=""))
            if access is None or caller is None or access.accounts(caller) == open_before:
                return reply

    def own(self, key: SessionKey) -> SessionKey:
        """Return the key of the session that is asked for, as this one's."""
        return msgspec.structs.replace(key, identity=self.identity)

    def session(self, asked: LogonAsked) -> SessionKey | str:
        """Return the key of the session that it gets, or why it gets none."""
        key = self.own(asked.key)
        if key not in self._desk.live:
            return key
        return self._desk.transient(key) if asked.is_reset else _TWICE

    def kept(self, asked: LogonAsked) -> Cursor:
        """Return where its client stood in the reports.

        What a transient session has not seen yet, its client has not seen in the other one.
        """
        return decode_cursor(self._desk.store.record(self.own(asked.key)).cursor)
