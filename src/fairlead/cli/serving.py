"""How the commands that serve are spelled: up, exchange."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer()

ConfigFile = Annotated[Path | None, typer.Option("--config", help="A TOML file of settings.")]
Seed = Annotated[str | None, typer.Option(help="Seed of the market and of the faults.")]
Tapes = Annotated[
    list[str] | None,
    typer.Option("--market-tape", help="Recorded trades, quotes, books; FILE or SYMBOL=FILE."),
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


@commands.command()
def up(
    data: Annotated[str | None, typer.Option(help="Where everything durable is kept.")] = None,
    listen: Annotated[str | None, typer.Option(help="HOST:PORT, port 0: any free one.")] = None,
    fix: Annotated[str | None, typer.Option(help="HOST:PORT of the FIX API, or: off.")] = None,
    tls: Annotated[
        str | None, typer.Option(help="HOST:PORT for TLS; see `fairlead tls init`.")
    ] = None,
    tls_clients: Annotated[
        str | None, typer.Option(help="HOST:PORT for TLS with client certificates.")
    ] = None,
    fix_tls: Annotated[
        str | None, typer.Option(help="HOST:PORT of FIX over TLS, with client certificates.")
    ] = None,
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
    log_file: Annotated[str | None, typer.Option(help="A file instead of stderr.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Send one order and show its life.")] = False,
) -> None:
    """Start the system and serve until Ctrl-C."""
    from fairlead.commands import serving

    flags = {
        "data": data,
        "listen": listen,
        "fix.listen": fix,
        "fix.tls_listen": fix_tls,
        "tls.listen": tls,
        "tls.clients_listen": tls_clients,
        "accounts": account,
        "exchange_url": exchange_url,
        "log.level": log_level,
        "log.format": log_format,
        "log.file": log_file,
    }
    market = _market_flags(seed, market_tape, market_speed, participants, allow_open_network)
    serving.up(_config_file(config), _given({**flags, **market}), is_demo=demo)


@commands.command()
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
