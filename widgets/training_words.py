"""What the quantities of a training mean, in plain words, for TrainingView."""

from __future__ import annotations

MEANINGS = {
    "loss": "what the training makes smaller: of SFT how unlikely the labels' tokens are to the policy; of"
    " GRPO it stays near 0 and says little",
    "reward": "what the completions of the step earned on average; an exactly right one earns 1",
    "right completions": "completions of the step whose calls are exactly those of the label",
    "groups without variance": "requests whose completions all got the same reward, which teach nothing",
    "completion length": "how many tokens a completion of the step has on average",
    "clip fraction": "tokens that did not count, because the policy had changed too much since it wrote them",
    "entropy": "how undecided the policy is at a token; near 0 it always writes the same",
    "better answer ahead": "pairs in which the policy has come to favour the better answer",
    "speed": "tokens that a step read and wrote, by its seconds",
}
"""Title of a chart (`training.CHARTS`) -> its meaning."""
