"""The clock that tests move: every part follows it, the limits stay, and the product has no such thing."""

import ast
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.test_people import System
from tests.commands.terminal import fairlead
from tests.person import PASSWORD, Person
from tests.system import (
    ACCOUNTS,
    QUICK,
    Ems,
    Program,
    from_now,
    order,
    running,
    until,
    write_config,
)
from tests.timed import TimedEms

SOURCE = Path(__file__).parents[1] / "src" / "fairlead"
MINUTE_S, DAY_S = 60, 86_400
# Who may ask the machine for the time of day: the clocks themselves, and processes of their own.
ASKS_THE_MACHINE = {
    "edge/clock.py": "what the composition root hands to every part",
    "gateway/listeners.py": "a default, which the composition root overrides",
    "exchange/serve.py": "the exchange in a process of its own",
}


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimedEms]:
    folder = tmp_path_factory.mktemp("timed")
    config = write_config(folder / "fairlead.toml", QUICK, ACCOUNTS)
    ems = TimedEms(folder / "data", config)
    with running(ems):
        ems.reconciled()
        yield ems


def test_a_session_ends_when_the_clock_was_moved_on(timed: TimedEms) -> None:
    system = System(timed.folder.parent, timed)
    with Person(timed.api()) as ann:
        token = system.run("users", "link", "--json").json["token"]
        form = {"token": token, "email": "ann@desk.example", "password": PASSWORD}
        assert ann.call("POST", "/v1/auth/first-user", form).status == 201
        before_ns = timed.now_ns()
        after_ns = timed.advance(29 * MINUTE_S)
        assert after_ns - before_ns >= 29 * MINUTE_S * 10**9
        assert ann.call("GET", "/v1/me").status == 200
        timed.advance(30 * MINUTE_S + 1)
        assert ann.call("GET", "/v1/me").status == 401


def test_orders_go_on_when_the_clock_was_moved_by_months(timed: TimedEms) -> None:
    api = timed.api()
    timed.advance(90 * DAY_S)
    timed.reconciled()
    gone = from_now(60)
    assert (
        api.post(
            "/v1/orders", order("past", time_in_force="GOOD_TILL_TIME_OMS", expire_time=gone)
        ).status
        == 400
    )
    answer = api.place("ahead")
    assert answer.status == 200, answer
    until(lambda: api.status("ahead").json["status"] == "NEW", "the exchange has the order")
    assert answer.json["time_order"] > gone
    api.close()


def test_the_product_opens_no_such_socket(tmp_path: Path) -> None:
    config = write_config(tmp_path / "fairlead.toml", QUICK, ACCOUNTS)
    ems = Ems(tmp_path / "data", config, "--no-participants")
    with running(ems):
        ems.reconciled()
        assert _unix_sockets(ems) == []
        sockets = [each for each in ems.folder.rglob("*") if stat.S_ISSOCK(each.stat().st_mode)]
        assert sockets == []
    shown = fairlead("up", "--help", folder=tmp_path).out
    assert not re.search("clock|advance", shown, re.IGNORECASE)


def test_no_part_asks_the_machine_for_the_time_of_day() -> None:
    found = set()
    for path in SOURCE.rglob("*.py"):
        name = path.relative_to(SOURCE).as_posix()
        if not name.startswith(("cli/", "commands/", "client/", "simulation/")) and _asks(path):
            found.add(name)
    assert found == set(ASKS_THE_MACHINE)


def _asks(path: Path) -> bool:
    wanted = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow")}
    return any(
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in wanted
        for node in ast.walk(ast.parse(path.read_bytes()))
    )


def _unix_sockets(program: Program) -> list[str]:
    """Return the Unix sockets of a process that have a name, where Linux tells them."""
    process = Path(f"/proc/{program.pid}")
    if not process.exists():
        return []
    inodes = set()
    for each in (process / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found = re.fullmatch(r"socket:\[(\d+)\]", str(each.readlink()))
            if found is not None:
                inodes.add(found[1])
    rows = [line.split() for line in (process / "net" / "unix").read_text().splitlines()[1:]]
    return [row[7] for row in rows if row[6] in inodes and len(row) > 7]
