"""Tools that a generator writes along two trees.

A leaf of the context tree says what for, one leaf of every branch of the constraint tree says in which form
(LoopTool, section 3.1; ToolACE, section 2.1). Rules check what was written. The trees are `context_tree.toml`
and `constraint_tree.toml`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any

from pydantic import JsonValue

from looptool_kit.checks.contamination import Fingerprints
from looptool_kit.checks.contamination import check_tool as check_contamination
from looptool_kit.checks.rules import check_tool
from looptool_kit.core.endpoint import Endpoint
from looptool_kit.core.records import Check
from looptool_kit.core.samples import Frozen, Tool
from looptool_kit.core.tables import Table
from looptool_kit.llm.structured import Failed, Prompt, ask, part
from looptool_kit.text.similar import Similarity, different_things, tool_text
from looptool_kit.tools.schema import check_schema
from looptool_kit.world import catalogue

ALIKE_THRESHOLD = 0.6
"""Tools about one thing whose texts have this cosine are one tool; the first one stays. No two tools of the
world reach it (0.597 at most); of 70 copies under other names all do (0.611 at least).
"""
MAX_ROUNDS = 5
"""Rounds of asking; each asks for as many tools as have not passed yet."""
MIN_ASKED, MIN_SHARE = 20, 0.05
"""After so many tools, no more are asked for where fewer than this share passed: the model is not able to."""
TEMPERATURE = 0.9
"""High, because every tool of a leaf is to be another one."""
BRANCHES = ("naming", "count", "types", "output", "description")

_SYSTEM = """\
You design one tool (a function) for an assistant that acts through tools. You get its purpose and the form \
it must have. Write it as a maintainer
of that service would: a telling name, a description that says when to use it and what comes back, and a \
JSON Schema of type object for the
parameters, in which every property has a type and a description of its own. List under "required" what a \
call cannot do without. Every argument
must be something that a user can know and say. Do not copy a tool from a benchmark, a tutorial or another \
company's interface; this one is new."""


class ToolForm(Frozen):
    """What the generator answers."""

    name: str
    description: str
    parameters: dict[str, JsonValue]


class ToolSpec(Frozen):
    """What a tool is for, and a form for every branch."""

    domain: str
    area: str
    function: str
    leaves: dict[str, dict[str, JsonValue]]
    """Branch -> leaf."""


class WrittenTool(Frozen):
    """A tool that the generator was asked for, and its checks."""

    spec: ToolSpec
    tool: Tool | None
    checks: tuple[Check, ...]
    accepted: bool
    raw: str = ""
    """The answer that could not be read."""


class WrittenTools(Table[WrittenTool]):
    """One row for each tool that was asked for."""

    row_type = WrittenTool


@lru_cache
def _tree(name: str) -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath(f"{name}_tree.toml").read_text(encoding="utf-8"))


def specs(rng: Random) -> Iterator[ToolSpec]:
    """Specifications without end.

    No leaf of the context tree comes twice before all have had their turn.
    """
    paths = [
        (domain, area, f)
        for domain, areas in _tree("context").items()
        for area, functions in areas.items()
        for f in functions
    ]
    constraints = _tree("constraint")
    while True:
        for domain, area, function in rng.sample(paths, len(paths)):
            leaves = {branch: rng.choice(constraints[branch]) for branch in BRANCHES}
            yield ToolSpec(
                domain=domain.replace("_", " "), area=area.replace("_", " "), function=function, leaves=leaves
            )


def write_tools(
    count: int,
    endpoint: Endpoint,
    store: Path,
    seed: int,
    known: Fingerprints | None = None,
    most: int | None = None,
) -> WrittenTools:
    """Ask until `count` tools have passed; every one is a row.

    It asks at most `MAX_ROUNDS` times, and stops where hardly any passes. `known` guards against benchmarks;
    `most` is the budget, as `calls.complete` takes it.
    """
    rows: list[WrittenTool] = []
    taken: list[Tool] = []
    wanted = specs(Random(f"{seed}/trees"))
    for _ in range(MAX_ROUNDS):
        failing = len(rows) >= MIN_ASKED and len(taken) < MIN_SHARE * len(rows)
        if len(taken) >= count or failing:
            break
        batch = [next(wanted) for _ in range(count - len(taken))]
        prompts = [prompt(s) for s in batch]
        answers = ask(ToolForm, prompts, endpoint, store, "write tools", temperature=TEMPERATURE, most=most)
        for spec, answer in zip(batch, answers, strict=True):
            row = check(spec, answer, taken, known)
            rows.append(row)
            if row.accepted and row.tool:
                taken.append(row.tool)
    return WrittenTools(rows)


def prompt(spec: ToolSpec) -> Prompt:
    """What the generator is asked for one tool."""
    none = spec.leaves["count"]["most"] == 0
    form = {branch: leaf["words"] for branch, leaf in spec.leaves.items() if not (none and branch == "types")}
    titles = {
        "naming": "name",
        "count": "number of parameters",
        "types": "at least one parameter is",
        "output": "what comes back",
    }
    purpose = {"domain": spec.domain, "area": spec.area, "purpose": spec.function}
    return Prompt(
        _SYSTEM,
        part("Purpose", purpose) + "\n" + part("Form", {titles.get(k, k): v for k, v in form.items()}),
    )


def check(
    spec: ToolSpec, answer: ToolForm | Failed, taken: Sequence[Tool], fingerprints: Fingerprints | None
) -> WrittenTool:
    """Check an answer and make it a row.

    The checks are form, schema, name, constraints, contamination, and novelty against the tools taken so far.
    """
    if isinstance(answer, Failed):
        return WrittenTool(
            spec=spec,
            tool=None,
            checks=(Check(name="form", passed=False, detail=answer.reason),),
            accepted=False,
            raw=answer.raw,
        )
    if not answer.name:
        return WrittenTool(
            spec=spec,
            tool=None,
            checks=(Check(name="name", passed=False, detail="the tool has no name"),),
            accepted=False,
        )
    tool = Tool(name=answer.name, description=answer.description, parameters=answer.parameters)
    schema = _schema_fault(tool)
    checks = [Check(name="schema", passed=not schema, detail=schema)]
    for name, fault in (
        ("name", _name_fault(tool, spec)),
        ("constraints", "" if schema else _constraint_fault(tool, spec)),
    ):
        checks.append(Check(name=name, passed=not fault, detail=fault))
    if fingerprints:
        checks.append(check_contamination(tool, fingerprints))
    twin = next((t.name for t in taken if alike(t, tool)), None)
    checks.append(Check(name="novelty", passed=twin is None, detail=f"merged into {twin}" if twin else ""))
    return WrittenTool(spec=spec, tool=tool, checks=tuple(checks), accepted=all(c.passed for c in checks))


def alike(a: Tool, b: Tool) -> bool:
    """Tell whether two tools are one.

    They have the same name but for case and punctuation, or nearly the same text and are about one thing.
    """
    names = [re.sub(r"[\W_]+", "", t.name.casefold()) for t in (a, b)]
    if names[0] == names[1]:
        return True
    cosine = _similarity().cosines([tool_text(a)], [tool_text(b)])[0, 0]
    return bool(cosine >= ALIKE_THRESHOLD) and not different_things(a, b)


@lru_cache
def _similarity() -> Similarity:
    """Rarity as the world's tools have it: a corpus that does not grow with what is written."""
    return Similarity([tool_text(t) for t in catalogue()])


def _schema_fault(tool: Tool) -> str:
    properties = tool.parameters.get("properties", {})
    if not isinstance(properties, dict) or not all(isinstance(p, dict) for p in properties.values()):
        return "properties must be an object of schemas"
    try:
        check_schema(tool.parameters)
    except ValueError as error:
        return str(error)
    return next((c.detail for c in check_tool(tool) if not c.passed), "")


def _name_fault(tool: Tool, spec: ToolSpec) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", tool.name):
        return f"{tool.name!r} is not a legal name (letters, digits, _ and -, at most 64)"
    naming = spec.leaves["naming"]
    return "" if re.fullmatch(str(naming["pattern"]), tool.name) else f"{tool.name} is not {naming['words']}"


def _constraint_fault(tool: Tool, spec: ToolSpec) -> str:
    """What of the constraint tree's leaves a tool does not keep."""
    count, types = spec.leaves["count"], spec.leaves["types"]
    properties = tool.properties
    if not tool.description.strip():
        return "the tool has no description"
    if silent := [n for n, p in properties.items() if not str(p.get("description", "")).strip()]:
        return f"{', '.join(silent)} has no description"
    if not int(str(count["least"])) <= len(properties) <= int(str(count["most"])):
        return f"{len(properties)} parameters instead of {count['words']}"
    if count.get("optional") and set(properties) <= set(tool.required):
        return f"no optional parameter, where {count['words']} were asked for"
    if not properties:
        return ""
    has = {kind for p in properties.values() for kind in _types(p)}
    needs = types["needs"]
    if isinstance(needs, list) and not set(map(str, needs)) <= has:
        return f"no parameter is {types['words']}"
    if types.get("enum") and not any("enum" in p for p in properties.values()):
        return "no parameter has a fixed set of choices"
    return ""


def _types(schema: dict[str, Any]) -> list[str]:
    kinds = schema.get("type", "string" if "enum" in schema else "")
    return ["number" if k == "integer" else str(k) for k in (kinds if isinstance(kinds, list) else [kinds])]
