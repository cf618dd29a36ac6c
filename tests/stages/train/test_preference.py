"""Preference training: the losses by hand and by TRL's formulas, shared prefixes against plain rows, pairs
that cannot be used, and a training that is killed.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from tiny_models import tiny_tokenizer  # noqa: E402

from looptool_kit import world  # noqa: E402
from looptool_kit.config import LoraSettings, PreferenceSettings  # noqa: E402
from looptool_kit.core.records import Pair, Pairs  # noqa: E402
from looptool_kit.core.samples import Label, Samples, ToolCall  # noqa: E402
from looptool_kit.core.toolcalls import render_answer  # noqa: E402
from looptool_kit.stages.train import common, preference  # noqa: E402

LORA = LoraSettings(rank=4, alpha=8)
SIMPO = PreferenceSettings(epochs=1, batch=2, learning_rate=1e-3)
DPO = PreferenceSettings(epochs=2, batch=2, learning_rate=1e-3, loss="dpo", beta=0.1)


@pytest.fixture(autouse=True)
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products in float32 on every machine: trainings are compared to the last digits."""
    monkeypatch.setattr("looptool_kit.policy.models.default_dtype", lambda: torch.float32)


@pytest.fixture(scope="module")
def samples() -> Samples:
    return world.generate(4, seed=3)


@pytest.fixture(scope="module")
def pairs(samples: Samples) -> Pairs:
    """Of each sample two: its label against another call, and against a plain reply."""
    call = render_answer(Label(calls=(ToolCall(name="nothing_of_this_name", arguments={"a": 1}),)))
    texts = [(s.id, render_answer(s.label)) for s in samples]
    return Pairs(
        Pair(sample_id=i, chosen=text, rejected=other) for i, text in texts for other in (call, "I can't.")
    )


# ----------------------------------------------------------------- losses


def test_simpo_of_means_half_and_one_and_a_half() -> None:
    chosen = torch.tensor([-0.5], requires_grad=True)
    loss = preference.losses(chosen, torch.tensor([-1.5]), PreferenceSettings())
    loss.sum().backward()
    assert loss.item() == pytest.approx(0.126928, abs=1e-6)
    assert chosen.grad.item() == pytest.approx(-0.298007, abs=1e-6)


def test_dpo_of_log_ratios_two_and_minus_one() -> None:
    reference = torch.tensor([-5.0]), torch.tensor([-4.0])
    loss = preference.losses(torch.tensor([-3.0]), torch.tensor([-5.0]), DPO, reference)
    assert loss.item() == pytest.approx(0.554355, abs=1e-6)


def test_dpo_without_its_reference_is_an_error() -> None:
    with pytest.raises(ValueError, match="reference"):
        preference.losses(torch.tensor([-3.0]), torch.tensor([-5.0]), DPO)


def test_losses_are_those_of_trl(monkeypatch: pytest.MonkeyPatch) -> None:
    """On given log-probabilities; TRL's loss `sigmoid` on log-ratios is DPO's."""
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    from trl.experimental.cpo import CPOTrainer

    def trl(kind: str, settings: PreferenceSettings, a: Any, b: Any) -> Any:
        about = {"alpha": 0.0, "label_smoothing": 0.0, "accelerator": SimpleNamespace(device="cpu")}
        own = {"beta": settings.beta, "simpo_gamma": settings.gamma, "loss_type": kind}
        return CPOTrainer.cpo_loss(SimpleNamespace(**about, **own), a, b)[0]

    chosen, rejected, ref_c, ref_r = -5 * torch.rand(4, 20, generator=torch.Generator().manual_seed(0))
    simpo = preference.losses(chosen, rejected, SIMPO)
    torch.testing.assert_close(simpo, trl("simpo", SIMPO, chosen, rejected))
    dpo = preference.losses(chosen, rejected, DPO, (ref_c, ref_r))
    torch.testing.assert_close(dpo, trl("sigmoid", DPO, chosen - ref_c, rejected - ref_r))


@pytest.mark.parametrize("settings", [SIMPO, DPO.model_copy(update={"tokens": "all", "sft_weight": 0.5})])
def test_shared_prefixes_change_neither_losses_nor_gradients(
    tiny_loader, samples: Samples, pairs: Pairs, settings: PreferenceSettings, monkeypatch
) -> None:
    model, tokenizer = tiny_loader()
    rows, rejected = preference.usable(tokenizer, pairs, samples, settings, 4096)
    assert not rejected and len(rows) == len(pairs)
    weight = model.model.layers[0].self_attn.q_proj.weight
    found = []
    for plain in (None, "as it is"):
        monkeypatch.setattr(preference, "why_not", lambda _, plain=plain: plain)
        shared, _ = preference.sides(model, rows), model.zero_grad()
        values = torch.cat([*shared[0], *shared[1]]).detach()
        loss, margins = preference.batch_loss(model, rows, settings, len(rows))
        loss.backward()
        found.append((values, loss.detach(), torch.tensor(margins), weight.grad.clone()))
    (*ours, our_gradient), (*theirs, their_gradient) = found
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
    assert our_gradient.abs().max() > 0.01  # or the tolerance would hide it
    torch.testing.assert_close(our_gradient, their_gradient, rtol=1e-3, atol=1e-4)


def test_a_gpus_passes_end_at_the_same_adapter(
    tiny_loader, samples: Samples, pairs: Pairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound of its memory replaces GRPO's for a CPU, in scoring the reference and in training."""
    from safetensors.torch import load_file

    settings = DPO.model_copy(update={"epochs": 1, "batch": 4})
    sizes: dict[int | None, list[int]] = {}
    real, ends = preference.sides, []
    for most in (None, 1, 100_000):
        seen = sizes.setdefault(most, [])
        monkeypatch.setattr(preference, "pass_tokens", lambda *_, most=most: most)
        monkeypatch.setattr(
            preference, "sides", lambda m, rows, *a, seen=seen: seen.append(len(rows)) or real(m, rows, *a)
        )
        folder = tmp_path / str(most)
        preference.train(tiny_loader, None, pairs, samples, settings, LORA, folder, seed=0)
        ends.append(load_file(str(folder / "adapter" / "adapter_model.safetensors")))
    assert sizes[1] == [1] * 16 and sizes[100_000] == [8, 4, 4]  # 8 pairs scored, then 2 steps of 4
    for other in ends[1:]:
        for key, weights in ends[0].items():
            torch.testing.assert_close(other[key], weights, atol=1e-5, rtol=1e-3)


def test_the_common_beginning_does_not_count_for_dpo(tiny_loader, samples: Samples, pairs: Pairs) -> None:
    """Its log-probability cancels, so that `branch` is a saving alone."""
    model, tokenizer = tiny_loader()
    losses = []
    for tokens in ("branch", "all"):
        settings = DPO.model_copy(update={"tokens": tokens})
        rows, _ = preference.usable(tokenizer, pairs, samples, settings, 4096)
        losses.append(preference.batch_loss(model, rows, settings, len(rows))[0].item())
        same = rows[0].chosen[0] == rows[0].rejected[0]
        assert same is (tokens == "all")
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


# ------------------------------------------------------------------ pairs


def test_pairs_that_cannot_be_used_are_counted_and_never_cut(samples: Samples) -> None:
    tokenizer = tiny_tokenizer()
    first, second = samples[0], samples[1]
    good = Pair(sample_id=first.id, chosen="Yes, at noon.", rejected="Yes, at night.")
    odd = [
        Pair(sample_id=first.id, chosen="", rejected="no"),
        Pair(sample_id=first.id, chosen="yes", rejected=" \n"),
        Pair(sample_id=first.id, chosen="yes", rejected="yes"),
        Pair(sample_id=first.id, chosen="yes", rejected="no " * 2000),
        Pair(sample_id=second.id, chosen="one more", rejected="none"),
    ]
    settings = PreferenceSettings(most=1)
    rows, rejected = preference.usable(tokenizer, Pairs([good, *odd]), samples, settings, 4096)
    assert rejected == {"empty": 2, "equal": 1, "too long": 1, "beyond preference.most": 1}
    prompt, _ = common.encode(tokenizer, first)
    text = tokenizer.decode(rows[0].prompt)
    assert len(rows) == 1 and text.endswith("Yes, at n") and rows[0].prompt[: len(prompt)] == tuple(prompt)
    assert tokenizer.decode(rows[0].chosen) == "oon.<|im_end|>"
    assert tokenizer.decode(rows[0].rejected) == "ight.<|im_end|>"
    assert rows[0].tokens == 2 * len(prompt) + len("Yes, at noon.") + len("Yes, at night.") + 2


def test_an_answer_that_begins_the_other_one_parts_at_its_end(tiny_loader, samples: Samples) -> None:
    _, tokenizer = tiny_loader()
    table = Pairs([Pair(sample_id=samples[0].id, chosen="Yes", rejected="Yes, at noon.")])
    rows, _ = preference.usable(tokenizer, table, samples, SIMPO, 4096)
    assert tokenizer.decode(rows[0].chosen) == "<|im_end|>"


def test_an_epoch_has_every_pair_once_and_those_of_a_sample_together(
    tiny_loader, samples: Samples, pairs: Pairs
) -> None:
    _, tokenizer = tiny_loader()
    rows, _ = preference.usable(tokenizer, pairs, samples, SIMPO, 4096)
    epochs = [[row.pair for row in preference.shuffled(rows, f"0/{e}")] for e in range(5)]
    assert all(sorted(epoch) == list(range(len(pairs))) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert all({epoch[i] // 2, epoch[i + 1] // 2} == {epoch[i] // 2} for epoch in epochs for i in (0, 2, 4))


# --------------------------------------------------------------- training


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "adapter" / "adapter_model.safetensors")


def history(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / common.HISTORY).read_text().splitlines()]


def test_the_chosen_answers_win(tiny_loader, samples: Samples, pairs: Pairs, tmp_path: Path) -> None:
    settings = PreferenceSettings(epochs=6, batch=8, learning_rate=1e-2)
    facts = preference.train(tiny_loader, None, pairs, samples, settings, LORA, tmp_path, seed=0)
    rows = history(tmp_path)
    assert facts["pairs"] == 8 and facts["steps"] == 6 and facts["samples"] == 4 and not facts["rejected"]
    assert rows[-1]["margin"] > rows[0]["margin"] and rows[-1]["preferred"] == 1.0
    assert rows[-1]["loss"] < rows[0]["loss"]
    _, tokenizer = tiny_loader()
    trained, _ = preference.usable(tokenizer, pairs, samples, settings, 4096)
    assert facts["tokens"] == 6 * sum(row.tokens for row in trained)


def test_the_first_dpo_step_starts_at_the_reference(
    tiny_loader, samples: Samples, pairs: Pairs, tmp_path: Path
) -> None:
    """The reference is the adapter that the phase starts from: nothing is preferred yet, the loss is ln 2."""
    start = preference.train(tiny_loader, None, pairs, samples, SIMPO, LORA, tmp_path / "start", seed=0)
    assert start["steps"] == 4
    adapter = tmp_path / "start" / "adapter"
    preference.train(tiny_loader, adapter, pairs, samples, DPO, LORA, tmp_path / "dpo", seed=0)
    first = history(tmp_path / "dpo")[0]
    assert first["loss"] == pytest.approx(0.693147, abs=1e-5)
    assert first["margin"] == pytest.approx(0, abs=1e-4)
    model, tokenizer = tiny_loader()
    policy = common.lora_policy(model, LORA, adapter, seed=0).eval()
    rows, _ = preference.usable(tokenizer, pairs, samples, DPO, 4096)
    kept = {r.pair: r for r in preference.References.read(tmp_path / "dpo" / "ref.parquet")}
    with torch.no_grad():
        chosen, rejected = preference.sides(policy, rows)
    assert sorted(kept) == list(range(len(pairs)))
    for row, c, r in zip(rows, chosen, rejected, strict=True):
        assert kept[row.pair].chosen == pytest.approx(float(c.sum()), rel=1e-5)
        assert kept[row.pair].rejected == pytest.approx(float(r.sum()), rel=1e-5)


def test_a_killed_training_resumes_to_the_same_adapter(
    tiny_loader, samples: Samples, pairs: Pairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it scores the reference, and again while it trains."""
    monkeypatch.setattr("looptool_kit.stages.train.grpo.MAX_PASS_TOKENS", 1)  # every pair is a pass
    preference.train(tiny_loader, None, pairs, samples, DPO, LORA, tmp_path / "whole", seed=0)
    cut = tmp_path / "cut"

    class Stop(Exception):
        pass

    passes: list[int] = []
    real = preference.sides

    def dying(model: Any, rows: Any, half: Any = None) -> Any:
        passes.append(len(rows))
        if len(passes) in (3, 14):
            raise Stop
        return real(model, rows, half)

    monkeypatch.setattr(preference, "sides", dying)
    with pytest.raises(Stop):
        preference.train(tiny_loader, None, pairs, samples, DPO, LORA, cut, seed=0)
    assert len(preference.References.read(cut / "ref.parquet")) == 2 and len(passes) == 3
    with pytest.raises(Stop):
        preference.train(tiny_loader, None, pairs, samples, DPO, LORA, cut, seed=0)
    assert len(preference.References.read(cut / "ref.parquet")) == 8
    kept = common.last_checkpoint(cut)
    assert kept is not None and kept.endswith("checkpoint-2")  # six passes of the reference, two steps
    scored = len(passes)
    preference.train(tiny_loader, None, pairs, samples, DPO, LORA, cut, seed=0)
    # Neither the reference nor a step that a checkpoint holds is computed again.
    assert len(passes) - scored == 2 * (8 - 2)
    a, b = weights(tmp_path / "whole"), weights(cut)
    assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
    assert [row["loss"] for row in history(tmp_path / "whole")] == [row["loss"] for row in history(cut)]
    assert preference.train(tiny_loader, None, pairs, samples, DPO, LORA, cut, seed=0)["steps"] == 8


def test_without_a_usable_pair_the_adapter_stays(
    tiny_loader, samples: Samples, pairs: Pairs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preference.train(tiny_loader, None, pairs, samples, SIMPO, LORA, tmp_path / "start", seed=0)
    equal = Pairs([Pair(sample_id=samples[0].id, chosen="yes", rejected="yes")])
    adapter = tmp_path / "start" / "adapter"
    facts = preference.train(tiny_loader, adapter, equal, samples, DPO, LORA, tmp_path / "none", seed=0)
    assert facts["steps"] == 0 and facts["tokens"] == 0 and facts["rejected"] == {"equal": 1}
    assert "1 of 1 pairs are left out: 1 equal" in capsys.readouterr().out
    a, b = weights(tmp_path / "start"), weights(tmp_path / "none")
    assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
