"""The report: whole, self-contained, and safe whatever a model wrote."""

from __future__ import annotations

import html.parser
import json
import re

import pytest
from made_up_report import made_up_report

from looptool_kit.core.grading import Fault
from looptool_kit.core.records import Probe, Probes
from looptool_kit.core.toolcalls import Answer
from looptool_kit.report import figures
from looptool_kit.report.data import IterationData, ReportData
from looptool_kit.report.html import render, write_report

EVIL = (
    "<script>alert('pwned-1')</script><img src=x onerror=alert(2)>\x1b[31mred\x1b[0m \u202egnp.exe \ud800"
    " </pre>&amp;<!--"
)


class Reader(html.parser.HTMLParser):
    """What a browser would see: elements, attributes, and text outside scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.open.append(tag)
            if tag == "script":
                self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open:
            self.text += data
        elif self.open[-1] == "script":
            self.scripts[-1] += data

    @property
    def charts(self) -> dict[str, dict]:
        return json.loads(self.scripts[1])


@pytest.fixture(scope="module")
def page() -> Reader:
    return Reader(render(made_up_report()))


@pytest.fixture(scope="module")
def evil_page() -> Reader:
    return Reader(render(made_up_report(EVIL, samples=60)))


def test_all_sections_stand_in_the_page(page):
    ids = {a["id"] for _, a in page.elements if a.get("id")}
    assert {
        "scoreboard",
        "composition",
        "perplexity",
        "error-kinds",
        "verdicts",
        "expansion",
        "training",
        "worst",
        "timings",
    } <= ids
    links = {a["href"] for tag, a in page.elements if tag == "a"}
    assert links and all(link.removeprefix("#") in ids for link in links)
    assert sum(tag == "article" for tag, _ in page.elements) == 10


def test_every_chart_is_a_figure_that_plotly_accepts_and_has_its_place(page):
    import plotly.graph_objects as go

    places = {a["id"] for tag, a in page.elements if a.get("class") == "chart"}
    assert set(page.charts) == places and len(places) >= 8
    for chart in page.charts.values():
        assert len(go.Figure(chart).data) == len(chart["data"]) > 0


def test_no_element_asks_a_host_for_anything(page):
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "img", "object", "embed", "base", "form"), tag
        assert not {"src", "srcset", "action", "data", "poster"} & set(attributes), (tag, attributes)
    policy = next(
        a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy and "http" not in policy


def test_what_a_model_wrote_stays_text(page, evil_page):
    assert {tag for tag, _ in evil_page.elements} == {tag for tag, _ in page.elements}
    assert not any(name.startswith("on") for _, attributes in evil_page.elements for name in attributes)
    assert len(evil_page.scripts) == len(page.scripts) == 3
    assert "<script>alert('pwned-1')</script><img src=x onerror=alert(2)>" in evil_page.text
    assert "pwned" not in evil_page.scripts[0] + evil_page.scripts[2]


def test_control_characters_become_visible(evil_page):
    everything = evil_page.text + evil_page.scripts[1]
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202e\ud800-\udfff]", everything)
    assert "␛[31mred" in evil_page.text and "⟨U+202E⟩" in evil_page.text and "⟨U+D800⟩" in evil_page.text


def test_plotly_texts_carry_no_markup_of_a_model(evil_page):
    def strings(value):
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            for inner in value.values() if isinstance(value, dict) else value:
                yield from strings(inner)

    ours = {"<br>", "<extra></extra>"}
    for text in strings(evil_page.charts):
        assert set(re.findall("<[^>]*>?", text)) <= ours | {"<extra>", "</extra>"}, text


def test_figures_in_tables_are_the_data(page):
    data = made_up_report()
    first = [s for s in data.scores if s.policy == "iteration 2"]
    share = sum(s.correct for s in first) / len(first)
    assert f"{100 * share:.1f} %" in page.text
    failed = sum(p.state == "failed" for p in data.iterations[1].probes)
    states = page.charts["perplexity-2"]["data"]
    assert [sum(t["y"]) for t in states if t["name"] == "failed"] == [failed]
    assert sum(sum(t["y"]) for t in states) == len(data.iterations[1].probes)
    heat = page.charts["errors"]["data"][0]["z"]
    assert sum(n or 0 for row in heat for n in row) == sum(
        figures.error_counts(data.iterations[1].probes).values()
    )
    assert "21 of 22" in page.text and "21 of 30" in page.text and "31 of 181" in page.text


def test_the_worst_samples_are_failures_the_policy_was_sure_of(page):
    data = made_up_report()
    failed = sorted((p for p in data.iterations[1].probes if p.state == "failed"), key=lambda p: p.perplexity)
    assert failed[0].sample_id in page.text
    mastered = [p.sample_id for p in data.iterations[1].probes if p.correct]
    assert not any(i in page.text for i in mastered)


def test_a_run_that_has_just_begun_has_a_report_too(tmp_path):
    empty = write_report(ReportData("new"), tmp_path / "report.html")
    assert "No policy has been evaluated yet" in Reader(empty.read_text(encoding="utf-8")).text
    half = ReportData(
        "half", iterations=[IterationData(samples=made_up_report(samples=5).iterations[0].samples)]
    )
    assert not Reader(render(half)).charts


def test_odd_numbers_do_not_break_the_page():
    probe = made_up_report(samples=30).iterations[0].probes[0]
    odd = [probe.model_copy(update={"perplexity": v}) for v in (1.0, float("inf"), float("nan"), 1e300)]
    histories = [[{"loss": float("nan"), "step": 1}, {"loss": 1.0, "step": 2}], []]
    data = ReportData(
        "odd", iterations=[IterationData(probes=Probes(odd), threshold=1.0, history=h) for h in histories]
    )
    charts = Reader(render(data)).charts
    assert sum(sum(t["y"]) for t in charts["perplexity-1"]["data"]) == 2
    assert [t["y"] for t in charts["history-0"]["data"]] == [[1.0]]


def test_a_tool_fault_without_tool_is_counted():
    answer = Answer(error="unparsable", detail="x")
    fault = Fault(kind="unparsable")
    facts = {
        "text": "x",
        "finish_reason": "stop",
        "perplexity": 1.5,
        "match": False,
        "correct": False,
        "state": "failed",
    }
    probe = Probe(sample_id="a", iteration=1, answer=answer, faults=(fault, fault), **facts)
    assert figures.error_counts([probe]) == {("(no tool)", "unparsable"): 1}


def test_the_loop_is_compared_with_its_control(page):
    names = {" ".join(t.split()) for t in page.text.split("\n")}
    assert any("iteration 2 against control" in n for n in names) and not any(
        "control against" in n for n in names
    )
