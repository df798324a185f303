"""The rows of the operator's API: the exchange's words as JSON objects. Values in, values out."""

import msgspec

from fairlead.core.model import ZERO, Instrument
from fairlead.exchange.book import Top
from fairlead.exchange.faults import FaultName, Kind
from fairlead.exchange.margin import positions_in, wire_position
from fairlead.exchange.misbehavior import Active
from fairlead.exchange.orders import Account, Holding
from fairlead.exchange.position import Position
from fairlead.venues.sim_messages import WireFill, WireOrder


def order_row(account: str, order: WireOrder) -> dict[str, object]:
    """Return an order with the public key of its account."""
    return {"account": account, **msgspec.structs.asdict(order)}


def fill_row(account: str, fill: WireFill) -> dict[str, object]:
    """Return a fill with the public key of its account."""
    return {"account": account, **msgspec.structs.asdict(fill)}


def account_row(account: Account) -> dict[str, object]:
    """Return an account with its balances; `event` and `fills` are the newest given out."""
    return {
        "account": account.public_key,
        "is_house": account.is_house,
        "event": account.events,
        "fills": account.fills,
        "balances": [_balance_row(account, each) for each in account.holdings.values()],
    }


def _balance_row(account: Account, holding: Holding) -> dict[str, object]:
    """Return a holding; the two margins are parts of what is locked."""
    held = list(positions_in(account, holding.asset))
    return {
        "asset": holding.asset,
        "total": holding.total,
        "locked": holding.locked,
        "order_margin": sum((each.order_margin for each in held), ZERO),
        "position_margin": sum((each.position_margin for each in held), ZERO),
    }


def position_row(position: Position) -> dict[str, object]:
    """Return a position with what it and its orders lock."""
    return {
        "account": position.account.public_key,
        "is_house": position.account.is_house,
        **msgspec.structs.asdict(wire_position(position)),
        "order_margin": position.order_margin,
        "position_margin": position.position_margin,
    }


def instrument_row(instrument: Instrument) -> dict[str, object]:
    """Return an instrument with its rules."""
    return msgspec.structs.asdict(instrument)


def quote_row(instrument: Instrument, top: Top) -> dict[str, object]:
    """Return a market's best prices with the open quantity at each."""
    return {
        "symbol": instrument.symbol,
        "symbol_exchange": instrument.symbol_exchange,
        **msgspec.structs.asdict(top),
    }


def fault_row(active: Active) -> dict[str, object]:
    """Return a fault as it was commanded, how often it bit and how often it still may."""
    fault = msgspec.structs.asdict(active.fault)
    del fault["count"]
    return {
        "fault_id": active.fault_id,
        **fault,
        "seen": active.seen,
        "times": active.times,
        "left": active.left,
        "until_ns": active.until_ns,
    }


def kind_row(name: FaultName, kind: Kind) -> dict[str, object]:
    """Return what is known of a kind of fault."""
    return {
        "name": name,
        "text": kind.text,
        "parameters": sorted(kind.parameters),
        "requests": kind.requests,
        "count": kind.count,
    }
