"""Keep benchmarks out of training data, by fingerprints of their texts.

The user builds the list from a benchmark that is installed (`looptool contamination build --from FOLDER
OUT`). It holds hashes only: tool names without case and punctuation, every run of `RUN_WORDS` words of every
text (the n-gram overlap by which GPT-3's appendix C and later reports decide), and of every text as short as
most requests the word 3-shingles, by whose Jaccard similarity near-duplicates are found (as in `dedup`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from looptool_kit.checks.dedup import NEAR_THRESHOLD, normalised, shingles
from looptool_kit.core.records import Check
from looptool_kit.core.samples import Frozen, Sample, Tool
from looptool_kit.core.tables import write_text

RUN_WORDS = 8
"""Words of a run. Texts that share eight in a row know each other; a request to a tool is seldom longer than
twice that.
"""
MIN_RUN_WORDS = 5
"""A text of fewer than `RUN_WORDS` words counts as one run from here on; shorter ones are anybody's."""
MAX_REQUEST_WORDS = 16
"""Longer texts are compared by their runs alone: a near-duplicate in which single words differ shares one."""


class Fingerprints(Frozen):
    """Hashes of one or several benchmarks, 16 hex digits of SHA-256 each."""

    words: int = RUN_WORDS
    built_from: tuple[str, ...] = ()
    """The folders, by the last two parts of their paths."""
    files: int = 0
    names: frozenset[str] = frozenset()
    """Of tool names."""
    runs: frozenset[str] = frozenset()
    """Of runs of words."""
    requests: frozenset[tuple[str, ...]] = frozenset()
    """Of each text of `RUN_WORDS` to `MAX_REQUEST_WORDS` words its shingles, sorted; 8 digits each."""

    @cached_property
    def _holding(self) -> dict[str, list[tuple[str, ...]]]:
        """Shingle -> the texts that hold it."""
        out: dict[str, list[tuple[str, ...]]] = {}
        for request in self.requests:
            for shingle in request:
                out.setdefault(shingle, []).append(request)
        return out

    def __repr__(self) -> str:
        return (
            f"Fingerprints({len(self.names)} tool names, {len(self.runs)} runs of {self.words} words from"
            f" {', '.join(self.built_from)})"
        )

    __str__ = __repr__


# --------------------------------------------------------------------- build


def build(folders: Sequence[str | Path]) -> Fingerprints:
    """The fingerprints of every .json and .jsonl file below the folders.

    An object with a name and a description or parameters is a tool: its name and description count, its
    parameters do not, because "The name of the city" is nobody's. Every other text counts. Raises
    `ValueError` where a folder holds nothing that can be read.
    """
    names: set[str] = set()
    runs: set[str] = set()
    requests: set[tuple[str, ...]] = set()
    files = 0
    for folder in map(Path, folders):
        before = files
        for path in sorted(p for p in folder.rglob("*") if p.suffix in (".json", ".jsonl") and p.is_file()):
            values = list(_values(path))
            files += bool(values)
            for name, text in (pair for value in values for pair in _texts(value)):
                if name:
                    names.add(_name(text))
                else:
                    runs.update(_hash(r) for r in word_runs(text))
                    if sketch := _sketch(text):
                        requests.add(sketch)
        if files == before:
            raise ValueError(
                f"{folder} holds no readable .json or .jsonl file: give the folder of an installed"
                " benchmark's data"
            )
    return Fingerprints(
        built_from=tuple("/".join(Path(f).resolve().parts[-2:]) for f in folders),
        files=files,
        names=frozenset(names),
        runs=frozenset(runs),
        requests=frozenset(requests),
    )


def _values(path: Path) -> Iterator[Any]:
    """The JSON values of a file, or of its lines; else nothing."""
    text = path.read_bytes().decode("utf-8-sig", "replace")
    try:
        yield json.loads(text)
        return
    except (ValueError, RecursionError):
        pass
    for line in text.split("\n"):
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            continue


_TURN = re.compile(r"^(?:user|system|assistant): ", re.MULTILINE)
"""Whole dialogues stand in one text in some benchmarks (ACEBench); each turn is a text."""


def _texts(value: Any) -> Iterator[tuple[bool, str]]:
    """Everything said in a JSON value: whether a tool's name, text."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield from ((False, turn) for turn in _TURN.split(value))
        elif isinstance(value, list):
            waiting.extend(value)
        elif (
            isinstance(value, dict)
            and isinstance(value.get("name"), str)
            and {"description", "parameters"} & set(value)
        ):
            yield True, value["name"]
            waiting.append(value.get("description"))
        elif isinstance(value, dict):
            waiting.extend(value.values())


def write(fingerprints: Fingerprints, path: str | Path) -> None:
    """Write the list as JSON, sorted, atomically."""
    content = fingerprints.model_dump() | {
        k: sorted(getattr(fingerprints, k)) for k in ("names", "runs", "requests")
    }
    write_text(path, json.dumps(content, indent=0) + "\n")


def read(path: str | Path) -> Fingerprints:
    """Read a list of fingerprints.

    Raises:
        ValueError: The file is not such a list, or of another version.
        FileNotFoundError: There is no file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist: make it with `looptool contamination build --from FOLDER {path}`"
        )
    return _read(path, path.stat().st_mtime_ns)


def read_if_set(path: str) -> Fingerprints | None:
    """Read the list that the setting `contamination` names.

    None where it is empty.
    """
    return read(path) if path else None


@lru_cache(4)
def _read(path: Path, _changed: int) -> Fingerprints:
    try:
        fingerprints = Fingerprints.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is not a list of fingerprints: {str(error).splitlines()[0]}") from None
    if fingerprints.words != RUN_WORDS:
        raise ValueError(
            f"{path} holds runs of {fingerprints.words} words, this version compares {RUN_WORDS}:"
            " build it again"
        )
    return fingerprints


# --------------------------------------------------------------------- check


def check_tool(tool: Tool, fingerprints: Fingerprints) -> Check:
    """The check `contamination` of a generated tool: its name and its description."""
    wrong = (
        [f"the tool name {tool.name} is one of {', '.join(fingerprints.built_from)}"]
        if _name(tool.name) in fingerprints.names
        else []
    )
    return _check([*wrong, *_shared([(f"the description of {tool.name}", tool.description)], fingerprints)])


def check_sample(sample: Sample, fingerprints: Fingerprints) -> Check:
    """The check `contamination` of everything said in a generated sample.

    The tools' names are left to `check_tool`: a user's own tools may bear names that a benchmark uses too.
    """
    turns = [(f"turn {at} ({m.role})", m.content) for at, m in enumerate(sample.messages, 1)]
    return _check(list(_shared([*turns, ("the label", sample.label.reply)], fingerprints)))


def report(samples: Iterable[Sample], fingerprints: Fingerprints) -> list[tuple[str, str]]:
    """What a dataset shares with a benchmark.

    Returns:
        Tool name or sample id, and what it shares; tools first, each once.
    """
    tools: dict[str, Tool] = {}
    overlaps: list[tuple[str, str]] = []
    for sample in samples:
        tools |= {t.name: t for t in sample.tools}
        if not (check := check_sample(sample, fingerprints)).passed:
            overlaps.append((sample.id, check.detail))
    of_tools = ((t.name, check_tool(t, fingerprints)) for t in tools.values())
    return [(name, check.detail) for name, check in of_tools if not check.passed] + overlaps


def _shared(texts: Iterable[tuple[str, str]], fingerprints: Fingerprints) -> Iterator[str]:
    for where, text in texts:
        runs = list(word_runs(text))
        hits = [r for r in runs if _hash(r) in fingerprints.runs]
        if hits:
            yield (
                f"{where} shares {len(hits)} of {len(runs)} runs of words with"
                f" {', '.join(fingerprints.built_from)}, e.g. {hits[0]!r}"
            )
        elif (likeness := _nearest(text, fingerprints)) >= NEAR_THRESHOLD:
            yield (
                f"{where} is a near-duplicate of a text of {', '.join(fingerprints.built_from)}:"
                f" {likeness:.2f} of their word triples are common"
            )


def _check(wrong: list[str]) -> Check:
    return Check(name="contamination", passed=not wrong, detail="; ".join(wrong))


_CHARACTER = re.compile("([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])")


def _words(text: str) -> list[str]:
    """The words of a text; of Chinese and Japanese the characters."""
    return _CHARACTER.sub(r" \1 ", normalised(text)).split()


def _length(words: Iterable[str]) -> float:
    """How many words these are; two characters count as one."""
    return sum(0.5 if _CHARACTER.match(w) else 1.0 for w in words)


def word_runs(text: str) -> Iterator[str]:
    """Return the runs of `RUN_WORDS` words of a text.

    A text a little shorter is one run.
    """
    words = _words(text)
    if MIN_RUN_WORDS <= _length(words) < RUN_WORDS:
        yield " ".join(words)
    end, length = 0, 0.0
    for at, word in enumerate(words):
        while length < RUN_WORDS and end < len(words):
            length, end = length + _length([words[end]]), end + 1
        if length < RUN_WORDS:
            return
        yield " ".join(words[at:end])
        length -= _length([word])


def _sketch(text: str) -> tuple[str, ...]:
    """The hashed shingles of a text of a request's length.

    That is `RUN_WORDS` to `MAX_REQUEST_WORDS` words; empty for others.
    """
    words = _words(text)
    if not RUN_WORDS <= _length(words) <= MAX_REQUEST_WORDS:
        return ()
    return tuple(sorted({_hash(s)[:8] for s in shingles(" ".join(words))}))


def _nearest(text: str, fingerprints: Fingerprints) -> float:
    """The greatest Jaccard similarity to a text of the benchmark."""
    sketch = _sketch(text)
    common = Counter(request for shingle in sketch for request in fingerprints._holding.get(shingle, ()))
    return max((n / (len(sketch) + len(request) - n) for request, n in common.items()), default=0.0)


def _name(name: str) -> str:
    return _hash(re.sub(r"[\W_]+", "", name.casefold()))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
