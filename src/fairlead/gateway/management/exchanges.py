"""`GET /v1/exchanges` and `GET /v1/locations`: what a login needs where, and where edges run."""

from fairlead.control.exchanges import EXCHANGES, LOCATIONS
from fairlead.gateway.answers import Answer, Call, json_answer
from fairlead.gateway.management import shapes
from fairlead.gateway.queries import without_query
from fairlead.gateway.routing import Methods


class ExchangesApi:
    """The two calls; what they answer never changes while a process runs."""

    def __init__(self) -> None:
        self.routes: dict[bytes, Methods] = {
            b"/v1/exchanges": {"GET": without_query(self.exchanges)},
            b"/v1/locations": {"GET": without_query(self.locations)},
        }
        self.prefixes: tuple[tuple[bytes, Methods], ...] = ()
        self._exchanges = json_answer(
            200,
            [
                shapes.ExchangeLoginRequire(each.exchange_id, each.location_id, list(each.names))
                for each in EXCHANGES.values()
            ],
        )
        self._locations = json_answer(
            200,
            [
                shapes.Locations(each.location_id, each.region_name, each.provider_name)
                for each in LOCATIONS.values()
            ],
        )

    async def exchanges(self, _: Call) -> Answer:
        """GET /v1/exchanges"""
        return self._exchanges

    async def locations(self, _: Call) -> Answer:
        """GET /v1/locations"""
        return self._locations
