"""The embedded model before and after the loop, where it was not trained: BFCL by its official checkers, and
perturbed held-out samples.

    python benchmarks/before_after.py [--runs runs/results] [--preset cpu] [--seeds 0]
                                      [--per-category 10] [--perturbed 20]

Takes the finished loops of `benchmarks/results.py` (or of `looptool ablate`) and evaluates three policies of
each: the one it starts from, D1, and the last one. The same entries for all; what has been evaluated is not
done again. BFCL's environment must be there (`looptool evaluate --suite bfcl --setup`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from _pages import wrapped

from looptool_kit.core.records import Score
from looptool_kit.core.stats import clustered_difference, wilson
from looptool_kit.core.tables import write_text
from looptool_kit.policy.policy import policy_of
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate.stage import evaluate
from looptool_kit.studies.arms import FULL
from looptool_kit.studies.compare import folder
from looptool_kit.studies.page import interval, signed

CATEGORIES = ("simple_python", "multiple", "parallel", "irrelevance", "live_simple", "live_multiple")
"""BFCL's: one call, a choice, several calls, none, and the first two as users wrote them."""


def main() -> None:
    """Evaluate what is missing and write the page."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--runs", type=Path, default=Path("runs/results"))
    ask.add_argument("--preset", default="cpu")
    ask.add_argument("--seeds", type=int, nargs="+", default=[0])
    ask.add_argument("--per-category", type=int, default=10, help="entries of each of BFCL's categories")
    ask.add_argument("--perturbed", type=int, default=20, help="held-out samples of each perturbation")
    ask.add_argument("--out", type=Path, default=Path("docs/before-after.md"))
    args = ask.parse_args()
    official: list[Score] = []
    moved: dict[int, list[Score]] = {}
    for seed in args.seeds:
        run = Run.open(folder(args.runs, args.preset, seed, FULL))
        for policy in (policy_of(run, j) for j in (0, 1, run.settings.iterations + 1)):
            official += evaluate(run, policy, "bfcl", CATEGORIES, args.per_category)
            perturbed = evaluate(run, policy, "robustness", per_category=args.perturbed)
            moved.setdefault(seed, []).extend(perturbed)
    write_text(args.out, wrapped(page(official, moved, args)))
    print(f"wrote {args.out}")


def page(official: list[Score], moved: dict[int, list[Score]], args: argparse.Namespace) -> str:
    """The page as Markdown."""
    numbers = " ".join(map(str, args.seeds))
    command = (
        f"python benchmarks/before_after.py --seeds {numbers} --per-category {args.per_category} --perturbed"
        f" {args.perturbed}"
    )
    policies = list(dict.fromkeys(s.policy for s in official))
    lines = [
        "# Before and after the loop, where it was not trained",
        "",
        (
            f"Printed by `{command}`; do not edit. Preset `{args.preset}`, random"
            f" seed{'s' * (len(args.seeds) > 1)} {numbers} of the runs in docs/results.md. Intervals are 95%:"
            " Wilson's for shares; paired, by a bootstrap over seeds and samples, for changes."
        ),
        "",
        f"## BFCL, {args.per_category} entries of each category, official checkers",
        "",
        "Nothing of BFCL was trained on: its tools, and the way its users speak, are new to the policy.",
        "",
        *official_lines(official, policies, len(args.seeds)),
        "",
        f"## Perturbed held-out samples, {args.perturbed} of each kind",
        "",
        (
            "The label stays exact, or follows what was changed. `drop`: points lost or gained by the same"
            " samples under the perturbation."
        ),
        "",
        *perturbed_lines(moved, policies),
    ]
    return "\n".join(lines) + "\n"


def official_lines(official: list[Score], policies: list[str], seeds: int) -> list[str]:
    """Every policy in each category, and the last one against the first."""
    lines = ["| category | n | " + " | ".join(policies) + " |", "|" + " --- |" * (2 + len(policies))]
    for category in (*CATEGORIES, "all"):
        cells, n = [], 0
        for policy in policies:
            right = [s.correct for s in official if s.policy == policy and category in (s.split, "all")]
            n = len(right)
            cells.append(interval(sum(right) / n, *wilson(sum(right), n)))
        lines.append(f"| {category} | {n} | {' | '.join(cells)} |")
    first, last = ([s.correct for s in official if s.policy == p] for p in (policies[0], policies[-1]))
    size = len(last) // seeds
    parts = [slice(i * size, (i + 1) * size) for i in range(seeds)]
    change = clustered_difference([(first[part], last[part]) for part in parts])
    return [*lines, "", f"{policies[-1]} - {policies[0]}, paired: {signed(change)} points."]


def perturbed_lines(moved: dict[int, list[Score]], policies: list[str]) -> list[str]:
    """Every policy under each perturbation, before and after."""
    lines = [
        "| perturbation | n | " + " | ".join(f"{p} before | {p} after | {p} drop" for p in policies) + " |",
        "|" + " --- |" * (2 + 3 * len(policies)),
    ]
    kinds = list(dict.fromkeys(s.split for rows in moved.values() for s in rows))
    for kind in kinds:
        cells, n = [], 0
        for policy in policies:
            of = [[s for s in rows if s.split == kind and s.policy == policy] for rows in moved.values()]
            pairs = [([bool(s.extra["before"]) for s in rows], [s.correct for s in rows]) for rows in of]
            drop = clustered_difference(pairs)
            before, after = (sum(sum(pair[side]) for pair in pairs) / drop.n for side in (0, 1))
            cells.append(f"{100 * before:.0f}% | {100 * after:.0f}% | {signed(drop)}")
            n = drop.n
        lines.append(f"| {kind} | {n} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()
