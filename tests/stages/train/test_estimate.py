"""The estimate for the trainer `trl` on a GPU: its formulas by hand, and the share of the peak."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from looptool_kit import world
from looptool_kit.config import load_preset
from looptool_kit.stages.train import measured
from looptool_kit.stages.train.estimate import estimate
from looptool_kit.stages.train.footprint import Work, of_group, operations, pass_bytes
from looptool_kit.stages.train.shapes import SHAPES, Shape
from looptool_kit.stages.train.vocabulary import CHUNK_BYTES, chunk_rows

TINY = Shape(layers=2, hidden=8, heads=2, kv_heads=1, head_dim=4, inner=16, vocab=100, tied=True)


def test_work_and_operations_by_hand() -> None:
    # A prompt of 4 is seen 8 tokens' worth; two answers of 2 see 4 + 1 tokens on average, each token of them.
    assert of_group(4, 2, 2) == Work(tokens=8, seen=8 + 2 * 2 * 5, nodes=4)
    assert (of_group(4, 2, 2) + of_group(0, 1)).times(2) == Work(18, 57, 10)
    work = Work(tokens=3, seen=5, nodes=2)
    assert operations(TINY, work) == 4 * (TINY.linear * 3 + 100 * 8 * 2) + 12 * 2 * 8 * 5


def test_bytes_of_a_pass_by_hand() -> None:
    layer = 4 * (16 + 8 + 4) + 2 * (40 + 8 + 16) + 2 * (16 + 8) + 6 * 16
    assert pass_bytes(TINY, False).token == 3 * layer
    assert pass_bytes(TINY, True).token == 2 * 8 * 2 + 2 * layer
    assert pass_bytes(TINY, True).of(10) == 5 * CHUNK_BYTES + 10 * (32 + 2 * layer)
    assert chunk_rows(151_936) == 883


def test_the_preset_for_16_gb_fits_a_t4_and_not_much_less() -> None:
    settings = load_preset("single-gpu-16gb")
    assert settings.trainer == "trl" and settings.engine == "transformers" and settings.model in SHAPES
    assert (settings.grpo.clip_low, settings.grpo.clip_high, settings.grpo.temperature) == (0.2, 0.28, 1.0)
    samples = world.generate(60, seed=2)
    found = estimate(settings, samples, 1, settings.grpo.steps)
    assert found.fits and found.total < 15.8 and "assumption" in found.words()
    assert not estimate(settings, samples, 1, settings.grpo.steps, gpu_gb=6).fits
    larger = settings.model_copy(update={"model": "Qwen/Qwen3-8B"})
    assert not estimate(larger, samples, 1, settings.grpo.steps).fits
    none = estimate(settings, samples, 1, 0)
    assert none.fits and none.cache == 0 and none.total < found.total
    assert estimate(settings, samples, 2, 0).sft_seconds == pytest.approx(2 * none.sft_seconds)
    checkpointed = settings.model_copy(
        update={"sft": settings.sft.model_copy(update={"gradient_checkpointing": False})}
    )
    assert estimate(checkpointed, samples, 1, 0).sft_seconds == pytest.approx(none.sft_seconds / 1.5)


def test_vllm_beside_the_trainer_has_what_that_leaves() -> None:
    settings = load_preset("single-gpu-16gb", engine="vllm")
    found = estimate(settings, world.generate(60, seed=2), 1, 4, gpu_gb=80)
    assert found.fits and found.cache < 0.9 * 80 - found.weights and found.total < 80
    assert not estimate(settings, world.generate(60, seed=2), 1, 4, gpu_gb=2.5).fits


def test_the_share_is_the_measured_one_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "FILE", tmp_path / "measured.json")
    assert measured.peak_share("packed") == (measured.ASSUMED, "an assumption")
    settings, samples = load_preset("single-gpu-16gb"), world.generate(20, seed=2)
    before = estimate(settings, samples, 1, 0)
    facts = {"card": "Card X", "date": "2026-01-02", "versions": {}, "shares": {"packed": 0.7}}
    (tmp_path / "measured.json").write_text(json.dumps(facts))
    after = estimate(settings, samples, 1, 0)
    assert after.sft_seconds == pytest.approx(before.sft_seconds / 2)
    assert "70% of the GPU's peak (measured on one Card X, 2026-01-02)" in after.words()
    assert measured.peak_share("unsloth") == (measured.ASSUMED, "an assumption")
