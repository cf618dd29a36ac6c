"""The report: whole, self-contained, and safe whatever a model wrote."""

from __future__ import annotations

import html.parser
import re
from pathlib import Path

import pytest
from made_up_report import made_up_report

from looptool_kit.core.grading import Fault, grade
from looptool_kit.core.records import HELD_OUT_SPLITS, STATES, VERDICTS, Probe, Probes
from looptool_kit.core.samples import Label, ToolCall
from looptool_kit.core.toolcalls import Answer
from looptool_kit.report import figures
from looptool_kit.report.data import IterationData, ReportData
from looptool_kit.report.html import render, write_report
from looptool_kit.report.summary import report_data
from looptool_kit.run.folder import Run
from looptool_kit.world.tasks import KINDS

SAMPLE_RUN = Path(__file__).parents[2] / "sample_data" / "run"

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
    def drawings(self) -> list[str]:
        """The names of the drawings."""
        return [a["aria-label"] or "" for tag, a in self.elements if tag == "svg"]


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


def test_every_drawing_stands_in_the_page_and_nothing_runs(page):
    assert len(page.drawings) >= 8 and "paired differences" in page.drawings
    assert page.scripts == [] and not any(name.startswith("on") for _, a in page.elements for name in a)


def test_the_result_is_read_first_then_the_flow(page):
    text = page.text
    places = [text.index(words) for words in ("Exact match on 60", "Where the samples went", "Scoreboard: ")]
    assert places == sorted(places)
    assert text.index("Exact match on 60") < text.index("By the development samples")


def test_decisions_command_versions_and_tools_are_told(page):
    told = (
        "What people decided",
        "the date is wrong",
        "ada 2",
        "Set an alarm.",
        "looptool loop",
        "torch 2.13.0",
    )
    assert [words for words in told if words not in page.text] == []


def test_what_was_enough_is_not_called_other():
    recorded = Path(__file__).parents[2] / "sample_data" / "run"
    page = Reader(render(report_data(Run.open(recorded, read_only=True))))
    assert "passed, but enough already" in page.text


def test_a_run_that_was_opened_in_its_own_folder_has_a_title(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    Run.create(tmp_path / "mine").close()
    monkeypatch.chdir(tmp_path / "mine")
    assert report_data(Run.open(".", read_only=True)).name == "mine"


def test_each_of_the_worst_samples_has_an_address(page):
    places = [a["id"] for tag, a in page.elements if tag == "article"]
    links = [a["href"] for tag, a in page.elements if tag == "a"]
    assert len(places) == 10 and all(f"#{place}" in links for place in places)


def test_the_page_is_small_enough_to_send(tmp_path):
    run = Run.open(SAMPLE_RUN, read_only=True)
    text = render(report_data(run))
    assert len(text.encode()) < 400_000 and "flow of samples through the loop, D1 to D3" in text
    assert len(render(made_up_report(EVIL, samples=600)).encode()) < 400_000


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
    assert evil_page.scripts == []
    assert "<script>alert('pwned-1')</script><img src=x onerror=alert(2)>" in evil_page.text


def test_control_characters_become_visible(evil_page):
    everything = evil_page.text + "".join(evil_page.drawings)
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202e\ud800-\udfff]", everything)
    assert "␛[31mred" in evil_page.text and "⟨U+202E⟩" in evil_page.text and "⟨U+D800⟩" in evil_page.text


def test_figures_in_tables_are_the_data(page):
    data = made_up_report()
    first = [s for s in data.scores if s.policy == "iteration 2"]
    share = sum(s.correct for s in first) / len(first)
    assert f"{100 * share:.1f} %" in page.text
    failed = sum(p.state == "failed" for p in data.iterations[1].probes)
    drawn = figures.perplexity_figure(data.iterations[1].probes, data.iterations[1].threshold)
    counted = [int(n.replace(",", "")) for n in re.findall(r"([\d,]+) failed", drawn)]
    assert sum(counted) == failed
    counts = figures.error_counts(data.iterations[1].probes)
    heat = re.findall(r'data-value="(\d+)"', figures.errors_figure(counts))
    assert sum(map(int, heat)) == sum(counts.values())
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
    assert not Reader(render(half)).drawings


def test_odd_numbers_do_not_break_the_page():
    probe = made_up_report(samples=30).iterations[0].probes[0]
    odd = [probe.model_copy(update={"perplexity": v}) for v in (1.0, float("inf"), float("nan"), 1e300)]
    drawn = figures.perplexity_figure(odd, 1.0)
    assert sum(int(n) for n in re.findall(r"(\d+) (?:failed|borderline|mastered)", drawn)) == 2
    rows = [{"loss": value} for value in (float("nan"), *[1.0] * figures.MIN_POINTS)]
    assert [title for title, _ in figures.history_figures([rows, []])] == ["Loss (SFT)"]
    assert figures.history_figures([rows[:3], []]) == [], "a line between two points says nothing"
    histories = [rows, []]
    data = ReportData(
        "odd", iterations=[IterationData(probes=Probes(odd), threshold=1.0, history=h) for h in histories]
    )
    assert "nan" not in "".join(Reader(render(data)).drawings)


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


def test_where_a_question_was_due_the_error_is_not_that_nothing_was_declined():
    """In the recorded run five of iteration 2 call where the label asks for what is missing."""
    page = Reader(render(report_data(Run.open(SAMPLE_RUN, read_only=True))))
    assert "should have asked" in page.text and "should have declined" not in page.text
    asked, declined = Label(reply="Which city?", asks=True), Label(reply="I cannot do that.")
    call = Answer(calls=(ToolCall(name="get_weather"),))
    for label, words in ((asked, "should have asked"), (declined, "should have declined")):
        (fault,) = grade(call, label).faults
        assert fault.kind == "should_have_declined"
        assert fault.told(label.asks) == f"{words} at get_weather"


def test_who_gets_the_page_finds_its_words_explained():
    """Kinds, parts of the scores, verdicts, states and parts of datasets: each linked to its meaning."""
    page = Reader(render(report_data(Run.open(SAMPLE_RUN, read_only=True))))
    links = {a["href"] for tag, a in page.elements if tag == "a" and a.get("class") == "term"}
    for name in (
        "base",
        "exact match",
        *KINDS,
        *HELD_OUT_SPLITS,
        *VERDICTS,
        "unjudged",
        *STATES,
        "HPPL",
        "GRPO",
    ):
        assert f"#word-{name.replace(' ', '_')}" in links, name
    assert page.text.count("PRED_WRONG") > 2 and "PRED WRONG" not in page.text
    for said, other in (("other tools", "unseen tools"), ("seed", "fresh seed"), ("seed", "seed-new")):
        assert said in page.text and other not in page.text + "".join(page.drawings), other


def test_what_grpo_earned_is_told_and_groups_only_where_there_are_some(page):
    recorded = Reader(render(report_data(Run.open(SAMPLE_RUN, read_only=True))))
    training = recorded.text.partition("Training\n")[2]
    assert re.search(r"mean reward\s*groups without variance\s*2\s*2\s*0\.72\s*50\.0 %", training), training[
        :900
    ]
    assert "without variance" in page.text
    alone = [{"loss": 1.0, "trainer": "sft"}] * figures.MIN_POINTS
    data = ReportData("sft", iterations=[IterationData(history=alone)])
    assert "Loss (SFT)" in (text := render(data)) and "without variance" not in text


def test_the_failures_are_not_called_wrong_where_the_judge_says_the_label_is(page):
    assert "Ten worst" not in page.text and "Where the verdict is LABEL_WRONG" in page.text


def test_the_paired_interval_and_p_are_named_as_they_are(page):
    assert "Bonett and Price" in page.text and "mid-p" in page.text
    assert "bootstrap over the samples" not in page.text and "exact test" not in page.text


def test_the_loop_is_compared_with_its_control(page):
    names = {" ".join(t.split()) for t in page.text.split("\n")}
    assert any("iteration 2 against control" in n for n in names) and not any(
        "control against" in n for n in names
    )
