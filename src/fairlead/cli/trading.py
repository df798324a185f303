"""How the commands that trade are spelled: order, cancel, orders, balances."""

from enum import StrEnum
from typing import Annotated

import typer

from fairlead.cli.options import Account, AnyAccount, AsJson, DataOf, Url, api_of

commands = typer.Typer()


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


@commands.command()
def order(
    side: Annotated[Side, typer.Argument(case_sensitive=False)],
    quantity: str,
    symbol: Annotated[str, typer.Argument(help="SIM_SPOT_BTC_USDT, or the exchange's: BTC/USDT.")],
    price: str,
    account: Account = "SIM",
    tif: Annotated[
        str | None, typer.Option(help="gtc (default), gtt, gtt-oms, ioc or fok.")
    ] = None,
    expire: Annotated[
        str | None, typer.Option(help="A UTC time, or from now: +30s, +5m, +2h, +1d.")
    ] = None,
    post_only: Annotated[
        bool, typer.Option("--post-only", help="Reject rather than take from the book.")
    ] = False,
    order_id: Annotated[
        str | None, typer.Option("--id", help="Your id for it; the same id is placed once.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
) -> None:
    """Send one limit order and show what became of it."""
    from fairlead.commands import trade

    ticket = trade.Ticket(
        side=side,
        quantity=quantity,
        symbol=symbol,
        price=price,
        account=account,
        time_in_force=tif,
        post_only=post_only,
        client_order_id=order_id,
        expire=expire,
    )
    trade.order(api_of(url, data), ticket, as_json=as_json)


@commands.command()
def cancel(
    order_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The id you gave it.")
    ] = None,
    account: Account = "SIM",
    exchange_order_id: Annotated[str | None, typer.Option(help="The exchange's id for it.")] = None,
    is_all: Annotated[bool, typer.Option("--all", help="Every order of the account.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
) -> None:
    """Cancel one order, or all of an account."""
    from fairlead.commands import trade

    api = api_of(url, data)
    trade.cancel(api, account, order_id, exchange_order_id, is_all=is_all, as_json=as_json)


@commands.command()
def orders(
    order_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Show this one's whole life.")
    ] = None,
    account: AnyAccount = None,
    since: Annotated[
        str | None, typer.Option(help="Also ended ones: a UTC time, or 30s, 5m, 2h, 1d ago.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
) -> None:
    """Show the open orders, one order, or all of some time."""
    from fairlead.commands import trade

    trade.orders(api_of(url, data), account, order_id, since, as_json=as_json)


@commands.command()
def balances(
    account: AnyAccount = None, as_json: AsJson = False, url: Url = None, data: DataOf = None
) -> None:
    """Show what the accounts have."""
    from fairlead.commands import trade

    trade.balances(api_of(url, data), account, as_json=as_json)
