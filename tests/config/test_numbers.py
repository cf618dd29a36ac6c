"""Every number of the settings: none that makes nonsense is obeyed, and none ends in a traceback."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from looptool_kit.config import Settings, load_preset
from looptool_kit.core.endpoint import Endpoint

LEAST = {
    **dict.fromkeys(("sft__learning_rate", "sft__learning_rate_later", "grpo__learning_rate"), 0),
    **dict.fromkeys(("preference__learning_rate", "grpo__temperature", "probe__threshold"), 0),
    **dict.fromkeys(("unsloth__gpu_gb", "unsloth__tflops", "unsloth__bandwidth_gb"), 0),
    **dict.fromkeys(("grpo__max_new_tokens", "probe__max_new_tokens", "evaluate__max_new_tokens"), 0),
    **dict.fromkeys(("sft__save_steps", "grpo__save_steps", "probe__batch"), 0),
    **dict.fromkeys(("sft__warmup_steps", "grpo__clip_low", "grpo__clip_high", "seed"), -1),
}
"""Setting -> a number that is too small for it."""


def numbers(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type]]:
    """(name as an override, int or float) of every setting that is a number or a list of some."""
    for name, field in model.model_fields.items():
        if name == "others":  # a list of endpoints: each is checked as `judge_llm` is
            continue
        kinds = {*get_args(field.annotation)} or {field.annotation}
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from numbers(kind, f"{prefix}{name}__")
        if kinds & {int, float}:
            yield f"{prefix}{name}", float if float in kinds else int


EVERY = sorted(set(numbers(Settings)))


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_no_setting_is_without_bounds(name: str, kind: type) -> None:
    wrong: list[Any] = [10**30, -(10**30)]
    if kind is float:
        wrong += [math.nan, math.inf, -math.inf]
    needed = {}
    if name.startswith(("judge_llm__", "generator_llm__", "policy_server__")):
        section = name.partition("__")[0]
        needed = {f"{section}__base_url": "http://localhost:1/v1", f"{section}__model": "m"}
        wrong = [value for value in wrong if value != 10**30]  # prices and seconds of anybody's server
    for value in wrong:
        for given in (value, [value], [value, value]):
            with pytest.raises(ValueError, match=name.rpartition("__")[2]):
                load_preset("cpu-quick", **needed, **{name: given})


@pytest.mark.parametrize("name", LEAST)
def test_a_number_that_is_too_small_is_refused_before_anything_is_made(name: str) -> None:
    with pytest.raises(ValueError, match=name.replace("__", ".")):
        load_preset("cpu-quick", **{name: LEAST[name]})


def test_the_numbers_are_found() -> None:
    assert len(EVERY) > 80 and {"seed", "probe__threshold", "judge_llm__timeout"} <= {n for n, _ in EVERY}
    with pytest.raises(ValueError, match="timeout"):
        Endpoint(base_url="http://localhost:1/v1", model="m", timeout=math.inf)
