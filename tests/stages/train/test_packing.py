"""Packed rows: log-probs and gradients equal those of single rows; which samples share a pass."""

from __future__ import annotations

import itertools
import math
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from looptool_kit import world  # noqa: E402
from looptool_kit.policy.engines.prefix_tree import plant  # noqa: E402
from looptool_kit.stages.train import common  # noqa: E402
from looptool_kit.stages.train.packing import MIN_SAVED, pack  # noqa: E402
from looptool_kit.stages.train.shared_prefix import packed_logps, why_not  # noqa: E402

SIZES = dict(
    vocab_size=200,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
)


def tiny(kind: str):
    import transformers as t

    torch.manual_seed(0)
    extra = {"head_dim": 16} if kind == "Qwen3" else {}
    return getattr(t, f"{kind}ForCausalLM")(getattr(t, f"{kind}Config")(**SIZES, **extra)).eval()


@cache
def tiny_sliding():
    import transformers as t

    torch.manual_seed(0)
    layers = ["sliding_attention", "full_attention", "sliding_attention"]
    return t.Qwen2ForCausalLM(
        t.Qwen2Config(**SIZES, use_sliding_window=True, sliding_window=20, layer_types=layers)
    ).eval()


def ragged(seed: int) -> tuple[list[list[int]], list[list[int]]]:
    rng = torch.Generator().manual_seed(seed)

    def draw(n: int) -> list[int]:
        return torch.randint(1, 200, (n,), generator=rng).tolist()

    tools, other = draw(60), draw(55)
    prompts = [tools + draw(5), tools + draw(90), other, other, other]
    completions = [draw(7), draw(1), draw(4), draw(30), draw(9)]
    completions[4][:3] = completions[3][:3]
    return [*prompts, prompts[2]], [*completions, completions[2]]  # the last sequence appears twice


@pytest.mark.parametrize("kind", ["Llama", "Mistral", "Qwen2", "Qwen3"])
def test_packed_log_probs_and_gradients_equal_those_of_single_rows(kind: str) -> None:
    model = tiny(kind)
    assert why_not(model) is None
    prompts, completions = ragged(1)
    packed = pack(prompts, completions)
    assert packed.input_ids.shape[1] < sum(map(len, prompts)) + sum(map(len, completions))
    rows = []
    for prompt, completion in zip(prompts, completions, strict=True):
        logits = model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1]
        rows.append(torch.log_softmax(logits, -1).gather(1, torch.tensor(completion)[:, None])[:, 0])
    weights = torch.linspace(-1, 1, sum(map(len, completions)))
    (torch.cat(rows) * weights).sum().backward()
    expected = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    logps, entropy = packed_logps(model, packed, want_entropy=True)
    torch.testing.assert_close(logps, torch.cat(rows), rtol=1e-4, atol=1e-5)
    assert entropy is not None and 0 < float(entropy.min()) <= float(entropy.max()) <= math.log(200) + 1e-4
    (logps * weights).sum().backward()
    for parameter, grad in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, grad, rtol=1e-4, atol=1e-5)


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[list[int]], list[list[int]]]:
    """(prompts, completions), most of which go on from somewhere within another: tool list, dialogue,
    request, answer.
    """
    rng = torch.Generator().manual_seed(draw(st.integers(0, 2**20)))
    prompts: list[list[int]] = []
    completions: list[list[int]] = []
    for _ in range(draw(st.integers(1, 9))):
        tail = torch.randint(1, 200, (draw(st.integers(1, 70)),), generator=rng).tolist()
        before = draw(st.sampled_from([[], *(p + c for p, c in zip(prompts, completions, strict=True))]))
        whole = before[: draw(st.integers(0, len(before)))] + tail
        at = draw(st.integers(1, len(whole)))
        prompts.append(whole[:at])
        completions.append(whole[at:])
    return prompts, completions


@pytest.mark.parametrize("kind", ["Llama", "sliding"])
@settings(max_examples=40)
@given(trees())
def test_any_tree_of_sequences_gives_the_log_probs_of_single_rows(
    kind: str, made: tuple[list[list[int]], list[list[int]]]
) -> None:
    model = tiny_sliding() if kind == "sliding" else tiny(kind)
    prompts, completions = made
    packed = pack(prompts, completions)
    distinct = len(plant(sorted({(*p, *c[:-1]) for p, c in zip(prompts, completions, strict=True)})).tokens)
    # A prefix that is not worth its kernels is written out for each of its sequences: MIN_SAVED tokens at the
    # most.
    assert distinct <= packed.input_ids.shape[1] <= distinct + MIN_SAVED * (len(prompts) - 1)
    with torch.no_grad():
        rows = []
        for prompt, completion in zip(prompts, completions, strict=True):
            logits = (
                model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1]
                if completion
                else torch.zeros(0, 200)
            )
            rows.append(
                torch.log_softmax(logits, -1).gather(1, torch.tensor(completion, dtype=torch.long)[:, None])[
                    :, 0
                ]
            )
        logps, _ = packed_logps(model, packed)
    torch.testing.assert_close(logps, torch.cat(rows), rtol=1e-4, atol=1e-5)


def test_plain_forward_still_works_after_packing() -> None:
    model = tiny("Llama")
    ids = torch.arange(1, 40)[None]
    before = model(ids).logits
    packed_logps(model, pack([[1, 2, 3]], [[4, 5]]))
    torch.testing.assert_close(model(ids).logits, before)


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="sequence 1 has an empty prompt"):
        pack([[1], []], [[2], [3]])


def test_unknown_models_fall_back() -> None:
    model = tiny("Llama")
    model.config.model_type = "gpt_bigcode"
    assert "gpt_bigcode" in (why_not(model) or "")
    model = tiny("Qwen3")
    model.config.layer_types = ["full_attention", "chunked_attention", "full_attention"]
    assert "chunked_attention" in (why_not(model) or "")


def test_products_in_bfloat16_give_nearly_the_same_log_probs_and_gradients() -> None:
    prompts, completions = ragged(2)
    found = []
    for half in (None, torch.bfloat16):
        model = tiny("Llama")
        model.zero_grad()
        logps, entropy = packed_logps(model, pack(prompts, completions), want_entropy=True, half=half)
        assert logps.dtype == torch.float32 and entropy is not None and entropy.dtype == torch.float32
        logps.mean().backward()
        found.append((logps.detach(), torch.cat([p.grad.flatten() for p in model.parameters()])))
    (exact, slope), (rounded, rough) = found
    assert not torch.equal(exact, rounded), "the products were not rounded at all"
    torch.testing.assert_close(rounded, exact, atol=0.05, rtol=0.02)
    assert torch.nn.functional.cosine_similarity(slope, rough, dim=0) > 0.999


def test_an_epoch_sees_each_sample_once_and_lists_stand_together() -> None:
    rows = list(world.generate(60, seed=1))
    order = common.by_tool_list(rows, 4, seed=0)
    assert sorted(order) == list(range(60))
    runs = [order[i : i + 4] for i in range(0, 60, 4)]
    together = sum(len({str(rows[i].tools) for i in run}) == 1 for run in runs)
    assert (
        together > sum(len({str(rows[i].tools) for i in range(k, k + 4)}) == 1 for k in range(0, 60, 4)) // 2
        and together >= 4
    )
    assert order != common.by_tool_list(rows, 4, seed=1)


def test_the_turns_of_a_dialogue_stand_together() -> None:
    """They share more than the tool list, and `pack` computes that once."""
    dialogues = world.generate(40, seed=2, kinds=["multi_turn"])
    rows = []
    for sample in dialogues:
        turns = [i for i, m in enumerate(sample.messages) if m.role == "user"]
        rows += [sample.model_copy(update={"messages": sample.messages[: i + 1]}) for i in turns]
    assert len(rows) > len(dialogues)
    order = common.by_tool_list(rows, len(rows), seed=0)
    assert sorted(order) == list(range(len(rows)))
    openings = [next(m.content for m in rows[i].messages if m.role == "user") for i in order]
    assert sum(a != b for a, b in itertools.pairwise(openings)) == len(set(openings)) - 1
