"""The `hardgen` expander: longer tasks towards the tools that the policy fails, labels exact by execution.

After HardGen (arXiv 2601.01498), whose sampler and hints are FunReason-MT's (arXiv 2510.24645): a table of
failing tools, traces of tools that lead to one of them, a request at the level of the one tool that a whole
trace would be, so that calls in between are not said. Each step is a sample. With `hardgen.hints` those stay
that the policy gets right within some tries, with hints that reveal nothing; they are kept without hints.

A seed's children are about the failing tools that its own right answer calls; other seeds have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from looptool_kit.core.records import Check
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.lineage.error_seeds import ErrorSeed
from looptool_kit.policy.policy import open_engine, policy_of
from looptool_kit.run.folder import Run
from looptool_kit.stages._find import own_domains
from looptool_kit.stages.expand import Candidate
from looptool_kit.stages.expand._failing import failing, stage
from looptool_kit.stages.expand._hints import Reached, reach
from looptool_kit.world.routes import open_to
from looptool_kit.world.traces import draw_trace, samples_of

STRATEGY = "expanders.hardgen"
EXACT_LABELS = True
SETTINGS = ("hardgen", "seeds.source", "seeds.domains", "probe.max_new_tokens")
MAX_TRACES = 4
"""Draws of a trace for a seed that may fail or not fit, before it keeps fewer children."""


def inputs(run: Run, j: int) -> dict[str, Any]:
    """Return what decides the children beside the error seeds.

    These are the failing tools, and who answers.
    """
    asked = {"policy": [policy_of(run, j).key]} if run.settings.hardgen.hints else {}
    return {"failing": [stage(run, j).key], **asked}


def candidates(
    seeds: Sequence[ErrorSeed], k: Sequence[int], rngs: Sequence[Random], pool: Samples, run: Run
) -> list[list[Candidate]]:
    """Draw whole traces for each seed, at most `k[i]` steps in all.

    There are none for tools that are not the world's. More are drawn only while a seed has fewer steps within
    reach than the stage wants, which is `k[i]` by `expand.tries`: each costs answers of the policy.
    """
    out: list[list[Candidate]] = [[] for _ in seeds]
    if not seeds:
        return out
    settings, j = run.settings, seeds[0].probe.iteration
    names = open_to(own_domains(settings) or ())
    shares = {t.tool: t.share for t in failing(run, j) if t.fails and t.tool in names}
    for _ in range(settings.expand.tries):
        drawn: list[list[Sample]] = []
        for seed, most, rng, have in zip(seeds, k, rngs, out, strict=True):
            missing = most // settings.expand.tries - sum(c.group != "" for c in have)
            drawn.append(_traces(seed.sample, missing, most - len(have), rng, shares, names, run))
        reached = _reached([step for steps in drawn for step in steps], run, j)
        for have, steps in zip(out, drawn, strict=True):
            have += [_candidate(step, reached[step.id]) for step in steps]
    return out


def _traces(
    seed: Sample,
    missing: int,
    room: int,
    rng: Random,
    shares: dict[str, float],
    names: frozenset[str],
    run: Run,
) -> list[Sample]:
    """The steps of traces to the seed's failing tools: at least `missing`, at most `room`."""
    targets = sorted({c.name for c in seed.label.calls} & shares.keys())
    settings, out, left = run.settings.hardgen, list[Sample](), MAX_TRACES
    low, high = settings.length
    while targets and left and len(out) < missing and room - len(out) >= 2:
        (target,) = rng.choices(targets, [shares[t] for t in targets])
        length = low, max(low, min(high, room - len(out)))
        trace = draw_trace(target, names, length, rng, open_links=settings.open_links)
        steps = samples_of(trace) if trace else []
        if not steps or len(out) + len(steps) > room:
            left -= 1
            continue
        about = {"parent": seed.id, "source": "expander", "strategy": STRATEGY}
        out += [step.model_copy(update=about) for step in steps]
    return out


def _reached(steps: Sequence[Sample], run: Run, j: int) -> dict[str, Reached | None]:
    """Step -> whether the policy gets it right; None where it is not asked."""
    settings = run.settings
    if not steps or not settings.hardgen.hints:
        return dict.fromkeys((s.id for s in steps), None)
    engine = open_engine(policy_of(run, j), settings.probe.batch)
    tries, length = settings.hardgen.tries, settings.probe.max_new_tokens
    found = reach(steps, engine, tries, length, settings.seed * 1000 + j)
    return {s.id: r for s, r in zip(steps, found, strict=True)}


def _candidate(step: Sample, reached: Reached | None) -> Candidate:
    """A step with what became of it; one out of reach leaves the group of its trace."""
    group = str(step.meta["trace"])
    if reached is None:
        return Candidate(step, group=group)
    words = f"right after {reached.hints} hints" if reached.right else f"wrong after {reached.hints} hints"
    check = Check(name="reach", passed=reached.right, detail=words)
    if not reached.right:
        return Candidate(step, (check,), generated=reached.generated)
    kept = step.model_copy(update={"meta": {**step.meta, "hints": reached.hints}})
    return Candidate(kept, (check,), group=group, generated=reached.generated)
