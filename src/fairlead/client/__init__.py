"""The client library: every call of the API, typed, from ordinary code and from asyncio.

    errors      what can go wrong: certainly not done, refused, or nobody knows
    shapes      what is sent and answered, numbers exact
    address     where a system is; settings: how patient a client is
    signing     a request signed with a key, instead of sending its secret
    calls       every call as a value, and how its answer is read
    waiting     what takes several calls: place and wait, wait until final
    paging      a history page after page
    sync, aio   the two transports: `Client`, `AsyncClient`
    events      what a stream tells
    following   where a stream goes on after a connection; `streaming` carries it
    simulator   the simulated exchange's operator API: prices and faults

No call that may change anything is ever sent twice by itself. Must never import what only a system
needs; of the core it knows the closed sets of `core.model`.
"""

from fairlead.client.aio import AsyncClient
from fairlead.client.errors import (
    ClientError,
    Conflict,
    Invalid,
    NotDone,
    NotFound,
    NotYet,
    OutcomeUnknown,
    Refused,
    Unavailable,
    Unreachable,
)
from fairlead.client.settings import Settings
from fairlead.client.shapes import HistoryOrder, NewOrder, OrderReport, new_client_order_id
from fairlead.client.signing import SigningKey
from fairlead.client.sync import Client
from fairlead.core.model import AccountMode, ExecInst, Side, Status, TimeInForce

__all__ = [
    "AccountMode",
    "AsyncClient",
    "Client",
    "ClientError",
    "Conflict",
    "ExecInst",
    "HistoryOrder",
    "Invalid",
    "NewOrder",
    "NotDone",
    "NotFound",
    "NotYet",
    "OrderReport",
    "OutcomeUnknown",
    "Refused",
    "Settings",
    "Side",
    "SigningKey",
    "Status",
    "TimeInForce",
    "Unavailable",
    "Unreachable",
    "new_client_order_id",
]
