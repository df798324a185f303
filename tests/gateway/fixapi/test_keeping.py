"""The log of every message, written beside the event loop."""

import asyncio
from pathlib import Path

from fairlead.fix.log import FILE_NAME
from fairlead.fix.log_reading import entries
from fairlead.fix.settings import SessionKey
from fairlead.gateway.fixapi.keeping import claimed_name, name_of, open_kept
from fairlead.gateway.fixapi.settings import FixSettings
from tests.fix.spoken import NOW, say
from tests.system import until


def test_what_is_added_is_written_by_itself_and_the_rest_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME

    async def keep() -> None:
        kept = open_kept(tmp_path, FixSettings())
        assert kept is not None
        kept.add("s", [say("0", 1)], NOW)
        await asyncio.to_thread(until, lambda: path.stat().st_size, "it is written")
        kept.add_sent("s", [say("0", 2)], NOW)
        kept.close()

    asyncio.run(keep())
    assert [entry.is_out for entry in entries(path)] == [False, True]


def test_a_log_that_cannot_be_opened_or_is_not_wanted_is_none(tmp_path: Path) -> None:
    async def opened(folder: Path, settings: FixSettings) -> bool:
        return open_kept(folder, settings) is not None

    assert not asyncio.run(opened(tmp_path / "missing", FixSettings()))
    assert not asyncio.run(opened(tmp_path, FixSettings(log_messages=False)))


def test_a_session_has_one_name_before_and_after_its_logon() -> None:
    assert name_of(SessionKey("FIX.4.4", "CLIENT", "", "key:a")) == "FIX.4.4:CLIENT@key:a"
    assert claimed_name(say("A", 1), "key:a") == "FIX.4.4:CLIENT@key:a"
    assert name_of(SessionKey("FIX.4.4", "A B", "DESK 1")) == "FIX.4.4:A%20B/DESK%201"
