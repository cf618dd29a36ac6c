"""Stage frontier: what pi_j gets right sometimes, by several rollouts of each sample of D_j.

It runs after the probe, where a setting of `[frontier]` asks for it. GRPO's own rollouts of the iteration are
used again. RODS (arXiv 2606.19047) trains where the mean reward is neither near 0 nor near 1, since there the
gradient is; InfTool (arXiv 2512.23611) takes what is answered inconsistently as seeds of new data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from looptool_kit.core.grading import Fault, consistency, grade
from looptool_kit.core.records import Frontier, Measured, Place, Rollout
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.wire.form import PROJECTS, WireForm
from looptool_kit.policy.engines import Engine, Sampling
from looptool_kit.policy.policy import open_engine, policy_of
from looptool_kit.policy.recorded_form import of_run
from looptool_kit.policy.rollouts import of_grpo, sampled
from looptool_kit.run.folder import Run
from looptool_kit.run.inputs import iteration_of
from looptool_kit.run.stage import Stage
from looptool_kit.stages.train.rewards import find_reward

NAME = "frontier"
ZONE = (0.20, 0.85)
"""Pass rates, both included, from which a group has the most gradient (RODS)."""
RETIRED = 0.95
"""The pass rate above which there is nothing left to learn (RODS)."""


def stage(run: Run, samples: Samples, j: int) -> Stage:
    """The stage as it stands and what decides its result."""
    settings = ["frontier.n", "frontier.temperature", "grpo.max_new_tokens", "reward.name", "seed"]
    policy = policy_of(run, j).key
    return Stage(run, NAME, j, [f"{NAME}.parquet"], settings, samples=samples, policy=policy)


def wanted(run: Run) -> bool:
    """Tell whether the loop measures the frontier.

    A setting of `[frontier]` that uses the table is on.
    """
    return run.settings.frontier.prompts or run.settings.frontier.seeds


def frontier(run: Run, iteration: int | None = None) -> Frontier:
    """Measure every sample of D_j by rollouts of pi_j.

    Each is asked `frontier.n` times. A sample that GRPO asked at least four times in one step of this
    iteration is not asked again, where GRPO samples at the same temperature. The manifest says how many
    were, and how many tokens were `generated`.

    Args:
        run: Gets `frontier.parquet`.
        iteration: j; None takes the newest.
    """
    j = iteration_of(run, iteration=iteration)
    samples = Samples(run.table(Samples, "samples", j).by_id().values())
    now, settings = stage(run, samples, j), run.settings
    if not now.done:
        with now.making():
            form = of_run(run)
            same = settings.frontier.temperature == settings.grpo.temperature
            known = of_grpo(run, j) if same else {}
            asking = Sampling(
                settings.grpo.max_new_tokens,
                settings.frontier.temperature,
                settings.frontier.n,
                settings.seed * 1000 + j,
            )

            def engine() -> Engine:
                return open_engine(policy_of(run, j), settings.probe.batch)

            groups = sampled(run, NAME, j, now.key, samples, known, engine, asking)
            rows = Frontier(
                measure(sample, group.rollouts, settings.reward.name, form)
                for sample, group in zip(samples, groups, strict=True)
            )
            now.finish(
                {f"{NAME}.parquet": rows},
                rows=len(rows),
                of_grpo=sum(s.id in known for s in samples),
                generated=sum(group.generated for group in groups),
                in_zone=sum(row.place == "zone" for row in rows),
                retired=sum(row.place == "retired" for row in rows),
                inconsistent=sum(row.inconsistent for row in rows),
            )
    return run.table(Frontier, NAME, j)


def measure(
    sample: Sample, rollouts: Sequence[Rollout], reward: str = "match", form: WireForm = PROJECTS
) -> Measured:
    """Measure one sample by its rollouts.

    At least one; they are written in `form`.
    """
    answers = [form.parse(r.text, r.finish_reason, sample.tools) for r in rollouts]
    graded = [grade(answer, sample.label, sample.tools) for answer in answers]
    n = len(rollouts)
    values = [find_reward(reward)(answer, sample) for answer in answers]
    mean = sum(values) / n
    pass_rate = sum(g.correct for g in graded) / n
    agreement, entropy = consistency(answers)
    wrong, faults = _commonest([(r, g.faults) for r, g in zip(rollouts, graded, strict=True) if g.faults])
    return Measured(
        sample_id=sample.id,
        n=n,
        pass_rate=pass_rate,
        reward_mean=mean,
        variance=sum((v - mean) ** 2 for v in values) / n,
        agreement=agreement,
        entropy=entropy,
        place=place_of(pass_rate),
        wrong=wrong,
        faults=faults,
    )


def place_of(pass_rate: float) -> Place:
    """Place a pass rate relative to GRPO's best zone.

    The zone that GRPO learns most from.
    """
    if pass_rate > RETIRED:
        return "retired"
    return "above" if pass_rate > ZONE[1] else "zone" if pass_rate >= ZONE[0] else "below"


def _commonest(wrong: Sequence[tuple[Rollout, tuple[Fault, ...]]]) -> tuple[str, tuple[Fault, ...]]:
    """Text and faults of the first rollout with the commonest first fault; empty where none is wrong."""
    if not wrong:
        return "", ()
    pattern, _ = Counter(_pattern(faults) for _, faults in wrong).most_common(1)[0]
    return next((r.text, faults) for r, faults in wrong if _pattern(faults) == pattern)


def _pattern(faults: Sequence[Fault]) -> tuple[str, str, str]:
    return faults[0].kind, faults[0].tool, faults[0].parameter


# ---------------------------------------------------------- GRPO's prompts


def before(run: Run, j: int) -> Frontier | None:
    """Return the table that decides GRPO's prompts.

    In iteration j that of the iteration before. None where the settings do not ask for it, or there is no
    GRPO.
    """
    settings = run.settings
    if j < 2 or not settings.frontier.prompts or not settings.grpo.steps:
        return None
    return run.table(Frontier, NAME, j - 1)


def chosen(order: Samples, measured: Frontier | None) -> tuple[Samples, dict[str, int]]:
    """The samples as GRPO takes them, and how many lie where.

    First those of the zone, then those that were not measured, then those beside it. Retired ones are left
    out, unless there are no others. Within a place the order stays. A sample that was not measured counts as
    its parent, whose error pattern it has (RODS: children isomorphic to the seed).

    Args:
        order: The dataset in random order.
        measured: What the last policy got right; None leaves the order as it is.
    """
    if measured is None:
        return order, {}
    places = {row.sample_id: row.place for row in measured}
    found = [_place(sample, places) for sample in order]
    rank = {"zone": 0, "unmeasured": 1, "above": 2, "below": 2, "retired": 3}
    ranked = sorted(zip(order, found, strict=True), key=lambda pair: rank[pair[1]])
    kept = [sample for sample, place in ranked if place != "retired"]
    return Samples(kept or [sample for sample, _ in ranked]), dict(Counter(found))


def _place(sample: Sample, places: Mapping[str, Place]) -> str:
    return places.get(sample.id) or places.get(sample.parent or "") or "unmeasured"
