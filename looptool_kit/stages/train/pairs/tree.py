"""The pairs `tree`: where a sample's rollouts part, the best against the worst (iTool, arXiv 2501.09766).

iTool grows a tree of fragments by search. Here whole rollouts hang on a tree of tokens: it is that search
with one expansion at the root, and the value of a branch is exact, the mean graded reward of the rollouts
through it. Both sides of a pair are answers that the policy wrote to their end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from looptool_kit.config import PairsSettings
from looptool_kit.core.records import Pair, Pairs, Rollout
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.policy.engines import Sampling
from looptool_kit.policy.engines.prefix_tree import shared_length
from looptool_kit.policy.engines.prompts import encode_turn
from looptool_kit.policy.models import find_model, load_tokenizer
from looptool_kit.policy.rollouts import Group, sampled
from looptool_kit.policy.wire import form_of
from looptool_kit.stages.train.pairs import ROLLOUTS, Asked, Made, label_losses, pick
from looptool_kit.stages.train.rewards.graded import reward


class Leaf(NamedTuple):
    """A rollout on the tree."""

    tokens: tuple[int, ...]
    """With the end token, so that no leaf begins another."""
    text: str
    value: float


def make(asked: Asked) -> Made:
    """Make pairs of the samples with the least likely labels.

    Hardest sample first.
    """
    run, settings = asked.run, asked.run.settings
    own = settings.pairs
    pool = asked.samples if own.n else asked.samples.where(lambda s: s.id in asked.grpo)
    if not pool:
        return Made(Pairs(), {"generated": 0, "samples_picked": 0, "samples_of_grpo": 0, "rollouts_cut": 0})
    picked = Samples(pick(pool, label_losses(asked, pool), own.share))
    sampling = Sampling(settings.grpo.max_new_tokens, own.temperature, max(1, own.n), asked.seed)
    groups = sampled(run, ROLLOUTS, asked.iteration, asked.key, picked, asked.grpo, asked.engine, sampling)
    return made_of(asked, picked, groups)


def made_of(asked: Asked, picked: Samples, groups: Iterable[Group]) -> Made:
    """The pairs of the picked samples' rollouts, and the facts about both."""
    settings, groups = asked.run.settings, list(groups)
    tokenizer = load_tokenizer(find_model(settings.model).path)
    pairs: list[Pair] = []
    for sample, group in zip(picked, groups, strict=True):
        pairs += pairs_of(sample.id, leaves(tokenizer, sample, group.rollouts), settings.pairs)
    facts = {
        "generated": sum(group.generated for group in groups),
        "samples_picked": len(picked),
        "samples_of_grpo": sum(group.generated == 0 for group in groups),
        "rollouts_cut": sum(r.finish_reason == "length" for group in groups for r in group.rollouts),
    }
    return Made(Pairs(pairs), facts)


def leaves(tokenizer: Any, sample: Sample, rollouts: Sequence[Rollout]) -> list[Leaf]:
    """The rollouts that were finished, with their graded rewards.

    One that was cut at the length limit is none: an end token behind it would teach the policy to stop there.
    """
    form = form_of(tokenizer)
    return [
        Leaf(
            tuple(encode_turn(tokenizer, sample, r.text)),
            r.text,
            reward(form.parse(r.text, tools=sample.tools), sample),
        )
        for r in rollouts
        if r.finish_reason != "length"
    ]


def pairs_of(sample_id: str, found: Sequence[Leaf], settings: PairsSettings) -> list[Pair]:
    """Make one pair for each place where rollouts part.

    Those of the largest gap first. A branch is worth the mean value of its rollouts. The pair is the best
    rollout of the best branch against the worst of the worst. None where these differ by less than `gap`,
    share more than `overlap` of their words, or the better one is worth less than `least`;
    `most_per_sample` at the most.
    """
    pairs: list[Pair] = []
    for at, branches in parting(sorted(found)):
        means = [sum(leaf.value for leaf in branch) / len(branch) for branch in branches]
        best, worst = means.index(max(means)), means.index(min(means))
        chosen = max(branches[best], key=lambda leaf: leaf.value)
        rejected = min(branches[worst], key=lambda leaf: leaf.value)
        gap = means[best] - means[worst]
        if best == worst or gap < settings.gap or chosen.value < settings.least:
            continue
        if overlap(chosen.text, rejected.text) > settings.overlap:
            continue
        why = f"branches worth {means[best]:.3f} and {means[worst]:.3f}, of {len(found)} rollouts"
        sides = {"chosen": chosen.text, "rejected": rejected.text}
        pairs.append(Pair(sample_id=sample_id, **sides, branch=at, gap=gap, why=why))
    return sorted(pairs, key=lambda pair: (-pair.gap, pair.branch))[: settings.most_per_sample]


def parting(found: Sequence[Leaf]) -> Iterator[tuple[int, list[list[Leaf]]]]:
    """Find every place where sorted leaves part.

    The number of the token, and the leaves of each branch.
    """
    if not found or found[0].tokens == found[-1].tokens:
        return
    at = shared_length(found[0].tokens, found[-1].tokens)
    branches = [list(members) for _, members in groupby(found, key=lambda leaf: leaf.tokens[at])]
    yield at, branches
    for branch in branches:
        yield from parting(branch)


def overlap(a: str, b: str) -> float:
    """Return the share of words that two texts share.

    Repeated ones counted; 1 for two empty texts.
    """
    ours, theirs = Counter(a.split()), Counter(b.split())
    either = (ours | theirs).total()
    return (ours & theirs).total() / either if either else 1.0
