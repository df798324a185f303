"""How the commands are spelled: `fairlead COMMAND …`. What they do is in `fairlead.commands`.

Every command imports what it needs when it runs. A command fails with one line on stderr and an exit
code of `commands.ending.ExitCode`.
"""

import os
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fairlead.commands.client import Api, find
from fairlead.commands.ending import Ended, ExitCode

program = typer.Typer(
    name="fairlead",
    help="An execution management system: no order lost, none placed twice.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
in_doubt = typer.Typer(help="Orders that need an operator: in doubt, unsettled, cancels given up.")
program.add_typer(in_doubt, name="in-doubt", invoke_without_command=True)


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


AsJson = Annotated[bool, typer.Option("--json", help="Print the API's own JSON, digits exact.")]
Url = Annotated[
    str | None, typer.Option(help="The system's address; else FAIRLEAD_URL, else --data.")
]
DataOf = Annotated[
    str | None,
    typer.Option("--data", help="The system's data folder, whose endpoint.json says the address."),
]
Account = Annotated[str, typer.Option(help="The account: SIM, SIM/ALICE.")]
AnyAccount = Annotated[str | None, typer.Option("--account", help="Only this account.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="A TOML file of settings.")]
Seed = Annotated[str | None, typer.Option(help="Seed of the market and of the faults.")]
Tapes = Annotated[
    list[str] | None,
    typer.Option("--market-tape", help="Recorded trades and quotes; FILE or SYMBOL=FILE."),
]
Speed = Annotated[
    str | None, typer.Option("--market-speed", help="1 as recorded, 10 faster, or: stepped.")
]
Participants = Annotated[
    bool | None,
    typer.Option("--participants/--no-participants", help="Keep a moving market of their own."),
]
Open = Annotated[
    bool, typer.Option("--allow-open-network", help="Serve beyond loopback, without passwords.")
]


def main() -> None:
    """Run the command line."""
    try:
        program()
    except Ended as ended:
        for line in ended.text.splitlines():
            sys.stderr.write(f"fairlead: {line}\n")
        sys.exit(ended.code)


# ── serving ──────────────────────────────────────────────────────────────────────────────────────


@program.command()
def up(
    data: Annotated[str | None, typer.Option(help="Where everything durable is kept.")] = None,
    listen: Annotated[str | None, typer.Option(help="HOST:PORT, port 0: any free one.")] = None,
    config: ConfigFile = None,
    account: Annotated[
        list[str] | None, typer.Option(help="Host this account (repeat it); default: SIM.")
    ] = None,
    exchange_url: Annotated[
        str | None, typer.Option(help="tcp://HOST:PORT of a `fairlead exchange`.")
    ] = None,
    seed: Seed = None,
    market_tape: Tapes = None,
    market_speed: Speed = None,
    participants: Participants = None,
    allow_open_network: Open = False,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning, error.")] = None,
    log_format: Annotated[str | None, typer.Option(help="json or text.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Send one order and show its life.")] = False,
) -> None:
    """Start the system and serve until Ctrl-C."""
    from fairlead.commands import serving

    flags = {
        "data": data,
        "listen": listen,
        "accounts": account,
        "exchange_url": exchange_url,
        "log.level": log_level,
        "log.format": log_format,
    }
    market = _market_flags(seed, market_tape, market_speed, participants, allow_open_network)
    serving.up(_config_file(config), _given({**flags, **market}), is_demo=demo)


@program.command()
def exchange(
    data: Annotated[str | None, typer.Option(help="Where the exchange keeps its state.")] = None,
    listen: Annotated[str | None, typer.Option(help="HOST:PORT of its byte dialect.")] = None,
    operator_listen: Annotated[
        str | None, typer.Option(help="HOST:PORT of its operator API.")
    ] = None,
    config: ConfigFile = None,
    seed: Seed = None,
    market_tape: Tapes = None,
    market_speed: Speed = None,
    participants: Participants = None,
    allow_open_network: Open = False,
) -> None:
    """Start the simulated exchange in a process of its own."""
    from fairlead.commands import serving

    flags = {
        "exchange.data": data,
        "exchange.listen": listen,
        "exchange.operator_listen": operator_listen,
    }
    market = _market_flags(seed, market_tape, market_speed, participants, allow_open_network)
    serving.exchange(_config_file(config), _given({**flags, **market}))


def _market_flags(
    seed: str | None,
    tapes: list[str] | None,
    speed: str | None,
    participants: bool | None,
    allow_open_network: bool,
) -> dict[str, object]:
    return {
        "exchange.seed": seed,
        "exchange.market_tape": tapes,
        "exchange.market_speed": speed,
        "exchange.participants": participants,
        "allow_open_network": allow_open_network or None,
    }


def _given(flags: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in flags.items() if value not in (None, [])}


def _config_file(flag: Path | None) -> Path | None:
    named = os.environ.get("FAIRLEAD_CONFIG")
    return flag or (Path(named) if named else None)


# ── trading ──────────────────────────────────────────────────────────────────────────────────────


@program.command()
def order(
    side: Annotated[Side, typer.Argument(case_sensitive=False)],
    quantity: str,
    symbol: Annotated[str, typer.Argument(help="SIM_SPOT_BTC_USDT, or the exchange's: BTC/USDT.")],
    price: str,
    account: Account = "SIM",
    tif: Annotated[
        str | None, typer.Option(help="gtc (default), gtt, gtt-oms, ioc or fok.")
    ] = None,
    expire: Annotated[
        str | None, typer.Option(help="A UTC time, or from now: +30s, +5m, +2h, +1d.")
    ] = None,
    post_only: Annotated[
        bool, typer.Option("--post-only", help="Reject rather than take from the book.")
    ] = False,
    order_id: Annotated[
        str | None, typer.Option("--id", help="Your id for it; the same id is placed once.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
) -> None:
    """Send one limit order and show what became of it."""
    from fairlead.commands import trade

    ticket = trade.Ticket(
        side=side,
        quantity=quantity,
        symbol=symbol,
        price=price,
        account=account,
        time_in_force=tif,
        post_only=post_only,
        client_order_id=order_id,
        expire=expire,
    )
    trade.order(_api(url, data), ticket, as_json=as_json)


@program.command()
def cancel(
    order_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The id you gave it.")
    ] = None,
    account: Account = "SIM",
    exchange_order_id: Annotated[str | None, typer.Option(help="The exchange's id for it.")] = None,
    is_all: Annotated[bool, typer.Option("--all", help="Every order of the account.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
) -> None:
    """Cancel one order, or all of an account."""
    from fairlead.commands import trade

    api = _api(url, data)
    trade.cancel(api, account, order_id, exchange_order_id, is_all=is_all, as_json=as_json)


@program.command()
def orders(
    order_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Show this one's whole life.")
    ] = None,
    account: AnyAccount = None,
    since: Annotated[
        str | None, typer.Option(help="Also ended ones: a UTC time, or 30s, 5m, 2h, 1d ago.")
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
) -> None:
    """Show the open orders, one order, or all of some time."""
    from fairlead.commands import trade

    trade.orders(_api(url, data), account, order_id, since, as_json=as_json)


@program.command()
def balances(
    account: AnyAccount = None, as_json: AsJson = False, url: Url = None, data: DataOf = None
) -> None:
    """Show what the accounts have."""
    from fairlead.commands import trade

    trade.balances(_api(url, data), account, as_json=as_json)


# ── operating ────────────────────────────────────────────────────────────────────────────────────


@program.command()
def accounts(as_json: AsJson = False, url: Url = None, data: DataOf = None) -> None:
    """Show the accounts and whether they are reconciled."""
    from fairlead.commands import operate

    operate.accounts(_api(url, data), as_json=as_json)


@in_doubt.callback(invoke_without_command=True)
def _in_doubt(
    context: typer.Context, as_json: AsJson = False, url: Url = None, data: DataOf = None
) -> None:
    """List the orders that need an operator: in doubt, unsettled, cancels given up."""
    if context.invoked_subcommand is None:
        list_in_doubt(as_json, url, data)
    elif as_json or url or data:
        raise Ended(ExitCode.USAGE, f"give options after in-doubt {context.invoked_subcommand}")


@in_doubt.command("list")
def list_in_doubt(as_json: AsJson = False, url: Url = None, data: DataOf = None) -> None:
    """List them, saying what is the matter."""
    from fairlead.commands import operate

    operate.attention(_api(url, data), as_json=as_json)


@in_doubt.command()
def resolve(
    order_id: Annotated[str, typer.Argument(metavar="ID")],
    resolution: Annotated[str, typer.Argument(help="never-reached, canceled or working.")],
    account: Account = "SIM",
    as_json: AsJson = False,
    url: Url = None,
    data: DataOf = None,
) -> None:
    """Declare what became of an order, having looked at the exchange."""
    from fairlead.commands import operate

    operate.resolve(_api(url, data), account, order_id, resolution, as_json=as_json)


@program.command()
def halt(account: str, as_json: AsJson = False, url: Url = None, data: DataOf = None) -> None:
    """Let an account only cancel; its open orders stay."""
    _set_mode(account, "HALTED", url, data, as_json=as_json)


@program.command("reduce")
def reduce_(account: str, as_json: AsJson = False, url: Url = None, data: DataOf = None) -> None:
    """Let an account only send orders that reduce."""
    _set_mode(account, "REDUCING", url, data, as_json=as_json)


@program.command()
def resume(account: str, as_json: AsJson = False, url: Url = None, data: DataOf = None) -> None:
    """Let an account trade again."""
    _set_mode(account, "ACTIVE", url, data, as_json=as_json)


def _set_mode(account: str, mode: str, url: str | None, data: str | None, *, as_json: bool) -> None:
    from fairlead.commands import operate

    operate.set_mode(_api(url, data), account, mode, as_json=as_json)


def _api(url: str | None, data: str | None) -> Api:
    return find(url, data, os.environ)


# ── checking ─────────────────────────────────────────────────────────────────────────────────────


@program.command()
def verify(
    data: Annotated[Path, typer.Option(help="The data folder to look through.")] = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Apply every report of the journal again and print each difference; 1 if there is any."""
    from fairlead.commands import checks

    checks.verify(data, as_json=as_json)


@program.command()
def simulate(
    seeds: Annotated[int, typer.Option(help="How many worlds.", min=1)] = 100,
    seed: Annotated[
        int | None, typer.Option(help="Replay this one and print what was said.")
    ] = None,
    fresh_from: Annotated[
        int | None, typer.Option(help="The first fresh seed, to repeat a run.", min=0)
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Processes; default: one per core.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run seeded worlds of faults and crashes, half of them always the same; 1 if a law breaks."""
    from fairlead.commands import simulate as worlds

    if seed is not None:
        worlds.replay(seed, as_json=as_json)
    else:
        worlds.many(seeds, jobs, fresh_from, as_json=as_json)


@program.command()
def version(as_json: AsJson = False) -> None:
    """Print the version."""
    from fairlead import __version__
    from fairlead.commands.show import out

    out(f'{{"version": "{__version__}"}}' if as_json else f"fairlead {__version__}")


if __name__ == "__main__":
    main()
