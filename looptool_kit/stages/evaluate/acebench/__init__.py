"""The suite `acebench`: ACEBench's normal and special entries.

A policy's greedy answers are scored by the benchmark's own rules and, beside them, strictly.

The data is the user's checkout, named in the environment variable LOOPTOOL_ACEBENCH; it is for evaluation
only. For each category a table in the run folder, `acebench/<language>/<category>.parquet`, one row an entry,
and what failed, as for `bfcl`. `correct` is the verdict of the benchmark's own script (`acebench_check`,
which lists its leniencies); `extra` holds `strict`, for special categories `no_call`, and the `unit` that
counts as one.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from looptool_kit.core.records import Score, Scores
from looptool_kit.core.samples import Samples
from looptool_kit.core.stats import Share, weighted
from looptool_kit.core.terminal import cell
from looptool_kit.policy.engines import Completion
from looptool_kit.policy.policy import Policy
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate import Category, Entry, Judged, chosen, written
from looptool_kit.stages.evaluate.acebench import check, labels

__all__ = ["categories", "print_scores", "setup", "tables"]

SUITE = "acebench"
MAX_NEW_TOKENS = 1024
"""Length limit of one answer: calls with nested objects, in Chinese, are long. One that is cut there counts
as no call.
"""
TOTALS = ("atom", "single_turn", "multi_turn", "normal", "special", "overall")


class CategoryScore(NamedTuple):
    """A policy in one category.

    Dialogues are counted in the multi-turn ones, entries elsewhere.
    """

    category: str
    n: int
    official: int
    """Right by the benchmark's script."""
    strict: int
    no_call: int | None
    """Special categories: answers that say something and call nothing, whatever they say; None for the
    others.
    """


class Total(NamedTuple):
    """Several categories of one language in one figure.

    They have the benchmark's weights (`acebench_labels.shares`).
    """

    language: str
    name: str
    """One of `TOTALS`. `overall` is the benchmark's summary without its agent part, the weights of the rest
    made to add up to 1.
    """
    official: Share
    strict: Share


def setup() -> Path:
    """Where the user's checkout lies.

    Nothing is fetched: `FileNotFoundError` says what to do.
    """
    return labels.checkout()


def categories(
    run: Run, policy: Policy, names: Sequence[str] | None = None, per_category: int | None = None
) -> Generator[Category]:
    """The named categories or groups (default: all).

    With `per_category`, that many dialogues of the multi-turn ones.

    Raises `ValueError` for an unknown category or a malformed file, `FileNotFoundError` where there is no
    checkout.
    """
    chosen, root = labels.categories(names), labels.checkout()
    for name in chosen:
        yield _category(name, _choice(labels.entries(root, name), name, per_category))


def tables(names: Sequence[str] | None = None) -> list[str]:
    """The tables of the named categories or groups, or of all."""
    return [f"{SUITE}/{c}" for c in labels.categories(names)]


def _choice(entries: list[labels.Entry], category: str, per_category: int | None) -> list[labels.Entry]:
    units = list(dict.fromkeys(e.unit for e in entries))
    kept = {units[i] for i in chosen(len(units), category, per_category)}
    return [e for e in entries if e.unit in kept]


def _category(name: str, found: Sequence[labels.Entry]) -> Category:
    entries = [_entry(e) for e in found]
    return Category(
        SUITE,
        f"{SUITE}/{name}",
        lambda: entries,
        inputs={
            "samples": Samples(e.sample for e in entries),
            "entries": [[e._asdict() for e in found], MAX_NEW_TOKENS],
        },
        max_new_tokens=MAX_NEW_TOKENS,
        judge=_judge,
    )


def _entry(row: labels.Entry) -> Entry:
    kind = "special" if "special" in row.category else "normal"
    extra = {"unit": row.unit, "strict": False} | ({"no_call": False} if kind == "special" else {})
    return Entry(labels.sample_of(row), row.id, row.category, kind, row, extra)


def _judge(entry: Entry, completion: Completion) -> Judged:
    text, finish_reason = completion.text, completion.finish_reason
    read = partial(completion.form.parse, tools=entry.sample.tools)
    verdict = check.official(entry.source, text, finish_reason, read)
    extra: dict[str, JsonValue] = {
        "checker": list(verdict.errors),
        "strict": check.strict(entry.source, text, finish_reason, read),
        **written(completion),
    }
    if entry.kind == "special":
        extra["no_call"] = check.no_call(read(text, finish_reason))
    return Judged(not verdict.error_type, verdict.error_type, extra=extra)


# --------------------------------------------------------------- figures


def by_category(scores: Scores) -> list[CategoryScore]:
    """What was right in each category, in the benchmark's order.

    A dialogue is right where all its steps are.
    """
    units: dict[str, dict[str, list[Score]]] = {}
    for s in scores:
        if s.suite == SUITE:
            units.setdefault(s.split, {}).setdefault(str(s.extra["unit"]), []).append(s)

    def count(category: str, flag: str) -> int:
        return sum(all(s.extra[flag] for s in unit) for unit in units[category].values())

    return [
        CategoryScore(
            category,
            len(units[category]),
            sum(all(s.correct for s in unit) for unit in units[category].values()),
            count(category, "strict"),
            count(category, "no_call") if "special" in category else None,
        )
        for category in labels.CATEGORIES
        if category in units
    ]


def totals(rows: Sequence[CategoryScore]) -> list[Total]:
    """The figures of each language over several categories.

    Those of which a category was not evaluated are left out.
    """
    by_category = {r.category: r for r in rows}
    out = []
    for language in labels.LANGUAGES:
        for name in TOTALS:
            shares = {f"{language}/{c}": share for c, share in labels.shares(name).items()}
            if shares.keys() <= by_category.keys():
                parts = [(share / sum(shares.values()), by_category[c]) for c, share in shares.items()]
                official, strict = (
                    weighted((share, k, r.n) for share, r in parts for k in [getattr(r, rule)])
                    for rule in ("official", "strict")
                )
                out.append(Total(language, name, official, strict))
    return out


def print_scores(run: Run, policy: Policy, scores: Scores) -> None:
    """The categories and the languages' totals, on the terminal."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table as Grid

    rows = by_category(scores)
    grid = Grid(
        title=f"ACEBench, policy {policy.name}: by its own script's rules, and strictly (95% intervals)",
        box=SIMPLE,
    )
    for column in ("category", "n", "official", "strict", "no call"):
        grid.add_column(column, justify="left" if column == "category" else "right", no_wrap=True)
    for r in rows:
        shares = (_words(weighted([(1.0, k, r.n)])) for k in (r.official, r.strict))
        grid.add_row(
            cell(r.category), str(r.n), *shares, "" if r.no_call is None else f"{r.no_call / r.n:.3f}"
        )
    overall = totals(rows)
    if overall:
        grid.add_section()
    for t in overall:
        grid.add_row(cell(f"{t.language}: {t.name}"), "", _words(t.official), _words(t.strict), "")
    console = Console(width=max(Console().width, 110))  # its names are long, and a cut name says nothing
    console.print(grid)
    kept = labels.WEIGHTS["normal"] + labels.WEIGHTS["special"]
    for t in overall:
        if t.name == "overall":
            console.print(
                f"{t.language}: the benchmark's own summary, its agent part (not run here) counted 0:"
                f" {kept * t.official.value:.4f}",
                highlight=False,
            )
    console.print(
        "overall: normal and special by the summary's weights, 0.578 to 0.2676, without the agent part.",
        highlight=False,
    )


def _words(share: Share) -> str:
    return f"{share.value:.3f} [{share.lo:.3f}, {share.hi:.3f}]"
