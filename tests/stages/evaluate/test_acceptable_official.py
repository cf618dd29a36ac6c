"""Acceptable values on BFCL itself, where its package is installed: our matcher and the official checker.

`pip install --no-deps --target DIR bfcl-eval==2026.3.23`, then run the tests with `LOOPTOOL_BFCL=DIR`.
Nothing of BFCL's data is kept here.
"""

from __future__ import annotations

import copy
import json
import os
import random
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from looptool_kit.core.samples import ToolCall
from looptool_kit.stages.evaluate.bfcl.acceptable import bfcl_tools, match_acceptable

SITE = os.environ.get("LOOPTOOL_BFCL", "")
CATEGORIES = (
    "simple_python",
    "multiple",
    "parallel",
    "parallel_multiple",
    "live_simple",
    "live_multiple",
    "live_parallel",
    "live_parallel_multiple",
)


@pytest.fixture
def official(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[list[ToolCall], Any, Any, str], dict[str, Any]]]:
    """The official checker; its table of models (which imports every vendor's SDK) is replaced by "dots
    become underscores".
    """
    monkeypatch.syspath_prepend(SITE)
    models = types.ModuleType("bfcl_eval.constants.model_config")
    models.MODEL_CONFIG_MAPPING = {"any": types.SimpleNamespace(underscore_to_dot=True)}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, models.__name__, models)
    from bfcl_eval.constants.enums import Language
    from bfcl_eval.eval_checker.ast_eval.ast_checker import ast_checker

    yield lambda made, label, docs, category: ast_checker(
        docs,
        [{c.name: dict(c.arguments)} for c in made],
        copy.deepcopy(label),
        Language.PYTHON,
        category,
        "any",
    )


def as_calls(pairs: list[tuple[str, dict[str, Any]]]) -> list[ToolCall]:
    return [ToolCall(name=name, arguments=arguments) for name, arguments in pairs]


def truth(label: list[dict[str, Any]]) -> list[ToolCall]:
    """The first acceptable value of every parameter."""

    def first(values: list[Any]) -> Any:
        return next((v for v in values if v != ""), "")

    def value(chosen: Any) -> Any:
        if isinstance(chosen, dict):
            return {
                k: first(v) if isinstance(v, list) else v
                for k, v in chosen.items()
                if not isinstance(v, list) or first(v) != ""
            }
        return [value(v) for v in chosen] if isinstance(chosen, list) else chosen

    made = []
    for entry in label:
        name, parameters = next(iter(entry.items()))
        made.append(
            (name.replace(".", "_"), {k: value(first(v)) for k, v in parameters.items() if first(v) != ""})
        )
    return as_calls(made)


def changed(value: Any, rng: random.Random) -> Any:
    """The value with one thing changed in one of many ways, somewhere inside."""
    if isinstance(value, dict) and value and rng.random() < 0.7:
        key = rng.choice(list(value))
        return {**value, key: changed(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.5:
        at = rng.randrange(len(value))
        return [*value[:at], changed(value[at], rng), *value[at + 1 :]]
    ways: list[Any] = [None, [value], {"value": value}, str(value), "", True, 0, [], {}]
    if isinstance(value, str):
        ways += [
            value.upper(),
            value.lower(),
            value + ".",
            value + "!",
            f" {value}",
            value + "'",
            value + "x",
            value.replace(" ", "-"),
        ] * 2
    elif isinstance(value, list):
        ways += [value[::-1], value[1:], value + value[:1], [*value, None]] * 4
    elif isinstance(value, dict):
        ways += [{**value, "zz": 1}, dict(list(value.items())[1:])] * 5
    elif value is not None:
        ways += [float(value), int(value), value + 1, -value, bool(value), not value] * 2
    return rng.choice(ways)


def variants(
    made: list[ToolCall], docs: list[dict[str, Any]], rng: random.Random
) -> Iterator[list[ToolCall]]:
    yield made
    yield []
    yield made[1:]
    yield made[::-1]
    yield [*made, made[0]]
    yield [made[0]] * len(made)
    at = rng.randrange(len(made))
    name, arguments = made[at].name, dict(made[at].arguments)
    others: list[tuple[str, dict[str, Any]]] = [
        (name, {}),
        (name + "_", arguments),
        (rng.choice(docs)["name"].replace(".", "_"), arguments),
    ]
    others.append((name, {**arguments, "bogus": 1}))
    for key in arguments:
        rest = {k: v for k, v in arguments.items() if k != key}
        others += [(name, rest), (name, {**rest, key + "_x": arguments[key]})]
        others += [(name, {**arguments, key: changed(arguments[key], rng)}) for _ in range(5)]
    doc = next((d for d in docs if d["name"].replace(".", "_") == name), docs[0])
    others += [
        (name, {**arguments, k: p["default"]})
        for k, p in doc["parameters"]["properties"].items()
        if k not in arguments and "default" in p
    ]
    for other in others:
        yield [*made[:at], *as_calls([other]), *made[at + 1 :]]


@pytest.mark.skipif(
    not SITE, reason="set LOOPTOOL_BFCL to a folder with bfcl-eval 2026.3.23 (pip install --no-deps --target)"
)
@pytest.mark.parametrize("category", CATEGORIES)
def test_agreement_with_the_official_checker_on_bfcl(
    category: str, official: Callable[..., dict[str, Any]]
) -> None:
    folder, rng = Path(SITE) / "bfcl_eval" / "data", random.Random(category)
    prompts = [json.loads(line) for line in (folder / f"BFCL_v4_{category}.json").open(encoding="utf-8")]
    labels = [
        json.loads(line)
        for line in (folder / "possible_answer" / f"BFCL_v4_{category}.json").open(encoding="utf-8")
    ]
    same = seen = 0
    for prompt, row in zip(prompts, labels, strict=True):
        assert prompt["id"] == row["id"]
        docs, label = prompt["function"], row["ground_truth"]
        tools = bfcl_tools(docs)
        for tool in tools:
            Draft202012Validator.check_schema(tool.parameters)
        for prediction in variants(truth(label), docs, rng):
            verdict = official(prediction, label, docs, category)
            ours = match_acceptable(prediction, label, tools, category=category)
            assert ours == match_acceptable(prediction, label, docs, category=category)
            same += (verdict["valid"], "" if verdict["valid"] else verdict["error_type"]) == (
                ours.valid,
                ours.error_type,
            )
            seen += 1
    print(f"{category}: {same} of {seen} verdicts agree")
    assert seen > 200 and same / seen >= 0.995
