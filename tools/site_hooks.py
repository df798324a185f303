"""What MkDocs does for us beyond its plugins: pages of the root on the site, links that fit."""

from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tools.site_links import GENERATED, site_text

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
_WHOLE_FOLDERS = {"Decisions": "decisions/[0-9]*.md", "Operations": "operations/*.md"}
_HOMES = {at: path for path, at in GENERATED.items()}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the parts of the navigation that hold all pages of a folder, in the order of their names."""
    for part in _parts(config.nav):
        for name, pattern in _WHOLE_FOLDERS.items():
            if name in part:
                listed = part[name]
                pages = [f"{path.relative_to(DOCS)}" for path in sorted(DOCS.glob(pattern))]
                listed += [page for page in pages if page not in listed]
    return config


def _parts(nav: object) -> Iterator[dict[str, list[object]]]:
    """Give every named part of the navigation that holds further ones."""
    if isinstance(nav, list):
        for part in nav:
            if isinstance(part, dict) and all(isinstance(each, list) for each in part.values()):
                yield part
                for below in part.values():
                    yield from _parts(below)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root."""
    for path, at in GENERATED.items():
        files.append(File.generated(config, at, content=(ROOT / path).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Turn the links of a page into the site's."""
    at = page.file.src_uri
    return site_text(markdown, _HOMES.get(at, f"docs/{at}"))
