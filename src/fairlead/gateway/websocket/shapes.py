"""What leaves by WebSocket besides reports and refusals, its fields in the order of the contract (4).

`sequence` and what follows it are ours. `resumed` is left out where it says nothing.
"""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from fairlead.core.model import Side, Updater
from fairlead.gateway.shapes import (
    BalanceRow,
    Number,
    OrderExecutionReport,
    PositionDetails,
    PositionRow,
    Text,
)

Resumed = bool | UnsetType


class ServerInfo(msgspec.Struct):
    """`trouble` says why the account takes no orders, null when it does."""

    type: Literal["SERVER_INFO"]
    time: str
    instance_guid: str
    exchange_id: str
    server_version: str
    server_name: str
    dns_name: str
    is_running: bool
    time_server_start: str
    sequence: int
    connected: bool
    reconciled: bool
    trouble: Text
    resumed: Resumed = UNSET


class SymbolRow(msgspec.Struct):
    symbol_id_coinapi: str
    symbol_id_exchange: str
    asset_id_base_exchange: str
    asset_id_quote_exchange: str
    asset_id_base_coinapi: str
    asset_id_quote_coinapi: str
    price_precision: Number
    size_precision: Number


class SymbolsSnapshot(msgspec.Struct):
    type: Literal["SYMBOLS_SNAPSHOT"]
    exchange_id: str
    data: list[SymbolRow]
    sequence: int
    resumed: bool


class OrderSnapshot(msgspec.Struct):
    type: Literal["ORDER_EXEC_REPORT_SNAPSHOT"]
    exchange_id: str
    data: list[OrderExecutionReport]
    sequence: int
    resumed: bool


class BalanceSnapshot(msgspec.Struct):
    type: Literal["BALANCE_SNAPSHOT"]
    exchange_id: str
    data: list[BalanceRow]
    sequence: int
    resumed: bool


class PositionSnapshot(msgspec.Struct):
    type: Literal["POSITION_SNAPSHOT"]
    exchange_id: str
    data: list[PositionRow]
    sequence: int
    resumed: bool


class BalanceUpdate(msgspec.Struct):
    """A `BalanceRow`, flat."""

    type: Literal["BALANCE_UPDATE"]
    exchange_id: str
    id: str
    asset_id_exchange: str
    asset_id_coinapi: str
    balance: Number
    available: Number
    locked: Number
    traded: Number
    last_updated_by: Updater
    rate_usd: Number | UnsetType | None
    age_ms: int
    source: Updater
    rate_usd_age_ms: int | UnsetType | None
    sequence: int


class PositionUpdate(msgspec.Struct):
    """A `PositionRow`, flat."""

    type: Literal["POSITION_UPDATE"]
    exchange_id: str
    id: str
    symbol_id_exchange: str
    symbol_id_coinapi: str
    avg_entry_price: Number
    quantity: Number
    side: Side
    unrealized_pnl: Number
    leverage: Number
    cross_margin: bool
    liquidation_price: Number | UnsetType | None
    raw_data: PositionDetails
    age_ms: int
    source: Updater
    sequence: int
