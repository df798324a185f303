"""`GET /v1/usage`: what keys have used, by day and account; of one's own key unless it may manage."""

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import date

from fairlead.control.errors import ControlError
from fairlead.control.keys import Scope
from fairlead.control.usage import UsageAsked, Used, day_of, first_day
from fairlead.core.replies import Refused
from fairlead.gateway.answers import Answer, Call, form_message, json_answer, message_answer
from fairlead.gateway.callers import Access, Caller
from fairlead.gateway.forms import read_exchange_id
from fairlead.gateway.gate import answer_of
from fairlead.gateway.management import shapes
from fairlead.gateway.queries import Query
from fairlead.gateway.routing import Methods
from fairlead.gateway.wrong import FormError, Wrong, cut

DAYS_MAX = 366
ROWS_MAX = 10_000
_is_kid = re.compile(r"flk_[0-9A-Za-z]{22}").fullmatch
_RETRY_AFTER = (b"retry-after", b"1")

# Returns at most so many rows; raises ControlError when there is nothing to read from.
ReadUsage = Callable[[UsageAsked, int], Awaitable[Sequence[Used]]]


class UsageApi:
    """The call. `access` None: nobody is known, so the gate lets nobody through."""

    def __init__(self, read: ReadUsage, access: Access | None, now_ns: Callable[[], int]) -> None:
        self._read = read
        self._access = access
        self._now_ns = now_ns
        self.routes: dict[bytes, Methods] = {b"/v1/usage": {"GET": self.usage}}
        self.prefixes: tuple[tuple[bytes, Methods], ...] = ()

    async def usage(self, call: Call) -> Answer:
        """GET /v1/usage"""
        assert self._access is not None
        assert call.caller is not None, "the gate asks who calls"
        try:
            asked = self._asked(self._access, call.caller, call)
        except FormError as error:
            return form_message(error)
        if isinstance(asked, Refused):
            return answer_of(asked)
        try:
            rows = await self._read(asked, ROWS_MAX + 1)
        except ControlError:
            return message_answer(503, "usage cannot be read now, try again", _RETRY_AFTER)
        if len(rows) > ROWS_MAX:
            return message_answer(400, f"from: more than {ROWS_MAX} rows, ask for fewer days")
        return json_answer(200, [_shown(row) for row in rows])

    def _asked(self, access: Access, caller: Caller, call: Call) -> UsageAsked | Refused:
        """Return what is asked for, or why it may not be. Raises FormError."""
        query = Query(call.query)
        kid = query.optional("key", _read_kid)
        account = query.optional("account", read_exchange_id)
        last = query.optional("to", _read_day) or date.fromisoformat(day_of(self._now_ns()))
        first = query.optional("from", _read_day) or first_day(last)
        if not 0 <= (last - first).days < DAYS_MAX:
            wrong = f"{first} to {last} is not a span of 1 to {DAYS_MAX} days"
            query.findings.append(("from", wrong))
        query.check()
        if kid is None and access.judge(caller, Scope.MANAGE, "") is not None:
            kid = caller.kid
        scope = Scope.READ if kid == caller.kid else Scope.MANAGE
        refused = access.refusal(caller, scope, account or "")
        if refused is not None:
            return refused
        limits = access.accounts(caller)
        accounts = None if limits is None else limits | {""}
        return UsageAsked(
            subscription=caller.subscription,
            day_first=f"{first}",
            day_last=f"{last}",
            kid=kid,
            accounts=accounts if account is None else frozenset({account}),
        )


def _shown(row: Used) -> shapes.Usage:
    return shapes.Usage(
        row.day,
        row.kid,
        row.account or None,
        row.requests,
        row.orders,
        row.websocket_ms,
        row.fix_ms,
    )


def _read_kid(value: object) -> str:
    text = str(value)
    if _is_kid(text):
        return text
    raise Wrong(f"{cut(text)} is not the public id of a key, flk_ and 22 characters")


def _read_day(value: object) -> date:
    text = str(value)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or f"{day}" != text:
        raise Wrong(f"{cut(text)} is not a day such as 2026-11-27")
    return day
