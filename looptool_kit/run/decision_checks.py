"""The rule tier on what a person writes: the label of a sample, a sample in a child's place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import JsonValue

from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.tables import column


def check_written(subject: str, values: Mapping[str, JsonValue], datasets: Iterable[Path]) -> None:
    """Raise `ValueError` where a rule speaks against what decisions write.

    Of a label its form and calls are checked. Whether the dialogue supports its arguments is not: that is
    what the person knows better. An edited sample passes all checks, as every written sample does.

    Args:
        subject: What is decided on.
        values: Row -> value, each of a valid form (`decisions.check`).
        datasets: The tables of samples in which the rows of verdicts may be.
    """
    from looptool_kit.checks.rules import call_errors, check_sample, label_errors

    written = {
        row: v
        for row, v in values.items()
        if isinstance(v, dict) and not v.keys().isdisjoint(("label", "edit"))
    }
    found = _samples(written, datasets) if subject == "verdict" else {}
    for row, value in written.items():
        if subject == "expansion":
            sample = Sample.model_validate(value["edit"])
            wrong = [f"{c.name}: {c.detail}" for c in check_sample(sample) if not c.passed]
        else:
            label = Label.model_validate(value["label"])
            wrong = label_errors(label)
            if row in found:
                wrong += [e for call in label.calls for e in call_errors(call, found[row].tools)]
        if wrong:
            what = "sample in place" if subject == "expansion" else "label"
            raise ValueError(f"the {what} of {row} is refused: {'; '.join(wrong)}. Nothing was decided.")


def _samples(ids: Iterable[str], datasets: Iterable[Path]) -> dict[str, Sample]:
    """The samples of these ids, as far as the tables have them."""
    left, found = set(ids), dict[str, Sample]()
    for file in datasets:
        if not left or not file.exists():
            continue
        places = [at for at, name in enumerate(column(file, "id")) if name in left]
        if places:
            # One row of a large table is most of what is asked for.
            between = Samples.read(file, rows=range(places[0], places[-1] + 1))
            found |= {s.id: s for s in between if s.id in left}
            left -= found.keys()
    return found
