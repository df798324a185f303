"""How the commands that check are spelled: verify, simulate, version."""

from pathlib import Path
from typing import Annotated

import typer

from fairlead.cli.options import AsJson

commands = typer.Typer()


@commands.command()
def verify(
    data: Annotated[Path, typer.Option(help="The data folder to look through.")] = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Apply every report of the journal again and print each difference; 1 if there is any."""
    from fairlead.commands import checks

    checks.verify(data, as_json=as_json)


@commands.command()
def simulate(
    seeds: Annotated[int, typer.Option(help="How many worlds.", min=1)] = 100,
    seed: Annotated[
        int | None, typer.Option(help="Replay this one and print what was said.")
    ] = None,
    fresh_from: Annotated[
        int | None, typer.Option(help="The first fresh seed, to repeat a run.", min=0)
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Processes; default: one per core.", min=1)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run seeded worlds of faults and crashes, half of them always the same; 1 if a law breaks."""
    from fairlead.commands import simulate as worlds

    if seed is not None:
        worlds.replay(seed, as_json=as_json)
    else:
        worlds.many(seeds, jobs, fresh_from, as_json=as_json)


@commands.command()
def version(as_json: AsJson = False) -> None:
    """Print the version."""
    from fairlead import __version__
    from fairlead.commands.show import out

    out(f'{{"version": "{__version__}"}}' if as_json else f"fairlead {__version__}")
