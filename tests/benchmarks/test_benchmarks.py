"""The benchmarks run from end to end, tiny. What they measure then says nothing; no time is judged."""

from pathlib import Path

import msgspec
import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import million, mix, past, profile, restart, tables
from fairlead.journal import Journal, verify


def test_quick_orders_print_one_table_and_leave_the_same_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmarks.main(["orders", "--quick", "--results", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "of echo" in printed
    (file,) = tmp_path.iterdir()
    assert str(file) in printed
    finding = msgspec.json.decode(file.read_bytes(), type=benchmarks.Finding)
    figures = finding.sections[0].figures
    assert figures["orders_32_ratio"] > 0
    assert figures["orders_1_commits_per_order"] >= 2


def test_open_and_keyed_orders_are_compared_by_turns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmarks.main(["authentication", "--quick", "--results", str(tmp_path)]) == 0
    assert "orders with keys ≥ 0.9 of open, by processor time" in capsys.readouterr().out
    (file,) = tmp_path.iterdir()
    finding = msgspec.json.decode(file.read_bytes(), type=benchmarks.Finding)
    figures = finding.sections[0].figures
    assert figures["authentication_32_ratio"] > 0
    assert figures["authentication_1_ratio_per_s"] > 0


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        benchmarks.main(["ordres"])
    assert ", ".join(benchmarks.NAMES) in capsys.readouterr().err


def test_orders_over_streams_and_their_reports_to_many_are_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmarks.main(["streams", "fanout", "fix", "--quick", "--results", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    for title in ("by REST, WebSocket and FIX", "to 10 subscribers", "that do not read", "alone"):
        assert title in printed
    (file,) = tmp_path.iterdir()
    finding = msgspec.json.decode(file.read_bytes(), type=benchmarks.Finding)
    figures = {name: value for each in finding.sections for name, value in each.figures.items()}
    for name in (
        "stream_websocket_32_ratio",
        "stream_fix_32_ratio",
        "fan_out_ratio",
        "stuck_ratio",
    ):
        assert figures[name] > 0


def test_a_made_past_is_a_journal_that_verifies(tmp_path: Path) -> None:
    past.write_past(tmp_path / "data", 40)
    with Journal.open(tmp_path / "data") as journal:
        restored = journal.restore()
    assert restored.next_number == 41
    assert restored.orders == []
    assert verify(tmp_path / "data").holds


def test_every_connection_sends_whole_cycles_of_which_half_can_fill() -> None:
    (first, second) = mix.connections(("127.0.0.1", 80), 2, 16)
    sent = []
    while (request := first()) is not None:
        sent.append(request)
    assert len(sent) == 8
    assert sum(b"IMMEDIATE_OR_CANCEL" in each for each in sent) == 4
    assert second() is not None


def test_a_stack_belongs_to_the_innermost_function_of_ours() -> None:
    stack = (
        "main (/x/fairlead/app.py:1);pump (/x/fairlead/edge/sequencer.py:7);dumps (/y/json.py:3)"
    )
    assert profile.place(stack.split(";")) == ("sequencer", "fairlead/edge/sequencer.py pump")
    assert profile.place(["main (/x/uvloop.py:1)"]) == (profile.LOOP, profile.LOOP)


def test_sections_show_their_requirements_once_at_the_end() -> None:
    each = restart.Restart(10, 2, 300.0, 310.0, 200.0, 5.0, 5.0)
    window = million.Window(1, 2, 100.0, 90.0)
    lived = million.Million(10, window, window, 1, 2, 3, 900.0, 400.0, 300.0)
    sections = [million.section(lived), restart.section({"real": each})]
    text = tables.as_text(["machine"], sections)
    assert text.count("required") == 1
    assert "0.31 s" in text


def test_the_document_has_a_place_for_the_table_and_keeps_the_rest() -> None:
    document = benchmarks.DOCUMENT.read_text()
    changed = benchmarks.documented(document, "today, `command`", "the table")
    assert "today, `command`:\n\n```text\nthe table\n```\n" in changed
    assert changed.startswith(document.partition(benchmarks.TABLE_BEGINS)[0])
    assert changed.endswith(document.partition(benchmarks.TABLE_ENDS)[2])
