"""Damaged or hostile checkpoints: nothing in them runs, and what they lack is not made up."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from safetensors.torch import load_file, save_file

from looptool_kit.core.errors import RunError
from looptool_kit.policy import models


class Evil:
    """What runs a command where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("ran",)


@pytest.fixture
def folder(tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint to damage, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "mine"))


def load(folder: Path) -> Any:
    return models.load(models.ModelSource(folder, "mine", "path"), "float32")


def without(folder: Path, part: str) -> None:
    weights = load_file(folder / "model.safetensors")
    left = {name: weight for name, weight in weights.items() if part not in name}
    assert len(left) < len(weights)
    save_file(left, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("part", ["layers.1.", "embed_tokens", "mlp.up_proj", "model.norm"])
def test_weights_that_are_not_there_are_not_drawn_by_chance(folder: Path, part: str) -> None:
    without(folder, part)
    with pytest.raises(RunError, match=rf"mine lacks \d+ of the weights.*{part}.*Get the checkpoint again"):
        load(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "shard.bin"])
def test_no_pickle_is_read(folder: Path, name: str) -> None:
    (folder / "model.safetensors").unlink()
    with (folder / name).open("wb") as file:
        pickle.dump({"lm_head.weight": Evil()}, file)
    if name == "shard.bin":
        index = {"metadata": {}, "weight_map": {"lm_head.weight": name}}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    with pytest.raises(OSError, match="no file named model.safetensors"):
        load(folder)
    assert not Path("ran").exists()


def changed(folder: Path, name: str, **values: Any) -> None:
    (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | values))


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "weights are noise": lambda f: (f / "model.safetensors").write_bytes(b"\xff" * 200),
    "weights are cut short": lambda f: os.truncate(f / "model.safetensors", 5000),
    "weights of another shape": lambda f: changed(f, "config.json", vocab_size=7),
    "settings of another type": lambda f: changed(f, "config.json", hidden_size="x"),
    "settings that do not fit": lambda f: changed(f, "config.json", hidden_size=10**7 + 1),
    "a list for settings": lambda f: (f / "config.json").write_text("[]"),
    "an empty tokenizer": lambda f: (f / "tokenizer.json").write_text("{}"),
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_checkpoint_is_a_sentence_that_names_it(folder: Path, how: str) -> None:
    DAMAGES[how](folder)
    with pytest.raises((RunError, ValueError, OSError)) as error:
        load(folder)
    if isinstance(error.value, RunError):
        assert "mine cannot be loaded" in str(error.value) and "Get the checkpoint again" in str(error.value)
