"""Sections of strategies that are off unless a setting names them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from looptool_kit.config.base import Section


class PairsSettings(Section):
    """Where preference training takes its pairs of answers from (iTool, arXiv 2501.09766)."""

    strategy: str = "none"
    """Who makes them, by the name of its module in `looptool_kit/stages/train/pairs`: `tree` (the branches of
    rollouts); `none`: nobody.
    """
    share: float = Field(0.3, gt=0, le=1)
    """Share of the samples that pairs are made of: those whose labels the policy finds least likely, within
    the labels with calls and within plain replies. (Paper: .3.)
    """
    n: int = Field(8, ge=0)
    """Rollouts of a sample that GRPO has not asked in this iteration; 0: pairs come from GRPO's own alone.
    """
    temperature: float = Field(1.0, gt=0)
    """Their sampling temperature."""
    gap: float = Field(0.1, ge=0)
    """Least difference of value between the branches of a pair. (Paper: .1.)"""
    overlap: float = Field(0.95, ge=0, le=1)
    """Greatest share of common words of a pair's answers. (Paper: .95.)"""
    least: float = -1.0
    """Least value of the better answer of a pair, by the graded reward."""
    most_per_sample: int = Field(4, ge=1)
    """Pairs of one sample at the most, those of the largest gap first."""


class PreferenceSettings(Section):
    """Preference training after SFT and GRPO, over pairs of answers. With the trainer `trl` alone."""

    machine = frozenset({"save_steps", "gradient_checkpointing"})

    epochs: int = Field(0, ge=0)
    """Passes over the pairs in later iterations; 0 leaves preference training out."""
    epochs_first: int = Field(0, ge=0)
    """Passes in the first iteration."""
    loss: Literal["simpo", "dpo"] = "simpo"
    """SimPO (arXiv 2405.14734) compares mean log-probabilities; DPO (arXiv 2305.18290) compares sums with
    those of the policy that this training starts from.
    """
    beta: float = Field(2.5, gt=0)
    """How strongly a difference counts; DPO usually takes 0.1."""
    gamma: float = Field(0.5, ge=0)
    """Margin that SimPO wants; DPO has none."""
    sft_weight: float = Field(0.0, ge=0)
    """Weight of the chosen answer's mean negative log-likelihood beside the loss."""
    tokens: Literal["branch", "all"] = "branch"
    """Tokens that count: from the first in which the answers differ, or all."""
    learning_rate: float = 5e-5
    """AdamW's step size."""
    batch: int = Field(8, ge=1)
    """Pairs of an optimiser step."""
    most: int = Field(200, ge=1)
    """Pairs of an iteration at the most."""
    save_steps: int = Field(1, ge=1)
    """Steps between two checkpoints: what a stopped training repeats at most."""
    gradient_checkpointing: bool = False
    """Compute activations a second time instead of keeping them: less memory, about a third more time."""


class FrontierSettings(Section):
    """What the policy gets right sometimes: several rollouts of each sample (RODS, arXiv 2606.19047).

    Nothing is measured unless one of the first two is on.
    """

    prompts: bool = False
    """GRPO takes samples that are neither too easy nor too hard first, and retires what is always right."""
    seeds: bool = False
    """Samples that the policy answers inconsistently join the error seeds (InfTool, arXiv 2512.23611)."""
    n: int = Field(8, ge=4)
    """Rollouts of a sample that GRPO has not asked in this iteration."""
    temperature: float = Field(1.0, gt=0)
    """Their sampling temperature."""
