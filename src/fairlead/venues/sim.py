"""The simulated exchange's dialect: requests to frames, frames to reports, for one account.

Every answer becomes one of three outcomes: done, refused, unknown. What an answer or the stream
states is passed on whoever asked for it, and however late; what an answer *means for its request* is
said once, except that a place given up as unknown and answered late is news again. Requests carry the
time of the exchange's clock, not of ours: it says its own with a login and with a ping. Never waits,
never reads a clock, never sends anything twice but a login that was refused for its time.

    the exchange answers                    a place, a cancel        a question
    what was asked for                      DONE                     DONE, after what it states
    ORDER_UNKNOWN                           REFUSED, order_unknown   a query: not found, then DONE
    INTERNAL                                UNKNOWN                  UNKNOWN
    DUPLICATE                               UNKNOWN: ours lives      -
    RATE                                    REFUSED, retry_after_ms  REFUSED, retry_after_ms
    WINDOW                                  REFUSED, and its time is asked for
    any other refusal                       REFUSED                  REFUSED
    nothing in time, or the line is lost    UNKNOWN                  UNKNOWN
    something else, or not to be read       UNKNOWN, disconnect      UNKNOWN, disconnect
"""

from typing import assert_never

import msgspec

from fairlead.core.model import Abilities, ExecInst, TimeInForce
from fairlead.core.venue_messages import (
    Outcome,
    VenueAnswer,
    VenueCancel,
    VenueClock,
    VenueConnected,
    VenueFillsSince,
    VenueNotFound,
    VenuePlace,
    VenueQuery,
    VenueReport,
    VenueRequest,
    VenueStreamGap,
)
from fairlead.venues import sim_messages as wire
from fairlead.venues.sim_asked import SimAsked, answer, done
from fairlead.venues.sim_limits import MS, SimLimits
from fairlead.venues.sim_watch import LOGIN_ID, SimWatch
from fairlead.venues.sim_words import (
    FillsPlace,
    Page,
    page_reports,
    venue_balances,
    venue_fill,
    venue_instruments,
    venue_order,
    venue_positions,
    wire_request,
)
from fairlead.venues.venue import Acts

ABILITIES = Abilities(
    exchange="SIM",
    time_in_force=frozenset(TimeInForce),
    # It never cancels because a connection ends, so an order may ask for that and have it.
    exec_inst=frozenset({ExecInst.MAKER_OR_CANCEL, ExecInst.DO_NOT_CANCEL_ON_DISCONNECT}),
    client_id_alphabet="a-zA-Z0-9-_",
    client_id_length_max=36,
    query_by_client_id=True,
    cancel_by_client_id=True,
    cancel_on_disconnect=False,
    request_window_ms=5_000,
    login_parameters=("PublicApiKey", "PrivateApiKey"),
    exec_inst_perpetual=frozenset({ExecInst.DO_NOT_INCREASE}),
)
"""What SIM can do; the request window is the one the exchange names at login."""

# What the exchange sends of itself; everything else answers something that reached it.
_UNASKED = frozenset({
    wire.Execution,
    wire.BalancesChanged,
    wire.PositionsChanged,
    wire.InstrumentsChanged,
})  # fmt: skip


class SimDialect:
    """One account's conversation with the simulated exchange."""

    def __init__(
        self,
        account: str,
        public_key: str,
        private_key: str,
        limits: SimLimits = SimLimits(),  # noqa: B008 (frozen)
        *,
        fills_cursor: str = "",
    ) -> None:
        """`fills_cursor`: of the account's fills; no other exchange than it is of is logged in to."""
        self.abilities = ABILITIES
        self._account = account
        self._public_key = public_key
        self._private_key = private_key
        self._limits = limits
        self._watch = SimWatch(limits)
        self._asked = SimAsked(limits)
        self._exchange = FillsPlace.of(fills_cursor).exchange  # the account's orders are there
        self._forget()

    def _forget(self) -> None:
        """Begin as a new connection does."""
        self._reader = wire.exchange_messages()
        self._is_logged_in = False
        self._login_deadline_ns: int | None = None
        self._login_sent_ns = 0
        self._is_login_repeated = False
        self._asked.begin()
        self._event_expected = 0
        self._watch.begin()

    # ── what the link calls ──────────────────────────────────────────────────────────────────────

    def opened(self, now_ns: int) -> Acts:
        """The transport is connected: log in."""
        self._watch.tick(now_ns)
        self._forget()
        self._login_deadline_ns = self._watch.age_ns + self._limits.answer_timeout_ms * MS
        return Acts(send=self._login())

    def wording(self, request: VenueRequest, now_ns: int) -> bytes:
        """Return the frame of one request, sent now."""
        return wire.frame(wire_request(request, self._watch.exchange_ns(now_ns)))

    def ask(self, request: VenueRequest, now_ns: int, wording: bytes | None = None) -> Acts:
        """Translate one request, and await its answer."""
        assert self._is_logged_in, "asked before login"
        assert request.request_id > LOGIN_ID, f"request id {request.request_id} is not above 0"
        is_asked = self._asked.pending(request.request_id) is not None
        assert not is_asked, f"{request.request_id} is asked already"
        self._watch.tick(now_ns)
        if isinstance(request, VenueFillsSince):
            # What was decided while this connection was prepared may have brought the first cursor.
            known, here = FillsPlace.of(request.cursor).exchange, self._exchange
            if known and here and known != here:
                self._exchange = known
                text = _is_another(here, known)
                reports: list[VenueReport] = [answer(request, Outcome.NOT_SENT, text=text)]
                return Acts(reports=reports, disconnect=text, refused_login=True)
        if len(self._asked) >= self._limits.pending_max:
            text = f"{len(self._asked)} requests wait for an answer, the most there may be"
            return Acts(reports=[answer(request, Outcome.NOT_SENT, text=text)])
        self._asked.add(request, self._watch.age_ns)
        return Acts(send=self.wording(request, now_ns) if wording is None else wording)

    def receive(self, data: bytes, now_ns: int) -> Acts:
        """Translate bytes as they come, in whatever pieces."""
        self._watch.tick(now_ns)
        acts = Acts()
        try:
            for message in self._reader.feed(data):
                if type(message) not in _UNASKED:
                    self._watch.answered()
                self._hear(message, acts)
                if acts.disconnect is not None:
                    break
        except wire.FrameError as error:
            acts.disconnect = f"the exchange sent what cannot be read: {error}"
        return acts

    def due(self, now_ns: int) -> Acts:
        """Give up what is overdue; ask whether the exchange is there when it was silent long."""
        self._watch.tick(now_ns)
        acts = Acts()
        text = f"no answer within {self._limits.answer_timeout_ms} ms"
        for request in self._asked.take_overdue(self._watch.age_ns):
            acts.reports.append(self._unknown(request, text))
        self._asked.forget_given_up(self._watch.age_ns)
        if self._login_deadline_ns is not None:
            if self._watch.age_ns >= self._login_deadline_ns:
                acts.disconnect = f"the login got {text}"
        else:
            self._watch.keep_alive(acts)
        return acts

    def closed(self, now_ns: int) -> list[VenueReport]:
        """The transport is gone: the outcome of every unanswered request is unknown."""
        self._watch.tick(now_ns)
        text = "the connection ended before the answer"
        reports: list[VenueReport] = [
            answer(request, Outcome.UNKNOWN, text=text) for request in self._asked.all_pending()
        ]
        self._forget()
        return reports

    # ── the exchange's clock ─────────────────────────────────────────────────────────────────────

    def _login(self) -> bytes:
        self._login_sent_ns = self._watch.now_ns
        sent_ns = self._watch.exchange_ns(self._watch.now_ns)
        return wire.frame(wire.Login(LOGIN_ID, sent_ns, self._public_key, self._private_key))

    def _compare(self, asked_ns: int, exchange_ns: int, reports: list[VenueReport]) -> None:
        self._watch.compare(asked_ns, exchange_ns)
        offset_ns = self._watch.untold_offset_ns() if self._is_logged_in else None
        if offset_ns is not None:
            reports.append(VenueClock(account=self._account, offset_ns=offset_ns))

    def _hear_pong(self, message: wire.Pong, acts: Acts) -> None:
        asked_ns = self._watch.time_asked_ns(message.request_id)
        if asked_ns is None:
            return  # that there are bytes at all was what we wanted to know
        self._compare(asked_ns, message.time_ns, acts.reports)
        if not self._is_logged_in:
            acts.send += self._login()

    # ── what the exchange says ───────────────────────────────────────────────────────────────────

    def _hear(self, message: wire.ExchangeMessage, acts: Acts) -> None:
        """Pass on what one message states, and end the request it answers."""
        reports = acts.reports
        account = self._account
        match message:
            case wire.Execution():
                self._count_event(message.event, reports)
                if message.fill is not None:
                    reports.append(venue_fill(account, message.fill))
                reports.append(venue_order(account, message.order))
                if message.positions:
                    reports.append(venue_positions(account, message))
                if message.balances:
                    reports.append(venue_balances(account, message))
            case wire.Placed():
                self._hear_placed(message, acts)
            case wire.Stated():
                self._hear_stated(message, acts)
            case wire.Refused():
                self._hear_refused(message, acts)
            case wire.BalancesChanged():
                self._count_event(message.event, reports)
                reports.append(venue_balances(account, message))
            case wire.PositionsChanged():
                self._count_event(message.event, reports)
                reports.append(venue_positions(account, message))
                if message.balances:
                    reports.append(venue_balances(account, message))
            case wire.InstrumentsChanged():
                reports.append(venue_instruments(account, message))
            case wire.Pong():
                self._hear_pong(message, acts)
            case wire.LoggedIn():
                self._hear_logged_in(message, acts)
            case (
                wire.OpenOrders()
                | wire.FillsPage()
                | wire.Balances()
                | wire.Positions()
                | wire.Instruments()
                | wire.Tickers()
            ):
                self._hear_page(message, acts)
            case _:
                assert_never(message)

    def _hear_logged_in(self, message: wire.LoggedIn, acts: Acts) -> None:
        if self._is_logged_in:
            return
        if self._exchange and message.exchange and message.exchange != self._exchange:
            acts.disconnect = _is_another(message.exchange, self._exchange)
            acts.refused_login = True
            return
        self._exchange = message.exchange or self._exchange
        reports = acts.reports
        self._is_logged_in = True
        self._login_deadline_ns = None
        self._event_expected = max(self._event_expected, message.last_event + 1)
        self.abilities = msgspec.structs.replace(
            ABILITIES, request_window_ms=message.request_window_ms
        )
        reports.append(
            VenueConnected(
                account=self._account,
                abilities=self.abilities,
                cursor_first=FillsPlace(0, self._exchange).cursor() if self._exchange else "",
            )
        )
        self._compare(self._login_sent_ns, message.time_ns, reports)

    def _count_event(self, event: int, reports: list[VenueReport]) -> None:
        """Say so when the stream skipped something. A late or doubled event is no gap."""
        expected = self._event_expected
        if event > expected and self._is_logged_in:
            gap = VenueStreamGap(account=self._account, expected=expected, got=event)
            reports.append(gap)
        if event >= expected:
            self._event_expected = event + 1

    def _hear_placed(self, message: wire.Placed, acts: Acts) -> None:
        place = self._asked.pending_or_given_up(message.request_id)
        if place is None:
            return
        if (
            not isinstance(place, VenuePlace)
            or message.client_id != place.venue_client_id
            or not message.exchange_order_id
        ):
            self._hear_nonsense(place, message, acts)
            return
        self._asked.end(message.request_id)
        acts.reports.append(done(place, message.exchange_order_id))

    def _hear_stated(self, message: wire.Stated, acts: Acts) -> None:
        request = self._asked.pending(message.request_id)
        if request is None:
            acts.reports.append(venue_order(self._account, message.order))
            return
        if not (isinstance(request, VenueQuery | VenueCancel) and _is_about(message, request)):
            self._hear_nonsense(request, message, acts)
            return
        order = venue_order(self._account, message.order, request)
        self._asked.end(message.request_id)
        acts.reports.append(order)
        acts.reports.append(done(request, order.exchange_order_id))

    def _hear_page(self, message: Page, acts: Acts) -> None:
        """Pass on an answer that lists things, whole if it was asked for, else its facts alone."""
        request = self._asked.pending(message.request_id)
        stated = page_reports(self._account, message, request, self._exchange)
        if stated is None:
            assert request is not None
            self._hear_nonsense(request, message, acts)
            return
        acts.reports.extend(stated)
        if request is not None:
            self._asked.end(request.request_id)
            acts.reports.append(done(request))

    def _hear_refused(self, message: wire.Refused, acts: Acts) -> None:
        text = message.text or message.code.value
        if message.request_id == LOGIN_ID:
            self._hear_login_refused(message, text, acts)
            return
        request = self._asked.take(message.request_id)
        if request is None:
            return
        code = message.code
        match code:
            case wire.RefusalCode.INTERNAL:
                acts.reports.append(self._unknown(request, text))
            case wire.RefusalCode.DUPLICATE if isinstance(request, VenuePlace):
                # Our client ids are our own and sent once: an order that lives under this one is it.
                acts.reports.append(self._unknown(request, text))
            case wire.RefusalCode.ORDER_UNKNOWN if isinstance(request, VenueQuery):
                acts.reports.append(
                    VenueNotFound(
                        account=self._account, request_id=request.request_id, asked=request
                    )
                )
                acts.reports.append(answer(request, Outcome.DONE, text=text))
            case wire.RefusalCode.RATE:
                wait_ms = message.retry_after_ms
                acts.reports.append(
                    answer(request, Outcome.REFUSED, text=text, retry_after_ms=wait_ms)
                )
            case _:
                is_unknown = code is wire.RefusalCode.ORDER_UNKNOWN
                acts.reports.append(
                    answer(request, Outcome.REFUSED, text=text, order_unknown=is_unknown)
                )
        if code is wire.RefusalCode.NOT_LOGGED_IN:
            acts.disconnect = f"the exchange no longer knows who we are: {text}"
        elif code is wire.RefusalCode.WINDOW:
            self._watch.ask_time(acts)

    def _hear_login_refused(self, message: wire.Refused, text: str, acts: Acts) -> None:
        if self._is_logged_in:
            return
        if message.code is wire.RefusalCode.WINDOW and not self._is_login_repeated:
            self._is_login_repeated = True
            self._watch.ask_time(acts)  # and log in again once it is said
            return
        acts.disconnect = f"the exchange refused the login: {text}"
        acts.refused_login = message.code is wire.RefusalCode.LOGIN

    def _hear_nonsense(
        self, request: VenueRequest, message: wire.ExchangeMessage, acts: Acts
    ) -> None:
        """An answer that does not fit: its request's outcome is unknown, and so is the line's state."""
        kind = type(message).__name__
        text = f"the exchange answered {type(request).__name__} {request.request_id} with a {kind}"
        text = f"{text} that does not fit it"
        if self._asked.take(request.request_id) is not None:
            acts.reports.append(answer(request, Outcome.UNKNOWN, text=text))
        acts.disconnect = text

    def _unknown(self, request: VenueRequest, text: str) -> VenueAnswer:
        """End a request as unknown; a place is remembered, for it may be answered yet."""
        if isinstance(request, VenuePlace):
            self._asked.give_up(request, self._watch.age_ns)
        return answer(request, Outcome.UNKNOWN, text=text)


def _is_about(message: wire.Stated, request: VenueQuery | VenueCancel) -> bool:
    """Whether the order stated is the one that was asked about."""
    order = message.order
    if request.exchange_order_id is not None:
        return order.exchange_order_id == request.exchange_order_id
    return bool(order.exchange_order_id) and order.client_id == request.venue_client_id


def _is_another(here: str, known: str) -> str:
    return (
        f"this is exchange {here}, and the account's orders are at exchange {known}: it was emptied, or is"
        " another one; bring that one back, or start with another data folder"
    )
