"""The documentation holds together: pages in the navigation, links, the reference. `make docs` builds it."""

from __future__ import annotations

import re
import unicodedata
from importlib import import_module
from pathlib import Path

import pytest
import yaml

import looptool_kit as lt
from looptool_kit.report.taken import took
from looptool_kit.run.folder import Run

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def text_of(page: Path) -> str:
    """A page without its code, which holds no links and no headings."""
    fenced = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", lambda m: m[0].replace("[", "").replace("](", ""), fenced)


def anchors(page: Path) -> set[str]:
    """The ids of a page's headings."""
    return {slug(m[1]) for m in re.finditer(r"^#+ (.+)$", text_of(page), re.MULTILINE)}


def slug(heading: str) -> str:
    """A heading's id, as mkdocs makes it."""
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


def links(page: Path) -> list[str]:
    """The targets of a page's relative links and pictures."""
    found = re.findall(r"\]\(([^)\s]+)\)", text_of(page))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def pages_in(nav: object) -> list[str]:
    """The files that a navigation names, in order."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else []
    return [page for part in parts for page in pages_in(part)]


def test_every_page_is_in_the_navigation_once() -> None:
    assert sorted(pages_in(SITE["nav"])) == sorted(page.name for page in DOCS.glob("*.md"))


def test_the_site_fetches_nothing() -> None:
    assert SITE["theme"]["font"] is False
    assert not re.search(r"https?://", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_point_at_something(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: there is no {target}"
        assert page.parent != DOCS or file.is_relative_to(DOCS), (
            f"{page.name}: the site does not hold {target}"
        )
        assert not anchor or anchor in anchors(file), f"{page.name}: {file.name} has no heading #{anchor}"


def test_the_links_are_found() -> None:
    assert "results.md" in links(DOCS / "index.md") and len(links(ROOT / "README.md")) > 10
    assert "where-samples-come-from" in anchors(DOCS / "tools.md")


def test_the_reference_holds_the_public_names() -> None:
    shown = re.findall(r"^::: (\S+)$", (DOCS / "reference.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(name.rsplit(".", 1)[1] for name in shown) == sorted(lt.__all__)
    for module, name in (full.rsplit(".", 1) for full in shown):
        assert getattr(import_module(module), name) is getattr(lt, name)


def test_the_readme_is_short() -> None:
    """Tables and code count too."""
    assert 700 <= len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 900


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "start.md"], ids=lambda page: page.name)
def test_how_long_a_loop_takes_is_told_before_its_command(page: Path) -> None:
    run = Run.open(ROOT / "sample_data" / "run", read_only=True)
    taken = took(run).removeprefix("stages: ").partition(",")[0]
    text = page.read_text(encoding="utf-8")
    assert -1 < text.find(taken) < text.index("```")


def test_the_tour_takes_as_long_as_the_pages_say() -> None:
    tour = (ROOT / "notebooks" / "00_tour.py").read_text(encoding="utf-8")
    minutes = re.search(r"a minute, reading (\w+)\.", tour)
    assert minutes
    for page in (ROOT / "README.md", DOCS / "views.md"):
        said = re.search(r"`00_tour`[^;]*? in (\w+) minutes", page.read_text(encoding="utf-8"))
        assert said and said[1] == minutes[1], page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lines_are_short(page: Path) -> None:
    """Outside of code, which is also output, and of tables, which have no line breaks."""
    prose = [line for line in text_of(page).splitlines() if not line.startswith(("|", "!["))]
    assert [line for line in prose if len(line) > 110] == []
