"""One client of one account before an edge that answers as a test says, and tells reports when it says."""

import asyncio
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from fairlead.core.model import AccountMode, Order, Stage
from fairlead.core.port import Released
from fairlead.core.replies import AccountsReply, AccountState, OrderReply, Reply
from fairlead.core.reports import Cause, OrderReport
from fairlead.core.requests import QueryAccounts, Request
from fairlead.fix.store import Store
from fairlead.gateway.feed import Feed
from fairlead.gateway.fixapi.client import Client
from fairlead.gateway.fixapi.desk import Desk
from fairlead.gateway.fixapi.settings import FixSettings
from tests.fix.spoken import NOW, Field, say, say_logon
from tests.gateway.fixapi.wires import Said, Wire, turns
from tests.gateway.orders import ORDER
from tests.gateway.scripted_edge import ScriptedEdge

OPEN = replace(ORDER, stage=Stage.WORKING, in_doubt_ns=None, cancel_pending=False)
PENDING = replace(OPEN, cancel_pending=True)
CANCELED = replace(OPEN, stage=Stage.CANCELED)
FILLED = replace(OPEN, stage=Stage.FILLED)
_SETTINGS = FixSettings(comp_id="SERVER", log_messages=False)
_TIME: Field = (60, "20260101-00:00:00")


def cancel(cancel_id: str, number: int) -> bytes:
    """Return the OrderCancelRequest for the order."""
    named: list[Field] = [(41, ORDER.client_order_id), (207, ORDER.account)]
    return say("F", number, (11, cancel_id), *named, _TIME, now_ns=NOW)


def accounts_reply(sequences: Mapping[str, int]) -> AccountsReply:
    """Return that there are these accounts, open for orders; `sequences`: that of each one's last report."""
    mode = AccountMode.ACTIVE
    return AccountsReply(
        tuple(
            AccountState(account, mode, True, True, True, None, sequence, 0, 0, None, None)
            for account, sequence in sequences.items()
        )
    )


class World:
    """`sequences`: by account, that of its last report. `answer` answers all but which accounts there are."""

    def __init__(self, store: Store) -> None:
        self.sequences = {ORDER.account: 0}
        self.answer: Callable[[Request], Reply] = lambda _: OrderReply(ORDER)
        self.edge = ScriptedEdge()
        self.edge.script = self._answer
        self.desk = Desk(self.edge, Feed(self.edge), store, _SETTINGS, lambda: NOW)

    def _answer(self, request: Request) -> Reply:
        if not isinstance(request, QueryAccounts):
            return self.answer(request)
        return accounts_reply(self.sequences)

    def answers_with(self, order: Order, sequence: int) -> None:
        """Have what is asked from now on answered with the order as of a report."""
        reply = OrderReply(replace(order, sequence=sequence))
        self.answer = lambda _: reply

    async def log_on(self, number: int = 1, more: bytes = b"") -> tuple[Client, Wire]:
        """Log a client on that says `more` with its Logon."""
        wire = Wire()
        client = Client(self.desk, wire, "peer")
        client.received(say_logon(number, now_ns=NOW) + more)
        await turns()
        return client, wire

    async def tell(self, cause: Cause, order: Order, sequence: int) -> None:
        """Have a report become durable, `order` being the order as of it."""
        order = replace(order, sequence=sequence)
        self.sequences[order.account] = sequence
        report = OrderReport(order.account, sequence, order.number, NOW, cause)
        self.edge.release(Released(report, order))
        await turns()

    def hold(self) -> None:
        """Hold answers back until `let_go`."""
        self.edge.gate = asyncio.Event()

    async def let_go(self) -> None:
        """Have the answers arrive."""
        assert self.edge.gate is not None
        self.edge.gate.set()
        await turns()


def told(wire: Wire, msg_type: str) -> list[Said]:
    """Return the messages of one type that were said."""
    return [said for said in wire.said if said[35] == msg_type]


def reports(wire: Wire) -> list[str]:
    """Return the ids of the reports that were told."""
    return [said[17] for said in told(wire, "8")]
