"""Mass status requests of one session, answered: the orders found, a few in each turn of the event loop.

Reports go on meanwhile, so an order is told as the newest that the client has been told of it.
"""

from collections.abc import Awaitable, Callable

from fairlead.core.port import EdgePort
from fairlead.core.replies import Refusal, Refused
from fairlead.fix.happened import Received
from fairlead.fix.message import Fault
from fairlead.fix.session import Session
from fairlead.gateway.fixapi import asking, telling, words
from fairlead.gateway.fixapi.asking import Declined, MassStatus
from fairlead.gateway.fixapi.desk import Desk
from fairlead.gateway.fixapi.mass_status import Found, find_orders
from fairlead.gateway.fixapi.requests import Mouth, Requests
from fairlead.gateway.fixapi.telling import Part
from fairlead.gateway.guard import NotAllowed

_TOLD_AT_ONCE = 200


class MassStatuses:
    """The mass status requests of one session."""

    def __init__(
        self,
        desk: Desk,
        port: EdgePort,
        session: Session,
        mouth: Mouth,
        asked: dict[str, int],
        turn: Callable[[], Awaitable[None]],
        keep: Callable[[], None],
    ) -> None:
        """`asked`: by account, up to where the last request looked; changed here, and then `keep` is called.

        `turn` returns in a later turn of the event loop in which the client takes more.
        """
        self._desk = desk
        self._port = port
        self._session = session
        self._mouth = mouth
        self._asked = asked
        self._turn = turn
        self._keep = keep

    def take(self, received: Received, requests: Requests) -> None:
        """Answer a request, as one of `requests`."""
        asked = asking.read_mass_status(received.message)
        if isinstance(asked, Fault):
            if self._mouth.reject(received.message, asked):
                self._mouth.dealt(received)
        elif isinstance(asked, Declined):
            self._say_no_orders(received, asked.text)
        else:
            requests.start(self._answer(received, asked))

    async def _answer(self, received: Received, asked: MassStatus) -> None:
        with self._mouth.meanwhile.asking():
            await self._tell(received, asked)

    async def _tell(self, received: Received, asked: MassStatus) -> None:
        desk = self._desk
        if asked.account and asked.account not in self._asked:
            self._say_no_orders(received, _not_an_account(asked.account))
            return
        # Of an account that is away nothing can be told: it is not here, or not this client's any more.
        present = [account for account in self._asked if account in self._mouth.told]
        accounts = [asked.account] if asked.account else present
        orders = []
        ends: dict[str, int] = {}
        for account in accounts:
            try:
                found = await find_orders(self._port, account, self._asked[account], desk.settings)
            except (ConnectionError, NotAllowed):
                return  # the server stops, or the session ends; it will be asked for again
            if isinstance(found, Found):
                orders += found.orders
                ends[account] = found.sequence
            elif found.refusal is not Refusal.ACCOUNT_UNKNOWN:
                self._refuse(received, found)
                return
            elif asked.account:
                self._say_no_orders(received, _not_an_account(account))
                return
        for at, order in enumerate(orders):
            if at % _TOLD_AT_ONCE == 0:
                await self._turn()
            part = Part(asked.request_id, len(orders), at == len(orders) - 1)
            more = telling.of_mass_status(part)
            exec_id, now_ns = desk.new_id("S"), desk.now_ns()
            newest = self._mouth.meanwhile.newest(order)
            body = telling.status(newest, exec_id, self._mouth.terms, now_ns, more)
            self._mouth.say(words.EXECUTION_REPORT, body)
        if not self._session.is_up:
            return
        self._asked |= ends
        self._keep()
        if orders:
            self._mouth.dealt(received)
        else:
            self._say_no_orders(received, "there are no orders")

    def _refuse(self, received: Received, refused: Refused) -> None:
        """Say that it could not be looked; the next request looks from where this one would have."""
        body = telling.not_looked(received.message, refused)
        if self._mouth.say(words.BUSINESS_MESSAGE_REJECT, body):
            self._mouth.dealt(received)

    def _say_no_orders(self, received: Received, text: str) -> None:
        message, desk = received.message, self._desk
        part = Part(message.text(words.MASS_STATUS_REQ_ID), 0, True)
        account = message.text(words.SECURITY_EXCHANGE)
        exec_id, more = desk.new_id("S"), telling.of_mass_status(part)
        body = telling.unknown_status("", account, "", exec_id, text, desk.now_ns(), more)
        if self._mouth.say(words.EXECUTION_REPORT, body):
            self._mouth.dealt(received)


def _not_an_account(account: str) -> str:
    return f"{account} is not an account of this server"
