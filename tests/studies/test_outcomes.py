"""The results of a comparison: the table's numbers, the recorded arms, the page."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from looptool_kit.core.stats import clustered_difference, wilson
from looptool_kit.drawing import forest
from looptool_kit.studies.arms import ARMS, CONTROL, FULL, Arm
from looptool_kit.studies.outcomes import Outcome, Outcomes, comparisons, summarise
from looptool_kit.studies.page import page, text


def outcome(arm: str, seed: int, j: int, right: str, tokens: int = 0, grpo: int = 0) -> Outcome:
    """`right`: one letter a held-out sample, x where it was right."""
    ids = tuple(f"{seed}-{i}" for i in range(len(right)))
    splits = tuple("unseen_tools" if i % 2 else "unseen_values" for i in range(len(right)))
    correct = tuple(c == "x" for c in right)
    return Outcome(
        arm=arm,
        seed=seed,
        iteration=j,
        samples=10 * j,
        sft_tokens=tokens,
        grpo_tokens=grpo,
        ids=ids,
        splits=splits,
        correct=correct,
    )


TABLE = Outcomes(
    [
        outcome("full", 0, 1, "x.......", 1000),
        outcome("full", 0, 2, "xx.x....", 200, 30),
        outcome("full", 0, 3, "xxxxx...", 300, 40),
        outcome("full", 1, 1, "........", 1000),
        outcome("full", 1, 2, "xx......", 220, 30),
        outcome("full", 1, 3, "xxx.....", 320, 40),
        outcome("control", 0, 1, "x.......", 1000),
        outcome("control", 0, 2, "x.......", 201, 35),
        outcome("control", 0, 3, "xx...x..", 302, 45),
        outcome("control", 1, 1, "........", 1000),
        outcome("control", 1, 2, "xxx.....", 221, 35),
        outcome("control", 1, 3, "xxxx....", 323, 45),
        outcome("no-edde", 2, 1, "x.......", 1000),
        outcome("no-edde", 2, 2, "xx......", 100, 35),
        outcome("no-edde", 2, 3, "xx......", 150, 45),
    ]
)


def test_the_tables_numbers_are_right() -> None:
    rows = {(r.arm, r.iteration): r for r in summarise(TABLE)}
    full, control = rows["full", 3], rows["control", 3]
    assert (full.n, full.correct, full.accuracy, full.lo, full.hi) == (
        16,
        8,
        0.5,
        *wilson(8, 16),
    ) and full.difference is None
    assert (control.correct, control.seeds, control.samples) == (7, (0, 1), 30)
    assert (control.costs.sft_tokens, control.costs.grpo_tokens) == (
        (201 + 302 + 221 + 323) / 2,
        80,
    ), "those after the warm start, mean over the seeds"
    flags = [
        [[c == "x" for c in pair] for pair in pairs]
        for pairs in (("xxxxx...", "xx...x.."), ("xxx.....", "xxxx...."))
    ]
    assert control.difference == clustered_difference([(a, b) for a, b in flags])
    assert control.difference.by_seed == (-2 / 8, 1 / 8) and control.difference.difference == -1 / 16
    assert rows["control", 1].difference is None and rows["no-edde", 3].difference is None, (
        "there is no full loop of that seed to compare with"
    )
    odd = {(r.arm, r.iteration): r for r in summarise(TABLE, "unseen_tools")}["control", 3]
    assert (odd.n, odd.correct) == (8, 4)
    named = [(f"seed data alone, as many tokens, D{j}", rows["control", j].difference) for j in (2, 3)]
    assert comparisons(summarise(TABLE)) == named
    shown = text(TABLE)
    assert (
        f"| full loop | D2 | 31.2% [{100 * wilson(5, 16)[0]:.1f}, {100 * wilson(5, 16)[1]:.1f}] | - | 0 1 |"
        in shown
    )
    assert "| full loop | D3 | 50.0% [28.0, 72.0] | - | 0 1 |" in shown
    assert "-6.2 [" in shown and "(-25.0, +12.5) | 0 1 |" in shown
    assert "| full loop | D2 | 20 | 210 | 30 | 0 | - | 240 | - | - | - |" in shown
    assert "| full loop | D3 | 30 | 520 | 70 | 0 | - | 590 |" in shown
    assert "| seed data alone, as many tokens | D3 | 30 | 524 | 80 |" in shown
    assert "D1, which the arms of a seed share, has exact match 6.2%" in shown
    assert "graded reward |" not in shown, "older tables hold exact match alone"
    assert (
        "Not run to D3: without high-perplexity samples; without JGLV" in shown
        and "With 1 random seed the" in shown
    )


PAIR = {"a": Arm("first", {}), "b": Arm("second", {})}


def measured(arm: str, seed: int, graded: tuple[float, ...], nats: tuple[float, ...], **more: int) -> Outcome:
    """A policy D2 with four held-out samples, of which the first two have labels with calls."""
    plain = outcome(arm, seed, 2, "".join("x" if g == 1 else "." for g in graded), 100, 50)
    likely = {"graded": graded, "label_ids": plain.ids[:2], "label_logprobs": nats}
    return plain.model_copy(update=likely | {"cpu_seconds": 10.0} | more)


def test_graded_rewards_and_log_probabilities_by_hand() -> None:
    more = {"other_tokens": 40, "generated_tokens": 10, "budget": 250, "probe_tokens": 7, "model_tokens": 3}
    table = [
        measured("a", 0, (1, -0.5, -2, 1), (-1.0, -2.0)),
        measured("a", 1, (1, 1, -2, -1.5), (-1.0, -1.0)),
        measured("b", 0, (1, -0.25, -1.5, 1), (-0.5, -1.5), **more),
        measured("b", 1, (1, 1, -2, -0.5), (-0.5, -0.9), **more),
    ]
    row = {r.arm: r for r in summarise(table, arms=PAIR)}["b"]
    graded, nats, match = (row.effects[m] for m in ("graded", "logprob", "match"))
    assert graded.mean == pytest.approx((0.25 + -0.5) / 8), "1 - .25 - 1.5 + 1 and 1 + 1 - 2 - .5"
    assert graded.difference is not None and nats.difference is not None and match.difference is not None
    assert graded.difference.by_seed == pytest.approx((0.75 / 4, 1 / 4))
    assert graded.difference.difference == pytest.approx(0.21875) and graded.difference.n == 8
    assert nats.difference.by_seed == pytest.approx((0.5, 0.3)) and nats.n == 4
    assert nats.difference.lo > 0 and nats.needed is None, "told apart: nothing is needed"
    assert match.difference.difference == 0 and match.needed is not None and match.needed.samples is None
    assert row.costs.tokens == 200 and row.costs.budget == 250 and row.costs.cpu_seconds == 10
    odd = {r.arm: r for r in summarise(table, "unseen_tools", PAIR)}["b"]  # every second sample
    assert odd.effects["graded"].difference is not None
    assert odd.effects["graded"].difference.by_seed == pytest.approx((0.125, 0.5))
    shown = text(table, PAIR)
    assert "| second | D2 | 20 | 100 | 50 | 40 | 10 | 200 | 80.0% | 7 | 3 | 10.0 s |" in shown
    assert "| first | D2 | 20 | 100 | 50 | 0 | - | 150 | - |" in shown
    assert "| second | D2 | exact match | +0.0 points | no difference seen |" in shown


def test_the_recorded_arms_are_comparable() -> None:
    recorded = Outcomes.read(Path(__file__).parents[2] / "sample_data" / "ablation" / "ablation.parquet")
    by = {(o.arm, o.seed, o.iteration): o for o in recorded}
    assert {(arm, seed) for arm, seed, _ in by} >= {
        (arm, seed) for arm in (FULL, CONTROL) for seed in (0, 1, 2)
    }
    for (arm, seed, j), o in by.items():
        full = by[FULL, seed, j]
        assert o.ids == full.ids and len(o.ids) == 90
        if j == 1:
            assert o.model_dump(exclude={"arm"}) == full.model_dump(exclude={"arm"}), "one warm start"
        elif arm == CONTROL:
            assert 0 <= o.sft_tokens - full.sft_tokens < 1000, "as many tokens, to within the last sample"


def test_the_page_is_complete_in_itself() -> None:
    html = page(TABLE, ARMS, "ablation")
    assert "seed data alone, as many tokens" in html and "Does the loop help?" in html
    assert html.count("<svg") == 1 and html.count('class="lt-ring"') == 4, "two policies of two seeds"
    assert "<script" not in html and "<link" not in html and "@import" not in html and "src=" not in html
    alone = page(Outcomes(o for o in TABLE if o.arm == FULL), ARMS)
    assert "<svg" not in alone and "full loop" in alone
    assert "Not run to D1" in page(Outcomes(), ARMS), "nothing has finished yet"


def test_a_forest_plot_can_be_read_and_holds_no_markup_of_names() -> None:
    d = clustered_difference([([True, False, False, True], [True, True, True, True])] * 2)
    drawn = forest([("<i>a</i>\x1b[0m", d)], "all & one", lambda v: f"{v:+.2f}")
    root = fromstring(drawn)
    assert root.get("aria-label") == "all & one" and "<i>" not in drawn and "\x1b" not in drawn
    texts = [node.text for node in root.iter() if node.tag.endswith("}text")]
    assert "+0.00" in texts and "-0.50" in texts and "+0.50" in texts
    about = [node.text for node in root.iter() if node.tag.endswith("}title")]
    assert f"95%: {d.lo:+.2f} to {d.hi:+.2f}" in str(about[1]) and about[2:] == ["one seed: +0.50"] * 2
