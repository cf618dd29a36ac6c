"""What the tests of the engine `vllm` share. Everything in float32, where exact comparison makes sense."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from looptool_kit import world
from looptool_kit.config import LoraSettings
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.policy import models
from looptool_kit.policy.engines import Completion
from looptool_kit.policy.engines.transformers import TransformersEngine
from looptool_kit.policy.engines.vllm import VllmEngine
from looptool_kit.policy.policy import base_policy, open_engine

BATCH = 8
TIE = 2e-3
"""Natural-log probability by which two tokens may differ and still be a tie between two ways of computing in
float32.
"""


@pytest.fixture(scope="module")
def samples() -> Samples:
    """Twelve samples, cut to two tools each; some share these."""
    whole = [
        *world.generate(9, seed=3, domains=["music"]),
        *world.generate(3, seed=4, domains=["smart_home"]),
    ]
    return Samples(Sample(tools=s.tools[:2], messages=s.messages, label=s.label) for s in whole)


@pytest.fixture(scope="module")
def plain() -> TransformersEngine:
    return TransformersEngine.load(models.find_model().path, dtype="float32", batch_size=BATCH)


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two adapters as the trainers make and save them, with random weights large enough to change what is
    likely; one on the upper layers only.
    """
    from looptool_kit.policy.policy import load_base
    from looptool_kit.stages.train.common import lora_policy

    made = []
    for seed, lora in enumerate((LoraSettings(rank=8, alpha=16), LoraSettings(rank=16, alpha=16, upper=0.5))):
        policy = lora_policy(load_base("embedded")[0], lora, None, seed)
        for name, weight in policy.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.1)
        made.append(tmp_path_factory.mktemp("adapter") / "adapter")
        policy.save_pretrained(made[-1])
    return made


@pytest.fixture(scope="module")
def float32() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "default_dtype", lambda: torch.float32)
        yield


@pytest.fixture
def engine(float32: None) -> VllmEngine:
    """As the stages get it: opened once, the base model in use."""
    found = open_engine(base_policy("embedded", "vllm"), BATCH)
    assert isinstance(found, VllmEngine)
    return found


def _logprobs(plain: TransformersEngine, item: Sample, ids: tuple[int, ...]) -> torch.Tensor:
    """Log-probabilities [len(ids), vocabulary] after the prompt and after each token but the last, by a plain
    forward pass.
    """
    prompt = plain.tokenizer(plain.render(item), add_special_tokens=False).input_ids
    with torch.no_grad():
        logits = plain.model(torch.tensor([[*prompt, *ids]])).logits[0]
    return logits[len(prompt) - 1 : -1].float().log_softmax(-1)


def _perplexity(one: Completion) -> float:
    return math.exp(-sum(one.logprobs) / len(one.logprobs))


def _check_same(
    plain: TransformersEngine, samples: Samples, ours: list[list[Completion]], theirs: list[list[Completion]]
) -> None:
    """Equal answers with equal perplexities, but for ties: there, the token that vLLM took is as likely as
    the likeliest.
    """
    equal = 0
    for item, [a], [b] in zip(samples, ours, theirs, strict=True):
        if a.token_ids == b.token_ids:
            equal += 1
            assert (a.text, a.tokens, a.finish_reason) == (b.text, b.tokens, b.finish_reason)
            assert _perplexity(a) == pytest.approx(_perplexity(b), rel=0.01) and a.logprobs == pytest.approx(
                b.logprobs, abs=TIE
            )
        else:
            line = _logprobs(plain, item, a.token_ids)
            at = next(k for k, (x, y) in enumerate(zip(a.token_ids, b.token_ids, strict=False)) if x != y)
            assert line[at].max() - line[at, a.token_ids[at]] < TIE, "another token without a tie"
    assert equal >= len(samples) - 2, "ties are rare in float32"


@pytest.fixture
def logprobs() -> Callable[..., torch.Tensor]:
    return _logprobs


@pytest.fixture
def check_same() -> Callable[..., None]:
    return _check_same
