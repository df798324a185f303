"""The OpenAPI document of the management API: the contract's calls and schemas by their names, and ours."""

from fairlead.gateway import shapes as trading_shapes
from fairlead.gateway.console import meanings
from fairlead.gateway.console import openapi as people
from fairlead.gateway.forms import EXCHANGE_ID, Schema
from fairlead.gateway.management import shapes
from fairlead.gateway.management.words import CALLS, EXAMPLES, FIELDS, PARAMETERS
from fairlead.gateway.openapi import TEXT, Operation, Parameter, Words, document, shape_schemas
from fairlead.gateway.words import FIELDS as TRADING_FIELDS

WORDS = Words(
    CALLS | meanings.CALLS,
    PARAMETERS | meanings.PARAMETERS,
    FIELDS | meanings.FIELDS | TRADING_FIELDS,
    EXAMPLES | meanings.EXAMPLES,
)
_DESCRIPTION = """\
Accounts, exchanges, locations, endpoints, certificates and usage, on the listeners of the trading API. Every
call needs a key: by the header X-CoinAPI-Key, by the query parameter apikey, by a signature in four headers,
or by a TLS client certificate of the key alone. Besides, the calls of people, who manage what keys cannot:
they are known by the cookie of a session, and a key can make none of them."""
_SHAPES = (
    shapes.KeyValue,
    shapes.GetAccount,
    shapes.AccountData,
    shapes.AccountDone,
    shapes.AccountLeft,
    shapes.AccountsDeleted,
    shapes.ExchangeLoginRequire,
    shapes.Locations,
    shapes.AccountEndpoint,
    shapes.Usage,
    shapes.ClientCertificate,
    shapes.CertificateRequest,
    trading_shapes.MessageError,
    trading_shapes.ValidationError,
    *people.SHAPES,
)
_FILTER = (Parameter("filter_exchange_id", is_repeated=True, schema=EXCHANGE_ID),)
_DAY: Schema = {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
_USAGE = (
    Parameter("key", schema={"type": "string", "pattern": "^flk_[0-9A-Za-z]{22}$"}),
    Parameter("account", schema=EXCHANGE_ID),
    Parameter("from", schema=_DAY),
    Parameter("to", schema=_DAY),
)
_FINGERPRINT = Parameter(
    "fingerprint", "path", is_required=True, schema={"type": "string", "pattern": "^[0-9a-f]{64}$"}
)
_NONE_ISSUES = {"409": "MessageError"}
_QUERY = {"400": "MessageError"}  # of a call without parameters that is given one
_INVALID = {"400": "ValidationError"}
_BUSY = {"503": "MessageError"}
_UNKNOWN = {"404": "MessageError"}
_REFUSED = {"405": "ValidationError"}
_NAMED = (Parameter("exchange_id", is_required=True, is_repeated=True, schema=EXCHANGE_ID),)

OPERATIONS = (
    Operation("/v1/accounts", "get", _FILTER, None, {"200": "GetAccount[]"} | _INVALID | _BUSY,
              "getAccount"),
    Operation("/v1/accounts", "post", (), "AccountData",
              {"200": "AccountDone"} | _INVALID | _REFUSED | _BUSY, "persistAccount"),
    Operation("/v1/accounts", "delete", _NAMED, None,
              {"200": "AccountsDeleted"} | _INVALID | _UNKNOWN | _BUSY, "deleteAccount"),
    Operation("/v1/accounts/all", "delete", (), None, {"200": "AccountsDeleted"} | _INVALID | _BUSY,
              "deleteAccountAll"),
    Operation("/v1/exchanges", "get", (), None, {"200": "ExchangeLoginRequire[]"} | _QUERY,
              "exchangeLoginRequire"),
    Operation("/v1/locations", "get", (), None, {"200": "Locations[]"} | _QUERY, "locations"),
    Operation("/v1/endpoints", "get", _FILTER, None,
              {"200": "AccountEndpoint[]"} | _INVALID | _BUSY, "endpoints"),
    Operation("/v1/usage", "get", _USAGE, None,
              {"200": "Usage[]", "400": "MessageError"} | _BUSY, "usage"),
    Operation("/v1/certificate/pem", "get", (), None, {"200": TEXT} | _QUERY | _NONE_ISSUES | _BUSY,
              "certificate"),
    Operation("/v1/certificate/csr", "post", (), "CertificateRequest",
              {"200": TEXT, "400": "MessageError"} | _NONE_ISSUES | _BUSY, "certificateRequest"),
    Operation("/v1/certificate/ca", "get", (), None, {"200": TEXT} | _QUERY | _NONE_ISSUES | _BUSY,
              "certificateAuthority"),
    Operation("/v1/certificate/crl", "get", (), None, {"200": TEXT} | _QUERY | _NONE_ISSUES | _BUSY,
              "certificatesRevoked"),
    Operation("/v1/certificates", "get", (), None, {"200": "ClientCertificate[]"} | _QUERY | _BUSY,
              "certificates"),
    Operation("/v1/certificates/{fingerprint}", "delete", (_FINGERPRINT,), None,
              {"200": "MessageError", "404": "MessageError"} | _QUERY | _BUSY, "certificateRevoke"),
)  # fmt: skip


def management_document() -> Schema:
    """Return the OpenAPI 3.0 document of the management API."""
    schemas = shape_schemas(_SHAPES, {}, WORDS)
    operations = (*OPERATIONS, *people.OPERATIONS)
    return document(
        "Fairlead management API", _DESCRIPTION, operations, schemas, WORDS, people.SCHEMES
    )
