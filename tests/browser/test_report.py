"""The report in a browser: on a wide and a narrow screen, in the dark, and printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_up_report import made_up_report

from looptool_kit.report.html import write_report

LONG = "مرحبا 東京の天気 " + "x" * 200


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(
        made_up_report(LONG, samples=60), tmp_path_factory.mktemp("report") / "r.html"
    ).as_uri()


OVERLAP = """() => [...document.querySelectorAll('.drawing')].filter((box) => {
    const next = box.nextElementSibling, mine = box.getBoundingClientRect();
    return mine.height < 40 || (next && next.getBoundingClientRect().top < mine.bottom - 1)
}).length"""
"""Drawings that are flat or lie over what follows."""


@pytest.mark.parametrize("width", [1400, 1000, 420])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_and_no_drawing_lies_over_a_table(
    page: Any, address: str, width: int, scheme: str
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".drawing").count() >= 8 and page.evaluate(OVERLAP) == 0
    page.set_viewport_size({"width": 420, "height": 900})  # a window that is made narrow later
    assert page.evaluate(OVERLAP) == 0
    assert page.faults == [] and page.outside == []


def test_links_lead_to_their_sections_by_keyboard(page: Any, address: str) -> None:
    page.goto(address)
    link = page.locator("nav a", has_text="Decisions")
    link.focus()
    page.keyboard.press("Enter")
    assert page.url.endswith("#decided")
    assert page.locator("#decided").bounding_box()["y"] < 900


def test_it_prints_on_white_without_what_only_a_screen_needs(page: Any, address: str, tmp_path: Path) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(address)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    page.pdf(path=tmp_path / "r.pdf")
    assert (tmp_path / "r.pdf").stat().st_size > 10_000
