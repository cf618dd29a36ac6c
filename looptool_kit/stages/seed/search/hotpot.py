"""Records in HotpotQA's form (Yang et al., arXiv 1809.09600), read from JSONL.

A row has `question`, `answer`, `context` and `supporting_facts`, in the original form (lists of [title,
sentences] and of [title, number of the sentence]) or in that of the hub (objects of columns). A passage is a
paragraph, as that is what a search returns. `type` is `comparison` where no fact waits for another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from looptool_kit.checks.searches import Passage, Record


class Read(NamedTuple):
    """A row of the file."""

    record: Record
    both: bool
    """Whether its facts can be searched at once."""


def read_records(path: Path, reject: Callable[[int, str, str], None]) -> list[Read]:
    """The usable rows of a file, each question once.

    Args:
        path: The file.
        reject: Called with the line's number, its text and the reason for each other one.
    """
    found: dict[str, Read] = {}
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = read_row(json.loads(line))
            except (ValueError, RecursionError) as error:
                reject(number, line.rstrip("\n"), str(error))
                continue
            if row.record.id in found:
                reject(number, line.rstrip("\n"), "the same question stands in an earlier line")
            found.setdefault(row.record.id, row)
    return list(found.values())


def read_row(row: Any) -> Read:
    """One row.

    Raises:
        ValueError: It lacks something, or its facts are not in its context.
    """
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    question, answer = _text(row, "question"), _text(row, "answer")
    paragraphs = _pairs(row.get("context"), ("title", "sentences"), "context")
    titles = [title for title, _ in paragraphs]
    if len(set(titles)) < len(titles):
        raise ValueError("context has two paragraphs of one title")
    passages = []
    for title, sentences in paragraphs:
        text = sentences if isinstance(sentences, str) else "".join(_sentences(sentences))
        if not text.strip():
            raise ValueError(f"the paragraph {title!r} is empty")
        passages.append(Passage(title=title, text=" ".join(text.split())))
    facts = _pairs(row.get("supporting_facts"), ("title", "sent_id"), "supporting_facts")
    names = list(dict.fromkeys(title for title, _ in facts))
    if not names:
        raise ValueError("supporting_facts is empty")
    if missing := [n for n in names if n not in titles]:
        raise ValueError(f"supporting_facts names {missing[0]!r}, which is not a title of the context")
    mark = hashlib.sha256(" ".join(question.casefold().split()).encode("utf-8", "surrogatepass")).hexdigest()
    record = Record(
        id=mark[:16],
        question=question,
        answers=(answer,),
        passages=tuple(passages),
        supporting=tuple(titles.index(n) for n in names),
    )
    return Read(record, row.get("type") == "comparison")


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} is not a text")
    return value.strip()


def _sentences(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(s, str) for s in value):
        raise ValueError("the sentences of a paragraph are not a list of texts")
    # The original has a space before each sentence but the first, others have none.
    return [s if s[:1].isspace() else f" {s}" for s in value]


def _pairs(value: Any, columns: tuple[str, str], name: str) -> list[tuple[str, Any]]:
    """Pairs of a title and something, from a list of them or from an object of two columns."""
    if isinstance(value, dict):
        first, second = (value.get(c) for c in columns)
        if not isinstance(first, list) or not isinstance(second, list) or len(first) != len(second):
            raise ValueError(f"{name} has no two columns {' and '.join(columns)} of one length")
        value = [list(pair) for pair in zip(first, second, strict=True)]
    if not isinstance(value, list) or not all(
        isinstance(p, list) and len(p) == 2 and isinstance(p[0], str) for p in value
    ):
        raise ValueError(f"{name} is not a list of pairs that begin with a title")
    return [(p[0], p[1]) for p in value]
