"""Every setting of a run with its default and meaning, one class a section of `run.toml`."""

from __future__ import annotations

from math import ceil
from typing import Literal, Self

from pydantic import Field, model_validator

from looptool_kit.config.base import Section as _Settings
from looptool_kit.config.sources import (
    EvolveSettings,
    MergeSettings,
    ProceduralSettings,
    SearchSettings,
    SeedSettings,
    SynthesisSettings,
    TracesSettings,
)
from looptool_kit.config.strategies import (
    AugmentSettings,
    BandSettings,
    BudgetSettings,
    CheckSettings,
    EpisodeSettings,
    FissionSettings,
    FrontierSettings,
    HardgenSettings,
    PairsSettings,
    PreferenceSettings,
    ReverseSettings,
    RewardSettings,
    TargetSettings,
)  # fmt: skip
from looptool_kit.core.endpoint import Endpoint

DEVELOPMENT_SHARE = 0.1
"""Development samples that are drawn for `[augment]` where there are none, as a share of D_1: a longer run
draws the same.
"""
EngineName = Literal["transformers", "vllm", "served"]


class LoraSettings(_Settings):
    """The adapter that is trained."""

    rank: int = Field(16, ge=1)
    """Rank of the low-rank update: more holds more, and costs more memory."""
    alpha: int = Field(32, ge=1)
    """The update is scaled by alpha / rank."""
    upper: float = Field(1.0, gt=0, le=1)
    """Share of the layers that get an adapter, counted from the top. The rest needs no gradients and no
    memory for them.
    """


class SftSettings(_Settings):
    """Supervised fine-tuning on labels.

    On the CPU it is a part of every iteration, elsewhere at most the first step of the first.
    """

    machine = frozenset({"micro_tokens", "save_steps", "gradient_checkpointing"})

    epochs: int = Field(2, ge=0)
    """Passes over the dataset in the first iteration; 0 leaves SFT out."""
    epochs_later: int = Field(1, ge=0)
    """Passes in later iterations."""
    rehearsal: float = Field(0.0, ge=0)
    """Samples of other tools that SFT trains on beside D_j, as a share of its rows: from domains of the world
    that `seeds.domains` does not name. They keep the policy from forgetting what it could do before
    (experience replay, arXiv 1811.11682). They are not part of D_j: neither probed nor expanded. With the
    trainer `trl` alone.
    """
    batch: int = Field(8, ge=1)
    """Samples of an optimiser step."""
    micro_batch: int = Field(4, ge=1)
    """Samples of a forward pass; those of one tool list share its tokens."""
    micro_tokens: int = Field(1500, ge=1)
    """A forward pass of more tokens than this (shared ones counted once) is cut in two, again and again, so
    that long samples do not cost memory.
    """
    learning_rate: float = Field(1e-3, gt=0)
    """AdamW's step size in the first iteration."""
    learning_rate_later: float = Field(5e-4, gt=0)
    """AdamW's step size in later iterations."""
    warmup_steps: int = Field(4, ge=0)
    """Steps over which the learning rate rises from nothing."""
    save_steps: int = Field(1, ge=1)
    """Steps between two checkpoints: what a stopped training repeats at most."""
    gradient_checkpointing: bool = False
    """Compute activations a second time instead of keeping them: less memory, about a third more time."""

    @model_validator(mode="after")
    def _whole_passes(self) -> Self:
        if self.batch > self.micro_batch and self.batch % self.micro_batch:
            raise ValueError(
                f"a batch of {self.batch} cannot be cut into passes of micro_batch = {self.micro_batch}; take"
                " a multiple of that"
            )
        return self


class GrpoSettings(_Settings):
    """Group relative policy optimisation (LoopTool, section 3.2)."""

    machine = frozenset({"save_steps", "gradient_checkpointing"})

    steps: int = Field(4, ge=0)
    """Optimiser steps an iteration; 0 leaves GRPO out. (Paper: 2 epochs.)"""
    steps_first: int = Field(0, ge=0)
    """Steps in the first iteration."""
    prompts: int = Field(4, ge=1)
    """Prompts of a step. (Paper: batch 128.)"""
    group: int = Field(8, ge=2)
    """Completions of each prompt. (Paper: 16.)"""
    temperature: float = Field(1.0, gt=0)
    """Sampling temperature of the completions. (Paper: 1.0.)"""
    learning_rate: float = Field(5e-5, gt=0)
    """AdamW's step size. (Paper: 1e-6 on all weights; LoRA wants more.)"""
    clip_low: float = Field(0.2, ge=0)
    """How far the probability ratio may fall below 1 before the gradient stops. (Paper: 0.2.) Every step here
    trains on completions of its own, whose ratio is 1, so that neither bound is reached."""
    clip_high: float = Field(0.28, ge=0)
    """How far it may rise above 1: "clip higher". (Paper: 0.28.)"""
    max_new_tokens: int = Field(160, ge=1)
    """Length limit of a completion, in tokens; one that is cut there earns nothing. (Paper: 1024.)"""
    save_steps: int = Field(1, ge=1)
    """Steps between two checkpoints: what a stopped training repeats at most."""
    gradient_checkpointing: bool = False
    """Compute activations a second time instead of keeping them: less memory, about a third more time."""


class UnslothSettings(_Settings):
    """One GPU, where `trainer` is `unsloth`.

    The last three describe the GPU, for the estimate that is printed before a training starts.
    """

    machine = frozenset({"micro_batch", "gpu_memory_utilization", "gpu_gb", "tflops", "bandwidth_gb"})

    four_bit: bool = False
    """Frozen weights in 4 bits (QLoRA) in place of bfloat16."""
    max_seq_length: int = Field(5120, ge=256)
    """Tokens of prompt and completion; longer samples are left out, never cut. (Paper: 4096 + 1024.)"""
    micro_batch: int = Field(8, ge=1)
    """Sequences of a forward pass, in SFT and GRPO."""
    gpu_memory_utilization: float = Field(0.5, gt=0, lt=1)
    """Share of the GPU that vLLM may use: the weights, which it shares with the trainer, and the KV cache."""
    gpu_gb: float = Field(24, gt=0)
    """Memory of the GPU in gigabytes, where none is there to ask."""
    tflops: float = Field(165, gt=0)
    """Its peak of dense 16-bit arithmetic in TFLOPS (10^12 operations a second), from its data sheet."""
    bandwidth_gb: float = Field(1008, gt=0)
    """Its memory bandwidth in gigabytes a second, from its data sheet."""


class ProbeSettings(_Settings):
    """Greedy capability probing (LoopTool, section 3.3)."""

    machine = frozenset({"batch"})

    max_new_tokens: int = Field(160, ge=1)
    """Length limit of a prediction, in tokens; one that is cut there counts as failed."""
    batch: int = Field(128, ge=1)
    """Samples decoded together: more is faster and takes more memory."""
    quantile: float = Field(0.7, ge=0, le=1)
    """Mastered samples with a perplexity above this quantile (of the mastered ones) are borderline: D_HPPL.
    """
    threshold: float | None = Field(None, gt=0)
    """A perplexity to use instead of the quantile."""


class VerifySettings(_Settings):
    """Judgement-guided label verification (LoopTool, section 3.4)."""

    judge: str = "evidence"
    """Who compares label and prediction, by the name of its module in `looptool_kit/stages/verify`."""
    floor: float = Field(0.95, ge=0, le=1)
    """Least probability at which the judges `evidence` and `combined` replace a label; below it the sample is
    unjudged, and first in the review desk.
    """


class JurySettings(_Settings):
    """The `llm` judge (LoopTool, section 3.4).

    How often models are asked, and how far they must agree.
    """

    others: tuple[Endpoint, ...] = ()
    """Judges beside `judge_llm`; in run.toml each is a table [[jury.others]] with base_url and model. Three
    or more are weighed by their merits.
    """
    votes: int = Field(1, ge=1)
    """How often each judge is asked about a sample. A vote is two calls, one for each order of the two
    answers.
    """
    temperature: float = Field(0.0, ge=0)
    """Sampling temperature; above 0 where a judge has several votes, or they would all be alike."""
    max_tokens: int = Field(2048, ge=1)
    """Tokens of a judge's answer at the most, its thoughts included; one that is cut there does not vote."""
    confidence: float = Field(0.6, ge=0.5, le=1)
    """Least share of the votes, from three judges on least probability, of a verdict; below it the sample is
    unjudged.
    """

    @model_validator(mode="after")
    def _votes_differ(self) -> Self:
        if self.votes > 1 and self.temperature == 0:
            raise ValueError(
                "several votes at temperature 0 would all be alike; set the temperature above 0, or votes"
                " to 1"
            )
        return self


class ExpandSettings(_Settings):
    """Error-driven data expansion (LoopTool, section 3.5)."""

    expanders: tuple[str, ...] = ("world", "slots")
    """Tried in this order until the children are enough; `llm` last, and only for children that the others
    could not give. `repeat` alone repeats the error seeds, as an ablation does.
    """
    children: int = Field(2, ge=0)
    """Accepted children wanted for each error seed. (Paper: 4.)"""
    tries: int = Field(3, ge=1)
    """Candidates asked for each wanted child."""
    most: int = Field(240, ge=0)
    """Error seeds' children in all; above it every seed keeps its share."""


class CallSettings(_Settings):
    """Limits of paid model calls."""

    machine = frozenset({"most"})

    most: int | None = Field(None, ge=0)
    """Answers that a run pays for of each model that judges or writes, in all. A stage that wants more stops
    before it asks and says so. Left out: no limit.
    """


class ClusterSettings(_Settings):
    """Workers on Ray in place of this process (docs/scale-ray.md).

    Training stays in this process.
    """

    machine = frozenset({"address", "workers", "cpus"})

    address: str = Field("", pattern=r"^(|local|auto|(ray://)?[\w.-]+:\d+)$")
    """Where probing, scoring, verifying, expanding, writing seed samples and evaluating run: `local` (a Ray
    of its own on this machine), `HOST:PORT` or `auto` (a cluster that this machine is a node of),
    `ray://HOST:PORT` (one that it is not). Empty: this process.
    """
    workers: int = Field(2, ge=1)
    """Workers at once; each holds the policy, and takes a GPU where the cluster has some."""
    cpus: int = Field(1, ge=1)
    """Processor cores of a worker, and its threads."""


class ComposeSettings(_Settings):
    """D_{j+1} = D_ES + D_EE + D_HPPL + D_seed-new (LoopTool, section 3.6)."""

    hppl: int = Field(64, ge=0)
    """High-perplexity samples kept at the most, highest first among calls and among replies."""
    both_correct: Literal["high_perplexity", "discard"] = "high_perplexity"
    """BOTH_CORRECT rows: kept where perplexity is high (the paper's text) or discarded (its algorithm box).
    """
    unjudged: Literal["keep", "discard"] = "keep"
    """Failed samples without a verdict: kept as they are, or left out."""


class EvaluateSettings(_Settings):
    """Held-out evaluation."""

    base: bool = True
    """Evaluate the model that training starts from too, on the same samples; a model that was never tuned for
    calls answers at length, which costs several times as much.
    """
    max_new_tokens: int = Field(160, ge=1)
    """Length limit of an answer, in tokens; one that is cut there counts as wrong."""


class Settings(_Settings):
    """Everything that decides what a run does."""

    machine = frozenset({"engine", "policy_server", "report_to"})

    preset: str = "cpu"
    seed: int = Field(0, ge=0, lt=2**31)
    iterations: int = Field(2, ge=1, le=1000)
    """How many datasets are composed; each iteration trains, probes, verifies, expands and composes."""
    model: str = "embedded"
    """`embedded` (SmolLM2-135M-Instruct with this package's adapter, which calls tools), `embedded-base`
    (without it), a path, or a hub name.
    """
    trainer: Literal["trl", "unsloth"] = "trl"
    """`trl` trains on the CPU as well; `unsloth` needs a GPU and generates with vLLM."""
    engine: EngineName = "transformers"
    """Who runs the policy for probing, scoring and evaluation, and writes GRPO's completions where `trainer`
    is `trl`: `transformers`, `vllm` (for a GPU; it has a CPU build), or `served`, a vLLM server (see
    docs/engines.md). All give the same greedy answers up to numerical ties, so nothing that is finished is
    redone when this changes.
    """
    policy_server: Endpoint | None = None
    """The vLLM server of the engine `served`; `model` is its name for the base weights. It must see the run
    folder, for adapters.
    """
    report_to: Literal["none", "tensorboard", "trackio"] = "none"
    """Where training logs its losses and rewards besides the run folder, as transformers does: `tensorboard`
    (in the run folder) or `trackio` (on this machine).
    """
    judge_llm: Endpoint | None = None
    """The model that judges, where one does; the generator where only that is given."""
    generator_llm: Endpoint | None = None
    """The model that writes children and seed dialogues, where one does."""
    contamination: str = ""
    """List of benchmark fingerprints (`looptool contamination build`) that written tools and samples are
    checked against; empty: not checked.
    """
    seeds: SeedSettings = SeedSettings()
    synthesis: SynthesisSettings = SynthesisSettings()
    band: BandSettings = BandSettings()
    merge: MergeSettings = MergeSettings()
    lora: LoraSettings = LoraSettings()
    sft: SftSettings = SftSettings()
    grpo: GrpoSettings = GrpoSettings()
    reward: RewardSettings = RewardSettings()
    fission: FissionSettings = FissionSettings()
    episodes: EpisodeSettings = EpisodeSettings()
    targets: TargetSettings = TargetSettings()
    frontier: FrontierSettings = FrontierSettings()
    pairs: PairsSettings = PairsSettings()
    preference: PreferenceSettings = PreferenceSettings()
    unsloth: UnslothSettings = UnslothSettings()
    probe: ProbeSettings = ProbeSettings()
    verify: VerifySettings = VerifySettings()
    jury: JurySettings = JurySettings()
    expand: ExpandSettings = ExpandSettings()
    evolve: EvolveSettings = EvolveSettings()
    search: SearchSettings = SearchSettings()
    reverse: ReverseSettings = ReverseSettings()
    traces: TracesSettings = TracesSettings()
    hardgen: HardgenSettings = HardgenSettings()
    procedural: ProceduralSettings = ProceduralSettings()
    check: CheckSettings = CheckSettings()
    compose: ComposeSettings = ComposeSettings()
    budget: BudgetSettings = BudgetSettings()
    augment: AugmentSettings = AugmentSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    calls: CallSettings = CallSettings()
    cluster: ClusterSettings = ClusterSettings()

    @property
    def held_out(self) -> int:
        """How many held-out samples a policy is scored on.

        All splits of the world together.
        """
        return 3 * self.seeds.held_out + self.traces.held_out

    @property
    def development(self) -> int:
        """How many development samples are drawn: `seeds.development`, or what `[augment]` needs."""
        if self.seeds.development or not self.augment.perturbations:
            return self.seeds.development
        return ceil(DEVELOPMENT_SHARE * self.seeds.first)
