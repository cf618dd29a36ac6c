"""Sections of where samples and tools come from."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from looptool_kit.config.base import Section


class SeedSettings(Section):
    """Where samples come from (method, section 2)."""

    source: str = "world"
    """`world`, `evolved` (the world over changed tools, see `[evolve]`), `procedural` (sampled tools, see
    `[procedural]`), `search` (dialogues that search records, see `[search]`), `templates` (the run's own
    tools, without a language model: `looptool init --tools`), `trees` (tools and dialogues written by the
    generator, see `[synthesis]`), or the path of a
    .jsonl/.parquet file of samples.
    """
    domains: tuple[str, ...] = ()
    """Domains of the world to take tools from; empty: all. Held-out tools come from all of them in any case.
    """
    first: int = Field(320, ge=1)
    """Samples of D_1."""
    fresh: tuple[int, ...] = (64, 32)
    """New seed samples that join D_2, D_3, ...: shrinking, as in the paper; the last number serves all later
    iterations.
    """
    noise: float = Field(0.1, ge=0, le=0.9)
    """Share of seed labels that get a planted annotator's error. The truth is kept apart, to measure
    verification.
    """
    paraphrase: float = Field(0.0, ge=0, le=1)
    """Share of the requests of the source `templates` that the generator words again (`[generator_llm]`). A
    new wording counts only if the rules and a judge find that the label still holds. 0: nothing is sent.
    """
    held_out: int = Field(60, ge=1)
    """Evaluation samples of each split (unseen values, unseen phrasings, unseen tools)."""
    development: int = Field(0, ge=0)
    """Samples like those that are trained on, but none of them, on which the best of the run's policies is
    chosen; 0: the last one is taken. No figure of the scoreboard is about them. In a file, rows of the split
    `development` are taken first; the source `trees` has none, nor has `search.file`.
    """

    def slices(self, count: int) -> list[int]:
        """How many fresh seed samples join D_2, D_3, ..., for `count` iterations."""
        fresh = self.fresh or (0,)
        return [fresh[min(i, len(fresh) - 1)] for i in range(count)]


class SynthesisSettings(Section):
    """Seed data written by the generator (LoopTool, section 3.1).

    Where `seeds.source` is `trees`.
    """

    tools: str = ""
    """Where tools come from: a Python, JSON or OpenAPI file or `mcp:` (see `looptool_kit/tools/catalog.py`).
    Empty: the generator writes tools along the two trees.
    """
    count: int = Field(24, ge=1)
    """Tools that the generator writes where there are none."""
    turns: int = Field(3, ge=1, le=8)
    """User turns of a dialogue at the most."""
    rounds: int = Field(6, ge=1)
    """How often more dialogues are simulated at the most, where samples are still missing."""
    reflect: int = Field(0, ge=0, le=3)
    """How often an assistant's turn that breaks a rule is shown its fault and answered again (InfTool, arXiv
    2512.23611). The answers are counted as before.
    """
    band: tuple[float, float] | None = None
    """Least and greatest complexity of a seed sample: mean negative log-likelihood of its label under the
    untrained policy, in nats a token (ToolACE, section 2.2). Left out: all are kept.
    """


class EvolveSettings(Section):
    """Evolved tools: the expander `evolve` and the source `evolved` (ToolACE, section 2.1)."""

    steps: tuple[int, int] = (1, 3)
    """Fewest and most changes that a tool goes through at a time."""
    buffer: int = Field(64, ge=0)
    """Evolved tools that are kept to be changed further; 0: each change begins with the tool as it is."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not 1 <= self.steps[0] <= self.steps[1]:
            raise ValueError(f"steps are the fewest, at least 1, and the most, not {list(self.steps)}")
        return self


class TracesSettings(Section):
    """Longer tasks of the world: chains of tools.

    The request does not say each of them.
    """

    held_out: int = Field(0, ge=0)
    """Held-out samples of the split `unseen_traces`, each a step of another trace of 3 or 4 tools that no
    expander makes; 0: the split is left out. For the sources `world` and `evolved`.
    """


class ProceduralSettings(Section):
    """Sampled tools: the source and the expander `procedural` (RandomWorld, arXiv 2506.11045)."""

    tools: int = Field(550, ge=20)
    """Tools that are sampled, held-out ones among them."""
    inputs: tuple[int, int] = (0, 4)
    """Fewest and most parameters of a tool."""
    length: tuple[int, int] = (1, 6)
    """Fewest and most calls of a task, where the tools allow it."""
    branch: float = Field(0.3, ge=0, le=1)
    """Chance that a tool of a task begins a branch of its own, instead of building on what was found."""
    distractors: tuple[int, int] = (1, 5)
    """Fewest and most further tools on offer."""
    unions: bool = True
    """Whether a parameter may take either of two kinds of things."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for name, least in (("inputs", 0), ("length", 1), ("distractors", 0)):
            low, high = getattr(self, name)
            if not least <= low <= high or (name == "inputs" and not 1 <= high <= 8):
                raise ValueError(f"{name} are the fewest, at least {least}, and the most, not {[low, high]}")
        return self


class MergeSettings(Section):
    """Near-duplicate tools of a person's own become one (InfTool, arXiv 2512.23611)."""

    tools: bool = False
    """Merge them: those of `looptool init --tools`, and those of the samples of a file, which are rewritten.
    """
    same: float = Field(0.6, gt=0, le=1)
    """Least cosine of the texts of two tools that become one. No two tools of the world reach 0.6, and all of
    70 copies under other names do. Other verbs, things and types never come together, however alike.
    """


SEARCH_PATTERNS = (
    "direct",
    "bad_argument",
    "bad_tool",
    "parallel",
    "chain_one",
    "chain_many",
    "chain_failure",
    "missing",
)
"""Patterns of dialogues that search."""


class SearchSettings(Section):
    """Dialogues that search records (ToolForge).

    The source `search`, and a share of other runs' new samples. Without `file` people, works, organisations
    and places are made up and labels are exact.
    """

    share: float = Field(0.0, ge=0, le=5)
    """New samples of searches that join D_2, D_3, ... beside those of the run's own source, as a share of
    `seeds.first`. 0: none.
    """
    file: str = ""
    """Records of your own for the source `search`: a .jsonl file in HotpotQA's form (question, answer,
    context, supporting_facts). `generator_llm` writes tools and calls for them, `judge_llm` checks the
    labels. Empty: records are made up, without a model.
    """
    records: int = Field(200, ge=20, le=1500)
    """Works of the made-up base; people, organisations and places come with them."""
    hops: tuple[int, int] = (1, 3)
    """Fewest and most facts between what a question names and its answer, up to 3."""
    top: tuple[int, int] = (2, 4)
    """Fewest and most passages that a search finds."""
    patterns: tuple[str, ...] = ()
    """Patterns of dialogues, in turn: `direct`, `bad_argument`, `bad_tool`, `parallel`, `chain_one`,
    `chain_many`, `chain_failure`, `missing`. One that appears twice comes twice as often. Empty: all alike.
    """
    variants: int = Field(4, ge=1, le=12)
    """Variants of each search tool beside the tool itself; the last one is held out."""
    same: float = Field(0.7, ge=0, le=1)
    """Least cosine of a variant and its tool, by TF-IDF of characters. (ToolForge: .7, by bge-m3.)"""
    words: float = Field(0.6, gt=0, le=1)
    """Share of a variant's words, by BM25, that each other one may have at the most. (ToolForge: .6 of a raw
    BM25, in the mean.)
    """

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not 1 <= self.hops[0] <= self.hops[1] <= 3:
            raise ValueError(f"hops are the fewest, at least 1, and the most, up to 3, not {list(self.hops)}")
        if not 1 <= self.top[0] <= self.top[1]:
            raise ValueError(f"top is the fewest, at least 1, and the most, not {list(self.top)}")
        if unknown := [p for p in self.patterns if p not in SEARCH_PATTERNS]:
            raise ValueError(f"there is no pattern {unknown[0]!r}; choose from {', '.join(SEARCH_PATTERNS)}")
        return self
