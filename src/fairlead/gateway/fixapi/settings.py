"""What the FIX acceptor is told: its name, its limits, its times."""

import msgspec

from fairlead.fix.codec import Bounds
from fairlead.fix.settings import SECOND_NS, SessionSettings


class FixSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits and times.

    A client that reads nothing for `slow_client_s` while more than `output_bytes_max` wait for it is
    cut off. While `in_flight_max` of its requests are unanswered nothing more is read from it. Of each
    session the last `sent_messages_min` messages can be sent again. A mass status request is answered
    with at most `mass_status_orders_max` orders, found in the last `mass_status_reports_max` reports.
    With `log_messages`, every message is kept in two files of `log_bytes_max` each, the oldest go.
    """

    comp_id: str = "CoinAPI.OEML.FIX"
    cancel_on_disconnect: bool = False
    connections_max: int = 64
    logon_timeout_s: float = 10.0
    slow_client_s: float = 30.0
    stop_timeout_s: float = 5.0
    output_bytes_max: int = 1 << 20
    message_bytes_max: int = 65_536
    in_flight_max: int = 2_000
    sent_messages_min: int = 10_000
    mass_status_orders_max: int = 10_000
    mass_status_reports_max: int = 100_000
    log_messages: bool = True
    log_bytes_max: int = 64 << 20

    def session(self) -> SessionSettings:
        """Return the settings of one connection's session."""
        return SessionSettings(
            self.comp_id,
            logon_timeout_ns=int(self.logon_timeout_s * SECOND_NS),
            bounds=Bounds(body_bytes_most=self.message_bytes_max),
        )
