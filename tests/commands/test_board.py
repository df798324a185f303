"""What a watcher sees, as values: events in, lines and tables out."""

from decimal import Decimal

import msgspec

from fairlead.client.events import (
    AccountInfo,
    BalancesSnapshot,
    BalanceUpdate,
    OrdersSnapshot,
    OrderUpdate,
    PositionsSnapshot,
    PositionUpdate,
)
from fairlead.client.shapes import (
    Balance,
    Fill,
    OrderReport,
    Position,
    PositionDetails,
    StatusChange,
)
from fairlead.commands.board import FILLS_MOST, Board

D = Decimal
TIME = "2026-01-05T09:30:00.0000000Z"
FILL = Fill(TIME, D(40000), D("0.1"), "7", D("0.40"), "USDT", "TAKER")
ORDER = OrderReport(
    exchange_id="SIM",
    client_order_id="a",
    client_order_id_format_exchange="x",
    symbol_id_coinapi="SIM_SPOT_BTC_USDT",
    symbol_id_exchange="BTC/USDT",
    side="BUY",
    amount_order=D("0.5"),
    amount_open=D("0.5"),
    amount_filled=D(0),
    price=D("40000.00"),
    avg_px=D(0),
    time_in_force="GOOD_TILL_CANCEL",
    exec_inst=(),
    status="NEW",
    status_history=(StatusChange("NEW", TIME),),
    fills=(),
    in_doubt=False,
    sequence=5,
    time_order=TIME,
)
INFO = AccountInfo(
    exchange_id="SIM",
    sequence=5,
    time=TIME,
    is_running=True,
    connected=True,
    reconciled=True,
    instance_guid="g",
    server_version="1",
)


def order(**changes: object) -> OrderUpdate:
    changed = msgspec.structs.replace(ORDER, **changes)
    return OrderUpdate("SIM", changed.sequence, changed)


def filled(count: int, status: str, **changes: object) -> OrderUpdate:
    fills = tuple(msgspec.structs.replace(FILL, trade_id=str(number)) for number in range(count))
    return order(fills=fills, amount_filled=D("0.1") * count, status=status, **changes)


def balance(total: str, available: str, asset: str = "USDT") -> Balance:
    return Balance(
        asset_id_coinapi=asset,
        asset_id_exchange=asset,
        balance=D(total),
        available=D(available),
        locked=D(total) - D(available),
        traded=D(0),
        last_updated_by="EXCHANGE",
        age_ms=1,
        source="EXCHANGE",
    )


def position(quantity: str, side: str = "BUY", mark: str = "39000") -> Position:
    return Position(
        symbol_id_coinapi="SIM_PERP_BTC_USDT",
        symbol_id_exchange="BTC/USDT:PERP",
        side=side,
        quantity=D(quantity),
        avg_entry_price=D(40000),
        unrealized_pnl=D(-1),
        leverage=D(10),
        cross_margin=True,
        raw_data=PositionDetails(D(mark)),
        age_ms=1,
        source="EXCHANGE",
    )


def ids(board: Board) -> list[str]:
    return [row[2] for row in board.orders().rows]


def test_an_order_is_a_line_when_it_changes_and_a_row_while_it_is_open() -> None:
    board = Board()
    assert board.take(order()) == [
        "SIM  a  BUY 0.5 SIM_SPOT_BTC_USDT at 40000  NEW, 0 filled",
    ]
    assert board.take(order(sequence=6)) == []
    assert ids(board) == ["a"]
    assert board.take(order(status="CANCELED")) == [
        "SIM  a  BUY 0.5 SIM_SPOT_BTC_USDT at 40000  CANCELED, 0 filled",
    ]
    assert ids(board) == []


def test_what_is_the_matter_with_an_order_is_said() -> None:
    board = Board()
    (line,) = board.take(order(status="ROUTING", in_doubt=True))
    assert line.endswith("ROUTING, 0 filled  in doubt")
    (line,) = board.take(order(status="REJECTED", error_message="not_sent: no"))
    assert line.endswith("REJECTED, 0 filled  not_sent: no")
    board.take(order(status="REJECTED", in_doubt=True))
    assert ids(board) == ["a"]  # it appeared after all, and may still trade


def test_each_fill_is_told_once_also_when_it_comes_after_the_end() -> None:
    board = Board()
    board.take(order())
    first = board.take(filled(1, "PARTIALLY_FILLED"))
    assert first == [
        "SIM  a  fill 0.1 at 40000  TAKER, fee 0.4 USDT",
        "SIM  a  BUY 0.5 SIM_SPOT_BTC_USDT at 40000  PARTIALLY_FILLED, 0.1 filled",
    ]
    board.take(filled(1, "CANCELED"))
    assert board.take(filled(2, "CANCELED"))[0] == first[0]
    assert len(board.fills().rows) == 2
    assert board.fills().rows[0][5:] == ["0.1", "40000", "0.4", "USDT", "TAKER"]


def test_fills_of_before_are_no_news() -> None:
    board = Board()
    known = filled(2, "PARTIALLY_FILLED").order
    assert len(board.take(OrdersSnapshot("SIM", 5, (known,)))) == 1
    assert board.fills().rows == []
    board.take(filled(3, "PARTIALLY_FILLED"))
    assert len(board.fills().rows) == 1
    late = filled(4, "FILLED", client_order_id="of before")
    assert len(board.take(late)) == 2  # the report is about its last fill
    assert len(board.fills().rows) == 2


def test_the_newest_fills_are_kept() -> None:
    board = Board()
    board.take(order())
    for count in range(1, FILLS_MOST + 10):
        board.take(filled(count, "PARTIALLY_FILLED"))
    assert len(board.fills().rows) == FILLS_MOST


def test_a_snapshot_replaces_what_was_known_of_its_account_alone() -> None:
    board = Board()
    board.take(order())
    board.take(order(client_order_id="gone"))
    board.take(order(exchange_id="SIM/B", client_order_id="theirs"))
    board.take(BalancesSnapshot("SIM", 5, (balance("10", "10"), balance("1", "1", "BTC"))))
    board.take(PositionsSnapshot("SIM", 5, (position("1"),)))
    board.take(OrdersSnapshot("SIM", 9, (ORDER,)))
    assert sorted(ids(board)) == ["a", "theirs"]
    assert board.take(BalancesSnapshot("SIM", 9, (balance("10", "10"),))) == []
    assert [row[1] for row in board.balances().rows] == ["USDT"]
    assert board.take(PositionsSnapshot("SIM", 9, ())) == []
    assert board.positions().rows == []


def test_a_balance_and_a_position_are_lines_when_what_is_held_changes() -> None:
    board = Board()
    assert board.take(BalanceUpdate("SIM", 6, balance("10.50", "10.50"))) == [
        "SIM  USDT 10.5, 10.5 available"
    ]
    assert board.take(BalanceUpdate("SIM", 7, balance("10.50", "10.50"))) == []
    assert board.take(BalanceUpdate("SIM", 8, balance("10.50", "2"))) == [
        "SIM  USDT 10.5, 2 available"
    ]
    assert board.balances().rows == [["SIM", "USDT", "10.5", "2", "8.5"]]
    assert board.take(PositionUpdate("SIM", 9, position("0.10"))) == [
        "SIM  SIM_PERP_BTC_USDT long 0.1 at 40000"
    ]
    assert board.take(PositionUpdate("SIM", 10, position("0.10", mark="38000"))) == []
    assert board.positions().rows[0][5] == "38000"
    assert board.take(PositionUpdate("SIM", 11, position("0.2", "SELL"))) == [
        "SIM  SIM_PERP_BTC_USDT short 0.2 at 40000"
    ]
    assert board.take(PositionUpdate("SIM", 12, position("0"))) == ["SIM  SIM_PERP_BTC_USDT flat"]
    assert board.positions().rows == []


def test_how_an_account_stands_is_said_when_it_changes() -> None:
    board = Board()
    assert board.take(INFO) == ["SIM  reconciled"]
    assert board.take(INFO) == []
    away = msgspec.structs.replace(INFO, connected=False, reconciled=False, trouble="disconnected")
    assert board.take(away) == ["SIM  disconnected"]
    stopping = msgspec.structs.replace(INFO, is_running=False)
    assert board.take(stopping) == ["SIM  stopping"]
