"""Turns whose call led to an error are context of later turns, and no samples of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from looptool_kit import formats
from looptool_kit.cli import app
from looptool_kit.core.samples import Samples

CANCEL = {
    "name": "cancel",
    "parameters": {"type": "object", "properties": {"ticket": {"type": "string"}}, "required": ["ticket"]},
}


def dialogue(result: str, wrong: str = '{"ticket": "T-1"}') -> dict[str, Any]:
    """A call that leads to `result`, and one that does after it."""

    def called(number: int, arguments: str) -> dict[str, Any]:
        function = {"name": "cancel", "arguments": arguments}
        call = {"id": str(number), "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}

    messages = [
        {"role": "user", "content": "Cancel ticket T-7."},
        called(1, wrong),
        {"role": "tool", "tool_call_id": "1", "content": result},
        called(2, '{"ticket": "T-7"}'),
        {"role": "tool", "tool_call_id": "2", "content": '{"cancelled": true}'},
        {"role": "assistant", "content": "Done."},
    ]
    return {"messages": messages, "tools": [{"type": "function", "function": CANCEL}]}


def test_an_error_masks_its_turn_and_keeps_it_as_context(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(dialogue('{"error": "no ticket T-1"}')) + "\n")
    told: list[str] = []
    kept = formats.read(path, lambda row, raw, reason: told.append(f"{row} {reason}"))
    assert [len(s.messages) for s in kept] == [3, 5] and kept[0].messages[1].tool_calls
    assert told == ['1 masked: the call of cancel led to {"error": "no ticket T-1"}']
    with pytest.warns(UserWarning, match="1 turns masked .row 1: masked: the call of cancel"):
        assert formats.read(path) == kept
    assert len(formats.read(path, mask_errors=False)) == 3


def test_no_errors_found_masks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(dialogue("no errors found")) + "\n")
    assert len(formats.read(path)) == 3


def test_a_wrong_call_that_failed_does_not_reject_its_dialogue(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(dialogue("Error: ticket must be a string", '{"ticket": 1}')) + "\n")
    assert len(formats.read(path, lambda *_: None)) == 2
    with pytest.raises(ValueError, match=r"row 1: calls: cancel\.ticket"):
        formats.read(path, mask_errors=False)


def test_the_import_counts_them_and_says_where_they_are(tmp_path: Path) -> None:
    path, out = tmp_path / "data.jsonl", tmp_path / "out.parquet"
    rows = [dialogue('{"error": "no ticket T-1"}'), dialogue('{"isError": true}', '{"ticket": "T-2"}')]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = CliRunner().invoke(app, ["import", str(path), str(out)])
    assert said.exit_code == 0 and "2 turns masked" in said.output and "rejected.jsonl" in said.output
    lines = (tmp_path / "out.rejected.jsonl").read_text().splitlines()
    assert [json.loads(line)["row"] for line in lines] == [1, 2] and '\\"T-1\\"' in lines[0]
    # The second dialogue's recovery has another context.
    assert len(Samples.read(out)) == 4
    whole = tmp_path / "whole.parquet"
    said = CliRunner().invoke(app, ["import", str(path), str(whole), "--keep-error-turns"])
    assert said.exit_code == 0 and "masked" not in said.output and len(Samples.read(whole)) == 6
    assert not (tmp_path / "whole.rejected.jsonl").exists()
