"""Virtual time passes when nothing is ready, and a killed process does nothing more."""

import asyncio
import gc

import pytest

from fairlead.simulation.loop import Deadlock, Process, SimulatedCrash, VirtualLoop


class Errors(list[str]):
    def __call__(self, message: str, error: BaseException | None) -> None:
        self.append(f"{message} {error!r}")


@pytest.fixture
def errors() -> Errors:
    return Errors()


@pytest.fixture
def loop(errors: Errors) -> VirtualLoop:
    return VirtualLoop(errors)


def test_an_hour_passes_in_no_time(loop: VirtualLoop) -> None:
    async def wait() -> float:
        await asyncio.sleep(3_600)
        return loop.time()

    assert loop.run(wait()) == 3_600
    assert loop.now_ns == 3_600 * 10**9


def test_waiting_for_nothing_is_an_error(loop: VirtualLoop) -> None:
    async def wait() -> None:
        await loop.create_future()

    with pytest.raises(Deadlock, match="stands still"):
        loop.run(wait())


def test_callbacks_without_end_are_an_error(loop: VirtualLoop) -> None:
    def again() -> None:
        loop.call_soon(again)

    async def wait() -> None:
        again()
        await asyncio.sleep(1)

    with pytest.raises(Deadlock, match="no time has passed"):
        loop.run(wait())


def test_a_killed_process_does_nothing_more(loop: VirtualLoop, errors: Errors) -> None:
    done: list[str] = []

    async def work() -> None:
        try:
            done.append("begins")
            loop.call_later(5, done.append, "later")
            await asyncio.sleep(2)
        finally:
            done.append("cleans up")

    tasks: list[asyncio.Task[None]] = []

    async def story() -> None:
        process = Process("victim")
        loop.call_soon(lambda: tasks.append(loop.create_task(work())), context=process.context)
        await asyncio.sleep(1)
        loop.kill(process)
        loop.call_soon(done.append, "from the grave", context=process.context)
        loop.call_later(1, done.append, "from the grave", context=process.context)
        await asyncio.sleep(10)

    loop.run(story())
    assert done == ["begins"]
    assert not errors


def test_what_a_killed_process_was_about_to_do_is_no_error(
    loop: VirtualLoop, errors: Errors
) -> None:
    async def wait(for_what: asyncio.Future[None]) -> None:
        await for_what

    async def story() -> None:
        process = Process("victim")
        answers = [loop.create_future()]
        loop.call_soon(lambda: loop.create_task(wait(answers[0])), context=process.context)
        await asyncio.sleep(1)
        answers.pop().set_result(None)  # only the callback that goes on holds the task now
        loop.kill(process)
        gc.collect()

    loop.run(story())
    assert not errors


def test_a_task_that_nobody_holds_is_an_error(loop: VirtualLoop, errors: Errors) -> None:
    async def wait() -> None:
        await loop.create_future()

    async def story() -> None:
        loop.call_soon(lambda: loop.create_task(wait()), context=Process("careless").context)
        await asyncio.sleep(1)
        gc.collect()

    loop.run(story())
    assert errors == ["Task was destroyed but it is pending! None"]


def test_a_crash_unwinds_without_being_an_error(loop: VirtualLoop, errors: Errors) -> None:
    def crash() -> None:
        raise SimulatedCrash("now")

    def fail() -> None:
        raise ValueError("a mistake")

    async def story() -> None:
        loop.call_soon(crash)
        await asyncio.sleep(1)
        assert not errors
        loop.call_soon(fail)
        await asyncio.sleep(1)

    loop.run(story())
    assert len(errors) == 1
    assert "a mistake" in errors[0]


def test_there_are_no_threads(loop: VirtualLoop) -> None:
    async def story() -> None:
        await loop.run_in_executor(None, print)

    with pytest.raises(NotImplementedError):
        loop.run(story())
