"""What `simulate` says of worlds that broke a law."""

from pathlib import Path

import pytest

from fairlead.commands.ending import Ended, ExitCode
from fairlead.commands.simulate import _check, _print_broken, _verdict_row
from fairlead.simulation.law import Broken, Law
from fairlead.simulation.world import Verdict
from tests.commands.terminal import fairlead


def verdict(seed: int) -> Verdict:
    broken = (Broken(Law.SENT_ONCE, "order 7 went out twice"),)
    return Verdict(seed, broken, {"TRADE": 1}, "abc", 5, ("a line",))


def test_a_broken_law_is_printed_with_its_seed(capsys: pytest.CaptureFixture[str]) -> None:
    _print_broken(verdict(3))
    expected = f"seed 3: BROKEN {Law.SENT_ONCE.value}: order 7 went out twice\n"
    assert capsys.readouterr().out == expected
    assert _verdict_row(verdict(3))["broken"] == [
        {"law": Law.SENT_ONCE.value, "text": "order 7 went out twice"}
    ]


def test_broken_worlds_end_with_one_and_say_how_to_replay_them() -> None:
    _check([])
    with pytest.raises(Ended, match="in 11 worlds; replay with") as caught:
        _check([verdict(seed) for seed in range(11)])
    assert caught.value.code is ExitCode.REFUSED
    assert caught.value.text.endswith("0 1 2 3 4 5 6 7 8 9")


@pytest.mark.parametrize("jobs", ["0", "-1"])
def test_no_worlds_run_in_no_processes(tmp_path: Path, jobs: str) -> None:
    run = fairlead("simulate", "--seeds", "1", "--jobs", jobs, folder=tmp_path)
    assert (run.code, run.out) == (2, "")
    assert f"'--jobs': {jobs} is not in the range x>=1" in run.err
