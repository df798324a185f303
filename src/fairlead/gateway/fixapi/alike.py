"""The NewOrderSingles of one session. What orders mostly repeat (account, instrument, side, time in
force) is read once by `asking`, and then only what is each order's own.

Must never read a message otherwise than `asking.read_place` does: whatever is not plain is left to it.
"""

from decimal import Decimal

import msgspec

from fairlead.core.requests import PlaceOrder
from fairlead.fix.message import Fault, Message
from fairlead.fix.tags import SENDING_TIME
from fairlead.fix.times import TimeReader
from fairlead.gateway.fixapi import words
from fairlead.gateway.fixapi.asking import (
    PLACE_TAGS,
    Declined,
    is_decimal,
    read_place,
)
from fairlead.gateway.forms import is_client_order_id
from fairlead.gateway.numbers import DIGITS_MAX

ALIKE_MOST = 1_024
_KEY = (
    words.EX_DESTINATION, words.SECURITY_EXCHANGE, words.ACCOUNT,
    words.SECURITY_ID, words.SECURITY_ID_SOURCE, words.SYMBOL,
    words.ORD_TYPE, words.SIDE, words.TIME_IN_FORCE, words.EXEC_INST,
)  # fmt: skip
_OWN_TAGS = PLACE_TAGS - {words.EXPIRE_TIME}  # an order that ends by time is read whole


class Alike:
    """Reads orders placed by `session`; see `asking.read_place`."""

    def __init__(self, session: str, *, ends_with_session: bool) -> None:
        self._session = session
        self._ends_with_session = ends_with_session
        self._known: dict[tuple[bytes | None, ...], PlaceOrder] = {}
        self._numbers: dict[bytes, Decimal] = {}  # prices and quantities, by how they were written
        self._read_time = TimeReader().read

    @property
    def known_count(self) -> int:
        """Return how many orders that are not alike are remembered."""
        return len(self._known)

    def read(self, message: Message) -> PlaceOrder | Fault | Declined:
        """Return the order that a NewOrderSingle asks for, or why there is none."""
        values = message.values
        key = tuple(map(values.get, _KEY))
        known = self._known.get(key)
        if known is None:
            return self._read_whole(message, key)
        return self._read_own(known, values) or read_place(
            message, self._session, self._ends_with_session
        )

    def _read_whole(
        self, message: Message, key: tuple[bytes | None, ...]
    ) -> PlaceOrder | Fault | Declined:
        place = read_place(message, self._session, self._ends_with_session)
        if type(place) is PlaceOrder and place.expire_time_ns is None:
            if len(self._known) >= ALIKE_MOST:
                self._known.clear()
            self._known[key] = place
        return place

    def _read_own(self, known: PlaceOrder, values: dict[int, bytes]) -> PlaceOrder | None:
        """Return what is `known` with the id, price and quantity of these values; None: not plain."""
        own_id, moment = values.get(words.CL_ORD_ID, b""), values.get(words.TRANSACT_TIME, b"")
        price = self._number(values.get(words.PRICE, b""))
        quantity = self._number(values.get(words.ORDER_QTY, b""))
        if (
            price is None
            or quantity is None
            or not values.keys() <= _OWN_TAGS
            or values.get(words.CL_ORD_LINK_ID, own_id) != own_id
            # The session has read the SendingTime already.
            or (moment != values.get(SENDING_TIME) and self._read_time(moment) is None)
        ):
            return None
        client_order_id = own_id.decode("latin-1")
        if not is_client_order_id(client_order_id):
            return None
        return msgspec.structs.replace(
            known, client_order_id=client_order_id, price=price, quantity=quantity
        )

    def _number(self, text: bytes) -> Decimal | None:
        """Return a price or quantity, exactly as it is written; None: not a plain one above zero."""
        known = self._numbers.get(text)
        if known is not None:
            return known
        if not is_decimal(text) or len(text) > DIGITS_MAX:
            return None
        number = Decimal(text.decode())
        if number <= 0:
            return None
        if len(self._numbers) >= ALIKE_MOST:
            self._numbers.clear()
        self._numbers[text] = number
        return number
