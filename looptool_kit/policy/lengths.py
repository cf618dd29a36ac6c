"""Samples that a model cannot learn, found before any training: too long, or beyond its form."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from looptool_kit.core.samples import Sample
from looptool_kit.core.terminal import visible
from looptool_kit.core.toolcalls import render_answer, render_prompt
from looptool_kit.policy.models import (
    EMBEDDED,
    EMBEDDED_BASE,
    HUB_ID,
    ModelNotFound,
    find_model,
    load_tokenizer,
)
from looptool_kit.policy.recorded_form import of_model
from looptool_kit.policy.wire import fault_of

EMBEDDED_CONTEXT = 8192
"""SmolLM2's context. Known here, so that the embedded model need not be fetched to tell that samples fit."""
MIN_CONTEXT = 1024
"""Tokens that any model takes: for samples that surely have no more, no model is looked for."""


def too_long(model: str) -> Callable[[Sample], str]:
    """Make a function that says why a sample cannot be learned.

    It exceeds the model's context, or cannot be written in its form. `model` is as `find_model` takes it.
    Empty where it fits, or where that cannot be known because the model is not to be had.
    """
    own_form = not of_model(model).projects

    @lru_cache(1)
    def measure() -> tuple[Any, int | None]:
        try:
            path = find_model(model).path
        except ModelNotFound as error:
            warnings.warn(visible(f"the lengths of long samples are not checked: {error}"), stacklevel=3)
            return None, None
        return load_tokenizer(path), context_of(path)

    lengths = (
        EMBEDDED_CONTEXT
        if model in (EMBEDDED, EMBEDDED_BASE, HUB_ID)
        else context_of(Path(model)) or MIN_CONTEXT
    )

    def fault(sample: Sample) -> str:
        if own_form and (reason := fault_of(measure()[0], sample)):
            return reason
        text = render_prompt(sample.tools, sample.messages) + render_answer(sample.label)
        # No token is less than a byte, and no template of a model writes twice what ours does.
        if 2 * len(text.encode("utf-8", "surrogatepass")) < lengths:
            return ""
        tokenizer, limit = measure()
        if limit is None:
            return ""
        from looptool_kit.policy.engines.prompts import encode_prompts, encode_turn

        # And the token that vLLM writes after what it scores.
        turn = encode_turn(tokenizer, sample, sample.label)
        length = len(encode_prompts(tokenizer, [sample])[0]) + len(turn) + 1
        return (
            f"length: it has {length} tokens, and the context of {model} has {limit}"
            if length > limit
            else ""
        )

    return fault


def context_of(folder: Path) -> int | None:
    """The tokens that a checkpoint's model takes by its config.json.

    None where it does not say.
    """
    try:
        config = json.loads((folder.expanduser() / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    context = config.get("max_position_embeddings") or (config.get("text_config") or {}).get(
        "max_position_embeddings"
    )
    return context if isinstance(context, int) else None
