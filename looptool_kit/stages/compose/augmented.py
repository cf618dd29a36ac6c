"""Part AUG of a dataset: perturbed samples that the policy finds hardest (RUIE-Bench, arXiv 2503.03201).

D_aug are the perturbations of D_1, made once a run (`seed/augmented.parquet`). In iteration j the labels of
D_aug are scored under the policy D_j. Of each perturbation the share with the highest loss joins D_{j+1},
half of the share in each further iteration, until the loss on the development samples falls no more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from math import floor
from random import Random
from typing import Any, NamedTuple

from looptool_kit.augment.perturb import names, perturb
from looptool_kit.checks.rules import passes
from looptool_kit.config.strategies import AugmentSettings
from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Verdicts
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.lineage.error_seeds import with_decisions
from looptool_kit.policy.label_loss import LabelLosses, kept_losses
from looptool_kit.policy.lengths import too_long
from looptool_kit.policy.policy import open_engine, policy_of
from looptool_kit.run.folder import Run
from looptool_kit.run.keys import key
from looptool_kit.run.stage import Stage

STRATEGY = "perturb."
"""What `Sample.strategy` begins with in front of the perturbation's name."""
MIN_EXPECTED_ROWS = 0.5
"""A perturbation with fewer rows than this in its share gives none; others give at least one."""
ROUNDING = 1e-9
"""Added before rounding down: .29 of 100 rows are 29."""


class Choice(NamedTuple):
    """The perturbed samples of one iteration."""

    samples: Samples
    facts: dict[str, Any]
    """For the manifest: thresholds, counts, the measure on the development samples."""


def augment(run: Run, j: int, verdicts: Verdicts) -> Choice:
    """Return the perturbed samples that join D_{j+1}.

    Perturbs and scores what has not been.

    Args:
        verdicts: Those of iteration j, with people's decisions.

    Raises:
        ValueError: A perturbation is unknown.
        RunError: The policy D_j does not exist, or has no development scores where accuracy is the measure.
    """
    made = augmented_stage(run)
    if not made.done:
        with made.making():
            rows, counts, left_out = perturbed(run)
            made.finish({"augmented.parquet": rows}, rows=len(rows), counts=counts, left_out=left_out)
    scored = losses_stage(run, j)
    if not scored.done:
        with scored.making():
            losses = _losses(run, scored)
            by_id = {r.sample_id: r.loss for r in losses}
            dev = [by_id[s.id] for s in _development(run) if s.id in by_id]
            mean = sum(dev) / len(dev) if dev else None
            facts = {"rows": len(losses), "development": len(dev), "development_loss": mean}
            scored.finish({"augment_losses.parquet": losses}, **facts)
    return choice(run, j, verdicts)


def augmented_stage(run: Run) -> Stage:
    """D_aug as it stands and what decides it."""
    samples = run.stored(Samples, "samples", 1)
    settings = ("seed", "model", "augment.perturbations")
    return Stage(run, "augmented", 0, ["augmented.parquet"], settings, samples=samples)


def losses_stage(run: Run, j: int) -> Stage:
    """Describe the losses under the policy D_j as a stage.

    As they stand, and what decides them.
    """
    rows, policy = _to_score(run, j), policy_of(run, j).key
    return Stage(run, "augment_losses", j, ["augment_losses.parquet"], samples=rows, policy=policy)


def choice(run: Run, j: int, verdicts: Verdicts) -> Choice:
    """Choose the perturbed samples of D_{j+1} from finished tables.

    See `augment`.
    """
    settings, rows = run.settings.augment, run.table(Samples, "augmented", 0)
    sizes = Counter(_name(s) for s in rows)
    quotas = {n: quota(sizes[n], settings.share, j, settings.halve) for n in names(settings.perturbations)}
    measured = [_measured(run, i) for i in range(1, j + 1)]
    ended = stopped(measured, settings)
    wrong = _wrong(run, j, verdicts)
    left = [s for s in rows if s.id not in wrong and s.parent not in wrong]
    losses = {r.sample_id: r.loss for r in run.table(LabelLosses, "augment_losses", j)}
    if settings.choice == "random":
        order = sorted(left, key=lambda s: s.id)
        Random(f"{run.settings.seed} augment {j}").shuffle(order)
    else:
        order = [] if ended else hardest(left, losses)
    taken = [] if ended else pick(order, quotas, settings.per_sample)
    facts: dict[str, Any] = {
        "choice": settings.choice,
        "perturbations": {
            name: {
                "rows": sizes[name],
                "wanted": quotas[name],
                "chosen": sum(_name(s) == name for s in taken),
                "threshold": min(
                    (losses[s.id] for s in taken if _name(s) == name and s.id in losses), default=None
                ),
            }
            for name in quotas
        },
        "threshold": min((losses[s.id] for s in taken if s.id in losses), default=None),
        "original_judged_wrong": len(rows) - len(left),
        "measure": settings.measure,
        "development": measured[-1],
        "development_before": measured[-2] if j > 1 else None,
        "stopped": ended,
    }
    if ended:
        facts["note"] = (
            f"no perturbed samples join: the {settings.measure} on the development samples improved by less"
            f" than augment.stop = {settings.stop:g}"
        )
    elif measured[-1] is None:
        facts["note"] = (
            "perturbed samples join in every iteration: there are no development samples to stop by"
        )
    elif (short := sum(quotas.values()) - len(taken)) > 0:
        facts["note"] = f"{short} perturbed samples fewer than wanted: augment.per_sample leaves no others"
    return Choice(Samples(s.model_copy(update={"iteration": j}) for s in taken), facts)


# ------------------------------------------------------------- the rules


def quota(rows: int, share: float, j: int, halve: bool = True) -> int:
    """Count the rows of a perturbation that join in iteration j.

    floor(share * rows / 2^(j - 1)). At least one, where the share of the first iteration is half a row or
    more. Without `halve` the share stays.
    """
    first = share * rows
    if first + ROUNDING < MIN_EXPECTED_ROWS:
        return 0
    return max(1, floor(first * 0.5 ** (j - 1 if halve else 0) + ROUNDING))


def hardest(samples: Iterable[Sample], losses: Mapping[str, float]) -> list[Sample]:
    """The samples by falling loss, equals by id."""
    return sorted(samples, key=lambda s: (-losses[s.id], s.id))


def pick(order: Iterable[Sample], quotas: Mapping[str, int], per_sample: int = 1) -> list[Sample]:
    """Take samples in order, up to each perturbation's quota.

    Of one original no more than `per_sample`, over all perturbations.
    """
    left, used = dict(quotas), Counter[str]()
    taken: dict[str, Sample] = {}
    for sample in order:
        name, original = _name(sample), sample.parent or sample.id
        if left.get(name, 0) > 0 and used[original] < per_sample and sample.id not in taken:
            left[name] -= 1
            used[original] += 1
            taken[sample.id] = sample
    return list(taken.values())


def stopped(measured: Sequence[float | None], settings: AugmentSettings) -> bool:
    """Whether some iteration's policy improved too little on the development samples.

    Args:
        measured: Loss or accuracy of D_1, D_2, ...; None where it was not measured, which stops nothing.
    """
    for before, now in pairwise(measured):
        if before is None or now is None:
            continue
        loss = settings.measure == "loss"
        gain = (before - now) / before if loss and before else 0.0 if loss else now - before
        if gain + ROUNDING < settings.stop:
            return True
    return False


# ------------------------------------------------------------ the tables


def perturbed(run: Run) -> tuple[Samples, dict[str, int], dict[str, dict[str, int]]]:
    """Make D_aug, and count what was left out.

    Rows by perturbation, and by perturbation how many were left out, why. Only D_1 is perturbed, so that
    a longer run has the same D_aug. Whatever is in the pool, held out or kept for development already is
    left out. Near-duplicates stay: a perturbed sample is one of its original.
    """
    originals = run.table(Samples, "samples", 1)
    held = [s for n in ("pool", "held_out", "development") for s in run.table(Samples, n, 0, missing_ok=True)]
    known = {s.id for s in (*originals, *held)}
    fault: Callable[[Sample], str] = too_long(run.settings.model)
    rows: list[Sample] = []
    counts: dict[str, int] = {}
    left_out: dict[str, dict[str, int]] = {}
    for name in names(run.settings.augment.perturbations):
        reasons, before = Counter[str](), len(rows)
        for sample in originals.by_id().values():
            other = perturb(name, sample, Random(f"{run.settings.seed} {name} {sample.id}"), originals)
            if other is None:
                reasons["do not apply"] += 1
            elif other.id in known:
                reasons["are there already"] += 1
            elif not passes(other):
                reasons["fail the rule tier"] += 1
            elif fault(other):
                reasons["do not fit the model"] += 1
            else:
                known.add(other.id)
                rows.append(other.model_copy(update={"split": sample.split}))
        counts[name], left_out[name] = len(rows) - before, dict(reasons)
    return Samples(rows), counts, left_out


def _name(sample: Sample) -> str:
    return sample.strategy.removeprefix(STRATEGY)


def _development(run: Run) -> Samples:
    return run.table(Samples, "development", 0, missing_ok=True)


def _to_score(run: Run, j: int) -> Samples:
    """What has to be scored in iteration j: nothing that the settings leave without use."""
    settings = run.settings.augment
    if stopped([_measured(run, i) for i in range(1, j)], settings):
        return Samples()
    rows = list(_development(run)) if settings.measure == "loss" else []
    return Samples([*rows, *(run.table(Samples, "augmented", 0) if settings.choice == "loss" else ())])


def _losses(run: Run, now: Stage) -> LabelLosses:
    """The label losses of what has to be scored: the development samples, then the perturbed ones."""
    j = now.iteration
    return kept_losses(
        run,
        now.name,
        j,
        now.key,
        _to_score(run, j),
        lambda: open_engine(policy_of(run, j), run.settings.probe.batch),
    )


def _measured(run: Run, i: int) -> float | None:
    """Loss or accuracy of the policy D_i on the development samples; None where there are none."""
    if run.settings.augment.measure == "loss":
        value = (run.manifest("augment_losses", i) or {}).get("development_loss")
        return None if value is None else float(value)
    if not _development(run):
        return None
    manifest = run.manifest("development_scores", i) or {}
    of = (manifest.get("made_from") or {}).get("policy")
    if of != key(policy_of(run, i).key) or not {"correct", "rows"} <= manifest.keys():
        raise RunError(
            f"the policy D{i} of {run.path} has no scores on the development samples, by which"
            ' augment.measure = "accuracy" decides: `looptool loop` makes them, or set augment.measure=loss.'
        )
    return float(manifest["correct"]) / max(1, int(manifest["rows"]))


def _wrong(run: Run, j: int, verdicts: Verdicts) -> set[str]:
    """The samples whose label was judged wrong so far: their loss is high for that reason."""
    earlier = (
        v
        for i in range(1, j)
        for v in with_decisions(
            run.table(Verdicts, "verdicts", i, missing_ok=True), run.decisions("verdict", i)
        )
    )
    return {v.sample_id for v in (*earlier, *verdicts) if v.verdict in ("LABEL_WRONG", "BOTH_WRONG")}
