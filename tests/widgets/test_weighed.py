"""What a judge weighed: a person sees how the evidence led to the probabilities, or words why it did not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("anywidget")

from looptool_kit.core.records import Evidence, Verdict, Verdicts  # noqa: E402
from looptool_kit.run.folder import Run  # noqa: E402
from looptool_kit.stages.verify._odds import probabilities  # noqa: E402
from looptool_kit.stages.verify._weights import PRIOR  # noqa: E402
from looptool_kit.widgets import DisagreementView  # noqa: E402
from looptool_kit.widgets.weighed import START, weighed  # noqa: E402

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"


def judged(judge: str, right: tuple[float, float], *pieces: tuple[str, float, float]) -> dict[str, Any]:
    evidence = tuple(Evidence(name=n, for_label=a, for_prediction=b) for n, a, b in pieces)
    return weighed(
        Verdict(
            sample_id="s",
            iteration=1,
            status="unjudged",
            evidence=evidence,
            for_label=right[0],
            for_prediction=right[1],
            judge=judge,
        )
    )


def side(lean: float) -> str:
    return "" if round(abs(lean), 6) < 0.1 else "prediction" if lean > 0 else "label"


def test_every_recorded_probability_leans_as_its_evidence_or_says_why_not(tmp_path: Path) -> None:
    run = Run.open(shutil.copytree(RECORDED, tmp_path / "run"))
    reasons = set()
    for iteration in (1, 2):
        rows = run.table(Verdicts, "verdicts", iteration)
        view = DisagreementView(run, iteration=iteration)
        for at in range(len(rows)):
            shown = view.on_detail(at)["detail"]["verdict"]
            counted = [piece for piece in shown["evidence"] if not piece[4].startswith("not counted")]
            told = side(sum(prediction - label for _, label, prediction, *_ in counted))
            agree = told == side(shown["right"][1] - shown["right"][0])
            assert agree == (not shown["why"])
            reasons.add(shown["why"])
    assert len(reasons) >= 3


def test_the_start_is_what_the_judge_says_of_no_evidence() -> None:
    odds = probabilities({}, {}, PRIOR)
    assert START[0] == pytest.approx(odds["PRED_WRONG"] + odds["BOTH_CORRECT"])
    assert START[1] == pytest.approx(odds["LABEL_WRONG"] + odds["BOTH_CORRECT"])


@pytest.mark.parametrize(
    ("support", "says"),
    [
        ((1.0, 0.0), "speaks for the label"),
        ((0.1, 0.5), "speaks for the prediction"),
        ((0.6, 0.5), "speaks for the label, a little"),
        ((0.3, 0.7), "speaks for the prediction"),
        ((0.5, 0.55), "tells the two not apart"),
    ],
)
def test_each_piece_says_how_it_counts(support: tuple[float, float], says: str) -> None:
    assert judged("evidence", (0.9, 0.1), ("grounding", *support))["evidence"][0][4] == says


def test_a_weightless_piece_says_so_and_only_where_it_has_no_weight() -> None:
    piece = ("likelihood", 0.3, 0.7)
    assert judged("evidence", (0.9, 0.1), piece)["evidence"][0][4].startswith("not counted")
    assert judged("mine", (0.1, 0.9), piece)["evidence"][0][4] == "speaks for the prediction"


@pytest.mark.parametrize(
    ("judge", "right", "words"),
    [
        ("evidence", (0.8, 0.1), "too little to turn around where the judge starts"),
        ("evidence", (0.5, 0.5), "about as likely"),
        ("combined", (0.8, 0.1), "what the model says weighs more"),
        ("mine", (0.8, 0.1), "gives the probabilities itself"),
    ],
)
def test_each_kind_of_judge_has_its_words(judge: str, right: tuple[float, float], words: str) -> None:
    shown = judged(judge, right, ("answer", 0.4, 0.6))
    assert words in shown["why"] and (shown["start"] is None) == (judge == "mine")


def test_probabilities_without_evidence_need_no_words() -> None:
    assert judged("mine", (0.8, 0.1))["why"] == ""
