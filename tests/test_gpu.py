"""One GPU, in two minutes: the fused kernel against the unpacked model, no waiting in a layer, a tiny loop.

Skipped without CUDA. `benchmarks/gpu.py` measures.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")
if not torch.cuda.is_available():
    pytest.skip("no GPU here", allow_module_level=True)

import looptool_kit as lt  # noqa: E402
from looptool_kit.config import LoraSettings  # noqa: E402
from looptool_kit.policy.models import default_dtype  # noqa: E402
from looptool_kit.stages.train import passes  # noqa: E402
from looptool_kit.stages.train.common import lora_policy, training_dtype  # noqa: E402
from looptool_kit.stages.train.packing import pack  # noqa: E402
from looptool_kit.stages.train.shapes import shape_from  # noqa: E402
from looptool_kit.stages.train.shared_prefix import packed_logps  # noqa: E402

FAMILIES = {"llama": {}, "qwen2": {}, "qwen3": {}, "gemma3_text": {"sliding_window": 64}}


def model(kind: str, dtype: Any) -> Any:
    """A small model whose heads the kernel takes, with a float32 adapter."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        vocab_size=512,
        eos_token_id=1,
        pad_token_id=0,
        bos_token_id=None,
        **FAMILIES[kind],
    )
    base = AutoModelForCausalLM.from_config(config, dtype=torch.float32).to("cuda", dtype)
    policy = lora_policy(base, LoraSettings(rank=8, alpha=16), None, seed=1)
    generator = torch.Generator().manual_seed(2)
    for parameter in policy.parameters():
        if parameter.requires_grad:
            parameter.data.copy_(torch.randn(parameter.shape, generator=generator) * 0.02)
    return policy


def sequences() -> tuple[list[list[int]], list[list[int]]]:
    """Two tool lists, ragged completions, some of a single token."""
    rng = Random(0)

    def ids(n: int) -> list[int]:
        return [rng.randrange(5, 500) for _ in range(n)]

    tools, other = ids(300), ids(50)
    groups = [tools + ids(30), tools + ids(8), other]
    return [groups[i % 3] for i in range(12)], [ids(1 + 7 * (i % 5)) for i in range(12)]


def plain(policy: Any, half: Any) -> Any:
    found = []
    for prompt, completion in zip(*sequences(), strict=True):
        ids = torch.tensor([prompt + completion], device="cuda")
        with torch.autocast("cuda", half or torch.bfloat16, enabled=half is not None):
            logits = policy(ids).logits[0, len(prompt) - 1 : -1]
        found.append(torch.log_softmax(logits.float(), -1).gather(1, ids[0, len(prompt) :, None])[:, 0])
    return torch.cat(found)


def ours(policy: Any, half: Any) -> Any:
    return passes.logps_of(policy, pack(*sequences()), half=half)[0]


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_kernel_is_as_near_float32_as_plain_rows(kind: str) -> None:
    half, found = default_dtype(), []
    for how, dtype in ((plain, torch.float32), (plain, half), (ours, half)):
        policy = model(kind, dtype)
        logps = how(policy, None if dtype is torch.float32 else dtype)
        logps.mean().backward()
        found.append(
            (logps.detach(), torch.cat([p.grad.flatten() for p in policy.parameters() if p.grad is not None]))
        )
    exact, theirs, fused = found
    assert (fused[0] - exact[0]).abs().mean() <= 2 * (theirs[0] - exact[0]).abs().mean()
    assert torch.cosine_similarity(fused[1], exact[1], dim=0) >= 0.999


@pytest.mark.parametrize("fused", [True, False])
def test_no_layer_waits_for_the_gpu(fused: bool) -> None:
    policy = model("qwen3", default_dtype())
    shape = shape_from(policy.config.get_text_config())
    if fused and (reason := passes.why_no_kernel(shape, default_dtype())):
        pytest.skip(reason)
    row = pack(*sequences())
    length = passes.row_length(row.input_ids.shape[1]) if fused else None

    def once() -> None:
        packed_logps(policy, row, 1.0, True, default_dtype(), fused=length)

    once()  # compiles
    layers = policy.get_base_model().model.layers
    for at, layer in enumerate(layers):
        if at:  # the first one makes the mask that all share
            layer.register_forward_pre_hook(lambda *_: torch.cuda.set_sync_debug_mode("error"))
            layer.register_forward_hook(lambda *_: torch.cuda.set_sync_debug_mode("default"))
    try:
        once()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_tiny_loop_runs_to_its_end_in_16_bits(tiny_checkpoint: Path, tmp_path: Path) -> None:
    assert training_dtype() in ("bfloat16", "float16")
    run = lt.Run.create(
        tmp_path / "run",
        "cpu-quick",
        model=str(tiny_checkpoint),
        iterations=2,
        seeds__first=6,
        seeds__fresh=[2],
        seeds__held_out=2,
        grpo__group=2,
        grpo__max_new_tokens=8,
        probe__max_new_tokens=8,
        evaluate__max_new_tokens=8,
        expand__most=2,
    )
    lt.Loop(run).run()
    trained = [run.manifest("policy", j)["trainings"] for j in (1, 2)]
    assert [[facts["trainer"] for facts in of] for of in trained] == [["sft"], ["sft", "grpo"]]
