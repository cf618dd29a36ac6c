"""Per-turn credit of episodes: each turn is paid for the progress that it brings.

With one advantage for a whole dialogue a right call is punished for what went wrong after it. The reward of a
turn is the episode's progress after it less that before it, so that the turns' rewards add up to the
episode's (turn rewards: MatchTIR, arXiv 2601.10712; the differences of progress are ours).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

STABLE = 1e-4
"""Added to a group's deviation, as in TRL's advantages."""


def advantages(gains: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return the advantage of each turn of a group's rollouts.

    A turn is compared with the same turn of the others: its gain less their mean, over the deviation of all
    gains of the group. So a turn that all did alike teaches nothing, and ended dialogues are not compared.

    Args:
        gains: Of each rollout the gain of each turn, in order.
    """
    flat = [g for turns in gains for g in turns]
    spread = stdev(flat) if len(flat) > 1 else 0.0
    width = max(map(len, gains), default=0)
    means = [fmean(turns[t] for turns in gains if t < len(turns)) for t in range(width)]
    return [[(g - means[t]) / (spread + STABLE) for t, g in enumerate(turns)] for turns in gains]


def by_token(
    whole: torch.Tensor, mask: torch.Tensor, gains: Sequence[Sequence[float] | None], group: int
) -> torch.Tensor:
    """Return the advantage of each token, (B, T): that of its turn.

    A group that is no episode keeps its own, `whole` (B,).

    Args:
        whole: The advantages of the rollouts.
        mask: 1 for the policy's own tokens, (B, T); what tools and user said lies between its turns.
        gains: Of each rollout the gain of each turn; None for what is no episode.
        group: Rollouts of one sample, which stand together.
    """
    import torch

    begins = mask - torch.nn.functional.pad(mask, (1, 0))[:, :-1] == 1
    turn_of = begins.long().cumsum(1) - 1
    out = whole.unsqueeze(1).repeat(1, mask.shape[1])
    for at in range(0, len(gains), group):
        rows = gains[at : at + group]
        if (played := [g for g in rows if g is not None]) and len(played) == len(rows):
            for row, turns in enumerate(advantages(played), at):
                values = out.new_tensor(turns)
                out[row] = values[turn_of[row].clamp(0, len(turns) - 1)]
    return out * mask


def credit_turns(trainer: Any, complete: Callable[..., dict[str, Any]], group: int) -> None:
    """Let a trainer of episodes give each turn its own advantage.

    Args:
        trainer: TRL's `GRPOTrainer`, whose loss takes advantages of (B, T) as well.
        complete: Its rollout function.
        group: Rollouts of one sample.
    """
    gains: list[list[float] | None] = []
    score = trainer._generate_and_score_completions

    def noted(*args: Any, **kwargs: Any) -> dict[str, Any]:
        out = complete(*args, **kwargs)
        gains[:] = out.pop("gains", [])
        return out

    def scored(inputs: Any) -> Any:
        out = score(inputs)
        if gains:
            own = out["completion_mask"] * out.get("tool_mask", 1)
            out["advantages"] = by_token(out["advantages"], own, gains, group)
        return out

    trainer.rollout_func, trainer._generate_and_score_completions = noted, scored
