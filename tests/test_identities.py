"""The table of `tests/identities.py` names tests that exist, and each of its rows names one."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.api_tools import SPEC
from tests.identities import SECTIONS
from tests.identities_people import PEOPLE

HERE = Path(__file__).parent


@cache
def names_in(file: str) -> frozenset[str]:
    """Return the names of the tests in a file, without importing it."""
    tree = ast.parse((HERE / file).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(each.name for each in tree.body if isinstance(each, kinds))


@pytest.mark.parametrize("section", SECTIONS)
def test_every_sentence_has_tests_that_exist(section: str) -> None:
    rows = SECTIONS[section]
    assert rows
    assert len({sentence for sentence, _ in rows}) == len(rows)
    for sentence, names in rows:
        assert names, sentence
        for name in names:
            file, _, test = name.partition("::")
            assert test.startswith("test_"), name
            assert test in names_in(file), name


@pytest.mark.parametrize("section", PEOPLE)
def test_the_sentences_about_people_are_of_the_specification(section: str) -> None:
    path = SPEC / "identities.md"
    if not path.exists():
        pytest.skip("the specification is elsewhere")
    chapter = path.read_text().partition(f"\n## {section[0]}. ")[2].partition("\n## ")[0]
    assert [words for words, _ in PEOPLE[section] if words not in chapter] == []
