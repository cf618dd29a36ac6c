"""Datasets in and out, in the forms that others use.

Each form is one file.

| form | a row |
| --- | --- |
| `openai` | `messages` (with `tool_calls`, arguments as JSON text) and `tools`, as for OpenAI's fine-tuning |
| `sharegpt` | `conversations` of `from` / `value` with `function_call` and `observation` turns, `system`, \
`tools` (JSON text), as for LLaMA-Factory |
| `hermes` | `conversations` of `from` / `value`, calls as `<tool_call>` text, tools in a `<tools>` block of \
the system turn |
| `xlam` | `query`, `tools`, `answers` (the latter two JSON text), as in xLAM's and APIGen's data |
| `trl` | `prompt`, `completion` (turns as in `openai`, arguments as objects) and `tools`, as for TRL's \
trainers |
| `verl` | `data_source`, `prompt`, `ability`, `reward_model`, `extra_info`: `docs/verl.md` |
| `looptool` | our own rows |

`read` detects the form. A dialogue gives one sample for each assistant turn. A row that cannot be used is
rejected with its number and a reason. A turn whose call led to an error is masked: it stays in the context of
later turns, but is not a sample of its own (TL-Training, arXiv 2412.15495).
"""

from __future__ import annotations

import json
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, cast, get_args

from looptool_kit.checks.rules import form_faults
from looptool_kit.core.errors import did_you_mean
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.tables import atomic
from looptool_kit.core.toolcalls import render_answer
from looptool_kit.formats._files import rows_of, write_rows
from looptool_kit.formats._turns import FAILED_CALL, Left, Unusable

__all__ = [
    "FORMS", "Form", "convert", "detect", "fitting", "form_named", "read", "samples_of", "to_row",
    "unchecked", "write",
]  # fmt: skip

Form = Literal["openai", "sharegpt", "hermes", "xlam", "trl", "verl", "looptool"]
FORMS: tuple[Form, ...] = get_args(Form)
"""The forms; each is the module of that name."""
_DETECTION: tuple[Form, ...] = ("verl", "trl", "looptool", "openai", "xlam", "sharegpt", "hermes")
"""The order in which `detect` tries them: of forms that share a key, the one that asks for more first."""
OnReject = Callable[[int, str, str], None]
"""Called with row number, raw text and reason."""


class FormModule(Protocol):
    """What the file of a form holds."""

    COLUMNS: frozenset[str]
    """The columns that `read` uses; an import says that others are left behind."""

    def detect(self, row: Mapping[str, Any]) -> bool:
        """Tell whether a row has this form's keys.

        Forms before it in `_DETECTION` were asked first.
        """

    def read(self, row: Mapping[str, Any], source: str, left: Left) -> Iterator[Sample | Unusable]:
        """Yield a row's samples, and why a turn is none.

        Counts in `left` what is left behind. `ValueError`, `TypeError`, `KeyError` or
        `AttributeError` reject the row.
        """

    def write(self, sample: Sample, index: int) -> dict[str, Any]:
        """Make a sample the `index`-th row of its file.

        `ValueError` says that it does not fit.
        """


def _module(form: Form) -> FormModule:
    return cast(FormModule, import_module(f"{__name__}.{form}"))


def form_named(name: str, others: Sequence[str] = ()) -> Form:
    """Look a form up by its name.

    Args:
        name: Its name.
        others: What else could have been meant.

    Raises:
        ValueError: There is none; lists those there are.
    """
    for form in FORMS:
        if form == name:
            return form
    known = (*FORMS, *others)
    raise ValueError(
        f"there is no form {name!r}{did_you_mean(name, known)}; choose one of {', '.join(known)}"
    )


def detect(row: Any) -> Form:
    """Tell the form of a row.

    Raises `ValueError` where it is none of them.
    """
    if not isinstance(row, Mapping):
        raise ValueError(f"a row is an object, not {str(row)[:40]!r}")
    for form in _DETECTION:
        if _module(form).detect(row):
            return form
    raise ValueError(f"the keys {', '.join(list(row)[:6])} belong to none of the forms {', '.join(FORMS)}")


# ---------------------------------------------------------------------- read


def read(
    path: str | Path,
    on_reject: OnReject | None = None,
    form: Form | None = None,
    mask_errors: bool = True,
) -> Samples:
    """Read the samples of a file or folder in any form.

    A file ends in .jsonl, .json or .parquet; a folder is one that `datasets` has saved. What no row says is
    left open: a plain reply counts as right whatever it says.

    Args:
        path: The file or folder.
        on_reject: Called with row number (from 1), raw text and reason for each row that cannot be used.
            The good ones are returned. It is called for each masked turn as well.
        form: The rows' form; by default each row's is detected.
        mask_errors: Leave out the turns whose call led to an error.

    Raises:
        ValueError: A row cannot be used and there is no `on_reject`; it names file, row and reason.
    """
    masked: list[str] = []

    def on_mask(row: int, raw: str, reason: str) -> None:
        masked.append(f"row {row}: {reason}")
        if on_reject is not None:
            on_reject(row, raw, reason)

    samples = Samples(_read(Path(path), on_reject, form, on_mask if mask_errors else None, Left()))
    if masked and on_reject is None:
        warnings.warn(
            f"{path}: {len(masked)} turns masked ({masked[0]}); mask_errors=False keeps them", stacklevel=2
        )
    return samples


class Converted(NamedTuple):
    """What became of a file."""

    samples: int
    rejected: int
    """Rows that cannot be used."""
    first: str
    """The first of these in words."""
    masked: int
    """Turns that are not samples, since their call led to an error."""
    reasons: Counter[str]
    """Why rows and turns were rejected, and how often."""
    left: Left
    """What of the rows the samples do not hold, and how often."""


def convert(
    path: Path,
    out: Path,
    rejected: Path,
    form: Form | None = None,
    mask_errors: bool = True,
    name: str = "",
) -> Converted:
    """Write a file's samples to another one, row by row.

    Only one row is held at a time.

    Args:
        path: The file to read.
        out: The .jsonl or .parquet file to write.
        rejected: The file for the rows that cannot be used and the turns that are masked; not made where
            there are none.
        form: The rows' form; by default each row's is detected.
        mask_errors: Leave out the turns whose call led to an error.
        name: What `rejected` calls the file; by default its path.
    """
    count, first, masked = 0, "", 0
    reasons, left = Counter[str](), Left()
    with (
        atomic(rejected) as unfinished,
        open(unfinished, "w", encoding="utf-8", errors="backslashreplace") as lines,
    ):

        def keep(row: int, raw: str, reason: str) -> None:
            record = {"file": name or str(path), "row": row, "reason": reason, "raw": raw}
            lines.write(json.dumps(record, ensure_ascii=False) + "\n")

        def reject(row: int, raw: str, reason: str) -> None:
            nonlocal first
            first = first or f"row {row}: {reason}"
            reasons[_in_short(reason)] += 1
            keep(row, raw, reason)

        def mask(row: int, raw: str, reason: str) -> None:
            nonlocal masked
            masked += 1
            keep(row, raw, reason)

        def counted() -> Iterator[Sample]:
            nonlocal count
            for sample in _read(path, reject, form, mask if mask_errors else None, left):
                count += 1
                yield sample

        Samples.write_rows(out, counted())
    bad = reasons.total()
    if not bad and not masked:
        rejected.unlink()
    return Converted(count, bad, first, masked, reasons, +left)


def _in_short(reason: str) -> str:
    """A reason without what differs from row to row."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|\d+", "...", reason)[:100]


def samples_of(row: Mapping[str, Any], form: Form, source: str) -> list[Sample]:
    """Return the samples of one row, unchecked.

    Turns that cannot be read are left out.
    """
    return [s for s in _module(form).read(row, source, Left()) if isinstance(s, Sample)]


class Unchecked(NamedTuple):
    """One sample of a row unchanged, or why there is none."""

    row: int
    """From 1."""
    raw: str
    sample: Sample | None
    reason: str = ""


def unchecked(path: str | Path, form: Form | None = None, left: Left | None = None) -> Iterator[Unchecked]:
    """Yield every sample of a file or folder unchanged.

    What `read` rejects or masks as well.

    Args:
        path: As for `read`.
        form: The rows' form; by default each row's is detected.
        left: Counts what is left behind.
    """
    path, left = Path(path), Left() if left is None else left
    for number, raw, row, split in rows_of(path):
        try:
            if isinstance(row, Exception):
                raise ValueError(str(row))
            module = _module(form or detect(row))
            left.update(f"column {key!r}" for key in row.keys() - module.COLUMNS if row[key] is not None)
            found = list(module.read(row, f"file:{path.name}", left))
            if not found:
                raise ValueError("it holds no assistant turn to learn from")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            kind = {KeyError: "there is no key ", AttributeError: "AttributeError: "}.get(type(error), "")
            yield Unchecked(number, raw, None, f"{kind}{error}")
            continue
        for sample in found:
            if isinstance(sample, Unusable):
                yield Unchecked(number, raw, None, sample.reason)
            else:
                in_split = sample if split == "train" else sample.model_copy(update={"split": split})
                yield Unchecked(number, raw, in_split)


def _read(
    path: Path, on_reject: OnReject | None, form: Form | None, on_mask: OnReject | None, left: Left
) -> Iterator[Sample]:
    """The samples of a file, each once; masked turns are left out where there is an `on_mask`."""
    seen: set[str] = set()

    def reject(number: int, raw: str, reason: str) -> None:
        if on_reject is None:
            raise ValueError(f"{path}, row {number}: {reason}")
        on_reject(number, raw, reason)

    for number, raw, sample, reason in unchecked(path, form, left):
        if sample is None:
            reject(number, raw, reason)
        elif on_mask and FAILED_CALL in sample.meta:
            called = ", ".join(c.name for c in sample.label.calls)
            words = f"masked: the call of {called} led to {sample.meta[FAILED_CALL]}"
            on_mask(number, render_answer(sample.label), words)
        elif faults := form_faults(sample):
            reject(number, raw, faults[0])
        elif sample.id in seen:
            left["samples that appear twice"] += 1
        else:
            seen.add(sample.id)
            yield sample


# --------------------------------------------------------------------- write


def to_row(sample: Sample, form: Form, index: int = 0) -> dict[str, Any]:
    """Make one sample a row of that form.

    Raises `ValueError` where it does not fit, naming it.
    """
    return _module(form).write(sample, index)


def write(samples: Iterable[Sample], path: str | Path, form: Form, split: str = "train") -> Path:
    """Write samples in one of the forms and return the path.

    The ending chooses JSON lines (.jsonl), a JSON list (.json) or Parquet; a folder (no ending) is one that
    `datasets.load_dataset` opens, with the rows as its `split`. What a form has no place for is lost: split,
    origin, and what a plain reply must say. `looptool` and `verl` keep all. Raises `ValueError` where a
    sample does not fit, naming it.
    """
    path, samples = Path(path), Samples(samples)
    if form == "looptool" and path.suffix in (".jsonl", ".parquet"):
        return samples.write(path)
    # verl reads its nested columns as they are; in the other forms arguments have any type.
    write_rows(lambda: (to_row(s, form, at) for at, s in enumerate(samples)), path, form == "verl", split)
    return path


def write_in_own_form(
    samples: Iterable[Sample], path: str | Path, tokenizer: Any, split: str = "train"
) -> Path:
    """Write the form `verl` for a model with its own form.

    As `write` does, for a model that writes calls in a form of its own. Raises `ValueError` where verl
    would lose the calls.
    """
    from looptool_kit.formats.verl import in_own_form

    rows = in_own_form(Samples(samples), tokenizer)
    write_rows(lambda: rows, Path(path), nested=True, split=split)
    return Path(path)


def fitting(samples: Iterable[Sample], form: Form) -> tuple[Samples, list[str]]:
    """The samples that fit a form, and why others do not."""
    fit, reasons = list[Sample](), list[str]()
    for sample in samples:
        try:
            to_row(sample, form)
            fit.append(sample)
        except ValueError as error:
            reasons.append(str(error))
    return Samples(fit), reasons
