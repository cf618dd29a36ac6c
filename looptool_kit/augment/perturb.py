"""Perturbations: the same task in a harder or merely different coat, with a label that is still exact
(RUIE-Bench's idea, arXiv 2503.03201, on tool calls).

    other = perturb("typos", sample, Random(1), pool)          # None where the perturbation does not apply

Each is a pure function of (sample, random stream, pool); the pool lends values and tools. The label stays, or
follows where values, tools or parameters are renamed. Whoever takes perturbed samples runs the rule tier over
them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from random import Random
from typing import Any

from looptool_kit import world
from looptool_kit.augment.perturb_words import ASIDES, REAL_WORDS, SMALL_TALK, VERBS, other_forms
from looptool_kit.augment.slots import bounded, leaves, slots_of, swap, values_in
from looptool_kit.checks.rules import groundings
from looptool_kit.core.samples import Message, Sample, Samples, Tool, ToolCall
from looptool_kit.text.grounding import NEGATIONS, moment
from looptool_kit.text.mentions import Mention, recognise, today_in
from looptool_kit.text.passages import dialogue, supporting
from looptool_kit.text.words import STOP, stems

Perturbation = Callable[[Sample, Random, Samples], Sample | None]
Span = tuple[int, int]


def perturb(name: str, sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """A perturbed copy with a new id, `parent` the sample's, the perturbation's name as `split` and in
    `strategy`; None where it does not apply.

    `meta` keeps the sample's `split` and, where names changed, `renamed` (old name -> new). Raises
    `ValueError` for an unknown name.
    """
    (name,) = names([name])
    made = PERTURBATIONS[name](sample, rng, pool)
    if made is None or made.id == sample.id:
        return None
    meta = {"split": sample.split, **({"renamed": made.meta["renamed"]} if "renamed" in made.meta else {})}
    return made.model_copy(
        update={
            "split": name,
            "source": "perturb",
            "strategy": f"perturb.{name}",
            "parent": sample.id,
            "meta": meta,
        }
    )


def names(wanted: Sequence[str] | None = None) -> list[str]:
    """The perturbations of these names, or all, in their order. Raises `ValueError` naming those there are."""
    if unknown := sorted(set(wanted or ()) - set(PERTURBATIONS)):
        raise ValueError(f"there is no perturbation {unknown[0]!r}; choose among {', '.join(PERTURBATIONS)}")
    return [n for n in PERTURBATIONS if wanted is None or n in wanted]


def _with(sample: Sample, **update: Any) -> Sample:
    return sample.model_copy(update=update)


def _saying(sample: Sample, texts: Mapping[int, str]) -> Sample:
    """The sample with other words in some messages."""
    return _with(
        sample,
        messages=tuple(
            m.model_copy(update={"content": texts.get(at, m.content)}) for at, m in enumerate(sample.messages)
        ),
    )


def _request(sample: Sample) -> int:
    """Which message holds the user's last words, -1 where there is none."""
    return max((at for at, m in enumerate(sample.messages) if m.role == "user" and m.content), default=-1)


# -------------------------------------------------------- what must stay


def _calls(sample: Sample) -> Iterator[ToolCall]:
    yield from sample.label.calls
    yield from (c for m in sample.messages for c in m.tool_calls)


def _texts(sample: Sample) -> set[str]:
    """Every string that a call of the label or of the context holds."""
    return {
        leaf
        for call in _calls(sample)
        for v in call.arguments.values()
        for leaf, _ in leaves(v, None)
        if isinstance(leaf, str)
    }


def _literal(sample: Sample, text: str) -> list[Span]:
    """Where values of calls stand to the letter, and what is quoted or a code."""
    spans = [
        f.span()
        for value in _texts(sample)
        for v in {value, value.replace("_", " ")}
        for f in re.finditer(bounded(v), text)
    ]
    return spans + [
        (m.start, m.end) for m in recognise(text) if m.kind in ("email", "url", "phone", "code", "quote")
    ]


def _carrying(sample: Sample, at: int) -> list[Span]:
    """Where message `at` carries values of calls, in whatever form, and any other value that can be read."""
    text, said = sample.messages[at].content, dialogue(sample)
    passage = supporting(sample.messages).index(at)
    grounds = [g for call in _calls(sample) for g in groundings(call, sample.tools, said).values()]
    spans = [(start, end) for g in grounds for n, start, end in g.spans if n == passage]
    return spans + _literal(sample, text) + [(m.start, m.end) for m in recognise(text, said.today)]


def _free(span: Span, taken: Sequence[Span]) -> bool:
    return not any(s < span[1] and span[0] < e for s, e in taken)


# -------------------------------------------------------- what is said


def typos(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """One to three slips of the keys (two letters swapped, one doubled) in the last request, never in a word
    that carries a value.
    """
    at = _request(sample)
    if at < 0:
        return None
    text, taken = sample.messages[at].content, _carrying(sample, at)
    known = {w.lower() for m in sample.messages for w in re.findall(r"\w+", m.content)}
    found = [
        f
        for f in re.finditer(r"(?<![\w'’@/.-])[a-z]{5,}(?![\w'’@/-])", text)
        if f[0] not in NEGATIONS and _free(f.span(), taken)
    ]
    for f in sorted(rng.sample(found, min(len(found), 3, 1 + len(found) // 3)), key=lambda f: -f.start()):
        text = text[: f.start()] + _slip(f[0], rng, known) + text[f.end() :]
    return _saying(sample, {at: text})


def _slip(word: str, rng: Random, known: set[str]) -> str:
    """The word with one slip inside it, its first and last letters in place; the word itself where any slip
    makes another word of it.
    """
    swapped = [
        word[:i] + word[i + 1] + word[i] + word[i + 2 :]
        for i in range(1, len(word) - 2)
        if word[i] != word[i + 1]
    ]
    doubled = [
        word[: i + 1] + word[i:]
        for i in range(2, len(word) - 1)
        if word[i] not in "aeiou" and word[i] not in (word[i - 1], word[i + 1])
    ]
    slips = [w for w in (*swapped, *swapped, *doubled) if w not in known and w not in REAL_WORDS]
    return rng.choice(slips) if slips else word


def lower_case(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """All that the user says in lower case, except what a call takes to the letter, quotes, codes and
    addresses.
    """
    texts = {}
    for at, m in enumerate(sample.messages):
        if m.role == "user":
            kept = _literal(sample, m.content)
            texts[at] = "".join(
                c if not _free((i, i + 1), kept) or len(c.lower()) > 1 else c.lower()
                for i, c in enumerate(m.content)
            )
    return _saying(sample, texts)


def longer_context(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """Two or three exchanges of small talk before the dialogue, and two asides before the last request; none
    shares a word with tools or dialogue.
    """
    at = _request(sample)
    about = {w for t in sample.tools for w in stems(t.model_dump_json())} | {
        w for m in sample.messages for w in stems(m.content)
    }
    about -= STOP
    talk = [pair for pair in SMALL_TALK if not about & set(stems(" ".join(pair)))]
    asides = [a for a in ASIDES if not about & set(stems(a))]
    if at < 0 or len(talk) < 2 or len(asides) < 2:
        return None
    request = sample.messages[at].content
    longer = _saying(sample, {at: f"{' '.join(rng.sample(asides, 2))} {request}"})
    pairs = rng.sample(talk, min(len(talk), rng.randint(2, 3)))
    before = [
        Message(role=role, content=text)
        for pair in pairs
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]
    start = sum(m.role == "system" for m in sample.messages)
    return _with(longer, messages=(*longer.messages[:start], *before, *longer.messages[start:]))


def entities(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """Other names, places, texts and codes, wherever they stand; label, earlier calls and results follow.
    Numbers, dates and choices stay.
    """
    values, made = values_in(pool), None
    for slot in slots_of(sample):
        named = (
            isinstance(slot.value, str)
            and "enum" not in slot.schema
            and "const" not in slot.schema
            and moment(slot.value) is None
        )
        made = (named and swap(made or sample, slot, rng, values)) or made
    return made


def paraphrase(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """The same values in another wording of the world's grammar; None for samples that the world did not
    make.
    """
    try:
        return world.paraphrase(sample, rng)
    except ValueError:
        return None


def formats(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """Dates, times, durations, amounts and numbers of the last request that the label takes, written in
    another way; the label stays.
    """
    at, today = _request(sample), dialogue(sample).today
    if at < 0 or today_in(sample.messages[at].content):
        return None
    text, kept, wanted = (
        sample.messages[at].content,
        _literal(sample, sample.messages[at].content),
        _readings(sample),
    )
    for m in reversed(recognise(text, today)):
        if (start := m.start + 3 * m.text.lower().startswith("on ")) != m.start:
            m = m._replace(start=start, text=m.text[3:])
        # An ISO date or a clock time stands to the letter and may still be said in another way.
        own = [(s, e) for s, e in kept if text[s:e] != m.text]
        attributive = re.search(r"\ban? $", text[: m.start], re.IGNORECASE)
        if not (_value(m) & wanted) or attributive or not _free((m.start, m.end), own):
            continue
        forms = [f for f in dict.fromkeys(other_forms(m, today, text[m.end :])) if _bare(f) != _bare(m.text)]
        changed = (text[: m.start] + f + text[m.end :] for f in rng.sample(forms, len(forms)))
        text = next((c for c in changed if _same_values(text, c, today)), text)
    return _saying(sample, {at: text})


def _readings(sample: Sample) -> set[str | float]:
    """The numbers, days and times that the label's calls hold."""
    held: set[str | float] = set()
    for leaf, _ in (
        pair for c in sample.label.calls for v in c.arguments.values() for pair in leaves(v, None)
    ):
        if not isinstance(leaf, str):
            held.add(float(leaf))
        elif when := moment(leaf):
            held.update(part for part in when if part)
    return held


def _bare(text: str) -> str:
    """Without what makes no other form: case, spaces, dots and commas."""
    return re.sub(r"[\s.,]", "", text.lower())


def _value(m: Mention) -> set[str | float]:
    """What a mention gives to an argument that it fills."""
    if m.kind == "duration" and m.unit in ("second", "sec", "minute", "min", "mn", "hour", "hr", "h"):
        return {float(m.readings[0]) / unit for unit in (1, 60, 3600)}
    return {m.readings[0]} if m.kind in ("date", "time", "number") else set()


def _same_values(a: str, b: str, today: date | None) -> bool:
    """Whether two texts mention the same values, each equally beyond doubt."""

    def values(text: str) -> Counter[tuple[str, str | float]]:
        return Counter((m.kind, m.readings[0]) for m in recognise(text, today))

    doubtful = [
        sum(m.kind == "time" and len(m.readings) > 1 for m in recognise(text, today)) for text in (a, b)
    ]
    return values(a) == values(b) and doubtful[1] <= doubtful[0]


# -------------------------------------------------------- what is on offer


def distractors(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """Up to three tools more, from samples of the same split, whose names and descriptions share no word with
    the request or the label's tools.

    Where no call is expected, only for samples of the world, whose plan tells which tool would do: of its
    domain none is added.
    """
    planned = sample.meta.get("targets")
    targets = {str(t) for t in planned} if isinstance(planned, list) else set()
    homes = {tool: domain for domain, tools in world.domains().items() for tool in tools}
    if not sample.label.calls and not targets & homes.keys():
        return None
    near = {homes[t] for t in targets if t in homes}
    wanted = [t for t in sample.tools if t.name in {c.name for c in sample.label.calls}]
    about = _words(m.content for m in sample.messages if m.role == "user") | _words(
        f"{t.name} {t.description}" for t in wanted
    )
    taken = {t.name for t in sample.tools}
    others = {t.name: t for s in pool for t in s.tools if s.split == sample.split and t.name not in taken}
    free = [
        t
        for n, t in sorted(others.items())
        if homes.get(n) not in near and not about & _words([f"{t.name} {t.description}"])
    ]
    tools = list(sample.tools)
    for tool in rng.sample(free, min(3, len(free))):
        tools.insert(rng.randint(0, len(tools)), tool)
    return _with(sample, tools=tuple(tools))


def _words(texts: Any) -> set[str]:
    return {w for text in texts for w in stems(text)} - STOP


def tool_order(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """The tools in another order."""
    if len(sample.tools) < 2:
        return None
    order = list(sample.tools)
    while order == list(sample.tools):
        rng.shuffle(order)
    return _with(sample, tools=tuple(order))


# -------------------------------------------------------- names

_STYLES: tuple[Callable[[Sequence[str]], str], ...] = (
    "_".join,
    "-".join,
    lambda words: words[0] + "".join(w.capitalize() for w in words[1:]),
    lambda words: "".join(w.capitalize() for w in words),
    lambda words: "_".join(words).upper(),
)
_AFFIXES = (("input", ""), ("the", ""), ("", "value"), ("", "arg"), ("", "param"))


def _parts(name: str) -> list[str]:
    return [w.lower() for w in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)] or [name]


def _all_new(renamed: Mapping[str, str]) -> bool:
    """Whether every name is new, and none is another's old or new one."""
    new = set(renamed.values())
    return bool(new) and len(new) == len(renamed) and not new & set(renamed)


def renamed_tools(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """Every tool under another name of the same meaning (other verb, other style); label, earlier calls and
    their results follow.
    """
    olds = list(dict.fromkeys(t.name for t in sample.tools))
    style, prefix = rng.choice(_STYLES), rng.choice(("", "", "api", "app"))
    words = {n: _parts(n) for n in olds}
    renamed = {
        n: style([w for w in (prefix, VERBS.get(ws[0], ws[0]), *ws[1:]) if w]) for n, ws in words.items()
    }
    if not _all_new(renamed):
        renamed = {n: style([*ws, "tool"]) for n, ws in words.items()}
    if not _all_new(renamed) or any(re.search(bounded(n), text) for n in olds for text in _texts(sample)):
        return None

    def call(c: ToolCall) -> ToolCall:
        return c.model_copy(update={"name": renamed.get(c.name, c.name)})

    tools = [_redescribed(t, renamed).model_copy(update={"name": renamed[t.name]}) for t in sample.tools]
    return _renamed(
        sample,
        tools,
        call,
        renamed,
        {at: _replaced(m.content, renamed) for at, m in enumerate(sample.messages)},
    )


def renamed_parameters(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """Every parameter under another name of the same meaning (a word added, other style); label and earlier
    calls follow.
    """
    known = {
        "type",
        "properties",
        "required",
        "additionalProperties",
        "description",
        "title",
        "$schema",
        "$defs",
        "definitions",
    }
    if any(set(t.parameters) - known for t in sample.tools):
        return None
    olds = list(dict.fromkeys(p for t in sample.tools for p in t.properties))
    style, (first, last) = rng.choice(_STYLES), rng.choice(_AFFIXES)
    renamed = {n: style([w for w in (first, *_parts(n), last) if w]) for n in olds}
    if not _all_new(renamed):
        return None

    def tool(t: Tool) -> Tool:
        schema = {**t.parameters, "properties": {renamed[p]: s for p, s in t.properties.items()}}
        if "required" in schema:
            schema["required"] = [renamed.get(p, p) for p in t.required]
        return _redescribed(t.model_copy(update={"parameters": schema}), renamed)

    def call(c: ToolCall) -> ToolCall:
        return c.model_copy(update={"arguments": {renamed.get(k, k): v for k, v in c.arguments.items()}})

    return _renamed(sample, [tool(t) for t in sample.tools], call, renamed, {})


def _renamed(
    sample: Sample,
    tools: Sequence[Tool],
    call: Callable[[ToolCall], ToolCall],
    renamed: Mapping[str, str],
    texts: Mapping[int, str],
) -> Sample:
    messages = tuple(
        m.model_copy(
            update={
                "tool_calls": tuple(map(call, m.tool_calls)),
                "name": renamed.get(m.name, m.name) if m.name and texts else m.name,
            }
        )
        for m in _saying(sample, texts).messages
    )
    label = sample.label.model_copy(update={"calls": tuple(map(call, sample.label.calls))})
    return _with(
        sample,
        tools=tuple(tools),
        messages=messages,
        label=label,
        meta={**sample.meta, "renamed": dict(renamed)},
    )


def _replaced(text: str, renamed: Mapping[str, str]) -> str:
    """The text with the names that can only be names (`book_table`, `bookTable`; not `date`) replaced."""
    for old in sorted((n for n in renamed if re.search(r"[a-z][_A-Z]|-", n)), key=len, reverse=True):
        text = re.sub(bounded(old), renamed[old], text)
    return text


def _redescribed(tool: Tool, renamed: Mapping[str, str]) -> Tool:
    def walk(schema: Any) -> Any:
        if isinstance(schema, list):
            return [walk(s) for s in schema]
        if not isinstance(schema, dict):
            return schema
        return {
            k: _replaced(v, renamed) if k == "description" and isinstance(v, str) else walk(v)
            for k, v in schema.items()
        }

    return tool.model_copy(
        update={"description": _replaced(tool.description, renamed), "parameters": walk(tool.parameters)}
    )


PERTURBATIONS: dict[str, Perturbation] = {
    f.__name__: f
    for f in (
        typos, lower_case, longer_context, entities, paraphrase, formats, distractors, tool_order, renamed_tools, renamed_parameters,
    )
}  # fmt: skip
"""Name -> perturbation, in the order in which they are reported."""
