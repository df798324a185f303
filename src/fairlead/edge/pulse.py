"""Whether the pump still turns, seen from outside. Must never put anything into its inbox."""

from fairlead.edge.sequencer import Sequencer


class Pulse:
    """Looks at one sequencer, now and then."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._sequencer = sequencer
        self._batches = 0

    def beats(self) -> bool:
        """Return whether batches were decided since the last look, or there is nothing to decide.

        Not so while a commit does not end, or messages wait and nobody takes them.
        """
        sequencer = self._sequencer
        before, self._batches = self._batches, sequencer.metrics.batches
        if sequencer.failure is not None:
            return False
        return sequencer.is_idle or self._batches != before
