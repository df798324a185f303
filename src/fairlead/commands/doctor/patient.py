"""What is looked at: the settings, the data folder, and who holds it now."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from fairlead.config import Config
from fairlead.config.loading import salvage
from fairlead.endpoint import ENDPOINT_FILE, Endpoint, endpoint_of
from fairlead.journal.opening import Holder, holder_of


class Patient(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the checks start from. `place`: the folder, or where it would be made.

    `wrong`: what is wrong with the settings; `config` is made of those that are right.
    `holder` None: nobody runs there. `endpoint`: what endpoint.json says, in words if it cannot be read.
    """

    config: Config
    config_file: Path | None
    wrong: list[str]
    folder: Path
    place: Path
    holder: Holder | None
    endpoint: Endpoint | str | None
    is_full: bool

    @property
    def can_be_read(self) -> bool:
        """Whether the folder is there and this user may look into it; if not, one check says so."""
        return os.path.isdir(self.folder) and os.access(self.folder, os.R_OK | os.X_OK)

    @property
    def running(self) -> Endpoint | None:
        """Where the system is that holds the folder, None when none does or it has not said so."""
        endpoint, holder = self.endpoint, self.holder
        if isinstance(endpoint, Endpoint) and holder is not None and endpoint.pid == holder.pid:
            return endpoint
        return None


def patient(
    config_file: Path | None,
    environment: Mapping[str, str],
    flags: Mapping[str, object],
    *,
    is_full: bool,
) -> Patient:
    """Return what there is to look at."""
    config, wrong = salvage(config_file, environment, flags)
    folder = config.data.absolute()
    place = folder
    while not os.path.exists(place) and place != place.parent:
        place = place.parent
    return Patient(
        config=config,
        config_file=config_file,
        wrong=wrong,
        folder=folder,
        place=place,
        holder=holder_of(folder),
        endpoint=_endpoint(folder),
        is_full=is_full,
    )


def _endpoint(folder: Path) -> Endpoint | str | None:
    try:
        return endpoint_of(folder)
    except PermissionError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        return f"{folder / ENDPOINT_FILE}: {error}"
