"""The pages made from code are as the code is now."""

import pytest

from tools.generate_docs import PAGES, ROOT


@pytest.mark.parametrize("name", PAGES)
def test_page_is_not_stale(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text == PAGES[name](), f"{name} is stale: run `make docs-generate`"
