"""Hints to a policy that was wrong: what kind of mistake it is, without a name or a value of the answer.

HardGen's critic (arXiv 2601.01498) must not reveal the answer; FunReason-MT (arXiv 2510.24645), whose text it
follows, does not say so. Here a wording that shares a word with the label is not taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from pydantic import JsonValue

from looptool_kit.core.grading import FaultKind, grade
from looptool_kit.core.samples import Label, Sample
from looptool_kit.core.toolcalls import Answer
from looptool_kit.policy.engines import Engine, Sampling

TEMPERATURE = 1.0
"""At which the policy answers: several tries must differ."""
_LOOK_UP = (
    "Something has to be looked up first.",
    "A fact is still missing that another tool can tell.",
    "One thing must be found out before that.",
)
_NOT_YET = (
    "Everything that was needed is known by now.",
    "What was missing has been found; go on from there.",
    "Continue with what the results say.",
)
_WORDS: dict[FaultKind, tuple[str, ...]] = {
    "unparsable": ("The answer could not be read.", "That had no valid form.", "Its syntax was broken."),
    "truncated": ("That was too long.", "Be brief.", "Keep it short."),
    "unknown_tool": ("Use what is on offer.", "There is no such function here.", "That does not exist."),
    "wrong_tool": ("Another tool is due now.", "That was not the right one.", "Choose differently."),
    "missing_parameter": (
        "One detail that was asked for is missing.",
        "Something the user wants was left out.",
        "It is incomplete.",
    ),
    "hallucinated_parameter": (
        "One detail was made up.",
        "Nobody asked for all of that.",
        "Invent nothing.",
    ),
    "redundant_parameter": ("One detail is too many.", "Nobody asked for all of that.", "Less is enough."),
    "wrong_value": (
        "One detail is not what was said.",
        "Read the request and the results again.",
        "Something was copied wrongly.",
    ),
    "wrong_type": ("One detail has the wrong form.", "Check how it is written.", "Mind its type."),
    "missing_call": ("More can be done at once.", "That is only a part.", "It needs more than that."),
    "extra_call": ("That was too much at once.", "Not all of it is due already.", "Do less."),
    "should_have_declined": ("None of this is possible.", "Nothing fits here.", "It cannot be done."),
    "should_have_called": ("Words alone do nothing.", "Act instead of talking.", "Use a tool."),
    "wrong_reply": ("That does not answer it.", "Say it differently.", "Try again."),
}
_FUNCTION_WORDS = frozenset(
    (
        "a", "all", "an", "and", "as", "at", "be", "by", "can", "do", "for", "from", "has", "have", "how",
        "in", "is", "it", "its", "my", "no", "not", "of", "off", "on", "one", "or", "so", "than", "that",
        "the", "this", "to", "too", "up", "was", "what", "with", "you",
    )
)  # fmt: skip
"""Words that say nothing about a label although one of its texts may hold them."""


def words_of(label: Label) -> set[str]:
    """Return the words that a hint must not hold.

    They are those of values and of names, which are split where words are joined.
    """
    texts: list[str] = []
    for call in label.calls:
        texts += [call.name, *_texts(call.arguments)]
    joined = [t for text in texts for t in (text, re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text))]
    found = {w.lower() for text in joined for w in re.findall(r"[^\W_]+", text)}
    return found - _FUNCTION_WORDS


def _texts(value: JsonValue) -> list[str]:
    if isinstance(value, dict):
        return [t for k, v in value.items() for t in (k, *_texts(v))]
    if isinstance(value, list):
        return [t for v in value for t in _texts(v)]
    return [str(value)]


def hint(sample: Sample, answer: Answer, rng: Random) -> str:
    """Write a hint about the first thing that is wrong.

    It is empty where each wording would reveal something.
    """
    faults = grade(answer, sample.label, sample.tools).faults
    kind = faults[0].kind if faults else "wrong_reply"
    options = _WORDS[kind]
    if kind in ("wrong_tool", "missing_parameter", "extra_call", "missing_call"):
        options = {"early": _LOOK_UP, "late": _NOT_YET}.get(_when(sample, answer), ()) + options
    secret = words_of(sample.label)
    safe = [o for o in options if not {w.lower() for w in re.findall(r"\w+", o)} & secret]
    preferred = [o for o in safe if o in (*_LOOK_UP, *_NOT_YET)] or safe
    return rng.choice(preferred) if preferred else ""


def _when(sample: Sample, answer: Answer) -> str:
    """Whether an answer calls what is due later (`early`) or was done before (`late`)."""
    raw = sample.meta.get("targets")
    targets = [str(t) for t in raw] if isinstance(raw, list) else []
    done = {c.name for m in sample.messages for c in m.tool_calls}
    due = {c.name for c in sample.label.calls}
    got = {c.name for c in answer.calls} - due
    if got & (set(targets) - done):
        return "early"
    return "late" if got & done else ""


class Reached(NamedTuple):
    """Whether a policy gets a sample right, and how."""

    right: bool
    hints: int
    """Hints that it was given before the right answer, or before it was given up."""
    generated: int
    """Tokens of its answers."""


def reach(
    samples: Sequence[Sample], engine: Engine, tries: int, max_new_tokens: int, seed: int
) -> list[Reached]:
    """Let the policy answer each sample up to `tries` times.

    After each wrong answer it gets one more hint.

    Args:
        samples: Without hints.
        engine: Of the policy.
        tries: Answers to a sample at the most.
        max_new_tokens: Length limit of an answer.
        seed: Of the sampling and of the wordings.
    """
    given: list[list[str]] = [[] for _ in samples]
    right, tokens = [False] * len(samples), [0] * len(samples)
    for attempt in range(tries):
        open_rows = [i for i in range(len(samples)) if not right[i]]
        if not open_rows:
            break
        asked = [told(samples[i], given[i]) for i in open_rows]
        sampling = Sampling(max_new_tokens, TEMPERATURE, 1, seed * tries + attempt)
        for i, (completion, *_) in zip(open_rows, engine.generate(asked, sampling), strict=True):
            answer = completion.answer(samples[i].tools)
            tokens[i] += len(completion.tokens)
            right[i] = grade(answer, samples[i].label, samples[i].tools).correct
            if not right[i] and attempt + 1 < tries:
                given[i].append(hint(samples[i], answer, Random(f"{seed}/{samples[i].id}/{attempt}")))
    return [Reached(r, len(hints), n) for r, hints, n in zip(right, given, tokens, strict=True)]


def told(sample: Sample, hints: Sequence[str]) -> Sample:
    """The sample with hints at the end of its system message."""
    words = " ".join(dict.fromkeys(h for h in hints if h))
    if not words:
        return sample
    first = sample.messages[0]
    system = first.model_copy(update={"content": f"{first.content} Hint: {words}"})
    return sample.model_copy(update={"messages": (system, *sample.messages[1:])})
