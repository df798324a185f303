"""The FIX API against a real QuickFIX, which judges every message by the stock dictionaries."""

import itertools
import re
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from tests.acceptance.conftest import Desk
from tests.acceptance.test_fix_lives import lives, of_orders
from tests.fix_party import cancel, mass_cancel, order
from tests.gateway.fixapi.dictionaries import (
    VERSIONS,
    folder,
    needs_quickfix,
    with_contract_symbols,
)
from tests.quickfix_party import QuickfixParty

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/fix-quickfix.md"
_names = itertools.count(1)


@pytest.fixture(autouse=True)
def _counterpart() -> None:
    needs_quickfix()


def check(party: QuickfixParty) -> None:
    """Nothing that we said was found wrong."""
    assert party.rejects == []


@pytest.mark.parametrize("is_true", [False, True], ids=["status", "true"])
@pytest.mark.parametrize("source", ["8", "101"])
@pytest.mark.parametrize("version", VERSIONS)
def test_everything_there_is(
    desk: Desk, tmp_path: Path, version: str, source: str, is_true: bool
) -> None:
    number = next(_names)
    dictionary = with_contract_symbols(version, tmp_path) if source == "101" else None
    symbol = {"8": "BTC/USDT", "101": "SIM_SPOT_BTC_USDT"}[source]
    form = {"_22": source, "_48": symbol, "_55": symbol}

    def name(text: str) -> str:
        return f"{text}-{number}"

    with QuickfixParty(
        tmp_path / "quickfix",
        desk.ems.endpoint["fix"],
        version,
        dictionary=dictionary,
        comp_id=f"Q{number}",
        logon={5001: "Y"} if is_true else None,
    ) as party:
        # Placed, filled in two, and one that rests until it is cancelled.
        desk.sell(name("ask"), "20000.00", "0.004")
        party.say("D", *order(name("taken"), **form))
        assert party.report(name("taken"), "1")[55] == symbol
        desk.api.place(
            name("hit"), exchange_id="SIM/ALICE", side="SELL", amount_order=Decimal("0.006")
        )
        assert party.report(name("taken"), "2")[207] == "SIM"
        party.say("D", *order(name("rests"), **form, _18="6", _59="6", _126="20300101-00:00:00"))
        party.report(name("rests"), "0")
        party.say("F", *cancel(name("c"), name("rests")), (55, symbol), (54, 1), (38, "0.01"))
        party.report(name("rests"), "4")
        # What is refused, in every way there is.
        party.say("F", *cancel(name("c2"), name("rests")), (55, symbol), (54, 1), (38, "0.01"))
        assert party.next_of("9")[102] == "0"
        party.say("D", *order(name("taken"), **form, _44="1.00"))
        assert party.report(name("taken"), "8")[103] == "6"
        party.say("D", *order(name("rich"), **form, _38="1000", _44="90000.00"))
        assert "insufficient" in party.report(name("rich"), "8")[58]
        party.say("D", *order(name("bare"), **form, _38=None))
        assert party.next_of("3")[371] == "38"
        party.say("AE", (571, "t"), (570, "N"))
        assert party.next_of("j")[380] == "3"
        # Questions, and the end of all that is open.
        party.say("H", (11, name("taken")), (54, 1), (55, symbol), (790, "q"))
        assert party.wait(lambda said: said.get(790) == "q", "the status")[39] == "2"
        party.say("H", (11, "nobody's"), (54, 1), (55, symbol), (790, "q2"))
        assert party.wait(lambda said: said.get(790) == "q2", "the status")[103] == "5"
        for each in range(3):
            party.say("D", *order(name(f"open{each}"), **form))
            party.report(name(f"open{each}"), "0")
        party.say("AF", (584, "m"), (585, 7))
        party.wait(lambda said: said.get(912) == "Y", "the mass status")
        party.say("q", *mass_cancel(name("all")))
        assert party.next_of("r")[533] == "3"
        for each in range(3):
            party.report(name(f"open{each}"), "4")
        check(party)


@pytest.mark.parametrize("version", ["FIX.4.4", "FIX.5.0SP2"])
def test_reports_that_were_missed_come_at_the_next_logon(
    desk: Desk, tmp_path: Path, version: str
) -> None:
    number = next(_names)
    name = f"missed-{number}"
    party = QuickfixParty(
        tmp_path / "quickfix", desk.ems.endpoint["fix"], version, comp_id=f"Q{number}"
    )
    with party:
        party.say("D", *order(name))
        party.report(name, "0")
    desk.api.place(
        f"{name}-hit", exchange_id="SIM/ALICE", side="SELL", amount_order=Decimal("0.01")
    )
    desk.report_when(name, "FILLED")
    with party:
        assert Decimal(party.report(name, "2")[32]) == Decimal("0.01")
        check(party)
    told = [said[17] for said in party.told if said[17].startswith("SIM:")]
    assert told == sorted(set(told), key=lambda each: int(each[4:]))


@pytest.mark.parametrize("version", ["FIX.4.4", "FIX.5.0"])
def test_the_server_is_killed_in_a_burst_of_fills_and_the_session_goes_on(
    tmp_path: Path, version: str
) -> None:
    with lives(tmp_path) as life:
        party = QuickfixParty(tmp_path / "quickfix", life.address, version)
        with party:
            party.say("D", *order("bid", _38="0.04"))
            party.report("bid", "0")
            for number in range(5):
                life.hit(number)
            party.report("bid", "1")
            life.ems.kill()
            party.await_loss()
        life.start()
        for number in range(5, 8):
            life.hit(number)
        party.address = life.address
        with party:
            party.say("F", *cancel("c", "bid"), (55, "BTC/USDT"), (54, 1), (38, "0.04"))
            party.report("bid", "4")
            check(party)
        told = [int(said[17][4:]) for said in party.told if said.get(17, "").startswith("SIM:")]
        assert told == sorted(set(told)), "each report once and in order"
        with closing(life.ems.api()) as api:
            assert set(of_orders(api, "bid")) <= set(told)
        fills = [said for said in party.told if 31 in said and said[11] == "bid"]
        assert len(fills) == 8


def test_orders_that_end_with_the_session(desk: Desk, tmp_path: Path) -> None:
    with QuickfixParty(
        tmp_path / "quickfix",
        desk.ems.endpoint["fix"],
        "FIX.4.4",
        comp_id="QENDS",
        logon={8013: "Y"},
    ) as party:
        party.say("D", *order("quick-ends"))
        party.report("quick-ends", "0")
        check(party)
    desk.report_when("quick-ends", "CANCELED")


@pytest.mark.parametrize("session", ["quickfix.cfg", "quickfix50.cfg"])
def test_the_quick_start_works_as_it_is_written(desk: Desk, tmp_path: Path, session: str) -> None:
    page = PAGE.read_text()
    blocks = dict(re.findall(r'```\w+ title="([\w.]+)"\n(.*?)```', page, re.DOTALL))
    settings = blocks["quickfix.cfg"]
    if session != "quickfix.cfg":
        settings = settings.split("[SESSION]")[0] + blocks[session]
    host, _, port = desk.ems.endpoint["fix"].rpartition(":")
    changed = (
        settings.replace("127.0.0.1", host)
        .replace("3401", port)
        .replace("OMS.FIX.CLIENT", f"GUIDE.{session}")
        .replace(".venv/share/quickfix", str(folder()))
    )
    assert changed.count(port) == 1
    (tmp_path / "quickfix.cfg").write_text(changed)
    (tmp_path / "first_order.py").write_text(blocks["first_order.py"])
    run = subprocess.run(
        [sys.executable, "first_order.py", "quickfix.cfg"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run
    shown = page.split("$ .venv/bin/python first_order.py quickfix.cfg\n")[1].split("```")[0]
    assert run.stdout == shown
