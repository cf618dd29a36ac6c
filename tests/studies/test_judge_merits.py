"""What trials say of trusting a judge, on trials whose figures are plain."""

from __future__ import annotations

import pytest

from looptool_kit.core.records import VerdictName
from looptool_kit.core.samples import Label
from looptool_kit.core.toolcalls import Answer
from looptool_kit.studies.judge_check import Trial
from looptool_kit.studies.judge_merits import discarded, reliability, worth_from


def told(expected: VerdictName, verdict: str, p: float | None = None) -> Trial:
    return Trial(
        sample_id="a", kind="wrong_value", expected=expected, label=Label(), prediction=Answer(),
        verdicts=(verdict,), for_label=p, for_prediction=None if p is None else 1 - p,
    )  # fmt: skip


def test_worth_from_is_where_as_many_labels_are_fixed_as_spoiled() -> None:
    rows = [told("LABEL_WRONG", "LABEL_WRONG")] * 60 + [told("LABEL_WRONG", "unjudged")] * 40
    rows += [told("PRED_WRONG", "LABEL_WRONG")] * 3 + [told("PRED_WRONG", "PRED_WRONG")] * 97
    least, worst = worth_from(rows)
    assert least * 0.6 == pytest.approx((1 - least) * 0.03) and least < worst < 0.2
    assert worth_from([told("LABEL_WRONG", "unjudged")]) == (1.0, 1.0)
    none_false = worth_from(rows[:100] + rows[103:])
    assert none_false[0] == 0.0 and 0.0 < none_false[1] < 0.1


def test_a_right_label_is_lost_where_it_is_replaced_or_thrown_away() -> None:
    rows = [
        told("PRED_WRONG", "BOTH_WRONG"),
        told("PRED_WRONG", "LABEL_WRONG"),
        told("BOTH_CORRECT", "LABEL_WRONG"),  # the other right answer stands in its place
        told("PRED_WRONG", "unjudged"),
        told("LABEL_WRONG", "BOTH_WRONG"),
    ]
    assert (discarded(rows).k, discarded(rows).n) == (2, 4)


def test_reliability_counts_a_trial_as_often_as_it_occurs_in_a_run() -> None:
    rows = [told("PRED_WRONG", "PRED_WRONG", 0.9)] * 10 + [told("LABEL_WRONG", "unjudged", 0.9)] * 90
    [_, high] = [r for r in reliability(rows) if r.answers]
    assert high.said == pytest.approx(0.9) and 0.85 < high.right < 0.95
    assert reliability([told("PRED_WRONG", "PRED_WRONG")]) == []
