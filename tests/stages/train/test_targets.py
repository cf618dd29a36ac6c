"""Key tokens weigh more, by hand-worked numbers and on either path alike; easy samples come first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from tiny_models import tiny_tokenizer  # noqa: E402

from looptool_kit import world  # noqa: E402
from looptool_kit.config import LoraSettings, SftSettings, TargetSettings, load_preset  # noqa: E402
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall  # noqa: E402
from looptool_kit.core.toolcalls import render_answer  # noqa: E402
from looptool_kit.stages.train import common, sft, stage, targets  # noqa: E402

LORA = LoraSettings(rank=4, alpha=8)
RECIPE = SftSettings(epochs=1, batch=4, micro_batch=2, learning_rate=1e-3)


@pytest.fixture(autouse=True)
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses are compared to the last digits."""
    monkeypatch.setattr("looptool_kit.policy.models.default_dtype", lambda: torch.float32)


def sample_of(*names: str, offered: tuple[str, ...]) -> Sample:
    calls = tuple(ToolCall(name=n) for n in names)
    tools = tuple(Tool(name=n) for n in offered)
    label = Label(calls=calls) if calls else Label(reply="get it yourself")
    return Sample(tools=tools, messages=(Message(role="user", content="x"),), label=label)


def test_weights_by_hand() -> None:
    weights = targets.token_weights([3, 7], 12, 9)
    assert weights[3] == weights[7] == 5 * weights[0] and sum(weights) == pytest.approx(12)
    losses = [2.0 if at in (3, 7) else 1.0 for at in range(12)]
    assert sum(w * x for w, x in zip(weights, losses, strict=True)) / 12 == pytest.approx(1.5)
    assert max(targets.token_weights([3], 40, 9)) == pytest.approx(9 * 40 / 48)
    assert targets.token_weights([3, 7], 12, 1) == targets.token_weights([], 12, 9) == [1.0] * 12


def test_places_are_where_a_name_begins_and_where_it_parts_from_another() -> None:
    offered = ("get_time", "get_timer", "get_weather", "set_timer", "pay")
    text = render_answer(sample_of("get_time", offered=offered).label)
    found = targets.key_places(sample_of("get_time", offered=offered))
    assert [text[p] for p in found] == ["g", "t", '"'] and text[found[0] :].startswith("get_time")
    assert found[1] == found[0] + len("get_") and found[2] == found[0] + len("get_time")
    timer = targets.key_places(sample_of("get_timer", offered=offered))
    assert [p - timer[0] for p in timer] == [0, 4, 8]
    two = sample_of("pay", "set_timer", offered=offered)
    text = render_answer(two.label)
    assert [text[p:][:4] for p in targets.key_places(two)] == ['pay"', "set_"]
    assert targets.key_places(sample_of(offered=offered)) == []


def test_key_tokens_hold_these_places_whatever_the_text_around_them() -> None:
    tokenizer = tiny_tokenizer()
    for sample in world.generate(30, seed=6):
        said = sample.label.calls and ToolCall(name=sample.label.calls[0].name, arguments={"ü": "日本"})
        calls = (said, *sample.label.calls) if said else ()
        sample = sample.model_copy(update={"label": sample.label.model_copy(update={"calls": calls})})
        _, completion = common.encode(tokenizer, sample)
        text = render_answer(sample.label)
        keys = targets.key_tokens(tokenizer, sample, completion)
        assert [tokenizer.decode([completion[k]]) for k in keys] == [
            text[p] for p in targets.key_places(sample)
        ]
        assert bool(keys) == bool(calls)


def history(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def test_a_key_weight_of_one_is_the_loss_of_before_to_the_last_bit(
    tiny_loader: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = world.generate(4, seed=3)
    sft.train(tiny_loader, None, samples, RECIPE, LORA, tmp_path / "usual", seed=0)
    # Weights of exactly one go the other way through the code.
    monkeypatch.setattr(targets, "token_weights", lambda keys, count, most: [1.0] * count)
    key = TargetSettings(key_weight=9)
    sft.train(tiny_loader, None, samples, RECIPE, LORA, tmp_path / "ones", seed=0, targets=key)
    usual, ones = history(tmp_path / "usual"), history(tmp_path / "ones")
    assert [(r["loss"], r["grad_norm"]) for r in usual] == [(r["loss"], r["grad_norm"]) for r in ones]


def test_the_weighed_loss_is_that_of_plain_rows_on_every_path(
    tiny_loader: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = world.generate(4, seed=3)
    model, tokenizer = tiny_loader()
    total = count = 0.0
    for sample in samples:
        prompt, completion = common.encode(tokenizer, sample)
        keys = targets.key_tokens(tokenizer, sample, completion)
        with torch.no_grad():
            logits = model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1]
        losses = -torch.log_softmax(logits, -1).gather(1, torch.tensor(completion)[:, None])[:, 0]
        total += float((losses * torch.tensor(targets.token_weights(keys, len(completion), 9))).sum())
        count += len(completion)
    key = TargetSettings(key_weight=9)
    found = {}
    for name, most in (("whole", 100_000), ("cut", 1)):
        recipe = RECIPE.model_copy(update={"micro_tokens": most})
        sft.train(tiny_loader, None, samples, recipe, LORA, tmp_path / name, seed=0, targets=key)
        found[name] = history(tmp_path / name)[0]
    monkeypatch.setattr(sft, "why_not", lambda _: "this test wants plain rows")
    with pytest.warns(UserWarning, match="plain rows"):
        sft.train(tiny_loader, None, samples, RECIPE, LORA, tmp_path / "plain", seed=0, targets=key)
    found["plain"] = history(tmp_path / "plain")[0]
    for row in found.values():
        assert row["loss"] == pytest.approx(total / count, rel=1e-4)
        assert row["grad_norm"] == pytest.approx(found["plain"]["grad_norm"], rel=1e-3)


def test_easy_samples_come_first_and_runs_of_a_tool_list_stay_whole() -> None:
    rows = list(world.generate(60, seed=1))
    losses = [float(int(s.id[:4], 16)) for s in rows]
    order = common.by_tool_list(rows, 4, 0, losses)
    mixed = common.by_tool_list(rows, 4, 0)
    assert sorted(order) == list(range(60)) and order != mixed

    def whole(found: list[int]) -> set[frozenset[int]]:
        runs = (found[i : i + 4] for i in range(0, 60, 4))
        return {frozenset(r) for r in runs if len({str(rows[i].tools) for i in r}) == 1}

    means = [sum(losses[i] for i in order[at : at + 4]) / 4 for at in range(0, 60, 4)]
    of_lists = [
        m
        for at, m in zip(range(0, 60, 4), means, strict=True)
        if frozenset(order[at : at + 4]) in whole(order)
    ]
    assert len(of_lists) >= 4 and of_lists == sorted(of_lists) and len(whole(order)) >= len(whole(mixed))


@pytest.mark.parametrize("shared", [True, False])
def test_the_order_is_that_of_the_losses_before_training_and_is_kept(
    shared: bool, tiny_loader: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = Samples(world.generate(6, seed=5))
    if not shared:
        monkeypatch.setattr(sft, "why_not", lambda _: "this test wants plain rows")
    recipe = RECIPE.model_copy(update={"micro_batch": 1, "batch": 1})
    easy = TargetSettings(order="easy_first")
    seen: list[float] = []
    real = common.by_tool_list
    monkeypatch.setattr(
        sft, "by_tool_list", lambda *a: seen.extend(a[3] if len(a) > 3 and a[3] else ()) or real(*a)
    )
    sft.train(tiny_loader, None, samples, recipe, LORA, tmp_path, seed=0, targets=easy)
    model, tokenizer = tiny_loader()
    for sample, loss in zip(samples, seen, strict=True):
        prompt, completion = common.encode(tokenizer, sample)
        with torch.no_grad():
            logits = model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1]
        logps = torch.log_softmax(logits, -1).gather(1, torch.tensor(completion)[:, None])
        assert loss == pytest.approx(-float(logps.mean()), rel=1e-4)
    assert json.loads((tmp_path / sft.LOSSES).read_text()) == seen


def test_the_targets_decide_a_training_only_where_they_are_set() -> None:
    names = stage.recipe(load_preset("cpu"), 1)
    assert {"targets.key_weight", "targets.order"} <= set(names) and "targets.mask_errors" not in names
    gpu = load_preset("single-gpu-0.6b", targets__key_weight=9, fission__group=4)
    assert "fission" not in stage.recipe(gpu, 1)
    with pytest.raises(ValueError, match=r"unsloth has no .*fission\.group"):
        stage._can_do(gpu, 1)
    with pytest.raises(ValueError, match="at most half of a step's prompts"):
        stage._can_do(load_preset("cpu", fission__group=4, grpo__prompts=1), 1)
    with pytest.raises(ValueError, match="a group of one completion"):
        load_preset("cpu", fission__group=1)
