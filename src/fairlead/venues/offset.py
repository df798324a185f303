"""How far an exchange's clock is ahead of ours, as far as its answers prove it.

A time that the exchange says lies between the moments at which we asked and at which we heard, so each answer
bounds the offset from both sides. While no bound says otherwise, the clocks agree. Pure: times are arguments.
"""


class ClockOffset:
    """`ns` is to be added to our time to have the exchange's."""

    def __init__(self) -> None:
        self.ns = 0

    def compare(self, asked_ns: int, heard_ns: int, exchange_ns: int) -> None:
        """Take a time that the exchange said: change what we think no more than it takes to agree."""
        least, most = exchange_ns - heard_ns, exchange_ns - asked_ns
        if least <= most:  # else our clock was set back meanwhile
            self.ns = min(max(self.ns, least), most)
