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
from itertools import count, islice

from benchmarks.load import NextRequest, random_ids, request_bytes

_ID = b"@" * 36
_LEVELS = 32


def _body(account: str, side: str, price: str, time_in_force: str) -> bytes:
    return (
        f'{{"exchange_id":"{account}","client_order_id":"{_ID.decode()}",'
        f'"symbol_id_coinapi":"SIM_SPOT_BTC_USDT","amount_order":0.0002,"price":{price},'
        f'"side":"{side}","order_type":"LIMIT","time_in_force":"{time_in_force}"}}'
    ).encode()


def _cycles() -> Iterator[bytes]:
    for number in count():
        yield _body("SIM", "BUY", f"50000.{number % _LEVELS:02}", "GOOD_TILL_CANCEL")
        yield _body("SIM/ALICE", "SELL", "49999.50", "GOOD_TILL_CANCEL")
        yield _body("SIM", "BUY", "49000.50", "IMMEDIATE_OR_CANCEL")
        yield _body("SIM/ALICE", "SELL", "51000.50", "IMMEDIATE_OR_CANCEL")


def connections(address: tuple[str, int], number: int, total: int) -> list[NextRequest]:
    """Return the requests of `number` connections that send `total` orders or a few less.

    Every connection sends whole cycles.
    """
    cycle = list(islice(_cycles(), 4 * _LEVELS))
    halves: list[tuple[bytes, bytes]] = []
    for body in cycle:
        before, _, after = request_bytes(address, body).partition(_ID)
        halves.append((before, after))
    ids = random_ids()
    each = max(4, total // number // 4 * 4)
    return [_connection(halves, ids, each, 4 * start) for start in range(number)]


def resting(address: tuple[str, int], total: int) -> list[NextRequest]:
    """Return the requests of one connection that places `total` orders which stay in the book."""
    halves: list[tuple[bytes, bytes]] = []
    for number in range(100):
        body = _body("SIM", "BUY", f"40000.{number:02}", "GOOD_TILL_CANCEL")
        before, _, after = request_bytes(address, body).partition(_ID)
        halves.append((before, after))
    return [_connection(halves, random_ids(), total, 0)]


def harmless_order() -> bytes:
    """Return the body of an order that ends at once and unfilled."""
    body = _body("SIM/ALICE", "SELL", "51000.50", "IMMEDIATE_OR_CANCEL")
    return body.replace(_ID, next(random_ids()))


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
