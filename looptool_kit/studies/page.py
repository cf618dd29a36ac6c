"""The results of a comparison as tables: for the terminal, a Markdown page, and HTML with forest plots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from looptool_kit.core.effects import POWER
from looptool_kit.core.stats import Clustered
from looptool_kit.core.terminal import duration
from looptool_kit.drawing import forest
from looptool_kit.report.render import drawn, render_template
from looptool_kit.studies.arms import ARMS, Arm
from looptool_kit.studies.outcomes import (
    MEASURES,
    ArmRow,
    Effect,
    Measure,
    Outcome,
    Outcomes,
    comparisons,
    summarise,
)

WORDS: dict[Measure, str] = {
    "match": "exact match",
    "graded": "graded reward",
    "logprob": "label log-probability",
}
"""The measures in words."""
UNITS: dict[Measure, str] = {"match": "points", "graded": "", "logprob": "nats a token"}
TITLES = {"ablation": "Does the loop help?", "compare": "Which arm learns more?"}
"""Name of a comparison -> the title of its page."""


class Grid(NamedTuple):
    """A table as text."""

    title: str
    head: list[str]
    rows: list[list[str]]
    notes: list[str]
    """What one has to know to read it."""


def interval(value: float, lo: float, hi: float) -> str:
    """A share with its interval, in percent."""
    return f"{100 * value:.1f}% [{100 * lo:.1f}, {100 * hi:.1f}]"


def signed(d: Clustered, measure: Measure = "match") -> str:
    """Write a difference with its interval.

    Each seed's own in brackets; shares in percentage points.
    """
    return (
        f"{_number(d.difference, measure)} [{_number(d.lo, measure)}, {_number(d.hi, measure)}]"
        f" ({', '.join(_number(x, measure) for x in d.by_seed)})"
    )


def _number(value: float, measure: Measure) -> str:
    return f"{100 * value:+z.1f}" if measure == "match" else f"{value:+z.3f}"


def grids(rows: Sequence[ArmRow], arms: Mapping[str, Arm]) -> list[Grid]:
    """Return the tables of a comparison.

    Results, what the arms cost, and what could not be told apart.
    """
    shown = [r for r in rows if r.iteration > 1]
    tables = [_results(rows, shown, arms), _costs(shown)]
    return tables + ([close] if (close := _close(shown)).rows else [])


def _results(rows: Sequence[ArmRow], shown: Sequence[ArmRow], arms: Mapping[str, Arm]) -> Grid:
    first = next(iter(arms.values())).words
    there = [m for m in MEASURES if any(m in r.effects for r in rows)]
    head = ["arm", "policy"]
    for measure in there:
        head += [WORDS[measure], f"against {first}" if measure == "match" else "difference"]
    lines = []
    for r in shown:
        line = [r.words, f"D{r.iteration}"]
        for measure in there:
            effect = r.effects.get(measure)
            difference = effect.difference if effect else None
            line += [_mean(r, effect, measure), signed(difference, measure) if difference else "-"]
        lines.append([*line, " ".join(map(str, r.seeds))])
    return Grid("Results", [*head, "seeds"], lines, _notes(rows, arms))


def _mean(row: ArmRow, effect: Effect | None, measure: Measure) -> str:
    if measure == "match":
        return interval(row.accuracy, row.lo, row.hi)
    return f"{effect.mean:.3f}" if effect else "-"


def _notes(rows: Sequence[ArmRow], arms: Mapping[str, Arm]) -> list[str]:
    last = max((r.iteration for r in rows), default=1)
    by = {(r.arm, r.iteration): r for r in rows}
    notes = []
    if start := by.get((next(iter(arms)), 1)):
        more = "".join(
            f", {WORDS[m]} {start.effects[m].mean:.3f}" for m in MEASURES[1:] if m in start.effects
        )
        notes.append(
            f"On {start.n} held-out samples. The policy D1, which the arms of a seed share, has exact match"
            f" {interval(start.accuracy, start.lo, start.hi)}{more}."
        )
    notes.append(
        "Intervals are 95%: Wilson's over all seeds' samples for exact match; differences are paired on the"
        " same held-out samples, by a bootstrap over seeds and samples, with each seed's own in brackets."
        " Exact match differs in percentage points, the graded reward (1 is right, -2 cannot be read) of"
        " greedy answers and the log-probability of labels with calls (nats a token) in their own units."
    )
    if missing := [arm.words for name, arm in arms.items() if (name, last) not in by]:
        notes.append(f"Not run to D{last}: {'; '.join(missing)}.")
    few = min((len(r.seeds) for r in rows), default=0)
    if few < 3:
        notes.append(
            f"With {few} random seed{'s' * (few != 1)} the spread between seeds is hardly known: take three"
            " or more."
        )
    return notes


def _costs(shown: Sequence[ArmRow]) -> Grid:
    budgeted = any(r.costs.budget for r in shown)
    head = ["arm", "policy", "rows", "SFT", "GRPO", "other training", "generated", "all tokens"]
    head += ["of the budget"] if budgeted else []
    head += ["probes", "language models", "CPU"]
    lines = []
    for r in shown:
        c = r.costs
        parts = (c.sft_tokens, c.grpo_tokens, c.other_tokens, c.generated_tokens, c.tokens)
        line = [r.words, f"D{r.iteration}", f"{r.samples:.0f}", *map(_count, parts)]
        line += [f"{c.tokens / c.budget:.1%}" if c.budget else "-"] if budgeted else []
        line += [_count(c.probe_tokens), _count(c.model_tokens)]
        lines.append([*line, "-" if c.cpu_seconds is None else duration(c.cpu_seconds)])
    notes = [
        (
            "Tokens since D1, a seed's mean. Counted are those that training passed over, prompts included,"
            " and those that the policy generated for training data; answers to probes and the tokens of"
            " language models stand beside them and are not in the sum; - was not recorded. `rows` are those"
            " of the dataset; SFT repeats or leaves out rows until the budget is spent."
        ),
        (
            "CPU: processor seconds on all cores of making the datasets and of training, evaluation left"
            " out; what a stopped stage had done before is not in it."
        ),
    ]
    if not budgeted:
        notes[0] = notes[0].replace(" until the budget is spent", " where there is a budget; here is none")
    return Grid("What it cost", head, lines, notes)


def _count(tokens: float | None) -> str:
    return "-" if tokens is None else f"{tokens:,.0f}"


def _close(shown: Sequence[ArmRow]) -> Grid:
    lines = []
    for r in shown:
        for measure, effect in r.effects.items():
            if effect.difference is None or effect.needed is None:
                continue
            more = effect.needed
            take = (
                "no difference seen"
                if more.samples is None
                else f"{more.samples:,} samples ({more.seeds:,} seeds)"
            )
            seen = f"{_number(effect.difference.difference, measure)} {UNITS[measure]}".strip()
            shows = f"{_number(more.detectable, measure).lstrip('+')} {UNITS[measure]}".strip()
            shows = shows if more.detectable else "-"  # all answers alike: nothing varied
            lines.append([r.words, f"D{r.iteration}", WORDS[measure], seen, take, shows])
    head = ["arm", "policy", "measure", "difference seen", "to tell it takes", "these runs show from"]
    note = (
        f"Both at a chance of {POWER:.0%} to see the difference at the 5% level, two-sided, with as many"
        " held-out samples a seed as here. The first supposes that the difference seen is the true one, which"
        " with few seeds it hardly is; one seed more is the least."
    )
    return Grid("What could not be told apart", head, lines, [note])


# ----------------------------------------------------------------- forms


def text(table: Iterable[Outcome], arms: Mapping[str, Arm] | None = None) -> str:
    """The results as Markdown tables and notes; `arms` as for `summarise`."""
    arms = ARMS if arms is None else arms
    parts = []
    for grid in grids(summarise(table, arms=arms), arms):
        cells = (grid.head, ["---"] * len(grid.head), *grid.rows)
        lines = ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in cells]
        parts.append("\n".join([f"## {grid.title}", "", *lines, "", "\n\n".join(grid.notes)]))
    return "\n\n".join(parts)


def page(table: Outcomes, arms: Mapping[str, Arm], name: str = "compare") -> str:
    """Render the results as one HTML page.

    It needs no script and no network: forest plots and tables.
    """
    rows = summarise(table, arms=arms)
    forests: list[tuple[str, Any]] = []
    for measure in MEASURES:
        if found := comparisons(rows, measure):
            title = f"{WORDS[measure].capitalize()} against {next(iter(arms.values())).words}"
            unit = UNITS[measure]
            svg = forest(found, title, lambda v, m=measure: _number(v, m))  # type: ignore[misc]
            forests.append((f"{title}{f' ({unit})' if unit else ''}", drawn(svg)))
    return render_template(
        "compare.html.jinja", title=TITLES.get(name, name), forests=forests, grids=grids(rows, arms)
    )
