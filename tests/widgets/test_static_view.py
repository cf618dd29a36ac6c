"""What stands in a notebook without kernel: JupyterLab takes inline SVG out of an untrusted one, so that
pictures have to be images.
"""

from __future__ import annotations

import html
import re
from base64 import b64decode
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from looptool_kit import world
from looptool_kit.run.folder import Run
from looptool_kit.studies.judge_check import ask, trials

pytest.importorskip("anywidget")
from looptool_kit.drawing import heatmap, intervals, lines, picture, sankey  # noqa: E402
from looptool_kit.widgets import (
    CompareView,
    DisagreementView,
    ExpansionView,
    JudgeCheckView,
    LoopMap,
    ProbeView,
    TrainingView,
    TryView,
    settings_form,
)

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"
EVIL = '<script>alert(1)</script>"><img src=x onerror="alert(1)">&amp;\x1b[31m\u202e\uffff'
SHAPES = {"svg", "g", "path", "rect", "circle", "line", "text"}


class Images(HTMLParser):
    """The images of some HTML, and the names of all its elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "img":
            self.found.append(dict(attrs))


def drawn(image: dict[str, str | None]) -> ElementTree.Element:
    """The drawing in an image, which is well-formed and holds nothing but shapes and text, in colours of its
    own.
    """
    head, _, data = (image["src"] or "").partition(",")
    assert head == "data:image/svg+xml;base64" and image["alt"]
    root = ElementTree.fromstring(b64decode(data, validate=True))
    assert {n.tag.removeprefix("{http://www.w3.org/2000/svg}") for n in root.iter()} <= SHAPES
    values = [(k, v) for n in root.iter() for k, v in n.attrib.items()]
    assert not [k for k, _ in values if k.startswith(("on", "data-")) or "href" in k] and not [
        v for _, v in values if "var(" in v or "url(" in v
    ]
    assert root[0].tag.endswith("rect") and root[0].get("style") == "fill:#fff", (
        "a ground of its own, for dark themes"
    )
    return root


def judged(run: Run, folder: Path) -> JudgeCheckView:
    samples = list(world.generate(6, seed=5))
    answered, _ = ask(samples, trials(samples), run.settings, folder)
    return JudgeCheckView(answered, samples)


VIEWS: dict[str, tuple[int, Callable[[Run, Path], Any]]] = {
    "LoopMap": (2, lambda run, _: LoopMap(run)),
    "ProbeView": (1, lambda run, _: ProbeView(run)),
    "TrainingView": (1, lambda run, _: TrainingView(run)),
    "JudgeCheckView": (1, judged),
    "DisagreementView": (0, lambda run, _: DisagreementView(run)),
    "ExpansionView": (0, lambda run, _: ExpansionView(run)),
    "CompareView": (0, lambda run, _: CompareView(run)),
    "TryView": (0, lambda run, _: TryView(run)),
    "settings_form": (0, lambda run, _: settings_form(run, "probe")),
}


@pytest.mark.parametrize("name", VIEWS)
def test_pictures_of_the_recorded_run_are_images(name: str, tmp_path: Path) -> None:
    least, make = VIEWS[name]
    view = make(Run.open(RECORDED, read_only=True), tmp_path)
    bundle = view._repr_mimebundle_()
    text = (bundle[0] if isinstance(bundle, tuple) else bundle)["text/html"]
    view.close()
    page = Images(text)
    assert "<svg" not in text and page.tags <= {
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "div",
        "img",
    }
    assert len(page.found) >= least and (least or not page.found) and len(text.encode()) < 60_000
    for image in page.found:
        root = drawn(image)
        assert "".join(root.itertext()).strip() and len(root) > 2


def test_every_view_that_is_shown_is_looked_at_here() -> None:
    from looptool_kit import widgets

    assert {n for n in vars(widgets) if n.endswith(("View", "Map", "_form"))} == set(VIEWS)


def test_text_in_a_picture_stays_text() -> None:
    for chart in (
        lines({EVIL: [(1, 0.5), (2, 0.7)], "b": []}, EVIL, EVIL),
        heatmap([EVIL], [EVIL], [[-2]], EVIL, diverging=True),
        intervals([(EVIL, [(0.1, 0.2, 0.3)])], [EVIL], EVIL),
        sankey([], [], EVIL),
    ):
        [image] = (page := Images(picture(chart))).found
        assert page.tags == {"div", "img"} and set(image) == {"alt", "width", "style", "src"}
        assert "<script>" in (image["alt"] or "") and html.escape(EVIL[:8]) in picture(chart)
        words = "".join(drawn(image).itertext())
        assert not re.search("[\x1b\u202e\uffff]", words + (image["alt"] or "")) and (
            "<script>" in words or "lt-sankey" in chart
        )


def test_a_picture_keeps_its_drawing_and_the_page_its_own() -> None:
    chart = lines({"a": [(step, 0.5 + step / 10) for step in range(5)]}, "loss")
    root = drawn(Images(picture(chart)).found[0])
    assert [float(n) for n in root.get("viewBox", "").split()] == [-6, -6, 432, 212]
    paths = [n.get("d") for n in ElementTree.fromstring(chart).iter() if n.get("d")]
    assert paths == [n.get("d") for n in root.iter() if n.get("d")]
    assert "var(--lt-fg, currentColor)" in chart and "<title>" in chart and "data-series" in chart


def test_the_still_of_the_probes_tells_its_colours_and_the_threshold() -> None:
    view = ProbeView(Run.open(RECORDED, read_only=True))
    [data] = re.findall(r"data:image/svg\+xml;base64,([^\"]+)", view.static_html())
    drawn = b64decode(data).decode()
    for state, count in view.states.items():
        assert f"{count:,} {state}" in drawn
    assert f"threshold {view.threshold:.4f}" in drawn and "threshold" not in view.on_chart(900)["svg"]
