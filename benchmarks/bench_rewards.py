"""Groups of GRPO that teach nothing, under each reward: the same completions of the embedded policy.

    python benchmarks/bench_rewards.py [--groups 200] [--group 6] [--work DIR] [--domains music smart_home]

A group is without variance where all of its completions earn the same; its advantages are zero. Samples are
of the world, group size, temperature and length limit as in the preset cpu, whose domains the embedded policy
has never seen. Completions are kept in DIR (runs/rewards) as they are made, so that a run that was stopped
resumes, and more groups add to those that are there. Intervals are bootstrapped over groups (BCa, 95%);
where all groups are alike Wilson's.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from looptool_kit import world
from looptool_kit.config import load_preset
from looptool_kit.core.records import Rollout, Rollouts
from looptool_kit.core.samples import Sample
from looptool_kit.core.stats import mean_interval, wilson
from looptool_kit.core.toolcalls import parse
from looptool_kit.policy.engines import Sampling
from looptool_kit.policy.policy import base_policy, open_engine
from looptool_kit.stages import _find
from looptool_kit.stages.train import rewards
from looptool_kit.stages.train.reward import reward

SEED = "rewards"
CHUNK = 10
"""Groups that are drawn and kept together."""
EQUAL = 1e-9
"""Rewards nearer than this are the same."""
KEPT = Path(__file__).resolve().parent.parent / "runs" / "rewards"


def drawn(samples: Sequence[Sample], group: int, folder: Path) -> list[list[Rollout]]:
    """A group of completions of each sample; those of a chunk that is there are read."""
    settings = load_preset("cpu")
    groups: list[list[Rollout]] = []
    for number in range(-(-len(samples) // CHUNK)):
        some = samples[number * CHUNK : (number + 1) * CHUNK]
        path = folder / f"group-{group}-chunk-{number:04d}.parquet"
        kept = Rollouts.read(path) if path.exists() else Rollouts()
        have = [r.sample_id for r in kept][::group]
        if have[: len(some)] != [s.id for s in some]:
            engine = open_engine(base_policy(settings.model), CHUNK * group)
            recipe = settings.grpo
            sampling = Sampling(recipe.max_new_tokens, recipe.temperature, group, number)
            made = engine.generate(some, sampling)
            kept = Rollouts(
                Rollout(
                    step=number,
                    sample_id=s.id,
                    text=c.text,
                    finish_reason=c.finish_reason,
                    reward=0,
                    correct=False,
                )
                for s, of_one in zip(some, made, strict=True)
                for c in of_one
            )
            kept.write(path)
            print(f"{number * CHUNK + len(some)} of {len(samples)} groups", flush=True)
        groups += [list(kept[at : at + group]) for at in range(0, len(some) * group, group)]
    return groups


def share(flags: Sequence[bool]) -> str:
    """A share in percent with its interval."""
    alike = len(set(flags)) == 1
    low, high = wilson(sum(flags), len(flags)) if alike else mean_interval([float(f) for f in flags])
    return f"{sum(flags) / len(flags):.1%} [{low:.1%}, {high:.1%}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, default=200)
    parser.add_argument("--group", type=int, default=load_preset("cpu").grpo.group)
    parser.add_argument("--work", type=Path, default=KEPT)
    parser.add_argument("--domains", nargs="*", default=list(load_preset("cpu").seeds.domains))
    given = parser.parse_args()
    # Chunk by chunk, so that more groups begin with the same ones.
    chunks = [
        world.generate(CHUNK, seed=f"{SEED}/{n}", domains=given.domains)
        for n in range(-(-given.groups // CHUNK))
    ]
    samples = [s for chunk in chunks for s in chunk][: given.groups]
    folder = given.work / "-".join(given.domains)
    groups = drawn(samples, given.group, folder)
    answers = [[parse(r.text, r.finish_reason) for r in of_one] for of_one in groups]
    names = _find.names(rewards.__name__)
    earned = {
        name: [[reward(a, s, name) for a in of_one] for s, of_one in zip(samples, answers, strict=True)]
        for name in names
    }
    right = [[e.correct for e in of_one] for of_one in earned["match"]]
    print(f"{len(samples)} groups of {given.group} completions, domains {', '.join(given.domains)}")
    print(f"right completions: {sum(map(sum, right)) / sum(map(len, right)):.1%}")
    print(f"groups without a right one: {share([not any(of_one) for of_one in right])}")
    print("\n| reward | groups without variance | mean reward |\n| --- | --- | --- |")
    for name, of_groups in earned.items():
        values = [[e.value for e in of_one] for of_one in of_groups]
        flat = share([max(v) - min(v) < EQUAL for v in values])
        means = [sum(v) / len(v) for v in values]
        low, high = mean_interval(means)
        print(f"| {name} | {flat} | {sum(means) / len(means):.3f} [{low:.3f}, {high:.3f}] |")


if __name__ == "__main__":
    main()
