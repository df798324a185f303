"""The reference page says what the tables in the code say."""

import re
from pathlib import Path

import pytest

from fairlead.gateway.fixapi import asking
from fairlead.gateway.fixapi.settings import FixSettings

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/fix.md").read_text()


@pytest.mark.parametrize(
    ("title", "table"),
    [
        ("NewOrderSingle (D)", asking.PLACE),
        ("OrderCancelRequest (F)", asking.CANCEL),
        ("OrderMassCancelRequest (q)", asking.MASS_CANCEL),
        ("OrderStatusRequest (H)", asking.STATUS),
        ("OrderMassStatusRequest (AF)", asking.MASS_STATUS),
    ],
)
def test_what_may_be_sent(title: str, table: tuple[asking.Part, ...]) -> None:
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \| (\w+) \| ([\w= `]+) \|", section, re.MULTILINE)
    assert {int(tag) for tag, _, _ in rows} == {part.tag for part in table}
    assert {int(tag) for tag, _, required in rows if required == "yes"} == {
        part.tag for part in table if part.is_required
    }


def test_settings_that_are_named_exist() -> None:
    named = set(re.findall(r"`fix\.(\w+)`", PAGE)) - {"listen", "tls_listen"}
    assert named <= set(FixSettings.__struct_fields__)
