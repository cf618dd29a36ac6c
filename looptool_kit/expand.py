"""Stage expand: new samples that keep an error's pattern and change its scenario (EDDE, LoopTool section 3.5)."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from looptool_kit.dedup import Deduplicator
from looptool_kit.expanders import find_expander
from looptool_kit.flow import ErrorSeed, error_seeds, with_decisions
from looptool_kit.records import Check, Expansion, Expansions, Probes, Verdicts
from looptool_kit.rules import check_sample
from looptool_kit.run import Run, full_disk_explained, key
from looptool_kit.samples import Frozen, Sample, Samples
from looptool_kit.tables import Table


class Candidates(Frozen):
    """All candidates of one seed, as kept between interruptions."""

    rows: tuple[Expansion, ...] = ()


class CandidateTable(Table[Candidates]):
    """One row for each error seed."""

    row_type = Candidates


def expand(run: Run, verdicts: Verdicts | None = None, iteration: int | None = None) -> Expansions:
    """Candidates for every error seed of D_j, each with the checks that it passed; `accepted` ones join D_{j+1}."""
    j = iteration or run.iteration
    samples, probes = run.table(Samples, "samples", j), run.table(Probes, "probes", j)
    verdicts = with_decisions(verdicts if verdicts is not None else run.table(Verdicts, "verdicts", j), run.decisions("verdict", j))
    seeds = error_seeds(samples, probes, verdicts)
    settings = run.settings.expand
    made_from = key([s.sample.id for s in seeds], [[str(f) for f in s.probe.faults] for s in seeds], settings, run.settings.seed)
    if not run.done("expansions", j, made_from):
        started = time.monotonic()
        with full_disk_explained(run.path):
            held_out = run.table(Samples, "held_out", 0)
            wanted = min(settings.children, max(1, settings.most // max(1, len(seeds)))) if settings.children else 0
            plan = [range(i, min(i + 16, len(seeds))) for i in range(0, len(seeds), 16)] if wanted else []

            def work(batch: Sequence[int]) -> CandidateTable:
                return CandidateTable(Candidates(rows=tuple(_candidates(run, seeds[i], wanted, samples, j))) for i in batch)

            made = run.batches("expansions", j, made_from, plan, CandidateTable, work)
            rows = _accept([list(b.rows) for b in made], [*samples, *held_out], wanted, settings.most)
            Expansions(rows).write(run.folder(j) / "expansions.parquet")
            accepted = sum(r.accepted for r in rows)
            run.finish("expansions", j, made_from, started, seeds=len(seeds), candidates=len(rows), accepted=accepted)
    return run.table(Expansions, "expansions", j)


def _candidates(run: Run, seed: ErrorSeed, wanted: int, pool: Samples, j: int) -> list[Expansion]:
    faults = seed.probe.faults
    pattern = str(faults[0]) if faults else ""
    out: list[Expansion] = []
    for name in run.settings.expand.expanders:
        rng = random.Random(f"{run.settings.seed}/{j}/{seed.sample.id}/{name}")
        for child in find_expander(name)(seed.sample, faults, wanted * run.settings.expand.tries, rng, pool):
            child = child.model_copy(update={"iteration": j, "parent": seed.sample.id})
            out.append(
                Expansion(
                    seed_id=seed.sample.id,
                    iteration=j,
                    sample=child,
                    strategy=child.strategy,
                    pattern=pattern,
                    changed=_changed(seed.sample.request, child.request),
                    checks=tuple(check_sample(child)),
                )
            )
    return out


def _accept(candidates: list[list[Expansion]], known: Sequence[Sample], wanted: int, most: int) -> list[Expansion]:
    """Accept the first `wanted` candidates of each seed that pass the rules and are new to seed, siblings, dataset and held-out set."""
    seen = Deduplicator(known)
    rows: list[Expansion] = []
    total = 0
    for group in candidates:
        taken = 0
        for row in group:
            passed = all(c.passed for c in row.checks)
            if passed:
                twin = seen.duplicate_of(row.sample)
                row = row.model_copy(update={"checks": (*row.checks, Check(name="novelty", passed=twin is None, detail=twin or ""))})
                passed = twin is None
            if passed and taken < wanted and total < most:
                seen.add(row.sample)
                taken, total = taken + 1, total + 1
                row = row.model_copy(update={"accepted": True})
            rows.append(row)
    return rows


def _changed(before: str, after: str) -> str:
    """The words that came and went between two requests."""
    old, new = before.split(), after.split()
    gone, came = [w for w in old if w not in new], [w for w in new if w not in old]
    return f"-{' '.join(gone)} +{' '.join(came)}"
