"""Following over connections that end, as values: messages in, events out, where to go on."""

from decimal import Decimal

import msgspec
import pytest

from fairlead.client.events import (
    AccountInfo,
    BalancesSnapshot,
    BalanceUpdate,
    OrdersSnapshot,
    OrderUpdate,
    PositionsSnapshot,
    PositionUpdate,
    SymbolsSnapshot,
)
from fairlead.client.following import Following
from fairlead.gateway.rendering import Renderer, encode
from tests.gateway.orders import ORDER

BALANCE = (
    '"id":"USDT","asset_id_exchange":"USDT","asset_id_coinapi":"USDT","balance":1000.10,'
    '"available":1000.10,"locked":0,"traded":0,"last_updated_by":"EXCHANGE","rate_usd":null,'
    '"age_ms":3,"source":"EXCHANGE","rate_usd_age_ms":null'
)
POSITION = (
    '"id":"BTC/USDT:BUY","symbol_id_exchange":"BTC/USDT:PERP","symbol_id_coinapi":"SIM_PERP_BTC_USDT",'
    '"avg_entry_price":40000.5,"quantity":0.1,"side":"BUY","unrealized_pnl":-1,"leverage":10,'
    '"cross_margin":true,"liquidation_price":null,"raw_data":{"mark_price":39999},"age_ms":3,'
    '"source":"EXCHANGE"'
)
SYMBOL = (
    '"symbol_id_coinapi":"SIM_SPOT_BTC_USDT","symbol_id_exchange":"BTC/USDT",'
    '"asset_id_base_exchange":"BTC","asset_id_quote_exchange":"USDT","asset_id_base_coinapi":"BTC",'
    '"asset_id_quote_coinapi":"USDT","price_precision":0.01,"size_precision":0.000001'
)


def order(sequence: int, account: str = "SIM") -> bytes:
    changed = msgspec.structs.replace(ORDER, account=account, sequence=sequence)
    return encode(Renderer().order(changed))


def message(kind: str, sequence: int, rest: str, account: str = "SIM") -> bytes:
    head = f'"type":"{kind}","exchange_id":"{account}"'
    return f'{{{head},{rest},"sequence":{sequence}}}'.encode()


def snapshot(kind: str, sequence: int, row: str = "", account: str = "SIM") -> bytes:
    rows = f"{{{row}}}" if row else ""
    return message(f"{kind}_SNAPSHOT", sequence, f'"data":[{rows}]', account)


def info(sequence: int, account: str = "SIM") -> bytes:
    return message(
        "SERVER_INFO",
        sequence,
        '"time":"2026-01-05T09:30:00.0000000Z","instance_guid":"g","server_version":"1",'
        '"server_name":"fairlead","dns_name":"h","is_running":true,'
        '"time_server_start":"2026-01-05T09:30:00.0000000Z","connected":true,"reconciled":true,'
        '"trouble":null,"resumed":false',
        account,
    )


def opening(sequence: int, account: str = "SIM") -> list[bytes]:
    kinds = ("SYMBOLS", "ORDER_EXEC_REPORT", "BALANCE", "POSITION")
    return [
        info(sequence, account),
        *(snapshot(kind, sequence, account=account) for kind in kinds),
    ]


def told(following: Following, *messages: bytes) -> list[int]:
    """Take messages; return the sequences of what they told."""
    taken = [following.take(each) for each in messages]
    return [each.sequence for each in taken if each is not None]


def test_every_message_is_its_event_with_exact_numbers() -> None:
    following = Following()
    rows = [snapshot("SYMBOLS", 7, SYMBOL), snapshot("BALANCE", 7, BALANCE)]
    symbols, balances = map(following.take, rows)
    assert isinstance(symbols, SymbolsSnapshot)
    assert symbols.symbols[0].price_precision == Decimal("0.01")
    assert isinstance(balances, BalancesSnapshot)
    assert str(balances.balances[0].balance) == "1000.10"
    (report,) = msgspec.json.decode(b"[" + order(5) + b"]", type=list[msgspec.Raw])
    orders = following.take(
        b'{"type":"ORDER_EXEC_REPORT_SNAPSHOT","exchange_id":"SIM","sequence":7,"data":['
        + bytes(report)
        + b"]}"
    )
    assert isinstance(orders, OrdersSnapshot)
    assert orders.orders[0].client_order_id == ORDER.client_order_id
    positions = following.take(snapshot("POSITION", 7, POSITION))
    assert isinstance(positions, PositionsSnapshot)
    assert positions.positions[0].avg_entry_price == Decimal("40000.5")
    update = following.take(order(8))
    assert isinstance(update, OrderUpdate)
    assert update.order == msgspec.structs.replace(orders.orders[0], sequence=8)
    balance = following.take(message("BALANCE_UPDATE", 9, BALANCE))
    assert isinstance(balance, BalanceUpdate)
    assert balance.balance == balances.balances[0]
    position = following.take(message("POSITION_UPDATE", 10, POSITION))
    assert isinstance(position, PositionUpdate)
    assert position.position == positions.positions[0]
    account = following.take(info(10))
    assert isinstance(account, AccountInfo)
    assert (account.trouble, account.resumed, account.reconciled) == (None, False, True)


def test_the_first_connection_asks_for_everything_and_the_next_goes_on_after_what_was_told() -> (
    None
):
    following = Following()
    assert following.path == "/v1/ws"
    told(following, *opening(7), *opening(3, "SIM/ALICE"), order(8), order(10))
    assert following.path == "/v1/ws?from=10:SIM&from=3:SIM%2FALICE"


def test_nothing_is_told_twice() -> None:
    following = Following(after={"SIM": 8})
    assert told(following, order(8), order(9), order(9), order(10)) == [9, 10]


def test_an_opening_that_was_cut_off_is_asked_for_again() -> None:
    following = Following()
    told(following, *opening(7)[:-1])
    assert following.path == "/v1/ws"
    following = Following(after={"SIM": 3})
    told(following, info(7), order(4), order(5))
    assert following.path == "/v1/ws?from=5:SIM"


def test_of_a_journal_that_is_not_the_one_of_before_all_is_told() -> None:
    """A system restored from a backup has fewer reports: it sends snapshots, and goes on from there."""
    following = Following(after={"SIM": 5_000})
    assert told(following, *opening(20), order(21)) == [20, 20, 20, 20, 20, 21]
    assert following.path == "/v1/ws?from=21:SIM"


def test_another_accounts_events_are_left_out() -> None:
    following = Following("SIM/ALICE")
    assert told(following, *opening(7), *opening(3, "SIM/ALICE"), order(8)) == [3] * 5
    assert following.path == "/v1/ws?from=3:SIM%2FALICE"


def test_what_is_not_known_is_left_out_and_what_cannot_be_read_is_said() -> None:
    following = Following()
    assert following.take(b'{"type":"NEWS","exchange_id":"SIM"}') is None
    assert following.take(message("MESSAGE_REJECT", 0, '"reject_reason":"OTHER"')) is None
    for wrong in (b"{", b"[]", message("BALANCE_UPDATE", 1, '"id":"USDT"')):
        with pytest.raises(msgspec.MsgspecError):
            following.take(wrong)


def test_one_waits_longer_each_time_until_something_is_told() -> None:
    following = Following()
    waits = [following.retry_s() for _ in range(8)]
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    following.take(info(1))
    assert following.retry_s() == 0.1
