"""The suite `acebench`: greedy answers of a policy to ACEBench's normal and special entries, scored by its
own rules and, beside them, strictly.

The data is the user's checkout, named in the environment variable LOOPTOOL_ACEBENCH; it is for evaluation
only. For each category a table in the run folder, `acebench/<language>/<category>.parquet`, one row an entry,
and what failed, as for `bfcl`. `correct` is the verdict of the benchmark's own script (`acebench_check`,
which lists its leniencies); `extra` holds `strict`, for special categories `no_call`, and the `unit` that
counts as one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from looptool_kit.core.records import Probe, Probes, Score, Scores
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.stats import Share, weighted
from looptool_kit.core.terminal import cell
from looptool_kit.core.toolcalls import grade, parse
from looptool_kit.policy.engines import Completion, Sampling
from looptool_kit.policy.engines.prompts import fits
from looptool_kit.policy.policy import Policy, open_engine
from looptool_kit.run.folder import Run, full_disk_explained
from looptool_kit.run.stage import Stage
from looptool_kit.stages.evaluate.acebench import check, labels
from looptool_kit.stages.evaluate.acebench.labels import Entry
from looptool_kit.stages.evaluate.bfcl import chosen

__all__ = ["evaluate", "failures", "print_scores", "setup"]

SUITE = "acebench"
MAX_NEW_TOKENS = 1024
"""Length limit of one answer: calls with nested objects, in Chinese, are long. One that is cut there counts
as no call.
"""
TOTALS = ("atom", "single_turn", "multi_turn", "normal", "special", "overall")


class CategoryScore(NamedTuple):
    """A policy in one category. What is counted is dialogues in the multi-turn categories, entries elsewhere."""

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
    """Several categories of one language in one figure, by the benchmark's weights
    (`acebench_labels.shares`).
    """

    language: str
    name: str
    """One of `TOTALS`. `overall` is the benchmark's summary without its agent part, the weights of the rest
    made to add up to 1.
    """
    official: Share
    strict: Share


def setup() -> Path:
    """Where the user's checkout lies. Nothing is fetched: `FileNotFoundError` says what to do."""
    return labels.checkout()


def evaluate(
    run: Run, policy: Policy, categories: list[str] | None = None, per_category: int | None = None
) -> Scores:
    """The policy's scores in the named categories or groups (default: all), one row an entry; done once for
    each policy and choice.

    With `per_category`, that many of each category (dialogues in the multi-turn ones), the same ones for
    every policy and run. Stopped, it goes on with the next batch. Raises `ValueError` for an unknown category
    or a malformed file, `FileNotFoundError` where there is no checkout.
    """
    wanted, root = labels.categories(categories), labels.checkout()
    rows: list[Score] = []
    with full_disk_explained(run.path):
        for category in wanted:
            rows += _category(
                run, policy, category, _choice(labels.entries(root, category), category, per_category)
            )
    return Scores(rows)


def _choice(found: list[Entry], category: str, per_category: int | None) -> list[Entry]:
    units = list(dict.fromkeys(e.unit for e in found))
    kept = {units[i] for i in chosen(len(units), category, per_category)}
    return [e for e in found if e.unit in kept]


def _category(run: Run, policy: Policy, category: str, found: Sequence[Entry]) -> Scores:
    j, name = policy.iteration, f"{SUITE}/{category}"
    samples = [labels.sample_of(e) for e in found]
    files = [f"{name}.failed.samples.parquet", f"{name}.failed.probes.parquet", f"{name}.parquet"]
    entries = [[e._asdict() for e in found], MAX_NEW_TOKENS]
    now = Stage(run, name, j, files, samples=Samples(samples), entries=entries, policy=policy.key)
    if now.done:
        return run.table(Scores, name, j)
    with now.making():
        engine = open_engine(policy, run.settings.probe.batch)
        fitting = [i for i, s in enumerate(samples) if fits(engine, s)]
        too_long = sorted(set(range(len(samples))) - set(fitting))
        plan = [[fitting[i] for i in batch] for batch in engine.plan([samples[i] for i in fitting])] + (
            [too_long] if too_long else []
        )

        def work(batch: Sequence[int]) -> Scores:
            if list(batch) == too_long:
                return Scores(_score(found[i], None, policy.name) for i in batch)
            said = engine.generate([samples[i] for i in batch], Sampling(MAX_NEW_TOKENS))
            return Scores(
                _score(found[i], completion, policy.name)
                for i, (completion,) in zip(batch, said, strict=True)
            )

        scores = run.batches(name, j, now.key, plan, Scores, work)
        failed = [(sample, score) for sample, score in zip(samples, scores, strict=True) if not score.correct]
        tables = (
            Samples(sample for sample, _ in failed),
            Probes(_probe(sample, score, j) for sample, score in failed),
            scores,
        )
        facts = {"policy": policy.name, "correct": sum(s.correct for s in scores), "rows": len(scores)}
        now.finish(dict(zip(files, tables, strict=True)), **facts)
    return run.table(Scores, name, j)


def _score(entry: Entry, said: Completion | None, policy: str) -> Score:
    """The row of one entry; None: the prompt fills the model's context."""
    kind = "special" if "special" in entry.category else "normal"
    extra: dict[str, JsonValue] = {
        "unit": entry.unit,
        "strict": False,
        **({"no_call": False} if kind == "special" else {}),
    }
    error = "context"
    if said is not None:
        verdict = check.official(entry, said.text, said.finish_reason)
        error = verdict.error_type
        extra["checker"] = list(verdict.errors)
        extra["strict"] = check.strict(entry, said.text, said.finish_reason)
        extra["finish_reason"] = said.finish_reason
        extra["perplexity"] = math.exp(-sum(said.logprobs) / max(1, len(said.logprobs)))
        if kind == "special":
            extra["no_call"] = check.no_call(parse(said.text, said.finish_reason))
    text, correct = said.text if said else "", not error
    return Score(
        sample_id=entry.id,
        suite=SUITE,
        split=entry.category,
        kind=kind,
        policy=policy,
        correct=correct,
        text=text,
        error=error,
        extra=extra,
    )


def _probe(sample: Sample, score: Score, iteration: int) -> Probe:
    """What failed, as the views take it; the faults are those against the first alternative of the label."""
    cut = score.extra.get("finish_reason") == "length"
    answer = parse(score.text, "length" if cut else "stop")
    return Probe(
        sample_id=sample.id,
        iteration=iteration,
        text=score.text,
        finish_reason="length" if cut else "stop",
        perplexity=float(str(score.extra.get("perplexity", 1.0))),
        match=False,
        correct=False,
        state="failed",
        answer=answer,
        faults=grade(answer, sample.label, sample.tools).faults,
    )


def failures(run: Run, policy: Policy, category: str | None = None) -> tuple[Probes, Samples]:
    """(probes, samples) of the entries that a policy failed by the official rule, of a category or group or
    of all that were evaluated: `ProbeView(*failures(run, policy))`.
    """
    j = policy.iteration
    names = [
        f"{SUITE}/{c}.failed"
        for c in labels.categories([category] if category else None)
        if run.manifest(f"{SUITE}/{c}", j)
    ]
    probes = Probes(p for n in names for p in run.table(Probes, f"{n}.probes", j))
    return probes, Samples({s.id: s for n in names for s in run.table(Samples, f"{n}.samples", j)}.values())


# --------------------------------------------------------------- figures


def by_category(scores: Scores) -> list[CategoryScore]:
    """What was right in each category, in the benchmark's order; a dialogue is right where all its steps are."""
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
    """The figures of each language over several categories; those of which a category was not evaluated are
    left out.
    """
    found = {r.category: r for r in rows}
    out = []
    for language in labels.LANGUAGES:
        for name in TOTALS:
            shares = {f"{language}/{c}": share for c, share in labels.shares(name).items()}
            if shares.keys() <= found.keys():
                parts = [(share / sum(shares.values()), found[c]) for c, share in shares.items()]
                official, strict = (
                    weighted((share, k, r.n) for share, r in parts for k in [getattr(r, rule)])
                    for rule in ("official", "strict")
                )
                out.append(Total(language, name, official, strict))
    return out


def print_scores(scores: Scores, policy: str) -> None:
    """The categories and the languages' totals, on the terminal."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table as Grid

    rows = by_category(scores)
    grid = Grid(
        title=f"ACEBench, policy {policy}: by its own script's rules, and strictly (95% intervals)",
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
