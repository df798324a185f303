"""The FIX API of a running system (contract section 5), by a client on a socket."""

import itertools
import re
from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.acceptance.conftest import Desk
from tests.fix_party import FixParty, Said, cancel, mass_cancel, order

_names = itertools.count(1)


@pytest.fixture
def party(desk: Desk) -> Iterator[FixParty]:
    """A client of its own session, logged on."""
    with FixParty(desk.ems.endpoint["fix"], comp_id=f"CLIENT{next(_names)}") as party:
        party.log_on()
        yield party


def statuses(party: FixParty, client_order_id: str) -> str:
    """Return OrdStatus of every report about an order, one letter each, without repetitions."""
    letters = "".join(said[39] for said in party.reports_of(client_order_id))
    return re.sub(r"(.)\1+", r"\1", letters)


def sell(desk: Desk, client_order_id: str, amount: str = "0.01") -> None:
    """Have ALICE sell to the bids at 20000."""
    answer = desk.api.place(
        client_order_id,
        exchange_id="SIM/ALICE",
        side="SELL",
        amount_order=Decimal(amount),
    )
    assert answer.status == 200, answer


def numbers(said: Said, *tags: int) -> list[str]:
    """Return numbers of a message without trailing zeros."""
    return [format(Decimal(said[tag]).normalize(), "f") for tag in tags]


# ── orders ───────────────────────────────────────────────────────────────────────────────────────


def test_an_order_from_its_acceptance_to_its_cancel(desk: Desk, party: FixParty) -> None:
    party.say("D", *order("fix-1"))
    said = party.report("fix-1", "0")
    assert {tag: said[tag] for tag in (37, 150, 48, 22, 55, 207, 54, 38, 44, 14, 151, 6)} == {
        37: "fix-1", 150: "I", 48: "BTC/USDT", 22: "8", 55: "BTC/USDT", 207: "SIM", 54: "1",
        38: "0.01", 44: "20000.00", 14: "0", 151: "0.01", 6: "0",
    }  # fmt: skip
    assert said[198] == desk.report("fix-1")["exchange_order_id"]
    party.say("F", *cancel("fix-1-c", "fix-1"))
    assert party.report("fix-1", "6")[150] == "I"
    last = party.report("fix-1", "4")
    assert last[151] == "0.01"
    assert statuses(party, "fix-1") == "A064"


def test_all_protocols_see_the_same_order_with_the_same_numbers(
    desk: Desk, party: FixParty
) -> None:
    party.say("D", *order("by-fix"))
    party.report("by-fix", "0")
    assert desk.report("by-fix")["status"] == "NEW"
    desk.api.place("by-rest")
    said = party.report("by-rest", "0")
    assert said[17] == f"SIM:{desk.report('by-rest')['sequence']}"
    assert said[22] == "8"


def test_symbols_of_the_contract_come_back_as_they_were_sent(party: FixParty) -> None:
    party.say(
        "D", *order("by-contract", _22="101", _48="SIM_SPOT_BTC_USDT", _55="SIM_SPOT_BTC_USDT")
    )
    said = party.report("by-contract", "0")
    assert [said[tag] for tag in (22, 48, 55)] == ["101", "SIM_SPOT_BTC_USDT", "SIM_SPOT_BTC_USDT"]


def test_fills(desk: Desk, party: FixParty) -> None:
    desk.sell("rest-ask", "20000.00", "0.004")
    party.say("D", *order("taker"))
    said = party.report("taker", "1")
    assert numbers(said, 31, 32, 14, 151, 6) == ["20000", "0.004", "0.004", "0.006", "20000"]
    sell(desk, "hit-2", "0.006")
    assert numbers(party.report("taker", "2"), 32, 14, 151) == ["0.006", "0.01", "0"]


def test_orders_are_taken_in_order_and_not_one_after_the_other(desk: Desk, party: FixParty) -> None:
    names = [f"many-{number}" for number in range(200)]
    party.say_many([("D", order(name)) for name in names])
    for name in names:
        party.report(name, "0")
    opened = list(dict.fromkeys(said[11] for said in party.told if said[11].startswith("many-")))
    assert opened == names
    party.say("q", *mass_cancel("all"))
    report = party.next_of("r")
    assert (report[530], report[531], report[533], report[11]) == ("7", "7", "200", "all")
    for name in names:
        party.report(name, "4")


def test_good_till_date_and_instructions(desk: Desk, party: FixParty) -> None:
    party.say("D", *order("gtd", _59="6", _126="20300102-03:04:05.678", _18="6"))
    said = party.report("gtd", "0")
    assert (said[59], said[126], said[18]) == ("6", "20300102-03:04:05.678", "6")
    assert desk.report("gtd")["time_in_force"] == "GOOD_TILL_TIME_EXCHANGE"


def test_the_true_exec_type_is_told_to_who_asks_for_it(desk: Desk) -> None:
    with FixParty(desk.ems.endpoint["fix"], comp_id="TRUE") as party:
        party.log_on((5001, "Y"))
        desk.sell("true-ask", "20000.00", "0.004")
        party.say("D", *order("true"))
        party.report("true", "1")
        party.say("F", *cancel("true-c", "true"))
        assert party.report("true", "4")[151] == "0"
        types = [said[150] for said in party.reports_of("true") if said[150] != "I"]
        assert types[0] == "A"
        assert [each for each in types if each not in "A0"] == ["F", "6", "4"]


# ── what is refused ──────────────────────────────────────────────────────────────────────────────


def test_a_malformed_order_is_rejected_by_the_session_and_nothing_is_placed(
    desk: Desk, party: FixParty
) -> None:
    number = party.say("D", *order("malformed", _38=None))
    said = party.next_of("3")
    assert (said[45], said[371], said[372], said[373]) == (str(number), "38", "D", "1")
    assert desk.api.status("malformed").status == 404


@pytest.mark.parametrize(
    ("changes", "reason", "text"),
    [
        ({"_207": "NOBODY"}, "99", "NOBODY is not an account"),
        (
            {"_48": "BTC/EUR", "_55": None},
            "1",
            "SecurityID (48): BTC/EUR is not an instrument of SIM",
        ),
        ({"_44": "20000.005"}, "99", "Price (44)"),
        ({"_40": "1"}, "99", "OrdType (40)"),
        ({"_18": "E"}, "99", "ExecInst (18)"),
        ({"_59": "6", "_126": "20200101-00:00:00"}, "99", "ExpireTime (126)"),
    ],
)
def test_a_refused_order_is_an_execution_report_that_says_why(
    desk: Desk, party: FixParty, changes: dict[str, object], reason: str, text: str
) -> None:
    name = f"refused-{next(_names)}"
    party.say("D", *order(name, **changes))
    said = party.report(name, "8")
    assert (said[103], said[150], said[37]) == (reason, "I", name)
    assert text in said[58]
    assert desk.api.status(name).status == 404


def test_a_rejected_order_carries_the_reason(party: FixParty) -> None:
    party.say("D", *order("rich", _38="1000", _44="90000.00"))
    said = party.report("rich", "8")
    assert "insufficient_balance" in said[58]
    assert (said[17][:4], said[103]) == ("SIM:", "99")


def test_a_known_id_gets_its_report_or_is_a_duplicate(party: FixParty) -> None:
    party.say("D", *order("once"))
    party.report("once", "0")
    party.synchronise()
    party.say("D", *order("once"))
    again = party.report("once", "0")
    assert again[17].startswith("S")
    party.say("D", *order("once", _38="0.02"))
    said = party.report("once", "8")
    assert (said[103], said[37]) == ("6", "once")


def test_an_order_in_doubt_says_so(hasty: Desk) -> None:
    hasty.operator.fault("accepted_then_silence")
    hasty.operator.fault("stream_silent", account="desk")
    hasty.operator.fault("request_lost", requests=["query", "open_orders"], count=None)
    with FixParty(hasty.ems.endpoint["fix"]) as party:
        party.log_on()
        party.say("D", *order("doubtful"))
        said = party.wait(
            lambda said: said.get(11) == "doubtful" and 58 in said, "the order is in doubt"
        )
        assert (said[39], said[35]) == ("A", "8")
        assert "in doubt" in said[58]
        hasty.operator.clear()
        party.report("doubtful", "0")


def test_cancels_that_change_nothing_are_refused(desk: Desk, party: FixParty) -> None:
    party.say("F", *cancel("c-unknown", "nobody's"))
    said = party.next_of("9")
    assert {tag: said[tag] for tag in (37, 11, 41, 39, 434, 102)} == {
        37: "NONE", 11: "c-unknown", 41: "nobody's", 39: "8", 434: "1", 102: "1",
    }  # fmt: skip
    party.say("D", *order("short"))
    party.report("short", "0")
    party.say("F", *cancel("c-1", "short"))
    party.report("short", "4")
    party.say("F", *cancel("c-2", "short"))
    said = party.next_of("9")
    assert {tag: said[tag] for tag in (37, 11, 41, 39, 102)} == {
        37: "short", 11: "c-2", 41: "short", 39: "4", 102: "0",
    }  # fmt: skip
    party.say("F", *cancel("c-3", "short", "NOBODY"))
    said = party.next_of("j")
    assert (said[372], said[380]) == ("F", "1")
    assert "NOBODY is not an account" in said[58]


def test_a_cancel_by_order_id_finds_the_clients_and_the_exchanges(
    desk: Desk, party: FixParty
) -> None:
    for name in ("by-37", "by-198"):
        party.say("D", *order(name))
        said = party.report(name, "0")
        order_id = said[37] if name == "by-37" else said[198]
        party.say("F", (11, f"c-{name}"), (37, order_id), (207, "SIM"), (60, "20260101-00:00:00"))
        party.report(name, "4")


def test_a_cancel_that_the_exchange_refuses_is_refused(desk: Desk, party: FixParty) -> None:
    party.say("D", *order("stays"))
    party.report("stays", "0")
    desk.operator.fault("cancel_refused", count=None)
    party.say("F", *cancel("c-stays", "stays"))
    party.report("stays", "6")
    said = party.next_of("9")
    assert (said[11], said[41], said[39], said[102]) == ("c-stays", "stays", "0", "99")


def test_mass_cancels_that_are_refused(party: FixParty) -> None:
    party.say("q", (11, "m-1"), (530, 1), (207, "SIM"), (60, "20260101-00:00:00"))
    said = party.next_of("r")
    assert (said[531], said[532], said[530]) == ("0", "0", "1")
    party.say("q", *mass_cancel("m-2", "NOBODY"))
    said = party.next_of("r")
    assert (said[531], said[532]) == ("0", "99")
    assert "NOBODY" in said[58]


def test_other_messages_are_not_supported(party: FixParty) -> None:
    number = party.say("E", (66, "list"))
    said = party.next_of("j")
    assert (said[45], said[372], said[380]) == (str(number), "E", "3")


# ── questions ────────────────────────────────────────────────────────────────────────────────────


def test_status_requests(party: FixParty) -> None:
    party.say("D", *order("asked"))
    party.report("asked", "0")
    party.say("H", (11, "asked"), (54, 1), (55, "BTC/USDT"), (207, "SIM"), (790, "q1"))
    said = party.wait(lambda said: said.get(790) == "q1", "the status is told")
    assert (said[150], said[39], said[37]) == ("I", "0", "asked")
    party.say("H", (11, "never"), (54, 1), (790, "q2"))
    said = party.wait(lambda said: said.get(790) == "q2", "nobody knows it")
    assert (said[39], said[103], said[37]) == ("8", "5", "NONE")
    number = party.say("H", (11, "asked"), (54, 1), (207, "NOBODY"), (790, "q3"))
    said = party.next_of("j")
    assert (said[45], said[372], said[380]) == (str(number), "H", "1")


def test_mass_status_tells_the_open_orders_and_those_that_ended(party: FixParty) -> None:
    for name in ("open", "ended"):
        party.say("D", *order(name))
        party.report(name, "0")
    party.say("F", *cancel("c-ended", "ended"))
    party.report("ended", "4")
    party.say("AF", (584, "m1"), (585, 7), (207, "SIM"))
    last = party.wait(lambda said: said.get(912) == "Y", "the last report")
    told = [said for said in party.told if said.get(584) == "m1"]
    assert {said[11]: said[39] for said in told} == {"open": "0", "ended": "4"}
    assert all(said[911] == "2" for said in told)
    assert last is told[-1]
    party.say("q", *mass_cancel("m"))
    party.report("open", "4")
    party.say("AF", (584, "m2"), (585, 7))
    told_again = party.wait(lambda said: said.get(912) == "Y", "what ended since")
    assert (told_again[11], told_again[911]) == ("open", "1")
    party.say("AF", (584, "m3"), (585, 7))
    none = party.wait(lambda said: said.get(584) == "m3", "there are none")
    assert (none[911], none[912], none[39]) == ("0", "Y", "8")


# ── sessions ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("appl_ver_id", ["7", "9"])
def test_fixt(desk: Desk, appl_ver_id: str) -> None:
    address, name = desk.ems.endpoint["fix"], f"T{appl_ver_id}"
    with FixParty(
        address, comp_id="FIXT", sub_id=name, begin_string="FIXT.1.1", appl_ver_id=appl_ver_id
    ) as party:
        assert party.log_on()[1137] == appl_ver_id
        party.say("D", *order(name))
        party.report(name, "0")
        party.say("q", *mass_cancel("all"))
        assert (1369 in party.next_of("r")) is (appl_ver_id == "9")
        party.log_out()


def test_what_happened_while_the_client_was_away_is_told_at_the_next_logon(
    desk: Desk, party: FixParty
) -> None:
    party.say("D", *order("away"))
    party.report("away", "0")
    party.log_out()
    before = len(party.told)
    sell(desk, "away-hit")
    desk.report_when("away", "FILLED")
    party.log_on()
    said = party.report("away", "2")
    assert numbers(said, 32) == ["0.01"]
    assert 43 not in said, "these are new messages"
    sequences = [
        int(each[17].removeprefix("SIM:")) for each in party.told if each[17].startswith("SIM:")
    ]
    assert sequences == sorted(set(sequences))
    assert len(party.told) > before


def test_after_a_reset_a_mass_status_request_tells_the_rest(desk: Desk, party: FixParty) -> None:
    party.say("D", *order("reset"))
    party.report("reset", "0")
    party.drop()
    sell(desk, "reset-hit")
    desk.report_when("reset", "FILLED")
    party.told.clear()
    party.log_on(is_reset=True)
    party.synchronise()
    assert not party.told
    party.say("AF", (584, "m1"), (585, 7), (207, "SIM"))
    said = party.report("reset", "2")
    assert (numbers(said, 14), said[584]) == (["0.01"], "m1")


def test_messages_are_sent_again_on_request(party: FixParty) -> None:
    party.say("D", *order("again"))
    last = party.report("again", "0")
    party.synchronise()
    first_told = [said for said in party.told if said[35] == "8"]
    party.told.clear()
    party.next_in = int(first_told[0][34])
    party.say("2", (7, first_told[0][34]), (16, last[34]))
    party.wait(lambda said: said[34] == last[34], "all is told again")
    assert len(party.told) == len(first_told)
    for said, told in zip(party.told, first_told, strict=True):
        assert said[43] == "Y"
        assert said[122] == told[52]
        assert {t: v for t, v in said.items() if t not in (9, 10, 43, 52, 122)} == {
            t: v for t, v in told.items() if t not in (9, 10, 52)
        }


def test_a_second_logon_is_refused_unless_it_resets_then_it_is_transient(
    desk: Desk, party: FixParty
) -> None:
    address = desk.ems.endpoint["fix"]
    with FixParty(address, comp_id=party.comp_id) as second:
        second.connect()
        second.say("A", (98, 0), (108, 30))
        second.wait_for_end()
    with FixParty(address, comp_id=party.comp_id) as second:
        second.log_on(is_reset=True)
        second.say("D", *order("by-the-second"))
        second.report("by-the-second", "0")
        party.report("by-the-second", "0")
        second.log_out()
    party.synchronise()
    with FixParty(address, comp_id=party.comp_id) as third:
        third.log_on(is_reset=True)
        assert third.next_in == 2


def test_sessions_with_other_names_are_others(desk: Desk) -> None:
    address = desk.ems.endpoint["fix"]
    with (
        FixParty(address, comp_id="SHARED", sub_id="A") as first,
        FixParty(address, comp_id="SHARED", sub_id="B") as second,
    ):
        first.log_on()
        second.log_on()
        first.say("D", *order("shared"))
        assert first.report("shared", "0")[17] == second.report("shared", "0")[17]


# ── the end of a session ─────────────────────────────────────────────────────────────────────────


def test_orders_may_end_with_their_session(desk: Desk, party: FixParty) -> None:
    party.say("D", *order("ends", _18="Q"))
    assert party.report("ends", "0")[18] == "Q"
    party.say("D", *order("stays-on"))
    party.report("stays-on", "0")
    party.drop()
    desk.report_when("ends", "CANCELED")
    assert desk.report("stays-on")["status"] == "NEW"
    party.log_on()
    party.report("ends", "4")


def test_a_logon_may_have_all_orders_end_with_the_session(desk: Desk) -> None:
    with FixParty(desk.ems.endpoint["fix"], comp_id="ENDING") as party:
        party.log_on((8013, "Y"))
        for name, instruction in (("ends-too", None), ("kept", "H")):
            party.say("D", *order(name, _18=instruction))
            party.report(name, "0")
        party.log_out()
    desk.report_when("ends-too", "CANCELED")
    assert desk.report("kept")["status"] == "NEW"
