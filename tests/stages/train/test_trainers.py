"""Training over shared prefixes equals training row by row; checkpoints resume exactly; GRPO counts groups
without variance.
"""

from __future__ import annotations

import itertools
import json
import math
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from tiny_models import tiny_tokenizer  # noqa: E402

from looptool_kit import world  # noqa: E402
from looptool_kit.config import GrpoSettings, LoraSettings, SftSettings  # noqa: E402
from looptool_kit.core.samples import Label, Samples, ToolCall  # noqa: E402
from looptool_kit.core.toolcalls import grade  # noqa: E402
from looptool_kit.policy.engines.prefix_tree import plant  # noqa: E402
from looptool_kit.policy.engines.transformers import TransformersEngine  # noqa: E402
from looptool_kit.stages.train import common, grpo, sft  # noqa: E402
from looptool_kit.stages.train.shared_prefix import LEAST, pack, packed_logps, why_not  # noqa: E402


def tiny(kind: str):
    import transformers as t

    torch.manual_seed(0)
    sizes = dict(
        vocab_size=200,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    extra = {"head_dim": 16} if kind == "Qwen3" else {}
    return getattr(t, f"{kind}ForCausalLM")(getattr(t, f"{kind}Config")(**sizes, **extra)).eval()


@cache
def tiny_sliding():
    import transformers as t

    torch.manual_seed(0)
    sizes = dict(
        vocab_size=200,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    layers = ["sliding_attention", "full_attention", "sliding_attention"]
    return t.Qwen2ForCausalLM(
        t.Qwen2Config(**sizes, use_sliding_window=True, sliding_window=20, layer_types=layers)
    ).eval()


def ragged(seed: int) -> tuple[list[list[int]], list[list[int]]]:
    rng = torch.Generator().manual_seed(seed)

    def draw(n: int) -> list[int]:
        return torch.randint(1, 200, (n,), generator=rng).tolist()

    tools, other = draw(60), draw(55)
    prompts = [tools + draw(5), tools + draw(90), other, other, other]
    completions = [draw(7), draw(1), draw(4), draw(30), draw(9)]
    completions[4][:3] = completions[3][:3]
    return [*prompts, prompts[2]], [*completions, completions[2]]  # the last sequence stands twice


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
    # A prefix that is not worth its kernels is written out for each of its sequences: LEAST tokens at the
    # most.
    assert distinct <= packed.input_ids.shape[1] <= distinct + LEAST * (len(prompts) - 1)
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


@pytest.fixture(autouse=True)
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training is compared to the last digits here, so not with the products in bfloat16 that some machines
    train with.
    """
    monkeypatch.setattr("looptool_kit.policy.models.default_dtype", lambda: torch.float32)


def test_products_in_bfloat16_give_nearly_the_same_log_probs_and_gradients() -> None:
    prompts, completions = ragged(2)
    found = []
    for bf16 in (False, True):
        model = tiny("Llama")
        model.zero_grad()
        logps, entropy = packed_logps(model, pack(prompts, completions), want_entropy=True, bf16=bf16)
        assert logps.dtype == torch.float32 and entropy is not None and entropy.dtype == torch.float32
        logps.mean().backward()
        found.append((logps.detach(), torch.cat([p.grad.flatten() for p in model.parameters()])))
    (exact, slope), (rounded, rough) = found
    assert not torch.equal(exact, rounded), "the products were not rounded at all"
    torch.testing.assert_close(rounded, exact, atol=0.05, rtol=0.02)
    assert torch.nn.functional.cosine_similarity(slope, rough, dim=0) > 0.999


@pytest.fixture(scope="module")
def samples() -> Samples:
    return world.generate(12, seed=3)


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


def sft_settings(**changes: object) -> SftSettings:
    return SftSettings(epochs=1, batch=4, micro_batch=2, learning_rate=1e-3, **changes)  # type: ignore[arg-type]


def test_a_batch_smaller_than_a_pass_is_one_pass_and_a_ragged_one_is_refused(
    tiny_loader, samples: Samples, tmp_path: Path
) -> None:
    small = SftSettings(epochs=1, batch=2, micro_batch=4)
    assert (
        sft.train(tiny_loader, None, samples[:4], small, LoraSettings(rank=4, alpha=8), tmp_path, seed=0)[
            "steps"
        ]
        == 2
    )
    with pytest.raises(ValueError, match="a batch of 6 cannot be cut into passes of micro_batch = 4"):
        SftSettings(batch=6, micro_batch=4)


OTHER_TEMPLATE = (
    "{% if tools %}[{% for t in tools %}{{ t.function.name }} {% endfor %}]{% endif %}"
    "{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt %}>{% endif %}"
    "{% if enable_thinking is defined and not enable_thinking %}no thoughts{% endif %}"
)


def test_training_sees_the_prompts_and_the_end_that_the_engines_use(
    tiny_loader, samples: Samples, tmp_path: Path
) -> None:
    """Also of a tokenizer that brings a template of its own, and whose end of sequence is not the end of a
    turn.
    """
    model, tokenizer = tiny_loader()
    tokenizer.chat_template, tokenizer.eos_token = OTHER_TEMPLATE, "<|im_start|>"
    engine = TransformersEngine(model, tokenizer)
    texts = [engine.render(s) for s in samples[:4]]
    assert texts[0].startswith("[" + samples[0].tools[0].name) and texts[0].endswith("<|im_end|>>no thoughts")
    for sample, text in zip(samples[:4], texts, strict=True):
        prompt, completion = common.encode(tokenizer, sample)
        assert tokenizer.decode(prompt) == text and completion[-1] == engine.end
        assert len(engine.score([sample], [tokenizer.decode(completion[:-1])])[0]) == len(completion)
    seen: list[str] = []

    class Watched(TransformersEngine):
        def _prompts(self, chats):
            prompts = super()._prompts(chats)
            seen.extend(self.tokenizer.decode(p) for p in prompts)
            return prompts

    real = grpo.shared_prefix_trainer()
    trained: set[str] = set()

    class Trainer(real):  # type: ignore[misc, valid-type]
        def _compute_loss(self, model, inputs):
            for ids, mask in zip(inputs["prompt_ids"], inputs["prompt_mask"], strict=True):
                trained.add(tokenizer.decode(ids[mask.bool()]))
            return super()._compute_loss(model, inputs)

    settings = GrpoSettings(steps=1, prompts=2, group=2, max_new_tokens=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grpo, "shared_prefix_trainer", lambda: Trainer)
        watched = Watched(tiny_loader()[0], tokenizer)
        grpo.train(
            lambda: (model, tokenizer),
            lambda *_: watched,
            None,
            samples[:2],
            settings,
            LoraSettings(rank=4, alpha=8),
            tmp_path,
            seed=0,
        )
    assert set(seen) == trained == set(texts[:2])


@pytest.mark.parametrize("most", [1, 100_000])
def test_sft_loss_equals_the_mean_over_the_labels_tokens(
    tiny_loader, samples: Samples, tmp_path: Path, most: int
) -> None:
    facts = sft.train(
        tiny_loader,
        None,
        samples[:4],
        sft_settings(micro_tokens=most),
        LoraSettings(rank=4, alpha=8),
        tmp_path,
        seed=0,
    )
    model, tokenizer = tiny_loader()
    total = count = 0.0
    tokens = 0
    for sample in samples[:4]:
        prompt, completion = common.encode(tokenizer, sample)
        tokens += len(prompt) + len(completion)
        with torch.no_grad():
            logits = model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1]
        total -= float(torch.log_softmax(logits, -1).gather(1, torch.tensor(completion)[:, None]).sum())
        count += len(completion)
    first = json.loads((tmp_path / "history.jsonl").read_text().splitlines()[0])
    assert first["loss"] == pytest.approx(total / count, rel=1e-4)
    assert facts["tokens"] == tokens


def test_long_batches_are_cut_without_changing_the_gradients(
    tiny_loader, samples: Samples, tmp_path: Path
) -> None:
    norms = []
    for most in (1, 100_000):
        sft.train(
            tiny_loader,
            None,
            samples[:4],
            sft_settings(micro_tokens=most),
            LoraSettings(rank=4, alpha=8),
            tmp_path / str(most),
            seed=0,
        )
        norms.append(
            json.loads((tmp_path / str(most) / "history.jsonl").read_text().splitlines()[0])["grad_norm"]
        )
    assert norms[0] == pytest.approx(norms[1], rel=1e-3)


def test_a_killed_sft_resumes_to_the_same_weights(tiny_loader, samples: Samples, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    lora = LoraSettings(rank=4, alpha=8)
    sft.train(tiny_loader, None, samples, sft_settings(), lora, tmp_path / "whole", seed=0)

    class Stop(Exception):
        pass

    real = common.last_checkpoint
    broken = tmp_path / "cut"
    original = common.progress

    def stopping(text: str):
        bar = original(text)
        step_end = bar.on_step_end

        def on_step_end(args, state, control, **kwargs):
            step_end(args, state, control, **kwargs)
            if state.global_step == 2:
                raise Stop

        bar.on_step_end = on_step_end
        return bar

    sft.progress = stopping  # type: ignore[attr-defined]
    try:
        with pytest.raises(Stop):
            sft.train(tiny_loader, None, samples, sft_settings(), lora, broken, seed=0)
    finally:
        sft.progress = original  # type: ignore[attr-defined]
    kept = real(broken)
    assert kept is not None and kept.endswith("checkpoint-1")
    history = broken / common.HISTORY
    assert [json.loads(line)["step"] for line in history.read_text().splitlines()] == [
        1
    ]  # written while it trained
    with open(history, "a") as out:
        out.write('{"loss": 9.0, "step": 2}\n{"loss": 9')  # a step beyond the checkpoint, and a row cut short
    (broken / "checkpoint-9").mkdir()  # a checkpoint that was cut short is thrown away
    sft.train(tiny_loader, None, samples, sft_settings(), lora, broken, seed=0)
    a, b = (load_file(tmp_path / d / "adapter" / "adapter_model.safetensors") for d in ("whole", "cut"))
    assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
    assert not list(broken.glob("checkpoint-*"))
    rows = [
        [json.loads(line) for line in (tmp_path / d / common.HISTORY).read_text().splitlines()]
        for d in ("whole", "cut")
    ]
    assert [r["step"] for r in rows[1]] == [1, 2, 3] and [r["loss"] for r in rows[0]] == [
        r["loss"] for r in rows[1]
    ]


def test_grpo_advantages_and_counts(tiny_loader, tiny_engine, samples: Samples, tmp_path: Path) -> None:
    settings = GrpoSettings(steps=2, prompts=2, group=3, max_new_tokens=8, learning_rate=1e-3)
    facts = grpo.train(
        tiny_loader, tiny_engine, None, samples, settings, LoraSettings(rank=4, alpha=8), tmp_path, seed=0
    )
    # A random model never matches: every group is without variance, and nothing is learned from it.
    assert facts["groups"] == facts["groups_without_variance"] == 4
    rows = grpo.Rollouts.read(tmp_path / "rollouts" / "step-0001.parquet")
    assert len(rows) == 6 and {r.reward for r in rows} == {0.0} and all(r.error for r in rows)
    again = grpo.train(
        tiny_loader, tiny_engine, None, samples, settings, LoraSettings(rank=4, alpha=8), tmp_path, seed=0
    )
    assert again == facts


def test_a_model_that_no_part_of_ours_knows_is_trained_by_trl_alone(samples: Samples, tmp_path: Path) -> None:
    """Gemma 2 caps its attention scores: no shared prefixes in training, and none in generation."""
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = dict(
        vocab_size=258,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
    )
    config = AutoConfig.for_model(
        "gemma2", **sizes, eos_token_id=257, pad_token_id=257, bos_token_id=None, query_pre_attn_scalar=8
    )

    def load() -> tuple[object, object]:
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32), tiny_tokenizer()

    settings = GrpoSettings(steps=2, prompts=2, group=3, max_new_tokens=8, learning_rate=1e-3)
    with pytest.warns(UserWarning) as said:
        facts = grpo.train(
            load,
            grpo.merged_engine(),
            None,
            samples,
            settings,
            LoraSettings(rank=4, alpha=8),
            tmp_path,
            seed=0,
        )
    own = [str(w.message) for w in said if "TRL's own path" in str(w.message)]
    assert len(own) == 2 and "softcap" in own[1] and "'gemma2'" in own[0]
    assert facts["groups"] == 4 and facts["steps"] == 2
    rows = grpo.Rollouts.read(tmp_path / "rollouts" / "step-0002.parquet")
    assert len(rows) == 6 and {r.finish_reason for r in rows} <= {"stop", "length"}


def test_gradient_checkpointing_changes_no_step(
    tiny_loader, samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    norms = []
    for checkpointing in (False, True):
        rewards = itertools.cycle([True, False])
        monkeypatch.setattr(
            grpo, "grade", lambda *_, rewards=rewards: SimpleNamespace(correct=next(rewards), faults=())
        )
        settings = GrpoSettings(
            steps=2,
            prompts=2,
            group=2,
            max_new_tokens=6,
            learning_rate=1e-3,
            gradient_checkpointing=checkpointing,
        )
        folder = tmp_path / str(checkpointing)
        grpo.train(
            tiny_loader,
            grpo.merged_engine(),
            None,
            samples[:4],
            settings,
            LoraSettings(rank=4, alpha=8),
            folder,
            seed=0,
        )
        norms.append(
            [json.loads(line)["grad_norm"] for line in (folder / common.HISTORY).read_text().splitlines()]
        )
    assert norms[1] == pytest.approx(norms[0], rel=1e-4) and len(norms[0]) == 2 and min(norms[0]) > 0


def test_a_completion_is_rewarded_by_its_own_samples_label_whatever_the_prompts_look_like(
    tiny_loader, tiny_engine, samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault of the reference: completions find their labels by the prompt's text, newline for newline."""
    spoken = samples[0].messages[-1].model_copy(update={"content": " one\r\n\n two\u2028three \n"})
    first = samples[0].model_copy(update={"messages": (*samples[0].messages[:-1], spoken)})
    second = first.model_copy(
        update={"label": Label(calls=(ToolCall(name=first.tools[0].name, arguments={"twin": True}),))}
    )
    pair = Samples([first, second])
    asked: list[Label] = []
    monkeypatch.setattr(
        grpo, "grade", lambda answer, label, tools: asked.append(label) or grade(answer, label, tools)
    )
    settings, lora = (
        GrpoSettings(steps=1, prompts=2, group=2, max_new_tokens=4),
        LoraSettings(rank=4, alpha=8),
    )
    grpo.train(tiny_loader, tiny_engine, None, pair, settings, lora, tmp_path, seed=0)
    assert asked == [pair[0].label] * 2 + [pair[1].label] * 2
    rows = grpo.Rollouts.read(tmp_path / "rollouts" / "step-0001.parquet")
    assert [r.sample_id for r in rows] == [pair[0].id] * 2 + [pair[1].id] * 2 and pair[0].id != pair[1].id


def test_merged_copy_equals_the_policy(tiny_loader) -> None:
    model, _ = tiny_loader()
    other, _ = tiny_loader()
    policy = common.lora_policy(model, LoraSettings(rank=4, alpha=8), None, seed=1)
    for name, parameter in policy.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.01)
    ids = torch.arange(1, 30)[None]
    torch.testing.assert_close(
        common.merged_copy(policy, other)(ids).logits, policy(ids).logits, rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("trainer", ["sft", "grpo"])
def test_training_with_products_in_bfloat16_runs_as_a_whole(
    trainer: str, tiny_loader, samples: Samples, tmp_path: Path, monkeypatch
) -> None:
    """As on a CPU with bfloat16 instructions: the same losses but for rounding, float32 adapters."""
    from safetensors.torch import load_file

    logged = []
    for name, dtype in (("exact", torch.float32), ("rounded", torch.bfloat16)):
        monkeypatch.setattr("looptool_kit.policy.models.default_dtype", lambda dtype=dtype: dtype)
        if trainer == "sft":
            sft.train(
                tiny_loader,
                None,
                samples[:8],
                sft_settings(),
                LoraSettings(rank=4, alpha=8),
                tmp_path / name,
                seed=0,
            )
        else:
            settings = GrpoSettings(steps=1, prompts=2, group=2, max_new_tokens=6)
            grpo.train(
                tiny_loader,
                grpo.merged_engine(),
                None,
                samples[:2],
                settings,
                LoraSettings(rank=4, alpha=8),
                tmp_path / name,
                seed=0,
            )
        logged.append(
            [json.loads(line) for line in (tmp_path / name / "history.jsonl").read_text().splitlines()]
        )
        weights = load_file(tmp_path / name / "adapter" / "adapter_model.safetensors")
        assert {w.dtype for w in weights.values()} == {torch.float32}
    exact, rounded = logged
    assert len(exact) == len(rounded) >= 1
    if trainer == "sft":
        assert [r["loss"] for r in rounded] == pytest.approx([r["loss"] for r in exact], rel=0.02)
        assert [r["loss"] for r in rounded] != [r["loss"] for r in exact], "nothing was rounded"
