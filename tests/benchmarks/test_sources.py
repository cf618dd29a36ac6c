"""The check of the sources: its table, that it resumes, and that it finds what is planted."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from looptool_kit import world
from looptool_kit.core.samples import Message, Sample
from looptool_kit.world import traces
from looptool_kit.world.procedural import running

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import sources

    return sources


def table(sources: Any, folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    sys.argv = ["sources.py", *more, "--samples", "8", "--read", "3", "--folder", str(folder)]
    sources.main()
    said = capsys.readouterr().out
    return said[said.index("| source") :]


def test_a_table_files_to_read_and_nothing_drawn_twice(
    sources: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", sys.argv)
    names = ("evolved", "search", "templates", "expand-hardgen", "expand-slots")
    said = table(sources, tmp_path, capsys, *names)
    for name in names:
        row = re.search(rf"^\| {name} \| 8 \| 8 \| (\S+)(?: of (\d+))? \| (\d) \|", said, re.MULTILINE)
        assert row and (row[1] == row[2] or row[1] == "-") and int(row[2] or 0) + int(row[3]) == 8, said
        assert (tmp_path / f"{name}.txt").read_text(encoding="utf-8").count("\n--- ") == 2, "three of them"
    assert not re.search(r"^- ", said, re.MULTILINE), "nothing is wrong"

    def refused(*_: Any) -> Any:
        raise AssertionError("it was drawn already")

    monkeypatch.setattr(sources, "seeded", refused)
    monkeypatch.setattr(sources, "expanded", refused)
    assert table(sources, tmp_path, capsys, *names) == said
    with pytest.raises(AssertionError):
        table(sources, tmp_path, capsys, "evolved", "--again")
    with pytest.raises(SystemExit):
        table(sources, tmp_path, capsys, "elsewhere")


def spoilt(sample: Sample, field: str, value: Any) -> Sample:
    """A sample with another value in a field of its results, or of the rows in them."""

    def changed(m: Message) -> Message:
        result = json.loads(m.content)
        for part in (result, *(row for v in result.values() if isinstance(v, list) for row in v)):
            if isinstance(part, dict) and field in part:
                part[field] = value
        return m.model_copy(update={"content": json.dumps(result)})

    return sample.model_copy(
        update={"messages": tuple(changed(m) if m.role == "tool" else m for m in sample.messages)}
    )


def rows(kinds: Sequence[str], domain: str) -> list[Sample]:
    made = world.generate(40, seed="spoilt", kinds=kinds, domains=(domain,))
    return [s for s in made if s.messages[-1].role == "tool"]


def test_what_is_planted_is_found(sources: Any) -> None:
    from _executed import executed, searched

    for sample in rows(["finish"], "restaurants"):
        assert executed(sample, running()) == []
        changed = spoilt(sample, "reservation_id", "RES")
        assert executed(changed, running()) or changed == sample
    dear = next(
        s for s in rows(["multi_step"], "events") if "max_price" in str(s.messages[2].tool_calls[0].arguments)
    )
    assert executed(dear, running()) == []
    assert any("max_price" in why for why in executed(spoilt(dear, "price", 10_000), running()) or ())
    step = next(s for s in traces.generate(20, 5) if s.meta["step"] == 2)
    other = {"list_orders": ("price", 1.5), "track_order": ("arrives", "2027-01-01")}
    for field, value in other.values():
        changed = spoilt(step, field, value)
        assert changed == step or "executed again it gives other results" in (
            executed(changed, running()) or ()
        )
    from looptool_kit.config import load_preset
    from looptool_kit.world.search import drawn

    made = drawn(load_preset("cpu").search, 24, 0, "test")
    assert not [why for s in made for why in searched(s) or ()]
    told = next(s for s in made if s.kind == "finish")
    assert searched(told.model_copy(update={"messages": told.messages[:2]})) == [
        "what it tells was not found"
    ]
