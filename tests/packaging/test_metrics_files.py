"""Alert rules and dashboard: they parse, and every metric they name is exported by a running system."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.system import QUICK, Ems, running, write_config

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "packaging/prometheus/fairlead.rules.yml"
DASHBOARD = json.loads((ROOT / "packaging/grafana/fairlead.json").read_text())
OF_PROMETHEUS = {"up"}  # what it adds itself
OF_TARGETS = {"job", "instance"}  # labels it adds itself
SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
    "info": ("_info",),
}


def rules() -> list[Any]:
    return [
        rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    ]


def expressions() -> dict[str, str]:
    """Return every expression by where it stands."""
    found = {rule["alert"]: rule["expr"] for rule in rules()}
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            found[f"{panel['title']} {target['refId']}"] = _filled(target["expr"])
    for annotation in DASHBOARD["annotations"]["list"]:
        found[annotation["name"]] = _filled(annotation["expr"])
    return found


def _filled(expression: str) -> str:
    """Return a dashboard's expression with its variables filled, as Grafana would."""
    return expression.replace("$__rate_interval", "1m").replace("$instance", ".*")


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each metric that an expression names, with the labels it asks for."""
    text = str(promql_parser.parse(expression).prettify())
    for name, labels in re.findall(r"([a-z_]+[a-z0-9_]*)\{([^}]*)\}", text):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", labels))
    bare = re.sub(r"\{[^}]*\}|\"[^\"]*\"|\b(?:by|without|on|ignoring) \([^)]*\)", "{}", text)
    for name in re.findall(r"\b((?:fairlead|process|python)_\w+)(?!\w|\{)", bare):
        yield name, set()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Return the labels of every metric of a running system; what has no sample yet has any."""
    folder = tmp_path_factory.mktemp("metrics")
    ems = Ems(folder / "data", write_config(folder / "c.toml", {**QUICK}, []))
    with running(ems), closing(ems.reconciled().api()) as api:
        assert api.place("one").status == 200
        text = api.get("/metrics").body.decode()
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for suffix in SUFFIXES[family.type]:
            found[family.name + suffix] = set()
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_a_metric_is_found_in_an_expression() -> None:
    expression = 'sum by (le) (rate(a_bucket{x="fairlead_not"}[5m])) > fairlead_b unless fairlead_c offset 5m'
    assert dict(selectors(expression)) == {
        "a_bucket": {"x"},
        "fairlead_b": set(),
        "fairlead_c": set(),
    }


def test_every_metric_and_label_that_is_named_is_exported(exported: dict[str, set[str]]) -> None:
    named = 0
    for where, expression in expressions().items():
        found = list(selectors(expression))
        assert found, where
        for name, labels in found:
            named += 1
            if name not in OF_PROMETHEUS:
                assert name in exported, where
                assert labels - OF_TARGETS <= exported[name] or not exported[name], (where, labels)
    assert named > 30


def test_every_rule_is_complete() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule.keys() - {"for"} == {"alert", "expr", "labels", "annotations"}, rule
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))


def test_promtool_takes_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        reason = "promtool is not installed; the expressions are parsed by promql-parser above"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    done = subprocess.run(
        [promtool, "check", "rules", str(RULES)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_is_whole() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {variable["name"] for variable in DASHBOARD["templating"]["list"]} == {
        "source",
        "instance",
    }
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
        assert panel["datasource"]["uid"] == "${source}"
