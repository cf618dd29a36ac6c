"""The page that `results.py` writes: every figure with its interval."""

from __future__ import annotations

import argparse
import os
import platform
from typing import Any

from looptool_kit.config import Settings, load_preset
from looptool_kit.core.records import HELD_OUT_SPLITS, Scores
from looptool_kit.core.samples import Samples
from looptool_kit.core.stats import Clustered, aligned, clustered_difference, wilson
from looptool_kit.report.planted import judge_against_truth
from looptool_kit.report.summary import views
from looptool_kit.report.taken import timings
from looptool_kit.run.folder import Run
from looptool_kit.stages.compose import composition
from looptool_kit.stages.evaluate.stage import best, scores
from looptool_kit.studies.arms import ARMS, CONTROL, FULL
from looptool_kit.studies.compare import Comparison, collect
from looptool_kit.studies.likelihood import measured
from looptool_kit.studies.page import interval, signed, text

Tables = list[dict[str, Scores]]
"""Policy -> its scores, of each random seed."""
VIEWS = views(HELD_OUT_SPLITS)


def comparison(args: argparse.Namespace, **overrides: Any) -> Comparison:
    """What `results.py` runs: the loop, and the arms of the ablation that its options name."""
    settings, wanted = {"seeds__held_out": args.held_out, **overrides}, tuple(args.arms)
    return Comparison(args.runs, ARMS, args.preset, tuple(args.seeds), 0, settings, wanted, "ablation")


def page(loops: list[Run], controls: list[Run], args: argparse.Namespace) -> str:
    """The results as Markdown; `args` are those of `results.py`."""
    settings = load_preset(args.preset)
    found, against = [scores(r) for r in loops], [scores(r) for r in controls]
    names = list(found[0])
    tables = [*found, *against]
    best_of = [n for run, t in zip((*loops, *controls), tables, strict=True) if (n := best(run)) in t]
    kept = ["kept"] if len(best_of) == len(tables) else []
    if kept:
        for table, name in zip(tables, best_of, strict=True):
            table["kept"] = table[name]
    later = [*names[-settings.iterations :], *kept] if controls else []
    lines = intro_lines(settings, best_of[: len(loops)], args)
    if controls:
        lines += control_lines(controls)
    else:
        lines += ["The control, seed data alone for as many tokens, was not run.", ""]
    lines += accuracy_lines(found, against, [*names, *kept], later)
    lines += difference_lines(found, against, [*names[1:], *kept], later)
    if controls:
        lines += likelihood_lines(loops, controls)
    arms = collect(comparison(args))
    if {o.arm for o in arms} - {FULL, CONTROL}:
        tables = text(arms).replace("\n## ", "\n### ").removeprefix("## ")
        lines += ["", "## The loop without its parts", "", f"### {tables}"]
    lines += kind_lines(found, against, names)
    lines += composition_lines(loops)
    lines += ["", "## The evidence judge against planted label errors", "", *judge_lines(loops)]
    lines += ["", "## Time and memory", "", *cost_lines(loops)]
    return "\n".join(lines) + "\n"


def intro_lines(settings: Settings, kept: list[str], args: argparse.Namespace) -> list[str]:
    """What was run, where, and what the policies are called."""
    import torch
    import transformers
    import trl

    return [
        "# Results on the embedded model",
        "",
        (
            f"`python benchmarks/results.py --preset {args.preset} --seeds {' '.join(map(str, args.seeds))}"
            f" --held-out {args.held_out} --arms{''.join(f' {a}' for a in args.arms)}` printed this page. The"
            f" model `embedded`, {len(args.seeds)} random seeds, {args.held_out} held-out samples a split and"
            f" seed, {settings.seeds.noise:.0%} of the seed labels wrong on purpose. Machine: {machine()};"
            f" torch {torch.__version__}, transformers {transformers.__version__}, trl {trl.__version__},"
            f" Python {platform.python_version()}."
        ),
        "",
        (
            "`base` is the embedded model as it is shipped (docs/embedded.md), D1 the policy trained on the"
            " seed samples, D2 and D3 after one and two iterations of the loop. `own tools` are those of the"
            " seed samples, with values or in wordings that no seed sample has; `other tools` are never"
            " trained on here: they show what is forgotten. `kept` is what a run ends with: the policy with"
            f" the most of {settings.seeds.development} development samples right, of which no figure here is"
            f" made ({', '.join(kept)})."
        ),
        "",
    ]


def accuracy_lines(found: Tables, against: Tables, names: list[str], later: list[str]) -> list[str]:
    """Exact match of every policy of the loop, and of the control's later ones."""
    lines = [
        "## Held-out exact match in percent, all seeds pooled (Wilson 95%)",
        "",
        "| " + " | ".join(["policy", *VIEWS]) + " |",
        "|" + " --- |" * (len(VIEWS) + 1),
    ]
    rows = [(name, [f[name] for f in found]) for name in names]
    for name in later:
        title = "control, kept" if name == "kept" else f"control, tokens of {name}"
        rows.append((title, [f[name] for f in against]))
    for title, tables in rows:
        cells = " | ".join(cell(tables, keep) for keep in VIEWS.values())
        lines.append(f"| {title} | {cells} |")
    return lines


def difference_lines(found: Tables, against: Tables, names: list[str], later: list[str]) -> list[str]:
    """Every policy against the base, and the loop against its control."""
    lines = [
        "",
        "## Paired differences in percentage points",
        "",
        "Bootstrap over seeds and samples, 95%; each seed's own difference in brackets.",
        "",
        "| comparison | " + " | ".join(VIEWS) + " |",
        "|" + " --- |" * (len(VIEWS) + 1),
    ]
    # A control's folder starts as a copy of its loop's, base and D1 included.
    both = list(zip(found, against, strict=True)) if against else []
    comparisons = [(f"loop {n} - base", [(f["base"], f[n]) for f in found]) for n in names]
    comparisons += [(f"control {n} - base", [(f["base"], c[n]) for f, c in both]) for n in later]
    comparisons += [(f"loop {n} - control {n}", [(c[n], f[n]) for f, c in both]) for n in later]
    for title, pairs in comparisons:
        cells = " | ".join(signed(difference(pairs, keep)) for keep in VIEWS.values())
        lines.append(f"| {title} | {cells} |")
    lead = difference(comparisons[-1][1], VIEWS["all"])
    if against and lead.lo < 0 < lead.hi and lead.difference:
        lines += [
            "",
            (
                "A true difference between loop and control as large as the one measured,"
                f" {100 * lead.difference:+.1f} points, would show from about {needed(lead):,} held-out"
                f" samples on, with as many more seeds; here are {lead.n}."
            ),
        ]
    return lines


def cell(rows: list[Scores], keep: frozenset[str]) -> str:
    """Pooled accuracy with Wilson's interval."""
    hits = [s.correct for table in rows for s in table if s.split in keep]
    return interval(sum(hits) / len(hits), *wilson(sum(hits), len(hits)))


def difference(pairs: list[tuple[Scores, Scores]], keep: frozenset[str]) -> Clustered:
    """Mean paired difference b - a over the seeds with its interval."""
    by_seed = []
    for a, b in pairs:
        _, x, y = aligned([s for s in a if s.split in keep], [s for s in b if s.split in keep])
        by_seed.append((x, y))
    return clustered_difference(by_seed)


def needed(d: Clustered) -> int:
    """From how many samples on a difference of this size would exclude zero; an interval's width goes with
    one over their square root.
    """
    return int(round(d.n * ((d.hi - d.lo) / 2 / abs(d.difference)) ** 2, -2))


def machine() -> str:
    """Where this runs."""
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, {os.cpu_count()} cores"
    return f"{os.cpu_count()} cores, {platform.machine()} {torch.backends.cpu.get_cpu_capability()}"


def repeats(controls: list[Run]) -> float:
    """How often a control trained on a sample, SFT epochs counted, averaged over samples and controls."""
    rows = unique = 0
    for run in controls:
        tables = {j: run.table(Samples, "samples", j) for j in run.iterations}
        rows += sum(
            len(t) * (run.settings.sft.epochs if j == 1 else run.settings.sft.epochs_later)
            for j, t in tables.items()
        )
        unique += len({s.id for t in tables.values() for s in t})
    return rows / unique


def control_lines(controls: list[Run]) -> list[str]:
    """What the control is, and whom it favours."""
    return [
        (
            "The control is trained from the same D1 on seed data alone, for as many training tokens and with"
            " the same recipe: the seed samples that the loop had seen by then, repeated. By its last"
            f" iteration it had trained on each of them {repeats(controls):.1f} times on average."
        ),
        "",
        (
            "What favours the loop: the `world` expander executes its tools again, so the labels of its"
            " children are exact even where the label of their error seed is not; the control trains on the"
            " planted label errors as they are. What favours the control: nothing that the loop lacks."
        ),
        "",
    ]


def nats(pairs: list[tuple[dict[str, float], dict[str, float]]]) -> str:
    """Mean paired difference b - a of label log-probability with its BCa bootstrap interval over the samples;
    each seed's own in brackets.
    """
    import numpy as np
    from scipy.stats import bootstrap

    by_seed = [np.array([b[i] - a[i] for i in a]) for a, b in pairs]
    pooled = np.concatenate(by_seed)
    lo, hi = bootstrap((pooled,), np.mean, rng=np.random.default_rng(0)).confidence_interval
    return f"{pooled.mean():+.3f} [{lo:+.3f}, {hi:+.3f}] ({', '.join(f'{x.mean():+.3f}' for x in by_seed)})"


def likelihood_lines(loops: list[Run], controls: list[Run]) -> list[str]:
    """The policies' log-probability of the held-out labels: loop and control after D1, and the one against
    the other.
    """
    lines = [
        "",
        "## Log-probability of the held-out labels (nats a token)",
        "",
        (
            "Exact match is a coarse measure at these sizes: one wrong character and a call counts for"
            " nothing. The policy's mean log-probability of the right calls moves long before; higher is"
            " better. Paired differences, bootstrap over samples, 95%; each seed's own difference in"
            " brackets."
        ),
        "",
        "| comparison | difference |",
        "| --- | --- |",
    ]
    likely = [[{j: measured(r, j) for j in r.iterations} for r in side] for side in (loops, controls)]
    end = max(likely[0][0])
    lines += [
        f"| {side} D{end} - D1 | {nats([(a[1], a[end]) for a in tables])} |"
        for side, tables in zip(("loop", "control"), likely, strict=True)
    ]
    return lines + [
        f"| loop D{j} - control D{j} | {nats([(b[j], a[j]) for a, b in zip(*likely, strict=True)])} |"
        for j in range(2, end + 1)
    ]


def kind_lines(found: Tables, against: Tables, names: list[str]) -> list[str]:
    """Each task kind: how many samples, and the share that each policy has right."""
    last, first = names[-1], next(n for n in names if n != "base")
    policies = [[f[n] for f in found] for n in ("base", first, last)]
    heads = ["kind", "n", "base", first, last]
    if against:
        policies.append([f[last] for f in against])
        heads.append(f"control {last}")
    lines = ["", "## By task kind in percent, all seeds and splits pooled", "", f"| {' | '.join(heads)} |"]
    lines.append("|" + " --- |" * len(heads))
    for kind in sorted({s.kind for table in policies[0] for s in table}):
        hits = [[s.correct for table in tables for s in table if s.kind == kind] for tables in policies]
        shares = " | ".join(f"{100 * sum(h) / max(1, len(h)):.1f}" for h in hits)
        lines.append(f"| {kind} | {len(hits[0])} | {shares} |")
    return lines


def composition_lines(loops: list[Run]) -> list[str]:
    """How many rows of each part every dataset has."""
    lines = [
        "",
        "## Composition",
        "",
        "| seed | dataset | ES | EE | HPPL | seed-new | unjudged | total |",
        "|" + " --- |" * 8,
    ]
    for run in loops:
        for row in composition(run):
            lines.append(f"| {run.settings.seed} | " + " | ".join(str(v) for v in row.values()) + " |")
    return lines


def judge_lines(loops: list[Run]) -> list[str]:
    """Precision and recall of LABEL_WRONG over the loops' failed samples."""
    found = [t for t in map(judge_against_truth, loops) if t]
    if not found:
        return ["No errors were planted."]
    total = {k: sum(t[k] for t in found) for k in found[0]}

    def share(k: int, n: int) -> str:
        return f"{k} of {n}" + (f" = {k / n:.3f} [{wilson(k, n)[0]:.3f}, {wilson(k, n)[1]:.3f}]" if n else "")

    return [
        f"- precision of LABEL_WRONG: {share(total['right'], total['flagged'])}",
        (
            "- recall, among failed samples with a planted error whose prediction was right: "
            f"{share(total['right_of_correctable'], total['correctable'])}"
        ),
        (
            f"- abstained (unjudged): {share(total['unjudged'], total['judged'] + total['unjudged'])} failed"
            " samples"
        ),
    ]


def cost_lines(loops: list[Run]) -> list[str]:
    """Seconds of each stage and the highest memory."""
    lines = ["| seed | " + "seconds by stage | total | peak memory |", "|" + " --- |" * 4]
    for run in loops:
        sums: dict[str, float] = {}
        for row in timings(run):
            sums[row["stage"]] = sums.get(row["stage"], 0) + row["seconds"]
        peak = max(
            (run.manifest(s, j) or {}).get("peak_mb", 0)
            for s in ("policy", "scores", "probes_raw", "verdicts")
            for j in (0, *run.iterations)
        )
        stages = ", ".join(f"{k} {v:.0f}" for k, v in sums.items())
        lines.append(
            f"| {run.settings.seed} | {stages} | {sum(sums.values()) / 60:.1f} min | {peak / 1024:.1f} GB |"
        )
    return lines
