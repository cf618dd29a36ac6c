"""The suite `robustness`: what a policy loses on perturbed held-out samples.

Their labels stay exact (`perturb.py`; RUIE-Bench's idea, arXiv 2503.03201, on tool calls).

A category is a perturbation. Each has a table in the run folder, `robustness/<name>.parquet`, one row a
perturbed sample; a row's `extra` says which sample it was made `of`, that one's `split`, and whether the
policy was right `before`. The samples stand beside it in `<name>.samples.parquet`. The reference is the
policy's table of held-out scores; originals that it lacks are evaluated into `robustness/none.parquet`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from looptool_kit.augment.perturb import PERTURBATIONS, names, perturb
from looptool_kit.checks.rules import passes
from looptool_kit.core.progress import bar
from looptool_kit.core.records import Score, Scores
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.stats import Paired, paired
from looptool_kit.core.terminal import cell, say, show
from looptool_kit.policy.engines import Completion
from looptool_kit.policy.policy import Policy
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate import Category, Entry, Judged, by_match, held_out, of_samples, written
from looptool_kit.stages.evaluate.stage import evaluate_category, finished, stage

SUITE = "robustness"
NONE = "none"
"""The category of the samples as they are."""
Pairs = Sequence[tuple[Sample, Sample]]
"""Original and perturbed samples."""


class Change(NamedTuple):
    """What a perturbation does to a policy."""

    perturbation: str
    policy: str
    result: Paired
    """The same samples before (`mean_a`) and after (`mean_b`); a drop is a negative `difference`."""


def categories(
    run: Run, policy: Policy, wanted: Sequence[str] | None = None, per_category: int | None = None
) -> Generator[Category]:
    """Yield the named perturbations of the run's held-out samples.

    Default: all; as `perturbed` gives them. Raises `ValueError` for an unknown perturbation, `RunError`
    for a run without held-out samples.
    """
    kinds, pairs_of = names(wanted), {}
    with bar(len(kinds), "perturbing", "kind") as shown:
        for name in kinds:
            pairs_of[name] = perturbed(run, name, per_category)
            shown.update(1)
    before = _before(run, policy, {o.id: o for pairs, _ in pairs_of.values() for o, _ in pairs})
    for name, (pairs, left_out) in pairs_of.items():
        yield _category(run, name, pairs, before, left_out)


def tables(wanted: Sequence[str] | None = None) -> list[str]:
    """The tables of the named perturbations, or of all."""
    return [f"{SUITE}/{name}" for name in names(wanted)]


def perturbed(run: Run, name: str, per_category: int | None = None) -> tuple[Pairs, dict[str, int]]:
    """(original, perturbed) held-out samples, and how many were left out, why.

    They are the first `per_category` of one random order for all perturbations.

    Everything follows from the run's seed; a smaller choice is part of a larger one.
    """
    samples, left_out = run.table(Samples, "held_out", 0), Counter[str]()
    pairs: list[tuple[Sample, Sample]] = []
    order = list(samples)
    Random(f"{run.settings.seed} {SUITE}").shuffle(order)
    for sample in order:
        if len(pairs) == per_category:
            break
        changed = perturb(name, sample, Random(f"{run.settings.seed} {name} {sample.id}"), samples)
        if changed is None:
            left_out["do not apply"] += 1
        elif not passes(changed):
            left_out["fail the rule tier"] += 1
        else:
            pairs.append((sample, changed))
    return pairs, dict(left_out)


def _before(run: Run, policy: Policy, originals: Mapping[str, Sample]) -> dict[str, bool]:
    """Whether the policy is right on each original.

    Its held-out scores say so where they stand; the rest is evaluated.
    """
    done = stage(run, policy, held_out.category(run)).done
    scores = list(run.table(Scores, "scores", policy.iteration)) if done else []
    scored = {s.sample_id for s in scores}
    if rest := [(sample, sample) for i, sample in originals.items() if i not in scored]:
        scores += evaluate_category(run, policy, _category(run, NONE, rest, {}, {}))
    return {s.sample_id: s.correct for s in scores}


def _category(
    run: Run, name: str, pairs: Pairs, before: Mapping[str, bool], left_out: Mapping[str, int]
) -> Category:
    entries = [
        Entry(p, split=name, extra={"of": o.id, "split": o.split, "before": before[o.id]} if before else {})
        for o, p in pairs
    ]
    more: dict[str, Any] = {
        "entries": lambda: entries,
        "judge": _judge,
        "facts": {"left_out": dict(left_out)},
    }
    samples, length = Samples(p for _, p in pairs), run.settings.evaluate.max_new_tokens
    return of_samples(SUITE, f"{SUITE}/{name}", samples, length, keep="samples", **more)


def _judge(entry: Entry, completion: Completion) -> Judged:
    return by_match(entry, completion)._replace(extra=written(completion))


# --------------------------------------------------------------- figures


def changes(scores: Iterable[Score], policies: Sequence[str] | None = None) -> list[Change]:
    """Compare each policy on perturbed samples with the originals.

    In order of perturbation, then of the policy's first occurrence.

    Of several policies that a perturbation was evaluated on, only the samples that all of them were given
    count, so that their changes compare.
    """
    rows: dict[str, dict[str, dict[str, Score]]] = {}
    for s in scores:
        if s.suite == SUITE and s.split in PERTURBATIONS and (policies is None or s.policy in policies):
            rows.setdefault(s.split, {}).setdefault(s.policy, {})[s.sample_id] = s
    out = []
    for name in (n for n in PERTURBATIONS if n in rows):
        common = set.intersection(*(set(rows_of) for rows_of in rows[name].values()))
        for policy, rows_of in rows[name].items():
            if scored := [s for i, s in rows_of.items() if i in common]:
                out.append(
                    Change(
                        name,
                        policy,
                        paired([bool(s.extra["before"]) for s in scored], [s.correct for s in scored]),
                    )
                )
    return out


def print_scores(run: Run, policy: Policy, scores: Scores) -> None:
    """Print the accuracy before and after each perturbation.

    This policy stands beside the first and the last one of the run that were evaluated. It also prints how
    many samples were left out.
    """
    rows = finished(run, SUITE)
    policies = list(dict.fromkeys(s.policy for s in rows))
    _print(rows, [p for p in policies if p in (policies[0], policy.name, policies[-1])])
    manifests = {name: run.manifest(f"{SUITE}/{name}", policy.iteration) for name in PERTURBATIONS}
    left_out = {name: m["left_out"] for name, m in manifests.items() if m and m["left_out"]}
    if left_out:
        text = [
            f"{name}: {', '.join(f'{count} {reason}' for reason, count in reasons.items())}"
            for name, reasons in left_out.items()
        ]
        say(f"held-out samples left out: {'; '.join(text)}")


def _print(scores: Scores, policies: Sequence[str]) -> None:
    from rich.table import Table as Grid

    grid = Grid(title=f"{SUITE}: the same held-out samples before and after (95% intervals)")
    for column in ("perturbation", "policy", "n", "before", "after", "change"):
        grid.add_column(
            column, justify="left" if column in ("perturbation", "policy") else "right", no_wrap=True
        )
    last = ""
    for name, policy, r in changes(scores, policies):
        cells = (
            str(r.n),
            f"{r.mean_a:.2f}",
            f"{r.mean_b:.2f}",
            f"{r.difference:+z.2f} [{r.lo:+z.2f}, {r.hi:+z.2f}]",
        )
        grid.add_row(cell("" if name == last else name), cell(policy), *cells)
        last = name
    show(grid)
