"""The trainers: losses equal plain ones, checkpoints resume exactly, each label rewards its own sample."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from tiny_models import tiny_tokenizer  # noqa: E402

from looptool_kit import world  # noqa: E402
from looptool_kit.config import GrpoSettings, LoraSettings, SftSettings  # noqa: E402
from looptool_kit.core.grading import grade  # noqa: E402
from looptool_kit.core.records import Rollouts  # noqa: E402
from looptool_kit.core.samples import Label, Samples, ToolCall  # noqa: E402
from looptool_kit.policy.engines.transformers import TransformersEngine  # noqa: E402
from looptool_kit.stages.train import common, grpo, reward, sft  # noqa: E402


@pytest.fixture(autouse=True)
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training is compared to the last digits here, so not with the products in bfloat16 that some machines
    train with.
    """
    monkeypatch.setattr("looptool_kit.policy.models.default_dtype", lambda: torch.float32)


@pytest.fixture(scope="module")
def samples() -> Samples:
    return world.generate(12, seed=3)


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
    rows = Rollouts.read(tmp_path / "rollouts" / "step-0001.parquet")
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
    rows = Rollouts.read(tmp_path / "rollouts" / "step-0002.parquet")
    assert len(rows) == 6 and {r.finish_reason for r in rows} <= {"stop", "length"}


def test_gradient_checkpointing_changes_no_step(
    tiny_loader, samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    norms = []
    for checkpointing in (False, True):
        earned = itertools.cycle([1.0, 0.0])
        monkeypatch.setattr(reward, "reward", lambda *_, earned=earned: reward.Reward(next(earned), ""))
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
        reward, "grade", lambda answer, label, tools: asked.append(label) or grade(answer, label, tools)
    )
    settings, lora = (
        GrpoSettings(steps=1, prompts=2, group=2, max_new_tokens=4),
        LoraSettings(rank=4, alpha=8),
    )
    grpo.train(tiny_loader, tiny_engine, None, pair, settings, lora, tmp_path, seed=0)
    assert asked == [pair[0].label] * 2 + [pair[1].label] * 2
    rows = Rollouts.read(tmp_path / "rollouts" / "step-0001.parquet")
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
