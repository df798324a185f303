"""The orders in memory, found by our number, the client's id or the exchange's.

Holds every unsettled order and, for the length of one batch, the settled ones that the batch's
messages name. Must never decide anything about an order.
"""

from collections.abc import Iterable, Iterator

from fairlead.core.model import Order


class Orders:
    """An index; an order is put again whenever it changes, and replaces what was there.

    Of several orders that the exchange has under one client id (strangers' may be) the first put is
    the one found by it.
    """

    def __init__(self) -> None:
        self._by_number: dict[int, Order] = {}
        self._by_client: dict[tuple[str, str], int] = {}
        self._by_venue_client: dict[tuple[str, str], int] = {}
        self._by_exchange: dict[tuple[str, str], list[int]] = {}
        self._by_account: dict[str, dict[int, None]] = {}
        self._by_session: dict[tuple[str, str], dict[int, None]] = {}

    def __len__(self) -> int:
        return len(self._by_number)

    def put(self, order: Order) -> None:
        """Add the order, or replace what was known of it."""
        previous = self._by_number.get(order.number)
        self._by_number[order.number] = order
        if previous is None:
            self._by_client[order.account, order.client_order_id] = order.number
            self._by_venue_client.setdefault((order.account, order.venue_client_id), order.number)
            self._by_account.setdefault(order.account, {})[order.number] = None
            if order.ends_with_session:
                session_key = (order.account, order.session)
                self._by_session.setdefault(session_key, {})[order.number] = None
        if order.exchange_order_id is not None and (
            previous is None or previous.exchange_order_id is None
        ):
            key = (order.account, order.exchange_order_id)
            self._by_exchange.setdefault(key, []).append(order.number)

    def drop(self, number: int) -> None:
        """Forget an order that is in the index."""
        order = self._by_number.pop(number)
        del self._by_client[order.account, order.client_order_id]
        venue_key = (order.account, order.venue_client_id)
        if self._by_venue_client.get(venue_key) == number:
            del self._by_venue_client[venue_key]
        del self._by_account[order.account][number]
        if order.ends_with_session:
            session_key = (order.account, order.session)
            numbers_of_session = self._by_session[session_key]
            del numbers_of_session[number]
            if not numbers_of_session:
                del self._by_session[session_key]
        if order.exchange_order_id is not None:
            key = (order.account, order.exchange_order_id)
            numbers = self._by_exchange[key]
            numbers.remove(number)
            if not numbers:
                del self._by_exchange[key]

    def get(self, number: int) -> Order | None:
        """Return the order of that number."""
        return self._by_number.get(number)

    def by_client_id(self, account: str, client_order_id: str) -> Order | None:
        """Return the order of that client id."""
        number = self._by_client.get((account, client_order_id))
        return None if number is None else self._by_number[number]

    def by_venue_client_id(self, account: str, venue_client_id: str) -> Order | None:
        """Return the order of the client id that the exchange was given."""
        number = self._by_venue_client.get((account, venue_client_id))
        return None if number is None else self._by_number[number]

    def by_exchange_id(
        self, account: str, exchange_order_id: str, symbol_exchange: str | None = None
    ) -> Order | None:
        """Return the order of that id; some exchanges count ids per market, so one may be named."""
        for number in self._by_exchange.get((account, exchange_order_id), ()):
            order = self._by_number[number]
            if symbol_exchange is None or order.symbol_exchange == symbol_exchange:
                return order
        return None

    def of_account(self, account: str) -> Iterator[Order]:
        """Yield the account's orders in memory, oldest first, as of now."""
        for number in sorted(self._by_account.get(account, ())):
            yield self._by_number[number]

    def ending_with(self, account: str, session: str) -> Iterator[Order]:
        """Yield the account's orders in memory that end with the session, oldest first, as of now."""
        for number in sorted(self._by_session.get((account, session), ())):
            yield self._by_number[number]

    def all(self) -> Iterable[Order]:
        """Return every order in memory."""
        return self._by_number.values()
