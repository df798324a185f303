"""What a user's program does with clients that a stock generator made from the two documents.

Run with the generated packages on its path. Its one argument is JSON: `url`, `authority`, how it says who it
is (`way`: header, query or certificate) and with what, whether it `trades`, the `name` of its order. Knows
the documents alone.
"""

import json
import sys
from typing import Any

import ems_mgmt
import ems_rest
import pytest
from ems_mgmt.api.default_api import DefaultApi as Management
from ems_rest.api.default_api import DefaultApi as Trading

told = json.loads(sys.argv[1])
WAY = told["way"]
SCHEME = {"header": "APIKeyHeader", "query": "APIKeyQueryParam"}


def client_of(package: Any) -> Any:
    """Return the package's client, configured as its makers say."""
    configuration = package.Configuration(host=told["url"], ssl_ca_cert=told["authority"])
    if WAY == "certificate":
        configuration.cert_file = configuration.key_file = told["certificate"]
        return package.ApiClient(configuration)
    configuration.api_key[SCHEME[WAY]] = told["key"]
    if WAY == "header":  # the contract's trading document does not say how a key is sent
        return package.ApiClient(configuration, "X-CoinAPI-Key", told["key"])
    return package.ApiClient(configuration)


def manage() -> None:
    """Every call of the management document but the one that deletes all accounts."""
    with client_of(ems_mgmt) as client:
        management = Management(client)
        (exchange,) = management.exchange_login_require()
        assert exchange.required_parameters == ["PrivateApiKey", "PublicApiKey"]
        (location,) = management.locations()
        assert exchange.location_id == location.location_id
        rows = management.endpoints(filter_exchange_id=["SIM", "SIM/ALICE"])
        assert {row.exchange_id for row in rows} == {"SIM", "SIM/ALICE"}
        urls = {row.endpoint_schema: row.endpoint_url for row in rows}
        assert told["url"] in urls.values(), urls
        keep_account(management)
        text = management.certificate()
        assert "BEGIN PRIVATE KEY" in text
        assert "BEGIN CERTIFICATE" in text


def keep_account(management: Management) -> None:
    """Add an account, see it with its secret masked, and delete it."""
    name = f"SIM/{told['name'].upper()}"
    values = {"PublicApiKey": told["name"], "PrivateApiKey": f"{told['name']}-secret-0123456789"}
    pairs = [ems_mgmt.KeyValue(key=key, value=value) for key, value in values.items()]
    management.persist_account(ems_mgmt.AccountData(exchange_id=name, parameters=pairs))
    (account,) = management.get_account(filter_exchange_id=[name])
    shown = {each.key: each.value for each in account.parameters}
    assert shown["PublicApiKey"] == values["PublicApiKey"]
    assert shown["PrivateApiKey"] != values["PrivateApiKey"]
    management.delete_account(exchange_id=[name])
    assert management.get_account(filter_exchange_id=[name]) == []
    with pytest.raises(ems_mgmt.ApiException) as unknown:
        management.delete_account(exchange_id=[name])
    assert unknown.value.status == 404


def trade() -> None:
    """Every call of the trading document, as a day goes."""
    with client_of(ems_rest) as client:
        trading = Trading(client)
        name = told["name"]
        order = ems_rest.OrderNewSingleRequest(
            exchange_id="SIM",
            client_order_id=name,
            symbol_id_coinapi="SIM_SPOT_BTC_USDT",
            amount_order=0.001,
            price=20000,
            side=ems_rest.OrdSide.BUY,
            order_type=ems_rest.OrdType.LIMIT,
            time_in_force=ems_rest.TimeInForce.GOOD_TILL_CANCEL,
        )
        placed = trading.v1_orders_post(order)
        assert (placed.client_order_id, placed.exchange_id) == (name, "SIM")
        assert name in {each.client_order_id for each in trading.v1_orders_get()}
        known = trading.v1_orders_status_client_order_id_get(name)
        assert (known.price, known.amount_filled) == (20000, 0)
        balances = trading.v1_balances_get(exchange_id="SIM")
        assert balances[0].data[0].balance > 0
        trading.v1_positions_get()
        cancel = ems_rest.OrderCancelSingleRequest(exchange_id="SIM", client_order_id=name)
        assert trading.v1_orders_cancel_post(cancel).client_order_id == name
        everything = ems_rest.OrderCancelAllRequest(exchange_id="SIM")
        assert trading.v1_orders_cancel_all_post(everything).reject_reason == "OTHER"
        history = trading.v1_orders_history_get("2020-01-01", "2200-01-01")
        assert name in {each.client_order_id for each in history}
        refuse(trading, order)


def refuse(trading: Trading, order: Any) -> None:
    """Refusals come as the document has them."""
    with pytest.raises(ems_rest.ApiException) as invalid:
        trading.v1_orders_post(order.model_copy(update={"price": -1}))
    assert invalid.value.status == 400
    assert invalid.value.data.errors.startswith("price: "), invalid.value.data
    with pytest.raises(ems_rest.ApiException) as unknown:
        trading.v1_orders_status_client_order_id_get("nobody's")
    assert (unknown.value.status, unknown.value.data.reject_reason) == (404, "ORDER_ID_NOT_FOUND")


manage()
if told["trades"]:
    trade()
sys.stdout.write("all of it\n")
