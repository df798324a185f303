"""The documentation site: links fit it, and what would be fetched from elsewhere is found."""

import pytest

from tools.check_site import foreign_in_page, foreign_in_style
from tools.site_links import site_text


@pytest.mark.parametrize(
    ("page", "text", "on_site"),
    [
        ("docs/index.md", "[x](../CHANGELOG.md)", "[x](project/changelog.md)"),
        ("docs/a/b.md", "[x](../../CONTRIBUTING.md#y)", "[x](../project/contributing.md#y)"),
        ("docs/a/b.md", "[x](../c/d.md#y)", "[x](../c/d.md#y)"),
        ("docs/a/b.md", "[`x.py`](../../src/x.py) and", "`x.py` and"),
        ("ARCHITECTURE.md", "[x](docs/a/b.md)", "[x](../a/b.md)"),
        ("ARCHITECTURE.md", "[x](CHANGELOG.md), [y](README.md)", "[x](changelog.md), [y](../index.md)"),
        ("README.md", "[x](docs/decisions)", "[x](decisions/README.md)"),
        ("docs/a.md", "[x](https://example.org), [y](#z)", "[x](https://example.org), [y](#z)"),
        ("docs/a.md", "```\n[x](../src/x.py)\n```\n", "```\n[x](../src/x.py)\n```\n"),
    ],
)  # fmt: skip
def test_a_link_leads_to_the_same_page_on_the_site(page: str, text: str, on_site: str) -> None:
    assert site_text(text, page) == on_site


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/x.css">',
        '<img src=http://elsewhere.example/x.png>',
        '<div style="background: url(https://elsewhere.example/x.png)"></div>',
        "<style>@import 'https://fonts.example/x.css';</style>",
        '<pre class="mermaid"><code>graph</code></pre>',
    ],
)  # fmt: skip
def test_what_a_page_fetches_from_elsewhere_is_found(html: str) -> None:
    assert len(foreign_in_page(f"<html>{html}</html>")) == 1


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://example.org">read</a>',
        '<script src="../assets/x.js"></script><img src="data:image/png;base64,AA">',
        '<link rel="canonical" href="https://example.org/page">',
        "<p>https://example.org</p><style>a { color: red }</style>",
    ],
)
def test_what_a_page_only_names_is_no_finding(html: str) -> None:
    assert foreign_in_page(f"<html>{html}</html>") == []


def test_a_style_sheet_is_looked_through() -> None:
    assert foreign_in_style("a{b:url(../x.svg)} @import url('https://fonts.example/x');") == [
        "https://fonts.example/x"
    ]
