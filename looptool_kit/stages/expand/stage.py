"""Stage expand: new samples that keep an error's pattern and change its scenario.

EDDE (LoopTool, section 3.5).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from looptool_kit.checks import contamination
from looptool_kit.checks.dedup import Deduplicator
from looptool_kit.checks.experts import label_checks
from looptool_kit.checks.rules import check_sample
from looptool_kit.core.records import Check, Expansion, Expansions, Probes, Verdicts
from looptool_kit.core.samples import Frozen, Sample, Samples
from looptool_kit.core.tables import Table
from looptool_kit.lineage.error_seeds import ErrorSeed, all_seeds, with_decisions
from looptool_kit.run.folder import Run
from looptool_kit.run.inputs import given, iteration_of
from looptool_kit.run.stage import Stage
from looptool_kit.stages.expand import Candidate, find_expander

WRITERS = ("generator_llm", "judge_llm", "check")
"""The settings that decide what a model writes, and which of it the judge accepts."""
BATCH = 16
"""Error seeds whose children are kept at once."""


class Candidates(Frozen):
    """All candidates of one seed, as kept between interruptions."""

    rows: tuple[Expansion, ...] = ()


class CandidateTable(Table[Candidates]):
    """One row for each error seed."""

    row_type = Candidates


def stage(run: Run, seeds: Sequence[ErrorSeed], j: int) -> Stage:
    """The stage as it stands and what decides its result."""
    settings, told = ["expand", "seed", "contamination"], []
    expanders = [find_expander(name) for name in run.settings.expand.expanders]
    settings += [name for expander in expanders for name in getattr(expander, "SETTINGS", ())]
    if not all(expander.EXACT_LABELS for expander in expanders):
        settings += WRITERS
        told = [[s.verdict.rationale, s.probe.answer.model_dump(mode="json")] for s in seeds]
    wrong = [[s.sample.id, *(str(f) for f in s.probe.faults)] for s in seeds]
    inputs: dict[str, Any] = {"samples": run.table(Samples, "samples", j), "held_out": held_out(run)}
    for expander in expanders:
        inputs |= getattr(expander, "inputs", _nothing)(run, j)
    return Stage(run, "expansions", j, ["expansions.parquet"], settings, error_seeds=[wrong, told], **inputs)


def seeds_of(run: Run, verdicts: Verdicts, j: int) -> list[ErrorSeed]:
    """The error seeds of iteration j, people's decisions obeyed."""
    samples, probes = run.table(Samples, "samples", j), run.table(Probes, "probes", j)
    return all_seeds(run, j, samples, probes, with_decisions(verdicts, run.decisions("verdict", j)))


def held_out(run: Run) -> Samples:
    """Return the samples that no child may repeat.

    They are the held-out ones and the development ones.
    """
    development = run.table(Samples, "development", 0, missing_ok=True)
    return Samples([*run.table(Samples, "held_out", 0), *development])


def expand(
    run: Run, verdicts: Verdicts | None = None, iteration: int | None = None, again: bool = False
) -> Expansions:
    """Write candidates for every error seed of D_j, with their checks.

    The accepted ones join D_{j+1}.

    Args:
        verdicts: All of iteration j; None takes the run's.
        iteration: j, where the verdicts do not tell.
        again: Expand once more although the stage has finished. Paid answers come from the store, so only
            calls that failed are made, and what follows from them.

    Raises:
        ValueError: The verdicts are not those of the run, or an expander does not exist.
    """
    j = iteration_of(run, verdicts, iteration=iteration)
    seeds = seeds_of(run, given(run, Verdicts, verdicts, "verdicts", j), j)
    now = stage(run, seeds, j)
    if again or not now.done:
        with now.making():
            rows, unusable = _expand(now, seeds)
            for name, seed_id, candidate in unusable:
                run.reject(f"expander {name}, seed {seed_id}", 0, candidate.raw, candidate.checks[0].detail)
            facts = {"accepted": sum(r.accepted for r in rows), "unusable_answers": len(unusable)}
            for name in run.settings.expand.expanders:  # several may count the same
                for fact, value in getattr(find_expander(name), "facts", _nothing)(seeds, run).items():
                    facts[fact] = facts.get(fact, 0) + value
            if generated := sum(r.generated for r in rows):
                facts["generated"] = facts.get("generated", 0) + generated
            now.finish(
                {"expansions.parquet": Expansions(rows)}, seeds=len(seeds), candidates=len(rows), **facts
            )
    return run.table(Expansions, "expansions", j)


def _nothing(*_: Any) -> dict[str, Any]:
    """What most expanders add to the inputs and to the facts."""
    return {}


def _expand(
    now: Stage, seeds: Sequence[ErrorSeed]
) -> tuple[list[Expansion], list[tuple[str, str, Candidate]]]:
    """All rows, and the unusable answers of models (expander, seed id, answer)."""
    run, j = now.run, now.iteration
    settings = run.settings.expand
    share = max(1, settings.most // max(1, len(seeds)))
    wanted = min(settings.children, share) if settings.children else 0
    samples = run.table(Samples, "samples", j)

    def work(batch: Sequence[int]) -> CandidateTable:
        made = _exact(run, [seeds[i] for i in batch], wanted, samples, j)
        return CandidateTable(Candidates(rows=tuple(rows)) for rows in made)

    at_once = any(getattr(find_expander(name), "AT_ONCE", False) for name in settings.expanders)
    size = max(1, len(seeds)) if at_once else BATCH
    plan = [range(i, min(i + size, len(seeds))) for i in range(0, len(seeds), size)] if wanted else []
    made = run.batches("expansions", j, now.key, plan, CandidateTable, work)
    groups = [list(candidates.rows) for candidates in made] or [[] for _ in seeds]
    others = [*samples, *held_out(run)]
    unusable = []
    for name in settings.expanders:
        if not find_expander(name).EXACT_LABELS:
            unusable += _written(run, name, seeds, groups, wanted, samples, others, j)
    return _accept(groups, others, wanted, settings.most), unusable


def _exact(run: Run, seeds: Sequence[ErrorSeed], wanted: int, pool: Samples, j: int) -> list[list[Expansion]]:
    """Each seed's candidates of all expanders whose labels are exact, checked."""
    groups: list[list[Expansion]] = [[] for _ in seeds]
    k = [wanted * run.settings.expand.tries] * len(seeds)
    for name in run.settings.expand.expanders:
        if (expander := find_expander(name)).EXACT_LABELS:
            rngs = [random.Random(f"{run.settings.seed}/{j}/{seed.sample.id}/{name}") for seed in seeds]
            made = expander.candidates(seeds, k, rngs, pool, run)
            for group, seed, candidates in zip(groups, seeds, made, strict=True):
                group += [row for c in candidates if (row := _expansion(run, seed, c, j))]
    return groups


def _expansion(run: Run, seed: ErrorSeed, candidate: Candidate, j: int) -> Expansion | None:
    """The row of a candidate with all checks but the stage's own novelty and judge.

    None where the expander could not read the model's answer.
    """
    if candidate.sample is None:
        return None
    child = candidate.sample
    checks = (*candidate.checks, *check_sample(child))
    if known := contamination.read_if_set(run.settings.contamination):
        checks += (contamination.check_sample(child, known),)
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
        group=candidate.group,
        generated=candidate.generated,
    )


def _written(
    run: Run,
    name: str,
    seeds: Sequence[ErrorSeed],
    groups: list[list[Expansion]],
    wanted: int,
    pool: Samples,
    others: Sequence[Sample],
    j: int,
) -> list[tuple[str, str, Candidate]]:
    """Ask an expander for the children still missing, judged, and add them to `groups`.

    It is asked up to `expand.tries` times. Returns the answers that could not be used.
    """
    settings = run.settings.expand
    unusable: list[tuple[str, str, Candidate]] = []
    for attempt in range(settings.tries):
        missing = _missing(groups, others, wanted, settings.most)
        if not missing:
            break
        asked = [seeds[i] for i in missing]
        rngs = [random.Random(f"{run.settings.seed}/{j}/{s.sample.id}/{name}/{attempt}") for s in asked]
        made = find_expander(name).candidates(asked, list(missing.values()), rngs, pool, run)
        fresh: list[tuple[int, Expansion]] = []
        for i, candidates in zip(missing, made, strict=True):
            for candidate in candidates:
                row = _expansion(run, seeds[i], candidate, j)
                if row is None:
                    unusable.append((name, seeds[i].sample.id, candidate))
                else:
                    fresh.append((i, row))
        for i, row in _judged(run, fresh, j):
            groups[i].append(row)
    return unusable


def _missing(
    groups: list[list[Expansion]], others: Sequence[Sample], wanted: int, most: int
) -> dict[int, int]:
    """Seed number -> how many children it lacks beside those accepted now, `most` in all."""
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
    """The rows with the judge's checks on those that passed all others."""
    endpoint = run.settings.judge_llm or run.settings.generator_llm
    asked = [row.sample for _, row in rows if _passed(row)]
    if endpoint is None or not asked:
        return list(rows)
    checks = iter(
        label_checks(
            asked,
            endpoint,
            run.path / "calls.sqlite",
            f"judge children {j}",
            run.settings.calls.most,
            run.settings.check.experts,
        )
    )
    return [
        (i, row.model_copy(update={"checks": (*row.checks, *next(checks))}) if _passed(row) else row)
        for i, row in rows
    ]


def _passed(row: Expansion) -> bool:
    return all(c.passed for c in row.checks)


def _accept(
    candidates: list[list[Expansion]], known: Sequence[Sample], wanted: int, most: int
) -> list[Expansion]:
    """Accept the first `wanted` candidates of each seed that pass all checks.

    They are new to seed, siblings, dataset and held-out set; an expander's own check `novelty` exempts a row.
    A group is accepted as a whole, so that a seed may get more than `wanted`, never more than `most` in all.
    """
    seen = Deduplicator(known)
    rows: list[Expansion] = []
    total = 0
    for group in candidates:
        taken = 0
        units: dict[str | int, list[Expansion]] = {}
        for number, row in enumerate(group):
            units.setdefault(row.group or number, []).append(row)
        for unit in units.values():
            checked = _together([_novel(row, seen) for row in unit])
            fits = taken < wanted and total + len(checked) <= most
            if fits and all(map(_passed, checked)):
                checked = [row.model_copy(update={"accepted": True}) for row in checked]
                for row in checked:
                    seen.add(row.sample)
                taken, total = taken + len(checked), total + len(checked)
            rows += checked
    return rows


def _novel(row: Expansion, seen: Deduplicator) -> Expansion:
    """The row, with the check of what is known already, where it passed all others."""
    if not _passed(row) or any(c.name == "novelty" for c in row.checks):
        return row
    twin = seen.duplicate_of(row.sample)
    check = Check(name="novelty", passed=twin is None, detail=twin or "")
    return row.model_copy(update={"checks": (*row.checks, check)})


def _together(unit: list[Expansion]) -> list[Expansion]:
    """The rows of a group: where one fails, so do the others, and say so."""
    if all(map(_passed, unit)):
        return unit
    check = Check(name="group", passed=False, detail="another step of it failed a check")
    return [row.model_copy(update={"checks": (*row.checks, check)}) if _passed(row) else row for row in unit]


def _changed(before: str, after: str) -> str:
    """The words that came and went between two requests."""
    old, new = before.split(), after.split()
    gone, came = [w for w in old if w not in new], [w for w in new if w not in old]
    return f"-{' '.join(gone)} +{' '.join(came)}"
