"""Stage compose: D_{j+1} = D_ES + D_EE + D_HPPL + D_seed-new (+ AUG), every row with its origin.

LoopTool, section 3.6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from looptool_kit.config import Settings
from looptool_kit.core.errors import RunError
from looptool_kit.core.records import (
    OPTIONAL_PARTS,
    PARTS,
    TOKENS,
    Expansion,
    Expansions,
    Frontier,
    Member,
    Members,
    Part,
    Probe,
    Probes,
    Verdicts,
)
from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.tables import Stored, Table, column
from looptool_kit.lineage.error_seeds import INCONSISTENT, all_seeds, chosen, with_decisions
from looptool_kit.run.decisions import Decision
from looptool_kit.run.folder import Run
from looptool_kit.run.inputs import given, iteration_of
from looptool_kit.run.stage import Stage
from looptool_kit.stages.compose.augmented import Choice, augment
from looptool_kit.stages.compose.searching import SETTINGS as SEARCHES
from looptool_kit.stages.compose.searching import searches

PART_WORDS: dict[str, str] = {
    "ES": "error seeds (ES)",
    "EE": "children of them (EE)",
    "HPPL": "right but unsure (HPPL)",
    "seed": "new seed samples",
    "unjudged": "failed and unjudged",
    "AUG": "perturbed (AUG)",
}
"""The parts of a dataset in words."""


def stage(
    run: Run,
    probes: Probes | Stored[Probe],
    verdicts: Verdicts,
    expanded: Expansions,
    decided: Mapping[str, Decision],
    new: Samples,
    j: int,
    augmented: Choice | None = None,
) -> Stage:
    """The stage as it stands and what decides its result.

    `verdicts` are those with people's decisions, `new` the fresh seed samples, those of searches among
    them, `augmented` the perturbed ones.
    """
    inputs: dict[str, Any] = {"decisions": {row: d.value for row, d in decided.items()}}
    if run.settings.compose.both_correct == "high_perplexity" and any(
        v.verdict == "BOTH_CORRECT" for v in verdicts
    ):
        inputs["threshold"] = [_limit(run, j)]
    if run.settings.frontier.seeds:
        inputs["frontier"] = run.table(Frontier, "frontier", j)
    next_one = run.folder(j + 1)
    files = [next_one / "members.parquet", next_one / "samples.parquet"]
    tables = {
        "samples": run.stored(Samples, "samples", j),
        "probes": probes,
        "verdicts": verdicts,
        "expansions": expanded,
        "fresh": new,
    } | ({"augmented": augmented.samples} if augmented else {})
    return Stage(run, "composition", j, files, sections(run.settings), **inputs, **tables)


def sections(settings: Settings) -> tuple[str, ...]:
    """Return the settings that decide what is composed.

    Those of a part that is off decide nothing.
    """
    names: tuple[str, ...] = ("compose", "frontier.seeds")
    names += ("augment",) if settings.augment.perturbations else ()
    return names + SEARCHES if settings.search.share else names


def fresh(run: Run, j: int) -> Samples:
    """The seed samples that are new in D_{j+1}.

    Raises:
        RunError: The pool was not drawn that far.
    """
    *before, count = run.settings.seeds.slices(j)
    used = run.settings.seeds.first + sum(before)
    drawn = (run.manifest("seed", 0) or {}).get("wanted", used + count)
    if drawn < used + count:
        raise RunError(
            f"the seed pool of {run.path} ends before the new samples of D{j + 1}: `looptool seed {run.path}`"
            " or lt.seed(run) draws them."
        )
    return run.table(Samples, "pool", 0, range(used, used + count))


def compose(
    run: Run,
    probes: Probes | None = None,
    verdicts: Verdicts | None = None,
    expanded: Expansions | None = None,
    iteration: int | None = None,
) -> Samples:
    """Compose D_{j+1}, with `members.parquet` beside it; people's decisions are obeyed here.

    Tables that are not given are the run's.

    Raises:
        ValueError: A table has not the rows of the run's, or j is past the last iteration of the settings.
    """
    j = iteration_of(run, probes, verdicts, expanded, iteration=iteration)
    if j > run.settings.iterations:
        raise ValueError(
            f"D{run.settings.iterations + 1} is the last dataset of {run.path} (iterations ="
            f" {run.settings.iterations}). To continue: run.set(iterations={j}), and lt.seed(run) for its new"
            " samples."
        )
    # All rows count in the key, and few are composed: they are not held.
    counted: Probes | Stored[Probe] = (
        run.stored(Probes, "probes", j) if probes is None else given(run, Probes, probes, "probes", j)
    )
    verdicts = with_decisions(given(run, Verdicts, verdicts, "verdicts", j), run.decisions("verdict", j))
    expanded = given(run, Expansions, expanded, "expansions", j)
    decided, new = run.decisions("expansion", j), Samples([*fresh(run, j), *searches(run, j)])
    augmented = augment(run, j, verdicts) if run.settings.augment.perturbations else None
    now = stage(run, counted, verdicts, expanded, decided, new, j, augmented)
    if now.done:
        return run.table(Samples, "samples", j + 1)
    with now.making():
        children, more = chosen(expanded, decided), augmented.samples if augmented else Samples()
        rows, members = _compose(run, j, _needed(run, j, counted, verdicts), verdicts, children, new, more)
        counts: dict[str, Any] = {
            part: sum(m.part == part for m in members)
            for part in PARTS
            if augmented or part not in OPTIONAL_PARTS
        }
        if augmented:
            # What another part has taken already does not join a second time.
            met = len(augmented.samples) - counts["AUG"]
            counts["augment"] = {**augmented.facts, "there_already": met}
        made: dict[Any, Table[Any]] = dict(zip(now.files, (members, rows), strict=True))
        now.finish(made, dataset=f"D{j + 1}", **counts, total=len(rows))
    return rows


def composition(run: Run) -> list[dict[str, object]]:
    """Count the parts of every dataset so far.

    As the paper's table. Columns: dataset, ES, EE, HPPL, seed, unjudged, AUG where a dataset has such
    rows, total.
    """
    out: list[dict[str, object]] = []
    manifests = [run.manifest("composition", j - 1) or {} for j in run.iterations if j > 1]
    parts = [p for p in PARTS if p not in OPTIONAL_PARTS or any(m.get(p) for m in manifests)]
    for j in run.iterations:
        manifest = run.manifest("composition", j - 1) if j > 1 else None
        if manifest is None:
            count = len(column(run.folder(j) / "samples.parquet", "id"))
            out.append(
                {
                    "dataset": f"D{j}",
                    **{part: count if part == "seed" else 0 for part in parts},
                    "total": count,
                }
            )
        else:
            counts = {str(part): manifest.get(part, 0) for part in parts}
            total = manifest.get("total", 0)
            out.append({"dataset": manifest.get("dataset", f"D{j}"), **counts, "total": total})
    return out


def _needed(run: Run, j: int, probes: Probes | Stored[Probe], verdicts: Verdicts) -> Probes:
    """The probes that what joins D_{j+1} is made from, without their tokens.

    They are those of judged, borderline and inconsistent samples.

    Raises:
        RunError: A probe is of another dataset.
    """
    ids = set(column(run.folder(j) / "samples.parquet", "id"))
    probed = column(probes.path, "sample_id") if isinstance(probes, Stored) else [p.sample_id for p in probes]
    if strange := next((id for id in probed if id not in ids), None):
        raise RunError(
            f"the probe of {strange} is of another D{j} than is there now: probe iteration {j} again (the"
            " loop does)."
        )
    if isinstance(probes, Probes):
        return probes
    wanted = {v.sample_id for v in verdicts}
    if run.settings.frontier.seeds:
        wanted |= {m.sample_id for m in run.table(Frontier, "frontier", j) if m.inconsistent}
    needed = {"state": {"borderline"}, "sample_id": wanted}
    return Probes(run.stored(Probes, "probes", j, without=TOKENS, keep=needed))


def _compose(
    run: Run,
    j: int,
    probes: Probes,
    verdicts: Verdicts,
    children: Sequence[Expansion],
    new: Samples,
    perturbed: Samples,
) -> tuple[Samples, Members]:
    settings = run.settings
    high = _high_perplexity(run, j, probes, verdicts)[: settings.compose.hppl]
    judged = {v.sample_id for v in verdicts}
    # Those that are failed or wrong greedily are judged; the others are right, and of these few can join.
    inconsistent = {p.sample_id for p in probes if p.correct} if settings.frontier.seeds else set[str]()
    wanted = judged | inconsistent | {p.sample_id for p in high}
    samples = Samples(run.stored(Samples, "samples", j, keep={"id": wanted}))
    by_id = samples.by_id()
    rows: dict[str, Sample] = {}
    members: list[Member] = []

    def join(sample: Sample, part: Part, came_from: str, why: str) -> None:
        if sample.id not in rows:
            rows[sample.id] = sample
            members.append(Member(sample_id=sample.id, part=part, came_from=came_from, why=why))

    seeds = all_seeds(run, j, samples, probes, verdicts)
    for seed in seeds:
        verdict = seed.verdict
        by_judge = verdict.judge != INCONSISTENT
        why = f"{verdict.verdict} by {verdict.judge}" if by_judge else verdict.rationale
        join(seed.sample, "ES", seed.probe.sample_id, why)
    if settings.compose.unjudged == "keep":
        for verdict in verdicts:
            if verdict.status == "unjudged":
                join(
                    by_id[verdict.sample_id],
                    "unjudged",
                    verdict.sample_id,
                    f"kept as it was: {verdict.rationale}",
                )
    standing = {seed.sample.id: seed for seed in seeds}
    # Of the expander `repeat`: the child is its seed, which is in the dataset once already.
    repeated = [standing[c.seed_id] for c in children if c.seed_id in standing and c.sample.id == c.seed_id]
    for child in children:
        if child.seed_id in standing:
            join(child.sample, "EE", child.seed_id, child.strategy)
    for p in high:
        join(by_id[p.sample_id], "HPPL", p.sample_id, f"perplexity {p.perplexity:.3f}")
    for sample in new:
        join(sample, "seed", sample.id, f"new from {'searches' if sample.source == 'search' else 'the pool'}")
    for sample in perturbed:
        join(sample, "AUG", sample.parent or "", sample.strategy)
    why = "repeated in place of a child"
    members += [
        Member(sample_id=seed.sample.id, part="ES", came_from=seed.probe.sample_id, why=why)
        for seed in repeated
    ]
    return Samples([*rows.values(), *(seed.sample for seed in repeated)]), Members(members)


def _high_perplexity(run: Run, j: int, probes: Probes, verdicts: Verdicts) -> list[Probe]:
    """The probes that may be kept for their perplexity, highest first.

    Labels that call and labels that reply come in turn, each as often as its share of these probes. Their
    perplexities do not compare: a call is spelled in one way, a sentence in many, so the highest of all are
    replies, and a dataset full of them teaches to answer where a call is due.
    """
    limit, probed = _limit(run, j), {p.sample_id: p for p in probes}
    high = [p for p in probes if p.state == "borderline"]
    if run.settings.compose.both_correct == "high_perplexity":
        correct = [probed[v.sample_id] for v in verdicts if v.verdict == "BOTH_CORRECT"]
        high += [p for p in correct if p.perplexity > limit]
    high.sort(key=lambda p: -p.perplexity)
    file = run.folder(j) / "samples.parquet"
    labels = zip(column(file, "id"), column(file, "label"), strict=True)
    calling = {sample_id for sample_id, label in labels if Label.model_validate_json(label).calls}
    place: dict[str, float] = {}
    for calls in (True, False):
        kind = [p for p in high if (p.sample_id in calling) is calls]
        place |= {p.sample_id: (rank + 0.5) / len(kind) for rank, p in enumerate(kind)}
    return sorted(high, key=lambda p: place[p.sample_id])


def _limit(run: Run, j: int) -> float:
    manifest = run.manifest("probes", j) or {}
    value = manifest.get("threshold")
    return float("inf") if value is None else float(value)
