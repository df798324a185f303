"""The page on the REST API: the served OpenAPI document, with a real request and answer for each call."""

from fairlead.gateway.openapi_trading import WORDS, trading_document
from tools.pages.calls import Page
from tools.pages.text import NOTE

_TOP = f"""\
# REST API

{NOTE}

Served on the address that `fairlead up` prints, http://127.0.0.1:3080 by default. The same as a document for
generators: [/openapi.json](http://127.0.0.1:3080/openapi.json) of a running system; for people, a
[Postman collection](../postman/trading.postman_collection.json): set its variables `baseUrl` and `apiKey`.
Accounts and addresses are in the [management API](management.md). Health and metrics are on
[a page of their own](metrics.md), statuses and refusals on [another](refusals.md).

- JSON in and out; a request with a body needs `Content-Type: application/json`.
- Numbers are exact decimals. In a request a number or a string holding one (`0.1`, `"0.1"`, `"1e-05"`), at
  most 38 digits in plain form; in an answer always a JSON number with its exact digits. Read them as
  decimals, not as floats.
- Times are UTC, ISO 8601, seven digits after the second in answers. A request may leave out the fraction,
  seconds, minutes or hours, and the zone.
- Where the system asks who calls, every call is also answered 401, 403 and 429, as
  [a page on keys](../operations/keys.md) says; the examples leave out the header `X-CoinAPI-Key`.
- A field that may be null may be left out. An unknown field is refused, and so is one given twice; a
  parameter of the query likewise: a call takes those of its table, and `apikey`.
- The examples are one real conversation with two accounts, `SIM` and `SIM/ALICE`; times and hashes are put
  in a fixed form.
"""


def rest() -> str:
    """Return the page."""
    page = Page(trading_document(), WORDS)
    lines = [_TOP, *page.calls(), "## Objects in answers", "", *page.objects()]
    return "\n".join(lines)
