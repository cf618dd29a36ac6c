"""Shared-prefix GRPO against stock TRL: log-probs, loss and gradients on several architectures, ragged
groups, LoRA, checkpointing; the fall-back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from tiny_models import KINDS, tiny_model, tiny_tokenizer  # noqa: E402

from looptool_kit.stages.train import grpo  # noqa: E402
from looptool_kit.stages.train.packing import pack  # noqa: E402
from looptool_kit.stages.train.shared_prefix import packed_logps, why_not  # noqa: E402


def with_lora(model: Any) -> Any:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    policy = get_peft_model(
        model,
        LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "up_proj"], task_type="CAUSAL_LM"),
    )
    for name, parameter in policy.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05, generator=torch.Generator().manual_seed(len(name)))
    return policy


def batch(tools: int = 0) -> dict[str, Any]:
    """Seven rows of three groups (of four, two and one), prompts left-padded as TRL does, completions ragged,
    two cut at the length limit.

    The first two groups' prompts begin with the same `tools` tokens.
    """
    rng = torch.Generator().manual_seed(0)
    prompts = [torch.randint(5, 250, (n,), generator=rng) for n in (40, 22, 6)]
    shared = torch.randint(5, 250, (tools,), generator=rng)
    prompts[:2] = [torch.cat([shared, prompt]) for prompt in prompts[:2]]
    lengths = torch.tensor([24, 5, 9, 24, 1, 7, 3])
    width, new = 40 + tools, 24
    ids, mask = torch.zeros(7, width, dtype=torch.long), torch.zeros(7, width, dtype=torch.long)
    for row, which in enumerate((0, 1, 0, 0, 1, 0, 2)):
        ids[row, width - len(prompts[which]) :], mask[row, width - len(prompts[which]) :] = prompts[which], 1
    seen = (torch.arange(new)[None] < lengths[:, None]).long()
    return {
        "prompt_ids": ids,
        "prompt_mask": mask,
        "completion_ids": torch.randint(5, 250, (7, new), generator=rng) * seen,
        "completion_mask": seen,
        "advantages": torch.tensor([1.1, 0.7, -0.6, 0.0, 0.0, -0.5, 0.3]),
        "num_items_in_batch": lengths.sum(),
    }


def run(
    cls: Any, model: Any, folder: Path, inputs: dict[str, Any], **config: Any
) -> tuple[Any, Any, dict[str, Any]]:
    """(per-token log-probs where there are tokens, loss, gradients by parameter) of one training step's
    forward and backward.
    """
    from datasets import Dataset
    from trl import GRPOConfig

    arguments = GRPOConfig(
        output_dir=str(folder / cls.__name__),
        per_device_train_batch_size=2,
        num_generations=2,
        max_completion_length=24,
        epsilon_high=0.28,
        report_to=[],
        use_cpu=True,
        bf16=False,
        temperature=0.9,
        **{"gradient_checkpointing": False, "loss_type": "dapo", **config},
    )
    trainer = cls(
        model=model,
        args=arguments,
        reward_funcs=[lambda completions, **_: [0.0] * len(completions)],
        processing_class=tiny_tokenizer(),
        train_dataset=Dataset.from_list([{"prompt": "x"}] * 2),
    )
    trainer.current_gradient_accumulation_steps = 1
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], 1)
    seen = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], 1)
    model.eval()
    with torch.no_grad():
        logps, *_ = trainer._get_per_token_logps_and_entropies(
            model, ids, seen, inputs["completion_ids"].shape[1]
        )
    model.train()
    loss = trainer._compute_loss(model, inputs)
    loss.backward()
    return (
        logps[inputs["completion_mask"].bool()],
        loss.detach(),
        {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None},
    )


def check(folder: Path, kind: str, lora: bool, inputs: dict[str, Any], **config: Any) -> None:
    from trl import GRPOTrainer

    made = [with_lora(m) if lora else m for m in (tiny_model(kind), tiny_model(kind))]
    assert why_not(made[1]) is None
    logps, loss, grads = run(GRPOTrainer, made[0], folder, inputs, **config)
    our_logps, our_loss, our_grads = run(grpo.shared_prefix_trainer(), made[1], folder, inputs, **config)
    torch.testing.assert_close(our_logps, logps, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(our_loss, loss, rtol=1e-4, atol=1e-6)
    assert our_grads.keys() == grads.keys() and grads
    whole = torch.cat([g.flatten() for g in grads.values()]).norm()
    for name, grad in grads.items():
        off = (our_grads[name] - grad).norm()
        assert off <= 1e-4 * grad.norm() + 1e-6 * whole, f"{name}: {off} of {grad.norm()}"


@pytest.mark.parametrize("kind", KINDS)
def test_log_probs_loss_and_gradients_equal_stock_trl(kind: str, tmp_path: Path) -> None:
    check(tmp_path, kind, False, batch())


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_groups_of_one_tool_list_are_computed_together(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []

    def counting(prompts: list[list[int]], completions: list[list[int]]) -> Any:
        packed = pack(prompts, completions)
        rows.append(packed.input_ids.shape[1])
        return packed

    monkeypatch.setattr(grpo, "pack", counting)
    check(tmp_path, kind, False, batch(tools=60))
    # All rows once (log-probs; the second prompt's own 22 tokens twice, too few to be a prefix of their own),
    # then the five with an advantage: those of the tool list in one pass, the third prompt in another.
    assert rows == [60 + 40 + 23 + 8 + 23 + 6 + 2 * 22 + 4 + 6 + 2, 60 + 40 + 23 + 8 + 6 + 22 + 4, 6 + 2]


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 900), st.integers(0, 9), st.integers(1, 4)),
        min_size=1,
        max_size=12,
    ),
    st.integers(0, 80),
)
def test_parts_hold_each_row_once_and_whole_prompts(
    groups: list[tuple[int, int, int, int]], tools: int
) -> None:
    """Groups: (tool list, length of the prompt's own part, tokens of each completion, completions)."""
    prompts: dict[int, tuple[int, ...]] = {}
    for which, own, _, count in groups:
        for _ in range(count):
            prompts[2 * len(prompts)] = (which,) * tools + tuple(range(100, 100 + own))
    lengths = [n for _, _, n, count in groups for _ in range(count) for _ in (0, 1)]
    parts = grpo.together(prompts, lengths)
    assert sorted(row for part in parts for row in part) == sorted(prompts)
    for part in parts:
        held = pack(
            [prompts[row] for row in part], [(0,) * lengths[row] + (1,) for row in part]
        ).input_ids.shape[1]
        assert len({prompts[row] for row in part}) == 1 or held <= grpo.MAX_PASS_TOKENS
        assert all(row in part for row in prompts if prompts[row] in {prompts[r] for r in part})


def test_a_step_in_several_passes_is_the_step_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GRPO with a GPU's bound on the tokens of a pass, groups cut in two: loss and gradients as before, and
    the log-probs of a whole batch too.
    """
    rows: list[int] = []

    def counting(prompts: Any, completions: Any) -> Any:
        rows.append(len(prompts))
        return pack(prompts, completions)

    found = []
    for most in (None, 90):
        monkeypatch.setattr(grpo, "pass_tokens", lambda *_, most=most: most)
        monkeypatch.setattr(grpo, "pack", counting)
        cls = grpo.shared_prefix_trainer()
        found.append(run(cls, with_lora(tiny_model("qwen3")), tmp_path, batch()))
    (logps, loss, slopes), (own_logps, own_loss, own) = found
    torch.testing.assert_close(own_logps, logps, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(own_loss, loss, atol=1e-6, rtol=1e-4)
    flat, own_flat = (torch.cat([g.flatten() for g in x.values()]) for x in (slopes, own))
    assert float((own_flat - flat).norm()) <= 1e-4 * float(flat.norm())
    first = rows.index(7)  # all rows at once, then the passes with an advantage
    assert len(rows) > 6 and first == 0 and max(rows[1:]) < 7 and sum(rows) == 2 * (7 + 5)


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_with_lora_and_gradient_checkpointing(kind: str, tmp_path: Path) -> None:
    check(
        tmp_path,
        kind,
        True,
        batch(),
        gradient_checkpointing=True,
        gradient_checkpointing_kwargs={"use_reentrant": False},
    )


@pytest.mark.parametrize("config", [{}, {"beta": 0.04}, {"loss_type": "grpo"}], ids=str)
def test_old_and_reference_log_probs_enter_as_in_trl(config: dict[str, Any], tmp_path: Path) -> None:
    inputs = batch()
    rng = torch.Generator().manual_seed(1)
    for name in ("old_per_token_logps", "ref_per_token_logps"):  # some ratios are beyond the clipping range
        inputs[name] = -5.5 + 0.5 * torch.randn(inputs["completion_ids"].shape, generator=rng)
    check(tmp_path, "qwen3", True, inputs, **config)


def two_steps_a_rollout(folder: Path) -> Any:
    from trl import GRPOConfig

    return GRPOConfig(
        output_dir=str(folder),
        max_steps=4,
        per_device_train_batch_size=6,
        num_generations=3,
        num_iterations=2,
        beta=0.04,
        optim="sgd",
        learning_rate=2.0,
        max_grad_norm=0.0,
        temperature=0.9,
        epsilon_high=0.28,
        max_completion_length=12,
        loss_type="dapo",
        shuffle_dataset=False,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to=[],
        save_strategy="no",
        logging_steps=1,
    )


@pytest.mark.parametrize("kind", ["qwen3", "gemma3"])
def test_a_training_over_given_completions_ends_where_trls_does(kind: str, tmp_path: Path) -> None:
    """TRL's own loop, two optimiser steps a rollout.

    Old log-probs are computed too, and the reference's, which is the policy at the start.
    """
    from datasets import Dataset
    from trl import GRPOTrainer

    rng = torch.Generator().manual_seed(2)
    tools = torch.randint(5, 250, (60,), generator=rng).tolist()
    prompts = {
        text: [*tools, *torch.randint(5, 250, (n,), generator=rng).tolist()]
        for text, n in (("a", 30), ("b", 5), ("c", 17))
    }
    written = [torch.randint(5, 250, (n,), generator=rng).tolist() for n in (3, 12, 7, 12, 1, 9)]

    def rollout(batch: list[str], trainer: Any) -> dict[str, Any]:
        made = [[token + trainer.state.global_step for token in ids] for ids in written]
        return {"prompt_ids": [prompts[text] for text in batch], "completion_ids": made, "logprobs": None}

    ends, logged = [], []
    for cls in (GRPOTrainer, grpo.shared_prefix_trainer()):
        policy = with_lora(tiny_model(kind))
        first = {n: p.detach().clone() for n, p in policy.named_parameters() if p.requires_grad}
        trainer = cls(
            model=policy,
            processing_class=tiny_tokenizer(),
            rollout_func=rollout,
            reward_funcs=[lambda completions, **_: [float(i % 2) for i in range(len(completions))]],
            train_dataset=Dataset.from_list([{"prompt": text} for text in "abca"]),
            args=two_steps_a_rollout(tmp_path / cls.__name__),
        )
        trainer.train()
        ends.append({n: p.detach() - first[n] for n, p in policy.named_parameters() if p.requires_grad})
        logged.append(
            [
                (row["loss"], row["kl"], row["clip_ratio/region_mean"])
                for row in trainer.state.log_history
                if "loss" in row
            ]
        )
    torch.testing.assert_close(torch.tensor(logged[1]), torch.tensor(logged[0]), rtol=1e-3, atol=1e-5)
    assert (
        len(logged[0]) == 4
        and all(kl > 0 for _, kl, _ in logged[0][1:])
        and max(clipped for _, _, clipped in logged[0]) > 0
    )
    moved, off = (
        torch.cat([e[n].flatten() for n in e])
        for e in (ends[0], {n: ends[1][n] - ends[0][n] for n in ends[0]})
    )
    assert off.norm() <= 1e-3 * moved.norm() and moved.norm() > 0


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_bfloat16_is_near_float32(kind: str) -> None:
    model = tiny_model(kind).eval()
    inputs = batch()
    prompts = [
        ids[m.bool()].tolist() for ids, m in zip(inputs["prompt_ids"], inputs["prompt_mask"], strict=True)
    ]
    answers = [
        ids[m.bool()].tolist()
        for ids, m in zip(inputs["completion_ids"], inputs["completion_mask"], strict=True)
    ]
    with torch.no_grad():
        exact, _ = packed_logps(model, pack(prompts, answers))
        model.to(torch.bfloat16)
        rounded, _ = packed_logps(model, pack(prompts, answers))
        alone = []
        for prompt, answer in zip(prompts, answers, strict=True):
            logits = model(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1].float()
            alone.append(torch.log_softmax(logits, -1).gather(1, torch.tensor(answer)[:, None])[:, 0])
    assert rounded.dtype == torch.float32
    # As far from float32 as plain rows in bfloat16 are, and not much further.
    assert (rounded - exact).abs().mean() <= 2 * (torch.cat(alone) - exact).abs().mean() + 1e-3


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_training_in_bfloat16_is_as_near_float32_as_trls(kind: str, tmp_path: Path) -> None:
    """Mixed precision as TRL trains with `bf16=True`: float32 weights, forward passes under autocast."""
    from trl import GRPOTrainer

    exact = run(GRPOTrainer, with_lora(tiny_model(kind)), tmp_path, batch(tools=60))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        theirs = run(GRPOTrainer, with_lora(tiny_model(kind)), tmp_path, batch(tools=60))
        ours = run(grpo.shared_prefix_trainer(), with_lora(tiny_model(kind)), tmp_path, batch(tools=60))

    def off(found: tuple[Any, Any, dict[str, Any]]) -> tuple[float, float]:
        """(mean distance of a log-prob, relative distance of all gradients) from float32."""
        flat = [torch.cat([g.flatten() for g in grads.values()]) for grads in (found[2], exact[2])]
        return float((found[0] - exact[0]).abs().mean()), float((flat[0] - flat[1]).norm() / flat[1].norm())

    assert all(a <= 1.5 * b for a, b in zip(off(ours), off(theirs), strict=True))
    assert min(off(theirs)) > 1e-4, "the other side was not in bfloat16"


def test_an_unknown_model_takes_trls_own_path_and_says_why(tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM
    from trl import GRPOTrainer

    def gpt2() -> Any:
        torch.manual_seed(0)
        config = AutoConfig.for_model(
            "gpt2", vocab_size=258, n_embd=32, n_layer=2, n_head=2, attn_pdrop=0, embd_pdrop=0, resid_pdrop=0
        )
        return AutoModelForCausalLM.from_config(config)

    inputs = batch()
    expected = run(GRPOTrainer, gpt2(), tmp_path, inputs)
    with pytest.warns(UserWarning, match="TRL's own path.*'gpt2'"):
        found = run(grpo.shared_prefix_trainer(), gpt2(), tmp_path, inputs)
    torch.testing.assert_close(found, expected)
