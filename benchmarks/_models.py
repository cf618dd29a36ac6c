"""What the benchmarks with a model share: the embedded model (a tiny random one in the quick forms), and
samples that stand on common tool lists.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from looptool_kit import world
from looptool_kit.core.samples import Sample


def as_imported(ours: bool) -> None:
    """Leave torch's huge pages to our side, whose package sets them as it is imported; the other is as its
    user has it. Before the first tensor.
    """
    if not ours:
        os.environ["THP_MEM_ALLOC_ENABLE"] = "0"


def load(quick: bool) -> tuple[Any, Any]:
    """(model, tokenizer) in float32."""
    if quick:
        sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
        from tiny_models import tiny_model, tiny_tokenizer

        return tiny_model("llama", context=16_384), tiny_tokenizer()
    from looptool_kit.policy.policy import load_base

    return load_base("embedded")


def on_lists(lists: int, each: int, seed: int = 0) -> list[Sample]:
    """`each` samples on each of `lists` tool lists, list by list."""
    found: dict[str, list[Sample]] = {}
    for sample in world.generate(lists * each * 3, seed=seed, per_list=each + each // 2 + 2):
        found.setdefault(repr(sample.tools), []).append(sample)
    full = [members[:each] for members in found.values() if len(members) >= each]
    if len(full) < lists:
        raise ValueError(f"only {len(full)} tool lists have {each} samples")
    return [sample for members in full[:lists] for sample in members]
