"""Sections of single strategies, most of them off unless a setting names them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from looptool_kit.config.base import Section


class PairsSettings(Section):
    """Where preference training takes its pairs of answers from (iTool, arXiv 2501.09766)."""

    strategy: str = "none"
    """Who makes them, by the name of its module in `looptool_kit/stages/train/pairs`: `tree` (the branches of
    rollouts), `search` (rollouts from where an answer is open and promising: five fragments of each sample
    are continued three times; GRPO's rollouts and `n` are not used); `none`: nobody.
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
    """Preference training after SFT and GRPO, over pairs of answers.

    With the trainer `trl` alone.
    """

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
    learning_rate: float = Field(5e-5, gt=0)
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
    """What the policy gets right sometimes, by several rollouts a sample.

    RODS, arXiv 2606.19047. Nothing is measured unless one of the first two is on.
    """

    prompts: bool = False
    """GRPO takes samples that are neither too easy nor too hard first, and retires what is always right."""
    seeds: bool = False
    """Samples that the policy answers inconsistently join the error seeds (InfTool, arXiv 2512.23611)."""
    n: int = Field(8, ge=4)
    """Rollouts of a sample that GRPO has not asked in this iteration."""
    temperature: float = Field(1.0, gt=0)
    """Their sampling temperature."""


class BandSettings(Section):
    """The complexity that seed samples may have; off by default.

    For every source (ToolACE, section 2.2). It is the mean negative log-likelihood of the label under the
    untrained policy, in nats a token. What lies outside does not join. The sources `world`, `evolved` and
    `templates` draw harder or simpler samples then.
    """

    low: float | None = Field(None, ge=0)
    """Least complexity, in nats a token: below it the policy is right already. Left out with `high`: no
    band.
    """
    high: float | None = Field(None, gt=0)
    """Greatest complexity, in nats a token: above it the policy stays wrong even after tuning."""
    estimate: bool = False
    """Take both from a first training on data without a band: the median losses of what the policy answers
    rightly before it, and of what it still answers wrongly after it. It costs one more training, and with
    the source `trees` its dialogues.
    """

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.low is None) != (self.high is None) or (self.estimate and self.low is not None):
            raise ValueError("give low and high, or estimate = true, or none of them")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low must be below high, not {self.low:g} and {self.high:g}")
        return self


class RewardSettings(Section):
    """What GRPO pays for."""

    name: str = "match"
    """The reward, by the name of its module in `looptool_kit/stages/train/rewards`: `match` (1 for what is
    exactly right, else 0), `graded` (worse mistakes cost more), `gated` (the share that is right, nothing
    without the right form) or `progress` (the share of the calls that are right).
    """
    no_hit: float = Field(1.0, ge=0)
    """Factor on the advantages of groups in which no completion is right: they teach only which wrong answer
    is the least wrong one. 1: as any other group; 0: not at all.
    """


class TargetSettings(Section):
    """Which tokens of the labels SFT learns.

    How much of each, and in which order (TL-Training, iTool).
    """

    mask_errors: bool = True
    """An assistant turn whose call led to an error result is not a sample; it stays in the context of later
    turns. For the source `trees`; `looptool import` does the same without `--keep-error-turns`.
    """
    key_weight: float = Field(1.0, ge=1)
    """Weight at the most of a label's key tokens: the first of a tool's name, and that where it parts from
    another offered name with the same beginning. 1: all tokens alike. (TL-Training: 9.) With the trainer
    `trl` alone.
    """
    order: Literal["mixed", "easy_first"] = "mixed"
    """`easy_first`: samples in the order of their labels' loss before training, those of a pass that share a
    tool list together. With the trainer `trl` alone.
    """


class FissionSettings(Section):
    """GRPO on recoveries from calls that failed (Fission-GRPO, arXiv 2601.15625)."""

    group: int = Field(0, ge=0)
    """Completions of each recovery; 0: none. A wrong call with its error becomes a prompt of the next step,
    at most half of `grpo.prompts` of them. (Try 4.) With the trainer `trl` alone.
    """

    @model_validator(mode="after")
    def _not_one(self) -> Self:
        if self.group == 1:
            raise ValueError("a group of one completion has no advantages; take 2 or more, or 0 for none")
        return self


class EpisodeSettings(Section):
    """GRPO over whole episodes, where samples have tools that run.

    With the trainer `trl` alone.
    """

    prompts: bool = False
    """Play such samples from the user's first words: tools answer, and what came of it is paid in place of
    `reward.name`. Their rollouts serve neither `[frontier]` nor `[pairs]`.
    """
    progress: bool = False
    """Pay for parts of what was asked, too; otherwise for all of it or nothing."""
    credit: Literal["episode", "turn"] = "episode"
    """What the tokens of a turn are trained by. `episode`: what the whole dialogue came to; `turn`: the
    progress that this turn brought. The latter wants `progress`.
    """
    turns: int = Field(6, ge=1, le=20)
    """Assistant turns of an episode at the most."""

    @model_validator(mode="after")
    def _turns_are_parts(self) -> Self:
        if self.credit == "turn" and not self.progress:
            raise ValueError("episodes.credit is `turn`, which pays for parts: set episodes.progress = true")
        return self


class ReverseSettings(Section):
    """The expander `reverse`: plans that are hard for the policy.

    A proposer finds them (ReverseGen, arXiv 2410.16736). For samples of the world, whose labels are exact
    whoever proposes the plan.
    """

    proposer: str = "features"
    """Who proposes, by the name of its module in `looptool_kit/stages/train/proposers`: `features` (weights
    of what plans are like, no model) or `lm` (the run's model with an adapter of its own).
    """
    pay: Literal["failure", "uncertainty"] = "failure"
    """What the proposer learns from. `failure`: plans that the policy fails are preferred to plans of the
    same prompt that it solves, by DPO. `uncertainty`: each valid plan earns 4 p (1 - p), where p is the share
    of ten answers that are right, by policy gradient (self-play, after Tool-R0, arXiv 2602.21320).
    """
    rounds: int = Field(2, ge=1)
    """Rounds of an iteration; the proposer learns after each but the last, whose failures become children."""
    proposals: int = Field(64, ge=8)
    """Plans of a round, in groups of eight for one prompt."""
    unsolved: float = Field(0.3, ge=0, le=1)
    """Share of the children at the most that the policy solves in none of ten answers."""
    kinds: float = Field(0.5, ge=0, le=1)
    """Least share of each kind among a round's proposals, as a part of its share in the world's samples."""


class HardgenSettings(Section):
    """The expander `hardgen`: traces of tools towards those that fail.

    The policy is what fails them (HardGen, arXiv 2601.01498).
    """

    fails_least: int = Field(2, ge=1)
    """A tool fails only where so many samples ask for it."""
    fails_share: float = Field(0.5, gt=0, le=1)
    """Least share of those that the policy gets wrong."""
    second: Literal["previous", "base", ""] = "previous"
    """A second policy that must fail the tool too: the `previous` iteration's, on its own dataset (in the
    first iteration there is none, and the policy decides alone), `base`, the untrained one, which is asked
    each sample once, or none.
    """
    length: tuple[int, int] = (2, 5)
    """Fewest and most tools of a trace; at most 6."""
    open_links: bool = True
    """Results feed tools of other domains and optional parameters too; otherwise required ones of their own
    domain alone.
    """
    tries: int = Field(3, ge=1)
    """Answers that the policy may give to a step: one without a hint, then with hints."""
    hints: bool = True
    """Keep the steps alone that the policy gets right within `tries`, as they are without hints. Otherwise
    all, and the policy is not asked.
    """

    @model_validator(mode="after")
    def _of_two_to_six(self) -> Self:
        if not 2 <= self.length[0] <= self.length[1] <= 6:
            raise ValueError(
                f"length is the fewest, at least 2, and the most, at most 6, not {list(self.length)}"
            )
        return self


class CheckSettings(Section):
    """How a model checks what a model has written.

    Children of the expander `llm`, dialogues of `trees`.
    """

    experts: bool = False
    """Three experts with a question each (made-up values, consistency, tool responses), of which all must
    agree, and a rule against repetition, in place of one question (ToolACE, section 2.3). Up to three times
    the calls.
    """


class BudgetSettings(Section):
    """How many tokens data and training after D_1 may take.

    For `looptool compare`.
    """

    tokens: tuple[int, ...] = ()
    """For D_2, D_3, ...: tokens of prompts and answers in all trainings, and tokens that the policy generated
    for training data. SFT's rows are cut or repeated until they are spent; the last number serves all later
    iterations. Empty: SFT takes the dataset as it is.
    """

    @model_validator(mode="after")
    def _some_tokens(self) -> Self:
        if any(n < 1 for n in self.tokens):
            raise ValueError("a budget is at least one token for each dataset")
        return self


class AugmentSettings(Section):
    """Perturbed samples that join D_2, D_3, ... as part AUG.

    RUIE-Bench, arXiv 2503.03201. They are made of D_1, once. In iteration j those join that its policy
    finds hardest, until the label loss on the development samples falls no more. Where
    `seeds.development` is 0, a tenth as many samples as D_1 has are drawn for that before training, and
    never composed: switched on in a run that has none, this makes its seed data again.
    """

    perturbations: tuple[str, ...] = ()
    """Names of perturbations, as the suite `robustness` has them; empty: no part AUG."""
    share: float = Field(0.1, gt=0, le=1)
    """Share of the rows of each perturbation that joins in the first iteration."""
    halve: bool = True
    """Half of the share in each further iteration, as in the paper; otherwise the same."""
    per_sample: int = Field(1, ge=1)
    """Rows of one original sample at the most, over all perturbations."""
    choice: Literal["loss", "random"] = "loss"
    """`loss`: the rows with the highest label loss under the policy. `random`: as many by chance, which the
    other has to be compared with.
    """
    stop: float = Field(0.003, ge=0)
    """No more rows join from the iteration on whose policy improved by less than this on the development
    samples: a share of the loss before, or of all samples where accuracy is the measure. (Paper: .3 F1.)
    """
    measure: Literal["loss", "accuracy"] = "loss"
    """What is compared there: the mean label loss, or exact match, which is too coarse for few samples."""
