"""What the management API answers with: one struct per shape, named and ordered as the contract has it."""

from typing import Annotated, Literal

import msgspec

CertificateState = Literal["active", "expired", "revoked"]
EndpointSchema = Literal["http", "https", "ws", "wss", "fix", "fixs"]


class ExchangeLoginRequire(msgspec.Struct):
    exchange_id: str
    location_id: str
    required_parameters: list[str]


class Locations(msgspec.Struct):
    location_id: str
    region_name: str
    provider_name: str


class AccountEndpoint(msgspec.Struct):
    exchange_id: str
    location_id: str
    endpoint_schema: EndpointSchema
    endpoint_host: str
    endpoint_url: str


class Usage(msgspec.Struct):
    """What a key used of an account on a day (UTC). `account` is null where it was about none."""

    day: str
    key: str
    account: str | None
    requests: int
    orders: int
    connected_websocket_ms: int
    connected_fix_ms: int


class KeyValue(msgspec.Struct, forbid_unknown_fields=True):
    key: Annotated[str, msgspec.Meta(min_length=1)]
    value: Annotated[str, msgspec.Meta(min_length=1)]


class GetAccount(msgspec.Struct):
    exchange_id: str
    parameters: list[KeyValue]


class AccountData(msgspec.Struct):
    exchange_id: str
    parameters: list[KeyValue]


class AccountDone(msgspec.Struct):
    exchange_id: str
    message: str


class AccountLeft(msgspec.Struct):
    exchange_id: str
    open_orders: int


class AccountsDeleted(msgspec.Struct):
    message: str
    accounts: list[AccountLeft]


class ClientCertificate(msgspec.Struct):
    """A certificate of a key. `time_revoked` is null where it is not revoked."""

    fingerprint: str
    key: str
    serial: str
    state: CertificateState
    time_created: str
    time_expires: str
    time_revoked: str | None


class CertificateRequest(msgspec.Struct, forbid_unknown_fields=True):
    csr: Annotated[str, msgspec.Meta(min_length=1)]
