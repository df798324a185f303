"""The WebSocket side of the load: just enough of RFC 6455 for text frames, pings and a handshake.

A client must mask what it sends; the mask is zeros, so that the load does not measure masking.
"""

import base64
import os
from collections.abc import Iterable

from benchmarks.load import LoadFailed
from benchmarks.mix import ID, Planned
from benchmarks.stream_load import Heard

_FINAL = (b"FILLED", b"CANCELED")
_UNROUTED = (b"RECEIVED", b"ROUTING")
_UPDATE = b'{"type":"ORDER_EXEC_REPORT_UPDATE"'
_REJECT = b'{"type":"MESSAGE_REJECT"'
_POSITIONS = b'{"type":"POSITION_SNAPSHOT"'
_TEXT, _CLOSE, _PING = 0x81, 0x88, 0x89


class WebSocketWire:
    """See `stream_load.Wire`. `accounts`: how many there are; each tells of itself first."""

    def __init__(self, address: tuple[str, int], accounts: int) -> None:
        self._address = address
        self._accounts = accounts
        self._rest = b""
        self._is_upgraded = False
        self._halves: dict[Planned, tuple[bytes, bytes]] = {}

    @property
    def is_open(self) -> bool:
        """Whether every account has said all that comes first; the positions come last."""
        return self._accounts == 0

    def hello(self) -> bytes:
        """Return the upgrade."""
        host = f"{self._address[0]}:{self._address[1]}"
        key = base64.b64encode(os.urandom(16)).decode()
        return (
            f"GET /v1/ws HTTP/1.1\r\nhost: {host}\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            f"sec-websocket-key: {key}\r\nsec-websocket-version: 13\r\n\r\n"
        ).encode()

    def order(self, planned: Planned, client_order_id: bytes) -> bytes:
        """Return one frame."""
        halves = self._halves.get(planned)
        if halves is None:
            text = b'{"type":"ORDER_NEW_SINGLE_REQUEST",' + planned.body()[1:]
            before, _, after = _masked(text).partition(ID)
            halves = self._halves[planned] = (before, after)
        return halves[0] + client_order_id + halves[1]

    def hear(self, data: bytes) -> tuple[Iterable[Heard], bytes]:
        """See `Wire.hear`."""
        if self._rest:
            data = self._rest + data
        at = 0
        if not self._is_upgraded:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._rest = data
                return (), b""
            if not data.startswith(b"HTTP/1.1 101"):
                raise LoadFailed(data.decode("utf-8", "replace"))
            self._is_upgraded = True
            at = end + 4
        reports: list[Heard] = []
        answer = b""
        while True:
            begin, end = _frame(data, at)
            if end > len(data):
                break
            kind = data[at]
            if kind == _PING:
                answer += bytes((0x8A, 0x80 | (end - begin))) + bytes(4) + data[begin:end]
            elif kind == _CLOSE:
                raise LoadFailed(f"closed: {data[begin:end]!r}")
            elif data.startswith(_UPDATE, begin):
                reports.append(_heard(data, begin))
            elif data.startswith(_REJECT, begin):
                raise LoadFailed(data[begin:end].decode())
            elif data.startswith(_POSITIONS, begin):
                self._accounts -= 1
            at = end
        self._rest = data[at:]
        return reports, answer


def _frame(data: bytes, at: int) -> tuple[int, int]:
    """Return where the payload of the frame at `at` begins and ends; past the end if it is not whole."""
    size = len(data)
    if at + 2 > size:
        return size, size + 1
    length = data[at + 1]
    if length < 126:
        return at + 2, at + 2 + length
    width = 2 if length == 126 else 8
    begin = at + 2 + width
    if begin > size:
        return size, size + 1
    return begin, begin + int.from_bytes(data[at + 2 : begin])


def _heard(data: bytes, begin: int) -> Heard:
    at = data.index(b'"id":"', begin) + 6
    client_order_id = data[at : data.index(b'"', at)]
    at = data.index(b'"status":"', at) + 10
    status = data[at : data.index(b'"', at)]
    if status == b"REJECTED":
        raise LoadFailed(data[begin : begin + 2_000].decode("utf-8", "replace"))
    return Heard(client_order_id, status not in _UNROUTED, status in _FINAL)


def _masked(text: bytes) -> bytes:
    assert 126 <= len(text) < 1 << 16, "the length of an order"
    return bytes((_TEXT, 0x80 | 126)) + len(text).to_bytes(2) + bytes(4) + text
