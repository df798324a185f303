"""In the place of a thread: work that is done a little later, while the loop goes on."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from random import Random
from typing import ParamSpec, TypeVar

from fairlead.simulation.loop import NS, VirtualLoop
from fairlead.simulation.network import US

_Result = TypeVar("_Result")
_Parameters = ParamSpec("_Parameters")


class VirtualThread(Executor):
    """Runs what is submitted, in the submitter's process, after up to `delay_us_max`."""

    def __init__(self, loop: VirtualLoop, random: Random, delay_us_max: int) -> None:
        self._loop = loop
        self._random = random
        self._delay_us_max = delay_us_max

    def submit(
        self,
        fn: Callable[_Parameters, _Result],
        /,
        *args: _Parameters.args,
        **kwargs: _Parameters.kwargs,
    ) -> Future[_Result]:
        """Run `fn` later; its process may be killed before, within or after."""
        future: Future[_Result] = Future()

        def run() -> None:
            try:
                result = fn(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - it is the waiter's
                future.set_exception(error)
            else:
                future.set_result(result)

        self._loop.call_later(self._random.randrange(1, self._delay_us_max) * US / NS, run)
        return future
