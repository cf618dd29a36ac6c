"""What a person decides about a run: the lines of `decisions.jsonl`, and what may stand in them."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from pydantic import JsonValue, ValidationError

from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Expansion, Expansions, VerdictName, Verdicts
from looptool_kit.core.samples import Frozen, Label, Sample, Samples
from looptool_kit.core.tables import Table, append_lines
from looptool_kit.core.terminal import visible

SUBJECTS = ("verdict", "expansion", "threshold", "tag", "filter")
MAX_TAG_CHARACTERS = 40
"""A tag is a few words, shown in a column of the table."""
MAX_FILTER_CHARACTERS = 4000
"""A filter is the query of a link, which browsers and servers take at this length."""
VERDICTS: tuple[str, ...] = get_args(VerdictName)


class Decision(Frozen):
    """What a person decided about a row.

    The last one counts, and an `undo` takes it back.
    """

    time: str
    author: str
    subject: str
    """verdict, expansion, threshold, tag or filter. Only the first three change what the loop makes."""
    row: str
    """Sample id (for an expansion: the child's); empty for the threshold; for a filter its view and name."""
    value: JsonValue
    """verdict: a verdict's name, or {"verdict": ..., "label": {...}}. expansion: "accept", "reject" or
    {"edit": a sample}, which joins in the child's place. threshold: the perplexity. tag: all tags of the
    sample from now on. filter: what a view showed (`SampleTable.place`); empty: it is forgotten. "undo" takes
    back the last one.
    """
    reason: str = ""
    iteration: int | None = None
    """The iteration whose row was decided on; None: that row in any iteration."""


def user_name() -> str:
    """Return the name of the machine's user.

    The number where it has none, as in many containers.
    """
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # which of them differs by Python's version
        return f"user {os.getuid()}"


def whole(text: str) -> str:
    """Return the text with a sign in place of halves of characters.

    No file can hold such halves. They come from the environment, and from a text field that cuts
    an emoji in two.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def check(subject: str, row: str, value: JsonValue) -> None:
    """Raise `ValueError`, naming what is possible, where that is not a decision."""
    if whole(text := json.dumps([row, value], ensure_ascii=False, default=str)) != text:
        raise ValueError(f"{_short([row, value])} holds half of a character, which no file can keep")
    if subject not in SUBJECTS:
        raise ValueError(
            f"there is no subject {subject!r} to decide on; the subjects are {', '.join(SUBJECTS)}"
        )
    if (subject == "threshold") != (row == ""):
        raise ValueError(
            f"a decision on a threshold names no row (row=''), one on another subject does, not {row!r}"
        )
    if value == "undo":
        return
    {"verdict": _verdict, "expansion": _expansion, "threshold": _threshold, "tag": _tags, "filter": _filter}[
        subject
    ](value)


def _verdict(value: Any) -> None:
    decided = value if isinstance(value, dict) else {"verdict": value}
    if decided.get("verdict") not in VERDICTS:
        raise ValueError(
            f"{_short(value)} is not a verdict: give {', '.join(VERDICTS)}, or {{'verdict': ..., 'label':"
            " ...}, or 'undo'"
        )
    if "label" in decided:
        _read(Label, decided["label"], "a label")


def _expansion(value: Any) -> None:
    if isinstance(value, dict) and value.keys() == {"edit"}:
        _read(Sample, value["edit"], "a sample")
    elif value not in ("accept", "reject"):
        raise ValueError(
            f"{_short(value)} is not a decision on an expansion: give 'accept', 'reject',"
            " {'edit': a sample} or 'undo'"
        )


def _threshold(value: Any) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or value <= 0
    ):
        raise ValueError(
            f"{_short(value)} is not a threshold: give a perplexity, a number above 0, or 'undo'"
        )


def _tags(value: Any) -> None:
    if not (
        isinstance(value, list)
        and all(isinstance(t, str) and t.strip() and "," not in t for t in value)
        and all(len(t) <= MAX_TAG_CHARACTERS for t in value)
        and len(set(value)) == len(value)
    ):
        raise ValueError(
            f"{_short(value)} is not a list of tags: give different words without commas, of at most"
            f" {MAX_TAG_CHARACTERS} characters each"
        )


def _filter(value: Any) -> None:
    if not isinstance(value, str) or len(value) > MAX_FILTER_CHARACTERS:
        raise ValueError(
            f"{_short(value)} is not a filter: give a text of at most {MAX_FILTER_CHARACTERS:,} characters,"
            " as a view's `place` is"
        )


def _read(kind: type[Frozen], value: Any, named: str) -> None:
    try:
        kind.model_validate(value)
    except ValidationError as error:
        raise ValueError(f"{_short(value)} is not {named}: {_reason(error)}") from None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _reason(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'line'}: {e['msg']}" for e in error.errors()[:3])


# ---------------------------------------------------------------------- rows

TABLES: dict[str, tuple[str, type[Table[Any]]]] = {
    "verdict": ("verdicts", Verdicts),
    "expansion": ("expansions", Expansions),
    "tag": ("samples", Samples),
}
"""Subject -> the table of the rows that are decided on."""


def row_of(row: Any) -> str:
    """Return the name of a row.

    Its sample's id, for an expansion the child's.
    """
    if isinstance(row, Sample):
        return row.id
    return str(row.sample.id if isinstance(row, Expansion) else row.sample_id)


def rows_of(table: Iterable[Any]) -> frozenset[str]:
    """The rows of a table as decisions name them."""
    return frozenset(map(row_of, table))


def check_rows(
    subject: str, rows: Iterable[str], known: Mapping[int, frozenset[str] | None], iteration: int | None
) -> None:
    """Raise `ValueError` where no dataset has the iteration or a row.

    Args:
        known: Iteration -> its rows; None where they are not made yet, so that any row is taken.
    """
    if iteration is not None and known and iteration not in known:
        raise ValueError(f"there is no iteration {iteration}; there are {', '.join(map(str, known))}")
    made = [ids for j, ids in known.items() if iteration in (None, j)]
    if subject == "threshold" or not made or None in made:
        return
    for row in rows:
        if not any(row in (ids or ()) for ids in made):
            where = f"iteration {iteration}" if iteration else "this run"
            examples = ", ".join(sorted(frozenset().union(*(ids or () for ids in made)))[:3])
            raise ValueError(
                f"{row!r} is not a row of the {TABLES[subject][0]} of {where}; there are"
                f" {sum(len(i or ()) for i in made)}: {examples}, ..."
            )


# ---------------------------------------------------------------------- file


class DecisionLog:
    """The file `decisions.jsonl` of a run, which only grows."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._text = b""
        self._parsed: list[Decision | None] = []

    def append(
        self,
        subject: str,
        values: Mapping[str, JsonValue],
        reason: str,
        author: str | None,
        iteration: int | None,
    ) -> list[Decision]:
        """Append one decision for each row of `values`.

        row -> value, all in one write. It is on disk when this returns. Without `author` it is the
        user of the machine.
        """
        time, author = datetime.now(UTC).isoformat(timespec="milliseconds"), author or user_name()
        made = [
            Decision(
                time=time,
                author=whole(author),
                subject=subject,
                row=row,
                value=value,
                reason=whole(reason),
                iteration=iteration,
            )
            for row, value in values.items()
        ]
        append_lines(self.file, (d.model_dump(mode="json") for d in made))
        return made

    def in_force(self, subject: str, iteration: int | None = None) -> dict[str, Decision]:
        """Return the decisions in force on a subject, by row.

        In the order in which they were made. With `iteration`, those that hold there.
        """
        stacks: dict[str, list[tuple[int, Decision]]] = {}
        for number, decision in enumerate(self._read()):
            if (
                decision
                and decision.subject == subject
                and (iteration is None or decision.iteration in (None, iteration))
            ):
                stack = stacks.setdefault(decision.row, [])
                if decision.value != "undo":
                    stack.append((number, decision))
                elif alike := [k for k, (_, d) in enumerate(stack) if d.iteration == decision.iteration]:
                    del stack[alike[-1]]
        last = sorted((stack[-1] for stack in stacks.values() if stack), key=lambda pair: pair[0])
        return {decision.row: decision for _, decision in last}

    def _read(self) -> list[Decision | None]:
        """Every line of the file; None for one that is not a decision.

        A warning names such a line, if it is whole.
        """
        text = _content(self.file)
        # Views ask after every decision: only lines that were added since are parsed, or each decision would
        # cost more than the one before.
        if not text.startswith(self._text):
            self._text, self._parsed = b"", []
        added = text[len(self._text) : text.rfind(b"\n") + 1]
        lines = enumerate(added.split(b"\n")[:-1], len(self._parsed) + 1)
        self._parsed = self._parsed + [_decision(line, self.file, number) for number, line in lines]
        self._text += added
        rest = text[len(self._text) :]  # of a write that was cut short, or is still going on
        return [*self._parsed, _decision(rest, self.file, len(self._parsed) + 1, whole=False)]


def lost(log: DecisionLog, rows: Callable[[str, int], frozenset[str] | None], upto: Iterable[int]) -> str:
    """Count the decisions on rows that no table has.

    Those in force, in words; empty where there is none.

    Args:
        log: The decisions.
        rows: The rows of a subject in an iteration; None where they are not made yet, so that they may come.
        upto: The iterations whose rows can be decided on.
    """
    iterations, gone = list(upto), dict[str, int]()
    for subject in TABLES:
        if not iterations or not log.in_force(subject):
            continue
        known = {j: rows(subject, j) for j in iterations}
        of_one = [d for j in iterations for d in log.in_force(subject, j).values() if d.iteration == j]
        of_any = [d for d in log.in_force(subject).values() if d.iteration is None]
        for decision in (*of_one, *of_any):
            made = [ids for j, ids in known.items() if decision.iteration in (None, j)]
            if made and None not in made and not any(decision.row in (ids or ()) for ids in made):
                gone[subject] = gone.get(subject, 0) + 1
    if not gone:
        return ""
    counts = ", ".join(f"{n} on {subject}s" for subject, n in gone.items())
    return (
        f"Decisions on rows that the run no longer has: {sum(gone.values())} ({counts}), in {log.file}. They"
        " decide nothing, stay in the file, and hold again where the rows come back."
    )


def _content(file: Path) -> bytes:
    """The whole file, empty where there is none.

    Raises:
        RunError: It is not a file that can be read.
    """
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise RunError(
            f"{file} cannot be read ({error.strerror}), so what people decided is not known. Move it away or"
            " repair it."
        ) from None


def _decision(line: bytes, file: Path, number: int, whole: bool = True) -> Decision | None:
    """A line of the file; None where it is not a decision.

    A warning names such a line, if it is `whole`.
    """
    if not line.strip():
        return None
    try:
        decision = Decision.model_validate_json(line)
        check(decision.subject, decision.row, decision.value)
        return decision
    except ValueError as error:
        reason = _reason(error) if isinstance(error, ValidationError) else str(error)
    if whole:
        warnings.warn(
            f"{visible(file)}, line {number} is not a decision and is left out: {visible(reason)}",
            stacklevel=2,
        )
    return None
