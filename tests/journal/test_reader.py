"""Reading beside the writer: history pages, missed reports, stories."""

import threading
from pathlib import Path

import pytest

from fairlead.core.order import apply
from fairlead.core.reports import BalanceReport, Cause, OrderReport
from fairlead.journal import Journal, JournalReader
from fairlead.journal import reader as reader_module
from fairlead.journal.errors import JournalTorn
from tests.journal.bookkeeper import SECOND_NS, START_NS, Bookkeeper

END_NS = START_NS + 1000 * SECOND_NS


def history(reader: JournalReader, start: int, end: int, limit: int) -> list[int]:
    """All pages' order numbers, in the order they came."""
    numbers: list[int] = []
    after = None
    while page := reader.history_page(start, end, after, limit):
        assert len(page) <= limit
        numbers += [row.order.number for row in page]
        after = page[-1].cursor
    return numbers


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_history_shows_each_changed_order_once(tmp_path: Path, limit: int) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        for name in ("first", "second", "third"):
            books.route(books.open(name).number)
        books.commit()
        books.wait()
        books.fill(2, "0.5")
        books.route(books.open("fourth").number)
        books.commit()
        books.wait()
        books.fill(2, "1.0")
        books.cancel(1)
        books.commit()
        with JournalReader(tmp_path) as reader:
            second, third, end = (START_NS + n * SECOND_NS for n in (1, 2, 3))
            assert history(reader, START_NS, end, limit) == [1, 2, 3, 4]
            assert history(reader, second, end, limit) == [2, 4, 1]
            assert history(reader, second, third, limit) == [2, 4]
            assert history(reader, third, end, limit) == [1, 2]
            assert history(reader, third + 1, end, limit) == []
            assert history(reader, 0, START_NS, limit) == []
            assert history(reader, START_NS, START_NS + 1, limit) == [1, 2, 3]
            assert history(reader, end, START_NS, limit) == []


def test_history_rows_are_whole_orders_as_they_are_now(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.route(books.open("one", quantity="20").number)
        books.commit()
        for _ in range(12):
            books.wait()
            books.fill(1, "1")
            books.commit()
        with JournalReader(tmp_path) as reader:
            (row,) = reader.history_page(START_NS, START_NS + 1, None, 10)
            assert row.order == books.orders[1]


def test_history_does_not_show_reports_that_changed_nothing_visible(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.route(books.open("one").number)
        books.commit()
        books.wait()
        books.report(1, Cause.IN_DOUBT)
        books.commit()
        with JournalReader(tmp_path) as reader:
            assert history(reader, START_NS + 1, END_NS, 5) == []


def test_history_pages_stay_stable_while_orders_change(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        for n in range(6):
            books.route(books.open(f"order {n}").number)
        books.commit()
        seen: list[int] = []
        after = None
        with JournalReader(tmp_path) as reader:
            while page := reader.history_page(START_NS, END_NS, after, 2):
                seen += [row.order.number for row in page]
                after = page[-1].cursor
                books.wait()
                for number in range(1, 7):
                    books.fill(number, "0.1")
                books.commit()
        assert seen == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "cursor", ["", "-", "17", "17-", "-17", "1-2-3", "a-1", "١-1", "9" * 19 + "-1"]
)
def test_malformed_cursor_is_refused(tmp_path: Path, cursor: str) -> None:
    refused = pytest.raises(ValueError, match="is not a cursor of this history")
    with Journal.open(tmp_path), JournalReader(tmp_path) as reader, refused:
        reader.history_page(START_NS, END_NS, cursor, 10)


def test_reports_after_carry_the_order_as_it_stood(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        for n in range(1, 6):
            books.route(books.open(f"order {n}", quantity="10").number)
            books.open(f"other {n}", account="SIM/ALICE")
            books.balance("SIM", "BTC", f"{n}.0")
            books.commit()
        for number in (1, 3, 5, 1, 3, 5):
            books.fill(number, "1")
            books.commit()
        with JournalReader(tmp_path) as reader:
            everything = reader.reports_after("SIM", 0, 10_000)
            assert [r.report.sequence for r in everything] == list(range(1, len(everything) + 1))
            assert {r.report.account for r in everything} == {"SIM"}
            orders: dict[int, object] = {}
            for released in everything:
                report = released.report
                if isinstance(report, OrderReport):
                    orders[report.number] = apply(orders.get(report.number), report)
                    assert released.order == orders[report.number]
                else:
                    assert isinstance(report, BalanceReport)
                    assert released.order is None
            for after in range(len(everything) + 1):
                for limit in (1, 3, 100):
                    page = reader.reports_after("SIM", after, limit)
                    assert page == everything[after : after + limit]
            assert reader.reports_after("SIM", 10_000, 5) == []
            assert reader.reports_after("NOBODY", 0, 5) == []


def test_reports_after_needs_few_frames_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "FRAMES_KEPT", 2)
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        for n in range(5):
            books.route(books.open(f"order {n}").number)
            books.commit()
        for number in range(1, 6):
            books.fill(number, "0.1")
        books.commit()
        with JournalReader(tmp_path) as reader:
            page = reader.reports_after("SIM", 15, 100)
            assert [released.order for released in page] == [books.orders[n] for n in range(1, 6)]


def test_story_is_every_report_about_one_order(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        for name in ("one", "two"):
            books.route(books.open(name).number)
        books.commit()
        books.fill(1, "0.5")
        books.commit()
        books.fill(2, "0.5")
        books.commit()
        books.cancel(1)
        books.commit()
        with JournalReader(tmp_path) as reader:
            story = reader.order_story(1)
            assert [report.cause for report in story] == [
                Cause.RECEIVED,
                Cause.ROUTING,
                Cause.ROUTED,
                Cause.TRADE,
                Cause.CANCELED,
            ]
            assert {report.number for report in story} == {1}
            assert reader.order_story(3) == []


def test_reader_sees_commits_made_after_it_opened_from_another_thread(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        with JournalReader(tmp_path) as reader:
            assert history(reader, START_NS, END_NS, 5) == []
            books.open("one")
            books.commit()
            seen: list[int] = []
            thread = threading.Thread(
                target=lambda: seen.extend(history(reader, START_NS, END_NS, 5))
            )
            thread.start()
            thread.join()
            assert seen == [1]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DELETE FROM frames", "frame 1 is missing"),
        ("UPDATE frames SET data = x'c1'", "a row makes no sense"),
        ("DROP TABLE frames", "no such table: frames"),
    ],
)
def test_damage_is_named_and_the_reader_goes_on(tmp_path: Path, damage: str, said: str) -> None:
    with Journal.open(tmp_path) as journal:
        books = Bookkeeper(journal)
        books.open("one")
        books.commit()
        journal.apply()
        with JournalReader(tmp_path) as reader:
            journal._connection.execute(damage)
            for _ in range(2):
                with pytest.raises(JournalTorn, match=said):
                    reader.order_story(1)
            if "DROP" in damage:  # history looks for frames that are not in the tables yet
                with pytest.raises(JournalTorn, match=said):
                    history(reader, START_NS, END_NS, 5)
            else:
                assert history(reader, START_NS, END_NS, 5) == [1]
