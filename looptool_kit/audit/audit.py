"""The audit: from samples to a table of findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Sized
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import NamedTuple, TypeVar

from looptool_kit.audit.findings import SEVERITIES, Finding, Findings, Found, Severity
from looptool_kit.audit.look import Look
from looptool_kit.audit.merits import measured, severity_of
from looptool_kit.audit.read import Row
from looptool_kit.core.errors import did_you_mean
from looptool_kit.core.progress import bar
from looptool_kit.core.samples import Samples
from looptool_kit.core.tables import no_collection

_KINDS = "looptool_kit.audit.kinds"
_T = TypeVar("_T")


class Audited(NamedTuple):
    """What was looked at, and what was found."""

    findings: Findings
    rows: list[Row]

    @property
    def samples(self) -> Samples:
        """The samples that could be read, in order."""
        return Samples(r.sample for r in self.rows if r.sample is not None)

    def worst(self) -> Severity | None:
        """The gravest severity; None where nothing was found."""
        there = {f.severity for f in self.findings}
        return next((s for s in SEVERITIES if s in there), None)

    def counts(self) -> Counter[str]:
        """Kind -> findings, the gravest kinds first."""
        counts = Counter(f.kind for f in self.findings)
        order = sorted(counts, key=lambda k: (SEVERITIES.index(severity(k)), -counts[k], k))
        return Counter({kind: counts[kind] for kind in order})


@cache
def kinds() -> dict[str, ModuleType]:
    """The kinds by name: the modules of `kinds/`."""
    names = sorted(m.name for m in iter_modules(import_module(_KINDS).__path__) if m.name[0] != "_")
    return {name: import_module(f"{_KINDS}.{name}") for name in names}


@cache
def severity(kind: str) -> Severity:
    """Return how grave the findings of a kind are.

    By what they do, and by what was measured.
    """
    return severity_of(measured().get(kind, {}), kinds()[kind].HARM)


def check_kinds(names: Iterable[str]) -> list[str]:
    """The names, if there are such kinds.

    Raises:
        ValueError: There is no such kind; it lists those there are.
    """
    names = list(names)
    for name in names:
        if name not in kinds():
            near = did_you_mean(name, kinds())
            raise ValueError(f"there is no kind of finding {name!r}{near}; choose from {', '.join(kinds())}")
    return names


def audit(
    rows: Iterable[Row] | Samples,
    against: Samples | None = None,
    only: Collection[str] | None = None,
    progress: bool = True,
) -> Audited:
    """Look at every sample with every kind.

    Never raises because of what stands in a row.

    Args:
        rows: What `read.rows` gives, or samples.
        against: Somebody's own test samples, for `leak` and `shared_words`.
        only: The kinds to look for; None: all.
        progress: Show bars.
    """
    wanted = kinds() if only is None else {k: kinds()[k] for k in check_kinds(only)}
    given = (Row(at, s) for at, s in enumerate(rows, 1)) if isinstance(rows, Samples) else rows
    found: list[Finding] = []
    kept: list[Row] = []
    views: list[Look] = []
    with no_collection():
        for row in _counted(given, "audit", "sample", progress):
            kept.append(row)
            if row.sample is None:
                if "unreadable" in wanted:
                    found.append(_finding(row.number, "", "unreadable", Found(row.reason)))
                continue
            view = Look(row.sample, row.number)
            views.append(view)
            found += look_at(view, wanted)
            view.__dict__.pop("errors", None)
        between = {name: kind for name, kind in wanted.items() if hasattr(kind, "across")}
        for name, kind in _counted(list(between.items()), "between samples", "kind", progress):
            found += _across(name, kind.across, views, against)
    return Audited(Findings(sorted(found, key=lambda f: f.row)), kept)


def look_at(view: Look, wanted: dict[str, ModuleType]) -> list[Finding]:
    """What the kinds that look at one sample find in it."""
    out = []
    for name, kind in wanted.items():
        if not hasattr(kind, "look"):
            continue
        try:
            out += [_finding(view.row, view.sample.id, name, f) for f in kind.look(view)]
        except Exception as error:  # a row may hold anything, and one must not end the audit of the others
            words = f"{name} could not look at it: {type(error).__name__}: {str(error)[:200]}"
            out.append(_finding(view.row, view.sample.id, "unreadable", Found(words)))
    return out


def _across(
    name: str,
    look: Callable[[Sequence[Look], Samples | None], Iterator[tuple[int, Found]]],
    views: Sequence[Look],
    against: Samples | None,
) -> list[Finding]:
    return [_finding(views[at].row, views[at].sample.id, name, f) for at, f in look(views, against)]


def _finding(row: int, sample_id: str, kind: str, found: Found) -> Finding:
    reason, place, repair = found
    return Finding(
        row=row,
        sample_id=sample_id,
        kind=kind,
        severity=severity(kind),
        reason=reason.encode("utf-8", "backslashreplace").decode(),  # it may quote a lone surrogate
        place=place.encode("utf-8", "backslashreplace").decode(),
        repair=repair,
    )


def _counted(rows: Iterable[_T], name: str, unit: str, progress: bool) -> Iterator[_T]:
    """The rows, with a bar that shows how many were taken."""
    if not progress:
        yield from rows
        return
    shown = bar(len(rows) if isinstance(rows, Sized) else None, name, unit)
    try:
        for row in rows:
            yield row
            shown.update(1)
    finally:
        shown.close()
