"""Near-duplicate tools of a catalogue become one (InfTool, arXiv 2512.23611).

Tools are compared by `text.similar`. Those that do different things never come together: another leading verb
("book" and "cancel"), another thing ("viewing" and "appointment"), or parameters that do not map one to one
by type. Calls follow their tools and map back, so that labels stay exact (`merged_sample`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from looptool_kit.augment.edits import texts_of
from looptool_kit.augment.renaming import replaced
from looptool_kit.augment.slots import bounded
from looptool_kit.core.samples import Frozen, Sample, Tool, ToolCall
from looptool_kit.core.tables import Table
from looptool_kit.core.toolcalls import canonical
from looptool_kit.text.similar import PREFIXES, Similarity, different_things, tool_text
from looptool_kit.text.words import stems
from looptool_kit.world import catalogue

FILE = "merges.parquet"
SLACK = 0.1
"""How far below `merge.same` two tools of a cluster may lie: where A is like B and B like C, A and C need not
be alike.
"""
BLOCK = 256
"""Tools that are compared with all others at a time, which bounds the memory."""
VERBS = {
    "make": "make create add book reserve buy purchase order schedule rent register insert new",
    "change": "change update modify edit set move reschedule alter adjust",
    "cancel": "cancel delete remove",
    "list": "list show display",
    "look up": "find search get fetch check inspect look lookup query retrieve read view",
    "start": "start begin",
    "stop": "stop end",
}
"""Verbs that mean the same of a tool. Any other verb stands for itself: "lock" is not "unlock"."""
_CLASS = {verb: name for name, verbs in VERBS.items() for verb in verbs.split()}
_WORDS = {"description", "title", "examples", "default"}
"""Keywords of a schema that are not its type."""
_AFFIXES = {"the", "a", "an", "input", "value", "arg", "argument", "param", "parameter", "field"}
"""Words of a parameter's name that say nothing of it."""
_PLAIN = {"type", "properties", "required", "additionalProperties", "description", "title", "$schema"}
"""Keywords of a tool's schema with which its properties say all of it."""


class Merge(Frozen):
    """What became of a tool, or why two tools stay two.

    The two are alike.
    """

    cluster: int
    """Tools of one number are one tool now; 0 for a pair that stays apart."""
    tool: str
    into: str
    """The tool that stands for the cluster; of a pair that stays apart, the other one."""
    fate: Literal["kept", "merged", "apart"]
    cosine: float
    """With `into`."""
    parameters: dict[str, str] = {}
    """The tool's parameters under their names in `into`."""
    why: str = ""
    """Why the pair stays apart."""


class Merges(Table[Merge]):
    """One row for each tool of a cluster.

    A pair that is alike and stays apart has a row too.
    """

    row_type = Merge


@dataclass(frozen=True)
class Member:
    """A tool that another stands for now."""

    tool: Tool
    into: Tool
    parameters: Mapping[str, str]
    """Its parameters under their names in `into`."""

    def forward(self, call: ToolCall) -> ToolCall:
        """A call of the tool as a call of the merged one."""
        renamed = {self.parameters.get(k, k): v for k, v in call.arguments.items()}
        return ToolCall(name=self.into.name, arguments=renamed)

    def backward(self, call: ToolCall) -> ToolCall:
        """The call that `forward` was given."""
        own = {new: old for old, new in self.parameters.items()}
        return ToolCall(name=self.tool.name, arguments={own.get(k, k): v for k, v in call.arguments.items()})


@dataclass(frozen=True)
class Merging:
    """A catalogue without near-duplicates."""

    tools: list[Tool]
    """In the order of the first of each cluster."""
    merges: Merges
    members: Mapping[str, Member]
    """Canonical text of each tool of a cluster -> what became of it."""


def merge(tools: Sequence[Tool], same: float) -> Merging:
    """Merge tools that are alike.

    Name and words are those of the tool that is nearest to the others of its cluster. The merged tool has all
    parameters of its tools, and requires what all of them require.

    Args:
        tools: Of one catalogue, or of many samples; names may come twice.
        same: Least cosine of two tools that are one.
    """
    unique = list({t.canonical: t for t in tools}.values())
    near, apart = _pairs(unique, same)
    clusters = _clusters(len(unique), near, same)
    clustered = {i for cluster in clusters for i in cluster}
    taken = {t.name for i, t in enumerate(unique) if i not in clustered}
    members: dict[str, Member] = {}
    rows: list[Merge] = []
    for number, cluster in enumerate(clusters, 1):
        best = sorted(cluster, key=lambda i: (-sum(near[_key(i, j)] for j in cluster if j != i), i))
        # A name may belong to another tool of other samples; those of one catalogue are all free.
        medoid = next((i for i in best if unique[i].name not in taken), None)
        if medoid is None:
            first, *rest = cluster
            why = "other tools have their names"
            rows += [_apart(unique[i], unique[first], near[first, i], why) for i in rest]
            continue
        taken.add(unique[medoid].name)
        maps = {i: _mapping(unique[i], unique[medoid]) for i in cluster}
        into = _union(unique[medoid], [(unique[i], maps[i]) for i in cluster])
        members |= {unique[i].canonical: Member(unique[i], into, maps[i]) for i in cluster}
        for i in cluster:
            row = Merge(cluster=number, tool=unique[i].name, into=into.name, fate="kept", cosine=1.0)
            if i != medoid:
                cosine = near[_key(i, medoid)]
                row = row.model_copy(update={"fate": "merged", "cosine": cosine, "parameters": maps[i]})
            rows.append(row)
    rows += [_apart(unique[i], unique[j], cosine, why) for (i, j), (cosine, why) in apart.items()]
    kept = (members[t.canonical].into if t.canonical in members else t for t in unique)
    return Merging(list({t.canonical: t for t in kept}.values()), Merges(rows), members)


def _apart(tool: Tool, other: Tool, cosine: float, why: str) -> Merge:
    return Merge(cluster=0, tool=tool.name, into=other.name, fate="apart", cosine=cosine, why=why)


# ---------------------------------------------------------------------- pairs

Near = dict[tuple[int, int], float]


def _key(i: int, j: int) -> tuple[int, int]:
    return (i, j) if i < j else (j, i)


def _pairs(tools: Sequence[Tool], same: float) -> tuple[Near, dict[tuple[int, int], tuple[float, str]]]:
    """Cosines of the pairs that may be one tool; and those of the alike that may not, with the reason."""
    texts = [tool_text(t) for t in tools]
    similarity = Similarity([tool_text(t) for t in catalogue()] + texts)
    near: Near = {}
    apart: dict[tuple[int, int], tuple[float, str]] = {}
    for start in range(0, len(tools), BLOCK):
        cosines = similarity.cosines(texts[start : start + BLOCK], texts[start:])
        for row, column in zip(*(cosines >= same - SLACK).nonzero(), strict=True):
            i, j = start + int(row), start + int(column)
            if i >= j:
                continue
            cosine = min(1.0, float(cosines[row, column]))
            if not (why := differ(tools[i], tools[j])):
                near[i, j] = cosine
            elif cosine >= same:
                apart[i, j] = (cosine, why)
    return near, apart


def _clusters(count: int, near: Near, same: float) -> list[list[int]]:
    """Groups of two or more: linked at `same`, every two of them in `near`; the most alike come first."""
    group = {i: [i] for i in range(count)}
    for (i, j), cosine in sorted(near.items(), key=lambda pair: (-pair[1], pair[0])):
        a, b = group[i], group[j]
        if cosine >= same and a is not b and all(_key(x, y) in near for x in a for y in b):
            both = sorted(a + b)
            group.update(dict.fromkeys(both, both))
    unique = {tuple(g): g for g in group.values() if len(g) > 1}
    return sorted(unique.values())


def differ(a: Tool, b: Tool) -> str:
    """Say why two tools are not one, however alike their texts.

    The reason is empty where nothing says so.
    """
    verbs = verb(a), verb(b)
    if verbs[0] != verbs[1]:
        return f"one does {verbs[0]!r}, the other {verbs[1]!r}"
    if different_things(a, b):
        return "each is about something that the other never mentions"
    for tool in (a, b):
        if unknown := set(tool.parameters) - _PLAIN:
            return (
                f"{tool.name} has the keyword {sorted(unknown)[0]!r}, whose meaning its parameters may change"
            )
    try:
        _mapping(a, b)
        _mapping(b, a)
    except _Unlike as reason:
        return str(reason)
    return ""


def verb(tool: Tool) -> str:
    """The class of the verb of a tool, or the verb itself.

    It is the first word of its name, or of its description where that names a thing ("city_weather").
    """
    name = [w for w in stems(tool.name) if w not in PREFIXES] or [""]
    first, *rest = stems(tool.description) or ("",)
    if name[0] not in _CLASS and first in _CLASS and name[0] in rest:
        return _CLASS[first]
    return _CLASS.get(name[0], name[0])


# ----------------------------------------------------------------- parameters


class _Unlike(Exception):
    """Two tools whose parameters do not go together."""


def _mapping(tool: Tool, into: Tool) -> dict[str, str]:
    """The parameters of a tool under their names in another, which gains those that it has not.

    Equal names are one parameter; others where their types are the same and the words of one name all stand
    in the name or description of the other.

    Raises:
        _Unlike: A required parameter has no counterpart, or one name means two types.
    """
    here, there = dict(tool.properties), dict(into.properties)
    found: dict[str, str] = {}
    for name in here.keys() & there.keys():
        if _type(here[name]) != _type(there[name]):
            raise _Unlike(f"their {name} has two types")
        found[name] = name
    for name in sorted(here.keys() - there.keys(), key=lambda n: (n not in tool.required, n)):
        free = [
            o
            for o in there
            if o not in found.values()
            and o not in here
            and _type(here[name]) == _type(there[o])
            and _one_word((name, here[name]), (o, there[o]))
        ]
        if len(free) == 1:
            found[name] = free[0]
        elif name in tool.required or free:
            raise _Unlike(f"{name} of {tool.name} has {len(free) or 'no'} counterparts in {into.name}")
    if missing := set(into.required) - set(found.values()):
        raise _Unlike(f"{sorted(missing)[0]} of {into.name} has no counterparts in {tool.name}")
    return {name: found.get(name, name) for name in here}


def _type(schema: Any) -> str:
    """What of a schema decides which values it takes, and what is meant where none is given."""

    def walk(value: Any, top: bool = False) -> Any:
        if isinstance(value, list):
            return [walk(v) for v in value]
        if not isinstance(value, dict):
            return value
        out = {k: walk(v) for k, v in value.items() if k not in _WORDS or (top and k == "default")}
        for key in ("enum", "required"):
            if isinstance(out.get(key), list):
                out[key] = sorted(map(str, out[key]))
        return out

    return json.dumps(walk(schema, top=True), sort_keys=True)


def _one_word(a: tuple[str, Any], b: tuple[str, Any]) -> bool:
    """Whether the words of one name all stand in the name or the description of the other parameter."""
    names = [(own := set(stems(name))) - _AFFIXES or own for name, _ in (a, b)]
    said = [
        words | set(stems(str(schema.get("description", "")) if isinstance(schema, dict) else ""))
        for words, (_, schema) in zip(names, (a, b), strict=True)
    ]
    return (bool(names[0]) and names[0] <= said[1]) or (bool(names[1]) and names[1] <= said[0])


def _union(medoid: Tool, tools: Sequence[tuple[Tool, Mapping[str, str]]]) -> Tool:
    """The tool with all parameters of a cluster; it requires what all of them do."""
    properties = dict(medoid.properties)
    for tool, names in tools:
        for own, schema in tool.properties.items():
            properties.setdefault(names[own], schema)
    required = [name for name in medoid.required if all(name in {m[r] for r in t.required} for t, m in tools)]
    rest = {k: v for k, v in medoid.parameters.items() if k not in ("properties", "required")}
    schema = {**rest, "properties": properties} | ({"required": required} if required else {})
    return medoid.model_copy(update={"parameters": schema})


# -------------------------------------------------------------------- samples


def merged_sample(sample: Sample, merging: Merging) -> Sample | str:
    """Rewrite a sample over the merged tools, or say why not.

    Its calls and its label are rewritten too.
    """
    own = {t.name: m for t in sample.tools if (m := merging.members.get(t.canonical))}
    if not own:
        return sample
    names = {name: m.into.name for name, m in own.items()}
    tools = list(
        {t.canonical: t for t in (own[t.name].into if t.name in own else t for t in sample.tools)}.values()
    )
    if len({t.name for t in tools}) < len(tools):
        return "after merging two of its tools have one name"
    if sample.label.asks and any(len(m.into.required) < len(m.tool.required) for m in own.values()):
        return "it asks for what the merged tool may not require"
    renamed = {old: new for old, new in names.items() if old != new}
    if any(re.search(bounded(n), text) for n in renamed for text in texts_of(sample)):
        return "a value of its calls names a tool"

    def calls(old: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
        return tuple(own[c.name].forward(c) if c.name in own else c for c in old)

    made = calls(sample.label.calls)
    if len({canonical(c.model_dump()) for c in made}) < len(
        {canonical(c.model_dump()) for c in sample.label.calls}
    ):
        return "two of its calls become one"
    messages = tuple(
        m.model_copy(
            update={
                "tool_calls": calls(m.tool_calls),
                "name": names.get(m.name or "", m.name),
                "content": replaced(m.content, renamed),
            }
        )
        for m in sample.messages
    )
    label = sample.label.model_copy(update={"calls": made, "reply": replaced(sample.label.reply, renamed)})
    # What its maker planned is no longer true of its tools.
    meta = {"merged": dict(names), **({"split": sample.meta["split"]} if "split" in sample.meta else {})}
    return sample.model_copy(
        update={"tools": tuple(tools), "messages": messages, "label": label, "meta": meta}
    )
