"""GRPO over whole episodes: the policy calls, the world's tools answer, and what came of it is paid.

Samples of the world, and complete ones of procedural environments, are played from the user's first words;
others are answered once, as ever. A completion is the whole dialogue: what the policy wrote is trained on,
what tools and user said in between is masked (TRL's `rollout_func` and `env_mask`, experimental in 1.14.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from looptool_kit.config import EpisodeSettings
from looptool_kit.core.samples import Sample
from looptool_kit.core.toolcalls import canonical
from looptool_kit.policy.engines import Completion, Engine, Sampling
from looptool_kit.policy.engines.prompts import encode_prompt, encode_turn
from looptool_kit.world.episode import Episode, task_of
from looptool_kit.world.procedural import Procedural, running
from looptool_kit.world.spec import Spec


def known_tools(samples: Sequence[Sample], how: Procedural) -> dict[str, Spec]:
    """Return the tools that run, by name.

    They are the world's, and the procedural ones where samples have such.
    """
    sampled = any(s.source == "procedural" or s.strategy.endswith(".procedural") for s in samples)
    return running(how if sampled else None)


def episode_of(sample: Sample, known: Mapping[str, Spec], settings: EpisodeSettings) -> Episode | None:
    """The episode behind a sample; None where there is none."""
    try:
        return Episode(task_of(sample), known, settings.progress, settings.turns)
    except ValueError:  # a question, a request to decline, tools that do not run: nothing to come of it
        return None


class Rollout:
    """One completion under way."""

    def __init__(self, sample: Sample, episode: Episode | None) -> None:
        self.chat, self.episode = sample, episode
        if episode is not None:
            messages, _ = episode.reset()
            self.chat = sample.model_copy(update={"messages": messages})
        self.ids: list[int] = []
        self.mask: list[int] = []
        self.gains: list[float] = []
        """What each turn added to the reward."""
        self.finish, self.over = "stop", False

    def take(self, completion: Completion, tokenizer: Any, context: int) -> None:
        """Take the policy's turn, and what comes back.

        Raises:
            ValueError: The model's template does not keep what was said before.
        """
        self.ids += completion.token_ids
        self.mask += [1] * len(completion.token_ids)
        self.finish, self.over = completion.finish_reason, True
        answer = completion.answer(self.chat.tools)
        self.gains.append(0.0)
        if self.episode is None or answer.error or self.finish != "stop":
            return
        before = self.episode.reward()
        self.episode.step(answer.calls, answer.text)
        self.gains[-1] = self.episode.reward() - before
        if self.episode.done:
            return
        said = [*encode_prompt(tokenizer, self.chat), *encode_turn(tokenizer, self.chat, answer)]
        chat = self.chat.model_copy(update={"messages": tuple(self.episode.messages)})
        prompt = encode_prompt(tokenizer, chat)
        if prompt[: len(said)] != said:
            raise ValueError(
                "the chat template of this model writes earlier turns otherwise than the policy did, so that"
                " episodes cannot be trained: set episodes.prompts = false"
            )
        if len(prompt) < context - 1:
            self.chat, self.over = chat, False
            self.ids += prompt[len(said) :]
            self.mask += [0] * (len(prompt) - len(said))


def play(
    engine: Engine,
    tokenizer: Any,
    samples: Sequence[Sample],
    known: Mapping[str, Spec],
    sampling: Sampling,
    settings: EpisodeSettings,
) -> dict[str, Any]:
    """Write `sampling.n` completions of each sample, in order.

    They have the form that TRL's rollout function gives them. `episode` holds what each came to, with
    `credit = "turn"` also `gains`, what each of its turns added; None for a sample that is no episode.
    """
    rollouts = [Rollout(s, episode_of(s, known, settings)) for s in samples for _ in range(sampling.n)]
    prompts = [encode_prompt(tokenizer, r.chat) for r in rollouts]
    for turn in range(settings.turns):
        # The same dialogue twice would get the same answer twice.
        alike: dict[str, list[Rollout]] = {}
        for rollout in (r for r in rollouts if not r.over):
            alike.setdefault(f"{rollout.chat.id} {canonical(rollout.chat.meta)}", []).append(rollout)
        for size in sorted({len(group) for group in alike.values()}):
            groups = [group for group in alike.values() if len(group) == size]
            now = sampling._replace(n=size, seed=sampling.seed + 7919 * turn)
            for group, answers in zip(groups, engine.generate([g[0].chat for g in groups], now), strict=True):
                for rollout, answer in zip(group, answers, strict=True):
                    rollout.take(answer, tokenizer, engine.context)
    return {
        "prompt_ids": prompts,
        "completion_ids": [r.ids for r in rollouts],
        "logprobs": None,
        "env_mask": [r.mask for r in rollouts],
        "finish": [r.finish for r in rollouts],
        "episode": [r.episode.reward() if r.episode else None for r in rollouts],
        **(
            {"gains": [r.gains if r.episode else None for r in rollouts]} if settings.credit == "turn" else {}
        ),
    }
