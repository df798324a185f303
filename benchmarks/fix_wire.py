"""The FIX side of the load: an initiator of FIX.4.4 that says no more than the load needs."""

import time
from collections.abc import Iterable

from benchmarks.load import LoadFailed
from benchmarks.mix import QUANTITY, SYMBOL, Planned
from benchmarks.stream_load import Heard

SENDER, TARGET = b"OMS.FIX.CLIENT", b"CoinAPI.OEML.FIX"
HEART_BEAT_S = 60
_SOH = b"\x01"
_FINAL = (b"2", b"4")
_UNROUTED = (b"A",)  # RECEIVED, ROUTING and ROUTED
_SIDES = {"BUY": b"1", "SELL": b"2"}
_TIMES_IN_FORCE = {"GOOD_TILL_CANCEL": b"1", "IMMEDIATE_OR_CANCEL": b"3"}


class FixWire:
    """See `stream_load.Wire`."""

    def __init__(self) -> None:
        self._sequence = 0
        self._rest = b""
        self._second = 0
        self._time = b""
        self._bodies: dict[Planned, bytes] = {}
        self.is_open = False

    def hello(self) -> bytes:
        """Return a logon that resets the sequences."""
        return self._message(b"A", b"98=0\x01108=%d\x01141=Y\x01" % HEART_BEAT_S)

    def order(self, planned: Planned, client_order_id: bytes) -> bytes:
        """Return one NewOrderSingle."""
        body = self._bodies.get(planned)
        if body is None:
            body = self._bodies[planned] = (
                b"100=%s\x0148=%s\x0122=101\x0155=%s\x0140=2\x0154=%s\x0144=%s\x0138=%s\x0159=%s\x01"
                % (
                    planned.account.encode(),
                    SYMBOL.encode(),
                    SYMBOL.encode(),
                    _SIDES[planned.side],
                    planned.price.encode(),
                    QUANTITY.encode(),
                    _TIMES_IN_FORCE[planned.time_in_force],
                )
            )
        moment = self._now()
        ids = b"11=%s\x01583=%s\x0160=%s\x01" % (client_order_id, client_order_id, moment)
        return self._message(b"D", ids + body)

    def hear(self, data: bytes) -> tuple[Iterable[Heard], bytes]:
        """See `Wire.hear`."""
        if self._rest:
            data = self._rest + data
        reports: list[Heard] = []
        answer = b""
        at = 0
        while (trailer := data.find(b"\x0110=", at)) >= 0 and trailer + 8 <= len(data):
            end = trailer + 8
            begin = data.index(b"\x0135=", at) + 4
            kind = data[begin : data.index(_SOH, begin)]
            if kind == b"8":
                reports.append(_heard(data, at, end))
            elif kind == b"A":
                self.is_open = True
            elif kind == b"1":
                answer += self._message(b"0", b"112=%s\x01" % _field(data, at, end, b"112"))
            elif kind != b"0":
                raise LoadFailed(data[at:end].replace(_SOH, b"|").decode())
            at = end
        self._rest = data[at:]
        return reports, answer

    def _message(self, kind: bytes, fields: bytes) -> bytes:
        self._sequence += 1
        body = b"35=%s\x0149=%s\x0156=%s\x0134=%d\x0152=%s\x01%s" % (
            *(kind, SENDER, TARGET, self._sequence, self._now(), fields),
        )
        message = b"8=FIX.4.4\x019=%d\x01%s" % (len(body), body)
        return b"%s10=%03d\x01" % (message, sum(message) & 255)

    def _now(self) -> bytes:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._time = time.strftime("%Y%m%d-%H:%M:%S.000", time.gmtime(second)).encode()
        return self._time


def _field(data: bytes, begin: int, end: int, tag: bytes) -> bytes:
    at = data.index(b"\x01%s=" % tag, begin, end) + len(tag) + 2
    return data[at : data.index(_SOH, at)]


def _heard(data: bytes, begin: int, end: int) -> Heard:
    status = _field(data, begin, end, b"39")
    if status == b"8":
        raise LoadFailed(data[begin:end].replace(_SOH, b"|").decode())
    return Heard(_field(data, begin, end, b"11"), status not in _UNROUTED, status in _FINAL)
