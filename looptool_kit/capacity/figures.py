"""Clusters of several sizes side by side, and the checks against figures that others have printed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from looptool_kit.capacity.engine import Result, simulate
from looptool_kit.capacity.scenario import Scenario
from looptool_kit.capacity.stages import stages, workers_of


class Row(NamedTuple):
    """One iteration on a cluster of one size."""

    gpus: int
    stages: tuple[Result, ...]
    price: float
    """Dollars of a GPU in an hour."""

    @property
    def seconds(self) -> float:
        """Of the whole iteration."""
        return sum(r.seconds for r in self.stages)

    @property
    def cost(self) -> float:
        """Dollars: all GPUs are held from the first stage to the last."""
        return self.cost_of(self.seconds)

    @property
    def longest(self) -> Result:
        """The stage that takes longest."""
        return max(self.stages, key=lambda r: r.seconds)

    def cost_of(self, seconds: float) -> float:
        """Dollars of the cluster for so long."""
        return seconds / 3600 * self.gpus * self.price


def sizes_around(workers: int) -> list[int]:
    """Return the numbers of GPUs that a plan compares.

    An eighth of its own up to four times as many.
    """
    return sorted({max(1, round(workers * 2.0**n)) for n in range(-3, 3)})


def grow(plan: Scenario, sizes: Sequence[int], seed: int = 0) -> list[Row]:
    """Simulate one iteration on a cluster of each size.

    Args:
        plan: The scenario; its own number of workers is not used.
        sizes: Numbers of GPUs.
        seed: Of all chance.
    """
    work = stages(plan)
    return [
        Row(
            gpus,
            tuple(simulate(w, workers_of(w, plan, gpus), plan.cluster, seed) for w in work),
            plan.cluster.price,
        )
        for gpus in sizes
    ]


class Check(NamedTuple):
    """A figure of others beside what this model has for it."""

    what: str
    theirs: float
    ours: float
    how: str
    """How ours was worked out."""

    @property
    def error(self) -> float:
        """Ours by theirs, less one."""
        return self.ours / self.theirs - 1


class Trouble(NamedTuple):
    """The same iteration where more goes wrong."""

    what: str
    row: Row


SPOT = (0.01, 0.05, 0.2)
"""Interruptions of a GPU in an hour that a plan compares: one in four days, in 20 hours, in 5 hours."""


def troubles(plan: Scenario, seed: int = 0) -> list[Trouble]:
    """Simulate the plan's own cluster under more and more trouble.

    Where nothing goes wrong, as planned, and on spot machines.
    """
    perfect = {"straggling": 0.0, "interruptions": 0.0}
    calm = plan.model_copy(
        update={
            "cluster": plan.cluster.model_copy(update=perfect),
            "shares": plan.shares.model_copy(update={"retried": 0.0}),
        }
    )
    cases = {"nothing goes wrong": calm, "stragglers and failed calls": _interrupted(plan, 0.0)}
    cases |= {f"and {rate:g} interruptions of a GPU in an hour": _interrupted(plan, rate) for rate in SPOT}
    return [Trouble(what, grow(case, [plan.workers], seed)[0]) for what, case in cases.items()]


def _interrupted(plan: Scenario, rate: float) -> Scenario:
    return plan.model_copy(update={"cluster": plan.cluster.model_copy(update={"interruptions": rate})})


PARTS = {"D1": (0, 0, 0, 18304), "D2": (1919, 6566, 4187, 5632), "D3": (3386, 8066, 4036, 2816),
         "D4": (3731, 8169, 4996, 1408)}  # fmt: skip
"""LoopTool's datasets: error seeds, expansions, high perplexity, new seed samples (arXiv 2511.09148)."""
CHILDREN = 4
"""Candidates of an error seed there."""
POOL = 28_000
"""Seed samples of the paper, which says "28k"."""
EXPORTED_STEPS = 18304 * 4 // 256
"""Steps of the paper's public script: batch 256, 4 epochs (its text: batch 128, 2 epochs)."""


def against_the_paper(plan: Scenario) -> list[Check]:
    """Compare with what the paper gives.

    Counts of rows and of steps: it was not seen to give a time.
    """
    work = {w.stage: w for w in stages(plan)}
    seeds = [parts[0] for parts in PARTS.values()][1:]
    children = [parts[1] for parts in PARTS.values()][1:]
    total, fresh = sum(PARTS["D1"]), sum(parts[3] for parts in PARTS.values())
    accepted = plan.shares.accepted
    return [
        *(
            Check(f"rows of {name}", total, sum(parts), "its four parts added up")
            for name, parts in PARTS.items()
        ),
        Check("seed samples used", POOL, fresh, "the slices of D1 to D4 added up"),
        Check("steps of an iteration", EXPORTED_STEPS, work["train"].items, "batch 128, 2 epochs"),
        *(
            Check(
                f"expansions of D{n}",
                theirs,
                CHILDREN * own * accepted,
                f"4 candidates a seed, {accepted:.1%} accepted",
            )
            for n, own, theirs in zip((2, 3, 4), seeds, children, strict=True)
        ),
    ]


class Published(NamedTuple):
    """A GRPO run whose time others have printed.

    NeMo RL 0.4, its performance summary, DGX-H100.
    """

    model: str
    billions: float
    gpus: int
    completions: int
    length: int
    seconds: float
    """Of a step."""


RUNS = (
    Published("Llama 3.1 8B", 8.0, 16, 2048, 1060, 97.7),
    Published("Qwen3-32B", 32.8, 32, 2048, 3206, 393.0),
)


def against_nemo(plan: Scenario) -> list[Check]:
    """Compare a step's time with two that others have printed.

    The first is the run that the rate is from, so that only how a step is put together is tested. The second
    is another model, length and cluster: the rate is scaled by the parameters.
    """
    rate, base = plan.rates["grpo-8b"].value, RUNS[0]
    found = []
    for run in RUNS:
        scaled = rate * base.billions / run.billions
        pieces = math.ceil(run.completions / run.gpus)
        ours = pieces * run.length / scaled
        how = f"{scaled:,.0f} tokens/s a GPU" + ("" if run is base else ", by parameters from 8B")
        found.append(Check(f"GRPO step of {run.model}, {run.gpus} H100, seconds", run.seconds, ours, how))
    return found
