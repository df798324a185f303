"""FIX sessions through the lives of the server, and clients that misbehave on the socket."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

from tests.fix_party import FixParty, order
from tests.system import (
    ACCOUNTS,
    ANY_PORT,
    FAIRLEAD,
    QUICK,
    Api,
    Ems,
    Exchange,
    Program,
    running,
    until,
    write_config,
)


class Lives:
    """A server that is killed and started again, with its exchange in a process of its own."""

    def __init__(self, folder: Path, exchange: Exchange, **settings: object) -> None:
        self.folder = folder
        self._exchange = exchange
        named = {name.replace("__", "."): value for name, value in settings.items()}
        self._config = write_config(folder / "config.toml", QUICK | named, ACCOUNTS)
        self.ems = self.start()

    def start(self) -> Ems:
        """Begin a life."""
        flags = ("--exchange-url", self._exchange.url)
        self.ems = Ems(self.folder / "data", self._config, *flags)
        self.ems.ready()
        self.ems.reconciled()
        return self.ems

    @property
    def address(self) -> str:
        """Where FIX is served in this life."""
        address: str = self.ems.endpoint["fix"]
        return address

    def hit(self, number: int, amount: str = "0.001") -> None:
        """Have ALICE sell to the bids at 20000 through the exchange's other account."""
        with closing(self.ems.api()) as api:
            answer = api.place(
                f"hit-{number}", exchange_id="SIM/ALICE", side="SELL", amount_order=Decimal(amount)
            )
            assert answer.status == 200, answer


@contextmanager
def lives(folder: Path, **settings: object) -> Iterator[Lives]:
    """Run a server beside an exchange."""
    config = write_config(folder / "exchange.toml", QUICK, ACCOUNTS)
    exchange = Exchange(folder / "exchange", config, "--no-participants")
    with running(exchange):
        exchange.ready()
        life = Lives(folder, exchange, **settings)
        try:
            yield life
        finally:
            life.ems.close()


def sequences(party: FixParty, account: str = "SIM") -> list[int]:
    """Return the sequences of the account's reports in the order in which they were told."""
    told = [said[17] for said in party.told if said[35] == "8"]
    return [
        int(each.removeprefix(f"{account}:")) for each in told if each.startswith(f"{account}:")
    ]


def of_orders(api: Api, client_order_id: str) -> list[int]:
    """Return the sequences of all reports about an order, as they are stored."""
    told = api.wanted(f"/v1/orders/story/{client_order_id}")
    return [each["sequence"] for each in told["reports"]]


def test_every_report_once_whenever_the_server_is_killed_in_a_burst_of_fills(
    tmp_path: Path,
) -> None:
    """Kill it after 1, 2, 3… reports of a burst; the session goes on by its numbers."""
    with lives(tmp_path) as life, FixParty(life.address) as party:
        party.log_on()
        for kill in range(1, 9):
            name = f"bid-{kill}"
            party.say("D", *order(name, _38="0.04"))
            party.report(name, "0")
            for number in range(kill):
                life.hit(kill * 100 + number)
            party.report(name, "1")
            life.ems.kill()
            party.drop()
            life.start()
            party.address = life.address
            party.log_on()
            party.say("F", (11, f"c-{kill}"), (41, name), (207, "SIM"), (60, "20260101-00:00:00"))
            party.report(name, "4")
        party.synchronise()
        told = sequences(party)
        assert told == sorted(set(told)), "each once and in order"
        with closing(life.ems.api()) as api:
            for kill in range(1, 9):
                fills = [said for said in party.reports_of(f"bid-{kill}") if 31 in said]
                assert len(fills) == kill
                stored = of_orders(api, f"bid-{kill}")
                assert set(stored) <= set(told)


def test_orders_that_the_killed_server_did_not_confirm_are_asked_for_and_placed_once(
    tmp_path: Path,
) -> None:
    with lives(tmp_path) as life, FixParty(life.address) as party:
        party.log_on()
        for kill in range(5):
            names = [f"o-{kill}-{number}" for number in range(20)]
            party.say_many([("D", order(name)) for name in names])
            party.report(names[kill], "A")
            life.ems.kill()
            party.drop()
            life.start()
            party.address = life.address
            party.log_on()
            party.synchronise()
            for name in names:
                party.say("H", (11, name), (54, 1), (207, "SIM"), (790, f"q-{name}"))
                said = party.wait(lambda said, n=name: said.get(790) == f"q-{n}", "the status")
                assert said[37] == name, "the order is known"
        with closing(life.ems.api()) as api:
            ids = [row["clientOrderId"] for row in api.history()]
        assert len(ids) == len(set(ids)) == 100


def test_orders_that_end_with_their_session_end_when_the_server_is_killed(tmp_path: Path) -> None:
    with lives(tmp_path) as life, FixParty(life.address) as party:
        party.log_on()
        party.say("D", *order("ends", _18="Q"))
        party.report("ends", "0")
        party.say("D", *order("stays"))
        party.report("stays", "0")
        life.ems.kill()
        party.drop()
        life.start()
        party.address = life.address
        party.log_on()
        party.report("ends", "4")
        with closing(life.ems.api()) as api:
            assert api.status("stays").json["status"] == "NEW"


def test_an_orderly_stop_logs_the_clients_out(tmp_path: Path) -> None:
    with lives(tmp_path) as life, FixParty(life.address) as party:
        party.log_on()
        party.say("D", *order("ends", _18="Q"))
        party.report("ends", "0")
        life.ems.process.terminate()
        party.next_of("5")
        assert "stopping" in party.farewell
        party.say("5")
        party.wait_for_end()
        assert life.ems.ended() == 0
        life.start()
        party.address = life.address
        party.log_on()
        party.report("ends", "4")


def test_a_client_that_reads_nothing_is_cut_off_and_the_others_go_on(tmp_path: Path) -> None:
    settings = {
        "fix__slow_client_s": 1,
        "fix__output_bytes_max": 4096,
        "fix__sent_messages_min": 1_000_000,
    }
    with (
        lives(tmp_path, **settings) as life,
        FixParty(life.address) as party,
        FixParty(life.address, comp_id="SLOW", receive_bytes=4096) as slow,
    ):
        party.log_on()
        slow.log_on()
        count = 0

        def is_cut_off() -> bool:
            nonlocal count
            names = [f"slow-{count}-{number}" for number in range(100)]
            count += 1
            party.say_many([("D", order(name)) for name in names])
            party.report(names[-1], "0")
            party.say("q", (11, f"all-{count}"), (530, 7), (207, "SIM"), (60, "20260101-00:00:00"))
            party.report(names[-1], "4")
            return "fix_client_too_slow" in life.ems.log

        until(is_cut_off, "the slow client is cut off", 60)
        party.synchronise()
        told = sequences(party)
        assert told == sorted(set(told))
        slow.drop()
        slow.log_on()
        slow.report(f"slow-{count - 1}-99", "4")
        slow.synchronise()
        assert sequences(slow) == told, "it missed nothing"


def test_connections_are_bounded_and_those_that_say_nothing_are_closed(tmp_path: Path) -> None:
    settings = {"fix__connections_max": 2, "fix__logon_timeout_s": 0.5}
    with lives(tmp_path, **settings) as life:
        silent = [FixParty(life.address, comp_id=f"C{number}") for number in range(3)]
        for party in silent[:2]:
            party.connect()
        silent[2].connect()
        silent[2].wait_for_end()
        for party in silent[:2]:
            party.wait_for_end()
        with FixParty(life.address) as party:
            party.log_on()


def test_fix_can_be_off_and_its_address_is_told(tmp_path: Path) -> None:
    config = write_config(tmp_path / "config.toml", QUICK, ACCOUNTS)
    ems = Ems(tmp_path / "data", config, "--no-participants", "--fix", "off")
    with running(ems):
        assert ems.ready().endpoint["fix"] is None
    program = Program(
        tmp_path / "other",
        [
            FAIRLEAD,
            "up",
            "--data",
            str(tmp_path / "other"),
            "--listen",
            ANY_PORT,
            "--fix",
            ANY_PORT,
        ],
    )
    with running(program):
        host, _, port = program.ready().endpoint["fix"].rpartition(":")
        assert host == "127.0.0.1"
        socket.create_connection((host, int(port))).close()
