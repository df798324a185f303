"""Everything that the system says, compared with the exchange's own truth while nothing moves.

Orders, fills and balances must be equal to the last digit; what clients were told must still be
there, report by report, in the journal.
"""

import time
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from fairlead.core.exact import use_exact_decimals
from fairlead.core.model import Order, Origin, Stage
from fairlead.core.order import status
from fairlead.journal.reader import JournalReader
from tests.crash.load import Key, Seen
from tests.crash.stages import FOREVER_NS, order_key, orders_since
from tests.system import PUBLIC_KEYS, Api, Json, Operator, until

QUIET_S = 60.0
_SHOWN_MAX = 10
# The exchange's word for what the system may say; EXPIRED reads CANCELED on the wire.
_STATES = {
    "OPEN": {Stage.WORKING},
    "FILLED": {Stage.FILLED},
    "CANCELED": {Stage.CANCELED, Stage.EXPIRED},
    "EXPIRED": {Stage.EXPIRED, Stage.CANCELED},
}


class Compared(NamedTuple):
    """How much was compared and found equal."""

    orders: int
    fills: int
    reports: int


def wait_until_quiet(api: Api) -> None:
    """Wait until no doubt, no cancel and no order that expires is open, and all is reconciled.

    Then there is nothing left that an operator should look at.
    """

    def is_quiet() -> bool:
        states = api.accounts().values()
        return (
            all(state["reconciled"] and not state["orders_in_doubt"] for state in states)
            and not api.wanted("/v1/operator/attention")
            and not any(
                order["status"] == "PENDING_CANCEL" or order["expire_time"]
                for order in api.wanted("/v1/orders")
            )
        )

    until(is_quiet, "nothing is in doubt, being canceled or about to expire", QUIET_S)


def compare(api: Api, operator: Operator, folder: Path, seen: Seen) -> Compared:
    """Fail unless system and exchange agree in everything; nothing may be moving meanwhile.

    A sweep may still be fetching what the stream did not bring, so they have a while to agree.
    """
    use_exact_decimals()

    def differences() -> list[str]:
        with JournalReader(folder) as reader:
            orders = list(orders_since(reader, 0))
        found: list[str] = []
        for account, public_key in PUBLIC_KEYS.items():
            ours = [order for order in orders if order.account == account]
            found += _compare_orders(account, ours, operator.orders(account=public_key))
            found += _compare_fills(account, ours, operator.fills(account=public_key))
            found += _compare_balances(account, api, operator.balances(public_key))
        return found

    deadline = time.monotonic() + QUIET_S
    while found := differences():
        assert time.monotonic() < deadline, "\n".join(found[:_SHOWN_MAX])
    with JournalReader(folder) as reader:
        orders = {order_key(order): order for order in orders_since(reader, 0)}
        reports = sum(_check_told(reader, account, seen) for account in PUBLIC_KEYS)
    missing = seen.reports.keys() - orders.keys()
    assert not missing, f"told to clients and not in the journal: {sorted(missing)[:_SHOWN_MAX]}"
    _compare_rest(api, orders)
    return Compared(len(orders), sum(len(order.fills) for order in orders.values()), reports)


def _compare_orders(account: str, ours: list[Order], theirs: list[Json]) -> list[str]:
    found = []
    by_exchange_id = {order.exchange_order_id: order for order in ours if order.exchange_order_id}
    client_ids: set[str] = set()
    for row in theirs:
        name = f"{account} order {row['exchange_order_id']}"
        if row["client_id"] in client_ids:
            found.append(f"{name}: placed twice under {row['client_id']}")
        client_ids.add(row["client_id"])
        order = by_exchange_id.pop(row["exchange_order_id"], None)
        if order is None:
            found.append(f"{name}: the exchange has it and the system does not know it: {row}")
            continue
        said = (
            order.venue_client_id, order.symbol_exchange, order.side.value, order.price,
            order.quantity, order.quantity_filled,
        )  # fmt: skip
        truth = (
            row["client_id"], row["symbol"], row["side"], Decimal(row["price"]),
            Decimal(row["quantity"]), Decimal(row["filled"]),
        )  # fmt: skip
        if said != truth:
            found.append(f"{name} ({order.client_order_id}): {said}, the exchange says {truth}")
        if order.stage not in _STATES[row["state"]]:
            found.append(f"{name} ({order.client_order_id}): {order.stage}, not {row['state']}")
        if order.origin is not Origin.CLIENT:
            found.append(f"{name}: adopted as a stranger's")
    for order in by_exchange_id.values():
        found.append(f"{account} {order.client_order_id}: not at the exchange: {order}")
    for order in ours:
        if order.exchange_order_id is None and order.stage not in (Stage.REJECTED, Stage.CANCELED):
            found.append(f"{account} {order.client_order_id}: {order.stage} without an id")
    return found


def _compare_fills(account: str, ours: list[Order], theirs: list[Json]) -> list[str]:
    booked = {
        (order.exchange_order_id, fill.trade_id, order.symbol_exchange): (
            fill.price, fill.quantity, fill.fee, fill.fee_asset, fill.liquidity.value, fill.time_ns,
        )
        for order in ours
        for fill in order.fills
    }  # fmt: skip
    happened = {
        (row["exchange_order_id"], row["trade_id"], row["symbol"]): (
            Decimal(row["price"]), Decimal(row["quantity"]), Decimal(row["fee"]), row["fee_asset"],
            row["liquidity"], row["time_ns"],
        )
        for row in theirs
    }  # fmt: skip
    found = []
    if len(happened) != len(theirs):
        found.append(f"{account}: the exchange names a fill twice")
    if sum(len(order.fills) for order in ours) != len(booked):
        found.append(f"{account}: a fill is booked twice")
    for key in sorted(booked.keys() | happened.keys(), key=str):
        if booked.get(key) != happened.get(key):
            found.append(f"{account} fill {key}: {booked.get(key)}, not {happened.get(key)}")
    return found


def _compare_balances(
    account: str, api: Api, theirs: Mapping[str, tuple[Decimal, Decimal]]
) -> list[str]:
    ours = {
        asset: (Decimal(row["balance"]), Decimal(row["locked"]))
        for asset, row in api.balances(account).items()
    }
    return [
        f"{account} balance of {asset}: {ours.get(asset)}, not {theirs.get(asset)}"
        for asset in sorted(ours.keys() | theirs.keys())
        if ours.get(asset) != theirs.get(asset)
    ]


def _check_told(reader: JournalReader, account: str, seen: Seen) -> int:
    """Every report that clients were told must be in the journal as it was told; return how many."""
    told = {
        sequence: (key, said)
        for key, reports in seen.reports.items()
        if key[0] == account
        for sequence, said in reports.items()
    }
    count = len(told)
    for released in reader.reports_after(account, 0, FOREVER_NS):
        key, said = told.pop(released.report.sequence, (None, None))
        if said is None:
            continue
        order = released.order
        assert order is not None, said
        assert order_key(order) == key, (key, said, order)
        assert (said.status, said.amount_filled, said.exchange_order_id) == (
            status(order),
            order.quantity_filled,
            order.exchange_order_id,
        ), (said, order)
        assert said.trade_ids == tuple(fill.trade_id for fill in order.fills), (said, order)
        assert tuple(each for each, _ in said.history) == tuple(
            each for each, _ in order.status_history
        ), (said, order)
    assert not told, f"told to clients and not in the journal: {list(told.items())[:_SHOWN_MAX]}"
    return count


def _compare_rest(api: Api, orders: Mapping[Key, Order]) -> None:
    """The public history says what the journal says."""
    rows = api.history()
    assert len(rows) == len(orders)
    for row in rows:
        order = orders[row["exchangeId"], row["clientOrderId"]]
        said = (
            row["status"], Decimal(row["amountFilled"]), row["exchangeOrderId"],
            [Decimal(price) for price in row["fillsPrice"]],
            [Decimal(amount) for amount in row["fillsAmount"]],
        )  # fmt: skip
        kept = (
            status(order), order.quantity_filled, order.exchange_order_id,
            [fill.price for fill in order.fills], [fill.quantity for fill in order.fills],
        )  # fmt: skip
        assert said == kept, (row, order)
