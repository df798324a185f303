"""The page on the management API: its document, with a real request and answer for each call."""

from fairlead.gateway.management.openapi import WORDS, management_document
from tools.pages.calls import Page
from tools.pages.text import NOTE

_TOP = f"""\
# Management API

{NOTE}

Served beside the [REST API](rest.md), on the same listeners. As a document for generators:
[/openapi-management.json](http://127.0.0.1:3080/openapi-management.json) of a running system; for people, a
[Postman collection](../postman/management.postman_collection.json): set its variables `baseUrl` and
`apiKey`. It keeps a person's session and `csrf` by itself.

- Every call but people's needs [a key](../operations/keys.md), also where a system asks nobody who trades:
  in the header `X-CoinAPI-Key`, or in the query as `apikey`. Reading needs the scope `read`, changing
  `manage`. Without, 401 and 403; 429 with `Retry-After` where a key has had its requests of a second.
- A key that is limited to accounts sees those alone.
- A parameter of the query that a call does not have is refused by its name, and nothing is done; `apikey` is
  one of each.
- An endpoint is told as the client can use it: where Fairlead listens on the address that the request came
  to, or on every address, by the name in the request's `Host`. Of two TLS listeners a client is told the one
  that it came by, else the one that asks for no certificate. Behind a proxy the addresses are
  Fairlead's own, unless `http.public_url` says that of the proxy.
- The calls of [people](../operations/people.md), from `/v1/auth/state` on, need no key, and none counts
  there: 403 `session_needed`. They need the cookie of a session (`__Host-fairlead` over https,
  `fairlead_session` on the machine itself), and to change something `X-CSRF-Token`; refusals are a
  [Problem](#problem).
- The examples are one real conversation with two accounts, `SIM` and `SIM/ALICE`, on the usual ports; they
  leave out the header `X-CoinAPI-Key`, of people the cookie and `X-CSRF-Token`. Their codes are nobody's.
"""


def management() -> str:
    """Return the page."""
    page = Page(management_document(), WORDS)
    lines = [_TOP, *page.calls(), "## Objects in answers", "", *page.objects()]
    return "\n".join(lines)
