"""Stage compose: D_{j+1} = D_ES + D_EE + D_HPPL + D_seed-new (LoopTool, section 3.6), every row with its origin."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

from looptool_kit.flow import ErrorSeed, chosen, error_seeds, with_decisions
from looptool_kit.records import Expansion, Expansions, Probes, Verdicts
from looptool_kit.run import Run, full_disk_explained, key
from looptool_kit.samples import Frozen, Sample, Samples
from looptool_kit.tables import Table

Part = Literal["ES", "EE", "HPPL", "seed", "unjudged"]
PARTS: tuple[Part, ...] = ("ES", "EE", "HPPL", "seed", "unjudged")
PART_WORDS: dict[str, str] = {
    "ES": "error seeds (ES)",
    "EE": "children of them (EE)",
    "HPPL": "right but unsure (HPPL)",
    "seed": "new seed samples",
    "unjudged": "failed and unjudged",
}
"""The parts of a dataset in words."""


class Member(Frozen):
    """Why a row is in a dataset."""

    sample_id: str
    part: Part
    """ES: error seed; EE: error-driven expansion; HPPL: correct (or both correct) at high perplexity; seed: new from the pool;
    unjudged: failed, but the judge abstained."""
    came_from: str
    """Id of the row of D_j that it is or was made from; for seed rows its own id."""
    why: str


class Members(Table[Member]):
    """One row for each row of a composed dataset, in its order; a row that is repeated has as many."""

    row_type = Member


def compose(
    run: Run, probes: Probes | None = None, verdicts: Verdicts | None = None, expanded: Expansions | None = None, iteration: int | None = None
) -> Samples:
    """The next iteration's dataset, with `members.parquet` beside it; a person's decisions are obeyed here."""
    j = iteration or run.iteration_of(probes)
    samples = run.table(Samples, "samples", j)
    probes = probes if probes is not None else run.table(Probes, "probes", j)
    verdicts = with_decisions(verdicts if verdicts is not None else run.table(Verdicts, "verdicts", j), run.decisions("verdict", j))
    expanded = expanded if expanded is not None else run.table(Expansions, "expansions", j)
    decided = run.decisions("expansion", j)
    settings = run.settings
    more: list[object] = []  # what most runs have nothing of, so that they keep their keys
    if settings.ablation.repeat_error_seeds:
        more.append("repeated")
    if settings.compose.both_correct == "high_perplexity" and any(v.verdict == "BOTH_CORRECT" for v in verdicts):
        more.append(_limit(run, j))
    made_from = key(probes, verdicts, expanded, {row: d.value for row, d in decided.items()}, settings.compose, settings.seeds.fresh, *more)
    if run.done("composition", j, made_from):
        return run.table(Samples, "samples", j + 1)
    started = time.monotonic()
    *before, fresh = settings.seeds.slices(j)
    used = settings.seeds.first + sum(before)
    new = run.table(Samples, "pool", 0, range(used, used + fresh))
    rows, members = _compose(run, j, samples, probes, verdicts, chosen(expanded, decided), new)
    with full_disk_explained(run.path):
        folder = run.folder(j + 1)
        members.write(folder / "members.parquet")
        rows.write(folder / "samples.parquet")
        counts = {part: sum(m.part == part for m in members) for part in PARTS}
        run.finish("composition", j, made_from, started, dataset=f"D{j + 1}", **counts, total=len(rows))
    return rows


def composition(run: Run) -> list[dict[str, object]]:
    """The composition of every dataset so far, as the paper's table: dataset, ES, EE, HPPL, seed, unjudged, total."""
    out: list[dict[str, object]] = []
    for j in run.iterations:
        manifest = run.manifest("composition", j - 1) if j > 1 else None
        if manifest is None:
            count = len(run.table(Samples, "samples", j))
            out.append({"dataset": f"D{j}", "ES": 0, "EE": 0, "HPPL": 0, "seed": count, "unjudged": 0, "total": count})
        else:
            out.append({k: manifest[k] for k in ("dataset", *PARTS, "total")})
    return out


def _compose(
    run: Run, j: int, samples: Samples, probes: Probes, verdicts: Verdicts, children: Sequence[Expansion], new: Samples
) -> tuple[Samples, Members]:
    settings = run.settings
    by_id, probed = samples.by_id(), {p.sample_id: p for p in probes}
    rows: dict[str, Sample] = {}
    members: list[Member] = []

    def join(sample: Sample, part: Part, came_from: str, why: str) -> None:
        if sample.id not in rows:
            rows[sample.id] = sample
            members.append(Member(sample_id=sample.id, part=part, came_from=came_from, why=why))

    seeds = error_seeds(samples, probes, verdicts)
    for seed in seeds:
        join(seed.sample, "ES", seed.probe.sample_id, f"{seed.verdict.verdict} by {seed.verdict.judge}")
    if settings.compose.unjudged == "keep":
        for verdict in verdicts:
            if verdict.status == "unjudged":
                join(by_id[verdict.sample_id], "unjudged", verdict.sample_id, f"kept as it was: {verdict.rationale}")
    standing = {seed.sample.id: seed for seed in seeds}
    repeated: list[ErrorSeed] = []
    for child in children:
        if child.seed_id not in standing:
            continue
        if settings.ablation.repeat_error_seeds:
            repeated.append(standing[child.seed_id])
        else:
            join(child.sample, "EE", child.seed_id, child.strategy)
    limit = _limit(run, j)
    high = [p for p in probes if p.state == "borderline"]
    if settings.compose.both_correct == "high_perplexity":
        high += [probed[v.sample_id] for v in verdicts if v.verdict == "BOTH_CORRECT" and probed[v.sample_id].perplexity > limit]
    for p in sorted(high, key=lambda p: -p.perplexity)[: settings.compose.hppl]:
        join(by_id[p.sample_id], "HPPL", p.sample_id, f"perplexity {p.perplexity:.3f}")
    for sample in new:
        join(sample, "seed", sample.id, "new from the pool")
    for seed in repeated:
        members.append(Member(sample_id=seed.sample.id, part="ES", came_from=seed.probe.sample_id, why="repeated in place of a child"))
    return Samples([*rows.values(), *(seed.sample for seed in repeated)]), Members(members)


def _limit(run: Run, j: int) -> float:
    manifest = run.manifest("probes", j) or {}
    value = manifest.get("threshold")
    return float("inf") if value is None else float(value)
