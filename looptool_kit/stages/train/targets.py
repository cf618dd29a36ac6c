"""Key tokens of a label: where a tool's name begins, and where it parts from another (TL-Training, (b)).

TL-Training's code looks at the last turn's first call alone, in batches of one; here every call of a label
counts, and each label keeps the weight that its tokens have together.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from looptool_kit.core.samples import Sample
from looptool_kit.core.toolcalls import OPEN, render_calls
from looptool_kit.policy.engines.prompts import render_target
from looptool_kit.policy.wire import form_of

_BEFORE_NAME = len(f'{OPEN}\n{{"name": "')


def key_places(sample: Sample, text: str | None = None) -> list[int]:
    """Find the characters that decide which tool is called.

    In the label's text, ascending. For each call that of its name's beginning, and for each other tool on
    offer whose name begins alike, the first one that differs: what ends the name where the one name
    begins the other.

    Args:
        text: The label in a form of the policy's own; None: in the project's (`render_answer`).
    """
    if text is not None:
        return _in_own_form(sample, text)
    places: set[int] = set()
    names = [_written(t.name) for t in sample.tools]
    at = len(sample.label.reply) + 1 if sample.label.reply else 0
    for call in sample.label.calls:
        own = _written(call.name)
        start = at + _BEFORE_NAME
        shared = (len(os.path.commonprefix([own, other])) for other in names if other != own)
        places |= {start, *(start + n for n in shared if n)}
        at += len(render_calls([call])) + 1
    return sorted(places)


def _in_own_form(sample: Sample, text: str) -> list[int]:
    places: set[int] = set()
    at = 0
    for call in sample.label.calls:
        start = text.find(call.name, at)
        if start < 0:
            continue
        at = start + len(call.name)
        own = text[start : at + 1]
        shared = (
            len(os.path.commonprefix([own, t.name + "\0"])) for t in sample.tools if t.name != call.name
        )
        places |= {start, *(start + n for n in shared if n)}
    return sorted(p for p in places if p < len(text))


def _written(name: str) -> str:
    """A name as it stands in the text, with the quote that ends it."""
    return json.dumps(name, ensure_ascii=False)[1:]


def key_tokens(tokenizer: Any, sample: Sample, completion: Sequence[int]) -> list[int]:
    """Which tokens of a completion hold the key places.

    Raises:
        ValueError: The tokenizer does not give a label's text back, so that its places cannot be found.
    """
    text = render_target(tokenizer, sample, sample.label)
    if not (places := key_places(sample, None if form_of(tokenizer).projects else text)):
        return []

    def written(count: int) -> str:
        # Part of a character's bytes decodes to U+FFFD.
        said: str = tokenizer.decode(
            list(completion[:count]), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return said.rstrip("\ufffd")

    if written(len(completion) - 1) != text.rstrip("\ufffd"):
        raise ValueError(
            f"sample {sample.id}: {type(tokenizer).__name__} does not give its label's text back, so that key"
            " tokens cannot be found in it. Set targets.key_weight = 1."
        )
    counts = range(len(completion))
    return sorted({bisect_left(counts, p + 1, key=lambda k: len(written(k))) - 1 for p in places})


def token_weights(keys: Sequence[int], count: int, most: float) -> list[float]:
    """Weigh tokens, more at the places `keys`.

    A weight for each of `count` tokens, `count` in all. A key token weighs min(others / keys, `most`)
    times as much as another one.
    """
    if not keys:
        return [1.0] * count
    weights = [1.0] * count
    for at in keys:
        weights[at] = min((count - len(keys)) / len(keys), most)
    total = sum(weights)
    return [w * count / total for w in weights]


def label_weights(
    tokenizer: Any, samples: Sequence[Sample], completions: Sequence[Sequence[int]], most: float
) -> list[list[float]]:
    """Weigh the tokens of each label.

    `completions` are the labels' tokens with the end.
    """
    return [
        token_weights(key_tokens(tokenizer, s, ids), len(ids), most)
        for s, ids in zip(samples, completions, strict=True)
    ]


def cut(values: Sequence[float], lengths: Sequence[int]) -> Iterator[Sequence[float]]:
    """The values in parts of these lengths, in order."""
    for end, length in zip(accumulate(lengths), lengths, strict=True):
        yield values[end - length : end]
