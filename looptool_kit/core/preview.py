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
LINE_CHARACTERS = 100
"""Those that a table as wide as a notebook has room for: JupyterLab with its file browser, 1,400 pixels."""
WORD_CHARACTERS = 14
"""A narrow column's word longer than this is broken, so that the columns of text keep room."""
NARROW_SHARE = 54
"""Percent of the width that the narrow columns get at most."""
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
    left, body_rows = "text-align:left", [[visible(v) for v in row] for row in rows]
    shares = _shares(columns, body_rows, wide)
    # JupyterLab lays tables out by the widths of their heads, where words that are longer lie over the next
    # cell; of a notebook that is not trusted it keeps `word-wrap`, but not its newer name `overflow-wrap`.
    looks = [f"{f'width:{share}%;' if share else ''}{left};word-wrap:break-word" for share in shares]
    head = "".join(
        f'<th style="{look}">{html.escape(visible(c))}</th>' for c, look in zip(columns, looks, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td dir="auto" style="{look}">{html.escape(v)}</td>' for v, look in zip(row, looks, strict=True)
        )
        + "</tr>"
        for row in body_rows
    )
    title = f'<caption style="{left}">{html.escape(visible(caption))}</caption>'
    full = ' style="width:100%"' if any(shares) else ""
    return f"<table{full}>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _shares(columns: Sequence[str], rows: Sequence[Sequence[str]], wide: Collection[str]) -> list[int]:
    """Percent of the width for each column, narrow ones by their longest word; 0 without a wide one."""
    texts = sum(c in wide for c in columns)
    if not texts:
        return [0] * len(columns)
    words_of = [" ".join((c, *(row[k] for row in rows))).split() for k, c in enumerate(columns)]
    # Two more for the space between columns.
    needed = [
        0 if c in wide else min(WORD_CHARACTERS, max(map(len, said), default=0)) + 2
        for c, said in zip(columns, words_of, strict=True)
    ]
    room = max(LINE_CHARACTERS, 100 * sum(needed) / NARROW_SHARE)
    shares = [round(100 * n / room) for n in needed]
    return [share or (100 - sum(shares)) // texts for share in shares]


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
