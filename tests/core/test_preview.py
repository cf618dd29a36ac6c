"""Tables and samples in a notebook: rows and their count in words, text as text."""

from __future__ import annotations

import re
from pathlib import Path

import looptool_kit as lt
from looptool_kit.core.preview import ROWS, preview, table_html, words
from looptool_kit.core.records import Expansions, Probes, Verdicts
from looptool_kit.run.folder import Run

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"
EVIL = "<script>bad()</script><img src=x onerror=bad()>\x1b[31m\u202e"


def test_tables_show_their_first_rows_with_a_count() -> None:
    run = Run.open(RECORDED, read_only=True)
    samples = run.table(lt.Samples, "samples", 2)
    shown = samples._repr_html_()
    assert f"Samples: {len(samples):,} rows, the first {ROWS}" in shown
    assert shown.count("<tr>") == ROWS + 1 and all(f">{c}<" in shown for c in ("request", "label", "kind"))
    call = next(s for s in samples if s.label.calls).label.calls[0]
    assert re.fullmatch(rf"{call.name}\(.*\)", words(call)) and "{" not in words(call).split("(")[0]
    for kind, name in ((Probes, "probes"), (Verdicts, "verdicts"), (Expansions, "expansions")):
        table = run.table(kind, name, 2)
        assert len(preview(table)) < 60_000 and f"{kind.__name__}: {len(table)} rows" in preview(table)
    assert "Samples: 0 rows" in lt.Samples()._repr_html_()


def test_no_column_lies_over_another_where_a_notebook_is_not_trusted() -> None:
    """JupyterLab lays tables out by the widths of their heads, and drops `overflow-wrap`."""
    columns = ("request", "judge", "confidence", "error", "tool", "rationale")
    cells = (
        "Please. " * 20,
        "PRED_WRONG",
        "0.94",
        "missing parameter",
        "list_all_device_timers",
        "Why. " * 30,
    )
    shown = table_html(columns, [cells] * 3, "", ("request", "rationale"))
    assert shown.count("word-wrap:break-word") == shown.count("<th ") + shown.count("<td ") == 24
    widths = dict(zip(columns, map(int, re.findall(r'<th style="width:(\d+)%', shown)), strict=True))
    assert 90 <= sum(widths.values()) <= 100 and widths["request"] == widths["rationale"] >= 20
    assert widths["judge"] >= len("PRED_WRONG") and widths["tool"] < len("list_all_device_timers")
    assert "width" not in table_html(("from", "to"), [("D1", "D2")])
    many = table_html(("request", *(f"a_column_{k}" for k in range(12))), [], "", ("request",))
    assert int(re.findall(r"width:(\d+)%;text", many)[0]) >= 30


def test_text_of_samples_stays_text() -> None:
    sample = lt.Sample(
        tools=(lt.Tool(name="look"),),
        messages=(lt.Message(role="user", content=EVIL),),
        label=lt.Label(calls=(lt.ToolCall(name="look", arguments={"at": EVIL}),)),
        kind=EVIL,
    )
    for shown in (sample._repr_html_(), lt.Samples([sample])._repr_html_()):
        assert "<script" not in shown and "<img" not in shown and "&lt;script&gt;" in shown
        assert "\x1b" not in shown and "\u202e" not in shown and 'dir="auto"' in shown
    assert "look" in sample._repr_html_() and words(lt.Label(reply="No.")) == "No."
    assert words((1, 2.5, True, None, [])) == "1, 2.5, yes, –, … (5)"
