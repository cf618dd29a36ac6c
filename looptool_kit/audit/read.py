"""The rows to audit: of a file or folder in any form, of a run, or of data in BFCL's form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from looptool_kit.audit.kinds.forbidden_answers import obeys
from looptool_kit.audit.look import ACCEPTABLE, DERIVED, LANGUAGE, malformed
from looptool_kit.core.samples import Label, Sample, Samples, Tool
from looptool_kit.core.tables import Stored
from looptool_kit.formats import Form, unchecked
from looptool_kit.formats._files import rows_of
from looptool_kit.stages.evaluate.bfcl.acceptable import Language, bfcl_tools
from looptool_kit.stages.evaluate.bfcl.labels import first_acceptable, language_of, messages_of


class Row(NamedTuple):
    """A sample with its row's number, or why there is none.

    Numbers begin with 1.
    """

    number: int
    sample: Sample | None
    reason: str = ""


def rows(path: Path, form: Form | None = None) -> Iterator[Row]:
    """Yield the samples of a file, a folder or a run unchanged.

    Of a run those of its newest dataset.

    Args:
        path: A file or folder in any form that `formats` reads, a run folder, or question files in BFCL's
            form, whose acceptable answers stand in the row (`ground_truth`) or in `possible_answer/` beside.
        form: The rows' form; by default each row's is detected.

    Raises:
        FileNotFoundError: There is nothing.
        RunError: The run has no dataset yet.
    """
    if (path / "run.toml").exists():
        from looptool_kit.run.folder import Run

        run = Run.open(path, read_only=True)
        newest = Stored(Samples, run.folder(run.iteration) / "samples.parquet")
        yield from (Row(at, sample) for at, sample in enumerate(newest, 1))
    elif form is None and path.is_file() and _in_bfcl_form(path):
        yield from _bfcl_rows(path)
    else:
        yield from (Row(u.row, u.sample, u.reason) for u in unchecked(path, form))


def _in_bfcl_form(path: Path) -> bool:
    first = next((r.value for r in rows_of(path)), None)
    return (
        isinstance(first, Mapping)
        and "question" in first
        and {"function", "involved_classes"} & set(first) != set()
    )


def _bfcl_rows(path: Path) -> Iterator[Row]:
    answers: dict[Any, Any] = {}
    beside = path.parent / "possible_answer" / path.name
    if beside.is_file():
        given = (r.value for r in rows_of(beside))
        answers = {r["id"]: r.get("ground_truth") for r in given if isinstance(r, Mapping) and "id" in r}
    category = path.stem.partition("_v4_")[2] or path.stem
    for number, _, row, _ in rows_of(path):
        try:
            if isinstance(row, Exception):
                raise ValueError(str(row))
            given = row.get("ground_truth", answers.get(row.get("id")))
            yield Row(number, bfcl_sample(row, given, category))
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            yield Row(number, None, f"not a row in BFCL's form: {type(error).__name__}: {error}")


def bfcl_sample(row: Mapping[str, Any], truth: Any, category: str) -> Sample:
    """A question in BFCL's form with its acceptable answers in `meta`.

    The label is an answer that they accept, of values that obey the tool where there are some.

    Raises:
        ValueError: The row has no tools or no acceptable answers.
    """
    if "function" not in row:
        raise ValueError("its tools do not stand in the row (`function`): dialogues are not read")
    if truth is None and "irrelevance" in category:
        truth = []
    if truth is None:
        raise ValueError("it has no acceptable answers (`ground_truth`)")
    language: Language = language_of(category)
    tools = tuple(bfcl_tools(row["function"], language))
    messages = messages_of(row["question"][0])
    documents = row["function"]
    calls = () if malformed(truth) else first_acceptable(_obeying_first(truth, tools), documents, language)
    meta: dict[str, Any] = {ACCEPTABLE: truth, DERIVED: True, "id": str(row.get("id", ""))}
    if language != "python":
        meta[LANGUAGE] = language
    return Sample(
        tools=tools, messages=messages, label=Label(calls=calls), kind=category, source="bfcl", meta=meta
    )


def _obeying_first(truth: Any, tools: tuple[Tool, ...]) -> list[dict[str, Any]]:
    """The acceptable answers with those values first that obey the tool."""
    by_name = {t.name: t for t in tools}
    out = []
    for entry in truth:
        name, parameters = next(iter(entry.items()))
        tool = by_name.get(name.replace(".", "_"))
        ordered = {
            p: sorted(values, key=lambda v, p=p: not (v != "" and tool and obeys(tool, p, v)))  # type: ignore[misc]
            for p, values in parameters.items()
        }
        out.append({name: ordered})
    return out
