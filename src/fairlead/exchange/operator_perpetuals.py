"""The operator's API for perpetuals: positions, funding, leverage, marks."""

from decimal import Decimal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fairlead.exchange import operator_rows as rows
from fairlead.exchange.book import Market
from fairlead.exchange.operator_border import (
    account_named,
    encode,
    json_answer,
    listed,
    read_body,
    symbol_named,
)
from fairlead.exchange.operator_forms import Form, OperatorError, Page, amount, number
from fairlead.exchange.perpetual import PerpetualBooking
from fairlead.exchange.rounding import told
from fairlead.exchange.server import Exchange

_INT_MAX = 2**62
_RATE_MAX = 1


def perpetual_routes(exchange: Exchange) -> list[Route]:
    """Return the routes of this part."""
    levers = PerpetualLevers(exchange)
    return [
        Route("/operator/positions", levers.positions),
        Route("/operator/funding", levers.funding),
        Route("/operator/funding", levers.pay_funding, methods=["POST"]),
        Route("/operator/leverage", levers.set_leverage, methods=["POST"]),
        Route("/operator/mark", levers.set_mark, methods=["POST"]),
    ]


class PerpetualLevers:
    """The endpoints."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def positions(self, request: Request) -> Response:
        """List positions that are not flat: `account`, `after`, `limit`."""
        query = request.query_params
        page = Page(query, ("account",))
        wanted = account_named(self._exchange, query.get("account"))
        held = [
            position
            for account in self._exchange.matching.accounts.values()
            if wanted in (None, account)
            for position in account.positions.values()
            if position.quantity
        ]

        def read(after: str | None, limit: int) -> list[tuple[str, bytes]]:
            start = number(after, "after", 0, _INT_MAX) or 0
            return [
                (str(place), encode(rows.position_row(position)))
                for place, position in enumerate(held[start : start + limit], start=start + 1)
            ]

        return listed("positions", page, read)

    async def funding(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's
        """List the perpetuals with their prices, the funding rate of now and when it is due."""
        markets = self._exchange.matching.markets.values()
        return json_answer({"markets": [self._row(each) for each in markets if each.is_perpetual]})

    async def pay_funding(self, request: Request) -> Response:
        """Pay funding of `symbol` now: at `rate`, or at the rate of now; the intervals go on."""
        form = Form(await read_body(request))
        market = self._market(form)
        rate = None
        if form.has("rate"):
            right = f"a rate from -{_RATE_MAX} to {_RATE_MAX}"
            rate = amount(form.require("rate", Decimal, right), "rate")
            if abs(rate) > _RATE_MAX:
                raise OperatorError("rate", rate, right)
        form.end(("symbol", "rate"))
        if market.mark is None:
            raise OperatorError("symbol", market.instrument.symbol, "one with a mark price", 409)
        paid = self._exchange.pay_funding(market.instrument.symbol_exchange, rate)
        return json_answer(self._row(market) | {"paid": paid})

    async def set_leverage(self, request: Request) -> Response:
        """Set the `leverage` of `account` in `symbol`; its stream tells it."""
        form = Form(await read_body(request))
        key = form.require("account", str, "the public key of an account")
        account = account_named(self._exchange, key)
        assert account is not None
        market = self._market(form)
        right = f"from 1 to {market.instrument.leverage_max}"
        leverage = amount(form.require("leverage", Decimal, right), "leverage")
        form.end(("account", "symbol", "leverage"))
        if not 1 <= leverage <= market.instrument.leverage_max:
            raise OperatorError("leverage", leverage, right)
        symbol = market.instrument.symbol_exchange
        missing = self._exchange.set_leverage(account, symbol, leverage)
        if missing is not None:
            right = f"more: it would lock {told(missing)} {market.instrument.quote_exchange} more"
            raise OperatorError("leverage", leverage, f"{right} than is available", 409)
        assert isinstance(market.booking, PerpetualBooking)
        return json_answer(rows.position_row(market.booking.position(account)))

    async def set_mark(self, request: Request) -> Response:
        """Set the mark price of `symbol` to `price`; null lets it follow the markets again."""
        form = Form(await read_body(request))
        market = self._market(form)
        right = "a price above 0, or null to let the mark follow the markets"
        price = form.require_or_null("price", Decimal, right)
        form.end(("symbol", "price"))
        if price is not None:
            amount(price, "price")
            if not price > 0:
                raise OperatorError("price", price, right)
        self._exchange.set_mark(market.instrument.symbol_exchange, price)
        return json_answer(self._row(market))

    def _market(self, form: Form) -> Market:
        symbol = symbol_named(self._exchange, form.require("symbol", str, "a perpetual's symbol"))
        market = self._exchange.matching.markets[symbol]
        if not market.is_perpetual:
            markets = self._exchange.matching.markets.values()
            known = ", ".join(each.instrument.symbol for each in markets if each.is_perpetual)
            raise OperatorError("symbol", symbol, f"a perpetual: {known or 'there is none'}")
        return market

    def _row(self, market: Market) -> dict[str, object]:
        clearing = self._exchange.clearing
        return {
            "symbol": market.instrument.symbol,
            "symbol_exchange": market.instrument.symbol_exchange,
            "mark": market.mark,
            "is_mark_set": market.mark_set is not None,
            "index": clearing.index(market),
            "rate": clearing.rate(market),
            "next_time_ns": market.funding_time_ns,
        }
