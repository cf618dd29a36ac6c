"""Perturbations: the same task made harder or merely different.

The label is still exact (RUIE-Bench's idea, arXiv 2503.03201, on tool calls).

    other = perturb("typos", sample, Random(1), pool)  # None where the perturbation does not apply

Each is a pure function of (sample, random stream, pool); the pool lends values and tools. The label stays, or
follows where values, tools or parameters are renamed; where the request or the last result leaves another
thing to do (`vague_request`, `failed_result`), it is that. Whoever takes perturbed samples runs the rule tier
over them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from random import Random
from typing import Any

from looptool_kit import world
from looptool_kit.augment.edits import is_free, literal_spans, request_at, saying, updated, value_spans
from looptool_kit.augment.perturb_words import ASIDES, REAL_WORDS, SMALL_TALK, other_forms
from looptool_kit.augment.renaming import renamed_parameters, renamed_tools
from looptool_kit.augment.results import failed_result, noisy_result, other_result_format
from looptool_kit.augment.slots import LINKED, leaves, slots_of, swap, values_in
from looptool_kit.core.samples import Message, Sample, Samples
from looptool_kit.text.grounding.flags import NEGATIONS
from looptool_kit.text.grounding.moments import moment
from looptool_kit.text.mentions import Mention
from looptool_kit.text.passages import dialogue
from looptool_kit.text.recognise import recognise, today_in
from looptool_kit.text.words import STOP, stems

Perturbation = Callable[[Sample, Random, Samples], Sample | None]


def perturb(name: str, sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """Perturb a sample; None where the perturbation does not apply.

    The copy has a new id. `parent` is the sample's, `split` and `strategy` name the perturbation. `meta`
    keeps the sample's `split` and, where there is one, its pattern of searches; where names changed,
    `renamed` (old name -> new). Raises `ValueError` for an unknown name.
    """
    (name,) = names([name])
    made = PERTURBATIONS[name](sample, rng, pool)
    if made is None or made.id == sample.id:
        return None
    kept = {name: made.meta[name] for name in (LINKED, "renamed") if name in made.meta}
    meta = {"split": sample.split, **kept}
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
    """The perturbations of these names, or all, in their order.

    Raises `ValueError` that lists those there are.
    """
    if unknown := sorted(set(wanted or ()) - set(PERTURBATIONS)):
        raise ValueError(f"there is no perturbation {unknown[0]!r}; choose among {', '.join(PERTURBATIONS)}")
    return [n for n in PERTURBATIONS if wanted is None or n in wanted]


# -------------------------------------------------------- what is said


def typos(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """Make one to three typing errors in the last request.

    Two letters are swapped or one is doubled, never in a word that carries a value.
    """
    at = request_at(sample)
    if at < 0:
        return None
    text, taken = sample.messages[at].content, value_spans(sample, at)
    known = {w.lower() for m in sample.messages for w in re.findall(r"\w+", m.content)}
    found = [
        f
        for f in re.finditer(r"(?<![\w'’@/.-])[a-z]{5,}(?![\w'’@/-])", text)
        if f[0] not in NEGATIONS and is_free(f.span(), taken)
    ]
    for f in sorted(rng.sample(found, min(len(found), 3, 1 + len(found) // 3)), key=lambda f: -f.start()):
        text = text[: f.start()] + _slip(f[0], rng, known) + text[f.end() :]
    return saying(sample, {at: text})


def _slip(word: str, rng: Random, known: set[str]) -> str:
    """The word with one slip inside it.

    Its first and last letters stay in place. It is the word itself where any slip makes another word of it.
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
    """All that the user says in lower case.

    What a call takes to the letter, quotes, codes and addresses stay as they are.
    """
    texts = {}
    for at, m in enumerate(sample.messages):
        if m.role == "user":
            kept = literal_spans(sample, m.content)
            texts[at] = "".join(
                c if not is_free((i, i + 1), kept) or len(c.lower()) > 1 else c.lower()
                for i, c in enumerate(m.content)
            )
    return saying(sample, texts)


def longer_context(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """Small talk before the dialogue, and asides before the last request.

    There are two or three exchanges and two asides. None shares a word with tools or dialogue.
    """
    at = request_at(sample)
    about = {w for t in sample.tools for w in stems(t.model_dump_json())} | {
        w for m in sample.messages for w in stems(m.content)
    }
    about -= STOP
    talk = [pair for pair in SMALL_TALK if not about & set(stems(" ".join(pair)))]
    asides = [a for a in ASIDES if not about & set(stems(a))]
    if at < 0 or len(talk) < 2 or len(asides) < 2:
        return None
    request = sample.messages[at].content
    longer = saying(sample, {at: f"{' '.join(rng.sample(asides, 2))} {request}"})
    pairs = rng.sample(talk, min(len(talk), rng.randint(2, 3)))
    before = [
        Message(role=role, content=text)
        for pair in pairs
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]
    start = sum(m.role == "system" for m in sample.messages)
    return updated(longer, messages=(*longer.messages[:start], *before, *longer.messages[start:]))


def entities(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """Other names, places, texts and codes, wherever they stand.

    Label, earlier calls and results follow. Numbers, dates and choices stay.
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
    """The same values in another wording of the world's grammar.

    None for samples that the world did not make.
    """
    try:
        return world.paraphrase(sample, rng)
    except ValueError:
        return None


def vague_request(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """Remove a needed value from the request; the label asks for it.

    Request and question are in the world's words. None for samples that the world did not make, and where
    asking is not the one thing to do: the value can be found out, or no wording leaves it out.
    """
    try:
        return world.vague(sample, rng)
    except ValueError:
        return None


def formats(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """Dates, times and numbers of the last request, written another way.

    So are durations and amounts, if the label takes them. The label stays.
    """
    at, today = request_at(sample), dialogue(sample).today
    if at < 0 or today_in(sample.messages[at].content):
        return None
    text, kept, wanted = (
        sample.messages[at].content,
        literal_spans(sample, sample.messages[at].content),
        _readings(sample),
    )
    for m in reversed(recognise(text, today)):
        if (start := m.start + 3 * m.text.lower().startswith("on ")) != m.start:
            m = m._replace(start=start, text=m.text[3:])
        # An ISO date or a clock time stands to the letter and may still be said in another way.
        own = [(s, e) for s, e in kept if text[s:e] != m.text]
        attributive = re.search(r"\ban? $", text[: m.start], re.IGNORECASE)
        if not (_value(m) & wanted) or attributive or not is_free((m.start, m.end), own):
            continue
        forms = [f for f in dict.fromkeys(other_forms(m, today, text[m.end :])) if _bare(f) != _bare(m.text)]
        changed = (text[: m.start] + f + text[m.end :] for f in rng.sample(forms, len(forms)))
        text = next((c for c in changed if _same_values(text, c, today)), text)
    return saying(sample, {at: text})


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
    """Up to three more tools, from samples of the same split.

    Their names and descriptions share no word with the request or the label's tools. Where no call is
    expected, only samples of the world get them, whose plan tells which tool would do: none of its domain is
    added.
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
    return updated(sample, tools=tuple(tools))


def _words(texts: Any) -> set[str]:
    return {w for text in texts for w in stems(text)} - STOP


def tool_order(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """The tools in another order."""
    if all(tool == sample.tools[0] for tool in sample.tools):  # also of one tool, or none
        return None
    order = list(sample.tools)
    while order == list(sample.tools):
        rng.shuffle(order)
    return updated(sample, tools=tuple(order))


PERTURBATIONS: dict[str, Perturbation] = {
    f.__name__: f
    for f in (
        typos, lower_case, longer_context, entities, paraphrase, formats, distractors, tool_order,
        renamed_tools, renamed_parameters, noisy_result, failed_result, other_result_format, vague_request,
    )
}  # fmt: skip
"""Name -> perturbation, in the order in which they are reported."""
