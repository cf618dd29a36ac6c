"""The model `embedded`: made once from its base and the shipped adapter, whatever interrupts that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tiny_models import tiny_model, tiny_tokenizer  # noqa: E402

from looptool_kit.core.toolcalls import chat_template  # noqa: E402
from looptool_kit.policy import downloads, models  # noqa: E402
from looptool_kit.policy.models import HUB_ID, ModelNotFound, find_model, load, load_tokenizer  # noqa: E402


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_hub: None) -> Path:
    """A tiny base in a cache and an adapter for it in place of the shipped one. Returns the cache."""
    import torch
    from peft import LoraConfig, get_peft_model

    cache = tmp_path / "cache"
    tiny_model("llama").save_pretrained(cache / downloads.FOLDER)
    tiny_tokenizer().save_pretrained(cache / downloads.FOLDER)
    torch.manual_seed(0)
    config = LoraConfig(
        r=2, target_modules=["q_proj", "down_proj"], init_lora_weights=False, task_type="CAUSAL_LM"
    )
    get_peft_model(tiny_model("llama"), config).save_pretrained(tmp_path / "adapter")
    monkeypatch.setattr(models, "ADAPTER", tmp_path / "adapter")
    monkeypatch.setattr(
        models, "ADAPTER_SHA256", downloads.sha256(tmp_path / "adapter" / "adapter_model.safetensors")
    )
    return cache


def kept(cache: Path) -> set[str]:
    """What lies in a cache, without the base and locks."""
    return {p.name for p in cache.iterdir() if p.suffix != ".lock"} - {downloads.FOLDER}


def logits(folder: Path, adapter: Path | None = None) -> Any:
    import torch

    with torch.no_grad():
        return load(folder, dtype="float32", adapter=adapter, device="cpu")[0](
            torch.tensor([[5, 6, 7, 8]])
        ).logits


def test_embedded_is_made_once_from_the_base_and_the_adapter(
    shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    made = find_model(cache=shipped)
    assert made == find_model("embedded", shipped) and made.name == "embedded" and made.origin == "package"
    assert made.path.parent == shipped and kept(shipped) == {made.path.name}
    assert made.path.name == f"embedded-{models.ADAPTER_SHA256[:8]}-package"
    assert torch.allclose(logits(made.path), logits(shipped / downloads.FOLDER, models.ADAPTER), atol=1e-5)
    assert not torch.allclose(logits(made.path), logits(shipped / downloads.FOLDER), atol=1e-2)
    assert load_tokenizer(made).chat_template == chat_template()

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr(models, "load", never)
    monkeypatch.setattr(downloads, "from_package", never)  # made, it needs no base any more
    assert find_model(cache=shipped) == made


def test_the_base_stays_what_it_is(shipped: Path) -> None:
    base = find_model("embedded-base", shipped)
    assert base == (shipped / downloads.FOLDER, HUB_ID, "package") == find_model(HUB_ID, shipped)
    assert kept(shipped) == set()


def test_another_adapter_is_one_clear_error(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = models.ADAPTER / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(
        ModelNotFound, match=r"SHA-256 is .*Remedy: install the package again.*embedded-base"
    ) as told:
        find_model(cache=shipped)
    assert "\n" not in str(told.value) and kept(shipped) == set()
    file.unlink()
    with pytest.raises(ModelNotFound, match="Remedy"):
        find_model(cache=shipped)


def test_no_base_names_the_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_hub: None) -> None:
    monkeypatch.setattr(downloads, "NEEDED_BYTES", 10**18)
    with pytest.raises(
        ModelNotFound, match=r"on the model hub: connection refused.*in the package index.*Remedy"
    ):
        find_model(cache=tmp_path)


def test_little_disk_for_merging_is_said(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "MERGED_BYTES", 10**18)
    with pytest.raises(ModelNotFound, match="LOOPTOOL_CACHE"):
        find_model(cache=shipped)
    assert kept(shipped) == set()


def test_two_kills_in_between_leave_nothing(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_load, real_replace = models.load, models.os.replace

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(models, "load", killed)  # before anything is written
    with pytest.raises(KeyboardInterrupt):
        find_model(cache=shipped)
    assert kept(shipped) == set()
    monkeypatch.setattr(models, "load", real_load)
    monkeypatch.setattr(models.os, "replace", killed)  # when everything is written, and nothing in its place
    with pytest.raises(KeyboardInterrupt):
        find_model(cache=shipped)
    assert kept(shipped) == set()
    monkeypatch.setattr(models.os, "replace", real_replace)
    # A SIGKILL cleans nothing up: the next call does.
    left = shipped / f".making-embedded-{models.ADAPTER_SHA256[:8]}-package-x1"
    left.mkdir()
    (left / "half").write_bytes(b"0" * 100)
    find_model(cache=shipped)
    assert not left.exists()
    assert kept(shipped) | {find_model(cache=shipped).path.name} == kept(shipped)


def test_weights_id_tells_adapters_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    assert models.weights_id("embedded") == f"embedded-{models.ADAPTER_SHA256[:8]}"
    assert models.weights_id("embedded-base") == "embedded-base" and models.weights_id("a/b") == "a/b"
    before = models.weights_id("embedded")
    monkeypatch.setattr(models, "ADAPTER_SHA256", "0" * 64)
    assert models.weights_id("embedded") != before
