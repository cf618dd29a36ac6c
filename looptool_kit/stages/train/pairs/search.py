"""The pairs `search`: rollouts where the answer is still open and looks promising (iTool, arXiv 2501.09766).

A search over fragments of answers: an answer is cut behind the name of a tool, behind each argument and
behind a call. In each iteration one fragment is chosen that has not been continued, and the policy continues
what leads to it to the end, three times; each continuation is worth its graded reward, and a fragment the
mean of those through it. Fragments are the policy's own token ids. All answers hang on a tree of tokens in
the end, which gives the pairs as `tree` does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from looptool_kit.core.records import Rollout
from looptool_kit.core.samples import Sample, Samples, ToolCall
from looptool_kit.policy.engines import Completion, Engine, Sampling
from looptool_kit.policy.engines.prompts import Begun, decode
from looptool_kit.policy.models import find_model, load_tokenizer
from looptool_kit.policy.rollouts import BATCH, Group, Groups
from looptool_kit.policy.wire import form_of
from looptool_kit.stages.train.pairs import ROLLOUTS, Asked, Made, label_losses, pick
from looptool_kit.stages.train.pairs.tree import made_of
from looptool_kit.stages.train.rewards.graded import reward

ITERATIONS, CONTINUATIONS = 5, 3
"""Fragments that are continued for a sample, and how often each (iTool, section 3.2)."""
Tokens = tuple[int, ...]


@dataclass
class Node:
    """What an answer begins with."""

    ids: Tokens = ()
    chance: float = 1.0
    """Geometric mean of the probabilities of its last fragment's tokens."""
    whole: bool = False
    """Nothing can follow: it is an answer to its end, or one that was cut at the limit."""
    visits: int = 0
    total: float = 0.0
    """Sum of the values of the answers that begin so."""
    children: dict[Tokens, Node] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        """Whether something in it has not been continued yet."""
        return not self.whole and (not self.children or any(c.open for c in self.children.values()))

    def score(self, parent: Node) -> float:
        """Say how worthwhile it is to look at.

        It is the mean value, and more where the fragment is likely and was seldom seen. iTool's selection,
        value + p sqrt(ln N / (visits + 1)), whose values are sums there: a fragment that was visited more
        often would look better or worse for that alone.
        """
        seldom = math.sqrt(math.log(parent.visits) / (self.visits + 1))
        return self.total / self.visits + self.chance * seldom


class Tree:
    """The search for one sample."""

    def __init__(self, tokenizer: Any, sample: Sample, limit: int) -> None:
        """Begin with nothing; `limit` is the most tokens of an answer."""
        self.tokenizer, self.sample, self.limit = tokenizer, sample, limit
        self.root = Node()
        self.rollouts: list[Rollout] = []
        self.generated = 0

    def select(self) -> list[Node]:
        """Return the way from the root to the fragment to continue.

        It is empty where all have been continued.
        """
        path = [self.root] if self.root.open else []
        while path and path[-1].children:
            parent = path[-1]
            path.append(max((c for c in parent.children.values() if c.open), key=lambda c: c.score(parent)))
        return path

    def grow(self, path: Sequence[Node], completions: Iterable[Completion]) -> None:
        """Take in what the policy wrote behind the last node of `path`."""
        node = path[-1]
        for completion in completions:
            ids = node.ids + completion.token_ids
            stopped = completion.finish_reason == "stop" and len(ids) <= self.limit
            finish = "stop" if stopped else "length"
            text = decode(self.tokenizer, ids[:-1] if completion.finish_reason == "stop" else ids)
            value = reward(form_of(self.tokenizer).parse(text, finish, self.sample.tools), self.sample)
            about = {"text": text, "finish_reason": finish, "reward": value}
            self.rollouts.append(Rollout(step=0, sample_id=self.sample.id, **about))
            self.generated += len(completion.token_ids)
            places = (at for at in cuts(self.tokenizer, self.sample, ids) if at > len(node.ids))
            end = min(next(places, len(ids)), len(ids))
            own = completion.logprobs[: end - len(node.ids)]
            whole = end >= min(len(ids), self.limit)
            child = Node(ids[:end], math.exp(sum(own) / max(1, len(own))), whole)
            child = node.children.setdefault(child.ids, child)
            for passed in (*path, child):
                passed.visits, passed.total = passed.visits + 1, passed.total + value


def make(asked: Asked) -> Made:
    """Make pairs of the samples that are hardest for the policy.

    Their labels are those that it finds least likely; the hardest sample comes first.
    """
    settings = asked.run.settings
    if not asked.samples:
        return made_of(asked, Samples(), ())
    picked = Samples(pick(asked.samples, label_losses(asked, asked.samples), settings.pairs.share))
    tokenizer = load_tokenizer(find_model(settings.model).path)
    limit = settings.grpo.max_new_tokens
    sampling = Sampling(limit, settings.pairs.temperature, CONTINUATIONS, asked.seed)
    engine = asked.engine()
    plan = [batch[at : at + BATCH] for batch in engine.plan(picked) for at in range(0, len(batch), BATCH)]

    def work(batch: Sequence[int]) -> Groups:
        return search(engine, [Tree(tokenizer, picked[i], limit) for i in batch], sampling)

    groups = asked.run.batches(ROLLOUTS, asked.iteration, asked.key, plan, Groups, work)
    return made_of(asked, picked, groups)


def search(engine: Engine, trees: Sequence[Tree], sampling: Sampling) -> Groups:
    """Grow the trees and return all answers that were written.

    Each round adds one fragment to each tree.
    """
    for _ in range(ITERATIONS):
        paths = [(tree, path) for tree in trees if (path := tree.select())]
        if not paths:
            break
        begun = [Begun(tree.sample, path[-1].ids) for tree, path in paths]
        for (tree, path), written in zip(paths, engine.generate(begun, sampling), strict=True):
            tree.grow(path, written)
    return Groups(
        Group(sample_id=t.sample.id, rollouts=tuple(t.rollouts), generated=t.generated) for t in trees
    )


def cuts(tokenizer: Any, sample: Sample, ids: Tokens) -> list[int]:
    """Return after how many of its tokens an answer may be cut.

    These places are behind a name, an argument or a call. A token that goes beyond the place belongs to the
    fragment before it. An answer without calls that can be read has no such places.
    """
    form = form_of(tokenizer)
    texts = [decode(tokenizer, ids[:count]) for count in range(len(ids) + 1)]
    text = texts[-1]
    # Where a token ends inside a character, what is decoded so far does not begin the text.
    whole = [count for count, part in enumerate(texts) if text.startswith(part)]
    found: list[int] = []
    at = 0
    for number, call in enumerate(form.parse(text, tools=sample.tools).calls, 1):
        for place in _places(text, call, at):
            found += [next((count for count in whole if len(texts[count]) >= place), len(ids))]
            at = place
        for count in whole:
            if len(texts[count]) >= at:
                answer = form.parse(texts[count], tools=sample.tools)
                if not answer.error and len(answer.calls) == number:
                    found.append(count)
                    at = len(texts[count])
                    break
    return sorted(set(found))


def _places(text: str, call: ToolCall, at: int) -> list[int]:
    """The characters of a text at which the call's name and each of its arguments end, from `at` on."""
    start = text.find(call.name, at)
    if start < 0:
        return []
    places = [start + len(call.name)]
    for name, value in call.arguments.items():
        quoted, bare = text.find(f'"{name}"', places[-1]), text.find(name, places[-1])
        key = quoted if quoted >= 0 else bare
        if key < 0:
            continue
        # As JSON, with its quotes, or as other forms than the project's write it: what comes first.
        written = [json.dumps(value, ensure_ascii=False), value if isinstance(value, str) else str(value)]
        starts = [(text.find(words, key + len(name)), words) for words in written if words]
        found = [(start, start + len(words)) for start, words in starts if start >= 0]
        if found:
            places.append(min(found)[1])
    return places
