"""Scenarios: what one iteration asks for, on which machines, at which rates."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from looptool_kit.core.terminal import visible


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Rate(_Part):
    """A rate, and where it comes from."""

    value: float = Field(gt=0)
    unit: Literal["tokens/s a GPU", "samples/s a GPU", "CPU s a sample", "CPU s a call", "s"]
    kind: Literal["measured", "published", "assumed"]
    """Measured with this package, published by others, or assumed."""
    source: str


class Shares(_Part):
    """How rows flow from stage to stage."""

    failed: float = Field(0.2, ge=0, le=1)
    """Of D_j's samples: those that the policy gets wrong, which a judge looks at."""
    error_seeds: float = Field(0.165, ge=0, le=1)
    """Of D_j's samples: those whose right label is known after it."""
    children: int = Field(4, ge=0)
    """Candidates of an error seed."""
    accepted: float = Field(0.631, ge=0, le=1)
    """Of the candidates: those that pass rules and judge."""
    retried: float = Field(0.01, ge=0, lt=1)
    """Of the calls to a judge or generator: those that fail and are made again."""


class Tokens(_Part):
    """Mean lengths."""

    prompt: int = Field(1500, ge=1)
    answer: int = Field(100, ge=1)
    judge_prompt: int = Field(2500, ge=1)
    verdict: int = Field(300, ge=1)
    candidate: int = Field(800, ge=1)
    """What the generator writes for one."""


class Train(_Part):
    """GRPO, or SFT where `group` is 0."""

    epochs: float = Field(2, gt=0)
    prompts: int = Field(128, ge=1)
    group: int = Field(16, ge=0)
    sync: float = Field(1.0, ge=0)
    """Seconds of a step that no further GPU shortens: weights to the engine, gradients, start of a pass."""
    checkpoint: int = Field(10, ge=1)
    """Steps between two checkpoints: an interruption repeats at most these."""


class Cluster(_Part):
    """The machines, and what goes wrong with them."""

    judge_gpus: int = Field(1, ge=1)
    """GPUs of one engine of the judge."""
    cores: int = Field(8, ge=1)
    """Processor cores beside each GPU."""
    straggling: float = Field(0.1, ge=0, le=2)
    """Standard deviation of the logarithm of a batch's or step's time on one worker."""
    interruptions: float = Field(0.0, ge=0)
    """Of a GPU in an hour, as spot machines have them; 0: none."""
    replacement: float = Field(300, ge=0)
    """Seconds until a lost machine is replaced."""
    price: float = Field(3.0, ge=0)
    """Dollars of a GPU in an hour."""
    batch: int = Field(256, ge=1)
    """Samples or calls that a worker takes at a time."""


class Take(_Part):
    """Which rates are taken, by name."""

    answer: str
    start: str = "vllm-start"
    grpo: str = ""
    update: str = ""
    """In place of `grpo`: of the optimiser's part alone; completions are then written at `answer`."""
    sft: str = ""
    judge: str = ""
    generate: str = "generate-sample"
    rules: str = "rules-sample"
    compose: str = "compose-sample"
    client: str = "judge-call-client"


class Scenario(_Part):
    """One iteration of the loop on a cluster."""

    title: str
    samples: int = Field(ge=1, le=10**9)
    """Of D_j."""
    held_out: int = Field(2000, ge=0)
    workers: int = Field(ge=1, le=100_000)
    """GPUs."""
    judged: bool = True
    """Whether a language model judges and generates."""
    shares: Shares = Shares()
    tokens: Tokens = Tokens()
    train: Train = Train()
    cluster: Cluster = Cluster()
    take: Take
    rates: dict[str, Rate]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        grpo = bool(self.train.group) and not self.take.update
        wanted = {"sft": not self.train.group, "grpo": grpo, "judge": self.judged}
        for name, needed in wanted.items():
            if needed and not getattr(self.take, name):
                raise ValueError(f"take.{name} is missing: name one of the rates")
        for name, rate in self.take:
            if rate and rate not in self.rates:
                raise ValueError(f"take.{name} = {rate!r} is not a rate; there are {', '.join(self.rates)}")
            if rate and name in _UNITS and self.rates[rate].unit not in _UNITS[name]:
                raise ValueError(f"take.{name} = {rate!r} is in {self.rates[rate].unit}")
        if self.shares.error_seeds > self.shares.failed:
            raise ValueError("shares.error_seeds are a part of shares.failed, and cannot be more")
        return self

    def rate(self, name: str) -> Rate:
        """Return the rate that the scenario takes for a purpose."""
        return self.rates[getattr(self.take, name)]


_TOKENS, _SAMPLES = "tokens/s a GPU", "samples/s a GPU"
_UNITS = {
    "answer": (_TOKENS, _SAMPLES),
    "judge": (_TOKENS, _SAMPLES),
    "grpo": (_TOKENS,),
    "update": (_TOKENS,),
    "sft": (_TOKENS,),
    "start": ("s",),
    "generate": ("CPU s a sample",),
    "rules": ("CPU s a sample",),
    "compose": ("CPU s a sample",),
    "client": ("CPU s a call",),
}
"""Purpose -> the units that its rate may have."""
_SHIPPED = files("looptool_kit.capacity") / "scenarios"


def scenarios() -> list[str]:
    """Return the names of the scenarios that are part of the package."""
    names = (Path(entry.name) for entry in _SHIPPED.iterdir())
    return sorted(n.stem for n in names if n.suffix == ".toml" and n.stem != "rates")


def load(name: str) -> Scenario:
    """Read a scenario by name, or from a TOML file.

    Raises:
        ValueError: There is no such scenario, or its file is wrong; the message names file and setting.
    """
    if not name.endswith(".toml") and name not in scenarios():
        raise ValueError(
            f"there is no scenario {visible(name)!r}: give one of {', '.join(scenarios())}, or a .toml file"
        )
    file = Path(name) if name.endswith(".toml") else _SHIPPED / f"{name}.toml"
    rates = tomllib.loads((_SHIPPED / "rates.toml").read_text(encoding="utf-8"))["rates"]
    try:
        given: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{visible(file)} is not TOML: {error}") from None
    own = given.pop("rates", {})
    if not isinstance(own, dict):
        raise ValueError(f"{visible(file)}: rates are tables, [rates.NAME]")
    try:
        return Scenario.model_validate(given | {"rates": rates | own})
    except ValidationError as error:
        # A misspelt name is also one that is missing: the misspelt one tells more.
        wrong = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        first = wrong[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        what = "there is no such setting" if first["type"] == "extra_forbidden" else first["msg"]
        raise ValueError(f"{visible(file)}: {visible(place)}: {visible(what)}") from None
