"""The arms of an ablation, and their results as table and forest plot.

Scores come with intervals, differences are paired. `ablate.py` runs the arms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from looptool_kit.core.samples import Frozen
from looptool_kit.core.stats import Clustered, clustered_difference, wilson
from looptool_kit.core.tables import Table
from looptool_kit.report.figures import forest_figure
from looptool_kit.report.page import render_template

FULL, CONTROL = "full", "control"


class Arm(NamedTuple):
    """What differs from the full loop."""

    words: str
    changes: dict[str, Any]
    """Settings, named as for `config.load_preset`."""


ARMS: dict[str, Arm] = {
    FULL: Arm("full loop", {}),
    "no-hppl": Arm("without high-perplexity samples", {"compose__hppl": 0}),
    "no-jglv": Arm("without JGLV: labels taken as they are", {"verify__judge": "labels"}),
    "no-edde": Arm("without EDDE: errors not expanded", {"expand__children": 0}),
    "repeat": Arm("error seeds repeated, not expanded", {"expand__expanders": ("repeat",)}),
    CONTROL: Arm("seed data alone, as many tokens", {}),
}
"""LoopTool's ablations, and its seed-only training; `control` differs by its datasets (see
`ablate.seed_only`).
"""


class Outcome(Frozen):
    """One policy of one arm on the held-out samples."""

    arm: str
    seed: int
    """Random seed; arms of one seed share the policy D1 and the held-out samples."""
    iteration: int
    samples: int
    """Rows of the dataset that it was trained on last."""
    sft_tokens: int
    """Tokens of prompts and labels that SFT trained on in this iteration, each pass counted."""
    grpo_tokens: int
    """Tokens of prompts and completions that GRPO trained on in this iteration: it has as many steps in every
    arm, but answers differ in length.
    """
    ids: tuple[str, ...]
    """The held-out samples."""
    splits: tuple[str, ...]
    correct: tuple[bool, ...]
    """Exact match of each of `ids`."""


class Outcomes(Table[Outcome]):
    """A table of arms' policies."""

    row_type = Outcome


class ArmRow(NamedTuple):
    """An arm's policy after one iteration, all its random seeds pooled."""

    arm: str
    iteration: int
    seeds: tuple[int, ...]
    n: int
    correct: int
    accuracy: float
    lo: float
    hi: float
    """Wilson's 95% interval."""
    difference: Clustered | None
    """To the full loop after the same iteration, on the same held-out samples, over the seeds that both have.
    None for the full loop itself, for D1, and where no seed has both.
    """
    sft_tokens: float
    """Since D1, mean over the seeds."""
    grpo_tokens: float
    """Since D1, mean over the seeds."""
    samples: float
    """Rows of the dataset, mean over the seeds."""


def summarise(table: Iterable[Outcome], split: str = "") -> list[ArmRow]:
    """One row for each arm and iteration, arms in the order of `ARMS`.

    With `split`, of that split's held-out samples alone.
    """
    by = {(o.arm, o.seed, o.iteration): o for o in table}
    rows = []
    for arm in ARMS:
        for j in sorted({j for a, _, j in by if a == arm}):
            seeds = tuple(sorted(seed for a, seed, i in by if (a, i) == (arm, j)))
            mine = {seed: by[arm, seed, j] for seed in seeds}
            hits = [right for o in mine.values() for right in _hits(o, split).values()]
            pairs = [
                (_hits(by[FULL, s, j], split), _hits(o, split)) for s, o in mine.items() if (FULL, s, j) in by
            ]
            matched = [
                ([full[i] for i in full if i in own], [own[i] for i in full if i in own])
                for full, own in pairs
            ]
            since = [o for (a, s, i), o in by.items() if a == arm and s in seeds and 1 < i <= j]
            count = len(seeds)
            rows.append(
                ArmRow(
                    arm,
                    j,
                    seeds,
                    len(hits),
                    sum(hits),
                    sum(hits) / max(1, len(hits)),
                    *wilson(sum(hits), len(hits)),
                    (
                        clustered_difference(matched)
                        if arm != FULL and j > 1 and matched and all(a for a, _ in matched)
                        else None
                    ),
                    sum(o.sft_tokens for o in since) / count,
                    sum(o.grpo_tokens for o in since) / count,
                    sum(o.samples for o in mine.values()) / count,
                )
            )
    return rows


def _hits(outcome: Outcome, split: str) -> dict[str, bool]:
    return {
        i: right
        for i, s, right in zip(outcome.ids, outcome.splits, outcome.correct, strict=True)
        if not split or s == split
    }


def interval(value: float, lo: float, hi: float) -> str:
    """A share with its interval, in percent."""
    return f"{100 * value:.1f}% [{100 * lo:.1f}, {100 * hi:.1f}]"


def signed(d: Clustered) -> str:
    """A difference with its interval in percentage points, and each seed's own in brackets."""
    return (
        f"{100 * d.difference:+.1f} [{100 * d.lo:+.1f}, {100 * d.hi:+.1f}]"
        f" ({', '.join(f'{100 * x:+.1f}' for x in d.by_seed)})"
    )


class Grid(NamedTuple):
    """The results as text."""

    head: list[str]
    rows: list[list[str]]
    notes: list[str]
    """What one has to know to read them."""


HEAD = (
    "arm",
    "policy",
    "exact match",
    "against the full loop",
    "rows trained on",
    "tokens after D1 (SFT + GRPO)",
    "seeds",
)
"""The columns of the results."""


def grid(rows: Sequence[ArmRow]) -> Grid:
    """The results, one row for each arm and iteration."""
    lines = [
        [
            ARMS[r.arm].words,
            f"D{r.iteration}",
            interval(r.accuracy, r.lo, r.hi),
            signed(r.difference) if r.difference else "-",
            f"{r.samples:.0f}",
            f"{r.sft_tokens:,.0f} + {r.grpo_tokens:,.0f}",
            " ".join(map(str, r.seeds)),
        ]
        for r in rows
        if r.iteration > 1
    ]
    return Grid(list(HEAD), lines, _notes(rows))


def _notes(rows: Sequence[ArmRow]) -> list[str]:
    last = max(r.iteration for r in rows)
    by = {(r.arm, r.iteration): r for r in rows}
    notes = []
    if first := by.get((FULL, 1)):
        start = interval(first.accuracy, first.lo, first.hi)
        notes.append(
            f"Exact match on {first.n} held-out samples. The policy D1, which the arms of a seed share, has"
            f" {start}."
        )
    notes += [
        (
            "Intervals are 95%: Wilson's over all seeds' samples; differences, in percentage points, are"
            " paired on the same held-out samples, by a bootstrap over seeds and samples, with each seed's"
            " own in brackets."
        ),
        (
            "Tokens are a seed's mean, of prompts and answers, SFT + GRPO. Seed data alone gets the full"
            " loop's in SFT; the other arms train on what they compose. GRPO has as many steps in each, but"
            " answers differ in length."
        ),
    ]
    if missing := [ARMS[a].words for a in ARMS if (a, last) not in by]:
        notes.append(f"Not run to D{last}: {'; '.join(missing)}.")
    few = min(len(r.seeds) for r in rows)
    if few < 3:
        notes.append(
            f"With {few} random seed{'s' * (few > 1)} the spread between seeds is hardly known: take three or"
            " more."
        )
    return notes


def text(table: Iterable[Outcome]) -> str:
    """The results as a Markdown table and notes."""
    head, rows, notes = grid(summarise(table))
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join([*lines, "", *notes])


def comparisons(rows: Sequence[ArmRow]) -> list[tuple[str, Clustered]]:
    """Each arm's policies against the full loop's of the same iteration, for a forest plot."""
    return [(f"{ARMS[r.arm].words}, D{r.iteration}", r.difference) for r in rows if r.difference is not None]


def page(table: Outcomes) -> str:
    """The results as one self-contained HTML page: forest plot and table."""
    rows = summarise(table)
    found = comparisons(rows)
    return render_template(
        "ablation.html.jinja",
        {"forest": forest_figure(found)} if found else {},
        forest=bool(found),
        **grid(rows)._asdict(),
    )
