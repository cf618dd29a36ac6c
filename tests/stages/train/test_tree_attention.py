"""The fused kernel's mask: log-probs equal those without it, over random trees and windows."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from tiny_models import KINDS, tiny_model  # noqa: E402

from looptool_kit.stages.train.packing import pack  # noqa: E402
from looptool_kit.stages.train.shared_prefix import packed_logps  # noqa: E402
from looptool_kit.stages.train.tree_attention import BLOCK, filled_up  # noqa: E402


def sequences(seed: int, shared: int) -> tuple[list[list[int]], list[list[int]]]:
    """Prompts of two tool lists, some with a longer dialogue, and completions of any length."""
    rng = Random(seed)

    def ids(n: int) -> list[int]:
        return [rng.randrange(5, 250) for _ in range(n)]

    prompts = []
    for _ in range(2):
        tools = ids(shared)
        turn = tools + ids(rng.randrange(1, 90))
        prompts += [turn, turn, turn + ids(rng.randrange(1, 30)), tools + ids(rng.randrange(1, 200)), ids(7)]
    return prompts, [ids(rng.randrange(1, 40)) for _ in prompts]


def up(n: int) -> int:
    return -(-n // BLOCK) * BLOCK


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shared", [60, 300])
def test_log_probs_are_those_without_the_kernel(kind: str, shared: int) -> None:
    model: Any = tiny_model(kind).eval()
    packed = pack(*sequences(shared, shared))
    with torch.no_grad():
        plain, _ = packed_logps(model, packed)
        fused, _ = packed_logps(model, packed, fused=up(packed.input_ids.shape[1]) + BLOCK)
    torch.testing.assert_close(fused, plain, atol=2e-4, rtol=0)


@given(st.integers(0, 10_000), st.sampled_from([1, 50, 200]))
def test_until_says_who_sees_whom(seed: int, shared: int) -> None:
    """By the definition: each completion token's predictor sees just its own sequence's tokens, each position
    once.
    """
    prompts, completions = sequences(seed, shared)
    packed = pack(prompts, completions)
    ids, positions, tree = filled_up(
        packed.input_ids, packed.position_ids, packed.until, up(packed.input_ids.shape[1]), "cpu"
    )
    at = torch.arange(ids.shape[1])
    sees = (at[:, None] >= at[None, :]) & (at[:, None] < tree.until[None, :])
    step = 0
    for prompt, completion in zip(prompts, completions, strict=True):
        whole = [*prompt, *completion]
        for n in range(len(completion)):
            row = sees[packed.predictor[step]]
            assert ids[0][row].tolist() == whole[: len(prompt) + n]
            assert positions[0][row].tolist() == list(range(len(prompt) + n))
            step += 1
    blocks = tree.mask(None).to_dense()[0, 0].bool()
    n = len(blocks)
    assert torch.equal(blocks, sees.view(n, BLOCK, n, BLOCK).any(3).any(1))


def test_the_kernel_has_gradients_on_a_gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU here")
    model: Any = tiny_model("llama").cuda()
    packed = pack(*sequences(3, 200))
    found = []
    for fused in (None, up(packed.input_ids.shape[1])):
        model.zero_grad()
        packed_logps(model, packed, fused=fused)[0].sum().backward()
        found.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    assert torch.cosine_similarity(*found, dim=0) > 0.999
