"""All that is not a model call, at growing sizes.

    python benchmarks/bench_scale.py [--sizes 1000 10000 100000] [--quick]

It measures seconds and peak memory of each stage, and how they grow. Each size runs in a process of its own,
on samples of the world that were written to disk and read back, as a run has them. Probes and verdicts are
made up (a third of the samples failed, most of those PRED_WRONG); everything that reads them is the real
thing. The exponent is that of cost = size ^ exponent between the first and the last size: 1 is linear. What
is above it at the last size is memory that no longer fits the processor's caches, Python's collector, which
passes over all rows that are held, and a world whose samples come to resemble each other, so that more pairs
are compared.
"""

from __future__ import annotations

import argparse
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from _measure import Work, compare, measure, verdict

from looptool_kit import world
from looptool_kit.checks.dedup import deduplicate
from looptool_kit.checks.rules import call_errors, check_sample
from looptool_kit.core.grading import grade
from looptool_kit.core.records import Expansions, Probe, Probes, Score, Verdict, Verdicts
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.toolcalls import Answer, match, parse, render_answer

STAGES = (
    "store: write",
    "store: read",
    "match",
    "parse and grade",
    "rules: schema",
    "rules with grounding",
    "deduplicate",
    "compose",
    "report",
)


def probe_rows(samples: Iterable[Sample]) -> Iterator[Probe]:
    """A probe for each sample, at growing perplexity.

    Every third failed (a plain reply or the answer of the sample before), the rest answer as the label.
    """
    before = None
    for i, sample in enumerate(samples):
        other = before.label if before and i % 6 == 0 else sample.label
        text = render_answer(other) if i % 3 or i % 6 == 0 else "Done."
        answer, before = parse(text), sample
        graded = grade(answer, sample.label, sample.tools)
        state = "failed" if not graded.correct else "borderline" if i % 10 == 1 else "mastered"
        yield Probe(
            sample_id=sample.id,
            iteration=1,
            text=text,
            finish_reason="stop",
            tokens=("a",) * 30,
            token_ids=(1,) * 30,
            logprobs=(-0.01 * (i % 90),) * 30,
            perplexity=math.exp(0.01 * (i % 90)),
            match=graded.match,
            correct=graded.correct,
            state=state,
            answer=answer,
            faults=graded.faults,
        )


def verdicts_of(probes: Probes) -> Verdicts:
    """PRED_WRONG for most failed samples, now and then another."""
    names = ("PRED_WRONG", "PRED_WRONG", "BOTH_WRONG", "PRED_WRONG", "BOTH_CORRECT")
    failed = [p for p in probes if p.state == "failed"]
    return Verdicts(
        Verdict(
            sample_id=p.sample_id,
            iteration=1,
            status="judged",
            verdict=names[i % 5],
            rationale="made up",
            judge="benchmark",
        )  # type: ignore[arg-type]
        for i, p in enumerate(failed)
    )


def size(count: int) -> Work:
    """All stages at one size.

    The work returns stage -> (CPU seconds, wall seconds, peak MiB), and the bytes on disk.
    """
    return partial(_stages, count)


def _stages(count: int) -> dict[str, Any]:
    out: dict[str, Any] = {}

    def stage(name: str, work: Callable[[], Any]) -> Any:
        *cost, value = measure(work, collect=False)  # a pass over all rows that are held takes seconds
        out[name] = cost
        return value

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.parquet"
        made = stage("generate", lambda: world.generate(count, seed=1))
        stage("store: write", lambda: made.write(path))
        out["bytes"] = path.stat().st_size
        samples = stage("store: read", lambda: Samples.read(path))
        answers = [Answer.of(s.label) for s in samples]
        texts = [render_answer(s.label) for s in samples]
        assert all(stage("match", lambda: [match(a, s.label) for a, s in zip(answers, samples, strict=True)]))
        graded = stage(
            "parse and grade",
            lambda: [grade(parse(t), s.label, s.tools).match for t, s in zip(texts, samples, strict=True)],
        )
        assert all(graded)
        stage("rules: schema", lambda: [call_errors(c, s.tools) for s in samples for c in s.label.calls])
        passed = stage(
            "rules with grounding", lambda: [all(c.passed for c in check_sample(s)) for s in samples]
        )
        out["pass"] = sum(passed)
        out["duplicates"] = len(stage("deduplicate", lambda: deduplicate(samples)[1]))
        _composed(Path(folder) / "run", path, samples, stage)
    return out


def _composed(folder: Path, written: Path, samples: Samples, stage: Callable[..., Any]) -> None:
    from looptool_kit.report.data import IterationData, ReportData
    from looptool_kit.report.html import write_report
    from looptool_kit.run.folder import Run
    from looptool_kit.stages.compose import compose

    run = Run.create(folder, preset="cpu", compose__hppl=len(samples) // 5)
    probes = Probes(probe_rows(samples))
    verdicts = verdicts_of(probes)
    for name, j in (("pool", 0), ("samples", 1)):
        run.folder(j).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(written, run.folder(j) / f"{name}.parquet")
    for table, name in ((probes, "probes"), (verdicts, "verdicts"), (Expansions(), "expansions")):
        table.write(run.folder(1) / f"{name}.parquet")
    run.finish("probes", 1, "benchmark", time.monotonic(), threshold=1.5)
    stage("compose", lambda: compose(run, probes, verdicts, Expansions(), iteration=1))
    scores = [
        Score(
            sample_id=p.sample_id,
            suite="held-out",
            split="train",
            kind="single",
            policy="it1",
            correct=p.correct,
        )
        for p in probes
    ]
    data = ReportData(
        "benchmark",
        iterations=[IterationData(samples=samples, probes=probes, verdicts=verdicts, threshold=1.5)],
        scores=scores,
    )
    stage("report", lambda: write_report(data, folder / "report.html"))


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    ask.add_argument("--quick", action="store_true", help="100 and 200 samples")
    args = ask.parse_args()
    sizes = [100, 200] if args.quick else args.sizes
    found = {n: compare({"ours": partial(size, n)}, rounds=1)["ours"].value for n in sizes}
    small, large = sizes[0], sizes[-1]
    print(
        "| stage | " + " | ".join(f"{n:,}: CPU s | wall s | peak MiB" for n in sizes) + " | exponent of CPU |"
    )
    print("| --- |" + " --- | --- | --- |" * len(sizes) + " --- |")
    worst = 0.0
    for name in ("generate", *STAGES):
        cells = [
            f"{cpu:.3g} | {wall:.3g} | {peak:,.0f}" for cpu, wall, peak in (found[n][name] for n in sizes)
        ]
        growth = (
            math.log(found[large][name][0] / max(found[small][name][0], 1e-9)) / math.log(large / small)
            if large != small
            else math.nan
        )
        if found[large][name][0] > 1:  # what takes less is fixed cost and noise
            worst = max(worst, growth)
        print(f"| {name} | {' | '.join(cells)} | {growth:.2f} |")
    for n in sizes:
        facts = f"{found[n]['pass']:,} pass the rules; {found[n]['duplicates']:,} near-duplicates"
        print(f"- {n:,}: {found[n]['bytes'] / n:,.0f} bytes a sample on disk; {facts}")
    print(verdict("largest exponent among the stages of more than a CPU second", worst, 1.1, "", most=True))
    peak = max(found[large][name][2] for name in STAGES)
    print(
        f"- largest peak at {large:,} samples: {peak:,.0f} MiB; it grows with the samples that are held in"
        " memory"
    )


if __name__ == "__main__":
    main()
