"""An audit for people: a terminal table, one HTML page, and how far each kind can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from looptool_kit.audit.audit import Audited, kinds, severity
from looptool_kit.audit.findings import SEVERITIES, Finding
from looptool_kit.audit.merits import Merit, measured, pooled, precision_of
from looptool_kit.core.stats import wilson
from looptool_kit.core.terminal import amount, cell
from looptool_kit.core.toolcalls import render_answer

MAX_TABLE_REASON = 150
"""Characters of a reason that the table shows."""
MAX_PAGE_FINDINGS = 50
"""Findings of a kind that the page shows; the JSON lines have all."""
MAX_PAGE_CHARACTERS = 2_000
"""Of a label that the page shows."""


class KindRow(NamedTuple):
    """One kind of an audit."""

    kind: str
    severity: str
    findings: int
    rows: int
    share: float
    """Of all rows."""
    repairs: int
    first: Finding


def by_kind(audited: Audited) -> list[KindRow]:
    """One row for each kind that was found, the gravest first."""
    groups: dict[str, list[Finding]] = {}
    for finding in audited.findings:
        groups.setdefault(finding.kind, []).append(finding)
    out = []
    for kind in audited.counts():
        of = groups[kind]
        rows, repairs = len({(f.row, f.sample_id) for f in of}), sum(f.repair is not None for f in of)
        share = rows / max(1, len(audited.rows))
        out.append(KindRow(kind, severity(kind), len(of), rows, share, repairs, of[0]))
    return out


def summary(audited: Audited) -> str:
    """One sentence: how many samples have a finding of each severity."""
    n = len(audited.rows)
    parts = []
    for name in SEVERITIES:
        k = len({(f.row, f.sample_id) for f in audited.findings if f.severity == name})
        low, high = wilson(k, n)
        parts.append(f"{k:,} with {'an error' if name == 'error' else f'a {name}'}")
        if name == "error" and n:
            parts[-1] += f" ({k / n:.1%}; {low:.1%} to {high:.1%} by a 95% interval)"
    return f"{amount(n, 'sample')}: {', '.join(parts)}."


def table(audited: Audited) -> Any:
    """The kinds as a rich table with one finding of each."""
    from rich.table import Table

    out = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for head, right in (("severity", False), ("kind", False), ("samples", True), ("repairs", True)):
        out.add_column(head, justify="right" if right else "left", no_wrap=True)
    out.add_column("for example")
    colours = {"error": "red", "warning": "yellow", "note": "dim"}
    for row in by_kind(audited):
        reason = row.first.reason
        short = reason if len(reason) <= MAX_TABLE_REASON else reason[: MAX_TABLE_REASON - 3] + "..."
        first = cell(f"row {row.first.row}: {short}")
        out.add_row(
            f"[{colours[row.severity]}]{row.severity}[/]",
            cell(row.kind),
            f"{row.rows:,}",
            f"{row.repairs:,}" if row.repairs else "-",
            first,
        )
    return out


# ----------------------------------------------------------------------- kinds


def kinds_help() -> Iterator[tuple[str, str, str, str, str, str]]:
    """Describe each kind, the gravest first.

    Severity, kind, precision, recall, false alarms and words.
    """
    merits = measured()
    for name in sorted(kinds(), key=lambda k: (SEVERITIES.index(severity(k)), k)):
        of = merits.get(name, {})
        cells = _measured_cells(of) if of else ("not measured", "-", "-")
        yield severity(name), name, *cells, kinds()[name].WORDS


def _measured_cells(merits: dict[str, Merit]) -> tuple[str, str, str]:
    total, (precision, least) = pooled(merits), precision_of(merits)
    recall, low, high = total.recall
    false, _, most = total.false_rate
    sure = f"{precision:.2f} (>= {least:.2f})" if total.planted else "-"
    found = f"{recall:.2f} [{low:.2f}, {high:.2f}]" if total.planted else "-"
    return sure, found, f"{false:.2%} (<= {most:.2%})" if total.clean else "-"


def kinds_table() -> Any:
    """`kinds_help` as a rich table."""
    from rich.table import Table

    out = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for head in ("severity", "kind", "precision", "recall", "false alarms", "finds"):
        out.add_column(head, no_wrap=head in ("severity", "kind"))
    for cells in kinds_help():
        out.add_row(*map(cell, cells))
    return out


# ------------------------------------------------------------------------ page


def page(audited: Audited, name: str) -> str:
    """Render the audit as one HTML page without scripts or network."""
    from looptool_kit.report.render import render_template

    samples = {row.sample.id: row.sample for row in audited.rows if row.sample is not None}
    groups = []
    for row in by_kind(audited):
        of = [f for f in audited.findings if f.kind == row.kind]
        items = [_item(f, samples.get(f.sample_id)) for f in of[:MAX_PAGE_FINDINGS]]
        groups.append(
            {"row": row, "words": kinds()[row.kind].WORDS, "items": items, "more": len(of) - len(items)}
        )
    proposed = [row.kind for row in by_kind(audited) if row.repairs]
    return render_template(
        "audit.html.jinja",
        name=name,
        summary=summary(audited),
        groups=groups,
        kinds=list(kinds_help()),
        proposed=proposed,
    )


def _item(finding: Finding, sample: Any) -> dict[str, Any]:
    def text(label: Any) -> str:
        return render_answer(label)[:MAX_PAGE_CHARACTERS] if label is not None else ""

    return {
        "finding": finding,
        "request": sample.request[:MAX_PAGE_CHARACTERS] if sample is not None else "",
        "label": text(sample.label if sample is not None else None),
        "repair": text(finding.repair),
    }
