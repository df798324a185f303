"""A client that comes back goes on where it was: every report once, also after kill -9 (section 4)."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.acceptance.conftest import Desk, MakeDesk
from tests.streaming import OPENING, RESUMED, Stream
from tests.system import ACCOUNTS, QUICK, Ems, Json, running, write_config

PARTS = 8


@pytest.fixture(scope="module")
def small(make_desk: MakeDesk) -> Iterator[Desk]:
    """A system whose ring holds little, so that most of what was missed is read from the journal."""
    with make_desk(feed__ring_reports=5, websocket__resume_reports_max=1_000) as desk:
        yield desk


def burst(stream: Stream, name: str) -> None:
    """Have ALICE's order to sell filled in parts by many orders of SIM; wait for the last report."""
    stream.place(
        f"{name}-rests",
        exchange_id="SIM/ALICE",
        side="SELL",
        price=Decimal(30000),
        amount_order=Decimal("0.01") * PARTS,
    )
    stream.report(f"{name}-rests", "NEW")
    for part in range(PARTS):
        stream.place(f"{name}-{part}", price=Decimal(30000))
    stream.report(f"{name}-rests", "FILLED")
    for part in range(PARTS):
        stream.report(f"{name}-{part}", "FILLED")


def to_the_end(stream: Stream, ends: dict[str, int]) -> None:
    """Read on until every account's last report is there."""
    for name, end in ends.items():
        while not (stream.updates(name) and stream.updates(name)[-1]["sequence"] >= end):
            stream.next()


def ends_of(desk_or_ems: Desk | Ems) -> dict[str, int]:
    api = desk_or_ems.api() if isinstance(desk_or_ems, Ems) else desk_or_ems.api
    ends = {name: int(state["sequence"]) for name, state in api.accounts().items()}
    if isinstance(desk_or_ems, Ems):
        api.close()
    return ends


def orders_of(updates: list[Json]) -> list[Json]:
    return [each for each in updates if each["type"] == "ORDER_EXEC_REPORT_UPDATE"]


def check_resumed(
    url: str, before: dict[str, list[Json]], seen: dict[str, int], ends: dict[str, int]
) -> None:
    """A client that has seen so much gets exactly the missed order reports, then one of each snapshot."""
    with Stream(url, resume=seen) as stream:
        while not all(
            any(
                m["type"] == "POSITION_SNAPSHOT" and m["exchange_id"] == name
                for m in stream.messages
            )
            for name in seen
        ):
            stream.next()
    for name, sequence in seen.items():
        messages = [m for m in stream.messages if m["exchange_id"] == name]
        reports = orders_of(messages)
        assert reports == [m for m in orders_of(before[name]) if m["sequence"] > sequence]
        others = [m for m in messages if m["type"] != "ORDER_EXEC_REPORT_UPDATE"]
        assert [m["type"] for m in others if not m["type"].endswith("UPDATE")] == RESUMED
        opening = [m for m in others if m["type"] in RESUMED]
        assert {m["resumed"] for m in opening} == {True}
        assert {m["sequence"] for m in opening} == {ends[name]}
        assert messages[:2] == opening[:2]
        assert messages[-2:] == opening[2:]


def test_a_client_resumes_at_every_point_of_a_fill_burst(small: Desk) -> None:
    with Stream(small.api.url) as whole:
        start = {
            name: seen["POSITION_SNAPSHOT"]["sequence"] for name, seen in whole.opening().items()
        }
        burst(whole, "every")
        ends = ends_of(small)
        to_the_end(whole, ends)
        before = {name: whole.updates(name) for name in start}
    for name, updates in before.items():
        assert [m["sequence"] for m in updates] == list(range(start[name] + 1, ends[name] + 1))
    most = max(len(each) for each in before.values())
    for seen in range(most + 1):
        point = {name: min(start[name] + seen, ends[name]) for name in start}
        check_resumed(small.api.url, before, point, ends)


def test_a_client_that_leaves_and_resumes_within_a_burst_misses_and_repeats_nothing(
    small: Desk,
) -> None:
    """Dropped after every few reports while the burst goes on: joined, it is the whole."""
    with Stream(small.api.url) as whole, Stream(small.api.url) as first:
        start = {
            name: seen["POSITION_SNAPSHOT"]["sequence"] for name, seen in whole.opening().items()
        }
        first.opening()
        joined: dict[str, list[Json]] = {name: [] for name in start}
        seen = dict(start)
        leaving: Stream = first
        for number in range(5):
            whole.place(
                f"within-{number}-rests", exchange_id="SIM/ALICE", side="SELL", price=Decimal(30000)
            )
            whole.report(f"within-{number}-rests", "NEW")
            whole.place(f"within-{number}", price=Decimal(30000))
            for _ in range(3):
                leaving.next()
            leaving.kill()
            note(leaving, joined, seen)
            leaving = Stream(small.api.url, resume=seen)
        whole.report("within-4", "FILLED")
        ends = ends_of(small)
        to_the_end(whole, ends)
        leaving.place("last-sim")
        leaving.place("last-alice", exchange_id="SIM/ALICE")
        leaving.report("last-sim", "NEW")
        leaving.report("last-alice", "NEW")
        note(leaving, joined, seen)
        leaving.close()
    for name, end in ends.items():
        wanted = [m for m in orders_of(whole.updates(name)) if m["sequence"] <= end]
        assert [m for m in joined[name] if m["sequence"] <= end] == wanted


def note(stream: Stream, joined: dict[str, list[Json]], seen: dict[str, int]) -> None:
    """Keep the order reports that the client got, and how far it is in each account."""
    for message in stream.messages:
        name = message["exchange_id"]
        if message["type"] == "ORDER_EXEC_REPORT_UPDATE":
            joined[name].append(message)
        if message["type"].endswith("_UPDATE") or message["type"] == "POSITION_SNAPSHOT":
            assert message["sequence"] >= seen[name]
            seen[name] = message["sequence"]


@pytest.mark.parametrize("sequence", [10**9, "old"])
def test_a_sequence_too_old_or_from_the_future_gets_snapshots(
    make_desk: MakeDesk, sequence: int | str
) -> None:
    with make_desk(websocket__resume_reports_max=5) as desk:
        with Stream(desk.api.url) as stream:
            stream.opening()
            for number in range(3):
                stream.place(f"rests-{number}")
                stream.report(f"rests-{number}", "NEW")
        now = desk.api.accounts()["SIM"]["sequence"]
        first = now - 6 if sequence == "old" else int(sequence)
        with Stream(desk.api.url, resume={"SIM": first}) as stream:
            opening = stream.opening()
            assert [m["type"] for m in stream.messages] == OPENING * 2
            assert {m["resumed"] for m in stream.messages} == {False}
            assert len(opening["SIM"]["ORDER_EXEC_REPORT_SNAPSHOT"]["data"]) == 3
        with Stream(desk.api.url, resume={"SIM": now - 5}) as stream:
            stream.opening()
            of_sim = [m for m in stream.messages if m["exchange_id"] == "SIM"]
            assert (
                len(orders_of(of_sim)) == 4
            )  # and one of a balance, which the snapshot stands for
            assert [m["type"] for m in of_sim if m not in orders_of(of_sim)] == RESUMED
            assert [
                m["type"] for m in stream.messages if m["exchange_id"] == "SIM/ALICE"
            ] == OPENING


def test_clients_resume_after_kill_9_with_nothing_in_memory(tmp_path: Path) -> None:
    config = write_config(tmp_path / "config.toml", QUICK, ACCOUNTS)
    data = tmp_path / "data"
    first = Ems(data, config, "--no-participants")
    with running(first):
        first.reconciled()
        with Stream(first.endpoint["url"]) as whole:
            opening = whole.opening()
            start = {name: seen["SERVER_INFO"]["sequence"] for name, seen in opening.items()}
            burst(whole, "killed")
            first.kill()
            whole.closed()
    second = Ems(data, config, "--no-participants")
    with running(second):
        url = second.reconciled().endpoint["url"]
        with Stream(url, resume=start) as again:
            again.opening()
        every = {
            name: orders_of([m for m in again.messages if m["exchange_id"] == name])
            for name in start
        }
        for name, reports in every.items():
            heard = orders_of(whole.updates(name))
            assert reports[: len(heard)] == heard
            sequences = [m["sequence"] for m in reports]
            assert sequences == sorted(set(sequences))
        longest = max(len(reports) for reports in every.values())
        for place in range(0, longest, 3):
            seen = {
                name: reports[min(place, len(reports) - 1)]["sequence"]
                for name, reports in every.items()
            }
            with Stream(url, resume=seen) as resumed:
                resumed.opening()
            for name, reports in every.items():
                missed = [m for m in reports if m["sequence"] > seen[name]]
                of_account = [m for m in resumed.messages if m["exchange_id"] == name]
                assert orders_of(of_account) == missed
                assert "ORDER_EXEC_REPORT_SNAPSHOT" not in [m["type"] for m in of_account]
