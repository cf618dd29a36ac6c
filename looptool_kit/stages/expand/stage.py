"""Stage expand: new samples that keep an error's pattern and change its scenario (EDDE, LoopTool section
3.5).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from looptool_kit.checks import contamination
from looptool_kit.checks.dedup import Deduplicator
from looptool_kit.checks.label import check_labels
from looptool_kit.checks.rules import check_sample
from looptool_kit.core.records import Check, Expansion, Expansions, Probes, Verdicts
from looptool_kit.core.samples import Frozen, Sample, Samples
from looptool_kit.core.tables import Table
from looptool_kit.lineage.error_seeds import ErrorSeed, error_seeds, with_decisions
from looptool_kit.run.folder import Run
from looptool_kit.run.stage import Stage, given
from looptool_kit.stages.expand import WRITERS, Candidate, find_batch_expander, find_expander


class Candidates(Frozen):
    """All candidates of one seed, as kept between interruptions."""

    rows: tuple[Expansion, ...] = ()


class CandidateTable(Table[Candidates]):
    """One row for each error seed."""

    row_type = Candidates


def stage(run: Run, seeds: Sequence[ErrorSeed], j: int) -> Stage:
    """The stage as it stands and what decides its result."""
    settings, told = ["expand", "seed", "contamination"], []
    if any(map(find_batch_expander, run.settings.expand.expanders)):
        settings += WRITERS
        told = [[s.verdict.rationale, s.probe.answer.model_dump(mode="json")] for s in seeds]
    wrong = [[s.sample.id, *(str(f) for f in s.probe.faults)] for s in seeds]
    samples, held_out = run.table(Samples, "samples", j), run.table(Samples, "held_out", 0)
    inputs = {"samples": samples, "held_out": Samples([*held_out, *_development(run)])}
    return Stage(run, "expansions", j, ["expansions.parquet"], settings, error_seeds=[wrong, told], **inputs)


def seeds_of(run: Run, verdicts: Verdicts, j: int) -> list[ErrorSeed]:
    """The error seeds of iteration j, people's decisions obeyed."""
    samples, probes = run.table(Samples, "samples", j), run.table(Probes, "probes", j)
    return error_seeds(samples, probes, with_decisions(verdicts, run.decisions("verdict", j)))


def _development(run: Run) -> Samples:
    path = run.folder(0) / "development.parquet"
    return Samples.read(path) if path.exists() else Samples()


def expand(
    run: Run, verdicts: Verdicts | None = None, iteration: int | None = None, again: bool = False
) -> Expansions:
    """Candidates for every error seed of D_j, each with the checks that it passed; `accepted` ones join
    D_{j+1}.

    `again` expands once more although the stage has finished: paid answers come from the store, so calls that
    failed are made, and what follows. Raises `ValueError` where not all verdicts are given.
    """
    j = run.iteration_of(verdicts, said=iteration)
    seeds, settings = seeds_of(run, given(run, Verdicts, verdicts, "verdicts", j), j), run.settings.expand
    now = stage(run, seeds, j)
    if again or not now.done:
        with now.making():
            samples, held_out = run.table(Samples, "samples", j), run.table(Samples, "held_out", 0)
            wanted = (
                min(settings.children, max(1, settings.most // max(1, len(seeds))))
                if settings.children
                else 0
            )
            plan = [range(i, min(i + 16, len(seeds))) for i in range(0, len(seeds), 16)] if wanted else []

            def work(batch: Sequence[int]) -> CandidateTable:
                return CandidateTable(
                    Candidates(rows=tuple(_candidates(run, seeds[i], wanted, samples, j))) for i in batch
                )

            made = run.batches("expansions", j, now.key, plan, CandidateTable, work)
            groups = [list(b.rows) for b in made] or [[] for _ in seeds]
            others = [*samples, *held_out, *_development(run)]
            in_batches = [name for name in settings.expanders if find_batch_expander(name)]
            unusable = [
                u for name in in_batches for u in _ask(run, name, seeds, groups, wanted, samples, others, j)
            ]
            rows = _accept(groups, others, wanted, settings.most)
            for name, seed_id, candidate in unusable:
                run.reject(f"expander {name}, seed {seed_id}", 0, candidate.raw, candidate.checks[0].detail)
            facts = {"accepted": sum(r.accepted for r in rows), "unusable_answers": len(unusable)}
            now.finish(
                {"expansions.parquet": Expansions(rows)}, seeds=len(seeds), candidates=len(rows), **facts
            )
    return run.table(Expansions, "expansions", j)


def _candidates(run: Run, seed: ErrorSeed, wanted: int, pool: Samples, j: int) -> list[Expansion]:
    out: list[Expansion] = []
    known = contamination.read(run.settings.contamination) if run.settings.contamination else None
    for name in run.settings.expand.expanders:
        if not find_batch_expander(name):
            rng = random.Random(f"{run.settings.seed}/{j}/{seed.sample.id}/{name}")
            children = find_expander(name)(
                seed.sample, seed.probe.faults, wanted * run.settings.expand.tries, rng, pool
            )
            for child in children:
                guard = (contamination.check_sample(child, known),) if known else ()
                out.append(_expansion(seed, child, j, (*check_sample(child), *guard)))
    return out


def _expansion(seed: ErrorSeed, child: Sample, j: int, checks: tuple[Check, ...]) -> Expansion:
    child = child.model_copy(update={"iteration": j, "parent": seed.sample.id})
    faults = seed.probe.faults
    return Expansion(
        seed_id=seed.sample.id,
        iteration=j,
        sample=child,
        strategy=child.strategy,
        pattern=str(faults[0]) if faults else "",
        changed=_changed(seed.sample.request, child.request),
        checks=checks,
    )


def _ask(
    run: Run,
    name: str,
    seeds: Sequence[ErrorSeed],
    groups: list[list[Expansion]],
    wanted: int,
    pool: Samples,
    others: Sequence[Sample],
    j: int,
) -> list[tuple[str, str, Candidate]]:
    """Ask an expander that works in batches for the children still missing, as many times as the settings
    say, and add them to `groups`.

    Each child passes the expander's own checks, the rules, the contamination guard and then the judge.
    Returns the answers that are no samples.
    """
    write = find_batch_expander(name)
    assert write is not None
    known = contamination.read(run.settings.contamination) if run.settings.contamination else None
    unusable: list[tuple[str, str, Candidate]] = []
    for attempt in range(run.settings.expand.tries):
        missing = _missing(groups, others, wanted, run.settings.expand.most)
        if not missing:
            break
        rngs = [
            random.Random(f"{run.settings.seed}/{j}/{seeds[i].sample.id}/{name}/{attempt}") for i in missing
        ]
        written = write([seeds[i] for i in missing], list(missing.values()), rngs, pool, run)
        fresh: list[tuple[int, Expansion]] = []
        for i, candidate in ((i, c) for i, made in zip(missing, written, strict=True) for c in made):
            if candidate.sample is None:
                unusable.append((name, seeds[i].sample.id, candidate))
                continue
            guard = (contamination.check_sample(candidate.sample, known),) if known else ()
            fresh.append(
                (
                    i,
                    _expansion(
                        seeds[i],
                        candidate.sample,
                        j,
                        (*candidate.checks, *check_sample(candidate.sample), *guard),
                    ),
                )
            )
        for i, row in _judged(run, fresh, j):
            groups[i].append(row)
    return unusable


def _missing(
    groups: list[list[Expansion]], others: Sequence[Sample], wanted: int, most: int
) -> dict[int, int]:
    """Seed number -> how many more children it should get beside those that would be accepted now, `most` in
    all.
    """
    accepted = iter(_accept(groups, others, wanted, most))
    have = [sum(next(accepted).accepted for _ in rows) for rows in groups]
    room = most - sum(have)
    missing: dict[int, int] = {}
    for i, n in enumerate(have):
        if n < wanted and room > 0:
            missing[i] = min(wanted - n, room)
            room -= missing[i]
    return missing


def _judged(run: Run, rows: Sequence[tuple[int, Expansion]], j: int) -> list[tuple[int, Expansion]]:
    """The rows with the judge's check on those that passed all others."""
    endpoint = run.settings.judge_llm or run.settings.generator_llm
    asked = [row.sample for _, row in rows if _passed(row)]
    if endpoint is None or not asked:
        return list(rows)
    checks = iter(
        check_labels(
            asked, endpoint, run.path / "calls.sqlite", f"judge children {j}", run.settings.calls.most
        )
    )
    return [
        (i, row.model_copy(update={"checks": (*row.checks, next(checks))}) if _passed(row) else row)
        for i, row in rows
    ]


def _passed(row: Expansion) -> bool:
    return all(c.passed for c in row.checks)


def _accept(
    candidates: list[list[Expansion]], known: Sequence[Sample], wanted: int, most: int
) -> list[Expansion]:
    """Accept the first `wanted` candidates of each seed that pass the rules and are new to seed, siblings,
    dataset and held-out set.
    """
    seen = Deduplicator(known)
    rows: list[Expansion] = []
    total = 0
    for group in candidates:
        taken = 0
        for row in group:
            passed = _passed(row)
            if passed:
                twin = seen.duplicate_of(row.sample)
                row = row.model_copy(
                    update={
                        "checks": (*row.checks, Check(name="novelty", passed=twin is None, detail=twin or ""))
                    }
                )
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
