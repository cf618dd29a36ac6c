"""The results of an ablation: the table's numbers, the recorded arms, the page."""

from __future__ import annotations

from pathlib import Path

from looptool_kit.core.stats import clustered_difference, wilson
from looptool_kit.studies.arms import (
    CONTROL,
    FULL,
    Outcome,
    Outcomes,
    comparisons,
    page,
    summarise,
    text,
)


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
    assert (control.sft_tokens, control.grpo_tokens) == (
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
        f"| full loop | D2 | 31.2% [{100 * wilson(5, 16)[0]:.1f}, {100 * wilson(5, 16)[1]:.1f}] | - | 20 |"
        " 210 + 30 | 0 1 |" in shown
    )
    assert "| full loop | D3 | 50.0% [28.0, 72.0] | - | 30 | 520 + 70 | 0 1 |" in shown
    assert "-6.2 [" in shown and "(-25.0, +12.5) | 30 | 524 + 80 | 0 1 |" in shown
    assert "D1, which the arms of a seed share, has 6.2%" in shown
    assert (
        "Not run to D3: without high-perplexity samples; without JGLV" in shown
        and "With 1 random seed the" in shown
    )


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
    html = page(TABLE)
    assert (
        "seed data alone, as many tokens" in html
        and 'id="forest"' in html
        and '"symbol": "circle-open"' in html
    )
    assert "<script src" not in html and "<link" not in html and "@import" not in html.split("<script>")[0]
    alone = page(Outcomes(o for o in TABLE if o.arm == FULL))
    assert 'id="forest"' not in alone and "full loop" in alone
