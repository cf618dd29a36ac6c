"""Tables and samples as a notebook shows them: a few rows in plain HTML, text as text."""

from __future__ import annotations

import html
import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from looptool_kit.core.terminal import visible

ROWS = 8
"""Rows of a table that are shown."""
MAX_CHARACTERS = 160
"""Of a cell."""
WIDE = ("request", "label", "text", "rationale", "sample", "answer", "pattern")
"""Columns that get room to be read in."""


def table_html(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "", wide: Collection[str] = ()
) -> str:
    """A plain HTML table, every cell escaped and aligned left.

    Args:
        columns: their heads.
        rows: their cells, of any type.
        caption: stands above the table.
        wide: columns of text, which get most of the width.
    """
    left = "text-align:left"
    wide = [c for c in columns if c in wide]
    share = f"width:{70 // len(wide)}%;" if wide else ""
    # A layout that browsers work out from the texts: in one of fixed widths, the words of narrow columns lie
    # over each other in a notebook that is not trusted, where JupyterLab drops `overflow-wrap`.
    looks = [f"{share}{left};overflow-wrap:anywhere" if c in wide or not wide else left for c in columns]
    head = "".join(
        f'<th style="{look}">{html.escape(visible(c))}</th>' for c, look in zip(columns, looks, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td dir="auto" style="{look}">{html.escape(visible(v))}</td>'
            for v, look in zip(row, looks, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    title = f'<caption style="{left}">{html.escape(visible(caption))}</caption>'
    full = ' style="width:100%"' if wide else ""
    return f"<table{full}>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def preview(table: Any) -> str:
    """The first rows of a table as HTML, with their count."""
    columns, cells = _columns(table)
    rows = [cells(row) for row in table[:ROWS]]
    count = f"{type(table).__name__}: {len(table):,} row{'' if len(table) == 1 else 's'}"
    more = f", the first {ROWS}" if len(table) > ROWS else ""
    return table_html(columns, rows, count + more, wide=WIDE)


def sample_html(sample: Any) -> str:
    """Render a sample as HTML.

    Its dialogue, its label, and the tools on offer.
    """
    rows: list[tuple[str, str]] = [
        (m.role, _cut(f"{m.content} {words(m.tool_calls)}".strip())) for m in sample.messages
    ]
    rows.append(("label", _cut(words(sample.label))))
    rows.append(("tools", _cut(", ".join(t.name for t in sample.tools))))
    return table_html(("", "text"), rows, f"Sample {sample.id} {sample.kind}", wide=("text",))


def words(value: Any) -> str:
    """Write a value as people read it.

    Calls as `name(argument=value)`, a label as its calls or its reply.
    """
    match value:
        case object(name=str(), arguments=dict()):
            given = ", ".join(f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in value.arguments.items())
            return f"{value.name}({given})"
        case object(calls=tuple(), reply=str()):  # a label
            return words(value.calls) if value.calls else value.reply or "(a plain reply)"
        case object(calls=tuple(), text=str()):  # an answer
            fault = getattr(value, "error", None)
            return str(fault or (words(value.calls) if value.calls else value.text))
        case object(request=str()):  # a sample
            return str(value.request)
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case None:
            return "–"
        case tuple() | list():
            some = [words(v) for v in value[:4]]
            return ", ".join(some) + (f", … ({len(value)})" if len(value) > 4 else "")
    return str(value)


def _columns(table: Any) -> tuple[list[str], Any]:
    if "messages" in table.row_type.model_fields:  # samples
        names = ["request", "label", "kind", "tools"]
        return names, lambda s: [_cut(s.request), _cut(words(s.label)), s.kind, len(s.tools)]
    fields = list(table.row_type.model_fields)
    return fields, lambda row: [_cut(words(getattr(row, name))) for name in fields]


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS] + "…"


def show_call(call: Any) -> str:
    """A `ToolCall` as Python would write it, its values as JSON."""
    values = (f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in call.arguments.items())
    return f"{call.name}({', '.join(values)})"
