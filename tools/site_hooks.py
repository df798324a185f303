"""What MkDocs does for us beyond its plugins: pages of the root on the site, links that fit."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tools.site_links import GENERATED, site_text

ROOT = Path(__file__).resolve().parents[1]
_HOMES = {at: path for path, at in GENERATED.items()}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List every decision in the navigation, in their order."""
    pages = sorted(path.name for path in (ROOT / "docs/decisions").glob("[0-9]*.md"))
    assert config.nav is not None
    project = next(section["Project"] for section in config.nav if "Project" in section)
    decisions = next(section["Decisions"] for section in project if "Decisions" in section)
    decisions[1:] = [f"decisions/{name}" for name in pages]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root."""
    for path, at in GENERATED.items():
        files.append(File.generated(config, at, content=(ROOT / path).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Turn the links of a page into the site's."""
    at = page.file.src_uri
    return site_text(markdown, _HOMES.get(at, f"docs/{at}"))
