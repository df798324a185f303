"""The in-memory pipe: order, pieces, ends, as of a socket."""

import asyncio

import pytest

from fairlead.venues.pipe import WRITE_BYTES_HIGH, Pipe, connect
from tests.venues.talk import in_virtual_time


class Side(asyncio.Protocol):
    """Writes down what happens to it."""

    def __init__(self, on_data=None):
        self.story = []
        self.on_data = on_data

    def connection_made(self, transport):
        self.end = transport
        self.story.append("made")

    def data_received(self, data):
        self.story.append(data)
        if self.on_data is not None:
            self.on_data(self.end, data)

    def eof_received(self):
        self.story.append("eof")

    def connection_lost(self, exc):
        self.story.append("lost" if exc is None else type(exc).__name__)

    def pause_writing(self):
        self.story.append("pause")

    def resume_writing(self):
        self.story.append("resume")


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


def connected(loop, on_data=None):
    near, far = Side(), Side(on_data)
    connect(loop, near, far)
    return near, far


def test_bytes_arrive_in_order_one_piece_per_iteration_and_not_before():
    async def story(loop):
        near, far = connected(loop)
        near.end.write(b"ab")
        near.end.write(bytearray(b"c"))
        near.end.write(memoryview(b"d"))
        near.end.write(b"")
        assert far.story == ["made"]
        assert near.end.get_write_buffer_size() == 4
        await turns()
        near.end.write(b"e")
        await turns()
        assert far.story == ["made", b"abcd", b"e"]
        assert near.end.get_write_buffer_size() == 0

    in_virtual_time(story)


def test_both_directions_at_once():
    async def story(loop):
        near, far = connected(loop, on_data=lambda end, data: end.write(data.upper()))
        near.end.write(b"ab")
        far.end.write(b"x")
        await turns()
        assert far.story == ["made", b"ab"]
        assert b"".join(near.story[1:]) == b"xAB"

    in_virtual_time(story)


def test_close_delivers_what_was_written_and_ends_both_sides():
    async def story(loop):
        near, far = connected(loop)
        near.end.write(b"last")
        far.end.write(b"never read")
        near.end.close()
        near.end.close()
        near.end.write(b"too late")
        assert near.end.is_closing()
        await turns()
        assert far.story == ["made", b"last", "eof", "lost"]
        assert near.story == ["made", "lost"]
        assert far.end.is_closing()
        far.end.write(b"nobody there")
        far.end.abort()
        await turns()
        assert near.story == ["made", "lost"]

    in_virtual_time(story)


def test_abort_loses_what_was_not_delivered_and_resets_the_other_side():
    async def story(loop):
        near, far = connected(loop)
        near.end.write(b"delivered")
        await turns()
        near.end.write(b"lost")
        far.end.write(b"lost too")
        near.end.abort()
        near.end.abort()
        await turns()
        assert far.story == ["made", b"delivered", "ConnectionResetError"]
        assert near.story == ["made", "lost"]

    in_virtual_time(story)


@pytest.mark.parametrize(
    ("end_it", "near_story", "far_story"),
    [
        ("close", ["made", "eof", "lost"], ["made", b"stop", "lost"]),
        ("abort", ["made", "ConnectionResetError"], ["made", b"stop", "lost"]),
    ],
)
def test_an_end_from_within_data_received(end_it, near_story, far_story):
    async def story(loop):
        near, far = connected(loop, on_data=lambda end, _: getattr(end, end_it)())
        near.end.write(b"stop")
        await turns()
        assert (near.story, far.story) == (near_story, far_story)

    in_virtual_time(story)


def test_both_close_at_once():
    async def story(loop):
        near, far = connected(loop)
        near.end.close()
        far.end.close()
        await turns()
        assert near.story == far.story == ["made", "lost"]

    in_virtual_time(story)


def test_a_paused_side_is_given_nothing_until_it_resumes():
    async def story(loop):
        near, far = connected(loop)
        assert far.end.is_reading()
        far.end.pause_reading()
        assert not far.end.is_reading()
        near.end.write(b"a")
        near.end.close()
        await turns()
        assert far.story == ["made"]
        assert near.story == ["made"]
        far.end.resume_reading()
        await turns()
        assert far.story == ["made", b"a", "eof", "lost"]
        assert near.story == ["made", "lost"]

    in_virtual_time(story)


def test_a_writer_ahead_of_its_reader_is_told_to_pause():
    async def story(loop):
        near, far = connected(loop)
        far.end.pause_reading()
        near.end.write(bytes(WRITE_BYTES_HIGH))
        assert near.story == ["made"]
        near.end.write(b"x")
        near.end.write(b"x")
        assert near.story == ["made", "pause"]
        far.end.resume_reading()
        await turns()
        assert near.story == ["made", "pause", "resume"]
        assert sum(map(len, far.story[1:])) == WRITE_BYTES_HIGH + 2

    in_virtual_time(story)


def test_a_pipe_connects_to_whoever_accepts():
    async def story(loop):
        far = Side()
        near, failures = Side(), []
        Pipe(loop, lambda: far)(near, failures.append)
        assert near.story == []
        await turns()
        assert near.story == far.story == ["made"]
        assert near.end.get_extra_info("socket") is None
        assert failures == []

    in_virtual_time(story)


def test_a_pipe_nobody_accepts_fails():
    async def story(loop):
        def accept():
            raise ConnectionRefusedError("no exchange here")

        near, failures = Side(), []
        Pipe(loop, accept)(near, failures.append)
        await turns()
        assert [str(failure) for failure in failures] == ["no exchange here"]
        assert near.story == []

    in_virtual_time(story)


def test_an_attempt_given_up_connects_nobody():
    async def story(loop):
        near, failures = Side(), []
        give_up = Pipe(loop, Side)(near, failures.append)
        give_up()
        await turns()
        assert near.story == []
        assert failures == []

    in_virtual_time(story)
