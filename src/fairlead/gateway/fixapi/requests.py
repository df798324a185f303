"""What a client's messages ask for, from the message to what answers it.

Requests are handed over in the order in which they came, without waiting for one another. What became
of an order is told by its reports, which every session hears anyway; a message of its own answers only
what no report tells. Knows no socket.
"""

import asyncio
from collections.abc import Callable, Mapping

import structlog

from fairlead.core.model import ExecInst, Order, Stage
from fairlead.core.port import EdgePort
from fairlead.core.replies import CancelAllReply, OrderReply, Refusal, Refused, Reply
from fairlead.core.reports import Cause, OrderReport
from fairlead.core.requests import EndSession, QueryOrder, Request
from fairlead.fix.happened import Received
from fairlead.fix.message import Fault, Message
from fairlead.fix.tags import BusinessReason
from fairlead.gateway.fixapi import asking, telling, words
from fairlead.gateway.fixapi.alike import Alike
from fairlead.gateway.fixapi.asking import Cancel, Declined
from fairlead.gateway.fixapi.cancels import Cancels
from fairlead.gateway.fixapi.desk import Answer, Desk, Work
from fairlead.gateway.fixapi.meanwhile import Meanwhile
from fairlead.gateway.fixapi.telling import Terms

log = structlog.get_logger()
_CANCEL_WITHOUT_EFFECT = "the cancel had no effect, the order is still there"
_TOO_LATE = "the order has ended"
_PENDING = "a cancel of this order is on its way already"


class Mouth:
    """What requests need to answer: who they are, and how to say something."""

    def __init__(
        self,
        *,
        name: str,
        terms: Terms,
        ends_with_session: bool,
        has_report_id: bool,
        told: Mapping[str, int],
        say: Callable[[str, bytes], bool],
        reject: Callable[[Message, Fault], bool],
        dealt: Callable[[Received], None],
    ) -> None:
        """`told`: by account, the sequence of the last report that this client was told.

        `say` and `reject` return False where nothing can be said any more.
        """
        self.name = name
        self.terms = terms
        self.ends_with_session = ends_with_session
        self.has_report_id = has_report_id
        self.told = told
        self.meanwhile = Meanwhile()
        self.say = say
        self.reject = reject
        self.dealt = dealt


class Requests:
    """One session's requests.

    `on_load` hears that as many are unanswered as may be, and again when half of them are answered.
    """

    def __init__(
        self, desk: Desk, port: EdgePort, mouth: Mouth, on_load: Callable[[bool], None]
    ) -> None:
        """`port`: the client's own way to the edge, which decides what it may."""
        self._desk = desk
        self._port = port
        self._mouth = mouth
        self._on_load = on_load
        self._unanswered = 0
        self._unanswered_most = desk.settings.in_flight_max
        self._orders = Alike(mouth.name, ends_with_session=mouth.ends_with_session)
        self._places: dict[tuple[str, str], list[Received]] = {}  # until a report tells of one
        self._placing: dict[Answer, tuple[Received, tuple[str, str], int]] = {}
        self._cancels = Cancels()
        self._ending: dict[str, None] = {}  # accounts with orders that end with the session

    # ── in ───────────────────────────────────────────────────────────────────────────────────────

    def take(self, received: Received) -> bool:
        """Take a message; False if it is none of those that are known here."""
        match received.message.msg_type:
            case words.NEW_ORDER_SINGLE:
                self._take_place(received)
            case words.ORDER_CANCEL_REQUEST:
                self._take_cancel(received)
            case words.ORDER_MASS_CANCEL_REQUEST:
                self._take_mass_cancel(received)
            case words.ORDER_STATUS_REQUEST:
                self._take_status(received)
            case _:
                return False
        return True

    def refuse_type(self, received: Received) -> None:
        """Answer a message of a type that is not served."""
        text = f"MsgType (35) {received.message.msg_type} is not supported; D, F, q, H, AF are"
        reason = BusinessReason.UNSUPPORTED_MESSAGE_TYPE
        body = telling.business_reject(received.message, reason, text)
        self._answer(received, words.BUSINESS_MESSAGE_REJECT, body)

    @property
    def has_cancels(self) -> bool:
        """Whether there are cancels of whose end the client is told, if they come to nothing."""
        return self._cancels.count > 0

    def heard(self, report: OrderReport, order: Order) -> None:
        """Take note of a report that the client is being told."""
        if self._mouth.meanwhile.is_asked:
            self._mouth.meanwhile.heard(report, order)
        if report.opened is not None:
            for received in self._places.pop((order.account, order.client_order_id), ()):
                self._mouth.dealt(received)  # it is durable
        if self._cancels.count and not order.cancel_pending:
            for cancel_id in self._cancels.take_ended(order):
                if report.cause is Cause.CANCEL_ENDED:  # else the report tells that it worked
                    body = self._without_effect(cancel_id, report, order)
                    self._mouth.say(words.ORDER_CANCEL_REJECT, body)

    def end(self) -> None:
        """The session is over: its orders with CANCEL_ON_DISCONNECT end, its requests go on."""
        for account in self._ending:
            request = EndSession(account=account, session=self._mouth.name)
            self.start(self._submit_end(request))
        self._ending.clear()
        self._cancels.clear()

    def start(self, work: Work) -> None:
        """Have `work` done beside the others; until then it is one of the unanswered requests."""
        self._begin_one()
        self._desk.start(work, self._end_one)

    # ── D ────────────────────────────────────────────────────────────────────────────────────────

    def _take_place(self, received: Received) -> None:
        mouth, message = self._mouth, received.message
        place = self._orders.read(message)
        if isinstance(place, Fault):
            self._reject(received, place)
        elif isinstance(place, Declined):
            self._decline(received, place.reason, place.text)
        else:
            if ExecInst.CANCEL_ON_DISCONNECT in place.exec_inst:
                self._ending[place.account] = None
            key = (place.account, place.client_order_id)
            waiting = self._places.get(key)
            if waiting is None:
                self._places[key] = [received]
            else:
                waiting.append(received)
            told = mouth.told.get(place.account, 0)
            self._begin_one()
            answer = self._submit(place)
            self._placing[answer] = (received, key, told)
            self._desk.await_answer(answer, self._placed)

    def _placed(self, answer: Answer) -> None:
        self._desk.answered(answer)
        received, key, told = self._placing.pop(answer)
        waiting = self._places.get(key)
        reply = self._reply(answer, received)
        if waiting is None and type(reply) is OrderReply and reply.order.sequence > told:
            pass  # a report told it, and with that it was dealt with
        else:
            self._forget_place(received, key)
            self._answer_place(received, told, reply)
        self._end_one()

    def _answer_place(self, received: Received, told: int, reply: Reply | None) -> None:
        match reply:
            case None:
                return  # told, or stopping: whether it was taken is unknown, it will be asked again
            case OrderReply(order) | Refused(Refusal.IN_DOUBT, order=Order() as order):
                self._tell_unless_told(received, order, told)
            case Refused():
                reason, text = telling.refusal_of_place(reply)
                self._decline(received, reason, text)
            case _:
                raise AssertionError(reply)

    def _forget_place(self, received: Received, key: tuple[str, str]) -> None:
        waiting = self._places.get(key)
        if waiting is not None and received in waiting:
            waiting.remove(received)
            if not waiting:
                del self._places[key]

    def _decline(self, received: Received, reason: int, text: str) -> None:
        mouth = self._mouth
        exec_id, now_ns = self._desk.new_id("R"), self._desk.now_ns()
        body = telling.declined(received.message, reason, text, exec_id, mouth.terms, now_ns)
        self._answer(received, words.EXECUTION_REPORT, body)

    def _tell_unless_told(self, received: Received, order: Order, told: int) -> None:
        """Say how an order stands, unless a report that answers the request was or will be told."""
        if order.sequence > told:
            self._mouth.dealt(received)
        else:
            # It was told before, and may have been told again since: ask how it stands now.
            request = QueryOrder(account=order.account, client_order_id=order.client_order_id)
            self.start(self._status(received, self._submit(request)))

    def _say_status(self, received: Received, order: Order) -> None:
        mouth, more = self._mouth, telling.status_request_id(received.message)
        body = telling.status(order, self._desk.new_id("S"), mouth.terms, self._desk.now_ns(), more)
        self._answer(received, words.EXECUTION_REPORT, body)

    # ── F ────────────────────────────────────────────────────────────────────────────────────────

    def _take_cancel(self, received: Received) -> None:
        cancel = asking.read_cancel(received.message)
        if isinstance(cancel, Fault):
            self._reject(received, cancel)
        elif isinstance(cancel, Declined):
            message = received.message
            named = message.text(words.ORIG_CL_ORD_ID) or message.text(words.ORDER_ID)
            self._refuse_cancel(received, named, None, telling.OTHER, cancel.text)
        else:
            told = self._mouth.told.get(cancel.request.account, 0)
            self.start(self._cancel(received, cancel, told, self._submit(cancel.request)))

    async def _cancel(self, received: Received, cancel: Cancel, told: int, answer: Answer) -> None:
        with self._mouth.meanwhile.asking():
            reply = await self._replied(answer, received)
            if cancel.otherwise is not None and _is_unknown(reply):
                reply = await self._replied(self._submit(cancel.otherwise), received)
            match reply:
                case None:
                    return
                case OrderReply(order):
                    self._cancel_answered(received, cancel, order, is_news=order.sequence > told)
                case Refused(Refusal.ACCOUNT_UNKNOWN):
                    self._refuse_account(received, reply)
                case Refused():
                    is_unknown = reply.refusal is Refusal.ORDER_UNKNOWN
                    reason = telling.UNKNOWN if is_unknown else telling.OTHER
                    text = telling.told_refusal(reply)
                    self._refuse_cancel(received, cancel.named, None, reason, text)
                case _:
                    raise AssertionError(reply)

    def _cancel_answered(
        self, received: Received, cancel: Cancel, order: Order, *, is_news: bool
    ) -> None:
        """Say so where the cancel changed nothing; else a report tells what it did."""
        if is_news and not _is_over(order):
            self._await_end_of_cancel(received, order)
        elif is_news and order.stage is Stage.CANCELED:
            self._mouth.dealt(received)
        else:
            newest = self._mouth.meanwhile.newest(order)
            if _is_over(order) or _is_over(newest):
                self._refuse_cancel(received, cancel.named, newest, telling.TOO_LATE, _TOO_LATE)
            elif newest.cancel_pending:
                self._refuse_cancel(received, cancel.named, newest, telling.PENDING, _PENDING)
            else:
                text = _CANCEL_WITHOUT_EFFECT  # that of the one that was on its way
                self._refuse_cancel(received, cancel.named, newest, telling.OTHER, text)

    def _await_end_of_cancel(self, received: Received, order: Order) -> None:
        """Have the client told if the cancel comes to nothing; reports may have told so already."""
        cancel_id, meanwhile = received.message.text(words.CL_ORD_ID), self._mouth.meanwhile
        ended = meanwhile.end_of_cancel(order)
        if ended is not None:
            body = self._without_effect(cancel_id, *ended)
            self._answer(received, words.ORDER_CANCEL_REJECT, body)
            return
        if meanwhile.newest(order).cancel_pending:
            self._cancels.add(cancel_id, order)
        self._mouth.dealt(received)

    def _refuse_cancel(
        self, received: Received, named: str, order: Order | None, reason: int, text: str
    ) -> None:
        cancel_id, now_ns = received.message.text(words.CL_ORD_ID), self._desk.now_ns()
        body = telling.cancel_reject(cancel_id, named, order, reason, text, now_ns)
        self._answer(received, words.ORDER_CANCEL_REJECT, body)

    def _without_effect(self, cancel_id: str, report: OrderReport, order: Order) -> bytes:
        """Return the OrderCancelReject for a cancel that `report` ended: the order did not end by it."""
        is_over = order.stage.is_final
        text = report.attention or (_TOO_LATE if is_over else _CANCEL_WITHOUT_EFFECT)
        reason, now_ns = telling.TOO_LATE if is_over else telling.OTHER, self._desk.now_ns()
        return telling.cancel_reject(cancel_id, order.client_order_id, order, reason, text, now_ns)

    # ── q ────────────────────────────────────────────────────────────────────────────────────────

    def _take_mass_cancel(self, received: Received) -> None:
        request = asking.read_mass_cancel(received.message)
        if isinstance(request, Fault):
            self._reject(received, request)
        elif isinstance(request, Declined):
            self._report_mass_cancel(received, None, request.text)
        else:
            self.start(self._mass_cancel(received, self._submit(request)))

    async def _mass_cancel(self, received: Received, answer: Answer) -> None:
        reply = await self._replied(answer, received)
        match reply:
            case None:
                return
            case CancelAllReply(count):
                self._report_mass_cancel(received, count, "")
            case Refused():
                self._report_mass_cancel(received, None, telling.told_refusal(reply))
            case _:
                raise AssertionError(reply)

    def _report_mass_cancel(self, received: Received, count: int | None, text: str) -> None:
        mouth = self._mouth
        body = telling.mass_cancel_report(
            received.message,
            self._desk.new_id("M"),
            count,
            text,
            self._desk.now_ns(),
            mouth.has_report_id,
        )
        self._answer(received, words.ORDER_MASS_CANCEL_REPORT, body)

    # ── H ────────────────────────────────────────────────────────────────────────────────────────

    def _take_status(self, received: Received) -> None:
        status = asking.read_status(received.message)
        if isinstance(status, Fault):
            self._reject(received, status)
        elif isinstance(status, Declined):
            self._say_unknown(received, status.text)
        else:
            request = QueryOrder(account=status.account, client_order_id=status.client_order_id)
            self.start(self._status(received, self._submit(request)))

    async def _status(self, received: Received, answer: Answer) -> None:
        with self._mouth.meanwhile.asking():
            reply = await self._replied(answer, received)
            match reply:
                case None:
                    return
                case OrderReply(order):
                    self._say_status(received, self._mouth.meanwhile.newest(order))
                case Refused(Refusal.ORDER_UNKNOWN, field="exchange_id"):
                    self._refuse_account(received, reply)
                case Refused():
                    self._say_unknown(received, telling.told_refusal(reply))
                case _:
                    raise AssertionError(reply)

    def _say_unknown(self, received: Received, text: str) -> None:
        message = received.message
        body = telling.unknown_status(
            message.text(words.CL_ORD_ID) or message.text(words.ORDER_ID),
            message.text(words.SECURITY_EXCHANGE),
            message.text(words.SIDE),
            self._desk.new_id("S"),
            text,
            self._desk.now_ns(),
            telling.status_request_id(message),
        )
        self._answer(received, words.EXECUTION_REPORT, body)

    # ── all ──────────────────────────────────────────────────────────────────────────────────────

    def _refuse_account(self, received: Received, refused: Refused) -> None:
        """Say that the account is not here, and nothing of its orders: they may well stand."""
        text = telling.told_refusal(refused)
        body = telling.business_reject(received.message, BusinessReason.UNKNOWN_ID, text)
        self._answer(received, words.BUSINESS_MESSAGE_REJECT, body)

    def _begin_one(self) -> None:
        self._unanswered += 1
        if self._unanswered >= self._unanswered_most:
            self._on_load(True)

    def _end_one(self) -> None:
        self._unanswered -= 1
        if self._unanswered == self._unanswered_most // 2:
            self._on_load(False)

    def _submit(self, request: Request) -> Answer:
        """Hand a request over: from here on its place among the others is fixed."""
        return asyncio.ensure_future(self._port.submit(request))

    async def _replied(self, answer: Answer, received: Received) -> Reply | None:
        """Wait for the answer and return it, see `_reply`."""
        await asyncio.wait((answer,))
        return self._reply(answer, received)

    def _reply(self, answer: Answer, received: Received) -> Reply | None:
        """Return the reply; None when the edge is stopping, or did not look: the client was told."""
        try:
            reply = answer.result()
        except ConnectionError:
            log.info("fix_request_unanswered", session=self._mouth.name)
            return None
        if isinstance(reply, Refused) and reply.refusal in telling.NOT_LOOKED:
            body = telling.not_looked(received.message, reply)
            self._answer(received, words.BUSINESS_MESSAGE_REJECT, body)
            return None
        return reply

    async def _submit_end(self, request: EndSession) -> None:
        try:
            await self._port.submit(request)
        except ConnectionError:
            log.info("fix_request_unanswered", session=self._mouth.name)

    def _answer(self, received: Received, msg_type: str, body: bytes) -> None:
        if self._mouth.say(msg_type, body):
            self._mouth.dealt(received)  # else it will be asked for again, and answered then

    def _reject(self, received: Received, fault: Fault) -> None:
        if self._mouth.reject(received.message, fault):
            self._mouth.dealt(received)


def _is_over(order: Order) -> bool:
    return order.stage.is_final and order.in_doubt_ns is None


def _is_unknown(reply: Reply | None) -> bool:
    return isinstance(reply, Refused) and reply.refusal is Refusal.ORDER_UNKNOWN
