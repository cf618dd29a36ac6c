"""What a GPU is given, on the CPU: the fused kernel's log-probs and gradients against models run sequence by
sequence, chunks of logits, passes by tokens; nothing in a layer waits for the GPU.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from tiny_models import KINDS, WORDY, tiny_model, wordy_tokenizer  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from looptool_kit.config import TargetSettings  # noqa: E402
from looptool_kit.stages.train import passes  # noqa: E402
from looptool_kit.stages.train.packing import pack  # noqa: E402
from looptool_kit.stages.train.shared_prefix import packed_logps  # noqa: E402
from looptool_kit.stages.train.tree_attention import BLOCK  # noqa: E402
from looptool_kit.stages.train.vocabulary import token_logps  # noqa: E402

FAMILIES = ("llama", "qwen2", "qwen3", "gemma3")


@pytest.fixture
def kernel_with_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """flex_attention refuses gradients on a CPU, although its plain form has them."""
    from torch.nn.attention import flex_attention

    monkeypatch.setattr(flex_attention, "_validate_device", lambda *_: None)


def sequences() -> tuple[list[list[int]], list[list[int]]]:
    """Three groups on two tool lists, longer than a block; completions ragged, some cut at the limit of 24,
    one of a single token.
    """
    rng = Random(3)

    def ids(n: int) -> list[int]:
        return [rng.randrange(5, 250) for _ in range(n)]

    tools, others = ids(150), ids(40)
    groups = [tools + ids(30), tools + ids(9), others + ids(70)]
    prompts = [groups[i] for i in (0, 0, 1, 0, 2, 2, 1, 0)]
    return prompts, [ids(n) for n in (24, 3, 24, 11, 1, 24, 7, 24)]


def alone(model: Any, prompts: Any, completions: Any) -> Any:
    """Log-probs by the unpacked model, one sequence at a time."""
    found = []
    for prompt, completion in zip(prompts, completions, strict=True):
        logits = model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1].float()
        found.append(torch.log_softmax(logits, -1).gather(1, torch.tensor(completion)[:, None])[:, 0])
    return torch.cat(found)


def packed(model: Any, prompts: Any, completions: Any, **more: Any) -> Any:
    row = pack(prompts, completions)
    length = passes.row_length(row.input_ids.shape[1])
    return packed_logps(model, row, fused=length, chunk=40, **more)[0]


def with_slopes(model: Any, logps: Any) -> tuple[Any, Any]:
    """(log-probs, all gradients of a loss in which each token has a weight of its own)."""
    (logps * torch.linspace(-1, 2, len(logps))).mean().backward()
    slopes = [p.grad.float().flatten() for p in model.parameters() if p.grad is not None]
    return logps.detach(), torch.cat(slopes)


def cosine(a: Any, b: Any) -> float:
    return float(torch.nn.functional.cosine_similarity(a.double(), b.double(), dim=0))


@pytest.mark.usefixtures("kernel_with_gradients")
@pytest.mark.parametrize("kind", KINDS)
def test_log_probs_and_gradients_are_those_of_the_unpacked_model(kind: str) -> None:
    (exact, slope), (found, own) = (
        with_slopes(model, how(model, *sequences()))
        for how, model in ((alone, tiny_model(kind)), (packed, tiny_model(kind)))
    )
    torch.testing.assert_close(found, exact, atol=2e-4, rtol=0)
    assert cosine(own, slope) > 0.99999 and float(own.norm() / slope.norm()) == pytest.approx(1, abs=1e-4)


def calm(kind: str) -> Any:
    """The tiny model with smaller weights, as trained ones are: rounding is then not blown up."""
    model = tiny_model(kind)
    for p in model.parameters():
        p.data.mul_(0.3)
    return model


@pytest.mark.usefixtures("kernel_with_gradients")
@pytest.mark.parametrize("kind", FAMILIES)
def test_bfloat16_is_as_near_float32_as_the_unpacked_model_is(kind: str) -> None:
    """Weights and products in bfloat16; mean distance at most twice the unpacked model's."""
    (exact, slope), (theirs, _), (ours, own) = (
        with_slopes(model, how(model, *sequences()))
        for how, model in (
            (alone, calm(kind)),
            (alone, calm(kind).to(torch.bfloat16)),
            (packed, calm(kind).to(torch.bfloat16)),
        )
    )
    assert float((theirs - exact).abs().mean()) > 1e-4, "nothing was rounded"
    assert float((ours - exact).abs().mean()) <= 2 * float((theirs - exact).abs().mean())
    assert ours.dtype == torch.float32 and cosine(own, slope) >= 0.999


@pytest.mark.usefixtures("kernel_with_gradients")
@pytest.mark.parametrize("kind", FAMILIES)
def test_an_adapter_in_float32_learns_on_weights_in_bfloat16(kind: str) -> None:
    """As on a GPU: frozen bfloat16 weights, autocast, gradient checkpointing; the adapter's gradients are
    those of the float32 model.
    """
    from looptool_kit.config import LoraSettings
    from looptool_kit.stages.train.common import lora_policy

    found = []
    for dtype in (torch.float32, torch.bfloat16):
        policy = lora_policy(calm(kind).to(dtype), LoraSettings(rank=4, alpha=8), None, seed=1)
        trained = [p for p in policy.parameters() if p.requires_grad]
        assert trained and all(p.dtype == torch.float32 for p in trained)
        generator = torch.Generator().manual_seed(2)
        for p in trained:
            p.data.copy_(torch.randn(p.shape, generator=generator) * 0.05)
        if dtype is torch.bfloat16:
            policy.gradient_checkpointing_enable({"use_reentrant": False})
            policy.train()
        half = torch.bfloat16 if dtype is torch.bfloat16 else None
        found.append(with_slopes(policy, packed(policy, *sequences(), half=half)))
    (exact, slope), (rounded, own) = found
    assert not torch.equal(exact, rounded)
    assert cosine(own, slope) >= 0.999


class Waits(TorchDispatchMode):
    """Counts operations for whose result the host has to wait where the tensors are on a GPU."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "is_nonzero", "equal")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.calls = 0

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = op._schema.name.removeprefix("aten::")
        self.calls += 1
        boolean = (
            name.startswith(("index", "_index_put"))
            and any(x is not None and x.dtype == torch.bool for x in args[1])
            if len(args) > 1 and isinstance(args[1], (list, tuple))
            else False
        )
        if name in self.WAITING or boolean:
            self.found.append(name)
        return op(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_no_layer_waits_for_the_gpu(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In all but the kernel itself, which the counting cannot look into."""
    from looptool_kit.stages.train import tree_attention
    from looptool_kit.stages.train.shared_prefix import _on_gpu, parts

    monkeypatch.setattr(tree_attention, "_flex", lambda device: lambda query, *_, **__: query)
    model = tiny_model(kind)
    row = pack(*sequences())
    length = passes.row_length(row.input_ids.shape[1])
    with torch.no_grad():
        packed_logps(model, row)  # registers the attention
        _, backbone = parts(model)
        from looptool_kit.stages.train.tree_attention import filled_up

        ids, positions, tree = filled_up(row.input_ids, row.position_ids, row.until, length, "cpu")
        given = {"use_cache": False, "attention_mask": torch.ones((1, 1, 1, 1), dtype=torch.bool)}
        for layout, inputs, at in (
            (tree, ids, positions),
            (_on_gpu(row.layout, torch.device("cpu")), row.input_ids, row.position_ids),
        ):
            with Waits() as seen:
                backbone(input_ids=inputs, position_ids=at, shared_prefix=layout, **given)
            assert seen.calls > 50 and seen.found == []
        with Waits() as seen:
            backbone(
                input_ids=row.input_ids, position_ids=row.position_ids, shared_prefix=row.layout, **given
            )
        assert seen.found, "the CPU's path waits, so the check sees it"


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_buckets_as_a_gpu_without_the_kernel_has_them_are_equal(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from looptool_kit.stages.train.shared_prefix import _on_gpu

    model, row = tiny_model(kind), pack(*sequences())
    plain, slope = with_slopes(model, packed_logps(model, row)[0])
    model.zero_grad()
    flat = replace(row, layout=_on_gpu(row.layout, torch.device("cpu")))
    found, own = with_slopes(model, packed_logps(model, flat)[0])
    torch.testing.assert_close(found, plain, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(own, slope, atol=1e-5, rtol=1e-4)


@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 5), st.sampled_from([1.0, 0.7]))
def test_chunks_of_logits_change_nothing(nodes: int, rows: int, seed: int, temperature: float) -> None:
    """Several tokens at a node, nodes without one, any order; entropies too."""
    torch.manual_seed(seed)
    head = torch.nn.Linear(6, 17)
    hidden = torch.randn(nodes, 6)
    which, target = torch.randint(0, nodes, (2 * nodes,)), torch.randint(0, 17, (2 * nodes,))
    found = []
    for chunk in (None, rows):
        given = hidden.clone().requires_grad_()
        head.zero_grad()
        logps, entropy = token_logps(head, given, which, target, temperature, rows=chunk)
        (logps * torch.arange(2 * nodes)).sum().backward()
        found.append((logps.detach(), entropy.detach(), given.grad, head.weight.grad.clone()))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, atol=2e-4, rtol=1e-4)
    plain = torch.log_softmax(head(hidden) / temperature, -1)
    torch.testing.assert_close(found[1][0], plain[which, target].detach(), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found[1][1], -(plain.exp() * plain).sum(-1).detach(), atol=1e-4, rtol=1e-4)


@given(st.integers(1, 200_000))
def test_row_lengths_are_whole_blocks_and_few(tokens: int) -> None:
    length = passes.row_length(tokens)
    assert length >= tokens and length % BLOCK == 0
    assert length - tokens < max(BLOCK, tokens / passes.STEPS + BLOCK)
    assert passes.row_length(length) == length
    octave = {passes.row_length(n) for n in range(2**15 + 1, 2**16 + 1, BLOCK)}
    assert len(octave) <= passes.STEPS


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 300), st.integers(1, 90)), min_size=1, max_size=20),
    st.integers(0, 200),
    st.integers(100, 1500),
)
def test_passes_of_a_gpu_hold_each_row_once_and_no_more_than_they_may(
    given_rows: list[tuple[int, int, int]], tools: int, most: int
) -> None:
    prompts = {
        2 * i: (which,) * tools + tuple(range(100, 100 + own)) for i, (which, own, _) in enumerate(given_rows)
    }
    lengths = [n for _, _, n in given_rows for _ in (0, 1)]
    found = passes.filled(prompts, lengths, most)
    assert sorted(row for part in found for row in part) == sorted(prompts)
    for part in found:
        held = {prompts[row][:n] for row in part for n in range(1, len(prompts[row]) + 1)}
        size = len(held) + sum(lengths[row] for row in part)
        assert len(part) == 1 or size <= most
    # No more passes than needed: a pass and the first row of the next do not fit together.
    for part, following in zip(found, found[1:], strict=False):
        both = [*part, following[0]]
        held = {prompts[row][:n] for row in both for n in range(1, len(prompts[row]) + 1)}
        assert len(held) + sum(lengths[row] for row in both) > most


def test_the_bound_follows_the_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what torch holds unused; on a CPU there is none."""
    from types import SimpleNamespace

    from looptool_kit.stages.train.footprint import MEMORY_SHARE, pass_bytes
    from looptool_kit.stages.train.shapes import SHAPES

    assert passes.pass_tokens(tiny_model("qwen3"), False) is None
    shape = SHAPES["Qwen/Qwen3-4B"]
    names = ("num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim")
    config = SimpleNamespace(**dict(zip(names, shape, strict=False)), intermediate_size=shape.inner)
    config.vocab_size = shape.vocab
    for checkpointing in (False, True):
        fixed, each = pass_bytes(shape, checkpointing)
        free = (fixed + 10 * BLOCK * each) / MEMORY_SHARE + 1000
        assert passes.tokens_in(free, config, checkpointing) == 10 * BLOCK
        assert passes.tokens_in(free / 100, config, checkpointing) == BLOCK
        assert passes.tokens_in(free * 10_000, config, checkpointing) == passes.MOST_TOKENS
    assert pass_bytes(shape, True).token < pass_bytes(shape, False).token / 10


@pytest.mark.parametrize("targets", [TargetSettings(), TargetSettings(key_weight=9, order="easy_first")])
def test_supervised_training_takes_a_gpus_batch_at_once(
    targets: TargetSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same order, steps and adapter; on frozen bfloat16 weights the adapter is float32."""
    from safetensors.torch import load_file

    from looptool_kit import world
    from looptool_kit.config import LoraSettings, SftSettings
    from looptool_kit.core.samples import Samples
    from looptool_kit.policy import models
    from looptool_kit.stages.train import sft

    monkeypatch.setattr(models, "default_dtype", lambda: torch.float32)
    samples = Samples(world.generate(8, seed=1, kinds=["single"]))
    settings = SftSettings(epochs=1, batch=4, micro_batch=2, learning_rate=1e-3, warmup_steps=0)
    ends = {}
    for name, most, dtype in (
        ("cpu", None, torch.float32),
        ("gpu", 3000, torch.float32),
        ("half", 3000, torch.bfloat16),
    ):
        monkeypatch.setattr(sft, "pass_tokens", lambda *_, most=most: most)
        base = tiny_model("qwen3", context=16_384, tokens=WORDY).to(dtype)
        lora = LoraSettings(rank=4, alpha=8)
        now = settings.model_copy(update={"gradient_checkpointing": name == "half"})
        load, folder = lambda base=base: (base, wordy_tokenizer()), tmp_path / name
        facts = sft.train(load, None, samples, now, lora, folder, seed=0, targets=targets)
        assert facts["steps"] == 2
        ends[name] = load_file(str(tmp_path / name / "adapter" / "adapter_model.safetensors"))
    assert all(w.dtype == torch.float32 for w in ends["half"].values())
    for key, weights in ends["cpu"].items():
        torch.testing.assert_close(ends["gpu"][key], weights, atol=1e-6, rtol=1e-3)
