"""Every alarm that can be raised, by the core or by Prometheus, has its section on what to do."""

import ast
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/operations/alarms.md").read_text()
RULES = yaml.safe_load((ROOT / "packaging/prometheus/fairlead.rules.yml").read_text())


def codes(source: str) -> set[str]:
    """Return the codes of the alarms that a module raises; fails where one is not written out."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "alarm":
            code = node.args[1]
            assert isinstance(code, ast.Constant), ast.unparse(node)
            found.add(code.value)
    return found


def test_an_alarm_in_source_is_found() -> None:
    assert codes("deciding.alarm(account, 'odd', None, text)") == {"odd"}


def test_every_alarm_and_every_rule_has_its_section_and_no_other() -> None:
    raised = set()
    for module in (ROOT / "src/fairlead/core").rglob("*.py"):
        raised |= codes(module.read_text())
    assert len(raised) > 5
    rules = {rule["alert"] for group in RULES["groups"] for rule in group["rules"]}
    assert set(re.findall(r"^### (\w+)$", PAGE, re.MULTILINE)) == raised | rules


def test_a_section_says_what_to_check_and_what_to_do() -> None:
    for section in PAGE.split("\n### ")[1:]:
        name = section.partition("\n")[0]
        assert "**Check**" in section, name
        assert "**Do**" in section or "**do**" in section, name
