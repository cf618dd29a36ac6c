"""The pages that scripts write have short lines and the same words."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import _pages

    yield _pages
    sys.modules.pop("_pages", None)


def test_paragraphs_and_items_are_wrapped(pages) -> None:
    words = "word " * 30
    page = f"# {words}\n\n{words}\n- {words}\n- short\n\n```\n{words}\n```\n| {words} |\n"
    lines = pages.wrapped(page).split("\n")
    assert lines[0] == f"# {words}" and lines[-5:-1] == ["```", words, "```", f"| {words} |"]
    assert lines[2:4] == [("word " * 22).strip(), ("word " * 8).strip()]
    assert lines[4:7] == ["- " + ("word " * 21).strip(), "  " + ("word " * 9).strip(), "- short"]


def test_no_line_begins_a_list_by_chance(pages) -> None:
    page = "a" * 108 + " - base and " + "b" * 60 + "\n"
    assert pages.wrapped(page).split("\n") == ["a" * 108 + " -", "base and " + "b" * 60, ""]


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_a_written_page_stays_as_it_is(pages, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert pages.wrapped(text) == text
