"""Bounds of the sequencer."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of the pump.

    Over `inbox_most` waiting messages, new requests are refused, but for the end of a session: nobody is
    left to send it again. A batch holds `batch_most` messages,
    and may wait `fillings_most` turns of the event loop for more of them while more keep coming.
    The pump wakes for timers at most every `wake_least_us`. Where syncs take `threaded_sync_least_us`, a
    batch that changes `threaded_orders_least` orders is synced in a thread, if there is one: else the
    hand-over costs more than the loop could do meanwhile.
    """

    inbox_most: int = 20_000
    batch_most: int = 256
    fillings_most: int = 4
    wake_least_us: int = 2_000
    threaded_orders_least: int = 4
    threaded_sync_least_us: int = 1_000
