"""The orders of the load: per connection a cycle of four, of which exactly two end filled.

    1  SIM         BUY   rests in the book, at one of 32 prices    FILLED by a 2
    2  SIM/ALICE   SELL  takes a resting order wholly              FILLED
    3  SIM         BUY   IOC below every ask                       CANCELED
    4  SIM/ALICE   SELL  IOC above every bid                       CANCELED

A connection sends its 2 only when its 1 is answered, so there is always a resting order for it, of the
same size: the book never holds more orders than there are connections, and no other order is ever in it.
Two accounts, because an order does not trade with its own account's.
"""

from collections.abc import Iterator

import msgspec

from benchmarks.load import NextRequest, random_ids, request_bytes

SYMBOL = "SIM_SPOT_BTC_USDT"
QUANTITY = "0.0002"
ID = b"@" * 36
"""Stands where the client order id of an order will stand."""
_LEVELS = 32


class Planned(msgspec.Struct, frozen=True):
    """What an order of the cycle is, but for its id."""

    account: str
    side: str
    price: str
    time_in_force: str

    def body(self) -> bytes:
        """Return it as the body of a POST, with `ID` where the id belongs."""
        return (
            f'{{"exchange_id":"{self.account}","client_order_id":"{ID.decode()}",'
            f'"symbol_id_coinapi":"{SYMBOL}","amount_order":{QUANTITY},"price":{self.price},'
            f'"side":"{self.side}","order_type":"LIMIT","time_in_force":"{self.time_in_force}"}}'
        ).encode()


def cycle() -> list[Planned]:
    """Return the orders of a connection, from the first until they repeat."""
    planned: list[Planned] = []
    for level in range(_LEVELS):
        planned += [
            Planned("SIM", "BUY", f"50000.{level:02}", "GOOD_TILL_CANCEL"),
            Planned("SIM/ALICE", "SELL", "49999.50", "GOOD_TILL_CANCEL"),
            Planned("SIM", "BUY", "49000.50", "IMMEDIATE_OR_CANCEL"),
            Planned("SIM/ALICE", "SELL", "51000.50", "IMMEDIATE_OR_CANCEL"),
        ]
    return planned


def connections(
    address: tuple[str, int], number: int, total: int, headers: bytes = b""
) -> list[NextRequest]:
    """Return the requests of `number` connections that send `total` orders or a few less.

    Every connection sends whole cycles. `headers`: further ones of every request.
    """
    halves: list[tuple[bytes, bytes]] = []
    for planned in cycle():
        before, _, after = request_bytes(address, planned.body(), headers).partition(ID)
        halves.append((before, after))
    ids = random_ids()
    each = share(number, total)
    return [_connection(halves, ids, each, 4 * start) for start in range(number)]


def share(number: int, total: int) -> int:
    """Return how many orders each of `number` connections sends of `total`: whole cycles of four."""
    return max(4, total // number // 4 * 4)


def resting(address: tuple[str, int], total: int) -> list[NextRequest]:
    """Return the requests of one connection that places `total` orders which stay in the book."""
    halves: list[tuple[bytes, bytes]] = []
    for number in range(100):
        planned = Planned("SIM", "BUY", f"40000.{number:02}", "GOOD_TILL_CANCEL")
        before, _, after = request_bytes(address, planned.body()).partition(ID)
        halves.append((before, after))
    return [_connection(halves, random_ids(), total, 0)]


def harmless_order() -> bytes:
    """Return the body of an order that ends at once and unfilled."""
    planned = Planned("SIM/ALICE", "SELL", "51000.50", "IMMEDIATE_OR_CANCEL")
    return planned.body().replace(ID, next(random_ids()))


def _connection(
    halves: list[tuple[bytes, bytes]], ids: Iterator[bytes], most: int, start: int
) -> NextRequest:
    size = len(halves)
    sent = 0

    def next_request() -> bytes | None:
        nonlocal sent
        if sent == most:
            return None
        before, after = halves[(start + sent) % size]
        sent += 1
        return before + next(ids) + after

    return next_request
